// Package scalar is what every operator of the dialect means for single values. The
// kernels of exec are the fast form of the same for columns of one kind; whatever
// they do not take comes here. It keeps no state and knows no rule: an error is a
// fault of the row whose values it was given.
//
// Values are borrowed until return. Results and errors may share parts of the
// arguments, so they are valid as long as these are.
package scalar

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// OpError is an operation whose operands do not fit; its text is made only if
// somebody reads it.
type OpError struct {
	Op   planner.Op
	A, B vec.Value
}

// Error shows the operation with its operands, as eKuiper does.
func (e OpError) Error() string {
	if e.Op == planner.OpNeg || e.Op == planner.OpNot {
		return fmt.Sprintf("invalid operation %s %s", e.Op, fn.Show(e.B))
	}
	return fmt.Sprintf("invalid operation %s %s %s", fn.Show(e.A), e.Op, fn.Show(e.B))
}

// ErrZero is the fault of a division by zero.
var ErrZero = errors.New("divided by zero")

// Binary computes a op b for the operators of two operands.
func Binary(op planner.Op, a, b vec.Value, loc *time.Location) (vec.Value, error) {
	switch op {
	case planner.OpAnd:
		switch {
		case a.IsNull():
			return vec.BoolValue(false), nil
		case a.Kind != vec.Bool || a.I != 0 && !b.IsNull() && b.Kind != vec.Bool:
			return vec.Value{}, OpError{op, a, b}
		}
		return vec.BoolValue(a.I != 0 && b.Truth()), nil
	case planner.OpOr:
		switch {
		case a.IsNull():
			return vec.BoolValue(false), nil
		case a.Kind != vec.Bool || a.I == 0 && !b.IsNull() && b.Kind != vec.Bool:
			return vec.Value{}, OpError{op, a, b}
		}
		return vec.BoolValue(a.I != 0 || b.Truth()), nil
	case planner.OpConcat:
		if a.IsNull() || b.IsNull() {
			return vec.NullValue, nil
		}
		return vec.StringValue(fn.Text(a) + fn.Text(b)), nil
	}
	if a.Kind == vec.JSON {
		// Nested values on the left have no operators, whatever is on the right.
		return vec.Value{}, OpError{op, a, b}
	}
	if op.Comparison() {
		if a.IsNull() || b.IsNull() {
			return vec.BoolValue(false), nil
		}
		return Compare(op, a, b, loc)
	}
	if a.IsNull() || b.IsNull() {
		return vec.NullValue, nil
	}
	return arith(op, a, b)
}

// Compare decides a op b for values that are not null.
func Compare(op planner.Op, a, b vec.Value, loc *time.Location) (vec.Value, error) {
	c, ok := Order(op, a, b, loc)
	if !ok {
		return vec.Value{}, OpError{op, a, b}
	}
	var r bool
	switch op {
	case planner.OpEq:
		r = c == 0
	case planner.OpNe:
		r = c != 0
	case planner.OpLt:
		r = c < 0
	case planner.OpLe:
		r = c <= 0
	case planner.OpGt:
		r = c > 0
	case planner.OpGe:
		r = c >= 0
	}
	return vec.BoolValue(r), nil
}

// Order says how a stands to b: negative, 0 or positive. ok is false if they cannot
// be compared by op: booleans have no order, but are equal or not.
func Order(op planner.Op, a, b vec.Value, loc *time.Location) (c int, ok bool) {
	switch {
	case a.Kind == vec.Timestamp || b.Kind == vec.Timestamp:
		x, okA := Instant(a, loc)
		y, okB := Instant(b, loc)
		return vec.CompareNumbers(x, y), okA && okB
	case a.Kind.Numeric() && b.Kind.Numeric():
		return vec.CompareNumbers(a, b), true
	case a.Kind == vec.String && b.Kind == vec.String:
		return strings.Compare(a.S, b.S), true
	case a.Kind == vec.Bytes && b.Kind == vec.Bytes:
		return strings.Compare(a.S, b.S), true
	case a.Kind == vec.Bool && b.Kind == vec.Bool:
		return cmp.Compare(a.I, b.I), op == planner.OpEq || op == planner.OpNe
	}
	return 0, false
}

// Instant returns a point in time as a number of ms: datetimes, numbers and texts.
func Instant(v vec.Value, loc *time.Location) (vec.Value, bool) {
	switch v.Kind {
	case vec.Timestamp:
		return vec.IntValue(v.I), true
	case vec.Int64, vec.Float64:
		return v, true
	case vec.String:
		ms, ok := fn.ParseTime(v.S, loc)
		return vec.IntValue(ms), ok
	}
	return vec.Value{}, false
}

// arith computes a op b for values that are not null. Whole numbers stay whole
// (division truncates, overflow wraps); with a float both are floats.
func arith(op planner.Op, a, b vec.Value) (vec.Value, error) {
	bad := func() (vec.Value, error) { return vec.Value{}, OpError{op, a, b} }
	if a.Kind == vec.Bool && b.Kind == vec.Bool {
		switch op {
		case planner.OpBitAnd:
			return vec.BoolValue(a.I&b.I != 0), nil
		case planner.OpBitOr:
			return vec.BoolValue(a.I|b.I != 0), nil
		case planner.OpBitXor:
			return vec.BoolValue(a.I != b.I), nil
		}
	}
	if !a.Kind.Numeric() || !b.Kind.Numeric() {
		return bad()
	}
	if a.Kind == vec.Int64 && b.Kind == vec.Int64 {
		x, y := a.I, b.I
		switch op {
		case planner.OpAdd:
			return vec.IntValue(x + y), nil
		case planner.OpSub:
			return vec.IntValue(x - y), nil
		case planner.OpMul:
			return vec.IntValue(x * y), nil
		case planner.OpBitAnd:
			return vec.IntValue(x & y), nil
		case planner.OpBitOr:
			return vec.IntValue(x | y), nil
		case planner.OpBitXor:
			return vec.IntValue(x ^ y), nil
		}
		if y == 0 {
			return vec.Value{}, ErrZero
		}
		if op == planner.OpDiv {
			return vec.IntValue(x / y), nil
		}
		return vec.IntValue(x % y), nil
	}
	x, _ := a.Float()
	y, _ := b.Float()
	switch op {
	case planner.OpAdd:
		return vec.FloatValue(x + y), nil
	case planner.OpSub:
		return vec.FloatValue(x - y), nil
	case planner.OpMul:
		return vec.FloatValue(x * y), nil
	case planner.OpDiv, planner.OpMod:
		if y == 0 {
			return vec.Value{}, ErrZero
		}
		if op == planner.OpDiv {
			return vec.FloatValue(x / y), nil
		}
		return vec.FloatValue(math.Mod(x, y)), nil
	}
	return bad()
}

// In decides x IN list. The elements are compared one after the other up to the
// first that is equal; one of another kind before it is a fault.
func In(x vec.Value, list []vec.Value, not bool, loc *time.Location) (vec.Value, error) {
	if x.IsNull() {
		return vec.BoolValue(false), nil
	}
	if x.Kind == vec.JSON {
		return vec.Value{}, OpError{planner.OpIn, x, vec.Value{}}
	}
	for _, y := range list {
		if y.IsNull() {
			continue
		}
		c, ok := Order(planner.OpEq, x, y, loc)
		switch {
		case !ok:
			return vec.Value{}, OpError{planner.OpEq, x, y}
		case c == 0:
			return vec.BoolValue(!not), nil
		}
	}
	return vec.BoolValue(not), nil
}

// Between decides lo <= x <= hi; with a null it is false, negated or not.
func Between(x, lo, hi vec.Value, not bool, loc *time.Location) (vec.Value, error) {
	if x.Kind == vec.JSON {
		return vec.Value{}, OpError{planner.OpBetween, x, lo}
	}
	if x.IsNull() || lo.IsNull() || hi.IsNull() {
		return vec.BoolValue(false), nil
	}
	a, err := Compare(planner.OpGe, x, lo, loc)
	if err != nil {
		return a, err
	}
	b, err := Compare(planner.OpLe, x, hi, loc)
	return vec.BoolValue(a.Truth() && b.Truth() != not || not && !a.Truth()), err
}

// Negate returns -v.
func Negate(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return vec.NullValue, nil
	case vec.Int64:
		return vec.IntValue(-v.I), nil
	case vec.Float64:
		if v.I != 0 {
			return vec.ExactValue(-v.I), nil
		}
		return vec.FloatValue(-v.F), nil
	}
	return vec.Value{}, OpError{planner.OpNeg, vec.NullValue, v}
}

// Invert returns NOT v.
func Invert(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return vec.NullValue, nil
	case vec.Bool:
		return vec.BoolValue(v.I == 0), nil
	}
	return vec.Value{}, OpError{planner.OpNot, vec.NullValue, v}
}
