package fn

import (
	"math"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// nasty are values of every kind, and those that trip functions.
var nasty = []vec.Value{
	{},
	vec.NullValue, vec.IntValue(3), vec.StringValue("a,b"), vec.JSONValue(`[1,null,"x",[2],{"k":1}]`), vec.JSONValue(`{"a":{"b":[1]},"key":"k","value":2}`),
	vec.FloatValue(-1.5), vec.IntValue(-1), vec.BoolValue(true), vec.StringValue(""), vec.FloatValue(math.NaN()), vec.FloatValue(math.Inf(1)),
	vec.IntValue(math.MinInt64), vec.IntValue(math.MaxInt64), vec.FloatValue(1e300), vec.TimeValue(math.MaxInt64), vec.BytesValue([]byte{0xff, 0}),
	vec.StringValue("2024-02-29 12:30:45"), vec.StringValue("\xff("), vec.StringValue("bigint"), vec.StringValue("array_map"), vec.StringValue("$..*"),
	vec.JSONValue(`[ ]`), vec.JSONValue(`{}`), vec.JSONValue(`[`), vec.JSONValue(``), vec.TreeValue([]any{int64(1), nil, "x"}), vec.TreeValue(map[string]any{}),
	vec.TreeValue([]any{}),
}

// TestNoPanic calls every function with every combination of nasty values: a fault
// is an error, never a panic, and a result without an error can be written as text.
func TestNoPanic(t *testing.T) {
	c := newCtx()
	c.State = nil
	for _, f := range All() {
		most := f.MaxArgs
		if most < 0 {
			most = max(f.MinArgs, 2)
		}
		for n := f.MinArgs; n <= most; n++ {
			pool := nasty
			if n == 3 {
				pool = nasty[:14]
			} else if n > 3 {
				pool = nasty[:5]
			}
			each(make([]vec.Value, n), 0, pool, func(args []vec.Value) { callAnyhow(t, c, f, args) })
		}
	}
}

func each(args []vec.Value, i int, pool []vec.Value, call func([]vec.Value)) {
	if i == len(args) {
		call(args)
		return
	}
	for _, v := range pool {
		args[i] = v
		each(args, i+1, pool, call)
	}
}

func callAnyhow(t *testing.T, c *Ctx, f *Func, args []vec.Value) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s(%v): panic: %v", f.Name, args, r)
		}
	}()
	switch {
	case f.Row != nil:
		if v, err := f.Call(c, args); err == nil {
			_ = Text(v)
		}
	case f.Agg != nil:
		s := f.Agg.New()
		if f.NeedsRow {
			args = append(args, vec.NullValue)
		}
		s.Add(args)
		s.Add(args)
		_, _ = s.Result(c)
	case f.Analytic != nil:
		s := f.Analytic.New()
		_, _ = s.Apply(c, args, true)
		_, _ = s.Apply(c, args, false)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		v    vec.Value
		want string
	}{
		{vec.FloatValue(12345678), "12345678"},
		{vec.FloatValue(123456), "123456"},
		{vec.FloatValue(1e20), "100000000000000000000"},
		{vec.FloatValue(0.00001), "0.00001"},
		{vec.ExactValue(1<<53 + 1), "9007199254740993"},
		{vec.FloatValue(math.Inf(-1)), "-Inf"},
		{vec.IntValue(1710498030123), "1710498030123"},
		{vec.NullValue, ""},
		{vec.BoolValue(true), "true"},
		{vec.JSONValue(`{"b":[1.5,"x",null,true],"a":{}}`), "map[a:map[] b:[1.5 x <nil> true]]"},
		{vec.TimeValue(1709209845123), "2024-02-29 12:30:45.123 +0000 UTC"},
	} {
		if got := Text(tt.v); got != tt.want {
			t.Errorf("Text(%v): got %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestExported(t *testing.T) {
	if ms, ok := ParseTime("2024-02-29T12:30:45.123Z", nil); !ok || ms != testNow {
		t.Errorf("ParseTime: got %d %v", ms, ok)
	}
	if _, ok := ParseTime("nonsense", nil); ok {
		t.Error("ParseTime of nonsense: got a time")
	}
	var s ChangedCols
	if !s.Changed(1, vec.IntValue(1), true) || s.Changed(1, vec.IntValue(1), true) || s.Changed(1, vec.NullValue, true) || !s.Changed(1, vec.NullValue, false) {
		t.Error("ChangedCols.Changed: got another answer")
	}
	if !s.ChangedName("a", vec.StringValue("x"), false) || s.ChangedName("a", vec.StringValue("x"), false) || s.ChangedName("b", vec.NullValue, false) {
		t.Error("ChangedCols.ChangedName: got another answer")
	}
}
