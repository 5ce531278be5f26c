package ingest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weir-engine/weir/vec"
)

// Feed decodes the messages of a group of streams into batches.
//
// Calls: SetPlan, then for each read of the source Begin, Push for each message,
// End. Begin waits while another goroutine is between Begin and End. SetPlan,
// Route, SetPaused, Close and the statistics may be called from any goroutine
// at any time; Done and Redecode from the one that calls Inbox.Take.
//
// Three batches circulate while it is busy: one that is written, one that waits
// for the executor, one that the executor has. An idle feed holds none.
type Feed struct {
	in  *Inbox
	opt Options
	fmt format

	// mu is held from Begin to End, and not while Push blocks. It guards what the
	// writer needs and the counters.
	mu     sync.Mutex
	plan   *vec.Plan // of dec
	dec    Decoder   // of the writer
	cur    *batch    // the writer's; nil outside of Begin and End
	w      Writer
	at     int64
	elems  []vec.Span // of an array payload
	text   []byte     // scratch: the object of a message
	before place      // of the message that is being pushed
	routes []counters // by route

	closed atomic.Bool

	rmu    sync.Mutex // guards the interning of routes
	byKey  map[string]uint32
	intern *vec.Routes

	// The rest is guarded by in.mu.
	next, prev *Feed // in the inbox's list
	linked     bool
	writing    bool // between Begin and End
	wanted     bool // the executor asked while it was written
	paused     bool
	newPlan    *vec.Plan
	replan     bool
	open       *batch     // while nobody writes
	sealed     []*batch   // wait for the executor, oldest first
	taken      []*batch   // the executor's, oldest first
	space      *sync.Cond // on in.mu: a sealed batch was taken, or writing ended

	re redecoder // the executor's
}

// NewFeed makes a feed that hands its batches to in. Options are checked; an
// error lists every fault. Until SetPlan is called its rows have no columns.
func NewFeed(in *Inbox, o Options) (*Feed, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	f := &Feed{in: in, opt: o, fmt: formatOf(o.Format)}
	f.space = sync.NewCond(&in.mu)
	f.newPlan, f.replan = vec.NewPlan(0, nil), true
	f.byKey = make(map[string]uint32)
	f.intern = new(vec.Routes)
	f.w.feed = f
	return f, nil
}

// SetPlan makes later rows carry the columns of p. The open batch keeps the plan
// that it has; a read that is under way ends with it.
func (f *Feed) SetPlan(p *vec.Plan) {
	f.in.mu.Lock()
	f.newPlan, f.replan = p, true
	f.in.mu.Unlock()
}

// Route returns the number of the route of rows that belong to streams (ids of
// the caller's choice, in any order); equal sets have one number. Routes live as
// long as the feed.
func (f *Feed) Route(streams []uint32) uint32 {
	ids := slices.Clone(streams)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	key := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		key = append(key, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	}
	f.rmu.Lock()
	defer f.rmu.Unlock()
	if r, ok := f.byKey[string(key)]; ok {
		return r
	}
	r := uint32(len(f.intern.Streams))
	f.byKey[string(key)] = r
	// Readers hold the previous Routes, whose length ends before the new entry.
	f.intern = &vec.Routes{Streams: append(f.intern.Streams, ids)}
	return r
}

func (f *Feed) routesNow() *vec.Routes {
	f.rmu.Lock()
	defer f.rmu.Unlock()
	return f.intern
}

// Begin starts the messages of one read; at is its time in ms since 1970.
func (f *Feed) Begin(at int64) {
	f.in.mu.Lock()
	for f.writing {
		f.space.Wait()
	}
	f.writing = true
	f.in.mu.Unlock()
	f.mu.Lock()
	f.at = at
	f.in.mu.Lock()
	f.claim()
	f.in.mu.Unlock()
}

// claim makes cur the batch to write: the open one, or a new one if there is
// none or the plan changed. The caller holds mu and in.mu.
func (f *Feed) claim() {
	b := f.open
	f.open = nil
	if f.replan {
		f.replan = false
		f.compile(f.newPlan)
		if b != nil && !b.empty() {
			b.seal(f.routesNow())
			f.sealed = append(f.sealed, b)
			f.in.offer(f)
			b = nil
		}
	}
	if b == nil {
		b = f.in.pool.get()
		b.begin(f.plan, f.dec)
	}
	f.cur, f.w.b = b, b
}

// compile makes the writer's decoder. A decoder that refuses the plan counts as
// bad messages, as it cannot say so to anybody else.
func (f *Feed) compile(p *vec.Plan) {
	f.plan = p
	dec, err := newDecoder(&f.opt, p)
	if err != nil {
		dec = refusing{fmt.Errorf("decoder: %w", err)}
	}
	f.dec = dec
}

// End makes the rows since Begin visible to Take.
func (f *Feed) End() {
	b := f.cur
	f.cur, f.w.b = nil, nil
	f.in.mu.Lock()
	f.writing = false
	switch {
	case b.empty():
		b.reset()
		f.in.pool.put(b)
	case f.wanted && len(f.sealed) == 0:
		// The executor asked during the read. Sealed it cannot miss it, should the
		// source begin again at once.
		f.sealed = append(f.sealed, b)
	default:
		f.open = b
	}
	f.wanted = false
	f.in.offer(f)
	f.space.Signal()
	f.in.mu.Unlock()
	f.mu.Unlock()
}

// roll seals the full batch and goes on with a new one; it blocks while the
// executor has not taken the one before. It tells whether the feed is still open.
func (f *Feed) roll() bool {
	b := f.cur
	b.seal(f.routesNow())
	f.in.mu.Lock()
	for len(f.sealed) > 0 && !f.closed.Load() {
		f.mu.Unlock()
		f.space.Wait()
		f.in.mu.Unlock()
		f.mu.Lock()
		f.in.mu.Lock()
	}
	f.sealed = append(f.sealed, b)
	f.in.offer(f)
	f.claim()
	open := !f.closed.Load()
	f.in.mu.Unlock()
	return open
}

// pop takes the oldest batch for the executor; nil if there is none to take. The
// caller holds in.mu.
func (f *Feed) pop() *batch {
	if f.paused {
		return nil
	}
	var b *batch
	switch {
	case len(f.sealed) > 0:
		b = f.sealed[0]
		f.sealed = slices.Delete(f.sealed, 0, 1)
		f.space.Broadcast()
	case f.open != nil:
		b = f.open
		f.open = nil
	default:
		f.wanted = f.writing
		return nil
	}
	f.taken = append(f.taken, b)
	return b
}

// takeable tells whether pop would give a batch. The caller holds in.mu.
func (f *Feed) takeable() bool {
	return !f.paused && (len(f.sealed) > 0 || f.open != nil)
}

// Done gives b back: the executor is through with it and its outputs are safe.
// Its messages are acknowledged once all batches before it are done, too.
func (f *Feed) Done(b *vec.Batch) {
	in := f.in
	in.mu.Lock()
	for _, t := range f.taken {
		if &t.Batch == b {
			t.done = true
		}
	}
	for len(f.taken) > 0 && f.taken[0].done {
		t := f.taken[0]
		f.taken = slices.Delete(f.taken, 0, 1)
		in.mu.Unlock()
		t.ack()
		t.reset()
		in.mu.Lock()
		in.pool.put(t)
	}
	in.mu.Unlock()
}

// SetPaused stops the hand-over of the feed's batches, or lets it go on: while
// it is paused its source blocks as soon as its batches are full.
func (f *Feed) SetPaused(paused bool) {
	f.in.mu.Lock()
	f.paused = paused
	f.in.offer(f)
	f.in.mu.Unlock()
}

// Close makes a blocked Push return ErrClosed, as every later one. What was
// pushed before can still be taken.
func (f *Feed) Close() {
	f.in.mu.Lock()
	f.closed.Store(true)
	f.space.Broadcast()
	f.in.mu.Unlock()
}

// Idle tells whether nothing of the feed is under way: every row that was pushed
// was taken, and every batch that was taken is done.
func (f *Feed) Idle() bool {
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	return !f.writing && f.open == nil && len(f.sealed) == 0 && len(f.taken) == 0
}
