package sinks

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

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
