package exec

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// wanted returns the rows that some rule of the join may want, nil: all of them.
// The rules' indexes over the feed's output hold a part of each condition; a row
// whose value is a fault, or cannot be compared, is wanted, so that the rule tells.
// The caller frees what it gets.
func (f *feeder) wanted(m *machine) vec.Bitmap {
	out := f.def.Out
	if a := out.Always; a != nil && len(a.Send) > 0 {
		return nil
	}
	want := f.x.bitmap(m.rows)
	for _, r := range out.Ranks {
		widest := planner.RankIndex{Op: r.Op, Keys: r.Keys[:1]}
		wantRows(want, f.input(m, r.Step), func(v vec.Value) bool {
			switch {
			case v.Kind == vec.Float64 && v.I == 0:
				return rank(&widest, v.F) > 0
			case v.Kind == vec.Float64 || v.Kind == vec.Int64 || v.Kind == vec.Timestamp:
				return rankInt(&widest, v.I) > 0
			}
			return true
		})
	}
	for _, e := range out.Equals {
		wantRows(want, f.input(m, e.Step), func(v vec.Value) bool {
			switch {
			case v.Kind == vec.String && len(e.NumEntries) == 0:
				return e.FindText(v.S) >= 0
			case v.Kind == vec.Float64 && v.I == 0 && len(e.TextEntries) == 0:
				return e.FindNum(v.F, 0) >= 0
			case v.Kind == vec.Int64 && len(e.TextEntries) == 0 && v.I > -1<<53 && v.I < 1<<53:
				return e.FindNum(float64(v.I), 0) >= 0
			}
			return true
		})
	}
	for _, c := range out.Conds {
		wantRows(want, f.input(m, c.Step), func(v vec.Value) bool { return v.Kind != vec.Bool || v.Truth() })
	}
	return want
}

// input returns the column of f's input that step s of the program over f reads.
func (f *feeder) input(m *machine, s planner.StepID) *vec.Column {
	c := f.def.Cols[f.def.Out.Steps[s].Col]
	return m.col(f.def.Rows[c.Index], nil)
}

// wantRows adds the rows to want whose value may do, and those that have none
// because of a fault.
func wantRows(want vec.Bitmap, c *vec.Column, may func(vec.Value) bool) {
	if c.Fault != nil {
		want.Or(c.Fault)
	}
	if c.Kind == vec.Null {
		return
	}
	for i, bits := range c.Valid {
		for bits &^= want[i]; bits != 0; bits &= bits - 1 {
			row := i<<6 + trailing(bits)
			if may(c.Value(row)) {
				want.Set(row)
			}
		}
	}
}
