package sql

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// random makes expressions that the dialect can write.
type random struct{ *rand.Rand }

func pick[T any](r random, list ...T) T { return list[r.IntN(len(list))] }

func (r random) name() string {
	return pick(r, "a", "b", "temp_1", "a b", "select", "ms", "null", "distinct", "is", "offset", "ümlaut", "x'\"y", "温度", "_a", "9")
}

func (r random) expr(depth int) Expr {
	if depth <= 0 {
		return r.leaf()
	}
	d := depth - 1 - r.IntN(2)
	switch r.IntN(14) {
	case 0, 1, 2:
		return &Binary{Op: OpAdd + Op(r.IntN(int(OpOr-OpAdd)+1)), L: r.expr(d), R: r.expr(d)}
	case 3:
		return &Unary{Op: pick(r, OpNeg, OpNot), X: r.expr(d)}
	case 4:
		return &Arrow{X: r.base(d), Key: r.name()}
	case 5:
		return &Index{X: r.expr(d), I: r.expr(d)}
	case 6:
		s := &Slice{X: r.expr(d)}
		if r.IntN(2) == 0 {
			s.From = r.expr(d)
		}
		if r.IntN(2) == 0 {
			s.To = r.expr(d)
		}
		return s
	case 7:
		if r.IntN(3) == 0 {
			return &In{X: r.expr(d), Array: &Arrow{X: &Ident{Name: r.name()}, Key: r.name()}, Not: r.IntN(2) == 0}
		}
		return &In{X: r.expr(d), List: r.exprs(d), Not: r.IntN(2) == 0}
	case 8:
		return &Between{X: r.expr(d), Lo: r.expr(d), Hi: r.expr(d), Not: r.IntN(2) == 0}
	case 9:
		return &Like{X: r.expr(d), Pattern: r.expr(d), Escape: pick(r, '\\', 0, '!', '"', 'é'), Not: r.IntN(2) == 0}
	case 10:
		return &IsNull{X: r.expr(d), Not: r.IntN(2) == 0}
	case 11:
		return r.caseExpr(d)
	}
	return r.call(d)
}

func (r random) exprs(depth int) []Expr {
	var list []Expr
	for range 1 + r.IntN(3) {
		list = append(list, r.expr(depth))
	}
	return list
}

// base is what an arrow can follow: a dot behind the name of a source would be
// the source's column.
func (r random) base(depth int) Expr {
	if depth <= 0 {
		return &Ident{Stream: pick(r, "", "s", "x"), Name: r.name()}
	}
	return r.expr(depth)
}

func (r random) leaf() Expr {
	switch r.IntN(8) {
	case 0:
		return &Literal{Value: vec.IntValue(pick(r, 0, 7, -3, int64(-1<<63), 1<<63-1))}
	case 1:
		return &Literal{Value: vec.FloatValue(pick(r, 0, 1.5, -1e300, -0.25, 1e21, 1e-9, 100))}
	case 2:
		return &Literal{Value: vec.StringValue(pick(r, "", "x", "it's", `a"b\`, "\n\t\x00", "温度", "--", "/*", "?"))}
	case 3:
		return &Literal{Value: pick(r, vec.BoolValue(true), vec.BoolValue(false), vec.NullValue)}
	}
	return &Ident{Stream: pick(r, "", "", "s", "x", "t/+/#"), Name: r.name()}
}

func (r random) caseExpr(depth int) Expr {
	c := &Case{}
	if r.IntN(2) == 0 {
		c.X = r.expr(depth)
	}
	for range 1 + r.IntN(2) {
		cond := r.expr(depth)
		if c.X == nil && !condition(cond) {
			cond = &Binary{Op: OpGt, L: cond, R: r.leaf()}
		}
		c.Whens = append(c.Whens, When{cond, r.expr(depth)})
	}
	if r.IntN(2) == 0 {
		c.Else = r.expr(depth)
	}
	return c
}

func (r random) call(depth int) Expr {
	c := &Call{Name: pick(r, "f", "count", "abs", "a b", "cast", "if", "left", "mod", "replace", "values", "ss")}
	c.Written = c.Name
	switch r.IntN(4) {
	case 0:
	case 1:
		c.Args, c.Star = []Expr{&Star{Stream: pick(r, "", "s")}}, true
	default:
		c.Args, c.Distinct = r.exprs(depth), r.IntN(4) == 0
	}
	if r.IntN(4) == 0 {
		c.Filter = r.expr(depth)
	}
	if r.IntN(4) == 0 {
		c.HasOver = true
		c.Partition = r.exprs(depth)
		if r.IntN(2) == 0 {
			c.When = r.expr(depth)
		}
		if r.IntN(2) == 0 {
			c.OrderBy = []Order{{Expr: r.expr(depth), Desc: r.IntN(2) == 0}}
		}
	}
	return c
}

// TestRandom writes random trees as text and reads them back, by the own parser
// and by TiDB's.
func TestRandom(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	for range 5000 {
		e := r.expr(4)
		text := "SELECT " + Format(e) + " FROM s AS x CROSS JOIN t/+/#"
		s, err := ParseSelect(text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if got, want := canonical(s.Fields[0].Expr), canonical(e); got != want {
			t.Fatalf("%s\ngot  %s\nwant %s", text, got, want)
		}
		checkSelect(t, s)
		if t.Failed() {
			return
		}
	}
}

// TestReplace shows that all identifiers of a tree are replaced, and that the tree
// is left as it was.
func TestReplace(t *testing.T) {
	r := random{rand.New(rand.NewPCG(3, 4))}
	for range 1000 {
		e := r.expr(4)
		before := canonical(e)
		count := func(e Expr, name string) (n int) {
			Walk(e, func(x Expr) bool {
				if id, ok := x.(*Ident); ok && (name == "" || id.Name == name) {
					n++
				}
				return true
			})
			return n
		}
		got := Replace(e, func(x Expr) (Expr, bool) {
			_, ok := x.(*Ident)
			return &Ident{Name: "put here"}, ok
		})
		if want := count(e, ""); count(got, "put here") != want || count(got, "") != want {
			t.Fatalf("%s\ngot %s, want %d replaced", before, canonical(got), want)
		}
		if canonical(e) != before {
			t.Fatalf("%s was changed into %s", before, canonical(e))
		}
		if same := Replace(e, func(Expr) (Expr, bool) { return nil, false }); canonical(same) != before {
			t.Fatalf("got %s, want %s", canonical(same), before)
		}
	}
}

// TestCanonicalDiffers shows that what differs has different texts.
func TestCanonicalDiffers(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		"1", "1.0", "'1'", "-1", "-(1)", "-a", "a", "s.a", "TRUE", "NULL", "`NULL`", "'a'", "`TRUE`", "a->b", "a[0]", "a[0:]", "a[:0]", "a[:]",
		"a + b", "b + a", "a + b + c", "a + (b + c)", "a || b", "a | b", "a IN b", "a IN (b)", "a IN (b + c)", "a IN b + c", "a NOT IN b", "NOT a IN b",
		"a LIKE 'x'", "a LIKE 'x' ESCAPE '!'", "a LIKE 'x' ESCAPE ''", "f()", "f(*)", "f(s.*)", "f(a)", "f(DISTINCT a)", "f(`distinct`)", "f(a) FILTER (WHERE b)",
		"f(a) OVER (WHEN b)", "f(a) OVER (PARTITION BY b)", "f(a) OVER (ORDER BY b)", "f(a) OVER (ORDER BY b DESC)", "CASE a WHEN 1 THEN 2 END", "CASE WHEN a = 1 THEN 2 END",
		"CASE a WHEN 1 THEN 2 ELSE NULL END", "a IS NULL", "a IS NOT NULL", "a BETWEEN 1 AND 2", "a NOT BETWEEN 1 AND 2", "NOT a", "9223372036854775807", "9223372036854775807.0",
	} {
		s, err := ParseSelect("SELECT " + text + " FROM s")
		if err != nil {
			t.Fatal(err)
		}
		c := canonical(s.Fields[0].Expr)
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s are both %s", text, other, c)
		}
		seen[c] = text
	}
	same, err := ParseSelect("SELECT (ABS( a))+1e0, abs(`a`) /* x */ + 1.0 FROM s")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := canonical(same.Fields[0].Expr), canonical(same.Fields[1].Expr); a != b {
		t.Errorf("got %s and %s, want the same", a, b)
	}
}
