// Package memory is the source on the process's own bus: it feeds a stream with
// what memory sinks publish, so that one rule's output is another's input.
//
// Back-pressure goes back through the bus: while the feed blocks, the
// subscription fills up to its bound, and then the publishers wait. Nothing is
// dropped.
package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/vec"
)

// Options configures a Source.
type Options struct {
	// Topic is the stream's DATASOURCE: a topic of the bus, or a filter with + and #.
	Topic string
	// MaxBytes bounds what waits for the feed; 0 means membus.DefaultMaxBytes.
	MaxBytes int
}

// Source is a source of type memory. It has the metadata topic, and rowkind
// where the publisher said what a row does to a table.
type Source struct {
	kinds   map[string]*ingest.MetaMap
	sub     *membus.Subscription
	to      source.Target
	tracker source.Tracker
}

// New subscribes to o.Topic on bus: messages that are published from now on
// reach the stream once Run runs.
func New(bus *membus.Bus, o Options, to source.Target) (*Source, error) {
	sub, err := bus.Subscribe(o.Topic, o.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("memory source: %w", err)
	}
	return &Source{sub: sub, to: to}, nil
}

// Run feeds messages until ctx ends, and then ends the subscription. It is called
// once.
func (s *Source) Run(ctx context.Context) error {
	defer s.sub.Close()
	s.tracker.Start()
	return s.tracker.End(ctx, s.run(ctx))
}

func (s *Source) run(ctx context.Context) error {
	for {
		msgs, err := s.sub.Receive(ctx)
		if err != nil {
			return err
		}
		if err := s.push(msgs); err != nil {
			return err
		}
	}
}

func (s *Source) push(msgs []membus.Message) error {
	s.to.Feed.Begin(time.Now().UnixMilli())
	defer s.to.Feed.End()
	var m ingest.Meta
	for i := range msgs {
		m.Topic, m.More = msgs[i].Topic, s.more(msgs[i].Kind)
		if err := s.to.Feed.Push(msgs[i].Payload, s.to.Route, &m, ingest.Ack{}); err != nil {
			return err
		}
	}
	return nil
}

// more returns the metadata for a kind of rows, which messages share.
func (s *Source) more(kind string) *ingest.MetaMap {
	if kind == "" {
		return nil
	}
	m := s.kinds[kind]
	if m == nil {
		m = &ingest.MetaMap{Items: []ingest.MetaItem{{Key: "rowkind", Value: vec.StringValue(kind)}}}
		if s.kinds == nil {
			s.kinds = map[string]*ingest.MetaMap{}
		}
		s.kinds[kind] = m
	}
	return m
}

// Status tells what the source does.
func (s *Source) Status() source.Status { return s.tracker.Status() }
