package exec

import (
	"errors"
	"slices"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// ones makes row_number 1 for every row, which is right for a row that is sent
// alone. Messages of several rows are numbered by number.
func (m *machine) ones(mm *memo) {
	c := m.get()
	for r := range m.rows {
		c.SetInt(r, 1)
	}
	mm.all, mm.col = true, c
}

// number computes the row_number calls of a message of p's rule, before anything
// that depends on them. With OVER it also puts the rows into the order in which
// it counts them, as eKuiper does; ORDER BY of the rule comes later.
func (x *Executor) number(m *machine, p *projection, rows []int32) error {
	p.ready = false
	m.answer = answer{} // of steps that have other values from here on
	for _, s := range p.plan.Numbered {
		m.memos[s].gen = 0
	}
	for _, s := range p.plan.Numbered {
		st := &m.prog.Steps[s]
		if st.Op != planner.OpNumber {
			break
		}
		c := m.col(s, nil)
		if len(st.In) == 0 {
			for i, r := range rows {
				c.Ints[r] = int64(i + 1)
			}
			continue
		}
		if err := x.numberOver(m, st, c, rows); err != nil {
			return err
		}
	}
	return nil
}

// numberOver numbers rows within each partition. Partitions are in order of the
// texts of their keys.
func (x *Executor) numberOver(m *machine, st *planner.Step, c *vec.Column, rows []int32) error {
	want := x.bitmap(m.rows)
	defer x.free(want)
	for _, r := range rows {
		want.Set(int(r))
	}
	for _, a := range st.In {
		if f := m.col(a, want).Fault; f != nil {
			for _, r := range rows {
				if f.Has(int(r)) {
					return errors.New(m.why(a, int(r)))
				}
			}
		}
	}
	keys := map[int32]string{}
	if st.Keys > 0 {
		var b strings.Builder
		for _, r := range rows {
			b.Reset()
			for _, a := range st.In[:st.Keys] {
				if v := m.value(a, int(r)); v.IsNull() {
					b.WriteString("<nil>,")
				} else {
					b.WriteString(fn.Text(v) + ",")
				}
			}
			keys[r] = b.String()
		}
		slices.SortStableFunc(rows, func(a, b int32) int { return strings.Compare(keys[a], keys[b]) })
	}
	order := make([]planner.Order, len(st.Desc))
	for i, d := range st.Desc {
		order[i] = planner.Order{Step: st.In[st.Keys+i], Desc: d}
	}
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && keys[rows[to]] == keys[rows[from]] {
			to++
		}
		if len(order) > 0 {
			if err := x.sort(m, order, rows[from:to]); err != nil {
				return err
			}
		}
		for i, r := range rows[from:to] {
			c.Ints[r] = int64(i + 1)
		}
		from = to
	}
	return nil
}
