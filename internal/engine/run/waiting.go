package run

import (
	"context"
	"sync"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/vec"
)

// answered is an answer of a lookup table on its way to the executor.
type answered struct {
	l    *exec.Lookup
	rows []exec.LookupRows
}

// answers are those that the executor has not taken. What is under way bounds
// their number.
type answers struct {
	ready chan struct{}
	mu    sync.Mutex
	list  []answered
}

// Answer gives the executor the answer to a question that it asked by
// exec.Env.Lookup.
func (r *Runner) Answer(l *exec.Lookup, rows []exec.LookupRows) {
	r.answers.mu.Lock()
	r.answers.list = append(r.answers.list, answered{l, rows})
	r.answers.mu.Unlock()
	signal(r.answers.ready)
}

// takeAnswers runs what waited for lookup tables.
func (r *Runner) takeAnswers() {
	r.answers.mu.Lock()
	list := r.answers.list
	r.answers.list = nil
	r.answers.mu.Unlock()
	if len(list) > 0 && r.dirty.Load() {
		r.pull()
	}
	for _, a := range list {
		r.found(a)
	}
}

func (r *Runner) found(a answered) {
	defer r.recovered(0)
	now := r.now()
	r.out.begin(now)
	got := r.x.Found(a.l, a.rows, now)
	r.out.flush()
	r.settle(&got)
}

// heldBatch is a batch with rows that wait for lookup tables.
type heldBatch struct {
	feed  *ingest.Feed
	batch *vec.Batch
}

// holding is what is kept of batches and feeds that wait for lookup tables.
type holding struct {
	batches map[exec.Ticket]heldBatch
	crowded map[*Feed]uint32 // feeds that are paused, with the join
}

// finish gives a batch back that was run, or holds it.
func (r *Runner) finish(f *ingest.Feed, b *vec.Batch, got *exec.Receipt) {
	if got.Held != 0 {
		r.holding.batches[got.Held] = heldBatch{f, b}
	} else {
		f.Done(b)
	}
	for _, join := range got.Crowded {
		if fd := r.feeds[f]; fd != nil {
			if _, paused := r.holding.crowded[fd]; !paused {
				fd.stop(1)
			}
			r.holding.crowded[fd] = join
		}
	}
	r.settle(got)
}

// settle gives back the batches that wait no more, lets feeds go on, and puts the
// rules aside that broke.
func (r *Runner) settle(got *exec.Receipt) {
	for _, t := range got.Free {
		if h, ok := r.holding.batches[t]; ok {
			delete(r.holding.batches, t)
			h.feed.Done(h.batch)
		}
	}
	for _, relieved := range got.Relieved {
		for fd, join := range r.holding.crowded {
			if join == relieved {
				delete(r.holding.crowded, fd)
				fd.stop(-1)
			}
		}
	}
	r.contain(got.Broken)
}

// Settle runs what the feeds have and waits until nothing waits for lookup tables,
// which takes as long as their timeouts say, or ctx is done.
func (r *Runner) Settle(ctx context.Context) {
	beat := time.NewTicker(5 * time.Millisecond)
	defer beat.Stop()
	for {
		waiting := 0
		r.Call(func(x *exec.Executor) {
			r.drain()
			waiting = x.Stats().Parked
		})
		if waiting == 0 {
			return
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
	}
}
