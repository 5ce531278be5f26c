// Package run owns the executor goroutine: the executor, what rules send on its way
// to queues, the batches that are run or wait for lookup tables, and what pauses
// feeds. It knows no definitions: those who have them say that they changed, and the
// goroutine asks what when it is between two batches. Nothing that it does for a
// message takes a lock of theirs.
package run

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/clock"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

// Options say what a Runner works with. All are needed but Clock. The functions are called on
// the executor goroutine and must not call the Runner's Call or Settle.
type Options struct {
	Env      exec.Env // but for Faults
	Inbox    *ingest.Inbox
	Counters *sinks.Counters
	Lost     *loss.Ledger
	Stages   *metrics.Stages
	Panics   *Panics
	Log      *slog.Logger

	Clock clock.Source // nil: that of the machine
	// Jumped is told that the clock was set by so many ms; nil: nobody is.
	Jumped func(by int64)

	// Changes returns what changed since it was called last.
	Changes func() Change
	// Listeners returns the rules of a stream that want to be told that a message of
	// it did not decode.
	Listeners func(stream uint32) []planner.RuleID
	// Broken is told of a panic and the rules that it is laid to. They are to be
	// stopped; until then the executor does nothing for them.
	Broken func(exec.Breakdown)
	// Release gives back a queue that a Change released.
	Release func(*sinks.Queue)
}

// Runner is the executor goroutine and what it has. Run is the goroutine; the other
// methods are safe for concurrent use.
type Runner struct {
	o   Options
	x   *exec.Executor
	out *output

	feeds     map[*ingest.Feed]*Feed
	holding   holding
	clock     *clock.Clock
	notBefore int64 // nothing is due until then, ms since 1970

	calls   chan func(*exec.Executor)
	nudge   chan struct{}
	room    chan struct{}
	answers answers
	bad     badMessages
	dirty   atomic.Bool
	done    chan struct{} // closed at the end of Run
}

// New makes a Runner. The caller calls Run, once.
func New(o Options) *Runner {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	r := &Runner{
		o: o, feeds: map[*ingest.Feed]*Feed{}, holding: holding{map[exec.Ticket]heldBatch{}, map[*Feed]uint32{}},
		calls: make(chan func(*exec.Executor)), nudge: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}),
	}
	r.answers.ready = make(chan struct{}, 1)
	r.out = &output{counters: o.Counters, lost: o.Lost, outlets: &outlets{of: map[*sinks.Queue]*Outlet{}}}
	r.clock = clock.New(o.Clock)
	o.Env.Faults = r.out.wantsFaults
	r.x = exec.New(o.Env, r.out)
	r.out.x = r.x
	return r
}

// Call runs f on the executor goroutine, which has taken over all changes, and waits
// for it. After the end of Run it does nothing.
func (r *Runner) Call(f func(*exec.Executor)) {
	done := make(chan struct{})
	select {
	case r.calls <- func(x *exec.Executor) { defer close(done); f(x) }:
		<-done
	case <-r.done:
	}
}

// End has the windows of streams send what they have: no row will come to them.
func (r *Runner) End(streams []uint32) {
	r.Call(func(x *exec.Executor) {
		now := r.now()
		r.out.begin(now)
		got := x.End(streams, now)
		r.settle(&got)
		r.out.flush()
		r.contain(nil)
	})
}

// Room says that queues that were full have room again.
func (r *Runner) Room() { signal(r.room) }

// Attach notes that a rule over feeds sends to q: they are paused while it is full.
func (r *Runner) Attach(q *sinks.Queue, feeds []*Feed) *Outlet { return r.out.outlets.attach(q, feeds) }

// Detach takes one Attach back.
func (r *Runner) Detach(q *sinks.Queue, feeds []*Feed) { r.out.outlets.detach(q, feeds) }

// maxBeat is the longest time that the executor sleeps, so that a clock that was
// set is noticed.
const maxBeat = 10 * time.Second

// Run runs batches as they come, ends windows in time, and does what calls ask for,
// between batches, until ctx is done. Then it sends what actions have collected.
func (r *Runner) Run(ctx context.Context) {
	defer close(r.done)
	timer := time.NewTimer(maxBeat)
	defer timer.Stop()
	for r.turn(ctx, timer) {
	}
}

// turn does what there is to do, and waits for the next. It returns false at the
// end.
func (r *Runner) turn(ctx context.Context, timer *time.Timer) (more bool) {
	more = true
	defer r.recoveredTimer()
	r.drain()
	if r.bad.some.Load() {
		r.pull()
		r.tellFaults()
		r.out.flush()
	}
	r.tick()
	wait, now := maxBeat, r.now()
	if d := r.deadline(); d > 0 {
		wait = min(max(time.Duration(d-now)*time.Millisecond, 0), maxBeat)
	}
	timer.Reset(wait)
	select {
	case <-r.o.Inbox.Ready():
	case f := <-r.calls:
		r.called(f)
	case <-r.nudge:
		r.pull()
	case <-r.room:
		r.out.outlets.resume()
	case <-r.answers.ready:
		r.takeAnswers()
	case <-timer.C:
	case <-ctx.Done():
		more = false
		r.out.finish()
	}
	return more
}

// drain runs every batch that waits. Calls come in between, or a client would
// wait for as long as messages come, and so do sinks that have room again, or one
// stream's flood would keep the others paused.
func (r *Runner) drain() {
	for {
		f, b := r.o.Inbox.Take()
		if b == nil {
			return
		}
		if r.dirty.Load() {
			r.pull()
		}
		r.process(f, b)
		select {
		case f := <-r.calls:
			r.called(f)
		case <-r.room:
			r.out.outlets.resume()
		case <-r.answers.ready:
			r.takeAnswers()
		default:
		}
		r.tick()
	}
}

// called does what a call asks for. One that panics stops neither the clock nor the
// batches that wait.
func (r *Runner) called(f func(*exec.Executor)) {
	defer r.recovered(0)
	r.pull()
	f(r.x)
}

// process runs one batch and hands its outputs over.
func (r *Runner) process(f *ingest.Feed, b *vec.Batch) {
	var got exec.Receipt
	defer func() { r.finish(f, b, &got) }()
	defer r.recovered(b.Rows)
	if fd := r.feeds[f]; fd != nil && b.Plan.Version != fd.plan.Version {
		if err := f.Redecode(b, fd.plan); err != nil {
			r.o.Log.Error("batch cannot be decoded anew", "err", err)
			r.o.Lost.Add(loss.Redecode, uint64(b.Rows))
			return
		}
	}
	start, now := time.Now(), r.now()
	r.out.begin(now)
	r.tellFaults()
	got = r.x.Run(b, now)
	r.out.flush()
	r.o.Stages.Observe(metrics.StageEvaluate, time.Since(start))
	r.o.Stages.ObserveRows(b.Rows)
}

// tick ends what the clock says is over.
func (r *Runner) tick() {
	d := r.deadline()
	if d == 0 {
		return
	}
	start, now := time.Now(), r.now()
	if now < r.deadline() { // it is another if the clock was set
		return
	}
	if r.dirty.Load() {
		r.pull()
	}
	defer r.recoveredTimer()
	r.out.begin(now)
	got := r.x.Advance(now)
	r.settle(&got)
	r.out.flush()
	r.out.linger(now)
	r.out.flush()
	r.contain(nil)
	r.o.Stages.Observe(metrics.StageTimers, time.Since(start))
}

// now returns the time of all that the executor does, in ms since 1970: it goes on
// evenly, and where somebody sets the clock what is open is moved.
func (r *Runner) now() int64 {
	now, by := r.clock.Read()
	if by != 0 {
		r.jump(by, now)
	}
	return now
}

// jump moves what has a time, after what was due before the clock was set.
func (r *Runner) jump(by, now int64) {
	if r.o.Jumped != nil {
		r.o.Jumped(by)
	}
	defer r.recovered(0)
	r.notBefore += by
	r.out.begin(now - by)
	got := r.x.Jump(by, now)
	r.settle(&got)
	r.out.flush()
	r.out.linger(now - by)
	r.out.flush()
	r.out.jump(by)
	r.contain(nil)
}

// deadline returns when tick has something to do, in ms since 1970; 0: not before
// something else happens.
func (r *Runner) deadline() int64 {
	d := r.x.Deadline()
	if l := r.out.deadline(); l > 0 && (d == 0 || l < d) {
		d = l
	}
	if d > 0 {
		d = max(d, r.notBefore)
	}
	return d
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
