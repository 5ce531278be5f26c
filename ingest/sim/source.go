package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/props"
)

// Source feeds a stream from a simulation: source type sim.
type Source struct {
	sim     *Sim
	to      source.Target
	tracker source.Tracker
}

// NewSource makes a source of o that writes to to. It opens nothing: Run does.
func NewSource(o Options, to source.Target) (*Source, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	return &Source{sim: s, to: to}, nil
}

// Run feeds messages until ctx ends or the simulation does. It is called once.
func (s *Source) Run(ctx context.Context) error {
	s.tracker.Start()
	var m ingest.Meta
	err := s.sim.run(ctx, s.to.Feed.Begin, func(topic string, payload []byte) error {
		m.Topic = topic
		return s.to.Feed.Push(payload, s.to.Route, &m, ingest.Ack{})
	}, s.to.Feed.End)
	return s.tracker.End(ctx, err)
}

// Status tells what the source does.
func (s *Source) Status() source.Status { return s.tracker.Status() }

// Playback feeds a stream from a list of messages, one after the other:
// eKuiper's source type simulator.
type Playback struct {
	messages [][]byte
	interval time.Duration
	loop     bool
	clock    Clock
	to       source.Target
	tracker  source.Tracker
}

// table is the properties of a source of type simulator.
func (s *Playback) table() props.Table {
	return props.Table{
		props.Other("data", "a list of objects", "the messages, a list of objects", func(v any) (err error) {
			s.messages, err = encodeData(v)
			return err
		}).Otherwise(`[{"temperature":22.5,"humidity":75}]`),
		props.Duration(&s.interval, "interval", "the time from one message to the next"),
		props.Flag(&s.loop, "loop", "begins anew after the last message"),
	}
}

func newPlayback() *Playback { return &Playback{interval: time.Second, loop: true} }

// PlaybackProperties describes what can be set of a source of type simulator.
func PlaybackProperties() props.Table { return newPlayback().table() }

// NewPlayback reads the properties data (a list of objects), interval (default
// 1s) and loop (default true) of a source of type simulator. A nil clock is the
// system's.
func NewPlayback(given map[string]any, clock Clock, to source.Target) (*Playback, error) {
	s := newPlayback()
	s.clock, s.to = clock, to
	if clock == nil {
		s.clock = systemClock{}
	}
	faults := s.table().Read(given)
	if s.messages == nil {
		s.messages = [][]byte{[]byte(`{"temperature":22.5,"humidity":75}`)}
	}
	if s.interval == 0 && s.loop {
		faults.Add("interval", "must not be 0 in a loop")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func encodeData(v any) ([][]byte, error) {
	if text, ok := v.(string); ok { // of a stream's EXTRA, or the environment
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("want a list of objects: %w", err)
		}
		out := make([][]byte, len(list))
		for i, raw := range list {
			out[i] = raw
		}
		return out, nil
	}
	list, ok := v.([]any)
	if maps, isMaps := v.([]map[string]any); isMaps {
		for _, m := range maps {
			list = append(list, m)
		}
		ok = true
	}
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("want a list of objects, found %v", v)
	}
	out := make([][]byte, len(list))
	for i, x := range list {
		if _, ok := x.(map[string]any); !ok {
			return nil, fmt.Errorf("want a list of objects, found %v in it", x)
		}
		raw, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		out[i] = raw
	}
	return out, nil
}

// Run feeds one message an interval, the first at once, until ctx ends or,
// without loop, the list does. It is called once.
func (s *Playback) Run(ctx context.Context) error {
	s.tracker.Start()
	err := s.run(ctx)
	return s.tracker.End(ctx, err)
}

func (s *Playback) run(ctx context.Context) error {
	for i := 0; ; i++ {
		if i == len(s.messages) {
			if !s.loop {
				return nil
			}
			i = 0
		}
		if err := s.push(s.messages[i]); err != nil {
			return err
		}
		if err := s.clock.Wait(ctx, s.interval); err != nil {
			return err
		}
	}
}

func (s *Playback) push(payload []byte) error {
	s.to.Feed.Begin(s.clock.Now().UnixMilli())
	defer s.to.Feed.End()
	return s.to.Feed.Push(payload, s.to.Route, nil, ingest.Ack{})
}

// Status tells what the source does.
func (s *Playback) Status() source.Status { return s.tracker.Status() }
