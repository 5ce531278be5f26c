package exec

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// holdsRest checks the conditions that the index of an entry left. What fails in an
// early one is counted apart, see loseGuarded.
func (x *Executor) holdsRest(m *machine, e planner.Entry, row int) bool {
	atoms := m.prog.Rests[e.Rest]
	for i := range atoms {
		a := &atoms[i]
		col := m.col(a.Step, nil)
		if !col.Valid.Has(row) {
			if col.Fault.Has(row) && !a.Early {
				x.lose(m, e.Rule, row, because{step: a.Step})
			}
			return false
		}
		ok, good := holdsAtom(a, col, row)
		if !good && !a.Early {
			x.lose(m, e.Rule, row, because{a.Step, a})
		}
		if !ok {
			return false
		}
	}
	return true
}

// holdsAtom decides a condition for a row that has a value; good is false if the
// value is of a kind that the condition cannot look at.
func holdsAtom(a *planner.Atom, col *vec.Column, row int) (ok, good bool) {
	switch {
	case a.Kind == planner.AtomNum && col.Kind == vec.Float64:
		return holds(cmpOps[a.Op], col.Floats[row], a.Num), true
	case a.Kind == planner.AtomText && col.Kind == vec.String:
		return col.Dict.View(col.Codes[row]) == a.Text, true
	case a.Kind == planner.AtomTrue && col.Kind == vec.Bool:
		return col.Bits.Has(row), true
	}
	v := col.Value(row)
	switch {
	case a.Kind == planner.AtomNum && (v.Kind == vec.Int64 || v.Kind == vec.Timestamp || v.Kind == vec.Float64 && v.I != 0):
		return holdsInt(a.Op, v.I, a.Num), true
	case a.Kind == planner.AtomNum && v.Kind == vec.Float64:
		return holds(cmpOps[a.Op], v.F, a.Num), true
	case a.Kind == planner.AtomText && v.Kind == vec.String:
		return v.S == a.Text, true
	case a.Kind == planner.AtomTrue && v.Kind == vec.Bool:
		return v.I != 0, true
	}
	return false, false
}

// atomConst returns what an atom compares with, for the text of a fault.
func atomConst(a *planner.Atom) vec.Value {
	switch a.Kind {
	case planner.AtomNum:
		return planner.ConstOf(a.Num)
	case planner.AtomText:
		return vec.StringValue(a.Text)
	}
	return vec.NullValue
}
