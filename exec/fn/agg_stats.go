package fn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// statsFuncs are the aggregates that need all numbers at once. Two passes over the
// numbers give eKuiper's last digits; a running variance would not.
func statsFuncs() []*Func {
	of := func(signature, doc, example string, f func(x []float64) (float64, error)) *Func {
		return aggregate(signature, doc, example, func() AggState { return &statsState{f: func(x []float64, _ float64) (float64, error) { return f(x) }} }).
			checked(literals(wantNumber))
	}
	percentile := func(signature, doc, example string, f func(x []float64, p float64) (float64, error)) *Func {
		fn := aggregate(signature, doc, example, func() AggState { return &statsState{f: f, hasP: true} })
		fn.Check = checkPercentile
		return fn
	}
	median := of("median(x)", "The middle of the numbers in order, or the mean of the two in the middle; without a number an error.", "median(a)", medianOf)
	state := median.Agg.New
	median.Agg = &Agg{New: func() AggState {
		s := state().(*statsState)
		s.mustHave = true
		return s
	}}
	return []*Func{
		median,
		percentile("percentile_cont(x, p)", "The value below which the part p (0 to 1) of the numbers lies, between two numbers their mean.",
			"percentile_cont(a, 0.5)", percentileCont),
		percentile("percentile_disc(x, p)", "The smallest number up to which at least the part p (0 to 1) of the numbers lies.",
			"percentile_disc(a, 0.5)", percentileDisc),
		of("stddev(x)", "The standard deviation of all numbers there are.", "stddev(a)", func(x []float64) (float64, error) { v, err := variance(x, 0); return math.Sqrt(v), err }),
		of("stddevs(x)", "The standard deviation estimated from a sample.", "stddevs(a)", func(x []float64) (float64, error) { v, err := variance(x, 1); return math.Sqrt(v), err }),
		of("var(x)", "The variance of all numbers there are.", "var(a)", func(x []float64) (float64, error) { return variance(x, 0) }),
		of("vars(x)", "The variance estimated from a sample.", "vars(a)", func(x []float64) (float64, error) { return variance(x, 1) }),
	}
}

func checkPercentile(args []planner.FuncArg) error {
	if err := literals(wantNumber)(args); err != nil {
		return err
	}
	if l := args[1].Literal; l != nil {
		if p, err := number(*l); err == nil && !(p >= 0 && p <= 1) {
			return fmt.Errorf("the second argument should be from 0 to 1, got %v", p)
		}
	}
	return nil
}

// statsState keeps the numbers of a group for f.
type statsState struct {
	f        func(x []float64, p float64) (float64, error)
	mustHave bool // no number among the rows is an error
	hasP     bool // the second argument is the part p
	p        vec.Value
	rows     int
	x        []float64
	err      error
}

func (s *statsState) Add(args []vec.Value) {
	s.rows++
	if s.hasP && s.p.IsNull() {
		s.p = args[1].Clone()
	}
	if args[0].IsNull() {
		return
	}
	f, err := number(args[0])
	if err != nil {
		if s.err == nil {
			s.err = errors.New(err.Error()) // err borrows the value
		}
		return
	}
	s.x = append(s.x, f)
}

func (s *statsState) Merge(other AggState) {
	o := other.(*statsState)
	s.rows += o.rows
	if s.p.IsNull() {
		s.p = o.p
	}
	if s.err == nil {
		s.err = o.err
	}
	s.x = append(s.x, o.x...)
}

func (s *statsState) Result(*Ctx) (vec.Value, error) {
	if s.err != nil {
		return vec.Value{}, s.err
	}
	if len(s.x) == 0 {
		if s.mustHave && s.rows > 0 {
			return vec.Value{}, errors.New("no number among the rows")
		}
		return null()
	}
	p := 0.0
	if s.hasP {
		var err error
		if p, err = number(s.p); err != nil {
			return vec.Value{}, err
		}
	}
	r, err := s.f(s.x, p)
	if err != nil {
		return vec.Value{}, err
	}
	return float(r)
}

func (s *statsState) Reset() {
	*s = statsState{f: s.f, mustHave: s.mustHave, hasP: s.hasP, x: s.x[:0]}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// variance divides by the number of values less that many.
func variance(x []float64, less int) (float64, error) {
	if len(x) <= less {
		return 0, errors.New("a sample needs two numbers")
	}
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-less), nil
}

func medianOf(x []float64) (float64, error) {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	if n%2 == 1 {
		return x[n/2], nil
	}
	return mean(x[n/2-1 : n/2+1]), nil
}

// percentileCont takes the mean of the two numbers around the place p*n, or the
// number at it; a place before the first number has no value.
func percentileCont(x []float64, p float64) (float64, error) {
	percent := p * 100
	if len(x) == 1 {
		return x[0], nil
	}
	if !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("percentile %v is out of range", p)
	}
	x = slices.Sorted(slices.Values(x))
	at := percent / 100 * float64(len(x))
	i := int(at)
	switch {
	case at == float64(i):
		return x[i-1], nil
	case at > 1:
		return mean(x[i-1 : i+1]), nil
	}
	return 0, fmt.Errorf("percentile %v is out of range for %d numbers", p, len(x))
}

func percentileDisc(x []float64, p float64) (float64, error) {
	percent := p * 100
	if !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("percentile %v is out of range", p)
	}
	x = slices.Sorted(slices.Values(x))
	i := int(math.Ceil(float64(len(x)) * percent / 100))
	return x[max(i, 1)-1], nil
}
