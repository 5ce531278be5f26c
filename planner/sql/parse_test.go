package sql

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weir-engine/weir/vec"
)

// TestGolden runs testdata/golden. `parse` prints a statement, `draft` the canonical
// text for TiDB's parser, `format` the expressions as people write them,
// `places` every node with its place, and all of them the faults.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			st, err := Parse(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			s, _ := st.(*Select)
			if s != nil {
				checkSelect(t, s)
			}
			switch d.Cmd {
			case "parse":
				return dump(st)
			case "draft":
				if text, ok := canonicalText(d.Input); ok {
					return text + "\n"
				}
				return d.Expected
			case "format", "places":
				return describe(d.Cmd, s)
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

func describe(cmd string, s *Select) string {
	var b strings.Builder
	for _, e := range exprsOf(s) {
		if cmd == "format" {
			fmt.Fprintln(&b, Format(e))
			continue
		}
		Walk(e, func(e Expr) bool {
			fmt.Fprintf(&b, "%d:%d %s\n", e.Pos().Line, e.Pos().Col, Format(e))
			return true
		})
	}
	return b.String()
}

// draftOf returns the tree that this package's own parser makes of text.
func draftOf(text string) *Select {
	p, err := newParser(text)
	if err != nil {
		return nil
	}
	return p.draft()
}

// checkSelect tells whether the tree from TiDB's parser is the one that the own
// parser saw, which a slim build hands out, and whether what Format writes reads back as the same.
func checkSelect(t *testing.T, s *Select) {
	t.Helper()
	if d := draftOf(s.Text); !reflect.DeepEqual(d, s) {
		t.Errorf("%s\nown parser:\n%sTiDB's parser:\n%s", s.Text, dump(d), dump(s))
	}
	sources := " FROM `" + s.From.Name + "`"
	if s.From.Alias != "" {
		sources += " AS `" + s.From.Alias + "`"
	}
	for _, j := range s.Joins {
		sources += " CROSS JOIN `" + j.Name + "`"
		if j.Alias != "" {
			sources += " AS `" + j.Alias + "`"
		}
	}
	for _, e := range exprsOf(s) {
		text := "SELECT " + Format(e) + sources
		again, err := ParseSelect(text)
		if err != nil {
			t.Errorf("%s\nformatted as %s\n%v", s.Text, text, err)
			continue
		}
		if got, want := canonical(again.Fields[0].Expr), canonical(e); got != want {
			t.Errorf("%s\nformatted as %s\ngot  %s\nwant %s", s.Text, text, got, want)
		}
	}
}

// TestConformance parses the statements of the conformance cases, of which
// those with a fault in the syntax stand behind a minus.
func TestConformance(t *testing.T) {
	data, err := os.ReadFile("testdata/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		good, text := line[0] == '+', line[2:]
		st, err := Parse(text)
		if good != (err == nil) {
			t.Errorf("%s\ngot %v", line, err)
		}
		if s, ok := st.(*Select); ok && err == nil {
			checkSelect(t, s)
		}
	}
}

// TestBounds shows that a hostile text gets a clear fault.
func TestBounds(t *testing.T) {
	const many = 100_000
	for _, c := range []struct{ name, text, want string }{
		{"parentheses", "SELECT " + strings.Repeat("(", many) + "a" + strings.Repeat(")", many) + " FROM s", "nested more than 200 levels"},
		{"open parentheses", "SELECT a FROM s WHERE " + strings.Repeat("(", many), "nested more than 200 levels"},
		{"brackets", "SELECT " + strings.Repeat("a[", many/2) + " FROM s", "nested more than 200 levels"},
		{"calls", "SELECT " + strings.Repeat("f(", many/2) + " FROM s", "nested more than 200 levels"},
		{"case", "SELECT " + strings.Repeat("CASE ", many/4) + " FROM s", "nested more than 200 levels"},
		{"not", "SELECT " + strings.Repeat("NOT ", many/2) + "a FROM s", "nested more than 200 levels"},
		{"minus", "SELECT " + strings.Repeat("- ", many/2) + "a FROM s", "nested more than 200 levels"},
		{"in", "SELECT " + strings.Repeat("a IN (", many/4) + " FROM s", "nested more than 200 levels"},
		{"arrows", "SELECT a" + strings.Repeat("->b", many/2) + " FROM s", "more than 2500 levels"},
		{"or", "SELECT a FROM s WHERE a" + strings.Repeat(" OR a", many/4) + "", "more than 2500 levels"},
		{"is null", "SELECT a FROM s WHERE a" + strings.Repeat(" IS NULL", many/8) + "", "more than 2500 levels"},
		{"joins", "SELECT a FROM s" + strings.Repeat(" CROSS JOIN s", many/8), "more than 63 joins"},
		{"labels", "SELECT " + strings.Repeat("a.b,", many/4) + strings.Repeat(" FROM s", many/5), `found "FROM", expected expression`},
		{"types", "CREATE STREAM s (a " + strings.Repeat("ARRAY(", many/4) + "", "nested more than 200 levels"},
		{"text", "SELECT '" + strings.Repeat("a", 3*many) + "' FROM s", "more than the 262144 allowed"},
		{"commas", "SELECT " + strings.Repeat(",", many) + " FROM s", `found ",", expected expression`},
		{"illegal", "SELECT " + strings.Repeat("$", many) + " FROM s", `found "$"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %.200v, want %s", err, c.want)
			}
			var e *Errors
			if !errors.As(err, &e) || len(e.Faults) > maxFaults {
				t.Errorf("got %d faults, want at most %d", len(e.Faults), maxFaults)
			}
		})
	}
}

// TestLarge parses what is large and legal.
func TestLarge(t *testing.T) {
	for name, text := range map[string]string{
		"or":     "SELECT a FROM s WHERE a = 1" + strings.Repeat(" OR a = 1", 2000),
		"in":     "SELECT a FROM s WHERE a IN (1" + strings.Repeat(", 1", 50_000) + ")",
		"nested": "SELECT " + strings.Repeat("(", 190) + "a" + strings.Repeat(")", 190) + " FROM s",
		"fields": "SELECT a" + strings.Repeat(", a + 1", 20_000) + " FROM s",
		"joins":  "SELECT a63.b FROM a" + strings.Repeat(" CROSS JOIN b", 62) + " CROSS JOIN a63",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSelect(text)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(s, draftOf(text)) {
				t.Error("the trees differ")
			}
		})
	}
}

// TestOwnership shows that a caller may write to its tree.
func TestOwnership(t *testing.T) {
	const text = "SELECT a + 1 AS x, * EXCEPT (b) REPLACE (c AS d) FROM s GROUP BY k, STATEWINDOW(a > 1) ORDER BY a LIMIT 3"
	first, err := ParseSelect(text)
	if err != nil {
		t.Fatal(err)
	}
	first.Fields[0].Expr.(*Binary).L.(*Ident).Name = "changed"
	first.Fields[1].Except[0] = "changed"
	first.Fields[1].Replace[0].Alias = "changed"
	first.Window.Args[0] = &Literal{Value: vec.NullValue}
	first.OrderBy[0].Desc = true
	*first.Limit = 0
	second, err := ParseSelect(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(second, draftOf(text)) {
		t.Errorf("got %s", dump(second))
	}
}

func TestParallel(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				text := fmt.Sprintf("SELECT a%d FROM s WHERE b > %d", i%300, g*1000+i)
				s, err := ParseSelect(text)
				if err != nil {
					t.Error(err)
					return
				}
				if got := s.Where.(*Binary).R.(*Literal).Value.I; got != int64(g*1000+i) {
					t.Errorf("got %d, want %d", got, g*1000+i)
				}
			}
		})
	}
	wg.Wait()
}

// TestKinds shows what the three ways to parse take and refuse.
func TestKinds(t *testing.T) {
	if _, err := ParseSelect("SHOW STREAMS"); err == nil || err.Error() != `parse: line 1 column 1: found "SHOW", expected SELECT` {
		t.Errorf("got %v", err)
	}
	if _, err := ParseCreate("SELECT a FROM b"); err == nil || !strings.Contains(err.Error(), "expected CREATE STREAM") {
		t.Errorf("got %v", err)
	}
	c, err := ParseCreate(`CREATE STREAM s () WITH (DATASOURCE="x")`)
	if err != nil || c.Options.DataSource != "x" {
		t.Errorf("got %v, %v", c, err)
	}
	var e *Errors
	if _, err := Parse("SELECT a,, b FROM"); !errors.As(err, &e) || len(e.Faults) != 2 || e.Faults[0].At != (Pos{1, 10}) {
		t.Errorf("got %v", err)
	}
}
