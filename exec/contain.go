package exec

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// A panic is a fault of ours, not of the rules that run into it, and least of all
// of the others. Whatever can be laid to some rules is run under a guard: a step, a
// part of the indexes, the delivery of a row or a message, a window's rows, its
// time and its adoption, a join. The guard puts the rules aside that the panic is
// laid to and the run goes on behind it, so that every other rule gets its rows, and
// gets them once. A guard is a deferred call for each such thing and batch; nothing
// is done for a row.
//
// What a step was to compute is a fault of all its rows from then on, so that who
// shares nothing but the batch with it sees nothing. A window or join that broke is
// not run any more: its content cannot be trusted.

// Breakdown is a panic with the rules that were put aside for it. They send nothing
// until Forget names them.
type Breakdown struct {
	Rules []planner.RuleID
	Text  string
	Stack []byte
}

// broken is what was put aside.
type broken struct {
	list  []Breakdown // since the last receipt
	rules map[planner.RuleID]bool
	steps map[*planner.Node]string // steps that panic, with the text
}

// putAside notes a panic that is laid to rules.
func (x *Executor) putAside(rules []planner.RuleID, r any) string {
	text := brokenText(r)
	x.putAsideFor(rules, text)
	return text
}

func brokenText(r any) string { return fmt.Sprintf("stopped by a fault of weir: %v", r) }

// putAsideFor is putAside for a panic whose text was made before.
func (x *Executor) putAsideFor(rules []planner.RuleID, text string) {
	if x.broken.rules == nil {
		x.broken.rules = map[planner.RuleID]bool{}
	}
	for _, rule := range rules {
		x.broken.rules[rule] = true
		x.stats.grow(rule)
		x.charge(rule, 1, text)
		x.recount(loss.Panic, rule)
	}
	x.broken.list = append(x.broken.list, Breakdown{slices.Clone(rules), text, debug.Stack()})
}

// breakStep is the end of a step that panicked.
func (m *machine) breakStep(s planner.StepID, mm *memo, r any) {
	text := m.x.putAside(m.prog.RulesOf(s), r)
	if m.x.broken.steps == nil {
		m.x.broken.steps = map[*planner.Node]string{}
	}
	m.x.broken.steps[m.prog.Steps[s].Node] = text
	m.failAll(s, mm, text)
}

// failAll makes a step a fault of all rows.
func (m *machine) failAll(s planner.StepID, mm *memo, text string) {
	c := &vec.Column{} // others may hold the one that it had
	c.Reset(m.rows)
	for row := range m.rows {
		c.SetFault(row)
	}
	mm.col, mm.all, m.answer = c, true, answer{}
	m.keep(s, everyRow, errors.New(text))
}

// guardRule is deferred where rows of one rule are delivered.
func (x *Executor) guardRule(rule planner.RuleID) {
	if r := recover(); r != nil {
		x.putAside([]planner.RuleID{rule}, r)
	}
}

// guardWindow is deferred where a window takes rows, or time, or a definition, at a
// depth. Those that share its rows end with it.
func (x *Executor) guardWindow(w *window, depth int) {
	if r := recover(); r != nil {
		x.backTo(depth)
		stages := []*stage{&w.stage}
		if w.view != nil {
			for _, o := range w.view.ring.views {
				if o.w != w {
					stages = append(stages, &o.w.stage)
				}
			}
		}
		x.breakStages(r, stages...)
	}
}

// guardStage is guardWindow for a stage that is no window.
func (x *Executor) guardStage(s *stage, depth int) {
	if r := recover(); r != nil {
		x.backTo(depth)
		x.breakStages(r, s)
	}
}

// backTo gives up what is under way below a depth.
func (x *Executor) backTo(depth int) {
	x.scratch.depth = depth
	x.sending.pairs, x.sending.losses = x.sending.pairs[:0], x.sending.losses[:0]
	x.sending.debts.cancel()
}

// breakStages is the end of stages.
func (x *Executor) breakStages(r any, stages ...*stage) {
	var rules []planner.RuleID
	for _, s := range stages {
		s.dead = true
		for _, m := range s.base.Members {
			rules = append(rules, m.Rule)
		}
	}
	x.alarm.stale = true
	x.putAside(rules, r)
}

// guardProgram is deferred where the program of a stream or join is taken over, or a
// join runs its rows.
func (x *Executor) guardProgram(stream uint32, p *planner.Program, depth int) {
	if r := recover(); r != nil {
		x.backTo(depth)
		n := x.streams[stream]
		x.streams[stream] = nil
		x.alarm.stale = true
		x.putAside(p.AllRules(), r)
		if n != nil {
			x.dropJobs(n)
		}
	}
}
