package ingest

import (
	"sync"

	"github.com/weir-engine/weir/vec"
)

// Inbox is where the executor picks up the batches of all feeds. Feeds push into
// it from their sources' goroutines; one goroutine, the executor's, takes.
type Inbox struct {
	ready chan struct{}

	// mu guards the hand-over: the list, the pool, and the fields of each Feed
	// that say so. It is never held while a message is decoded, so Take does not
	// wait for a source.
	mu    sync.Mutex
	first *Feed // feeds that have something, the longest waiting first
	last  *Feed
	pool  pool
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{ready: make(chan struct{}, 1)} }

// Ready is signalled when a feed has something to take after it had nothing. One
// signal may stand for several feeds: call Take until it returns nothing.
func (in *Inbox) Ready() <-chan struct{} { return in.ready }

// Take seals and hands over the oldest batch of the feed that waits longest; nil
// if there is none. Paused feeds are passed over. The batch is the executor's
// until it calls Done.
func (in *Inbox) Take() (*Feed, *vec.Batch) {
	for {
		f, b := in.take()
		if b == nil {
			return nil, nil
		}
		b.seal(f.routesNow())
		if b.Rows > 0 {
			return f, &b.Batch
		}
		f.Done(&b.Batch) // nothing but acknowledgements of messages without rows
	}
}

func (in *Inbox) take() (*Feed, *batch) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.first != nil {
		f := in.first
		in.unlink(f)
		b := f.pop()
		if f.takeable() {
			in.link(f) // behind the others
		}
		if b != nil {
			return f, b
		}
	}
	return nil, nil
}

// link appends f to the feeds that have something and tells whether it was not
// among them. The caller holds mu.
func (in *Inbox) link(f *Feed) bool {
	if f.linked {
		return false
	}
	f.linked, f.prev, f.next = true, in.last, nil
	if in.last != nil {
		in.last.next = f
	} else {
		in.first = f
	}
	in.last = f
	return true
}

// unlink takes f out of the list. The caller holds mu.
func (in *Inbox) unlink(f *Feed) {
	if !f.linked {
		return
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		in.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		in.last = f.prev
	}
	f.linked, f.prev, f.next = false, nil, nil
}

// offer lists f, if it has something to take, and wakes the executor. The caller
// holds mu.
func (in *Inbox) offer(f *Feed) {
	if !f.takeable() || !in.link(f) {
		return
	}
	select {
	case in.ready <- struct{}{}:
	default:
	}
}
