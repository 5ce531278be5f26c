package sinks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/weir-engine/weir/internal/loss"
)

// busy is a destination whose first Write takes until it is ended, and then answers
// with err.
type busy struct {
	gate
	once    sync.Once
	entered chan struct{}
	err     error
}

func (b *busy) Write(ctx context.Context, msgs []Message) (n int, err error) {
	first := false
	b.once.Do(func() {
		first = true
		close(b.entered)
		<-ctx.Done()
	})
	if first {
		return 0, b.err
	}
	return b.gate.Write(ctx, msgs)
}

// owned are the counters of rules 0, 1 and 2, which are called so.
func owned() *Counters {
	c := new(Counters)
	for rule, name := range []string{"r0", "r1", "r2"} {
		c.Own(uint32(rule), &name)
	}
	return c
}

// Whatever a write answers that is ended because the outputs of a rule are given up, it
// is no failure of the destination, and what was refused in it is not sent again.
func TestDropEndsWrite(t *testing.T) {
	for _, answer := range []error{context.Canceled, nil, Refuse(errors.New("too large"))} {
		b := &busy{entered: make(chan struct{}), err: answer}
		target := b.target()
		target.Open = func(context.Context, int) (Destination, error) { return b, nil }
		c := owned()
		s := NewQueues(Options{Logger: quiet}, nil, c)
		q, err := s.Acquire(target)
		if err != nil {
			t.Fatal(err)
		}
		q.Put(msgsOf("a", "b", "c"))
		<-b.entered
		s.Drop("r1")
		drained(t, q)
		got, st := b.take(), q.Stats()
		want := "[a c]"
		if errors.Is(answer, ErrRefused) {
			want = "[c]"
		}
		if fmt.Sprint(got) != want || st.Lost[loss.Deleted] != 1 || st.Retries != 0 || c.Waiting(1) != 0 {
			t.Errorf("%v: got %v, %+v, want %s, one message given up, and no retry", answer, got, st, want)
		}
		s.Close(t.Context())
	}
}

// Outputs that are given up just before they are written are not waited for.
func TestDropBeforeWrite(t *testing.T) {
	c := owned()
	q := mustQueue(t, new(gate).target(), Options{}, nil, c)
	l := newLane(q, 0, nil, nil)
	defer l.cancel()
	msgs := msgsOf("a", "b", "c")
	c.Drop("r2") // after the lane has looked
	j := l.begin(msgs)
	if !j.end() || j.ctx.Err() == nil {
		t.Error("the write goes on")
	}
	if j = l.begin(msgs[:2]); j.end() || j.ctx.Err() != nil {
		t.Error("the next write is ended, too")
	}
	q.forgetJob(j)
}
