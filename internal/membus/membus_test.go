package membus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+", "a/b/c", false},
		{"+/+", "/a", true},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a/b/d", false},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"#", "a/b", true},
		{"#", "$hw/a", false},
		{"+/a", "$hw/a", false},
		{"$hw/#", "$hw/a", true},
	} {
		if got := Match(c.filter, c.topic); got != c.want {
			t.Errorf("Match(%q, %q): got %v, want %v", c.filter, c.topic, got, c.want)
		}
	}
}

func TestBadTopics(t *testing.T) {
	b := New()
	for _, c := range []struct{ filter, want string }{
		{"", "must not be empty"},
		{"a/#/b", "# must be the last level"},
		{"a/b+", "a level of its own"},
	} {
		if _, err := b.Subscribe(c.filter, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Subscribe(%q): got %v, want %q", c.filter, err, c.want)
		}
	}
	for _, topic := range []string{"", "a/+", "#"} {
		if err := b.Publish(t.Context(), topic, nil); err == nil {
			t.Errorf("Publish(%q): got no error", topic)
		}
	}
}

func publish(t *testing.T, b *Bus, topic string, texts ...string) {
	t.Helper()
	var ps [][]byte
	for _, x := range texts {
		ps = append(ps, []byte(x))
	}
	if err := b.Publish(t.Context(), topic, ps); err != nil {
		t.Error(err) // also called off the test's goroutine
	}
}

func receive(t *testing.T, s *Subscription) string {
	t.Helper()
	msgs, err := s.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range msgs {
		out = append(out, m.Topic+"="+string(m.Payload))
	}
	return strings.Join(out, " ")
}

func subscribe(t *testing.T, b *Bus, filter string, maxBytes int) *Subscription {
	t.Helper()
	s, err := b.Subscribe(filter, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPublish(t *testing.T) {
	b := New()
	publish(t, b, "a/x", "lost")
	one, all := subscribe(t, b, "a/x", 0), subscribe(t, b, "a/#", 0)
	publish(t, b, "a/x", "1", "2")
	publish(t, b, "a/y", "3")
	if got, want := receive(t, one), "a/x=1 a/x=2"; got != want {
		t.Errorf("exact: got %q, want %q", got, want)
	}
	if got, want := receive(t, all), "a/x=1 a/x=2 a/y=3"; got != want {
		t.Errorf("wildcard: got %q, want %q", got, want)
	}
	publish(t, b, "a/x", "4")
	one.Close()
	one.Close()
	publish(t, b, "a/x", "5")
	if got, want := receive(t, one), "a/x=4"; got != want {
		t.Errorf("after Close: got %q, want %q", got, want)
	}
	if _, err := one.Receive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Receive after Close: got %v, want ErrClosed", err)
	}
	if got, want := receive(t, all), "a/x=4 a/x=5"; got != want {
		t.Errorf("other subscription: got %q, want %q", got, want)
	}
}

func TestPublishWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		slow, other := subscribe(t, b, "a", 100), subscribe(t, b, "a", 0)
		publish(t, b, "a", strings.Repeat("x", 100))
		done := make(chan struct{})
		go func() {
			publish(t, b, "a", "2")
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Publish returned while a subscription was full")
		default:
		}
		subscribe(t, b, "b", 0).Close() // a waiting publisher holds no lock
		receive(t, slow)
		<-done
		if got, want := receive(t, slow), "a=2"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := receive(t, other); !strings.HasSuffix(got, " a=2") {
			t.Errorf("got %q, want the second message once", got)
		}
	})
}

func TestPublishGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		open, full := subscribe(t, b, "a", 0), subscribe(t, b, "a", 1)
		publish(t, b, "a", "1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Publish(ctx, "a", [][]byte{[]byte("2")}) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
		if got, want := receive(t, open), "a=1"; got != want {
			t.Errorf("got %q, want %q: all or none get a message", got, want)
		}
		go func() { done <- b.Publish(t.Context(), "a", [][]byte{[]byte("3")}) }()
		synctest.Wait()
		full.Close()
		if err := <-done; err != nil {
			t.Errorf("Publish after Close: got %v", err)
		}
	})
}

func TestConcurrent(t *testing.T) {
	b := New()
	s := subscribe(t, b, "t/+", 1<<10)
	const publishers, each = 4, 500
	for p := range publishers {
		go func() {
			for i := range each {
				publish(t, b, fmt.Sprintf("t/%d", p), fmt.Sprint(i))
			}
		}()
	}
	next := map[string]int{}
	for n := 0; n < publishers*each; {
		msgs, err := s.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			if want := fmt.Sprint(next[m.Topic]); string(m.Payload) != want {
				t.Fatalf("%s: got %s, want %s", m.Topic, m.Payload, want)
			}
			next[m.Topic]++
			n++
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := New()
	s := subscribe(t, b, "a/#", 0)
	ps := [][]byte{bytes.Repeat([]byte("x"), 100), []byte("y")}
	run := func() {
		if err := b.Publish(t.Context(), "a/b", ps); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	run()
	// One copy of the topic for each hand-over.
	if n := testing.AllocsPerRun(100, run); n > 1 {
		t.Errorf("got %v allocations a hand-over, want at most 1", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	bus := New()
	s, err := bus.Subscribe("a/b", 0)
	if err != nil {
		b.Fatal(err)
	}
	ps := make([][]byte, 64)
	for i := range ps {
		ps[i] = []byte(`{"temperature":25.5,"device":"d1"}`)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := bus.Publish(b.Context(), "a/b", ps); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Receive(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ps)), "ns/message")
}
