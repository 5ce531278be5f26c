package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// guards finds what the guarded rules of a program lost in a batch. What a condition
// fails for does not depend on the constant that it compares with, so that it is found
// once for a step. Rules with the same conditions follow each other, mostly: what was
// found for one is kept for the next.
type guards struct {
	rows vec.Bitmap          // in which something may have failed
	fail map[watched]failing // found so far
	free []vec.Bitmap        // of fail

	early []planner.Atom // that lost is of, with pivot
	pivot watched
	known bool
	lost  []lostRows
	atoms []planner.Atom // pivots that debts name
	seen  map[planner.RuleID]bool
}

// watched is what a condition looks at, and how.
type watched struct {
	step planner.StepID
	kind planner.AtomKind
}

// failing is the rows in which a condition fails.
type failing struct {
	rows vec.Bitmap
	n    uint64
	last int
}

// lostRows are rows that a rule lost by a condition; -1 is the index's.
type lostRows struct {
	failing
	early int
}

// loseGuarded counts what the guarded rules of m's program lost in its batch.
func (x *Executor) loseGuarded(m *machine) {
	if !slices.ContainsFunc(m.prog.Watches, m.unlike) {
		return
	}
	g := &m.guards
	g.begin(m)
	m.prog.Guarded(func(e planner.Entry, pivot planner.Atom) {
		if !g.seen[e.Rule] {
			g.seen[e.Rule] = true
			m.charge(g, e.Rule, m.prog.Rests[e.Rest], pivot)
		}
	})
}

// begin forgets another batch and finds the rows in which something may fail.
func (g *guards) begin(m *machine) {
	if g.seen == nil {
		g.seen, g.fail = map[planner.RuleID]bool{}, map[watched]failing{}
	}
	for _, f := range g.fail {
		g.free = append(g.free, f.rows)
	}
	clear(g.seen)
	clear(g.fail)
	g.known, g.atoms = false, g.atoms[:0]
	g.rows = g.rows.Grow(m.rows)
	for _, w := range m.prog.Watches {
		c := m.col(w.Step, nil)
		g.rows.Or(c.Fault)
		if c.Kind == vec.Null || w.Want == planner.WantAny {
			continue
		}
		for i, bits := range c.Valid {
			for bits &^= g.rows[i]; bits != 0; bits &= bits - 1 {
				if row := i<<6 + trailing(bits); !fits(c.Value(row).Kind, w.Want) {
					g.rows.Set(row)
				}
			}
		}
	}
}

// unlike tells whether a value of the batch may not be as w says.
func (m *machine) unlike(w planner.Watch) bool {
	c := m.col(w.Step, nil)
	return c.Fault.Any() || c.Kind != vec.Null && !fits(c.Kind, w.Want) && c.Valid.Any()
}

// fits tells whether a value of kind is as wanted.
func fits(kind vec.Kind, want planner.Want) bool {
	switch want {
	case planner.WantNum:
		return kind.Numeric()
	case planner.WantText:
		return kind == vec.String
	case planner.WantBool:
		return kind == vec.Bool
	}
	return true
}

// charge counts what one rule lost: by the early conditions in their order, then by
// the index's.
func (m *machine) charge(g *guards, rule planner.RuleID, rest []planner.Atom, pivot planner.Atom) {
	n := 0
	for n < len(rest) && rest[n].Early {
		n++
	}
	early, at := rest[:n], watched{pivot.Step, pivot.Kind}
	if !g.known || g.pivot != at || !slices.Equal(g.early, early) {
		g.known, g.pivot, g.early, g.lost = true, at, early, g.lost[:0]
		for i := range early {
			m.sift(g, early[:i], watched{early[i].Step, early[i].Kind}, i)
		}
		m.sift(g, early, at, -1)
	}
	for i := range g.lost {
		l := &g.lost[i]
		if l.early >= 0 {
			m.loseRows(rule, &l.failing, &early[l.early])
			continue
		}
		g.atoms = append(g.atoms, pivot)
		m.loseRows(rule, &l.failing, &g.atoms[len(g.atoms)-1])
	}
}

// sift finds the rows that a condition, which looks at w, fails for where all of before
// hold.
func (m *machine) sift(g *guards, before []planner.Atom, w watched, early int) {
	f := m.failing(g, w)
	if f.n == 0 {
		return
	}
	n := len(g.lost)
	g.lost = slices.Grow(g.lost, 1)[:n+1]
	l := &g.lost[n]
	l.early, l.rows = early, append(l.rows[:0], f.rows...)
	f.rows.Each(func(row int) {
		for i := range before {
			if ok, _ := m.holds(&before[i], m.col(before[i].Step, g.rows), row); !ok {
				l.rows.Unset(row)
				return
			}
		}
	})
	if l.n, l.last = uint64(l.rows.Count()), lastOf(l.rows); l.n == 0 {
		g.lost = g.lost[:n]
	}
}

// failing returns the rows in which a condition that looks at w fails.
func (m *machine) failing(g *guards, w watched) failing {
	f, ok := g.fail[w]
	if ok {
		return f
	}
	if n := len(g.free); n > 0 {
		f.rows, g.free = g.free[n-1], g.free[:n-1]
	}
	f.rows = append(f.rows[:0], g.rows...)
	a := planner.Atom{Step: w.step, Kind: w.kind, Op: planner.OpEq}
	col := m.col(w.step, g.rows)
	f.rows.Each(func(row int) {
		if _, good := m.holds(&a, col, row); good {
			f.rows.Unset(row)
		}
	})
	f.n, f.last = uint64(f.rows.Count()), lastOf(f.rows)
	g.fail[w] = f
	return f
}

// holds decides a condition for any row.
func (m *machine) holds(a *planner.Atom, col *vec.Column, row int) (ok, good bool) {
	if !col.Valid.Has(row) {
		return false, !col.Fault.Has(row)
	}
	return holdsAtom(a, col, row)
}

// loseRows counts rows that one rule lost by a condition, and notes them if it wants
// to know.
func (m *machine) loseRows(rule planner.RuleID, f *failing, a *planner.Atom) {
	x, why := m.x, because{a.Step, a}
	x.count(rule, f.n)
	x.sending.debts.owe(rule, f.last, why)
	if x.wants(rule) {
		f.rows.Each(func(row int) {
			x.sending.losses = append(x.sending.losses, lostRow{rule, int32(row), m.text(why, row)})
		})
	}
}
