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
	if n.Op == planner.OpIndex || n.Op == planner.OpArrow {
		return vec.Value{}, errors.New("not folded")
	}
	return compute(n, args, loc)
}

// ComputeIn returns what computes an operation, or a call of a scalar function, for
// values of its operands, as rows are computed in a time zone.
func ComputeIn(loc *time.Location) func(*planner.Node, []vec.Value) (vec.Value, error) {
	return func(n *planner.Node, args []vec.Value) (vec.Value, error) { return compute(n, args, loc) }
}

func compute(n *planner.Node, args []vec.Value, loc *time.Location) (vec.Value, error) {
	if n.Op != planner.OpCall {
		return operation(n, args, loc)
	}
	f, ok := fn.Lookup(n.Func.Name)
	if !ok || f.Row == nil {
		return vec.Value{}, errors.New("not folded")
	}
	return f.Call(&fn.Ctx{Location: loc}, args)
}

// operation computes what depends on the values of the operands alone.
func operation(n *planner.Node, a []vec.Value, loc *time.Location) (vec.Value, error) {
	switch n.Op {
	case planner.OpNeg:
		return scalar.Negate(a[0])
	case planner.OpNot:
		return scalar.Invert(a[0])
	case planner.OpArrow:
		return scalar.Arrow(a[0], n.Key), nil
	case planner.OpIndex:
		return scalar.Index(a[0], a[1])
	case planner.OpSlice:
		return scalar.Slice(a[0], a[1], a[2])
	case planner.OpIsNull:
		return vec.BoolValue(a[0].IsNull() != n.Not), nil
	case planner.OpIn:
		return scalar.In(a[0], a[1:], n.Not, loc)
	case planner.OpInArray:
		return scalar.InArray(a[0], a[1], n.Not, loc)
	case planner.OpBetween:
		return scalar.Between(a[0], a[1], a[2], n.Not, loc)
	case planner.OpLike:
		return scalar.LikeValue(a[0], a[1], escapeOf(a), n.Not)
	}
	return scalar.Binary(n.Op, a[0], a[1], loc)
}
