package fn

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// column makes a column of a kind; every third row is null, every fifth missing
// unless full, and what lies behind them is poison.
func column(kind vec.Kind, rows int, full bool) *vec.Column {
	floats := []float64{0, 1, -1.5, 2.5, 1e6, -7, 1700000000123, 1e300, 0.1, 42.4382}
	texts := []string{"", "abc", "12", "-1.5", "0x1f", "2024-02-29", "2024-02-29T12:30:45.5Z", "a/b/c", "  x ", "true", "grün", `{"a":[1,2]}`, "SGVsbG8="}
	c := new(vec.Column)
	c.Reset(rows)
	for row := range rows {
		if !full && row%3 == 0 {
			c.SetNull(row)
			continue
		}
		if !full && row%5 == 0 {
			continue
		}
		switch kind {
		case vec.Float64:
			c.SetFloat(row, floats[row%len(floats)])
		case vec.Int64:
			c.SetInt(row, int64(row*row*977-100))
		case vec.String:
			c.SetString(row, []byte(texts[row%len(texts)]))
		case vec.Bool:
			c.SetBool(row, row%2 == 0)
		case vec.Timestamp:
			c.SetTime(row, int64(row)*86_399_999)
		}
	}
	for row := range rows {
		if c.Valid.Has(row) {
			continue
		}
		switch c.Kind {
		case vec.Float64:
			c.Floats[row] = math.NaN()
		case vec.Int64, vec.Timestamp:
			c.Ints[row] = math.MinInt64
		case vec.String:
			c.Codes[row] = math.MaxUint32
		}
	}
	return c
}

// boundCall is a call bound with its first argument as a column.
type boundCall struct {
	name string
	Bound
	args []vec.Value // the first one is the column's
}

func bindCall(t testing.TB, call string) boundCall {
	t.Helper()
	e, err := parse(call)
	if err != nil {
		t.Fatal(err)
	}
	lits, args := make(Lits, len(e.args)), make([]vec.Value, len(e.args))
	for i, a := range e.args {
		if i > 0 && a.literal != nil {
			lits[i], args[i] = a.literal, *a.literal
		}
	}
	return boundCall{call, e.f.Bind(lits), args}
}

// TestVec compares kernels with row functions for all kinds, lengths and shapes of
// null, for the example of every function that has a kernel, and some more.
func TestVec(t *testing.T) {
	calls := []string{
		"round(x)", "round(x, -2)", "round(x, 400)", `cast(x, "float")`, `cast(x, "string")`, `cast(x, "datetime")`, `cast(x, "boolean")`,
		`cast(x, "bytea")`, `regexp_matches(x, "(")`, "substring(x, 1)", `split_value(x, "/", -1)`, `format_time(x, "H")`, `coalesce(x, 5)`,
	}
	for _, f := range All() {
		if f.Kind == planner.FuncScalar && f.MaxArgs != 0 {
			calls = append(calls, f.Example)
		}
	}
	c, used := newCtx(), map[string]bool{}
	for _, call := range calls {
		b := bindCall(t, call)
		if b.Vec == nil || b.Col != 0 {
			continue
		}
		for _, kind := range []vec.Kind{vec.Float64, vec.Int64, vec.String, vec.Bool, vec.Timestamp} {
			for _, rows := range []int{0, 1, 63, 64, 65, 1000} {
				for _, full := range []bool{true, false} {
					col := column(kind, rows, full)
					var dst vec.Column
					dst.As(vec.Bool) // whatever was in it before must not matter
					if b.Vec(c, &dst, col) {
						used[call] = true
						compareRows(t, fmt.Sprintf("%s kind=%v rows=%d full=%v", call, kind, rows, full), c, b, &dst, col)
					}
				}
			}
		}
	}
	if len(used) < 80 {
		t.Errorf("calls with kernels: got %d, want more", len(used))
	}
}

func compareRows(t *testing.T, name string, c *Ctx, b boundCall, dst, col *vec.Column) {
	t.Helper()
	if dst.Rows != col.Rows {
		t.Fatalf("%s: got %d rows, want %d", name, dst.Rows, col.Rows)
	}
	for row := range col.Rows {
		b.args[0] = col.Value(row)
		want, err := b.Row(c, b.args)
		fault := dst.Fault != nil && dst.Fault.Has(row)
		if fault != (err != nil) {
			t.Fatalf("%s row %d (%s): fault %v, row function says %v", name, row, display(b.args[0]), fault, err)
		}
		if got := dst.Value(row); !fault && display(got) != display(want) {
			t.Fatalf("%s row %d (%s): got %s, want %s", name, row, display(b.args[0]), display(got), display(want))
		}
		if fault && dst.Valid.Has(row) {
			t.Fatalf("%s row %d: a fault is valid", name, row)
		}
	}
}

// TestVecNull holds that a column without a value needs no row function.
func TestVecNull(t *testing.T) {
	b := bindCall(t, "abs(x)")
	col, dst := new(vec.Column), new(vec.Column)
	col.Kind, col.Rows = vec.Null, 100 // as a decoder leaves a column that no row has
	if !b.Vec(newCtx(), dst, col) || dst.Rows != 100 || dst.Valid.Any() {
		t.Errorf("abs of a column of nulls: got %+v", dst)
	}
}

func TestVecAllocs(t *testing.T) {
	c := newCtx()
	for call, kind := range map[string]vec.Kind{
		"abs(x)": vec.Float64, "round(x)": vec.Float64, "floor(x)": vec.Int64, "sqrt(x)": vec.Int64, "sin(x)": vec.Float64, `cast(x, "bigint")`: vec.Int64,
	} {
		b, col, dst := bindCall(t, call), column(kind, 1024, false), new(vec.Column)
		for i := range col.Ints {
			col.Ints[i] = int64(i) // square roots of negative numbers are faults, which take memory
		}
		if n := testing.AllocsPerRun(20, func() { b.Vec(c, dst, col) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", call, n)
		}
	}
}

func TestRowAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("regexp pools its machines, and the race detector empties pools")
	}
	c := newCtx()
	for call, arg := range map[string]vec.Value{
		"abs(x)": vec.FloatValue(-1), "round(x, 2)": vec.FloatValue(1.234), "length(x)": vec.StringValue("abc"),
		`startswith(x, "a")`: vec.StringValue("abc"), `regexp_matches(x, "b")`: vec.StringValue("abc"),
		`cast(x, "bigint")`: vec.StringValue("12"), `hour(x)`: vec.StringValue("2024-02-29 12:30:45"),
		`substring(x, 1, 2)`: vec.StringValue("abc"), `split_value(x, "/", 1)`: vec.StringValue("a/b/c"),
	} {
		b := bindCall(t, call)
		b.args[0] = arg
		if n := testing.AllocsPerRun(100, func() { _, _ = b.Row(c, b.args) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", call, n)
		}
	}
}

func BenchmarkVec(b *testing.B) {
	c := newCtx()
	for _, bench := range []struct {
		call string
		kind vec.Kind
	}{
		{"abs(x)", vec.Float64},
		{"round(x, 2)", vec.Float64},
		{"sqrt(x)", vec.Float64},
		{`cast(x, "bigint")`, vec.Float64},
		{`cast(x, "string")`, vec.String},
		{"upper(x)", vec.String},
		{"length(x)", vec.String},
		{`regexp_matches(x, "^a.*c$")`, vec.String},
		{`format_time(x, "yyyy-MM-dd HH:mm:ss")`, vec.Timestamp},
	} {
		bound, col, dst := bindCall(b, bench.call), column(bench.kind, 1024, true), new(vec.Column)
		b.Run("call="+strconv.Quote(bench.call)+"/type="+bench.kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !bound.Vec(c, dst, col) {
					b.Fatal("no kernel")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}

func BenchmarkRow(b *testing.B) {
	c := newCtx()
	for _, bench := range []struct {
		call string
		arg  vec.Value
	}{
		{"abs(x)", vec.FloatValue(-1)},
		{`cast(x, "float")`, vec.StringValue("12.5")},
		{`regexp_matches(x, "^a.*c$")`, vec.StringValue("abc")},
		{`day_name(x)`, vec.StringValue("2024-02-29 12:30:45")},
		{"length(x)", vec.JSONValue(`[1,2,3]`)},
		{"element_at(x, 1)", vec.JSONValue(`[1,2,3]`)},
		{"array_max(x)", vec.JSONValue(`[1,2,3]`)},
		{`json_path_query(x, "$.a[0]")`, vec.JSONValue(`{"a":[1,2]}`)},
	} {
		bound := bindCall(b, bench.call)
		bound.args[0] = bench.arg
		b.Run("call="+strconv.Quote(bench.call), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bound.Row(c, bound.args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
