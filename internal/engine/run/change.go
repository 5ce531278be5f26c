package run

import (
	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

// Change is what changed in the definitions: the executor takes it over between two
// batches, programs first, then rules in their order.
type Change struct {
	Feeds    []*Feed // new ones
	Plans    []Plan
	Programs []Program
	Rules    []Rule
}

// Plan has a feed decode other columns.
type Plan struct {
	Feed    *Feed
	Columns []vec.ColumnSpec
}

// Program is the program of a stream; nil: the stream has no rules any more.
type Program struct {
	Stream  uint32
	Program *planner.Program
}

// Rule is a change of what is done with the rows of a rule.
type Rule struct {
	ID      planner.RuleID
	Actions []Action
	Faults  bool           // the rule wants to be told of faults
	Forget  bool           // counters begin anew
	Release []*sinks.Queue // of the actions that were there before: nothing is put there any more
}

// Mark says that there is a Change. The executor asks for it before the next batch,
// call or timer, so that a thousand changes may be one; Nudge has it ask at once.
// What is marked before a message is delivered is taken over before it is run.
func (r *Runner) Mark() { r.dirty.Store(true) }

// Nudge wakes the executor to take over what was marked.
func (r *Runner) Nudge() { signal(r.nudge) }

// Sync waits until the executor has taken over what was marked.
func (r *Runner) Sync() { r.Call(func(*exec.Executor) {}) }

// pull takes over what changed since the last time.
func (r *Runner) pull() {
	if !r.dirty.Swap(false) {
		return
	}
	defer r.recovered(0)
	c := r.o.Changes()
	r.plan(&c)
	now := r.now()
	for _, p := range c.Programs {
		got := r.x.SetProgram(p.Stream, p.Program, now)
		r.settle(&got)
	}
	for i := range c.Rules {
		rule := &c.Rules[i]
		r.out.set(rule)
		if rule.Forget { // after the program, with which the counts of the old rule came
			r.x.Forget(rule.ID)
		}
	}
	r.out.flush()
	r.contain(nil)
	for i := range c.Rules {
		for _, q := range c.Rules[i].Release {
			r.o.Release(q)
		}
	}
}

// plan gives feeds their plans, and forgets those that have nothing left.
func (r *Runner) plan(c *Change) {
	for _, f := range c.Feeds {
		r.feeds[f.feed] = f
	}
	for _, p := range c.Plans {
		p.Feed.plan = vec.NewPlan(p.Feed.plan.Version+1, p.Columns)
		p.Feed.feed.SetPlan(p.Feed.plan)
	}
	for k, f := range r.feeds {
		if f.ended.Load() && k.Idle() {
			delete(r.feeds, k)
		}
	}
}
