package sinks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// Queue keeps what is to go to one destination and delivers it in order, with
// retry. Messages wait in memory up to a bound, then in the store's outbox, and
// come out in the order they went in: memory before disk, disk before what came
// later. A destination with several lanes keeps that order for each rule, and so does
// one that is slow or fails for some rules only, which are set aside meanwhile.
//
// Put is called by one goroutine at a time, everything else by any.
type Queue struct {
	target   Target
	o        Options
	st       *store.Store // nil: memory only
	label    []byte       // of its outboxes
	counters *Counters
	lanes    []*lane
	asides   asides
	leaving  atomic.Bool  // what waits is to be delivered though nobody uses the queue
	gen      int          // of its outboxes
	phases   []*phase     // of what earlier processes left
	pace     atomic.Int64 // what a write takes, about, in ns

	messages, memBytes, diskBytes atomic.Int64

	received, sent, retries atomic.Uint64
	lost                    loss.Ledger
	lastSentMs              atomic.Int64
	full                    atomic.Bool // OnRoom is owed

	mu       sync.Mutex
	conn     ConnStatus
	lastErr  string
	lastErrs int // failures since the last success
	errMs    int64
	diskErr  string
	waiters  []chan struct{} // closed when nothing is left
	closed   bool
	jobs     map[*job]bool
	drop     chan struct{} // closed when an owner is dropped; nil: nobody waits
	asideMs  int64         // when it was logged last that a rule is set aside
	unlogged int           // how often it was not logged since
}

// Statuser is a Destination that knows the state of its connection itself. The
// method is safe for concurrent use.
type Statuser interface{ Status() ConnStatus }

// Changer is a Destination whose connection comes and goes. Changed returns a
// channel that is closed at the next change: the queue then tries again without
// waiting longer.
type Changer interface{ Changed() <-chan struct{} }

// NewQueue makes the queue of t and starts its workers; what an earlier process
// left in the outbox is delivered first. st may be nil: then nothing goes to disk.
// c may be nil. Close ends the workers.
func NewQueue(t Target, o Options, st *store.Store, c *Counters) (*Queue, error) {
	if t.Volatile {
		st = nil
	}
	o.EnsureDefaults(st != nil)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if c == nil {
		c = new(Counters)
	}
	q := &Queue{target: t, o: o, st: st, counters: c, asides: asides{counters: c}}
	if t.Label != nil && st != nil {
		q.label = destLabel(t.DestKey, t.Label())
		q.target.Label = nil // and what it holds
	}
	lanes := max(t.Lanes, 1)
	older, err := q.leftBehind(lanes)
	if err != nil {
		return nil, err
	}
	for n := range lanes {
		outbox, err := q.outbox(laneKey(t.DestKey, n, q.gen))
		if err != nil {
			return nil, err
		}
		q.lanes = append(q.lanes, newLane(q, n, outbox, older[n]))
	}
	for _, l := range q.lanes {
		go l.run()
	}
	return q, nil
}

// outbox opens one of the queue's outboxes; nil: nothing goes to disk.
func (q *Queue) outbox(key string) (*store.Outbox, error) {
	if q.st == nil {
		return nil, nil
	}
	outbox, err := q.st.Outbox(key)
	if err == nil && q.label != nil {
		outbox.SetLabel(q.label)
	}
	return outbox, err
}

// DestKey is the Target's.
func (q *Queue) DestKey() string { return q.target.DestKey }

// Put queues msgs behind all others. It copies payloads and never waits for the
// destination; whoever calls it looks at Full before it makes more.
func (q *Queue) Put(msgs []Message) {
	if len(msgs) == 0 {
		return
	}
	q.received.Add(uint64(len(msgs)))
	q.counters.queue(msgs)
	for _, l := range q.lanes {
		l.put(msgs)
	}
	if q.o.DropOldest && q.over() {
		q.shed()
	}
}

// shed drops the oldest messages until the backlog is within its bound: of rules that
// were set aside while one has more than its share, then in turn from each lane.
func (q *Queue) shed() {
	asides := q.asides.all()
	for q.over() && dropLargest(asides, q.o.MaxBytes/int64(2+len(asides))) {
	}
	for dropped := true; dropped && q.over(); {
		dropped = false
		for _, l := range slices.Concat(q.lanes, asides) {
			dropped = l.dropOldest() || dropped
		}
	}
}

// dropLargest drops the oldest messages of the lane that has the most, if that is more
// than share.
func dropLargest(lanes []*lane, share int64) bool {
	var largest *lane
	for _, l := range lanes {
		if n := l.waits(); n > share {
			largest, share = l, n
		}
	}
	return largest != nil && largest.dropOldest()
}

// over tells whether the backlog is at its bound, or memory holds what the disk
// does not take.
func (q *Queue) over() bool {
	mem := q.memBytes.Load()
	if mem+q.diskBytes.Load() >= q.o.MaxBytes {
		return true
	}
	return q.st != nil && mem >= q.memoryBound()
}

// memoryBound is beyond what lanes hold while the disk takes the rest.
func (q *Queue) memoryBound() int64 {
	return (2*q.o.MemoryBytes + 8*maxChunk) * int64(len(q.lanes))
}

// Full tells whether whoever feeds the queue must pause. After true, OnRoom is
// called once when there is room. With DropOldest a queue is never full.
func (q *Queue) Full() bool {
	if q.o.DropOldest || !q.over() {
		return false
	}
	q.full.Store(true) // first, or room made meanwhile would go unnoticed
	if q.over() {
		return true
	}
	q.full.Store(false)
	return false
}

// Backlog returns how many messages wait and the bytes they take.
func (q *Queue) Backlog() (messages, bytes int64) {
	return q.messages.Load(), q.memBytes.Load() + q.diskBytes.Load()
}

// settled takes messages off the backlog; their memory is off it already.
func (q *Queue) settled(messages, diskBytes int64) {
	q.diskBytes.Add(-diskBytes)
	left := q.messages.Add(-messages)
	if q.full.Load() && q.roomy() && q.full.CompareAndSwap(true, false) && q.o.OnRoom != nil {
		q.o.OnRoom()
	}
	if left > 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiters {
		close(w)
	}
	q.waiters = nil
}

// roomy tells whether the backlog is a tenth below its bounds, so that a pause is
// worth its cost.
func (q *Queue) roomy() bool {
	mem := q.memBytes.Load()
	return mem+q.diskBytes.Load() < q.o.MaxBytes-q.o.MaxBytes/10 && (q.st == nil || mem < q.memoryBound()*9/10)
}

// Drained waits until nothing is left to deliver.
func (q *Queue) Drained(ctx context.Context) error {
	for {
		q.mu.Lock()
		if q.messages.Load() <= 0 {
			q.mu.Unlock()
			return nil
		}
		w := make(chan struct{})
		q.waiters = append(q.waiters, w)
		q.mu.Unlock()
		select {
		case <-w:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close delivers what is left until ctx is done, saves the rest to the store and
// ends the workers. Nothing must be Put from its call on. What neither could be
// delivered nor saved is counted, loss.Unsaved, and logged.
func (q *Queue) Close(ctx context.Context) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	q.closed = true
	q.mu.Unlock()
	end(ctx, q.lanes)
	end(ctx, q.asides.close()) // which took what the others handed over
	for _, l := range q.lanes {
		l.cancel() // not before: a write that was left behind has its context
	}
}

// end has lanes deliver what is left until ctx is done, and waits for them.
func end(ctx context.Context, lanes []*lane) {
	for _, l := range lanes {
		l.close()
	}
	for _, l := range lanes {
		select {
		case <-l.done:
		case <-ctx.Done():
			for _, l := range slices.Concat(l.q.lanes, lanes) { // see Close: one may be of a lane that has ended
				l.cancel()
			}
			<-l.done
		}
		if l.aside {
			l.cancel()
		}
	}
}

// Stats returns the counts and the state of the way out.
func (q *Queue) Stats() Stats {
	s := Stats{
		Received: q.received.Load(), Delivered: q.sent.Load(), Lost: q.lost.Counts(), Retries: q.retries.Load(),
		Messages: q.messages.Load(), DiskBytes: q.diskBytes.Load(),
		LastDeliveredMs: q.lastSentMs.Load(),
	}
	s.Bytes = q.memBytes.Load() + s.DiskBytes
	q.mu.Lock()
	defer q.mu.Unlock()
	s.LastError, s.LastErrorMs, s.DiskError, s.Connection = q.lastErr, q.errMs, q.diskErr, q.conn
	if d := q.lanes[0].status.Load(); d != nil {
		s.Connection = (*d).Status()
	}
	return s
}

// delivered counts messages that the destination took.
func (q *Queue) delivered(msgs []Message) {
	if len(msgs) == 0 {
		return
	}
	q.sent.Add(uint64(len(msgs)))
	now := time.Now().UnixMilli()
	q.counters.deliver(msgs, uint32(now/1000))
	q.lastSentMs.Store(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lastErrs > 0 {
		q.o.Logger.Info("sink delivers again", "destination", q.target.DestKey, "attempts", q.lastErrs)
		q.lastErrs = 0
	}
	if q.conn.State != Connected {
		q.conn.State, q.conn.LastConnectedMs = Connected, now
	}
}

// refuse counts a message that will not be sent again.
func (q *Queue) refuse(m *Message, err error) {
	q.lost.Add(loss.Refused, 1)
	q.counters.refuse(m.Rule, err)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastErr, q.errMs = loss.Text(err.Error()), time.Now().UnixMilli()
}

// failedFor notes that m was not taken, after which it is tried again.
func (q *Queue) failedFor(m *Message, err error) {
	q.counters.retry(m.Rule, err)
	if !errors.Is(err, errPlace) {
		q.failed(err, 1)
		return
	}
	q.retries.Add(1)
	now := time.Now().UnixMilli()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastErr, q.errMs = loss.Text(err.Error()), now
	if now-q.asideMs < asideLog.Milliseconds() {
		q.unlogged++
		return
	}
	q.o.Logger.Warn("sink does not deliver some of its messages", "destination", q.target.DestKey, "err", q.lastErr, "more", q.unlogged)
	q.asideMs, q.unlogged = now, 0
}

// failed notes an error after which the same is tried again, retries times.
func (q *Queue) failed(err error, retries int) {
	q.retries.Add(uint64(retries))
	now, text := time.Now().UnixMilli(), loss.Text(err.Error())
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastErr, q.errMs = text, now
	if q.lastErrs++; q.lastErrs == 1 && !errors.Is(err, context.Canceled) {
		q.o.Logger.Warn("sink does not deliver", "destination", q.target.DestKey, "err", text)
	}
	if q.conn.State != Disconnected {
		q.conn.LastDisconnectedMs = now
	}
	q.conn.State, q.conn.LastTryMs, q.conn.LastDisconnected = Disconnected, now, text
}

// disk notes whether the outbox took messages; with an error they stay in memory.
func (q *Queue) disk(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.diskErr = ""
		return
	}
	text := loss.Text(err.Error())
	if q.diskErr == "" {
		q.o.Logger.Warn("sink backlog stays in memory", "destination", q.target.DestKey, "err", text)
	}
	q.diskErr = text
}

func (q *Queue) trying() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.conn.LastTryMs = time.Now().UnixMilli()
}

func (q *Queue) connected() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.conn.State, q.conn.LastConnectedMs = Connected, time.Now().UnixMilli()
}
