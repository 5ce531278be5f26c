package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that Wait moves on at once.
type clock struct {
	now   time.Time
	waits int
	end   time.Time // Wait beyond it is the end of the context
}

func newClock(d time.Duration) *clock {
	start := time.UnixMilli(1721900000000)
	return &clock{now: start, end: start.Add(d)}
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.waits++
	if c.now = c.now.Add(d); c.now.After(c.end) {
		return context.Canceled
	}
	return ctx.Err()
}

func mustNew(t *testing.T, o Options) *Sim {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestForms(t *testing.T) {
	props := []Property{{Name: "temperature"}, {Name: "door", Type: "boolean"}, {Name: "mode", Type: "string", Values: []string{"auto"}}}
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{Form: Update, Devices: 1}, []string{
			`$hw/events/device/sensor-0001/twin/update {"event_id":"","timestamp":7,"twin":{"temperature":{"actual":{"value":"8.95"},"metadata":{"type":"float"}}}}`,
			`$hw/events/device/sensor-0001/twin/update {"event_id":"","timestamp":7,"twin":{"door":{"actual":{"value":"true"},"metadata":{"type":"boolean"}}}}`,
		}},
		{Options{Form: Update, Devices: 2, Namespace: "plant", PerMessage: 2}, []string{
			`$hw/events/device/plant/sensor-0001/twin/update {"event_id":"","timestamp":7,"twin":{"temperature":{"actual":{"value":"6.34"},"metadata":{"type":"float"}},"door":{"actual":{"value":"false"},"metadata":{"type":"boolean"}}}}`,
			`$hw/events/device/plant/sensor-0002/twin/update {"event_id":"","timestamp":7,"twin":{"temperature":{"actual":{"value":"47.43"},"metadata":{"type":"float"}},"door":{"actual":{"value":"false"},"metadata":{"type":"boolean"}}}}`,
		}},
		{Options{Form: Document, Devices: 1, Properties: props[:1], Prefix: "d"}, []string{
			`$hw/events/device/d-0001/twin/update/document {"event_id":"","timestamp":7,"twin":{"temperature":{"last":null,"current":{"actual":{"value":"6.66","metadata":{"timestamp":7}},"optional":true,"metadata":{"type":"float"}}}}}`,
			`$hw/events/device/d-0001/twin/update/document {"event_id":"","timestamp":7,"twin":{"temperature":{"last":{"actual":{"value":"6.66","metadata":{"timestamp":7}},"optional":true,"metadata":{"type":"float"}},"current":{"actual":{"value":"5.57","metadata":{"timestamp":7}},"optional":true,"metadata":{"type":"float"}}}}}`,
		}},
		{Options{Form: Data, Devices: 1}, []string{
			`$ke/events/device/sensor-0001/data/update {"event_id":"","timestamp":7,"data":{"temperature":{"value":"8.95","metadata":{"timestamp":7,"type":"float"}}}}`,
		}},
		{Options{Form: Flat, Devices: 1}, []string{
			`devices/sensor-0001 {"device":"sensor-0001","ts":7,"temperature":8.95,"door":true,"mode":"auto"}`,
		}},
		{Options{Form: Flat, Devices: 1, Topic: "site/{device}/x"}, []string{
			`site/sensor-0001/x {"device":"sensor-0001","ts":7,"temperature":8.95,"door":true,"mode":"auto"}`,
		}},
	} {
		if c.o.Properties == nil {
			c.o.Properties = props
		}
		c.o.Seed = 42
		s := mustNew(t, c.o)
		for i, want := range c.want {
			topic, payload := s.Next(7)
			if !json.Valid(payload) {
				t.Errorf("%s: not JSON: %s", c.o.Form, payload)
			}
			if got := topic + " " + string(payload); got != want {
				t.Errorf("%s message %d:\n got %s\nwant %s", c.o.Form, i, got, want)
			}
		}
	}
}

func TestValues(t *testing.T) {
	for _, p := range []Property{
		{Name: "p", Min: -5, Max: 5, Decimals: 3},
		{Name: "p", Type: "int", Min: 900, Max: 903},
		{Name: "p", Type: "float", Min: 0.5, Max: 0.75},
		{Name: "p", Type: "int", Min: -3, Max: -2},
	} {
		s := mustNew(t, Options{Form: Flat, Properties: []Property{p}, Devices: 3, Drift: 0.5})
		seen := map[float64]bool{}
		for range 3000 {
			_, payload := s.Next(1)
			var m map[string]any
			if err := json.Unmarshal(payload, &m); err != nil {
				t.Fatalf("%s: %v", payload, err)
			}
			v := m["p"].(float64)
			seen[v] = true
			if v < p.Min || v > p.Max {
				t.Fatalf("%+v: got %v", p, v)
			}
		}
		if len(seen) < 2 {
			t.Errorf("%+v: got %d values", p, len(seen))
		}
	}
	s := mustNew(t, Options{Form: Flat, Properties: []Property{{Name: "p", Max: 10}}, Spikes: 0.2})
	beyond := 0
	for range 1000 {
		_, payload := s.Next(1)
		var m map[string]any
		if err := json.Unmarshal(payload, &m); err != nil {
			t.Fatal(err)
		}
		if v := m["p"].(float64); v > 10 {
			beyond++
			if v > 11.1 {
				t.Errorf("spike: got %v", v)
			}
		}
	}
	if beyond < 150 || beyond > 250 {
		t.Errorf("spikes: got %d of 1000, want about 200", beyond)
	}
}

func TestDeterministic(t *testing.T) {
	text := func(seed uint64) string {
		s := mustNew(t, Options{Seed: seed, Form: Document, Spikes: 0.1})
		var b strings.Builder
		for range 1000 {
			topic, payload := s.Next(5)
			b.WriteString(topic)
			b.Write(payload)
		}
		return b.String()
	}
	if first, again := text(1), text(1); first != again {
		t.Error("equal seeds gave different messages")
	}
	if text(1) == text(2) {
		t.Error("different seeds gave equal messages")
	}
}

func TestRate(t *testing.T) {
	for _, rate := range []float64{0.5, 3, 100, 5000, 1e6} {
		seconds := min(10, 2e5/rate)
		c := newClock(time.Duration(seconds * float64(time.Second)))
		s := mustNew(t, Options{Rate: rate, Clock: c, Form: Flat})
		n := 0
		err := s.Run(t.Context(), func(string, []byte) error { n++; return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rate %g: got error %v", rate, err)
		}
		want := rate * seconds
		if d := float64(n) - want; d < -rate*0.01-1 || d > rate*0.01+1 {
			t.Errorf("rate %g: got %d messages in %g s, want about %g", rate, n, seconds, want)
		}
		if c.waits > 10_001 {
			t.Errorf("rate %g: waited %d times", rate, c.waits)
		}
	}
}

func TestSlowReceiver(t *testing.T) {
	c := newClock(60 * time.Second)
	s := mustNew(t, Options{Rate: 1000, Clock: c})
	n := 0
	var after int
	_ = s.Run(t.Context(), func(string, []byte) error {
		if n++; n == 100 {
			c.now = c.now.Add(30 * time.Second) // blocked
		}
		return nil
	})
	after = n - 100
	// The last half minute, but not what was missed before it.
	if after < 29_000 || after > 32_000 {
		t.Errorf("got %d messages after the stall, want about 30000", after)
	}
}

func TestRunEnds(t *testing.T) {
	s := mustNew(t, Options{Rate: Unpaced, Count: 2500, Clock: newClock(0)})
	n := 0
	if err := s.Run(t.Context(), func(string, []byte) error { n++; return nil }); err != nil || n != 2500 {
		t.Errorf("count: got %d messages, %v", n, err)
	}
	stop := errors.New("stop")
	s = mustNew(t, Options{Rate: Unpaced})
	if err := s.Run(t.Context(), func(string, []byte) error { return stop }); err != stop {
		t.Errorf("emit's error: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s = mustNew(t, Options{Rate: Unpaced})
	err := s.Run(ctx, func(string, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: got %v", err)
	}
}

func TestOptionFaults(t *testing.T) {
	_, err := New(Options{
		Devices: -1, PerMessage: 9, Rate: -7, Drift: 2, Topic: "a/#",
		Properties: []Property{{Name: "a"}, {Name: "a", Type: "complex"}, {Name: `"`}, {Name: "b", Min: 5, Max: 1}, {Name: "c", Type: "int", Decimals: 2}},
	})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"devices -1", "per message 9: want 1 to 5", "rate -7", "drift 2", "must not contain", `"a": is there twice`,
		`type "complex": unknown`, "plain characters", "range 5 to 1", "decimals 2",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestParseProps(t *testing.T) {
	var m map[string]any
	text := `{"devices":5,"form":"Document","rate":"200","seed":4294967299,"namespace":"plant","properties":["a",{"name":"b","type":"int","min":1,"max":3}]}`
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	o, err := ParseProps(m)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(o.Devices, o.Form, o.Rate, o.Seed, o.Namespace, o.Properties)
	if want := "5 document 200 4294967299 plant [{a float 0 100 2 []} {b int 1 3 0 []}]\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, err = ParseProps(map[string]any{"devices": "many", "form": "round", "properties": []any{3}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("faults: got %v, want three", err)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, f := range []Form{Update, Document, Data, Flat} {
		s := mustNew(t, Options{Form: f, Spikes: 0.1})
		for range 1000 {
			s.Next(1721900000123)
		}
		if n := testing.AllocsPerRun(1000, func() { s.Next(1721900000123) }); n != 0 {
			t.Errorf("%s: got %v allocations a message", f, n)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, f := range []Form{Update, Document, Data, Flat} {
		b.Run("form="+f.String(), func(b *testing.B) {
			s, err := New(Options{Form: f})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, payload := s.Next(1721900000123)
				b.SetBytes(int64(len(payload)))
			}
		})
	}
}
