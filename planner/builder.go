package planner

import (
	"slices"

	"github.com/weir-engine/weir/vec"
)

// Builder keeps the program of one input while rules come and go. An edit costs
// what it changes, not what is there; Program publishes. A Builder belongs to
// one goroutine.
//
// Published parts are frozen: the next edit of a part copies it first.
//
// Columns, steps, projections and output columns of stages are counted: whoever names
// one by its number holds a reference, taken by intern, column and project and given
// back by release, dropColumn and dropProj. A step holds its operands and its column,
// a projection its steps, an index its step, a stage its fixed steps and, through its
// output columns, the steps that they are made of. At zero the slot is free and the
// next that comes gets its number: numbers of what is still used never change, since
// published programs, and the state that the executor keeps by them, name them.
// Without counts, a rule that goes would cost a look at the 8,000 that stay.
type Builder struct {
	prog  Program
	dirty bool
	last  *Program

	colAt    map[string]int
	colRefs  []int32
	stepAt   map[string]StepID
	stepRefs []int32
	free     []StepID
	projAt   map[string]int32
	projRefs []int32
	freeProj []int32
	freeRest []int32
	frozen   bool // Cols, Used, Steps, Projs, Rests are shared with a program

	watches map[Watch]int // how often each is wanted

	rules     map[RuleID]*placed
	stages    map[string]*stageBuilder   // by text
	orders    map[string][]*stageBuilder // of event time, by family
	replacing map[RuleID]replaced
	origin    *Origin       // shared by a stream's builder and those over its stages
	below     *stageBuilder // the stage whose output is the input, nil for a stream
	adding    RuleID        // that Add enters
}

// placed remembers where a rule went, to take it out again.
type placed struct {
	proj, rest int32
	step       StepID // of the index, NoStep for Always
	op         Op
	kind       uint8
	count      bool
	key        AtomKind      // inEqual: whether it is found by number or by text
	num        float64       // inRank and inEqual
	text       string        // inEqual
	in         *keys         // inEqual: of IN, or a number that float64 has not
	stage      *stageBuilder // inStage
}

// keys are the constants of an equality: numbers or texts.
type keys struct {
	nums  []number
	texts []string
}

// keys returns under what p is in an index of equalities.
func (p *placed) keys() (nums []number, texts []string) {
	switch {
	case p.in != nil:
		return p.in.nums, p.in.texts
	case p.key == AtomText:
		return nil, []string{p.text}
	}
	return []number{{f: p.num}}, nil
}

const (
	inAlways uint8 = iota
	inRank
	inEqual
	inCond
	inStage
	inSerial
)

// NewBuilder makes the builder of a stream's program.
func NewBuilder() *Builder {
	return newBuilder(new(Origin), nil)
}

func newBuilder(o *Origin, below *stageBuilder) *Builder {
	return &Builder{
		prog:  Program{Origin: o},
		colAt: map[string]int{}, stepAt: map[string]StepID{}, projAt: map[string]int32{},
		rules: map[RuleID]*placed{}, origin: o, below: below, dirty: true,
	}
}

// Next returns the epoch of the program that the next rule will be part of.
func (b *Builder) Next() uint64 { return b.prog.Epoch + 1 }

// overWindow tells whether the input is what a window emits.
func (b *Builder) overWindow() bool { return b.below != nil && b.below.win != nil }

// Len returns the number of rules.
func (b *Builder) Len() int { return len(b.rules) }

// Add enters a rule. count says that nobody reads the rule's rows, so that
// their number is enough where the projection cannot fail.
func (b *Builder) Add(rule RuleID, r *Bound, count bool) {
	b.dirty = true
	b.thaw()
	b.adding = rule
	if r.Stage != nil {
		s, m := b.stageOf(rule, r.Stage)
		s.add(m, r.Stage.rest(), count)
		b.rules[rule] = s.placed
		return
	}
	p := &placed{step: NoStep, rest: -1}
	p.proj = b.project(r)
	p.count = count && b.below == nil && r.safe()
	if !b.overWindow() && r.serial() {
		s := Serial{Entry: Entry{Rule: rule, Proj: p.proj, Rest: -1}}
		for _, n := range r.Where {
			s.Where = append(s.Where, b.intern(n))
		}
		for _, n := range r.counting() {
			s.Counting = append(s.Counting, b.intern(n))
		}
		b.prog.Serials = append(b.prog.Serials, s)
		p.kind = inSerial
		b.rules[rule] = p
		return
	}
	ac := plan(r.Where)
	p.rest = b.addRest(ac.rest, ac.early)
	e := Entry{Rule: rule, Proj: p.proj, Rest: p.rest}
	b.enter(p, ac.pivot, e)
	b.rules[rule] = p
}

// Remove takes a rule out; an unknown one is ignored.
func (b *Builder) Remove(rule RuleID) {
	p := b.rules[rule]
	if p == nil {
		return
	}
	b.dirty = true
	b.thaw()
	delete(b.rules, rule)
	switch p.kind {
	case inStage:
		p.stage.remove(rule)
		return
	case inSerial:
		i := slices.IndexFunc(b.prog.Serials, func(s Serial) bool { return s.Rule == rule })
		for _, id := range slices.Concat(b.prog.Serials[i].Where, b.prog.Serials[i].Counting) {
			b.release(id)
		}
		b.prog.Serials = slices.Delete(b.prog.Serials, i, i+1)
	case inAlways:
		b.prog.Always = b.prog.Always.thawed()
		b.prog.Always.remove(rule, p.count)
	case inRank:
		b.unwatch(p.rest, p.step, AtomNum)
		b.rank(p.step, p.op, p.count, b.guarded(p.rest)).remove(rule, p.num)
		b.prog.Ranks = slices.DeleteFunc(b.prog.Ranks, func(x *RankIndex) bool { return len(x.Entries) == 0 })
	case inEqual:
		nums, texts := p.keys()
		b.unwatch(p.rest, p.step, p.key)
		b.equal(p.step, b.guarded(p.rest)).remove(rule, nums, texts)
		b.prog.Equals = slices.DeleteFunc(b.prog.Equals, func(x *EqualIndex) bool { return len(x.TextEntries)+len(x.NumEntries) == 0 })
	case inCond:
		b.cond(p.step).EntryList.remove(rule, p.count)
		b.prog.Conds = slices.DeleteFunc(b.prog.Conds, func(x *CondIndex) bool { return len(x.Send)+len(x.Count) == 0 })
	}
	if p.step != NoStep {
		b.release(p.step)
	}
	b.dropRest(p.rest)
	b.dropProj(p.proj)
}

// thaw makes the flat arrays writable again after a publication.
func (b *Builder) thaw() {
	if !b.frozen {
		return
	}
	b.frozen = false
	p := &b.prog
	p.Cols, p.Used = slices.Clone(p.Cols), slices.Clone(p.Used)
	p.Steps, p.Projs, p.Rests = slices.Clone(p.Steps), slices.Clone(p.Projs), slices.Clone(p.Rests)
	p.Ranks, p.Equals, p.Conds = slices.Clone(p.Ranks), slices.Clone(p.Equals), slices.Clone(p.Conds)
	p.Analytics, p.Hits, p.Serials = slices.Clone(p.Analytics), slices.Clone(p.Hits), slices.Clone(p.Serials)
}

// Program returns the program of the rules as they are. It is the same one as
// before if nothing changed.
func (b *Builder) Program() *Program {
	if !b.dirty && b.last != nil {
		return b.last
	}
	b.dirty = false
	b.prog.Epoch++
	b.prog.Rules = len(b.rules)
	p := b.prog
	if p.Always != nil {
		p.Always.frozen = true
	}
	for _, x := range p.Ranks {
		x.frozen = true
	}
	for _, x := range p.Equals {
		x.frozen = true
	}
	for _, x := range p.Conds {
		x.frozen = true
	}
	p.Windows, p.Orders, p.Feeds, p.Tables = nil, nil, nil, nil
	for _, s := range b.stages {
		s.publish().enter(&p)
	}
	p.sortStages()
	p.Watches = b.watchList()
	b.frozen = true
	b.last = &p
	return b.last
}

// intern returns the step for n and holds one reference to it.
func (b *Builder) intern(n *Node) StepID {
	if id, ok := b.stepAt[n.Text]; ok {
		b.stepRefs[id]++
		return id
	}
	s := Step{Node: n, Col: -1}
	if n.Op == OpColumn {
		s.Col = b.column(n)
	} else if len(n.Args) > 0 {
		s.In = make([]StepID, len(n.Args))
		// The operands point at the nodes of the steps, so that the equal subtree of
		// this rule can be collected.
		own := *n
		own.Args = make([]*Node, len(n.Args))
		for i, a := range n.Args {
			s.In[i] = b.intern(a)
			own.Args[i] = b.prog.Steps[s.In[i]].Node
		}
		s.Node = &own
	}
	id := StepID(len(b.prog.Steps))
	if n := len(b.free); n > 0 {
		id = b.free[n-1]
		b.free = b.free[:n-1]
		b.prog.Steps[id], b.stepRefs[id] = s, 1
	} else {
		b.prog.Steps = append(b.prog.Steps, s)
		b.stepRefs = append(b.stepRefs, 1)
	}
	b.stepAt[n.Text] = id
	switch {
	case n.Op == OpAnalytic:
		b.prog.Analytics = append(b.prog.Analytics, id)
	case n.Op == OpCall && n.Func.PerRule && b.overWindow():
		b.prog.Hits = append(b.prog.Hits, Hit{id, b.adding})
	}
	return id
}

// release gives one reference to a step back and frees what nobody uses.
func (b *Builder) release(id StepID) {
	if b.stepRefs[id]--; b.stepRefs[id] > 0 {
		return
	}
	s := b.prog.Steps[id]
	delete(b.stepAt, s.Text)
	b.prog.Steps[id] = Step{}
	b.free = append(b.free, id)
	switch {
	case s.Op == OpAnalytic:
		b.prog.Analytics = slices.DeleteFunc(b.prog.Analytics, func(a StepID) bool { return a == id })
	case s.Op == OpCall && s.Func.PerRule:
		b.prog.Hits = slices.DeleteFunc(b.prog.Hits, func(h Hit) bool { return h.Step == id })
	}
	if s.Op == OpColumn {
		b.dropColumn(s.Node, s.Col)
	}
	for _, a := range s.In {
		b.release(a)
	}
}

// column returns the position of an input column and makes one if need be.
func (b *Builder) column(n *Node) int {
	if b.below != nil {
		return b.below.column(n)
	}
	key := n.Col.Key()
	if i, ok := b.colAt[key]; ok {
		b.colRefs[i]++
		return i
	}
	i := slices.Index(b.prog.Used, false)
	if i < 0 {
		i = len(b.prog.Cols)
		b.prog.Cols = append(b.prog.Cols, vec.ColumnSpec{})
		b.prog.Used = append(b.prog.Used, false)
		b.colRefs = append(b.colRefs, 0)
	}
	b.prog.Cols[i], b.prog.Used[i], b.colRefs[i] = n.Col, true, 1
	b.colAt[key] = i
	return i
}

func (b *Builder) dropColumn(n *Node, i int) {
	if b.below != nil {
		b.below.dropColumn(n.Text, i)
		return
	}
	if b.colRefs[i]--; b.colRefs[i] == 0 {
		b.prog.Used[i] = false
		delete(b.colAt, n.Col.Key())
	}
}

// Columns returns the input columns that some step reads.
func (b *Builder) Columns() []vec.ColumnSpec {
	var out []vec.ColumnSpec
	for i, c := range b.prog.Cols {
		if b.prog.Used[i] {
			out = append(out, c)
		}
	}
	return out
}
