package fn

import "github.com/weir-engine/weir/vec"

// sumState is sum and avg. The first value that is not null decides: after a whole
// number, floats are cut off to whole numbers; after a float, a whole number is a
// fault. Both sums are kept, since which of them counts may be known only after a
// Merge.
type sumState struct {
	avg    bool
	first  vec.Kind // of the first number, Missing before
	n      int64
	ints   int64
	floats float64
	anyInt bool
	wide   bool // a float did not fit into ints
	err    error
}

func (s *sumState) Add(args []vec.Value) {
	v := args[0]
	switch v.Kind {
	case vec.Missing, vec.Null:
		return
	case vec.Int64:
		s.ints += v.I
		s.floats += float64(v.I)
		s.anyInt = true
	case vec.Float64:
		i, ok := vec.WholePart(v.F)
		s.wide = s.wide || !ok
		s.ints += i
		s.floats += v.F
	default:
		if s.err == nil {
			s.err = Wrong("numbers", v)
		}
		return
	}
	if s.first == vec.Missing {
		s.first = v.Kind
	}
	s.n++
}

func (s *sumState) Merge(other AggState) {
	o := other.(*sumState)
	if s.first == vec.Missing {
		s.first = o.first
	}
	if s.err == nil {
		s.err = o.err
	}
	s.n, s.ints, s.floats, s.anyInt = s.n+o.n, s.ints+o.ints, s.floats+o.floats, s.anyInt || o.anyInt
	s.wide = s.wide || o.wide
}

func (s *sumState) Result(*Ctx) (vec.Value, error) {
	switch {
	case s.err != nil:
		return vec.Value{}, s.err
	case s.first == vec.Missing:
		return null()
	case s.first == vec.Int64 && s.wide:
		return vec.Value{}, errWide
	case s.first == vec.Int64 && s.avg:
		return integer(s.ints / s.n)
	case s.first == vec.Int64:
		return integer(s.ints)
	case s.anyInt:
		return vec.Value{}, errMixed
	case s.avg:
		return vec.FloatValue(s.floats / float64(s.n)), nil
	}
	return vec.FloatValue(s.floats), nil
}

func (s *sumState) Reset() { *s = sumState{avg: s.avg} }
