package planner

import (
	"slices"

	"github.com/weir-engine/weir/vec"
)

// stageBuilder keeps one stage of a program and the builder of the program over its
// output.
type stageBuilder struct {
	up     *Builder // of the stage's input
	out    *Builder // over the stage's output
	key    string
	family string     // of an order of event time
	def    definition // steps are up's; slices may be shared with published ones
	win    *Window    // def, if it is a window
	colAt  map[string]int
	free   []int
	dirty  bool
	last   definition

	placed *placed  // of the rules in the stage, in up
	fixed  []StepID // steps that belong to the stage itself, released with it
	pins   int      // rules that are being replaced: the stage stays for them
}

// stageOf returns the stage for rule, which may have been in it already.
func (b *Builder) stageOf(rule RuleID, bs BoundStage) (*stageBuilder, Member) {
	if r, ok := b.replacing[rule]; ok && r.stage.fits(bs) {
		return r.stage, r.member
	}
	return b.stage(bs), Member{Rule: rule, Epoch: b.prog.Epoch + 1}
}

// stage returns the stage of b with bs's text and makes one if need be.
func (b *Builder) stage(bs BoundStage) *stageBuilder {
	key := bs.text()
	if s := b.stages[key]; s != nil {
		return s
	}
	var family string
	if o, ok := bs.(*BoundOrdering); ok {
		family = o.family()
		for _, s := range b.orders[family] {
			if s.open(o) {
				return s
			}
		}
	}
	b.origin.stages++
	s := &stageBuilder{up: b, key: key, family: family, colAt: map[string]int{}}
	s.placed = &placed{kind: inStage, stage: s}
	s.out = newBuilder(b.origin, s)
	s.def = bs.define(s)
	s.win, _ = s.def.(*Window)
	st := s.def.stage()
	st.ID, st.Text = b.origin.stages, key
	if b.stages == nil {
		b.stages = map[string]*stageBuilder{}
	}
	b.stages[key] = s
	if family != "" {
		if b.orders == nil {
			b.orders = map[string][]*stageBuilder{}
		}
		b.orders[family] = append(b.orders[family], s)
	}
	return s
}

// open tells whether a rule over o may enter s, an order of event time: no row has come
// yet, or s is near the clock, has all the columns that the rule reads, and no rule leaves
// it at the same time.
func (s *stageBuilder) open(o *BoundOrdering) bool {
	def := s.def.(*EventOrder)
	last, published := s.last.(*EventOrder)
	switch {
	case !def.State.open(o.NowMs):
		return false
	case !published:
		return true // no row came
	}
	all := last.Removed == def.Removed // else the rule would see the rows that wait
	o.Over.reach(func(n *Node) bool {
		if _, ok := s.colAt[n.Text]; n.Op == OpColumn && n.From == nil {
			all = all && ok
		}
		return all
	})
	return all
}

// step interns what belongs to the stage itself.
func (s *stageBuilder) step(n *Node) StepID {
	if n == nil {
		return NoStep
	}
	id := s.up.intern(n)
	s.fixed = append(s.fixed, id)
	return id
}

func (s *stageBuilder) steps(ns []*Node) []StepID {
	var out []StepID
	for _, n := range ns {
		out = append(out, s.step(n))
	}
	return out
}

func (s *stageBuilder) add(m Member, over *Bound, count bool) {
	s.dirty = true
	s.out.Add(m.Rule, over, count)
	st := s.def.stage()
	st.Members = append(st.Members, m) // behind what published stages see
}

func (s *stageBuilder) remove(rule RuleID) {
	s.dirty = true
	s.out.Remove(rule)
	if o, ok := s.def.(*EventOrder); ok {
		o.Removed++
	}
	st := s.def.stage()
	st.Members = slices.DeleteFunc(slices.Clone(st.Members), func(m Member) bool { return m.Rule == rule })
	s.end()
}

// end drops the stage if no rule is in it.
func (s *stageBuilder) end() {
	if s.out.Len() > 0 || s.pins > 0 {
		return
	}
	for _, id := range s.fixed {
		s.up.release(id)
	}
	delete(s.up.stages, s.key)
	if s.family == "" {
		return
	}
	left := slices.DeleteFunc(s.up.orders[s.family], func(o *stageBuilder) bool { return o == s })
	if s.up.orders[s.family] = left; len(left) == 0 {
		delete(s.up.orders, s.family)
	}
}

// column returns the position in the stage's output of what n stands for.
func (s *stageBuilder) column(n *Node) int {
	st := s.def.stage()
	if i, ok := s.colAt[n.Text]; ok {
		st.Cols[i].refs++
		return i
	}
	s.dirty = true
	c := StageCol{Kind: n.FromKind, refs: 1, since: s.up.Next()}
	from := n.From
	if from == nil { // a column of the stage's own input: it takes it along
		c.Kind, from = ColRow, n
	}
	switch c.Kind {
	case ColKey:
		c.Index = slices.IndexFunc(s.win.Keys, func(id StepID) bool { return s.up.prog.Steps[id].Text == from.Text })
	case ColAgg:
		c.Index = s.addAgg(from)
	case ColRow:
		c.Index = s.addRow(s.up.intern(from))
	}
	i := len(st.Cols)
	if k := len(s.free); k > 0 {
		i = s.free[k-1]
		s.free = s.free[:k-1]
		st.Cols = slices.Clone(st.Cols)
		st.Cols[i] = c
	} else {
		st.Cols = append(slices.Clip(st.Cols), c)
	}
	s.colAt[n.Text] = i
	p := &s.out.prog
	for len(p.Cols) <= i {
		p.Cols = append(p.Cols, vec.ColumnSpec{})
		p.Used = append(p.Used, true)
	}
	p.Used[i] = true
	return i
}

// addAgg enters an aggregate into a free slot; slots are in use as long as columns
// read them, so the position of the others never changes.
func (s *stageBuilder) addAgg(n *Node) int {
	args := n.Args
	a := Agg{Func: n.Func.Name, Filter: NoStep, Star: n.Star, Diff: n.Diff, Text: n.Text}
	if n.Part {
		a.Filter = s.up.intern(args[0])
		args = args[1:]
	}
	for _, x := range args {
		a.Args = append(a.Args, s.up.intern(x))
	}
	s.win.Aggs = slices.Clone(s.win.Aggs)
	if i := slices.IndexFunc(s.win.Aggs, func(a Agg) bool { return a.Func == "" }); i >= 0 {
		s.win.Aggs[i] = a
		return i
	}
	s.win.Aggs = append(s.win.Aggs, a)
	return len(s.win.Aggs) - 1
}

func (s *stageBuilder) addRow(id StepID) int {
	st := s.def.stage()
	st.Rows = slices.Clone(st.Rows)
	if i := slices.Index(st.Rows, NoStep); i >= 0 {
		st.Rows[i] = id
		return i
	}
	st.Rows = append(st.Rows, id)
	return len(st.Rows) - 1
}

// dropColumn gives one reference to output column i, which stands for text, back.
func (s *stageBuilder) dropColumn(text string, i int) {
	st := s.def.stage()
	c := &st.Cols[i]
	if c.refs--; c.refs > 0 {
		return
	}
	s.dirty = true
	delete(s.colAt, text)
	s.free = append(s.free, i)
	s.out.prog.Used[i] = false
	switch c.Kind {
	case ColAgg:
		s.win.Aggs = slices.Clone(s.win.Aggs)
		a := &s.win.Aggs[c.Index]
		for _, id := range a.Args {
			s.up.release(id)
		}
		if a.Filter != NoStep {
			s.up.release(a.Filter)
		}
		*a = Agg{Filter: NoStep}
	case ColRow:
		st.Rows = slices.Clone(st.Rows)
		s.up.release(st.Rows[c.Index])
		st.Rows[c.Index] = NoStep
	}
}

// publish returns the stage as it is, the same one if nothing changed.
func (s *stageBuilder) publish() definition {
	out := s.out.Program()
	if !s.dirty && s.last != nil && s.last.stage().Out == out {
		return s.last
	}
	s.dirty = false
	s.last = s.def.copied()
	st := s.last.stage()
	st.Cols = slices.Clone(st.Cols)
	st.Out = out
	return s.last
}
