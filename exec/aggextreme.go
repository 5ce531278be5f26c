package exec

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// extreme is the least or greatest value of one group. The first value decides
// what the others must be: after a whole number floats are cut off, after a float
// a whole number is a fault. The extremes of both are kept, for a pane before this
// one may have the first value.
type extreme struct {
	kind   vec.Kind // of the first value
	f      float64  // of the floats
	i      int64    // of the whole numbers
	floats bool     // there are floats
	ints   bool     // there are whole numbers
	wide   bool     // there is a float that has no whole part in 64 bits
	other  *other   // what is rarely there
}

// other is a group's text or time, or why it has no extreme.
type other struct {
	v   vec.Value
	bad string // a value that cannot be compared
}

func (e *extreme) rest() *other {
	if e.other == nil {
		e.other = &other{}
	}
	return e.other
}

func (e *extreme) bad(note string) { e.rest().bad = note }

// extremeAgg computes min and max of numbers, texts and times.
type extremeAgg struct {
	max bool
	e   []extreme
}

func (c *extremeAgg) grow(groups int) { c.e = enlarge(c.e, groups) }

func (c *extremeAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	col := m.col(a.Args[0], nil)
	for i, r := range rows {
		e := &c.e[gids[i]]
		switch {
		case !col.Valid.Has(int(r)):
			if col.Fault.Has(int(r)) {
				e.bad(m.note)
			}
		case col.Kind == vec.Float64:
			c.float(e, col.Floats[r])
		default:
			c.take(e, col.Value(int(r)))
		}
	}
}

func (c *extremeAgg) float(e *extreme, v float64) {
	switch {
	case e.kind == vec.Missing:
		e.kind = vec.Float64
	case e.kind != vec.Float64 && e.kind != vec.Int64:
		e.mismatch(vec.FloatValue(v))
		return
	}
	if !e.floats || v > e.f == c.max && v != e.f {
		e.f, e.floats = v, true
	}
	e.wide = e.wide || !(v >= -1<<63 && v < 1<<63)
}

func (c *extremeAgg) int(e *extreme, v int64) {
	if !e.ints || v > e.i == c.max && v != e.i {
		e.i, e.ints = v, true
	}
}

// mismatch notes a value that does not go with the first.
func (e *extreme) mismatch(v vec.Value) {
	e.bad(scalar.OpError{Op: planner.OpLt, A: v, B: e.value(false)}.Error())
}

func (c *extremeAgg) take(e *extreme, v vec.Value) {
	switch {
	case v.IsNull():
		return
	case v.Kind == vec.Float64:
		c.float(e, v.F)
		return
	case e.kind == vec.Missing:
		switch v.Kind {
		case vec.Int64, vec.String, vec.Timestamp:
			e.kind = v.Kind
			if v.Kind != vec.Int64 {
				e.rest().v = v.Clone()
			}
		default:
			e.bad(fn.Wrong("numbers or texts", v).Error())
			return
		}
	}
	switch {
	case v.Kind == vec.Int64 && (e.kind == vec.Int64 || e.kind == vec.Float64):
		c.int(e, v.I)
	case v.Kind != e.kind:
		e.mismatch(v)
	default:
		if d, _ := scalar.Order(planner.OpLt, v, e.other.v, nil); d > 0 == c.max && d != 0 {
			e.other.v = v.Clone()
		}
	}
}

// value returns the extreme; max says which.
func (e *extreme) value(max bool) vec.Value {
	switch e.kind {
	case vec.Float64:
		return vec.FloatValue(e.f)
	case vec.Int64:
		if v := int64(e.f); e.floats && v > e.i == max {
			return vec.IntValue(v)
		}
		return vec.IntValue(e.i)
	}
	return e.rest().v
}

func (c *extremeAgg) merge(src aggregate, gids []int32) {
	for _, g := range gids {
		d, s := &c.e[g], &src.(*extremeAgg).e[g]
		switch {
		case s.kind == vec.Missing:
		case d.kind == vec.Missing:
			bad := d.other
			*d = *s
			if s.other != nil { // s goes on by itself
				d.other = &other{v: s.other.v, bad: s.other.bad}
			}
			if bad != nil && bad.bad != "" {
				d.bad(bad.bad)
			}
		case s.kind == vec.Int64 || s.kind == vec.Float64:
			if d.kind != vec.Int64 && d.kind != vec.Float64 {
				d.mismatch(s.value(c.max))
				break
			}
			if s.floats {
				c.float(d, s.f)
			}
			if s.ints {
				c.int(d, s.i)
			}
			d.wide = d.wide || s.wide
		default:
			c.take(d, s.other.v)
		}
		if s.other != nil && s.other.bad != "" {
			d.bad(s.other.bad)
		}
	}
}

func (c *extremeAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	e := &c.e[g]
	note := ""
	switch {
	case e.other != nil && e.other.bad != "":
		note = e.other.bad
	case e.kind == vec.Float64 && e.ints:
		note = scalar.OpError{Op: planner.OpLt, A: vec.IntValue(e.i), B: vec.FloatValue(e.f)}.Error()
	case e.kind == vec.Int64 && e.wide:
		note = noteWide
	default:
		dst.Set(row, e.value(c.max))
		return
	}
	dst.SetFault(row)
	x.lastNote = note
}

func (c *extremeAgg) renumber(ids []int32, n int) { c.e = renumber(c.e, ids, n) }

func (c *extremeAgg) reset(gids []int32) {
	for _, g := range gids {
		c.e[g] = extreme{}
	}
}
