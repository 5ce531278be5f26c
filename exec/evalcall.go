package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// branch computes CASE: the first branch that is taken decides, and only
// faults on the way to it count.
func (m *machine) branch(st *planner.Step, a []vec.Value, row int) (vec.Value, error) {
	i := 0
	if st.Op == planner.OpSwitch {
		if m.failed(st.In[0], row) {
			return vec.Value{}, m.again()
		}
		i = 1
	}
	for ; i+1 < len(a); i += 2 {
		if m.failed(st.In[i], row) {
			return vec.Value{}, m.again()
		}
		cond := a[i]
		if st.Op == planner.OpSwitch && !cond.IsNull() && !a[0].IsNull() {
			var err error
			if cond, err = compare(planner.OpEq, a[0], cond, m.x.env.Location); err != nil {
				return cond, err
			}
		} else if st.Op == planner.OpSwitch {
			continue
		}
		switch {
		case cond.IsNull():
			continue
		case cond.Kind != vec.Bool:
			return vec.Value{}, opError{planner.OpCase, vec.NullValue, cond.Clone()}
		case cond.I == 0:
			continue
		}
		i++
		break
	}
	if i >= len(a) {
		i = len(a) - 1
	}
	if m.failed(st.In[i], row) {
		return vec.Value{}, m.again()
	}
	return a[i].Clone(), nil
}

// call computes a function: by a kernel if its arguments are one column and
// literals, else row by row.
func (m *machine) call(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	f := m.node.function(m.x, s)
	if f.Vec == nil || mm.slow {
		m.lift(s, st, mm, want)
		return
	}
	if want != nil && want.Count() <= m.rows/sparse {
		m.lift(s, st, mm, want)
		mm.slow = false // the kernel gives the same for more rows
		return
	}
	arg := m.col(st.In[f.Col], want)
	if mm.col == nil {
		mm.col = m.get()
	} else {
		mm.col.Reset(m.rows)
	}
	if arg.Rows != m.rows || !f.Vec(&m.x.ctx, mm.col, arg) { // a field that no row has has no rows
		mm.col.Reset(m.rows)
		m.instead(s, st, mm, want)
		return
	}
	if mm.col.Fault != nil {
		m.explain(f, s, st, mm.col.Fault, want)
	}
	m.faults(mm.col, arg.Fault)
	m.computed(st, mm, want)
}

// computed notes that a kernel computed a step. What it made of whole columns is
// good for every row, except that the text of a fault is of a row that is wanted.
func (m *machine) computed(st *planner.Step, mm *memo, want vec.Bitmap) {
	mm.all = want == nil || mm.col.Fault == nil && !slices.ContainsFunc(st.In, func(s planner.StepID) bool {
		return m.prog.Steps[s].Op != planner.OpConst && !m.memos[s].all
	})
	if !mm.all {
		mm.done.Or(want)
	}
}

// explain notes why a kernel failed, by what the row function says of the first
// row that did.
func (m *machine) explain(f *fn.Bound, s planner.StepID, st *planner.Step, fault, want vec.Bitmap) {
	for i, w := range fault {
		if want != nil {
			w &= want[i]
		}
		if w != 0 {
			if _, err := m.callRow(f, st, i<<6+trailing(w)); err != nil {
				m.note = err.Error()
			}
			return
		}
	}
}

// callRow computes a function for one row.
func (m *machine) callRow(f *fn.Bound, st *planner.Step, row int) (vec.Value, error) {
	args := m.arguments(len(st.In))
	for i, a := range st.In {
		args[i] = m.value(a, row)
	}
	if row < len(m.batch.At) {
		m.x.ctx.EventTime = m.batch.At[row]
	}
	return f.Row(&m.x.ctx, args)
}

func inArray(x, list vec.Value, not bool, m *machine) (vec.Value, error) {
	if x.IsNull() {
		return vec.BoolValue(false), nil
	}
	if list.IsNull() && x.Kind != vec.JSON {
		return vec.BoolValue(not), nil
	}
	es, ok := elements(list)
	if !ok {
		return vec.Value{}, opError{planner.OpIn, x.Clone(), list.Clone()}
	}
	vs := make([]vec.Value, len(es))
	for i, e := range es {
		vs[i] = rawjson.FromAny(e)
	}
	return in(x, vs, not, m.x.env.Location)
}

func likeValue(a []vec.Value, not bool) (vec.Value, error) {
	if a[0].IsNull() || a[1].IsNull() {
		return vec.BoolValue(false), nil
	}
	if a[0].Kind != vec.String || a[1].Kind != vec.String {
		return vec.Value{}, opError{planner.OpLike, a[0].Clone(), a[1].Clone()}
	}
	return vec.BoolValue(like(a[0].S, a[1].S, likeEscape(a)) != not), nil
}

func likeEscape(a []vec.Value) rune {
	if len(a) < 3 {
		return '\\'
	}
	for _, r := range a[2].S {
		return r
	}
	return 0
}
