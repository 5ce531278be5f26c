package engine

import (
	"runtime/debug"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// maxBeat is the longest time that the executor sleeps, so that a clock that was
// set forward is noticed.
const maxBeat = 10 * time.Second

// loop is the executor goroutine: it runs batches as they come, ends windows in
// time, and does what calls ask for, between batches.
func (e *Engine) loop() {
	timer := time.NewTimer(maxBeat)
	defer timer.Stop()
	for {
		e.drain()
		e.tick()
		wait := maxBeat
		if d := e.deadline(); d > 0 {
			wait = min(max(time.Until(time.UnixMilli(d)), 0), maxBeat)
		}
		timer.Reset(wait)
		select {
		case <-e.inbox.Ready():
		case f := <-e.calls:
			e.pull()
			f()
		case <-e.nudge:
		case <-e.room:
			e.out.resume()
		case <-timer.C:
		case <-e.ctx.Done():
			e.out.finish()
			return
		}
	}
}

// drain runs every batch that waits. Calls come in between, or a client would
// wait for as long as messages come.
func (e *Engine) drain() {
	for {
		f, b := e.inbox.Take()
		if b == nil {
			return
		}
		if e.dirty.Load() {
			e.pull()
		}
		e.process(f, b)
		select {
		case call := <-e.calls:
			e.pull()
			call()
		default:
		}
		e.tick()
	}
}

// process runs one batch and hands its outputs over. A panic is a fault of ours:
// it costs the batch, not the process.
func (e *Engine) process(f *ingest.Feed, b *vec.Batch) {
	defer f.Done(b)
	defer e.recovered()
	if fd := e.out.feeds[f]; fd != nil && b.Plan.Version != fd.plan.Version {
		if err := f.Redecode(b, fd.plan); err != nil {
			e.log.Error("batch cannot be decoded anew", "err", err)
			return
		}
	}
	e.out.begin()
	e.x.Run(b, time.Now().UnixMilli())
	e.out.flush()
}

// tick ends what the clock says is over.
func (e *Engine) tick() {
	d := e.deadline()
	if d == 0 {
		return
	}
	now := time.Now().UnixMilli()
	if now < d {
		return
	}
	if e.dirty.Load() {
		e.pull()
	}
	defer e.recovered()
	e.out.begin()
	e.x.Advance(now)
	e.out.linger(now)
	e.out.flush()
}

func (e *Engine) deadline() int64 {
	d := e.x.Deadline()
	if l := e.out.deadline(); l > 0 && (d == 0 || l < d) {
		d = l
	}
	return d
}

func (e *Engine) recovered() {
	if r := recover(); r != nil {
		e.panics.Add(1)
		e.log.Error("batch dropped", "panic", r, "stack", string(debug.Stack()))
		e.x.Reset()
		e.out.drop()
	}
}

// edit is a change of a rule's actions that the executor has not seen yet.
type edit struct {
	rule    planner.RuleID
	actions []action
	faults  bool // the rule wants to be told of faults
	forget  bool // counters begin anew
}

// pull takes over what changed in the definitions since the last time.
func (e *Engine) pull() {
	if !e.dirty.Swap(false) {
		return
	}
	now := time.Now().UnixMilli()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ed := range e.edits {
		e.out.set(ed)
		if ed.forget {
			e.x.Forget(ed.rule)
			e.counters.Reset(uint32(ed.rule))
		}
	}
	clear(e.edits)
	e.edits = e.edits[:0]
	e.epochs.Add(uint64(len(e.changed)))
	for _, s := range e.changed {
		s.dirty = false
		if s.builder == nil || s.builder.Len() == 0 {
			e.x.SetProgram(s.num, nil, now)
			continue
		}
		e.x.SetProgram(s.num, s.builder.Program(), now)
	}
	clear(e.changed)
	e.changed = e.changed[:0]
	for _, f := range e.feeds {
		if f.replan {
			f.replan = false
			f.renew()
		}
		e.out.feeds[f.feed] = f
	}
	for k, f := range e.out.feeds {
		if f.streams == 0 && k.Idle() {
			delete(e.out.feeds, k)
		}
	}
}

// touch notes that the executor has to pull s. The caller holds e.mu.
func (e *Engine) touch(s *stream) {
	if !s.dirty {
		s.dirty = true
		e.changed = append(e.changed, s)
	}
	e.dirty.Store(true)
}

// edited notes an edit. The caller holds e.mu.
func (e *Engine) edited(ed edit) {
	e.edits = append(e.edits, ed)
	e.quiet.Reset(quietTime)
	e.dirty.Store(true)
}
