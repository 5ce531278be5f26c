package ingest

import (
	"sync"

	"github.com/weir-engine/weir/vec"
)

// Inbox is where the executor picks up the batches of all feeds. Feeds push into
// it from their sources' goroutines; one goroutine, the executor's, takes.
type Inbox struct {
	ready chan struct{}

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
	in.mu.Lock()
	defer in.mu.Unlock()
	for f := in.first; f != nil; {
		next := f.next
		b := f.pop()
		switch {
		case b == nil: // its source is writing: End queues it again
			in.unlink(f)
		case f.sealed == nil && (f.open == nil || f.writing):
			in.unlink(f)
		default: // more to come: it waits again, behind the others
			in.unlink(f)
			in.link(f)
		}
		if b != nil {
			return f, &b.Batch
		}
		f = next
	}
	return nil, nil
}

// link appends f to the feeds that have something. The caller holds mu.
func (in *Inbox) link(f *Feed) {
	if f.linked {
		return
	}
	f.linked, f.prev, f.next = true, in.last, nil
	if in.last != nil {
		in.last.next = f
	} else {
		in.first = f
	}
	in.last = f
}

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

func (in *Inbox) signal() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}
