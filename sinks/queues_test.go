package sinks

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
)

func TestQueues(t *testing.T) {
	g := new(gate)
	s := NewQueues(Options{Logger: quiet}, mustStore(t, store.Options{}), nil)
	a, err := s.Acquire(g.target())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Acquire(g.target()); err != nil || b != a {
		t.Fatalf("got another queue for the same destination: %v", err)
	}
	a.Put(msgsOf("a"))
	s.Release(a)
	s.Release(a)
	s.wg.Wait()
	if len(s.m) != 0 || g.closes != 1 || fmt.Sprint(g.take()) != "[a]" {
		t.Errorf("%d queues are left, closed %d times", len(s.m), g.closes)
	}
	g.set(errors.New("down"))
	c, err := s.Acquire(g.target())
	if err != nil {
		t.Fatal(err)
	}
	c.Put(msgsOf("b"))
	s.Release(c)
	if d, err := s.Acquire(g.target()); err != nil || d != c {
		t.Errorf("a queue with a backlog was not taken up again: %v", err)
	}
	s.Release(c)
	s.Close(done())
	if _, err := s.Acquire(g.target()); err == nil {
		t.Error("acquired after close")
	}
}

func TestRegistry(t *testing.T) {
	_, err := Registry{}.Open("nosink", nil)
	if err == nil || err.Error() != "sink nosink is not defined" {
		t.Errorf("got %v", err)
	}
}

// After a restart with a backlog in hundreds of destinations, which is more than
// one byte counts, each gets its own messages, once and in order.
func TestManyBacklogs(t *testing.T) {
	const destinations, each = 300, 5
	fs := vfs.NewMem()
	opt := Options{RetryMin: time.Millisecond, RetryMax: time.Millisecond, Logger: quiet}
	gates := make([]*gate, destinations)
	open := func() (*Queues, []*Queue) {
		s := NewQueues(opt, mustStore(t, store.Options{Dir: "d", FS: fs}), nil)
		queues := make([]*Queue, destinations)
		for i, g := range gates {
			target := g.target()
			target.DestKey = fmt.Sprint("gate ", i)
			var err error
			if queues[i], err = s.Acquire(target); err != nil {
				t.Fatal(err)
			}
		}
		return s, queues
	}
	put := func(queues []*Queue, from int) {
		for n := range each {
			for i, q := range queues {
				q.Put(msgsOf(fmt.Sprintf("%d for %d", from+n, i)))
			}
		}
	}
	for i := range gates {
		gates[i] = &gate{shut: errors.New("down")}
	}
	for round := range 2 {
		s, queues := open()
		put(queues, round*each)
		s.Close(done())
		if err := s.st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, queues := open()
	defer s.Close(done())
	for i, q := range queues {
		if n, _ := q.Backlog(); n != 2*each {
			t.Errorf("destination %d has %d messages waiting, want %d", i, n, 2*each)
		}
	}
	for i, g := range gates {
		g.set(nil)
		drained(t, queues[i])
		var want []string
		for n := range 2 * each {
			want = append(want, fmt.Sprintf("%d for %d", n, i))
		}
		if got := g.take(); !slices.Equal(got, want) {
			t.Errorf("destination %d got %q, want %q", i, got, want)
		}
	}
}
