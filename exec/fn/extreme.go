package fn

import (
	"cmp"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// Extreme is the least or the greatest value of one group: of numbers, of texts or
// of times. The extremes of whole numbers and of floats are both kept.
type Extreme struct {
	decided
	float float64
	exact int64 // not 0: the whole number that float is only near to
	whole int64
	other *vec.Value // the text or time; nil: neither came
}

// AddInt takes a whole number; max says which extreme is wanted, the same in every
// call.
func (e *Extreme) AddInt(v int64, max bool) {
	if e.kind != vec.Int64 && !e.number(vec.Int64) {
		return
	}
	if !e.ints || v > e.whole == max && v != e.whole {
		e.whole, e.ints = v, true
	}
}

// AddFloat takes a float.
func (e *Extreme) AddFloat(v float64, max bool) {
	if e.kind != vec.Float64 && !e.number(vec.Float64) {
		return
	}
	switch {
	case !e.floats || v > e.float == max && v != e.float:
		e.float, e.exact, e.floats = v, 0, true
	case v == e.float && e.exact != 0:
		e.addExact(vec.FloatValue(v), max)
	}
	if !vec.FitsInt64(v) {
		e.wide = true
	}
}

// addExact takes a number, a float or one with more digits.
func (e *Extreme) addExact(v vec.Value, max bool) {
	if e.kind != vec.Float64 && !e.number(vec.Float64) {
		return
	}
	c := 1
	if e.floats {
		c = vec.CompareNumbers(v, e.nearest())
	}
	if !e.floats || c != 0 && c > 0 == max {
		e.float, e.exact, e.floats = v.F, v.I, true
	}
}

// nearest is the extreme of the floats.
func (e *Extreme) nearest() vec.Value { return vec.Value{Kind: vec.Float64, F: e.float, I: e.exact} }

// number tells whether a number of kind k can be taken.
func (e *Extreme) number(k vec.Kind) bool {
	e.first(k)
	if !e.kind.Numeric() {
		e.mismatch(k)
		return false
	}
	return true
}

// mismatch says that a value of kind k came after one of another. The text names no
// value: which one it is depends on how the rows were cut into panes.
func (e *Extreme) mismatch(k vec.Kind) {
	if e.bad == nil {
		e.Fail("want " + plural(e.kind) + " as the first value is, got " + plural(k) + " among them")
	}
}

func plural(k vec.Kind) string {
	switch k {
	case vec.String:
		return "texts"
	case vec.Timestamp:
		return "times"
	}
	return "numbers"
}

// Add takes any value; null is none.
func (e *Extreme) Add(v vec.Value, max bool) {
	switch v.Kind {
	case vec.Missing, vec.Null:
	case vec.Int64:
		e.AddInt(v.I, max)
	case vec.Float64:
		if v.I != 0 {
			e.addExact(v, max)
		} else {
			e.AddFloat(v.F, max)
		}
	case vec.String, vec.Timestamp:
		if e.beats(v, max) {
			*e.other = v.Clone()
		}
	default:
		if e.bad == nil {
			e.Fail(Wrong("numbers or texts", v).Error())
		}
	}
}

// beats tells whether a text or time takes the place of the one that there is.
func (e *Extreme) beats(v vec.Value, max bool) bool {
	e.first(v.Kind)
	switch {
	case e.kind != v.Kind:
		e.mismatch(v.Kind)
		return false
	case e.other == nil:
		e.other = new(vec.Value)
		return true
	}
	c := strings.Compare(v.S, e.other.S)
	if v.Kind == vec.Timestamp {
		c = cmp.Compare(v.I, e.other.I)
	}
	return c != 0 && c > 0 == max
}

// Merge takes the values of o, which came later.
func (e *Extreme) Merge(o *Extreme, max bool) {
	if o.early {
		e.Fail(*o.bad)
	}
	switch {
	case o.kind.Numeric() && (e.kind == vec.Missing || e.kind.Numeric()):
		e.first(o.kind)
		if o.floats {
			e.Add(o.nearest(), max)
		}
		if o.ints {
			e.AddInt(o.whole, max)
		}
		e.wide = e.wide || o.wide
	case o.kind.Numeric():
		e.mismatch(o.kind)
	case o.other != nil && e.beats(*o.other, max):
		*e.other = *o.other
	}
	if o.bad != nil {
		e.Fail(*o.bad)
	}
}

// Result returns the extreme, Missing if there is no value; or why there is none.
func (e *Extreme) Result(max bool) (v vec.Value, bad string) {
	switch bad = e.fault(); {
	case bad != "" || e.kind == vec.Missing:
		return vec.Value{}, bad
	case e.kind == vec.Float64:
		return e.nearest(), ""
	case e.kind == vec.Int64:
		if i, _ := e.nearest().WholePart(); e.floats && i > e.whole == max {
			return vec.IntValue(i), ""
		}
		return vec.IntValue(e.whole), ""
	}
	return *e.other, ""
}

// extremeState is max and min.
type extremeState struct {
	max bool
	Extreme
}

func (s *extremeState) Add(args []vec.Value)           { s.Extreme.Add(args[0], s.max) }
func (s *extremeState) Merge(other AggState)           { s.Extreme.Merge(&other.(*extremeState).Extreme, s.max) }
func (s *extremeState) Result(*Ctx) (vec.Value, error) { return result(s.Extreme.Result(s.max)) }
func (s *extremeState) Reset()                         { s.Extreme = Extreme{} }
