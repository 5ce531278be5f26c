package run

import (
	"sync"
	"sync/atomic"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

// Feed is a feed as the executor sees it: what it decodes, and how many have reason
// to stop it. A feed that is paused takes no more messages, which is the
// back-pressure. Its methods are safe for concurrent use.
type Feed struct {
	feed *ingest.Feed
	plan *vec.Plan // the executor's

	mu    sync.Mutex
	stops int // outlets that are full, and a join with enough waiting
	ended atomic.Bool
}

// NewFeed makes what the executor knows of f. A Change tells it.
func NewFeed(f *ingest.Feed) *Feed { return &Feed{feed: f, plan: vec.NewPlan(0, nil)} }

// Paused tells whether f takes no messages at the moment.
func (f *Feed) Paused() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stops > 0
}

// End says that no stream delivers to f any more. What it has is run, whatever the
// sinks do; then the executor forgets it.
func (f *Feed) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended.Store(true)
	f.feed.SetPaused(false)
}

// stop counts reasons to stop f.
func (f *Feed) stop(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stops += n
	f.feed.SetPaused(f.stops > 0 && !f.ended.Load())
}

// Outlet is a queue as the executor sees it: what this batch puts there, and which
// feeds stop when it is full.
type Outlet struct {
	queue *sinks.Queue
	msgs  []sinks.Message // the executor's

	feeds  map[*Feed]int // whose rules send here, with their number
	paused bool
}

// outlets are the outlets in use. Pausing is between the executor and those who
// attach feeds: the lock guards who feeds what and what is paused, and nothing else
// is done under it.
type outlets struct {
	mu sync.Mutex
	of map[*sinks.Queue]*Outlet
}

// attach notes that a rule over feeds sends to q.
func (o *outlets) attach(q *sinks.Queue, feeds []*Feed) *Outlet {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := o.of[q]
	if to == nil {
		to = &Outlet{queue: q, feeds: map[*Feed]int{}}
		o.of[q] = to
	}
	for _, f := range feeds {
		if to.feeds[f]++; to.feeds[f] == 1 && to.paused {
			f.stop(1)
		}
	}
	return to
}

// detach takes one attach back.
func (o *outlets) detach(q *sinks.Queue, feeds []*Feed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := o.of[q]
	if to == nil {
		return
	}
	for _, f := range feeds {
		if to.feeds[f]--; to.feeds[f] != 0 {
			continue
		}
		delete(to.feeds, f)
		if to.paused {
			f.stop(-1)
		}
	}
	if len(to.feeds) == 0 {
		delete(o.of, q)
	}
}

// hold pauses the feeds of a queue that is full.
func (o *outlets) hold(to *Outlet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.paused {
		return
	}
	to.paused = true
	for f := range to.feeds {
		f.stop(1)
	}
}

// resume lets the feeds of queues go on that have room again.
func (o *outlets) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, to := range o.of {
		if to.paused && !to.queue.Full() {
			to.paused = false
			for f := range to.feeds {
				f.stop(-1)
			}
		}
	}
}
