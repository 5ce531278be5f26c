package fn

import (
	"fmt"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// accumulator is what one of the acc_ functions keeps.
type accumulator interface {
	add(v vec.Value) error
	value() vec.Value
	reset()
}

// accState is an acc_ function with its conditions: counting begins with the row
// where on_begin holds and ends with the one where on_reset holds; the next row
// after it starts from nothing.
type accState struct {
	acc   accumulator
	begun bool
}

func (s *accState) Apply(_ *Ctx, args []vec.Value, update bool) (vec.Value, error) {
	if len(args) < 3 {
		if update {
			if err := s.acc.add(args[0]); err != nil {
				return vec.Value{}, err
			}
		}
		return s.acc.value(), nil
	}
	begin, err := flag(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	end, err := flag(args[2])
	if err != nil {
		return vec.Value{}, err
	}
	before := s.begun
	if !before {
		s.acc.reset()
		s.begun = begin
	}
	if s.begun && update {
		if err := s.acc.add(args[0]); err != nil {
			s.begun = before
			return vec.Value{}, err
		}
	}
	if end {
		s.begun = false
	}
	return s.acc.value(), nil
}

func checkAcc(args []planner.FuncArg) error {
	if len(args) == 2 {
		return fmt.Errorf("Expect 1/3 arguments but found %d.", len(args)) //nolint:staticcheck // the text that users of eKuiper know
	}
	return nil
}

// accSum adds numbers; null adds nothing.
type accSum struct{ sum float64 }

func (a *accSum) add(v vec.Value) error {
	if v.IsNull() {
		return nil
	}
	f, err := number(v)
	a.sum += f
	return err
}

func (a *accSum) value() vec.Value { return vec.FloatValue(a.sum) }
func (a *accSum) reset()           { a.sum = 0 }

// accCount counts values.
type accCount struct{ n int64 }

func (a *accCount) add(v vec.Value) error {
	if !v.IsNull() {
		a.n++
	}
	return nil
}

func (a *accCount) value() vec.Value { return vec.IntValue(a.n) }
func (a *accCount) reset()           { a.n = 0 }

// accAvg averages numbers; null is an error.
type accAvg struct {
	sum float64
	n   int64
}

func (a *accAvg) add(v vec.Value) error {
	f, err := number(v)
	if err != nil {
		return err
	}
	a.sum += f
	a.n++
	return nil
}

func (a *accAvg) value() vec.Value {
	if a.n == 0 {
		return vec.FloatValue(0)
	}
	return vec.FloatValue(a.sum / float64(a.n))
}

func (a *accAvg) reset() { *a = accAvg{} }

// accExtreme keeps the largest (sign 1) or smallest (sign -1) number, 0 before the
// first one; null is an error.
type accExtreme struct {
	sign int
	any  bool
	best vec.Value
}

func (a *accExtreme) add(v vec.Value) error {
	if _, err := number(v); err != nil {
		return err
	}
	if !a.any || vec.CompareNumbers(v, a.best)*a.sign > 0 {
		a.any, a.best = true, v
	}
	return nil
}

func (a *accExtreme) value() vec.Value {
	switch {
	case !a.any:
		return vec.FloatValue(0)
	case a.best.Kind == vec.Int64:
		return vec.ExactValue(a.best.I)
	}
	return a.best
}

func (a *accExtreme) reset() { a.any = false }
