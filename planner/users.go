package planner

import "slices"

// RulesOf returns the rules that need step s: for their condition, what they send,
// or a window that they are in. It looks at the whole program.
func (p *Program) RulesOf(s StepID) []RuleID {
	u := users{p: p, step: make([]bool, len(p.Steps))}
	u.step[s] = true
	u.spread()
	return u.rules()
}

// StatefulIn returns the stateful steps that are among steps or below them, in their
// order. NoStep is passed over.
func (p *Program) StatefulIn(steps ...StepID) []StepID {
	if len(p.Analytics) == 0 {
		return nil
	}
	found := map[StepID]bool{}
	p.below(found, steps)
	var out []StepID
	for _, s := range p.Analytics {
		if found[s] {
			out = append(out, s)
		}
	}
	return out
}

// RulesOfStateful returns RulesOf for all stateful steps of a program over a window, in
// no order and some rules twice. It looks at the program once.
func (p *Program) RulesOfStateful() map[StepID][]RuleID {
	out := map[StepID][]RuleID{}
	found := map[StepID]bool{}
	p.EachEntry(func(e Entry, by ...StepID) {
		clear(found)
		p.below(found, by)
		p.below(found, p.stepsOf(e))
		for s := range found {
			if p.Steps[s].Op == OpAnalytic {
				out[s] = append(out[s], e.Rule)
			}
		}
	})
	return out
}

// below adds steps, and those that they need, to found.
func (p *Program) below(found map[StepID]bool, steps []StepID) {
	for _, s := range steps {
		if s != NoStep && !found[s] {
			found[s] = true
			p.below(found, p.Steps[s].In)
		}
	}
}

// AllRules returns all rules of the program, those of its windows included.
func (p *Program) AllRules() []RuleID {
	u := users{p: p, all: true}
	return u.rules()
}

// RulesOfColumn returns the rules that need column i of the input.
func (p *Program) RulesOfColumn(i int) []RuleID {
	u := users{p: p, step: make([]bool, len(p.Steps))}
	u.markColumn(i)
	u.spread()
	return u.rules()
}

// RulesOfPart returns the rules of one part of what selects rows: 0 are those without
// a condition, then come Ranks, Equals, Conds and, at last, the guarded rules.
func (p *Program) RulesOfPart(part int) []RuleID {
	var one Program
	ranks, equals := 1, 1+len(p.Ranks)
	conds := equals + len(p.Equals)
	switch {
	case part == conds+len(p.Conds):
		one.Ranks = slices.DeleteFunc(slices.Clone(p.Ranks), func(x *RankIndex) bool { return !x.Guarded })
		one.Equals = slices.DeleteFunc(slices.Clone(p.Equals), func(x *EqualIndex) bool { return !x.Guarded })
	case part >= conds:
		one.Conds = p.Conds[part-conds : part-conds+1]
	case part >= equals:
		one.Equals = p.Equals[part-equals : part-equals+1]
	case part >= ranks:
		one.Ranks = p.Ranks[part-ranks : part-ranks+1]
	default:
		one.Always = p.Always
	}
	return one.AllRules()
}

// users finds the rules that some steps of a program concern.
type users struct {
	p    *Program
	step []bool // by step: it is one of them, or needs one
	all  bool   // whatever a rule needs
	out  []RuleID
}

// markColumn marks the steps that are column i of the input.
func (u *users) markColumn(i int) {
	for k, s := range u.p.Steps {
		if s.Node != nil && s.Op == OpColumn && s.Col == i {
			u.step[k] = true
		}
	}
}

// spread marks the steps that need a marked one.
func (u *users) spread() {
	for more := true; more; {
		more = false
		for i, s := range u.p.Steps {
			if s.Node != nil && !u.step[i] && u.needs(s.In...) {
				u.step[i], more = true, true
			}
		}
	}
}

// needs tells whether one of steps is marked.
func (u *users) needs(steps ...StepID) bool {
	return u.all || slices.ContainsFunc(steps, func(s StepID) bool { return s != NoStep && u.step[s] })
}

func (u *users) rules() []RuleID {
	p := u.p
	if p.Join != nil && u.inJoin() {
		u.all = true
	}
	p.EachEntry(func(e Entry, by ...StepID) {
		if u.needs(by...) || u.needs(p.stepsOf(e)...) {
			u.out = append(u.out, e.Rule)
		}
	})
	for _, w := range p.Windows {
		u.inStage(&w.Stage, w.Aggs, u.needs(w.Filter, w.When, w.Emit) || u.needs(w.Where...) || u.needs(w.Parts...) || u.needs(w.Keys...))
	}
	for _, o := range p.Orders {
		u.inStage(&o.Stage, nil, u.needs(o.Time))
	}
	for _, f := range p.Feeds {
		u.inStage(&f.Stage, nil, u.needs(f.Time))
	}
	for _, t := range p.Tables {
		u.inStage(&t.Stage, nil, u.needs(t.Key, t.RowKind))
	}
	slices.Sort(u.out)
	return slices.Compact(u.out)
}

func (u *users) inJoin() bool {
	for _, steps := range u.p.Join.Before {
		if u.needs(steps...) {
			return true
		}
	}
	return slices.ContainsFunc(u.p.Join.Steps, func(s JoinStep) bool {
		return u.needs(s.Left.Steps...) || u.needs(s.Right.Steps...) || u.needs(s.Rest...)
	})
}

// EachEntry calls f for the rules over the input that are in no stage, with the steps
// that find them. A rule may come several times.
func (p *Program) EachEntry(f func(e Entry, by ...StepID)) {
	entries := func(es []Entry, by ...StepID) {
		for _, e := range es {
			f(e, by...)
		}
	}
	if p.Always != nil {
		entries(p.Always.Send)
		entries(p.Always.Count)
	}
	for _, x := range p.Ranks {
		entries(x.Entries, x.Step)
	}
	for _, x := range p.Equals {
		entries(x.TextEntries, x.Step)
		entries(x.NumEntries, x.Step)
	}
	for _, x := range p.Conds {
		entries(x.Send, x.Step)
		entries(x.Count, x.Step)
	}
	for _, s := range p.Serials {
		f(s.Entry, slices.Concat(s.Where, s.Counting)...)
	}
}

// stepsOf returns the steps that a rule needs beside those that find it.
func (p *Program) stepsOf(e Entry) []StepID {
	x := p.Projs[e.Proj]
	out := append([]StepID{x.Star, x.Meta, x.Spread}, x.Numbered...)
	if e.Rest >= 0 {
		for _, a := range p.Rests[e.Rest] {
			out = append(out, a.Step)
		}
	}
	for _, f := range x.Fields {
		out = append(out, f.Step)
	}
	for _, o := range x.Order {
		out = append(out, o.Step)
	}
	return out
}

// inStage adds the rules of a stage whose own steps are marked, else those that
// read a column of its output that is made from one.
func (u *users) inStage(s *Stage, aggs []Agg, own bool) {
	if own || u.needs(s.Guard...) || len(s.Cols) == 0 && u.needs(s.Rows...) {
		for _, m := range s.Members {
			u.out = append(u.out, m.Rule)
		}
		return
	}
	over := users{p: s.Out, step: make([]bool, len(s.Out.Steps))}
	for i, c := range s.Cols {
		var marked bool
		switch {
		case c.Kind == ColRow && c.Index < len(s.Rows):
			marked = u.needs(s.Rows[c.Index])
		case c.Kind == ColAgg && c.Index < len(aggs):
			marked = u.needs(aggs[c.Index].Filter) || u.needs(aggs[c.Index].Args...)
		}
		if !marked {
			continue
		}
		over.markColumn(i)
	}
	over.spread()
	u.out = append(u.out, over.rules()...)
}
