package fn

import "github.com/weir-engine/weir/vec"

// Count is a number of rows, or of values that are not null.
type Count int64

// Add counts n more.
func (c *Count) Add(n int64) { *c += Count(n) }

// Merge adds what o counted.
func (c *Count) Merge(o Count) { *c += o }

// Result returns the count.
func (c Count) Result() vec.Value { return vec.IntValue(int64(c)) }

// countState is count.
type countState struct{ n Count }

func (s *countState) Add(args []vec.Value) {
	if len(args) == 0 || !args[0].IsNull() {
		s.n.Add(1)
	}
}

func (s *countState) Merge(other AggState) {
	s.n.Merge(other.(*countState).n)
}

func (s *countState) Result(*Ctx) (vec.Value, error) { return s.n.Result(), nil }

func (s *countState) Reset() { *s = countState{} }
