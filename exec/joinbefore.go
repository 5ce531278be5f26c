package exec

import (
	"github.com/weir-engine/weir/vec"
)

// passed returns the rows that meet the conditions of their sources. They are valid
// until the next call.
func (j *joiner) passed(x *Executor, n *node, rows []kept) []kept {
	m := x.enter()
	defer x.leave()
	m.begin(n, j.alone(n, rows))
	out := j.passing[:0]
	for r, k := range rows {
		if j.passes(x, n, m, k.src, r) {
			if j.hold != nil {
				x.marks[len(out)] = x.marks[r]
			}
			out = append(out, k)
		}
	}
	j.passing = out
	return out
}

func (j *joiner) passes(x *Executor, n *node, m *machine, src int32, row int) bool {
	for _, s := range j.plan.Before[src] {
		c := m.col(s, nil)
		v := c.Value(row)
		switch {
		case c.Fault.Has(row):
			x.faultJoin(n, m.why(s, row))
			return false
		case !v.IsNull() && v.Kind != vec.Bool:
			x.faultJoin(n, notCondition(v))
			return false
		case !v.Truth():
			return false
		}
	}
	return true
}
