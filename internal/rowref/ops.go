package rowref

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// fault is an error of a row.
func fault(format string, args ...any) error { return fmt.Errorf(format, args...) }

// compare says how a stands to b, neither of which is null.
func compare(op sql.Op, a, b any) (bool, error) {
	var c int
	switch x := a.(type) {
	case bool:
		y, ok := b.(bool)
		if !ok || op != sql.OpEq && op != sql.OpNe {
			return false, fault("cannot compare %v with %v", a, b)
		}
		return (x == y) == (op == sql.OpEq), nil
	case string:
		y, ok := b.(string)
		if !ok {
			return false, fault("cannot compare %v with %v", a, b)
		}
		c = strings.Compare(x, y)
	default:
		p, ok := exactly(a)
		q, ok2 := exactly(b)
		if !ok || !ok2 {
			return false, fault("cannot compare %v with %v", a, b)
		}
		c = p.Cmp(q)
	}
	switch op {
	case sql.OpEq:
		return c == 0, nil
	case sql.OpNe:
		return c != 0, nil
	case sql.OpLt:
		return c < 0, nil
	case sql.OpLe:
		return c <= 0, nil
	case sql.OpGt:
		return c > 0, nil
	}
	return c >= 0, nil
}

// isNested tells whether v is an array or an object, which no operator takes on
// its left.
func isNested(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return true
	}
	return false
}

// exactly returns a number without loss.
func exactly(v any) (*big.Float, bool) {
	f := new(big.Float).SetPrec(128)
	switch v := v.(type) {
	case int64:
		return f.SetInt64(v), true
	case vec.Exact:
		return f.SetInt64(int64(v)), true
	case float64:
		if math.IsNaN(v) {
			return nil, false
		}
		return f.SetFloat64(v), true
	}
	return nil, false
}

// arith computes a op b, neither of which is null.
func arith(op sql.Op, a, b any) (any, error) {
	bad := fault("cannot compute %v %s %v", a, op, b)
	if p, ok := a.(bool); ok {
		q, ok := b.(bool)
		switch {
		case !ok:
		case op == sql.OpBitAnd:
			return p && q, nil
		case op == sql.OpBitOr:
			return p || q, nil
		case op == sql.OpBitXor:
			return p != q, nil
		}
		return nil, bad
	}
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		return whole(op, x, y)
	}
	f, ok := float(a)
	g, ok2 := float(b)
	if !ok || !ok2 {
		return nil, bad
	}
	switch op {
	case sql.OpAdd:
		return f + g, nil
	case sql.OpSub:
		return f - g, nil
	case sql.OpMul:
		return f * g, nil
	case sql.OpDiv, sql.OpMod:
		if g == 0 {
			return nil, fault("divided by zero")
		}
		if op == sql.OpDiv {
			return f / g, nil
		}
		return math.Mod(f, g), nil
	}
	return nil, bad
}

func whole(op sql.Op, x, y int64) (any, error) {
	switch op {
	case sql.OpAdd:
		return x + y, nil
	case sql.OpSub:
		return x - y, nil
	case sql.OpMul:
		return x * y, nil
	case sql.OpBitAnd:
		return x & y, nil
	case sql.OpBitOr:
		return x | y, nil
	case sql.OpBitXor:
		return x ^ y, nil
	}
	if y == 0 {
		return nil, fault("divided by zero")
	}
	if op == sql.OpDiv {
		return x / y, nil
	}
	return x % y, nil
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case vec.Exact:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// matches tells whether s is what a LIKE pattern describes, by trying every end of
// every %.
func matches(s, pattern []rune, escape rune) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	p, rest := pattern[0], pattern[1:]
	switch {
	case p == escape && escape != 0 && len(rest) > 0 && (rest[0] == '%' || rest[0] == '_' || rest[0] == escape):
		return len(s) > 0 && s[0] == rest[0] && matches(s[1:], rest[1:], escape)
	case p == '%':
		for i := 0; ; i++ {
			if matches(s[i:], rest, escape) {
				return true
			}
			if i == len(s) || s[i] == '\n' {
				return false
			}
		}
	case p == '_':
		return len(s) > 0 && s[0] != '\n' && matches(s[1:], rest, escape)
	}
	return len(s) > 0 && s[0] == p && matches(s[1:], rest, escape)
}

// position returns a place in a list of n from a number that may count from the
// end.
func position(v any, n int) (int, bool) {
	i, ok := v.(int64)
	if f, isFloat := v.(float64); isFloat {
		i, ok = int64(f), math.Abs(f) < 1<<53
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok
}
