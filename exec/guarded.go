package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// guards finds what the guarded rules of a program lost in a batch. Rules
// with the same early conditions follow each other, mostly: what was found for one is
// kept for the next.
type guards struct {
	early []planner.Atom // that open and lost are of
	known bool
	open  vec.Bitmap // rows in which all of them hold
	lost  []lostRows // rows in which one failed

	pivot struct {
		lostRows
		known bool
		step  planner.StepID
		kind  planner.AtomKind
	}
	atoms []planner.Atom // of debts
	seen  map[planner.RuleID]bool
}

// lostRows are rows that a condition failed for.
type lostRows struct {
	atom *planner.Atom
	rows vec.Bitmap
	n    uint64
	last int
}

// loseGuarded counts what the guarded rules of m's program lost in its batch.
func (x *Executor) loseGuarded(m *machine) {
	if !slices.ContainsFunc(m.prog.Watches, m.unlike) {
		return
	}
	g := &m.guards
	g.known, g.atoms = false, g.atoms[:0]
	if g.seen == nil {
		g.seen = map[planner.RuleID]bool{}
	}
	clear(g.seen)
	m.prog.Guarded(func(e planner.Entry, pivot planner.Atom) {
		if !g.seen[e.Rule] {
			g.seen[e.Rule] = true
			m.charge(g, e.Rule, m.prog.Rests[e.Rest], pivot)
		}
	})
}

// unlike tells whether a value of the batch is not as w says.
func (m *machine) unlike(w planner.Watch) bool {
	c := m.col(w.Step, nil)
	if c.Fault.Any() {
		return true
	}
	switch c.Kind {
	case vec.Null:
		return false
	case vec.Float64, vec.Int64:
		return w.Want != planner.WantAny && w.Want != planner.WantNum
	case vec.String:
		return w.Want != planner.WantAny && w.Want != planner.WantText
	case vec.Bool:
		return w.Want != planner.WantAny && w.Want != planner.WantBool
	}
	return w.Want != planner.WantAny && c.Valid.Any()
}

// charge counts what one rule lost: the early conditions in their order, then the
// index's for the rows that are left.
func (m *machine) charge(g *guards, rule planner.RuleID, rest []planner.Atom, pivot planner.Atom) {
	n := 0
	for n < len(rest) && rest[n].Early {
		n++
	}
	if !g.known || !slices.Equal(g.early, rest[:n]) {
		m.sift(g, rest[:n])
	}
	for i := range g.lost {
		m.loseRows(rule, &g.lost[i])
	}
	p := &g.pivot
	if !p.known || p.step != pivot.Step || p.kind != pivot.Kind {
		p.known, p.step, p.kind = true, pivot.Step, pivot.Kind
		p.rows = append(p.rows[:0], g.open...)
		m.failing(&pivot, p.rows)
		p.n, p.last = uint64(p.rows.Count()), lastOf(p.rows)
	}
	if p.n > 0 {
		g.atoms = append(g.atoms, pivot)
		p.atom = &g.atoms[len(g.atoms)-1]
		m.loseRows(rule, &p.lostRows)
	}
}

// sift finds the rows for which all of early hold, and those that one failed for
// before another refused them.
func (m *machine) sift(g *guards, early []planner.Atom) {
	g.known, g.early, g.lost, g.pivot.known = true, early, g.lost[:0], false
	g.open = g.open.Grow(m.rows)
	g.open.SetAll(m.rows)
	for i := range early {
		a := &early[i]
		n := len(g.lost)
		g.lost = slices.Grow(g.lost, 1)[:n+1]
		l := &g.lost[n]
		l.atom, l.rows = a, append(l.rows[:0], g.open...)
		m.failing(a, l.rows)
		if l.n, l.last = uint64(l.rows.Count()), lastOf(l.rows); l.n == 0 {
			g.lost = g.lost[:n]
		}
		col := m.col(a.Step, nil)
		g.open.Each(func(row int) {
			if ok, _ := m.holds(a, col, row); !ok {
				g.open.Unset(row)
			}
		})
	}
}

// holds decides a condition for any row.
func (m *machine) holds(a *planner.Atom, col *vec.Column, row int) (ok, good bool) {
	if !col.Valid.Has(row) {
		return false, !col.Fault.Has(row)
	}
	return holdsAtom(a, col, row)
}

// failing takes the rows out of rows for which a does not fail.
func (m *machine) failing(a *planner.Atom, rows vec.Bitmap) {
	col := m.col(a.Step, nil)
	rows.Each(func(row int) {
		if _, good := m.holds(a, col, row); good {
			rows.Unset(row)
		}
	})
}

// loseRows counts rows that one rule lost, and notes them if it wants to know.
func (m *machine) loseRows(rule planner.RuleID, l *lostRows) {
	x, why := m.x, because{l.atom.Step, l.atom}
	x.count(rule, l.n)
	x.sending.debts.owe(rule, l.last, why)
	if x.wants(rule) {
		l.rows.Each(func(row int) {
			x.sending.losses = append(x.sending.losses, lostRow{rule, int32(row), m.text(why, row)})
		})
	}
}
