package exec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// The scalar operators: what every operation means for single values. Kernels
// are the fast form of the same for columns of one kind; whatever they do not
// take comes here. An error is a fault of the row.

// opError is an operation whose operands do not fit; its text is made only if
// somebody reads it.
type opError struct {
	op   planner.Op
	a, b vec.Value
}

func (e opError) Error() string {
	return fmt.Sprintf("invalid operation %s %s %s", show(e.a), e.op, show(e.b))
}

func show(v vec.Value) string {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return "null"
	case vec.String:
		return "string(" + clip(v.S) + ")"
	case vec.Int64:
		return "int64(" + strconv.FormatInt(v.I, 10) + ")"
	case vec.Float64:
		return "float64(" + strconv.FormatFloat(v.F, 'g', -1, 64) + ")"
	case vec.Bool:
		return "bool(" + strconv.FormatBool(v.I != 0) + ")"
	case vec.JSON:
		if v.X != nil {
			return clip(fmt.Sprint(v.X))
		}
		return clip(v.S)
	}
	return v.Kind.String()
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.Clone(s[:64]) + "..."
	}
	return strings.Clone(s)
}

var errZero = fmt.Errorf("divided by zero")

// binary computes a op b for the operators of two operands.
func binary(op planner.Op, a, b vec.Value, loc *time.Location) (vec.Value, error) {
	switch op {
	case planner.OpAnd:
		switch {
		case a.IsNull():
			return vec.BoolValue(false), nil
		case a.Kind != vec.Bool || a.I != 0 && !b.IsNull() && b.Kind != vec.Bool:
			return vec.Value{}, opError{op, a.Clone(), b.Clone()}
		}
		return vec.BoolValue(a.I != 0 && b.Truth()), nil
	case planner.OpOr:
		switch {
		case a.IsNull():
			return vec.BoolValue(false), nil
		case a.Kind != vec.Bool || a.I == 0 && !b.IsNull() && b.Kind != vec.Bool:
			return vec.Value{}, opError{op, a.Clone(), b.Clone()}
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
		return vec.Value{}, opError{op, a.Clone(), b.Clone()}
	}
	if op.Comparison() {
		if a.IsNull() || b.IsNull() {
			return vec.BoolValue(false), nil
		}
		return compare(op, a, b, loc)
	}
	if a.IsNull() || b.IsNull() {
		return vec.NullValue, nil
	}
	return arith(op, a, b)
}

// compare decides a op b for values that are not null.
func compare(op planner.Op, a, b vec.Value, loc *time.Location) (vec.Value, error) {
	c, ok := order(op, a, b, loc)
	if !ok {
		return vec.Value{}, opError{op, a.Clone(), b.Clone()}
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

// order says how a stands to b: negative, 0 or positive.
func order(op planner.Op, a, b vec.Value, loc *time.Location) (int, bool) {
	switch {
	case a.Kind == vec.Timestamp || b.Kind == vec.Timestamp:
		x, ok := instant(a, loc)
		y, ok2 := instant(b, loc)
		return cmp(x, y), ok && ok2
	case a.Kind == vec.Int64 && b.Kind == vec.Int64:
		return cmp(a.I, b.I), true
	case a.Kind == vec.Int64 && b.Kind == vec.Float64:
		return cmpIntFloat(a.I, b.F), true
	case a.Kind == vec.Float64 && b.Kind == vec.Int64:
		return -cmpIntFloat(b.I, a.F), true
	case a.Kind == vec.Float64 && b.Kind == vec.Float64:
		return cmp(a.F, b.F), true
	case a.Kind == vec.String && b.Kind == vec.String:
		return strings.Compare(a.S, b.S), true
	case a.Kind == vec.Bytes && b.Kind == vec.Bytes:
		return strings.Compare(a.S, b.S), true
	case a.Kind == vec.Bool && b.Kind == vec.Bool:
		return cmp(a.I, b.I), op == planner.OpEq || op == planner.OpNe
	}
	return 0, false
}

func cmp[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// cmpIntFloat compares exactly, beyond 2^53 too.
func cmpIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	t := math.Trunc(f)
	if c := cmp(i, int64(t)); c != 0 {
		return c
	}
	return cmp(t, f)
}

// exactFloat returns i as float64; ok tells whether that is the same number. What
// a float64 beyond the range becomes as int64 differs between machines.
func exactFloat(i int64) (f float64, ok bool) {
	f = float64(i)
	return f, f < 1<<63 && int64(f) == i
}

// instant returns a point in time in ms: datetimes, numbers and texts.
func instant(v vec.Value, loc *time.Location) (float64, bool) {
	switch v.Kind {
	case vec.Timestamp, vec.Int64:
		return float64(v.I), true
	case vec.Float64:
		return v.F, true
	case vec.String:
		ms, ok := fn.ParseTime(v.S, loc)
		return float64(ms), ok
	}
	return 0, false
}

// arith computes a op b for values that are not null. Whole numbers stay whole
// (division truncates, overflow wraps); with a float both are floats.
func arith(op planner.Op, a, b vec.Value) (vec.Value, error) {
	bad := func() (vec.Value, error) { return vec.Value{}, opError{op, a.Clone(), b.Clone()} }
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
			return vec.Value{}, errZero
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
			return vec.Value{}, errZero
		}
		if op == planner.OpDiv {
			return vec.FloatValue(x / y), nil
		}
		return vec.FloatValue(math.Mod(x, y)), nil
	}
	return bad()
}

// in decides x IN list. The elements are compared one after the other up to the
// first that is equal; one of another kind before it is a fault.
func in(x vec.Value, list []vec.Value, not bool, loc *time.Location) (vec.Value, error) {
	if x.IsNull() {
		return vec.BoolValue(false), nil
	}
	if x.Kind == vec.JSON {
		return vec.Value{}, opError{op: planner.OpIn, a: x.Clone()}
	}
	for _, y := range list {
		if y.IsNull() {
			continue
		}
		c, ok := order(planner.OpEq, x, y, loc)
		switch {
		case !ok:
			return vec.Value{}, opError{planner.OpEq, x.Clone(), y.Clone()}
		case c == 0:
			return vec.BoolValue(!not), nil
		}
	}
	return vec.BoolValue(not), nil
}

// between decides lo <= x <= hi; with a null it is false, negated or not.
func between(x, lo, hi vec.Value, not bool, loc *time.Location) (vec.Value, error) {
	if x.Kind == vec.JSON {
		return vec.Value{}, opError{planner.OpBetween, x.Clone(), lo.Clone()}
	}
	if x.IsNull() || lo.IsNull() || hi.IsNull() {
		return vec.BoolValue(false), nil
	}
	a, err := compare(planner.OpGe, x, lo, loc)
	if err != nil {
		return a, err
	}
	b, err := compare(planner.OpLe, x, hi, loc)
	return vec.BoolValue(a.Truth() && b.Truth() != not || not && !a.Truth()), err
}

// negate returns -v.
func negate(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return vec.NullValue, nil
	case vec.Int64:
		return vec.IntValue(-v.I), nil
	case vec.Float64:
		return vec.FloatValue(-v.F), nil
	}
	return vec.Value{}, opError{planner.OpNeg, vec.NullValue, v.Clone()}
}

// invert returns NOT v.
func invert(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return vec.NullValue, nil
	case vec.Bool:
		return vec.BoolValue(v.I == 0), nil
	}
	return vec.Value{}, opError{planner.OpNot, vec.NullValue, v.Clone()}
}
