package scalar_test

import (
	"testing"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

func shown(v vec.Value, err error) string {
	if err != nil {
		return err.Error()
	}
	return fn.Show(v)
}

func TestBinary(t *testing.T) {
	i, f, s, b, null := vec.IntValue, vec.FloatValue, vec.StringValue, vec.BoolValue, vec.NullValue
	for _, tt := range []struct {
		op   planner.Op
		a, b vec.Value
		want string
	}{
		{planner.OpAdd, i(1<<63 - 1), i(1), "int64(-9223372036854775808)"},
		{planner.OpDiv, i(7), i(2), "int64(3)"},
		{planner.OpDiv, i(7), f(2), "float64(3.5)"},
		{planner.OpDiv, i(7), i(0), "divided by zero"},
		{planner.OpMod, f(7), f(0), "divided by zero"},
		{planner.OpBitXor, b(true), b(true), "bool(false)"},
		{planner.OpBitAnd, f(1), i(1), "invalid operation float64(1) & int64(1)"},
		{planner.OpSub, s("x"), i(1), "invalid operation string(x) - int64(1)"},
		{planner.OpSub, s("x"), null, "null"},
		{planner.OpSub, vec.JSONValue("[1]"), null, "invalid operation [1] - null"},
		{planner.OpLt, i(1<<53 + 1), f(1 << 53), "bool(false)"},
		{planner.OpGt, i(1<<53 + 1), f(1 << 53), "bool(true)"},
		{planner.OpLt, b(false), b(true), "invalid operation bool(false) < bool(true)"},
		{planner.OpNe, b(false), b(true), "bool(true)"},
		{planner.OpEq, null, null, "bool(false)"},
		{planner.OpEq, s("1970-01-01T00:00:01Z"), vec.TimeValue(1000), "bool(true)"},
		{planner.OpAnd, null, b(true), "bool(false)"},
		{planner.OpAnd, b(false), i(1), "bool(false)"},
		{planner.OpAnd, b(true), i(1), "invalid operation bool(true) AND int64(1)"},
		{planner.OpOr, b(false), null, "bool(false)"},
		{planner.OpConcat, s("x"), i(1), "string(x1)"},
	} {
		if got := shown(scalar.Binary(tt.op, tt.a, tt.b, time.UTC)); got != tt.want {
			t.Errorf("%s %s %s: got %s, want %s", fn.Show(tt.a), tt.op, fn.Show(tt.b), got, tt.want)
		}
	}
}

func TestIn(t *testing.T) {
	list := []vec.Value{vec.NullValue, vec.IntValue(1), vec.StringValue("x"), vec.IntValue(2)}
	for _, tt := range []struct {
		v    vec.Value
		not  bool
		want string
	}{
		{vec.FloatValue(1), false, "bool(true)"},
		{vec.FloatValue(1), true, "bool(false)"},
		{vec.IntValue(2), false, "invalid operation int64(2) = string(x)"}, // one of another kind before it
		{vec.NullValue, true, "bool(false)"},
		{vec.JSONValue("{}"), false, "invalid operation {} IN null"},
	} {
		if got := shown(scalar.In(tt.v, list, tt.not, nil)); got != tt.want {
			t.Errorf("%s: got %s, want %s", fn.Show(tt.v), got, tt.want)
		}
	}
	if got := shown(scalar.InArray(vec.IntValue(2), vec.JSONValue("[1,2]"), false, nil)); got != "bool(true)" {
		t.Errorf("in an array: got %s", got)
	}
}

func TestBetween(t *testing.T) {
	i := vec.IntValue
	for _, tt := range []struct {
		x, lo, hi vec.Value
		not       bool
		want      string
	}{
		{i(2), i(1), vec.FloatValue(2), false, "bool(true)"},
		{i(2), i(1), vec.FloatValue(2), true, "bool(false)"},
		{i(0), i(1), i(2), true, "bool(true)"},
		{i(0), i(1), vec.NullValue, true, "bool(false)"},
		{i(0), i(1), vec.StringValue("x"), false, "invalid operation int64(0) <= string(x)"},
	} {
		if got := shown(scalar.Between(tt.x, tt.lo, tt.hi, tt.not, nil)); got != tt.want {
			t.Errorf("%s between %s and %s: got %s, want %s", fn.Show(tt.x), fn.Show(tt.lo), fn.Show(tt.hi), got, tt.want)
		}
	}
}

func TestNested(t *testing.T) {
	list, open := vec.JSONValue(`["a","b","c"]`), vec.NullValue
	at := vec.IntValue
	for _, tt := range []struct{ name, got, want string }{
		{"index", shown(scalar.Index(list, vec.IntValue(-1))), "string(c)"},
		{"index behind", shown(scalar.Index(list, vec.IntValue(3))), "index out of range: 3 of 3"},
		{"index by text", shown(scalar.Index(list, vec.StringValue("a"))), "the index of an array is no position: want a number, got string(a)"},
		{"index of null", shown(scalar.Index(vec.NullValue, vec.IntValue(0))), "null"},
		{"slice", shown(scalar.Slice(list, at(1), open)), `["b","c"]`},
		{"slice behind", shown(scalar.Slice(list, at(3), open)), "slice out of range: 3: of 3"},
		{"arrow", fn.Show(scalar.Arrow(vec.JSONValue(`{"k":{"l":1}}`), "k")), `{"l":1}`},
		{"arrow of a text", fn.Show(scalar.Arrow(vec.StringValue("k"), "k")), "null"},
		{"negate", shown(scalar.Negate(vec.StringValue("x"))), "invalid operation - string(x)"},
		{"invert", shown(scalar.Invert(vec.BoolValue(true))), "bool(false)"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		s, pattern string
		escape     rune
		want       bool
	}{
		{"abc", "a%", '\\', true},
		{"abc", "_b_", '\\', true},
		{"abc", "_b", '\\', false},
		{"a%c", `a\%c`, '\\', true},
		{"abc", `a\%c`, '\\', false},
		{"a_c", "a!_c", '!', true},
		{`a\c`, `a\_`, 0, true},
		{"a\nc", "a%c", '\\', false},
		{"aaab", "%a%b", '\\', true},
		{"größe", "gr__e", '\\', true},
	} {
		if got := scalar.Like(tt.s, tt.pattern, tt.escape); got != tt.want {
			t.Errorf("%q LIKE %q: got %v", tt.s, tt.pattern, got)
		}
	}
}
