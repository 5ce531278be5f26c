package sinks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// shelf is a set of queues on a store that outlives it.
type shelf struct {
	t  *testing.T
	fs vfs.FS
	*Queues
}

func (s *shelf) open() {
	st := mustStore(s.t, store.Options{Dir: "d", FS: s.fs})
	s.Queues = NewQueues(Options{RetryMin: time.Millisecond, RetryMax: time.Millisecond, Logger: quiet}, st, nil)
}

func (s *shelf) close() {
	s.t.Helper()
	s.Close(done())
	if err := s.st.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) acquire(t Target) *Queue {
	s.t.Helper()
	q, err := s.Acquire(t)
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

// want compares what waits: destination, label, uses, whether there is a queue,
// whether it is left, messages. A worker tidies up when all is delivered already.
func (s *shelf) want(lines ...string) {
	s.t.Helper()
	beat := time.NewTicker(time.Millisecond)
	defer beat.Stop()
	got := s.waits()
	for end := time.Now().Add(20 * time.Second); !slices.Equal(got, lines) && time.Now().Before(end); got = s.waits() {
		<-beat.C
	}
	if !slices.Equal(got, lines) {
		s.t.Errorf("got %q, want %q", got, lines)
	}
}

func (s *shelf) waits() (got []string) {
	s.t.Helper()
	list, err := s.Waiting()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, w := range list {
		got = append(got, fmt.Sprintf("%s %q %d %v %v %d", w.DestKey, w.Label, w.Uses, w.Open, w.Left, w.Messages))
		if age := time.Now().UnixMilli() - w.OldestMs; w.Messages > 0 && (age < 0 || age > 60000 || w.Bytes == 0) {
			s.t.Errorf("%s: %d bytes since %d", w.DestKey, w.Bytes, w.OldestMs)
		}
	}
	return got
}

func (g *gate) lanes(dest string, n int) Target {
	t := g.target()
	t.DestKey, t.Lanes, t.Label = dest, n, func() []byte { return []byte("label of " + dest) }
	return t
}

// What waits for a destination whose rule has gone is seen, delivered or given up,
// in this process and in the next ones.
func TestWaiting(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	s := &shelf{t: t, fs: vfs.NewMem()}
	s.open()
	a, b := s.acquire(g.lanes("a", 3)), s.acquire(g.lanes("b #1", 1))
	a.Put(msgsOf("1", "2", "3", "4"))
	b.Put(msgsOf("5", "6"))
	s.want(`a "" 1 true false 4`, `b #1 "" 1 true false 2`)
	s.close()

	s.open() // nobody asks for them
	s.want(`a "label of a" 0 false false 4`, `b #1 "label of b #1" 0 false false 2`)
	if left, err := s.Sweep(); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := s.DeliverLeft(g.lanes("a", 3)); err != nil {
		t.Fatal(err)
	}
	s.want(`a "label of a" 0 true true 4`, `b #1 "label of b #1" 0 false false 2`)
	if n, err := s.Discard("b #1"); n != 2 || err != nil {
		t.Errorf("discarded %d, %v, want 2", n, err)
	}
	if _, err := s.Discard("b #1"); !errors.Is(err, ErrNothing) {
		t.Errorf("discarded twice: %v", err)
	}
	s.want(`a "label of a" 0 true true 4`)
	s.close()

	s.open() // that it is to be delivered is known
	s.want(`a "label of a" 0 false true 4`)
	g.set(nil)
	a = s.acquire(g.lanes("a", 3))
	drained(t, a)
	if got := g.take(); len(got) != 4 {
		t.Errorf("got %q, want four messages", got)
	}
	if _, err := s.Discard("a"); !errors.Is(err, ErrUsed) {
		t.Errorf("discarded what is used: %v", err)
	}
	s.want(`a "" 1 true false 0`)
	s.close()

	s.open()
	if left, err := s.Sweep(); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if keys, err := s.st.Outboxes(); err != nil || len(keys) != 0 {
		t.Errorf("outboxes %q are still there, %v", keys, err)
	}
	s.close()
}

// What a queue without users still tries to deliver can be given up, and the
// destination be used anew.
func TestDiscard(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	s := &shelf{t: t, fs: vfs.NewMem()}
	s.open()
	defer s.close()
	for round := range 3 {
		q := s.acquire(g.lanes("a", 2))
		for range round * 20000 { // in memory, and on disk
			q.Put(msgsOf(fmt.Sprintf("%0500d", 1), "b"))
		}
		q.Put(msgsOf("first", "second"))
		n, _ := q.Backlog()
		s.Release(q)
		got, err := s.Discard("a")
		if err != nil || got != n {
			t.Errorf("discarded %d of %d messages, %v", got, n, err)
		}
		if st := q.Stats(); st.Lost[loss.Discarded] != uint64(n) || st.Messages != 0 || st.Bytes != 0 {
			t.Errorf("after it: %+v", st)
		}
		if a, b := q.counters.Waiting(0), q.counters.Waiting(1); a != 0 || b != 0 {
			t.Errorf("after it %d and %d messages of the rules wait", a, b)
		}
		s.want()
	}
	g.set(nil)
	q := s.acquire(g.lanes("a", 2))
	q.Put(msgsOf("new"))
	drained(t, q)
	if got := g.take(); fmt.Sprint(got) != "[new]" {
		t.Errorf("got %q", got)
	}
	s.Release(q)
}

// Blocks and outboxes of an earlier version have no time and no label.
func TestEarlierForms(t *testing.T) {
	var w blockWriter
	now := w.encode(msgsOf("a", "b"), 1700000000000, nobodys)
	rest := appendText([]byte{1}, testRoute.Spec)
	for _, text := range []string{"a", "b"} {
		rest = appendText(append(rest, 0, 7), text) // a head, and a rule
	}
	old := append([]byte{1}, rest...)
	second := append(binary.AppendUvarint([]byte{2}, 1600000000000), rest...)
	var c chunk
	if err := c.decode(store.Block{Messages: 2, Data: second}, func([]byte) (*Route, error) { return testRoute, nil }, unknown); err != nil {
		t.Fatal(err)
	}
	if len(c.msgs) != 2 || !bytes.Equal(c.msgs[1].Payload, []byte("b")) || c.since != 1600000000000 || c.msgs[1].Rule != 7 {
		t.Errorf("got %+v", c)
	}
	if err := c.decode(store.Block{Messages: 2, Data: old}, func([]byte) (*Route, error) { return testRoute, nil }, unknown); err != nil {
		t.Fatal(err)
	}
	if len(c.msgs) != 2 || !bytes.Equal(c.msgs[1].Payload, []byte("b")) || c.since != 0 {
		t.Errorf("got %+v", c)
	}
	if err := c.decode(store.Block{Messages: 2, Data: now}, func([]byte) (*Route, error) { return testRoute, nil }, unknown); err != nil || c.since != 1700000000000 {
		t.Errorf("got since %d, %v", c.since, err)
	}
	for key, want := range map[string]string{"rest http://h #3": "rest http://h", "file /x": "file /x", "file /x #y": "file /x #y"} {
		if dest, label := splitLabel(key, nil); dest != want || label != nil {
			t.Errorf("%q: got %q %q, want %q", key, dest, label, want)
		}
	}
}
