package engine

import (
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
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
	for e.turnOver(timer) {
	}
}

// turnOver does what there is to do, and waits for the next. It returns false at the
// end.
func (e *Engine) turnOver(timer *time.Timer) (more bool) {
	more = true
	defer e.recoveredTimer()
	e.drain()
	if e.bad.some.Load() {
		e.pull()
		e.tellFaults()
		e.out.flush()
	}
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
		e.pull()
	case <-e.room:
		e.out.resume()
	case <-e.answers.ready:
		e.takeAnswers()
	case <-timer.C:
	case <-e.ctx.Done():
		more = false
		e.out.finish()
	}
	return more
}

// drain runs every batch that waits. Calls come in between, or a client would
// wait for as long as messages come, and so do sinks that have room again, or one
// stream's flood would keep the others paused.
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
		case <-e.room:
			e.out.resume()
		case <-e.answers.ready:
			e.takeAnswers()
		default:
		}
		e.tick()
	}
}

// process runs one batch and hands its outputs over. A panic is a fault of ours:
// it costs the batch, not the process.
func (e *Engine) process(f *ingest.Feed, b *vec.Batch) {
	var got exec.Receipt
	defer func() { e.finish(f, b, &got) }()
	defer e.recovered(b.Rows)
	if fd := e.out.feeds[f]; fd != nil && b.Plan.Version != fd.plan.Version {
		if err := f.Redecode(b, fd.plan); err != nil {
			e.log.Error("batch cannot be decoded anew", "err", err)
			e.lost.Add(loss.Redecode, uint64(b.Rows))
			return
		}
	}
	start := time.Now()
	e.out.begin(start.UnixMilli())
	e.tellFaults()
	got = e.x.Run(b, start.UnixMilli())
	e.out.flush()
	e.stages.Observe(metrics.StageEvaluate, time.Since(start))
	e.stages.ObserveRows(b.Rows)
}

// tick ends what the clock says is over.
func (e *Engine) tick() {
	d := e.deadline()
	if d == 0 {
		return
	}
	start := time.Now()
	now := start.UnixMilli()
	if now < d {
		return
	}
	if e.dirty.Load() {
		e.pull()
	}
	defer e.recoveredTimer()
	e.out.begin(now)
	got := e.x.Advance(now)
	e.settle(&got)
	e.out.flush()
	e.out.linger(now)
	e.out.flush()
	e.contain(nil)
	e.stages.Observe(metrics.StageTimers, time.Since(start))
}

func (e *Engine) deadline() int64 {
	d := e.x.Deadline()
	if l := e.out.deadline(); l > 0 && (d == 0 || l < d) {
		d = l
	}
	if d > 0 {
		d = max(d, e.notBefore)
	}
	return d
}

// edit is a change of a rule's actions that the executor has not seen yet.
type edit struct {
	rule    planner.RuleID
	actions []action
	faults  bool           // the rule wants to be told of faults
	forget  bool           // counters begin anew
	release []*sinks.Queue // queues of the actions that were there before
}

// adopted is a program that changed.
type adopted struct {
	stream uint32
	prog   *planner.Program
}

// pull takes over what changed in the definitions since the last time. It holds
// the lock only to fetch it: what is sent because a rule ends may find a queue
// full, which takes the lock.
func (e *Engine) pull() {
	if !e.dirty.Swap(false) {
		return
	}
	defer e.recovered(0)
	edits, progs := e.fetch()
	now := time.Now().UnixMilli()
	for _, p := range progs {
		got := e.x.SetProgram(p.stream, p.prog, now)
		e.settle(&got)
	}
	for i := range edits {
		ed := &edits[i]
		e.out.set(ed)
		if ed.forget { // after the program, with which the counts of the old rule came
			e.x.Forget(ed.rule)
		}
	}
	e.out.flush()
	e.contain(nil)
	for i := range edits {
		for _, q := range edits[i].release {
			e.queues.Release(q)
		}
	}
}

// fetch returns what changed, and gives feeds their new plans.
func (e *Engine) fetch() ([]edit, []adopted) {
	e.mu.Lock()
	defer e.mu.Unlock()
	edits := e.mu.edits
	e.mu.edits = nil
	var progs []adopted
	var later []*stream
	for _, s := range e.mu.changed {
		if s.held {
			later = append(later, s)
			continue
		}
		s.dirty = false
		p := adopted{stream: s.num}
		if s.builder != nil && s.builder.Len() > 0 {
			p.prog = s.builder.Program()
		}
		progs = append(progs, p)
	}
	e.epochs.Add(uint64(len(progs)))
	if len(later) == 0 {
		e.mu.numbers.settle()
	}
	clear(e.mu.changed)
	e.mu.changed = append(e.mu.changed[:0], later...)
	clear(e.mu.joins) // a rule that comes later must not see rows from before
	for _, f := range e.mu.fresh {
		e.out.feeds[f.Feed] = f
	}
	clear(e.mu.fresh)
	e.mu.fresh = e.mu.fresh[:0]
	for k, f := range e.out.feeds {
		if f.replan {
			f.replan = false
			f.renew()
		}
		if f.streams == 0 && k.Idle() {
			delete(e.out.feeds, k)
		}
	}
	return edits, progs
}

// touchLocked notes that the executor has to pull s.
func (e *Engine) touchLocked(s *stream) {
	if !s.dirty {
		s.dirty = true
		e.mu.changed = append(e.mu.changed, s)
	}
	e.dirty.Store(true)
}

// editedLocked notes an edit.
func (e *Engine) editedLocked(ed edit) {
	e.mu.edits = append(e.mu.edits, ed)
	e.quiet.Reset(quietTime)
	if e.mu.numbers.many() {
		signal(e.nudge)
	}
	e.dirty.Store(true)
}
