package logictest_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/logictest"
	"github.com/weir-engine/weir/planner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is the reference of the dialect, whose examples are run here.
const page = "../../docs/sql.md"

// The function tables stand between these lines; -rewrite makes them anew.
const (
	tablesBegin = "<!-- functions: made from the function table by go test ./internal/logictest -rewrite -->\n"
	tablesEnd   = "<!-- functions: end -->\n"
)

// example is a query of the page with what comes in and what goes out:
//
//	a block sql, after which may stand event, late=MS, int64, error, table=NAME or lookup=NAME
//	a block in: messages; @MS sets the clock, #TOPIC the topic, >STREAM before a message its stream
//	a block out: what is sent, or the error
type example struct {
	line         int
	options      []string
	sql, in, out string
}

func TestPageExamples(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	list := examplesOf(string(text))
	if len(list) < 30 {
		t.Fatalf("%s: %d examples", page, len(list))
	}
	for _, e := range list {
		t.Run(fmt.Sprintf("line=%d", e.line), func(t *testing.T) {
			for _, x := range logictest.Executions() {
				got, err := e.run(x)
				if err != nil {
					t.Fatal(err)
				}
				if got != e.out {
					t.Fatalf("%s:%d, %v:\n%sgot:\n%swant:\n%s", page, e.line, x, e.sql, got, e.out)
				}
			}
		})
	}
}

// examplesOf returns the sql blocks that an out block follows.
func examplesOf(text string) []example {
	var out []example
	var cur example
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		info, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		words := strings.Fields(info)
		if !ok || len(words) == 0 {
			continue
		}
		from := i + 1
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
		}
		body := strings.Join(lines[from:i], "")
		switch words[0] {
		case "sql":
			cur = example{line: from, sql: body, options: words[1:]}
		case "in":
			cur.in = body
		case "out":
			cur.out = body
			out = append(out, cur)
		}
	}
	return out
}

func (e *example) run(x logictest.Execution) (string, error) {
	r, err := logictest.NewRunner(x)
	if err != nil {
		return "", err
	}
	schema, rule := "schema", "rule r"
	for _, o := range e.options {
		kind, name, _ := strings.Cut(o, "=")
		declare := map[string]string{"table": "schema " + name + " table", "lookup": "schema " + name + " table key=id"}[kind]
		if declare != "" {
			if _, err := r.Command(declare, ""); err != nil {
				return "", err
			}
			continue
		}
		switch o {
		case "int64":
			schema += " int64"
		case "event":
			schema += " timestamp=ts"
			rule += " event"
		case "error":
		default:
			rule += " " + o
		}
	}
	if _, err := r.Command(schema, ""); err != nil {
		return "", err
	}
	var out strings.Builder
	do := func(line, input string) error {
		text, err := r.Command(line, input)
		for _, l := range strings.SplitAfter(text, "\n") {
			out.WriteString(strings.TrimPrefix(strings.TrimPrefix(l, "error: rule \"r\": "), "r "))
		}
		return err
	}
	input := strings.Split(strings.TrimSpace(e.in), "\n")
	if at, ok := strings.CutPrefix(input[0], "@"); ok { // when the rule starts
		if err := do("advance to="+at, ""); err != nil {
			return "", err
		}
	}
	if err := do(rule, e.sql); err != nil {
		return "", err
	}
	push := "push"
	for _, l := range input {
		line, input := push, l
		switch {
		case l == "":
			continue
		case strings.HasPrefix(l, "@"):
			line, input = "advance to="+l[1:], ""
		case strings.HasPrefix(l, "#"):
			line, input = "", ""
			push = "push topic=" + l[1:]
		case strings.HasPrefix(l, ">"):
			name, rest, _ := strings.Cut(l[1:], " ")
			line, input = "push "+name, rest
		}
		if line == "" {
			continue
		}
		if err := do(line, input); err != nil {
			return "", err
		}
	}
	text := out.String()
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text, nil
}

// groups are the function groups in the order of the page.
var groups = []struct{ name, title string }{
	{"aggregate", "Aggregates"},
	{"analytic", "Analytic functions"},
	{"multi-column", "Several columns"},
	{"set-returning", "Rows and columns from arrays and objects"},
	{"window", "Row number"},
	{"math", "Mathematics"},
	{"string", "Text"},
	{"array", "Arrays"},
	{"object", "Objects"},
	{"json", "JSON"},
	{"hashing", "Hashes"},
	{"transform", "Conversion"},
	{"datetime", "Date and time"},
	{"other", "Everything else"},
}

// TestPageFunctions holds that the tables of the page are those of the function
// table, and that every example gives what the page says.
func TestPageFunctions(t *testing.T) {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n### %s\n\n| function | | example | gives |\n|---|---|---|---|\n", g.title)
		for _, f := range fn.All() {
			if f.Group == g.name {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(f.Signature), strings.ReplaceAll(f.Doc, "|", "\\|"), code(f.Example), code(value(t, f)))
			}
		}
	}
	b.WriteString("\n")
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), tablesBegin)
	old, tail, ok2 := strings.Cut(rest, tablesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s: want the lines %q and %q", page, tablesBegin, tablesEnd)
	}
	if old == b.String() {
		return
	}
	if f := flag.Lookup("rewrite"); f == nil || f.Value.String() != "true" {
		t.Fatalf("%s: the tables of functions are old: run this test with -rewrite", page)
	}
	if err := os.WriteFile(page, []byte(head+tablesBegin+b.String()+tablesEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// code returns s as a code span of a table.
func code(s string) string {
	return "`" + strings.ReplaceAll(s, "|", "\\|") + "`"
}

// value runs the example of a function: over one row, or over three if it is
// an aggregate or remembers rows.
func value(t *testing.T, f *fn.Func) string {
	t.Helper()
	if slices.Contains([]string{"rand", "newuuid"}, f.Name) {
		return "..."
	}
	e := example{sql: "SELECT " + f.Example + " AS r FROM s", in: "@1709209845123\n#plant/line1\n"}
	rows := []string{`{"a":1,"b":"x"}`, `{"a":2,"b":"y"}`, `{"a":4,"b":"y"}`}
	whole := false
	switch f.Kind {
	case planner.FuncAgg:
		e.sql += " GROUP BY COUNTWINDOW(3)"
	case planner.FuncAnalytic:
	case planner.FuncMultiCol, planner.FuncSRF, planner.FuncWindow:
		e.sql, whole = "SELECT "+f.Example+" FROM s", true
		if f.Kind == planner.FuncWindow {
			e.sql += " GROUP BY COUNTWINDOW(3)"
		} else if f.Kind == planner.FuncSRF {
			rows = rows[:1]
		}
	default:
		rows = rows[:1]
		switch {
		case strings.HasPrefix(f.Name, "window_"):
			e.sql += " GROUP BY TUMBLINGWINDOW(ss, 1)"
			rows = append(rows, "@1709209846000")
		case strings.HasPrefix(f.Name, "last_agg_"):
			e.sql += " GROUP BY COUNTWINDOW(1)"
		}
	}
	e.in += strings.Join(rows, "\n")
	text, err := e.run(logictest.Executions()[0])
	if err != nil {
		t.Fatalf("%s: %v", f.Example, err)
	}
	if text == "" {
		t.Errorf("%s: nothing was sent", f.Example)
	}
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if l = strings.Trim(l, "[]"); whole {
			out = append(out, l)
			continue
		}
		l, _ = strings.CutSuffix(l, "}")
		v, found := strings.CutPrefix(l, `{"r":`)
		if !found {
			v = "null"
		}
		out = append(out, v)
	}
	return strings.Join(out, ", ")
}
