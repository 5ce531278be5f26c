package exec

import (
	"errors"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// columns evaluates steps for all rows. The list is valid until the next call.
func (m *machine) columns(steps []planner.StepID) []*vec.Column {
	for _, s := range steps {
		m.col(s, nil) // a step may be an aggregate, which has columns of its own
	}
	m.inputs = m.inputs[:0]
	for _, s := range steps {
		m.inputs = append(m.inputs, m.col(s, nil))
	}
	return m.inputs
}

// input evaluates the arguments of an aggregate.
func (m *machine) input(args []planner.StepID) agg.Input {
	cols := m.columns(args)
	m.reasons = reasons{m, args}
	return agg.Input{Args: cols, Why: &m.reasons}
}

// reasons tells an aggregate why its arguments failed.
type reasons struct {
	m    *machine
	args []planner.StepID
}

// Why implements agg.Explainer.
func (r *reasons) Why(arg int, row int32) string { return r.m.why(r.args[arg], int(row)) }

// span computes an aggregate over all rows of a window that sends its rows one by
// one; each row has the result, an empty window none.
func (m *machine) span(s planner.StepID, st *planner.Step, mm *memo) {
	mm.all, mm.col = true, m.get()
	if m.rows == 0 {
		return // an empty window: the aggregate of nothing has no row to stand in
	}
	a := planner.Agg{Func: st.Func.Name, Args: st.In, Star: st.Star, Diff: st.Diff}
	var cond *vec.Column
	if st.Part {
		cond, a.Args = m.col(st.In[0], nil), st.In[1:]
	}
	rows := make([]int32, 0, m.rows)
	for row := range int32(m.rows) {
		if cond == nil || cond.Value(int(row)).Truth() {
			rows = append(rows, row)
		}
	}
	state := agg.New(&a)
	state.Grow(1)
	state.Add(m.input(a.Args), rows, make([]int32, len(rows)))
	if note := state.Result(&m.x.ctx, mm.col, 0, 0); note != "" {
		m.keep(s, everyRow, errors.New(note))
		for row := 1; row < m.rows; row++ {
			mm.col.SetFault(row)
		}
		return
	}
	v := mm.col.Value(0).Clone()
	for row := 1; row < m.rows; row++ {
		mm.col.Set(row, v)
	}
}

// single computes an aggregate without a window: over its one row, or nothing if its
// FILTER does not hold, whatever its arguments are then.
func (m *machine) single(st *planner.Step, args []vec.Value, row int) (vec.Value, error) {
	if st.Part {
		if m.failed(st.In[0], row) || !args[0].Truth() {
			args = nil
		} else {
			args = args[1:]
			for _, s := range st.In[1:] {
				if m.failed(s, row) {
					return vec.Value{}, argFault(s)
				}
			}
		}
	}
	if st.Func.Name == "first" {
		return args[0], nil
	}
	if st.Star && (!st.Part || args != nil) {
		return vec.IntValue(1), nil
	}
	f, _ := fn.Lookup(st.Func.Name)
	s := f.Agg.New()
	if args != nil {
		s.Add(args)
	}
	return s.Result(&m.x.ctx)
}
