package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
)

// feed collects what a source pushes.
type feed struct {
	t     *testing.T
	in    bool
	lines []string
	fail  error
}

func (f *feed) Begin(int64) {
	if f.in {
		f.t.Error("Begin inside Begin")
	}
	f.in = true
}

func (f *feed) End() { f.in = false }

func (f *feed) Push(payload []byte, route uint32, m *ingest.Meta, _ ingest.Ack) error {
	if !f.in || route != 3 {
		f.t.Errorf("Push: in=%v route=%d", f.in, route)
	}
	line := string(payload)
	if m != nil {
		line = m.Topic + " " + line
	}
	f.lines = append(f.lines, line)
	return f.fail
}

func TestSource(t *testing.T) {
	f := &feed{t: t}
	s, err := NewSource(Options{Devices: 2, Rate: Unpaced, Count: 3, Form: Flat, Properties: []Property{{Name: "p", Type: "string", Values: []string{"x"}}}}, source.Target{Feed: f, Route: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.lines) != 3 || f.in || !strings.HasPrefix(f.lines[1], `devices/sensor-0002 {"device":"sensor-0002","ts":`) {
		t.Errorf("got %q", f.lines)
	}
	if got := s.Status().State; got != source.EOF {
		t.Errorf("state: got %s", got)
	}
}

func play(t *testing.T, f *feed, props map[string]any) *Playback {
	t.Helper()
	s, err := NewPlayback(props, nil, source.Target{Feed: f, Route: 3})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPlayback(t *testing.T) {
	data := []any{map[string]any{"a": 1.0}, map[string]any{"a": "x"}}
	synctest.Test(t, func(t *testing.T) {
		f := &feed{t: t}
		s := play(t, f, map[string]any{"data": data, "interval": 100, "loop": true})
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		if got, want := strings.Join(f.lines, " "), `{"a":1} {"a":"x"} {"a":1}`; got != want {
			t.Errorf("loop: got %s, want %s", got, want)
		}
		if got := s.Status().State; got != source.Stopped {
			t.Errorf("state: got %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &feed{t: t}
		s := play(t, f, map[string]any{"data": `[{"b":2}]`, "loop": false})
		if err := s.Run(t.Context()); err != nil || len(f.lines) != 1 {
			t.Errorf("once: got %q, %v", f.lines, err)
		}
		if got := s.Status().State; got != source.EOF {
			t.Errorf("state: got %s", got)
		}
		f.fail = errors.New("no room")
		if err := play(t, f, map[string]any{"data": data}).Run(t.Context()); err != f.fail {
			t.Errorf("failing feed: got %v", err)
		}
	})
}

func TestPlaybackFaults(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		want  string
	}{
		{map[string]any{"data": 5}, "want a list of objects, found 5"},
		{map[string]any{"data": []any{}}, "want a list of objects"},
		{map[string]any{"data": []any{1}}, "found 1 in it"},
		{map[string]any{"data": "[1"}, "unexpected end of JSON"},
		{map[string]any{"data": "[{}]", "interval": 0}, "must not be 0"},
	} {
		if _, err := NewPlayback(c.props, nil, source.Target{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.props, err, c.want)
		}
	}
}
