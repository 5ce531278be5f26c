package fn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/timefmt"
)

// doubt is an argument that alone decides that a call fails, where it is a literal.
type doubt struct {
	arg int
	try func(v vec.Value) error
}

// doubtful are the arguments of functions that have a language or a range of their
// own. What is wrong with them is wrong for every row. Other literals are tried, see
// Func.try.
var doubtful = map[string]doubt{
	"regexp_matches": {1, tryPattern}, "regexp_replace": {1, tryPattern}, "regexp_substr": {1, tryPattern},
	"json_path_exists": {1, tryPath}, "json_path_query": {1, tryPath}, "json_path_query_first": {1, tryPath},
	"format_time": {1, func(v vec.Value) error { _, err := timefmt.Get(Text(v)); return err }},
	"convert_tz":  {1, func(v vec.Value) error { _, err := zone(Text(v)); return err }},
	"date_calc": {1, func(v vec.Value) error {
		if _, err := time.ParseDuration(Text(v)); err != nil {
			return Wrong("a duration", v)
		}
		return nil
	}},
	"cur_time": {0, tryDecimals}, "current_time": {0, tryDecimals}, "current_timestamp": {0, tryDecimals},
	"local_time": {0, tryDecimals}, "local_timestamp": {0, tryDecimals}, "now": {0, tryDecimals},
}

// seeking are functions that look for what a literal says: that they do not find it
// in samples says nothing.
var seeking = []string{"split_value", "element_at", "json_path_query", "json_path_query_first", "substring", "parse_time", "delay"}

// doubtOf returns what looks at the literals in calls of f; nil: nothing has to.
func doubtOf(f *Func) func([]planner.FuncArg) error {
	d, decides := doubtful[f.Name]
	tries := f.Kind == planner.FuncScalar && !f.Volatile && !f.Catches && f.Row != nil && !slices.Contains(seeking, f.Name)
	if !decides && !tries {
		return nil
	}
	return func(args []planner.FuncArg) error {
		if decides && d.arg < len(args) && args[d.arg].Literal != nil && !args[d.arg].Literal.IsNull() {
			if err := d.try(*args[d.arg].Literal); err != nil {
				return err
			}
		}
		if tries {
			return f.try(args)
		}
		return nil
	}
}

// maxTried bounds the arguments of a call that are no literals and are tried.
const maxTried = 2

// try calls f with the literals of a call and samples in place of the other arguments.
// It returns what the first call failed with if all did.
func (f *Func) try(facts []planner.FuncArg) error {
	lits, args, open := make(Lits, len(facts)), make([]vec.Value, len(facts)), 0
	for i, a := range facts {
		switch {
		case a.Star:
			return nil
		case a.Literal == nil:
			open++
		case a.Literal.IsNull():
			return nil
		default:
			lits[i], args[i] = a.Literal, *a.Literal
		}
	}
	if open == 0 || open > maxTried || open == len(facts) {
		return nil
	}
	row, c := f.Bind(lits).Row, &Ctx{}
	var first error
	var each func(i int) (good bool)
	each = func(i int) bool {
		for ; i < len(args); i++ {
			if lits[i] == nil {
				return slices.ContainsFunc(samples(), func(v vec.Value) bool {
					args[i] = v
					return each(i + 1)
				})
			}
		}
		_, err := row(c, args)
		if _, kind := first.(wrongKind); first == nil || kind { // which may be the sample's
			first = cmp.Or(err, first)
		}
		return err == nil
	}
	if each(0) {
		return nil
	}
	return first
}

// samples are values of all kinds and forms that some function can take.
var samples = sync.OnceValue(func() []vec.Value {
	long, pairs := make([]any, 8), make([]any, 2)
	for i := range long {
		long[i] = float64(i)
	}
	for i := range pairs {
		pairs[i] = map[string]any{"key": "k", "value": float64(i)}
	}
	out := []vec.Value{
		vec.StringValue("abc"), vec.IntValue(1), vec.IntValue(17), vec.FloatValue(2.5), vec.StringValue("2024-03-15 10:20:30"), vec.StringValue("0x1f"),
		vec.StringValue("SGVsbG8="), vec.StringValue(`{"a":[1,2]}`), vec.StringValue("12"), vec.BoolValue(true), vec.TimeValue(1), vec.BytesValue([]byte("x")),
		vec.TreeValue(long), vec.TreeValue(pairs), vec.TreeValue([]any{"a", "b"}), vec.TreeValue([]any{[]any{"a", "b"}}),
		vec.TreeValue(map[string]any{"a": map[string]any{"b": []any{1.0}}}),
	}
	for _, s := range []string{"1h", "base64", "UTC", "bigint", "en", "yyyy"} {
		out = append(out, vec.StringValue(s))
	}
	for _, codec := range codecs {
		if v, err := compressRow(nil, []vec.Value{vec.StringValue("x"), vec.StringValue(codec)}); err == nil {
			out = append(out, v)
		}
	}
	return out
})

func tryPattern(v vec.Value) error {
	_, err := compile(Text(v))
	return err
}

func tryPath(v vec.Value) error {
	_, err := compilePath(Text(v))
	return err
}

func tryDecimals(v vec.Value) error {
	if n, err := whole(v); err != nil || n < 0 || n > 6 {
		return fmt.Errorf("want 0 to 6 decimals of a second, got %s", strconv.Quote(Text(v)))
	}
	return nil
}
