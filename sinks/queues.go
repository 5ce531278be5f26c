package sinks

import (
	"context"
	"fmt"
	"sync"

	"github.com/weir-engine/weir/internal/store"
)

// Queues are the queues of a process by destination, shared by all actions that go
// there and counted by reference. All methods are safe for concurrent use.
type Queues struct {
	o        Options
	st       *store.Store
	counters *Counters

	ctx    context.Context // ends the wait of queues that nobody uses
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	m      map[string]*queueRef
	gone   Stats // of queues that are no more: their counts
	closed bool
}

type queueRef struct {
	q       *Queue // nil: Discard has it
	refs    int
	closing chan struct{} // closed once q is
}

// NewQueues makes an empty set; its queues will have o, st and c.
func NewQueues(o Options, st *store.Store, c *Counters) *Queues {
	s := &Queues{o: o, st: st, counters: c, m: make(map[string]*queueRef)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Acquire returns the queue of t's destination, made at its first use. Each
// Acquire is followed by one Release.
func (s *Queues) Acquire(t Target) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return nil, fmt.Errorf("%s: sinks are closed", t.DestKey)
		}
		r := s.m[t.DestKey]
		if r == nil {
			break
		}
		if r.closing == nil {
			r.refs++
			return r.q, nil
		}
		s.mu.Unlock()
		<-r.closing
		s.mu.Lock()
	}
	q, err := NewQueue(t, s.o, s.st, s.counters)
	if err != nil {
		return nil, err
	}
	s.m[t.DestKey] = &queueRef{q: q, refs: 1}
	return q, nil
}

// Release gives one Acquire back. A queue that nobody uses delivers what it has
// and then ends, unless it is acquired again before.
func (s *Queues) Release(q *Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.m[q.DestKey()]
	if r == nil || r.q != q || r.refs == 0 {
		panic("bug: release of a queue that was not acquired: " + q.DestKey())
	}
	if r.refs--; r.refs > 0 || s.closed {
		return
	}
	s.wg.Go(func() { s.retire(r, q) })
}

// retire closes the queue q of r once it is drained, if it is still unused.
func (s *Queues) retire(r *queueRef, q *Queue) {
	q.leave()
	if q.Drained(s.ctx) != nil {
		return // Close does it
	}
	s.mu.Lock()
	if r.refs > 0 || r.closing != nil || s.closed {
		s.mu.Unlock()
		return
	}
	r.closing = make(chan struct{})
	s.mu.Unlock()
	q.Close(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := q.Stats()
	s.gone.merge(&st)
	delete(s.m, q.DestKey())
	close(r.closing)
}

// Each calls f for every queue; f must not call s.
func (s *Queues) Each(f func(*Queue)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.m {
		if r.q != nil {
			f(r.q)
		}
	}
}

// Total returns the sums over all queues, those that are no more included.
func (s *Queues) Total() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.gone
	for _, r := range s.m {
		if r.q != nil {
			st := r.q.Stats()
			all.merge(&st)
		}
	}
	return all
}

// Close closes all queues as Queue.Close does, side by side, and waits for them.
func (s *Queues) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	var wg sync.WaitGroup
	s.Each(func(q *Queue) { wg.Go(func() { q.Close(ctx) }) })
	wg.Wait()
}
