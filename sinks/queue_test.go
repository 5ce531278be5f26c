package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// gate is a destination that is open or shut, and keeps what it was given.
type gate struct {
	mu     sync.Mutex
	shut   error // what Write answers, nil if it takes
	limit  int   // messages a Write takes, 0 for all
	got    []string
	rules  []uint32
	places []string
	writes int
	closes int
}

func (g *gate) Write(_ context.Context, msgs []Message) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes++
	for i := range msgs {
		switch {
		case g.shut != nil:
			return i, g.shut
		case strings.HasPrefix(string(msgs[i].Payload), "bad"):
			return i, Refuse(fmt.Errorf("refused %s", msgs[i].Payload))
		case g.limit > 0 && i == g.limit:
			return i, nil
		}
		g.got = append(g.got, string(msgs[i].Payload))
		g.rules = append(g.rules, msgs[i].Rule)
		g.places = append(g.places, msgs[i].Place())
	}
	return len(msgs), nil
}

func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closes++
	return nil
}

func (g *gate) set(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = err
}

// take returns and forgets what came.
func (g *gate) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	got := g.got
	g.got, g.rules, g.places = nil, nil, nil
	return got
}

func (g *gate) target() Target {
	return Target{
		DestKey: "gate",
		Route:   testRoute,
		Open:    func(context.Context, int) (Destination, error) { return g, nil },
		Restore: func(spec string) (*Route, error) {
			if spec != testRoute.Spec {
				return nil, fmt.Errorf("unknown route %q", spec)
			}
			return testRoute, nil
		},
	}
}

var testRoute = &Route{Spec: "route", Target: "place"}

func mustStore(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	o.Logger = quiet
	st, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func mustQueue(t testing.TB, target Target, o Options, st *store.Store, c *Counters) *Queue {
	t.Helper()
	o.Logger = quiet
	q, err := NewQueue(target, o, st, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close(done()) })
	return q
}

// done returns a context that has ended.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func msgsOf(texts ...string) []Message {
	msgs := make([]Message, len(texts))
	for i, text := range texts {
		msgs[i] = Message{Route: testRoute, Payload: []byte(text), Rule: uint32(i)}
	}
	return msgs
}

// numbers puts the messages from to to-1, padded to size bytes.
func numbers(q *Queue, from, to, size int) {
	for i := from; i < to; i++ {
		text := fmt.Sprintf("%0*d", size, i)
		q.Put([]Message{{Route: testRoute, Payload: []byte(text), Rule: 1}})
	}
}

func checkNumbers(t *testing.T, got []string, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("got %d messages, want %d", len(got), to-from)
	}
	for i, text := range got {
		var n int
		if _, err := fmt.Sscanf(strings.TrimLeft(text[:len(text)-1], "0")+text[len(text)-1:], "%d", &n); err != nil || n != from+i {
			t.Fatalf("message %d is %q, want %d", i, text, from+i)
		}
	}
}

func drained(t *testing.T, q *Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := q.Drained(ctx); err != nil {
		t.Fatalf("drain: %v, %+v", err, q.Stats())
	}
}

func TestPut(t *testing.T) {
	g, c := new(gate), new(Counters)
	q := mustQueue(t, g.target(), Options{}, nil, c)
	shared := []byte("shared")
	msgs := append(msgsOf("a", "b", ""), Message{Route: testRoute, Target: "other", Payload: shared, Rule: 7},
		Message{Route: testRoute, Payload: shared, Rule: NoRule})
	q.Put(msgs)
	copy(shared, "broken") // Put has copied it
	drained(t, q)
	if got, want := fmt.Sprintf("%q %v %v", g.got, g.rules, g.places),
		`["a" "b" "" "shared" "shared"] [0 1 2 7 4294967295] [place place place other place]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c.Delivered(7) != 1 || c.Delivered(0) != 1 || c.Delivered(5) != 0 || c.Delivered(1<<20) != 0 {
		t.Error("wrong counts of rules")
	}
	s := q.Stats()
	if s.Received != 5 || s.Delivered != 5 || s.Messages != 0 || s.Bytes != 0 || s.Connection.State != Connected {
		t.Errorf("got %+v", s)
	}
	c.Reset(7)
	if c.Delivered(7) != 0 {
		t.Error("reset did nothing")
	}
}

func TestRefused(t *testing.T) {
	g, c := new(gate), new(Counters)
	q := mustQueue(t, g.target(), Options{}, nil, c)
	q.Put(msgsOf("a", "bad1", "bad2", "b", "bad3"))
	drained(t, q)
	if got := fmt.Sprint(g.take()); got != "[a b]" {
		t.Errorf("got %s", got)
	}
	if s := q.Stats(); s.Refused != 3 || s.Delivered != 2 || s.Retries != 0 || s.LastError != "refused bad3" {
		t.Errorf("got %+v", s)
	}
	f, ok := c.LastFailure(1)
	if c.Failed(1) != 1 || c.Failed(0) != 0 || !ok || f.Text != "refused bad1" {
		t.Errorf("rule 1: failed %d, last %+v %v", c.Failed(1), f, ok)
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{shut: errors.New("down"), limit: 2}
		q := mustQueue(t, g.target(), Options{RetryMin: time.Second, RetryMax: 4 * time.Second}, nil, nil)
		q.Put(msgsOf("a", "b", "c", "d", "e"))
		<-time.After(8 * time.Second) // attempts at 0, 1, 3, 7
		synctest.Wait()
		if s := q.Stats(); s.Retries != 4 || s.LastError != "down" || s.Connection.State != Disconnected {
			t.Errorf("got %+v, want 4 retries", s)
		}
		g.set(nil)
		if err := q.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(g.take()); got != "[a b c d e]" {
			t.Errorf("got %s", got)
		}
		if s := q.Stats(); s.Connection.State != Connected || s.Connection.LastDisconnected != "down" {
			t.Errorf("got %+v", s.Connection)
		}
		q.Close(t.Context())
		if g.closes != 1 {
			t.Errorf("closed %d times, want once", g.closes)
		}
	})
}

// changing is a gate whose connection tells when it comes back.
type changing struct {
	gate
	ch chan struct{}
}

func (c *changing) Changed() <-chan struct{} { return c.ch }

func TestRetryOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &changing{gate: gate{shut: errors.New("down")}, ch: make(chan struct{})}
		target := g.target()
		target.Open = func(context.Context, int) (Destination, error) { return g, nil }
		q := mustQueue(t, target, Options{RetryMin: time.Hour}, nil, nil)
		q.Put(msgsOf("a"))
		synctest.Wait()
		start := time.Now()
		g.set(nil)
		close(g.ch)
		if err := q.Drained(t.Context()); err != nil || time.Since(start) > time.Second {
			t.Errorf("took %v, %v", time.Since(start), err)
		}
		q.Close(t.Context())
	})
}

func TestOpenRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gate)
		target, tries := g.target(), 0
		target.Open = func(context.Context, int) (Destination, error) {
			if tries++; tries < 4 {
				return nil, errors.New("not yet")
			}
			return g, nil
		}
		q := mustQueue(t, target, Options{}, nil, nil)
		q.Put(msgsOf("a"))
		if err := q.Drained(t.Context()); err != nil || tries != 4 {
			t.Errorf("%d tries, %v", tries, err)
		}
		q.Close(t.Context())
	})
}

// TestSpill fills memory and disk while the destination is down, lets it recover
// while more is coming, and wants everything in order.
func TestSpill(t *testing.T) {
	g := &gate{shut: errors.New("down"), limit: 100}
	st := mustStore(t, store.Options{SegmentBytes: 64 << 10})
	q := mustQueue(t, g.target(), Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond, RetryMax: time.Millisecond}, st, nil)
	numbers(q, 0, 20000, 50)
	s := q.Stats()
	if s.DiskBytes < 20000*50/2 || s.Messages != 20000 {
		t.Fatalf("got %+v, want most on disk", s)
	}
	if mem := s.Bytes - s.DiskBytes; mem > 1<<20 {
		t.Errorf("got %d bytes in memory", mem)
	}
	g.set(nil)
	numbers(q, 20000, 60000, 50)
	drained(t, q)
	numbers(q, 60000, 60100, 50)
	drained(t, q)
	checkNumbers(t, g.take(), 0, 60100)
	if s := q.Stats(); s.Messages != 0 || s.Bytes != 0 || s.DiskBytes != 0 || s.Delivered != 60100 {
		t.Errorf("got %+v, want an empty backlog", s)
	}
}

// TestSaved ends a queue whose destination is down, in each state of memory and
// disk, and wants everything in order from the next one.
func TestSaved(t *testing.T) {
	for _, n := range []int{1, 100, 3000, 20000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			fs := vfs.NewMem()
			g := &gate{shut: errors.New("down")}
			opt := Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond, Logger: quiet}
			st := mustStore(t, store.Options{Dir: "d", FS: fs})
			q := mustQueue(t, g.target(), opt, st, nil)
			numbers(q, 0, n, 20)
			q.Close(done())
			if s := q.Stats(); s.Dropped != 0 {
				t.Errorf("got %+v, want none dropped", s)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			st = mustStore(t, store.Options{Dir: "d", FS: fs})
			q = mustQueue(t, g.target(), opt, st, nil)
			if m, _ := q.Backlog(); m != int64(n) {
				t.Errorf("got %d messages left, want %d", m, n)
			}
			numbers(q, n, n+10, 20)
			g.set(nil)
			drained(t, q)
			for i, rule := range g.rules {
				if want := map[bool]uint32{true: NoRule, false: 1}[i < n]; rule != want {
					t.Fatalf("message %d has rule %d, want %d", i, rule, want)
				}
			}
			checkNumbers(t, g.take(), 0, n+10)
		})
	}
}

func TestCloseDelivers(t *testing.T) {
	g := &gate{limit: 7}
	q := mustQueue(t, g.target(), Options{MemoryBytes: 4 << 10}, mustStore(t, store.Options{}), nil)
	numbers(q, 0, 5000, 30)
	q.Close(context.Background())
	checkNumbers(t, g.take(), 0, 5000)
}

func TestCloseWithoutStore(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	q := mustQueue(t, g.target(), Options{}, nil, nil)
	numbers(q, 0, 10, 3)
	q.Close(done())
	if s := q.Stats(); s.Dropped != 10 {
		t.Errorf("got %+v, want 10 dropped and counted", s)
	}
}

func TestFull(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	room := make(chan struct{}, 10)
	opt := Options{MaxBytes: 100 << 10, MemoryBytes: 20 << 10, RetryMin: time.Millisecond, OnRoom: func() { room <- struct{}{} }}
	for _, st := range []*store.Store{nil, mustStore(t, store.Options{})} {
		g.set(errors.New("down"))
		q := mustQueue(t, g.target(), opt, st, nil)
		n := 0
		for ; !q.Full() && n < 100000; n++ {
			numbers(q, n, n+1, 100)
		}
		if n < 500 || n > 1100 {
			t.Errorf("full after %d messages", n)
		}
		if len(room) > 0 {
			t.Error("room was told before there was any")
		}
		g.set(nil)
		select {
		case <-room:
		case <-time.After(10 * time.Second):
			t.Fatalf("no room was told: %+v", q.Stats())
		}
		drained(t, q)
		if q.Full() {
			t.Error("full while empty")
		}
		checkNumbers(t, g.take(), 0, n)
		q.Close(context.Background())
		if len(room) > 0 {
			t.Error("room was told twice")
		}
	}
}

func TestDropOldest(t *testing.T) {
	for _, st := range []*store.Store{nil, mustStore(t, store.Options{SegmentBytes: 20 << 10})} {
		g := &gate{shut: errors.New("down")}
		opt := Options{MaxBytes: 200 << 10, MemoryBytes: 40 << 10, RetryMin: time.Millisecond, RetryMax: time.Millisecond, DropOldest: true}
		q := mustQueue(t, g.target(), opt, st, nil)
		numbers(q, 0, 30000, 100)
		if q.Full() {
			t.Error("full though it drops")
		}
		s := q.Stats()
		if s.Dropped == 0 || s.Dropped+uint64(s.Messages) != 30000 || s.Bytes > 700<<10 {
			t.Errorf("got %+v", s)
		}
		g.set(nil)
		drained(t, q)
		s = q.Stats()
		if s.Delivered+s.Dropped != 30000 || s.Bytes != 0 {
			t.Errorf("got %+v", s)
		}
		got := g.take()
		if want := fmt.Sprintf("%0100d", 29999); got[len(got)-1] != want {
			t.Errorf("the last message is %q", got[len(got)-1])
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("%q comes after %q", got[i], got[i-1])
			}
		}
	}
}

// TestLanes wants the order of each rule kept, on disk too.
func TestLanes(t *testing.T) {
	gates := []*gate{{limit: 3}, {limit: 5}, {limit: 2}}
	target := gates[0].target()
	target.Lanes = 3
	target.Open = func(_ context.Context, lane int) (Destination, error) { return gates[lane], nil }
	q := mustQueue(t, target, Options{MemoryBytes: 8 << 10}, mustStore(t, store.Options{}), nil)
	for i := range 3000 {
		var msgs []Message
		for rule := range uint32(7) {
			msgs = append(msgs, Message{Route: testRoute, Payload: fmt.Appendf(nil, "%d/%06d", rule, i), Rule: rule})
		}
		q.Put(msgs)
	}
	drained(t, q)
	n := 0
	last := map[uint32]string{}
	for lane, g := range gates {
		for i, text := range g.got {
			rule := g.rules[i]
			if rule%3 != uint32(lane) || text <= last[rule] {
				t.Fatalf("lane %d got %q after %q", lane, text, last[rule])
			}
			last[rule] = text
			n++
		}
	}
	if n != 21000 {
		t.Errorf("got %d messages, want 21000", n)
	}
}

func TestStage(t *testing.T) {
	g := new(gate)
	st := mustStore(t, store.Options{})
	q := mustQueue(t, g.target(), Options{}, st, nil)
	tx := st.Begin()
	if err := q.Stage(tx, msgsOf("a", "b")); err != nil {
		t.Fatal(err)
	}
	tx.Discard()
	q.Put(msgsOf("c"))
	tx = st.Begin()
	err := errors.Join(q.Stage(tx, msgsOf("d", "e")), st.Catalog().PutIn(tx, store.Item{Kind: "position", ID: "s"}), tx.Commit(store.Synced))
	if err != nil {
		t.Fatal(err)
	}
	q.Put(msgsOf("f"))
	drained(t, q)
	if got := fmt.Sprint(g.take()); got != "[c d e f]" {
		t.Errorf("got %s", got)
	}
	if s := q.Stats(); s.Received != 4 || s.Delivered != 4 || s.Bytes != 0 {
		t.Errorf("got %+v", s)
	}
	v := mustQueue(t, Target{DestKey: "v", Volatile: true, Open: g.target().Open}, Options{}, st, nil)
	if err := v.Stage(st.Begin(), msgsOf("x")); err == nil {
		t.Error("a volatile destination was staged")
	}
}

// TestRandom puts, stages and breaks at random and compares with what was put.
func TestRandom(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		g := new(gate)
		st := mustStore(t, store.Options{SegmentBytes: 30 << 10})
		q := mustQueue(t, g.target(), Options{MemoryBytes: 20 << 10, RetryMin: time.Microsecond, RetryMax: time.Microsecond}, st, nil)
		var want []string
		for i := range 3000 {
			switch p := rnd.IntN(100); {
			case p < 3:
				g.set(errors.New("down"))
			case p < 5:
				g.set(nil)
			case p < 10:
				text := fmt.Sprint("staged ", i)
				tx := st.Begin()
				if err := q.Stage(tx, msgsOf(text, text)); err != nil {
					t.Fatal(err)
				}
				if rnd.IntN(2) == 0 {
					tx.Discard()
					continue
				}
				if err := tx.Commit(store.Lazy); err != nil {
					t.Fatal(err)
				}
				want = append(want, text, text)
			default:
				text := strings.Repeat(fmt.Sprint(i, " "), 1+rnd.IntN(20))
				if rnd.IntN(500) == 0 {
					text = strings.Repeat(text, 1+300000/len(text)) // larger than a chunk
				}
				q.Put(msgsOf(text))
				want = append(want, text)
			}
		}
		g.set(nil)
		drained(t, q)
		got := g.take()
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("seed %d: message %d of %d differs", seed, i, len(want))
			}
		}
		if s := q.Stats(); len(got) != len(want) || s.Bytes != 0 || s.Messages != 0 || s.DiskBytes != 0 {
			t.Fatalf("seed %d: got %d messages, want %d, %+v", seed, len(got), len(want), s)
		}
	}
}

// TestDiskRefuses wants messages kept, and the queue full, when the disk is.
func TestDiskRefuses(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	st := mustStore(t, store.Options{FS: fullFS{vfs.NewMem()}, Dir: "d", ReserveBytes: 1})
	q := mustQueue(t, g.target(), Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond}, st, nil)
	n := 0
	for ; !q.Full() && n < 1e6; n++ {
		numbers(q, n, n+1, 300)
	}
	if s := q.Stats(); s.DiskBytes != 0 || !strings.Contains(s.DiskError, "full") || n == 1e6 {
		t.Errorf("%d messages, %+v", n, s)
	}
	g.set(nil)
	drained(t, q)
	checkNumbers(t, g.take(), 0, n)
}

// fullFS has room for little.
type fullFS struct{ vfs.FS }

func (fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1000}, nil
}

func TestNoAllocations(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Skip("coverage counts allocate")
	}
	d := new(count)
	q := mustQueue(t, Target{DestKey: "count", Open: func(context.Context, int) (Destination, error) { return d, nil }},
		Options{}, mustStore(t, store.Options{}), nil)
	msgs := msgsOf(strings.Split(strings.Repeat(`{"temperature":81.234} `, 100), " ")...)
	for range 1000 {
		q.Put(msgs)
	}
	drained(t, q)
	n := testing.AllocsPerRun(100, func() {
		q.Put(msgs)
		for m, _ := q.Backlog(); m > 0; m, _ = q.Backlog() {
		}
	})
	if n >= 1 {
		t.Errorf("got %v allocations a Put, want none", n)
	}
}

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
