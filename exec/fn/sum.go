package fn

import (
	"errors"

	"github.com/weir-engine/weir/vec"
)

// decided is the rule that the first value of a group decides what the others must
// be: after a whole number floats are cut off, after a float a whole number is a
// fault. What counts is known only at the end, for a state that is merged before
// this one may have the first value; so a state keeps both sums, or both extremes.
type decided struct {
	kind   vec.Kind // of the first value, Missing before
	ints   bool     // there is a whole number
	floats bool     // there is a float; for an Extreme only
	wide   bool     // there is a float that has no whole part in 64 bits
	early  bool     // bad came before the first value
	bad    *string  // why the first value that cannot be taken cannot; nil: all can
}

// Fail says that a value could not be had, for the reason text; "" is none. The
// first reason is kept.
func (d *decided) Fail(text string) {
	if d.bad == nil && text != "" {
		kept := text // text itself would be on the heap in every call
		d.bad, d.early = &kept, d.kind == vec.Missing
	}
}

// Failed tells whether the group has a fault already.
func (d *decided) Failed() bool { return d.bad != nil }

// first notes the kind of a value, if it is the first.
func (d *decided) first(k vec.Kind) {
	if d.kind == vec.Missing {
		d.kind = k
	}
}

// merge adds what is known of values that came later.
func (d *decided) merge(o *decided) {
	if d.bad == nil && o.bad != nil {
		d.bad, d.early = o.bad, d.kind == vec.Missing && o.early
	}
	d.first(o.kind)
	d.ints = d.ints || o.ints
	d.floats = d.floats || o.floats
	d.wide = d.wide || o.wide
}

// fault tells what is wrong with the values; "": nothing.
func (d *decided) fault() string {
	switch {
	case d.bad != nil:
		return *d.bad
	case d.kind == vec.Float64 && d.ints:
		return "want numbers with a fraction, got a whole number among them"
	case d.kind == vec.Int64 && d.wide:
		return "want whole numbers, got one out of range"
	}
	return ""
}

// Sum is the sum and the average of the numbers of one group.
type Sum struct {
	decided
	float float64
	whole int64
	n     int64
}

// AddInt adds a whole number.
func (s *Sum) AddInt(v int64) {
	s.first(vec.Int64)
	s.ints = true
	s.whole += v
	s.n++
}

// AddFloat adds a float.
func (s *Sum) AddFloat(v float64) {
	s.first(vec.Float64)
	s.float += v
	if vec.FitsInt64(v) {
		s.whole += int64(v)
	} else {
		s.wide = true
	}
	s.n++
}

// Add adds any value; null is none.
func (s *Sum) Add(v vec.Value) {
	switch v.Kind {
	case vec.Missing, vec.Null:
	case vec.Int64:
		s.AddInt(v.I)
	case vec.Float64:
		s.AddFloat(v.F)
	default:
		if s.bad == nil {
			s.Fail(Wrong("numbers", v).Error())
		}
	}
}

// Merge adds the values of o, which came later.
func (s *Sum) Merge(o *Sum) {
	s.merge(&o.decided)
	s.float, s.whole, s.n = s.float+o.float, s.whole+o.whole, s.n+o.n
}

// Result returns the sum, or with avg the average, Missing if there is no value; or
// why there is none.
func (s *Sum) Result(avg bool) (v vec.Value, bad string) {
	switch bad = s.fault(); {
	case bad != "" || s.kind == vec.Missing:
		return vec.Value{}, bad
	case s.kind == vec.Int64 && avg:
		return vec.IntValue(s.whole / s.n), ""
	case s.kind == vec.Int64:
		return vec.IntValue(s.whole), ""
	case avg:
		return vec.FloatValue(s.float / float64(s.n)), ""
	}
	return vec.FloatValue(s.float), ""
}

// sumState is sum and avg.
type sumState struct {
	avg bool
	Sum
}

func (s *sumState) Add(args []vec.Value)           { s.Sum.Add(args[0]) }
func (s *sumState) Merge(other AggState)           { s.Sum.Merge(&other.(*sumState).Sum) }
func (s *sumState) Result(*Ctx) (vec.Value, error) { return result(s.Sum.Result(s.avg)) }
func (s *sumState) Reset()                         { s.Sum = Sum{} }

// result makes what a state gives of what a group has.
func result(v vec.Value, bad string) (vec.Value, error) {
	switch {
	case bad != "":
		return vec.Value{}, errors.New(bad)
	case v.Kind == vec.Missing:
		return null()
	}
	return v, nil
}
