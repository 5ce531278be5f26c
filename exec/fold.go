package exec

import (
	"errors"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// FoldIn returns what computes an operation on constants for the binder, as rows
// are computed in a time zone. An error leaves the operation as it is.
func FoldIn(loc *time.Location) func(*planner.Node) (vec.Value, error) {
	return func(n *planner.Node) (vec.Value, error) { return fold(n, loc) }
}

func fold(n *planner.Node, loc *time.Location) (vec.Value, error) {
	args := make([]vec.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = a.Value
	}
	switch n.Op {
	case planner.OpNeg:
		return scalar.Negate(args[0])
	case planner.OpNot:
		return scalar.Invert(args[0])
	case planner.OpIndex, planner.OpArrow:
		return vec.Value{}, errors.New("not folded")
	case planner.OpCall:
		f, ok := fn.Lookup(n.Func.Name)
		if !ok || f.Row == nil {
			return vec.Value{}, errors.New("not folded")
		}
		return f.Call(&fn.Ctx{Location: loc}, args)
	}
	return scalar.Binary(n.Op, args[0], args[1], loc)
}
