package fn

import "github.com/weir-engine/weir/vec"

// countState is count: of rows, or of values that are not null.
type countState struct {
	rows, n int64
}

func (s *countState) Add(args []vec.Value) {
	s.rows++
	if len(args) == 0 || !args[0].IsNull() {
		s.n++
	}
}

func (s *countState) Merge(other AggState) {
	o := other.(*countState)
	s.rows, s.n = s.rows+o.rows, s.n+o.n
}

func (s *countState) Result(*Ctx) (vec.Value, error) {
	if s.rows == 0 {
		return null()
	}
	return integer(s.n)
}

func (s *countState) Reset() { *s = countState{} }
