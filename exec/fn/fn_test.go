package fn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// TestMain holds that no codec leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGolden runs the files of testdata, one for each group of functions.
//
//	eval [zone=NAME]   one call a line; col(x) is x as a column, so not a literal
//	agg                a line of aggregates divided by ";", then a row a line
//	examples           the example of every function
//	analytic           a line of calls, then a row a line; "~" after a row: OVER WHEN is false
//
// A row is an object with columns, or the value of column x. Whole numbers are
// bigint outside of objects, and floats in them, as in messages.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			lines := strings.Split(strings.TrimRight(d.Input, "\n"), "\n")
			switch d.Cmd {
			case "eval":
				return evalAll(t, d, lines)
			case "agg":
				return aggAll(t, lines)
			case "analytic":
				return analyticAll(t, lines)
			case "examples":
				return examples(t)
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

func evalAll(t *testing.T, d *datadriven.TestData, lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		c := newCtx()
		if d.HasArg("zone") {
			var name string
			d.ScanArgs(t, "zone", &name)
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			c.Location = loc
		}
		b.WriteString(line)
		e, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.check(); err != nil {
			fmt.Fprintf(&b, " refused: %v\n", err)
			continue
		}
		v, err := e.eval(c, nil)
		if err != nil {
			fmt.Fprintf(&b, " fault: %v\n", err)
			continue
		}
		fmt.Fprintf(&b, " = %s\n", display(v))
	}
	return b.String()
}

func aggAll(t *testing.T, lines []string) string {
	var b strings.Builder
	for _, call := range strings.Split(lines[0], ";") {
		call = strings.TrimSpace(call)
		e, err := parse(call)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.check(); err != nil {
			fmt.Fprintf(&b, "%s refused: %v\n", call, err)
			continue
		}
		want := aggregateRows(t, e, lines[1:], -1)
		for split := range len(lines) {
			if got := aggregateRows(t, e, lines[1:], split); got != want {
				t.Errorf("%s merged after %d rows: got %s, want %s", call, split, got, want)
			}
		}
		fmt.Fprintf(&b, "%s%s\n", call, want)
	}
	return b.String()
}

// aggregateRows feeds one state, or two that are merged after split rows.
func aggregateRows(t *testing.T, e *term, lines []string, split int) string {
	t.Helper()
	c := newCtx()
	state, later := e.f.Agg.New(), e.f.Agg.New()
	// A state that was used and reset must be like a new one.
	state.Add(testArgs(t, c, e, `{"x":-5,"a":"old"}`))
	state.Reset()
	for i, line := range lines {
		args := testArgs(t, c, e, line)
		if split >= 0 && i >= split {
			later.Add(args)
		} else {
			state.Add(args)
		}
	}
	if split >= 0 {
		state.Merge(later)
	}
	v, err := state.Result(c)
	if err != nil {
		return " fault: " + err.Error()
	}
	return " = " + display(v)
}

func testArgs(t *testing.T, c *Ctx, e *term, line string) []vec.Value {
	t.Helper()
	args, err := e.values(c, parseRow(t, line))
	if err != nil {
		t.Fatal(err)
	}
	return args
}

func analyticAll(t *testing.T, lines []string) string {
	var b strings.Builder
	for _, call := range strings.Split(lines[0], ";") {
		call = strings.TrimSpace(call)
		e, err := parse(call)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.check(); err != nil {
			fmt.Fprintf(&b, "%s refused: %v\n", call, err)
			continue
		}
		c, state := newCtx(), e.f.Analytic.New()
		b.WriteString(call + " =")
		for _, line := range lines[1:] {
			line, not := strings.CutSuffix(line, "~")
			v, err := state.Apply(c, testArgs(t, c, e, line), !not)
			if err != nil {
				fmt.Fprintf(&b, " fault(%v)", err)
			} else {
				b.WriteString(" " + display(v))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTable holds what every entry of the table must have, and their number.
func TestTable(t *testing.T) {
	counts := map[string]int{}
	for _, f := range All() {
		counts[f.Group]++
		if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") || f.Example == "" || f.Signature == "" {
			t.Errorf("%s: doc %q, example %q, signature %q", f.Name, f.Doc, f.Example, f.Signature)
		}
		if got, ok := Lookup(f.Name); !ok || got != f {
			t.Errorf("Lookup(%q): got another function", f.Name)
		}
		if sig, ok := (Set{}).Lookup(f.Name); !ok || sig != &f.FuncSig {
			t.Errorf("Set.Lookup(%q): got another signature", f.Name)
		}
		if (f.Agg != nil) != (f.Kind == planner.FuncAgg) || (f.Analytic != nil) != (f.Kind == planner.FuncAnalytic) {
			t.Errorf("%s: kind %v does not fit", f.Name, f.Kind)
		}
	}
	for group, want := range map[string]int{
		"aggregate": 18, "analytic": 9, "multi-column": 1, "set-returning": 2, "window": 1, "math": 33, "string": 20, "array": 24,
		"object": 11, "datetime": 25, "hashing": 6, "json": 5, "transform": 11, "other": 17, "internal": 3,
	} {
		if counts[group] != want {
			t.Errorf("functions of group %s: got %d, want %d", group, counts[group], want)
		}
	}
	if _, ok := Lookup("nosuch"); ok {
		t.Error("Lookup(nosuch): got a function")
	}
}

// examples runs the example of every function, as the listings show it.
func examples(t *testing.T) string {
	rows := []string{`{"a":1,"b":"x"}`, `{"a":2,"b":"y"}`, `{"a":4,"b":"y"}`}
	var b strings.Builder
	for _, f := range All() {
		e, err := parse(f.Example)
		if err == nil {
			err = e.check()
		}
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		switch {
		case f.Agg != nil:
			b.WriteString(aggAll(t, append([]string{f.Example}, rows...)))
		case f.Analytic != nil:
			b.WriteString(analyticAll(t, append([]string{f.Example}, rows...)))
		case f.Row == nil || f.Name == "newuuid":
			b.WriteString(f.Example + "\n")
		default:
			row := parseRow(t, rows[0])
			row["topic"] = vec.StringValue("plant/line1")
			v, err := e.eval(newCtx(), row)
			if err != nil {
				t.Errorf("%s: %v", f.Example, err)
			}
			fmt.Fprintf(&b, "%s = %s\n", f.Example, display(v))
		}
	}
	return b.String()
}
