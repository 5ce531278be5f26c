package exec

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// span computes an aggregate over all rows of a window that sends its rows one by
// one; each row has the result, an empty window none.
func (m *machine) span(st *planner.Step, mm *memo) {
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
	agg := newAggregate(&a)
	agg.grow(1)
	agg.add(m, &a, rows, make([]int32, len(rows)))
	agg.result(m.x, mm.col, 0, 0)
	if mm.col.Fault.Has(0) {
		m.note = m.x.lastNote
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
