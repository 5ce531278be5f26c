package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// branch computes CASE: the first branch that is taken decides, and only
// faults on the way to it count.
func (m *machine) branch(st *planner.Step, a []vec.Value, row int) (vec.Value, error) {
	i := 0
	if st.Op == planner.OpSwitch {
		if m.failed(st.In[0], row) {
			return vec.Value{}, argFault(st.In[0])
		}
		i = 1
	}
	for ; i+1 < len(a); i += 2 {
		if m.failed(st.In[i], row) {
			return vec.Value{}, argFault(st.In[i])
		}
		cond := a[i]
		if st.Op == planner.OpSwitch && !cond.IsNull() && !a[0].IsNull() {
			var err error
			if cond, err = scalar.Compare(planner.OpEq, a[0], cond, m.x.env.Location); err != nil {
				return cond, err
			}
		} else if st.Op == planner.OpSwitch {
			continue
		}
		switch {
		case cond.IsNull():
			continue
		case cond.Kind != vec.Bool:
			return vec.Value{}, scalar.OpError{Op: planner.OpCase, B: cond}
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
		return vec.Value{}, argFault(st.In[i])
	}
	return a[i].Clone(), nil
}

// call computes a function: by a kernel if its arguments are one column and
// literals, else row by row.
func (m *machine) call(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	f := m.live.function(m.x, s)
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
	if arg.Rows != m.rows || !f.Vec(&m.x.ctx, mm.col, arg) { // no row has the field: the column is empty
		mm.col.Reset(m.rows)
		m.instead(s, st, mm, want)
		return
	}
	m.faults(mm.col, arg.Fault)
	m.computed(st, mm, want)
}

// computed notes that a kernel computed a step: it did so for every row that the
// operands have.
func (m *machine) computed(st *planner.Step, mm *memo, want vec.Bitmap) {
	mm.all = want == nil || !slices.ContainsFunc(st.In, func(s planner.StepID) bool {
		return m.prog.Steps[s].Op != planner.OpConst && !m.memos[s].all
	})
	if !mm.all {
		mm.done.Or(want)
	}
}

// callRow computes a function for one row.
func (m *machine) callRow(f *fn.Bound, st *planner.Step, row int) (vec.Value, error) {
	args := m.arguments(len(st.In))
	for i, a := range st.In {
		args[i] = m.value(a, row)
		if args[i].Kind == vec.Missing && m.prog.Steps[a].Op != planner.OpColumn {
			args[i] = vec.NullValue // only a field can be missing; kernels leave what is null out
		}
	}
	if row < len(m.batch.At) {
		m.x.ctx.EventTime = m.batch.At[row]
	}
	return f.Row(&m.x.ctx, args)
}
