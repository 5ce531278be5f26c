package fn

import (
	"fmt"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// maxLag bounds what lag remembers for one partition.
const maxLag = 1 << 16

// lagState is lag: a ring of the last values, as many as the offset, which begins
// full of the default that the first row gives.
type lagState struct {
	ring  []vec.Value
	head  int // the oldest, which is the result
	ready bool
}

func (s *lagState) Apply(_ *Ctx, args []vec.Value, update bool) (vec.Value, error) {
	ignoreNull := true
	if len(args) == 4 {
		var err error
		if ignoreNull, err = flag(args[3]); err != nil {
			return vec.Value{}, err
		}
	}
	if !s.ready {
		if err := s.begin(args); err != nil {
			return vec.Value{}, err
		}
	}
	if len(s.ring) == 0 {
		return null()
	}
	v := s.ring[s.head]
	if update && !(ignoreNull && args[0].IsNull()) {
		s.ring[s.head] = args[0].Clone()
		s.head = (s.head + 1) % len(s.ring)
	}
	if v.IsNull() {
		return null()
	}
	return v, nil
}

func (s *lagState) begin(args []vec.Value) error {
	n := int64(1)
	if len(args) > 1 {
		var err error
		if n, err = whole(args[1]); err != nil {
			return err
		}
		if n < 0 || n > maxLag {
			return fmt.Errorf("an offset of %d is out of range", n)
		}
	}
	s.ring = make([]vec.Value, n)
	if len(args) > 2 {
		def := args[2].Clone()
		for i := range s.ring {
			s.ring[i] = def
		}
	}
	s.ready = true
	return nil
}

func checkLag(args []planner.FuncArg) error {
	if len(args) < 2 {
		return nil
	}
	l := args[1].Literal
	if l == nil || l.Kind != vec.Int64 {
		return expect("int", 1)
	}
	if l.I < 0 || l.I > maxLag {
		return fmt.Errorf("the index should be from 0 to %d, got %d", maxLag, l.I)
	}
	if len(args) == 4 && args[3].Literal != nil && args[3].Literal.Kind != vec.Bool {
		return expect("bool", 3)
	}
	return nil
}
