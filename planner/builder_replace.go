package planner

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
)

// replaced is the stage of a rule that is being replaced.
type replaced struct {
	stage  *stageBuilder
	member Member
}

// Keeps tells whether rule, with r in its place, would send what it sends if it had been r
// since it started: either r remembers nothing, or the rule is in r's stage, which holds
// for it whatever r wants to know. Else it has to begin anew.
func (b *Builder) Keeps(rule RuleID, r *Bound) bool {
	if r.remembers() {
		return false
	}
	if r.Stage == nil {
		return true
	}
	p := b.rules[rule]
	if p == nil || p.kind != inStage || !p.stage.fits(r.Stage) {
		return false
	}
	i := slices.IndexFunc(p.stage.def.stage().Members, func(m Member) bool { return m.Rule == rule })
	over := r.Stage.rest()
	return p.stage.holds(p.stage.def.stage().Members[i], over) && p.stage.out.Keeps(rule, over)
}

// holds tells whether all that over reads has been there since m came. What came later,
// for another rule, has nothing of the rows from before.
func (s *stageBuilder) holds(m Member, over *Bound) bool {
	if s.win != nil && s.win.Serial {
		return false // it counts what the rule sent
	}
	all, kept := true, s.kept(m)
	over.each(func(n *Node) bool {
		if n.Op != OpColumn || n.From != nil && n.FromKind != ColAgg && n.FromKind != ColRow {
			return true // keys and bounds are there anyway
		}
		i, ok := s.colAt[n.Text]
		ok = ok && s.def.stage().Cols[i].since <= m.Epoch
		if !ok && kept != nil && n.FromKind == ColAgg && n.From != nil {
			ok = !slices.ContainsFunc(n.From.Args, func(a *Node) bool { return !kept[a.Text] })
		}
		all = all && ok
		return true
	})
	return all
}

// kept returns what a window that keeps rows has kept of them since m came, by text: any
// aggregate of these can be computed. It is nil for stages that keep no rows.
func (s *stageBuilder) kept(m Member) map[string]bool {
	w := s.win
	if w == nil || w.Ring != "" {
		return nil
	}
	out := map[string]bool{}
	add := func(ids ...StepID) {
		for _, id := range ids {
			if id != NoStep {
				out[s.up.prog.Steps[id].Text] = true
			}
		}
	}
	add(w.Keys...)
	for i, c := range w.Cols {
		switch {
		case !s.out.prog.Used[i] || c.since > m.Epoch:
		case c.Kind == ColAgg:
			add(w.Aggs[c.Index].Filter)
			add(w.Aggs[c.Index].Args...)
		case c.Kind == ColRow:
			add(w.Rows[c.Index])
		}
	}
	return out
}

// each calls f for the nodes that r reads its input by, as deep as f returns true.
func (r *Bound) each(f func(*Node) bool) {
	for _, n := range r.Where {
		n.walk(f)
	}
	for _, x := range r.Fields {
		x.Node.walk(f)
	}
	for _, o := range r.Order {
		o.Node.walk(f)
	}
	for _, n := range []*Node{r.Star, r.Meta, r.Spread} {
		if n != nil {
			n.walk(f)
		}
	}
}

// recalls tells whether n itself, whatever its operands are, depends on rows or results
// before.
func (n *Node) recalls() bool {
	return n.Op == OpAnalytic || n.Op == OpCall && n.Func.PerRule
}

// remembers tells whether something in r itself depends on rows or results before.
func (r *Bound) remembers() (yes bool) {
	r.each(func(n *Node) bool {
		yes = yes || n.recalls()
		return !yes
	})
	return yes
}

// Remembers tells whether what rule sends depends on the rows, or its results, since it
// started.
func (b *Builder) Remembers(rule RuleID) (yes bool) {
	p := b.rules[rule]
	if p == nil {
		return false
	}
	var steps []StepID
	switch p.kind {
	case inSerial:
		return true
	case inStage:
		w := p.stage.win
		if w == nil || !w.Spec.single() || w.Spec.EventTime || p.stage.out.Remembers(rule) {
			return true
		}
		steps = slices.Concat(w.Where, w.Parts, w.Keys, []StepID{w.Filter, w.When, w.Emit})
	default:
		steps = append(b.prog.stepsOf(Entry{Proj: p.proj, Rest: p.rest}), p.step)
	}
	for _, s := range steps {
		if s != NoStep {
			b.prog.Steps[s].reach(func(n *Node) bool {
				yes = yes || n.recalls()
				return !yes
			})
		}
	}
	return yes
}

// single tells whether every row is a window of its own.
func (s *WindowSpec) single() bool {
	return s.Kind == sql.CountWindow && s.Length == 1 && s.Interval <= 1
}

// Replacing prepares for rule to be removed and added again as another one, for which
// Keeps is true: it goes on in its stage as if nothing had happened. The caller calls
// end when that is done, before the next Program.
func (b *Builder) Replacing(rule RuleID) (end func()) {
	p := b.rules[rule]
	if p == nil || p.kind != inStage {
		return func() {}
	}
	s := p.stage
	st := s.def.stage()
	inner := s.out.Replacing(rule)
	s.pins++
	var cols []string
	for text, i := range s.colAt {
		cols = append(cols, text)
		st.Cols[i].refs++
	}
	if b.replacing == nil {
		b.replacing = map[RuleID]replaced{}
	}
	i := slices.IndexFunc(st.Members, func(m Member) bool { return m.Rule == rule })
	b.replacing[rule] = replaced{s, st.Members[i]}
	return func() {
		delete(b.replacing, rule)
		inner()
		b.dirty = true
		b.thaw()
		for _, text := range cols {
			s.dropColumn(text, s.colAt[text])
		}
		s.pins--
		s.end()
	}
}

// fits tells whether a rule that was in s may go on in it.
func (s *stageBuilder) fits(bs BoundStage) bool {
	switch b := bs.(type) {
	case *BoundWindow:
		if s.win == nil {
			return false
		}
		same := *b
		same.Spec.Start = s.win.Spec.Start
		bs = &same
	case *BoundOrdering:
		o, ok := s.def.(*EventOrder)
		if !ok {
			return false
		}
		same := *b
		same.Start = o.Start
		bs = &same
	}
	return bs.text() == s.key
}
