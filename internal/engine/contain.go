package engine

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// degradedTime is how long the process is called degraded after a panic.
const degradedTime = time.Minute

// degraded returns why the process is degraded, if it is.
func (e *Engine) degraded() error {
	n, ago := e.panics.Total()
	if n == 0 || ago >= degradedTime {
		return nil
	}
	return &api.DegradedError{Reason: fmt.Sprintf("%d panics since the start, the last at %s: see the log", n, time.Now().Add(-ago).UTC().Format(time.RFC3339))}
}

// NotePanic counts a panic that was recovered from, by its value, and logs its stack;
// what says what is given up for it.
func (e *Engine) NotePanic(what string, value any) {
	e.panics.Note(e.log, what, fmt.Sprint(value), debug.Stack())
}

// broke stops the rules that a panic is laid to. It is called by the executor, and
// does not wait for those who change rules.
func (e *Engine) broke(b exec.Breakdown) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var runs []ruleRun
	for _, num := range b.Rules {
		if run, ok := e.brokenRunLocked(num); ok {
			runs = append(runs, run)
		}
	}
	if len(runs) > 0 && !e.mu.closing {
		e.wg.Go(func() { e.stopBroken(runs, b.Text, len(b.Rules) == 1) })
	}
}

// ruleRun is a run of a rule.
type ruleRun struct {
	id  string
	run uint64
}

// brokenRunLocked returns the run of a rule, by a number that the executor has.
func (e *Engine) brokenRunLocked(num planner.RuleID) (ruleRun, bool) {
	e.mu.AssertRHeld()
	for i := range e.mu.edits {
		if e.mu.edits[i].ID == num { // it is another by now
			return ruleRun{}, false
		}
	}
	if int(num) >= len(e.mu.numbers.ofRule) || e.mu.numbers.ofRule[num] == nil {
		return ruleRun{}, false
	}
	r := e.mu.rules[e.mu.numbers.ofRule[num].id] // a part of a graph has no other name
	if r == nil || !r.running {
		return ruleRun{}, false
	}
	return ruleRun{r.id, r.run}, true
}

// stopBroken stops rules, unless they were changed meanwhile. A rule that is known to
// be the cause, for it broke alone or not for the first time, is not tried again
// before somebody starts it.
func (e *Engine) stopBroken(runs []ruleRun, why string, alone bool) {
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
		r.failed, r.message = true, loss.Text(why)
		r.broken = alone || r.broke
		r.broke = true
	}
}
