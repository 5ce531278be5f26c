package sinks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

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
	if s := q.Stats(); s.Lost[loss.Refused] != 3 || s.Delivered != 2 || s.Retries != 0 || s.LastError != "refused bad3" {
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
	if s := q.Stats(); s.Lost[loss.Unsaved] != 10 {
		t.Errorf("got %+v, want 10 unsaved and counted", s)
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

// A panic in a destination costs the message that it is laid to, which is refused; all
// others arrive, those of a rule in order, whatever was written together.
func TestPanicInWrite(t *testing.T) {
	for _, apart := range []Apart{Together, ByRule} {
		g, c := new(gate), new(Counters)
		target := g.target()
		target.Apart = apart
		target.Open = func(context.Context, int) (Destination, error) { return brittle{g}, nil }
		var told []string
		q := mustQueue(t, target, Options{OnPanic: func(_ string, v any) { told = append(told, fmt.Sprint(v)) }}, nil, c)
		msgs := msgsOf("a", "b", "panic2", "d", "panic4", "f", "g")
		q.Put(msgs)
		drained(t, q)
		var got []string // what came before the panic in a write comes again
		for _, text := range g.take() {
			if len(got) == 0 || got[len(got)-1] < text {
				got = append(got, text)
			}
		}
		if fmt.Sprint(got) != "[a b d f g]" {
			t.Errorf("got %s", got)
		}
		if s := q.Stats(); s.Lost[loss.Refused] != 2 || s.Delivered != 5 || s.Retries != 0 || !strings.Contains(s.LastError, "a fault of weir: panic4") {
			t.Errorf("got %+v", s)
		}
		if c.Failed(2) != 1 || c.Failed(4) != 1 || c.Failed(1) != 0 {
			t.Errorf("failed: got %d %d %d", c.Failed(2), c.Failed(4), c.Failed(1))
		}
		if len(told) < 2 || len(told) > 4 {
			t.Errorf("told of %q", told)
		}
		q.Put(msgsOf("x", "y"))
		drained(t, q)
		if w := g.writes; apart == Together && w > 12 {
			t.Errorf("%d writes: what comes later is still written one by one", w)
		}
	}
}

// brittle is a gate that panics for some messages.
type brittle struct{ *gate }

func (b brittle) Write(ctx context.Context, msgs []Message) (int, error) {
	for i := range msgs {
		if strings.HasPrefix(string(msgs[i].Payload), "panic") {
			b.gate.Write(ctx, msgs[:i])
			panic(string(msgs[i].Payload))
		}
	}
	return b.gate.Write(ctx, msgs)
}

// endless is a destination that never takes what begins with h, and says so only when it
// is told to end.
type endless struct{ *gate }

func (e endless) Write(ctx context.Context, msgs []Message) (int, error) {
	if msgs[0].Payload[0] == 'h' {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return e.gate.Write(ctx, msgs)
}

// A write that was left behind, so that others need not wait for it, ends with the time
// of Close.
func TestCloseEndsWriteLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gate)
		target := g.target()
		target.Apart = ByRule
		target.Open = func(context.Context, int) (Destination, error) { return endless{g}, nil }
		q := mustQueue(t, target, Options{}, nil, owned())
		q.Put(msgsOf("hangs", "a", "b"))
		<-time.After(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		q.Close(ctx)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if s := q.Stats(); fmt.Sprint(g.take()) != "[a b]" || s.Lost[loss.Unsaved] != 1 {
			t.Errorf("got %+v", s)
		}
	})
}
