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
	var look func(s StepID)
	look = func(s StepID) {
		if s == NoStep || found[s] {
			return
		}
		found[s] = true
		for _, a := range p.Steps[s].In {
			look(a)
		}
	}
	for _, s := range steps {
		look(s)
	}
	var out []StepID
	for _, s := range p.Analytics {
		if found[s] {
			out = append(out, s)
		}
	}
	return out
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
	entries := func(by StepID, es []Entry) {
		for _, e := range es {
			if u.needs(by) || u.inEntry(e) {
				u.out = append(u.out, e.Rule)
			}
		}
	}
	if p.Always != nil {
		entries(NoStep, p.Always.Send)
		entries(NoStep, p.Always.Count)
	}
	for _, x := range p.Ranks {
		entries(x.Step, x.Entries)
	}
	for _, x := range p.Equals {
		entries(x.Step, x.TextEntries)
		entries(x.Step, x.NumEntries)
	}
	for _, x := range p.Conds {
		entries(x.Step, x.Send)
		entries(x.Step, x.Count)
	}
	for _, s := range p.Serials {
		if u.needs(s.Where...) || u.needs(s.Counting...) {
			u.out = append(u.out, s.Rule)
		} else {
			entries(NoStep, []Entry{s.Entry})
		}
	}
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

func (u *users) inEntry(e Entry) bool {
	if u.all {
		return true
	}
	if e.Rest >= 0 && slices.ContainsFunc(u.p.Rests[e.Rest], func(a Atom) bool { return u.needs(a.Step) }) {
		return true
	}
	x := u.p.Projs[e.Proj]
	return u.needs(x.Star, x.Meta, x.Spread) || u.needs(x.Numbered...) ||
		slices.ContainsFunc(x.Fields, func(f Field) bool { return u.needs(f.Step) }) ||
		slices.ContainsFunc(x.Order, func(o Order) bool { return u.needs(o.Step) })
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
