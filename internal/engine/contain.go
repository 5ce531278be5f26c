package engine

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// The executor puts rules aside that it panicked for and goes on with the others,
// see exec.Breakdown. The engine stops those rules. A panic that is laid to no rule
// costs what was being done, the batch or the timer, and never the process: the
// clock goes on, see restTime.

// panics counts the panics of a process, and has each said once.
type panics struct {
	total atomic.Uint64
	last  atomic.Int64 // when the last one was, ms since 1970

	mu   sync.Mutex
	seen map[string]uint64
}

// maxSeen bounds the texts that are remembered.
const maxSeen = 256

// note counts a panic. Its stack is logged when it is the first with its text, then
// the count at every tenfold.
func (p *panics) note(log *slog.Logger, what, text string, stack []byte) {
	p.total.Add(1)
	p.last.Store(time.Now().UnixMilli())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= maxSeen {
		p.seen = map[string]uint64{}
	}
	p.seen[text]++
	switch n := p.seen[text]; {
	case n == 1:
		log.Error(what, "panic", text, "stack", string(stack))
	case tenfold(n):
		log.Error(what, "panic", text, "times", n)
	}
}

// tenfold tells whether n is a power of ten.
func tenfold(n uint64) bool {
	for n > 1 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// degradedTime is how long the process is called degraded after a panic.
const degradedTime = time.Minute

// health returns why the process is degraded, if it is.
func (p *panics) health() error {
	if at := p.last.Load(); at > 0 && time.Since(time.UnixMilli(at)) < degradedTime {
		return &api.DegradedError{Reason: fmt.Sprintf("%d panics since the start, the last at %s: see the log",
			p.total.Load(), time.UnixMilli(at).UTC().Format(time.RFC3339))}
	}
	return nil
}

// restTime is how long the executor leaves the clock alone after a panic in a timer
// that is laid to no rule: what is due would panic again at once.
const restTime = time.Second

// recovered gives up what panicked, with rows of a batch and what was to be sent.
func (e *Engine) recovered(rows int) {
	if r := recover(); r != nil {
		e.lost.Add(loss.Panic, uint64(max(rows+e.out.queued, 1)))
		e.panics.note(e.log, "what the executor was doing is given up", fmt.Sprint(r), debug.Stack())
		e.x.Reset()
		e.out.drop()
	}
}

// recoveredTimer is recovered for what the clock said.
func (e *Engine) recoveredTimer() {
	if r := recover(); r != nil {
		e.lost.Add(loss.Panic, uint64(max(e.out.queued, 1)))
		e.panics.note(e.log, "what was due is given up", fmt.Sprint(r), debug.Stack())
		e.notBefore = time.Now().Add(restTime).UnixMilli()
		e.x.Reset()
		e.out.drop()
	}
}

// contain stops the rules that broke, here or in what was sent. It runs on the executor
// goroutine, and does not wait for those who change rules.
func (e *Engine) contain(list []exec.Breakdown) {
	if len(e.out.broken) > 0 {
		list = append(list, e.out.broken...)
		e.out.broken = nil
	}
	if len(list) == 0 {
		return
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, b := range list {
		e.panics.note(e.log, "rules are stopped by a fault of weir", b.Text, b.Stack)
		var runs []brokenRun
		for _, num := range b.Rules {
			if run, ok := e.brokenRunLocked(num); ok {
				runs = append(runs, run)
			}
		}
		if len(runs) > 0 && !e.mu.closing {
			e.wg.Go(func() { e.stopBroken(runs, b.Text, len(b.Rules) == 1) })
		}
	}
}

// brokenRun is a run of a rule that broke.
type brokenRun struct {
	id  string
	run uint64
}

// brokenRunLocked returns the run of a rule, by a number that the executor has.
func (e *Engine) brokenRunLocked(num planner.RuleID) (brokenRun, bool) {
	for i := range e.mu.edits {
		if e.mu.edits[i].rule == num { // it is another by now
			return brokenRun{}, false
		}
	}
	if int(num) >= len(e.mu.numbers.ofRule) || e.mu.numbers.ofRule[num] == nil {
		return brokenRun{}, false
	}
	r := e.mu.rules[e.mu.numbers.ofRule[num].id] // a part of a graph has no other name
	if r == nil || !r.running {
		return brokenRun{}, false
	}
	return brokenRun{r.id, r.run}, true
}

// stopBroken stops rules, unless they were changed meanwhile. A rule that is known to
// be the cause, for it broke alone or not for the first time, is not tried again
// before somebody starts it.
func (e *Engine) stopBroken(runs []brokenRun, why string, alone bool) {
	ids := make([]string, len(runs))
	for i := range runs {
		ids[i] = runs[i].id
	}
	defer e.ruleLocks.lock(ids...)()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range runs {
		r := e.mu.rules[b.id]
		if r == nil || !r.running || r.run != b.run {
			continue
		}
		e.uninstallLocked(r)
		r.failed, r.message = true, why
		r.broken = alone || r.breaks > 0
		r.breaks++
	}
}

// brokeSending notes that making a message of a rule panicked.
func (o *output) brokeSending(rule planner.RuleID, r any) {
	text := fmt.Sprintf("stopped by a fault of weir: %v", r)
	o.broken = append(o.broken, exec.Breakdown{Rules: []planner.RuleID{rule}, Text: text, Stack: debug.Stack()})
}
