package sinks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/store"
)

// held is a destination whose first Write waits until it is let go.
type held struct {
	gate
	once           sync.Once
	entered, letGo chan struct{}
}

func newHeld() *held { return &held{entered: make(chan struct{}), letGo: make(chan struct{})} }

func (h *held) Write(ctx context.Context, msgs []Message) (int, error) {
	h.once.Do(func() {
		close(h.entered)
		<-h.letGo
	})
	return h.gate.Write(ctx, msgs)
}

// A lane that is through with what an earlier process left only when the queue is to
// end lets the others deliver what came later.
func TestCloseAfterEarlier(t *testing.T) {
	st := mustStore(t, store.Options{})
	target := (&gate{shut: errors.New("down")}).target()
	target.Lanes = 2
	q := mustQueue(t, target, Options{}, st, nil)
	q.Put([]Message{{Route: testRoute, Payload: []byte("old"), Rule: 0}})
	q.Close(done())

	first, second := newHeld(), new(gate)
	target.Open = func(_ context.Context, lane int) (Destination, error) {
		return []Destination{first, second}[lane], nil
	}
	q = mustQueue(t, target, Options{}, st, nil)
	<-first.entered
	q.Put([]Message{{Route: testRoute, Payload: []byte("new"), Rule: 1}})
	q.lanes[0].close() // as Close does first
	close(first.letGo)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	q.Close(ctx)
	if got := fmt.Sprint(first.take(), second.take()); got != "[old] [new]" || ctx.Err() != nil {
		t.Errorf("got %s, %v, want all delivered in time", got, ctx.Err())
	}
}
