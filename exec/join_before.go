package exec

import (
	"github.com/weir-engine/weir/vec"
)

// passed returns the rows that meet the conditions of their sources. They are valid
// until the next call.
func (j *joiner) passed(rows []windowRow) []windowRow {
	m := j.x.enter()
	defer j.x.leave()
	m.begin(j.n, j.alone(rows))
	out := j.passing[:0]
	for r, k := range rows {
		if j.passes(m, k.src, r) {
			if j.order != nil {
				j.x.marks[len(out)] = j.x.marks[r]
			}
			out = append(out, k)
		}
	}
	j.passing = out
	return out
}

func (j *joiner) passes(m *machine, src int32, row int) bool {
	for _, s := range j.plan.Before[src] {
		c := m.col(s, nil)
		v := c.Value(row)
		switch {
		case c.Fault.Has(row):
			j.fault(m.why(s, row))
			return false
		case !v.IsNull() && v.Kind != vec.Bool:
			j.fault(notCondition(v))
			return false
		case !v.Truth():
			return false
		}
	}
	return true
}
