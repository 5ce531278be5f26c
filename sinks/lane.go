package sinks

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// lane is one worker of a queue with what waits for it, in this order: mem, then
// what lanes of an earlier process have left in older, then the outbox, then tail.
// While nothing is on disk the last chunk of mem is open and tail is empty; once
// mem passes its bound, chunks are filled in tail and go to the outbox, until the
// worker has emptied it.
type lane struct {
	q      *Queue
	n      int
	aside  bool          // it has what was set aside, see asides
	outbox *store.Outbox // nil: memory only
	older  []agedBox     // under mu
	wake   chan struct{} // cap 1
	done   chan struct{}
	ctx    context.Context // ends deliveries
	cancel context.CancelFunc

	mu       sync.Mutex
	mem      []*chunk
	spilling bool
	tail     []*chunk // more than one only while the disk refuses
	memBytes int64    // of mem, tail and the worker's chunk
	free     []*chunk
	size     int // of new chunks, in bytes
	places   int // of new chunks, in messages
	small    int // chunks taken nearly empty since the last that was not
	idle     bool
	closing  bool
	writer   blockWriter

	status atomic.Pointer[Statuser] // the destination, if it is one
	busy   atomic.Int64             // when the first message that is being delivered came, in Unix ms; 0: none is
	forget atomic.Bool              // what waits when the lane ends is given up
	slow   atomic.Bool              // the last delivery took its time, or failed

	// The worker's own. One that was relieved lets go of them, see relieve.
	dest    Destination
	routes  map[string]*Route
	scratch *chunk // for what is read from disk
	cur     *chunk // what is being delivered, of which pos messages are done
	pos     int
	retry   time.Duration // the last wait after an error; 0: there was none
	singly  bool          // messages of cur are written one by one: a write of many panicked
	phase   int           // before which it is through, see phase
	before  int           // messages in front that the worker had delivered when they came here

	// Of a write under way, under mu.
	flight *flight
	job    *job // the worker's, or nil
	timer  *time.Timer
}

func newLane(q *Queue, n int, outbox *store.Outbox, older []agedBox) *lane {
	l := &lane{q: q, n: n, outbox: outbox, older: older, size: minChunk, places: minPlaces, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, box := range l.boxes() {
		messages, bytes := box.Backlog()
		l.spilling = l.spilling || messages > 0
		q.messages.Add(messages)
		q.diskBytes.Add(bytes)
	}
	return l
}

// boxes are where messages of the lane are on disk.
func (l *lane) boxes() (boxes []*store.Outbox) {
	for _, o := range l.older {
		boxes = append(boxes, o.Outbox)
	}
	if l.outbox != nil {
		boxes = append(boxes, l.outbox)
	}
	return boxes
}

// box returns the first with something in it, and the phase in which that is
// delivered; nil: nothing is on disk. The caller holds mu.
func (l *lane) box() (*store.Outbox, int) {
	for len(l.older) > 0 {
		o := l.older[0]
		if n, _ := o.Backlog(); n > 0 {
			return o.Outbox, o.phase
		}
		if err := o.Remove(); err != nil {
			l.q.failed(err, 0)
		}
		l.older = l.older[1:]
	}
	if l.outbox != nil {
		if n, _ := l.outbox.Backlog(); n > 0 {
			return l.outbox, len(l.q.phases)
		}
	}
	return nil, 0
}

// put queues the messages of this lane.
func (l *lane) put(msgs []Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.putLocked(msgs)
}

func (l *lane) putLocked(msgs []Message) {
	n, bytes := int64(0), int64(0)
	lanes := uint32(len(l.q.lanes))
	if l.aside {
		lanes = 1
	}
	var open *chunk
	var prev *Message
	for i := range msgs {
		m := &msgs[i]
		if lanes > 1 && m.Rule%lanes != uint32(l.n) {
			continue
		}
		n++
		if prev != nil && samePayload(m.Payload, prev.Payload) && open.share(m) {
			l.memBytes += messageCost
			bytes += messageCost
			prev = m
			continue
		}
		if prev == nil {
			open = l.opened()
		}
		if open == nil || !open.add(m) {
			open = l.openChunk(len(m.Payload))
			open.add(m)
		}
		l.memBytes += messageCost + int64(len(m.Payload))
		bytes += messageCost + int64(len(m.Payload))
		prev = m
	}
	if n == 0 {
		return
	}
	l.q.messages.Add(n)
	l.q.memBytes.Add(bytes)
	l.wakeUp()
}

// opened returns the chunk that is being filled, or nil.
func (l *lane) opened() *chunk {
	list := l.mem
	if l.spilling {
		list = l.tail
	}
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// openChunk starts a chunk for a payload of n bytes, behind all others.
func (l *lane) openChunk(n int) *chunk {
	if !l.spilling && l.outbox != nil && l.memBytes >= l.memoryBytes() {
		l.spilling = true
	}
	if c := l.opened(); c != nil { // one was filled before the worker came
		l.grow(c)
		if l.spilling {
			l.flushTail()
		}
	}
	var c *chunk
	if k := len(l.free); k > 0 && n <= l.size {
		c, l.free = l.free[k-1], l.free[:k-1]
	} else {
		c = newChunk(l.places, max(l.size, n))
	}
	if l.spilling {
		l.tail = append(l.tail, c)
	} else {
		l.mem = append(l.mem, c)
	}
	return c
}

// memoryBytes is what the lane holds in memory before it writes to disk.
func (l *lane) memoryBytes() int64 {
	if l.aside {
		return min(l.q.o.MemoryBytes, asideMemory)
	}
	return l.q.o.MemoryBytes
}

// close lets the worker end when nothing is left.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	l.wakeUp()
}

// grow makes new chunks larger in what full had too little of.
func (l *lane) grow(full *chunk) {
	l.small = 0
	switch {
	case len(full.msgs) == cap(full.msgs):
		if l.places == maxPlaces {
			return
		}
		l.places *= 2
	case l.size == maxChunk:
		return
	default:
		l.size *= 2
	}
	l.free = nil
}

// flushTail writes tail to the outbox. What the disk refuses stays in memory, and
// the queue is full soon.
func (l *lane) flushTail() {
	if len(l.tail) == 0 {
		return
	}
	if len(l.tail) > 1 { // refused before: not encoded again in vain
		if err := l.q.st.Health(); err != nil {
			l.q.disk(err)
			return
		}
	}
	t := l.q.st.Begin()
	var bytes int64
	for _, c := range l.tail {
		data := l.writer.encode(c.msgs, c.since, l.q.counters.ownerOf)
		if err := l.outbox.Append(t, len(c.msgs), data); err != nil {
			t.Discard()
			l.q.disk(err)
			return
		}
		bytes += int64(len(data))
	}
	if err := t.Commit(store.Lazy); err != nil {
		l.q.disk(err)
		return
	}
	l.q.disk(nil)
	l.q.diskBytes.Add(bytes)
	for _, c := range l.tail {
		l.release(c)
	}
	l.tail = l.tail[:0]
}

// release takes a chunk off the books and keeps it for reuse.
func (l *lane) release(c *chunk) {
	l.memBytes -= c.bytes
	l.q.memBytes.Add(-c.bytes)
	if !c.lent && cap(c.buf) == l.size && cap(c.msgs) == l.places && len(l.free) < 4 {
		c.reset()
		l.free = append(l.free, c)
	}
}

// waits returns the bytes that wait.
func (l *lane) waits() (bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes = l.memBytes
	if l.outbox != nil {
		_, disk := l.outbox.Backlog()
		bytes += disk
	}
	return bytes
}

// dropOldest gives up the oldest chunk or segment that no worker has. It returns
// false if there is none, or none but what came last.
func (l *lane) dropOldest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.mem) > 1 || len(l.mem) == 1 && l.spilling:
		l.dropChunk(l.mem[0])
		l.mem = slices.Delete(l.mem, 0, 1)
		return true
	case len(l.mem) == 0 && l.spilling:
		if l.dropSegment() {
			return true
		}
	}
	if len(l.tail) > 1 {
		l.dropChunk(l.tail[0])
		l.tail = slices.Delete(l.tail, 0, 1)
		return true
	}
	return false
}

// dropSegment gives up the oldest segment on disk, if there is one.
func (l *lane) dropSegment() bool {
	box, _ := l.box()
	if box == nil {
		return false
	}
	messages, bytes, err := box.Drop(l.counting(l.q.counters.drop))
	if err != nil {
		l.q.failed(err, 0)
	}
	if messages == 0 {
		return false
	}
	l.q.lost.Add(loss.Dropped, uint64(messages))
	l.q.settled(messages, bytes)
	return true
}

// counting returns a function that gives count what is left of a block, for the rules that
// it is of.
func (l *lane) counting(count func([]Message)) func(store.Block) {
	return func(b store.Block) {
		var c chunk
		if err := c.decode(b, func([]byte) (*Route, error) { return nil, nil }, l.q.counters.earlierOf); err == nil {
			count(c.msgs[b.Skip:])
		}
	}
}

func (l *lane) dropChunk(c *chunk) {
	n := len(c.msgs)
	l.q.lost.Add(loss.Dropped, uint64(n))
	l.q.counters.drop(c.msgs)
	l.release(c)
	l.q.settled(int64(n), 0)
}

func (l *lane) wakeUp() {
	if l.idle {
		l.idle = false
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}
