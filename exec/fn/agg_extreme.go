package fn

import (
	"cmp"
	"errors"

	"github.com/weir-engine/weir/vec"
)

// errMixed is the fault of a group whose first number is a float and whose others
// are not all.
var errMixed = errors.New("want numbers with a fraction, got a whole number among them")

// errWide is the fault of a group of whole numbers with a float beyond their range.
var errWide = errors.New("want whole numbers, got one out of range")

// extremeState is max (sign 1) and min (sign -1). The first value that is not null
// decides what the others must be: after a whole number floats are cut off, after
// anything else only the same kind will do.
type extremeState struct {
	sign int
	best vec.Value
	wide bool // a float did not fit into an int64
	err  error
}

func (s *extremeState) Add(args []vec.Value) { s.add(args[0]) }

func (s *extremeState) add(v vec.Value) {
	if v.IsNull() || s.err != nil {
		return
	}
	if v.Kind == vec.Float64 {
		_, ok := vec.WholePart(v.F)
		s.wide = s.wide || !ok
	}
	if s.best.Kind == vec.Missing {
		switch v.Kind {
		case vec.Int64, vec.Float64, vec.String, vec.Timestamp:
			s.best = v.Clone()
		default:
			s.err = Wrong("numbers or texts", v)
		}
		return
	}
	if s.best.Kind == vec.Int64 && v.Kind == vec.Float64 {
		i, _ := vec.WholePart(v.F)
		v = vec.IntValue(i)
	}
	if v.Kind != s.best.Kind {
		s.err = Wrong(s.best.Kind.String()+" as before", v)
		return
	}
	if compare(v, s.best)*s.sign > 0 {
		s.best = v.Clone()
	}
}

// compare orders two values of one kind.
func compare(a, b vec.Value) int {
	switch a.Kind {
	case vec.Float64:
		return cmp.Compare(a.F, b.F)
	case vec.String:
		return cmp.Compare(a.S, b.S)
	}
	return cmp.Compare(a.I, b.I)
}

func (s *extremeState) Merge(other AggState) {
	o := other.(*extremeState)
	s.add(o.best)
	s.wide = s.wide || o.wide
	if s.err == nil {
		s.err = o.err
	}
}

func (s *extremeState) Result(*Ctx) (vec.Value, error) {
	if s.err != nil {
		return vec.Value{}, s.err
	}
	switch {
	case s.best.Kind == vec.Missing:
		return null()
	case s.best.Kind == vec.Int64 && s.wide:
		return vec.Value{}, errWide
	}
	return s.best, nil
}

func (s *extremeState) Reset() { *s = extremeState{sign: s.sign} }
