package rowref

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
)

// wild makes up statements of everything that there is: every function of the table,
// with arguments of every kind and number, every window and clause, joins of streams
// and tables. Rules of one case draw from a small pool of expressions, so that they
// have much in common.
type wild struct {
	*gen
	typed   map[string]bool // declared sources
	huge    bool            // numbers near the ends of their ranges
	sources []string        // of the statement, by label
	windows bool            // the statement has a window
	tame    bool            // it is such as people write: one that goes wrong everywhere sends nothing
	late    bool            // the rule comes later: what a table has by then depends on the others
	places  []*place
	pool    []string // of the place
}

// place is what rules of one case have in common: sources, windows, expressions.
type place struct {
	from    string
	sources []string
	tables  bool
	tame    bool
	wins    []string
	pool    []string
	aggs    []string
}

// wildSchema is the declaration of every source that has one.
var wildSchema = strings.Join([]string{
	"ts BIGINT null", "id BIGINT null", "a BIGINT null", "b FLOAT null", "c BIGINT null", "s STRING null", "t STRING null", "p BOOLEAN null",
	"o STRUCT(x BIGINT, y STRING) null", "l ARRAY(BIGINT) null", "d DATETIME null", "z BYTEA null",
}, "\n")

var wildCols = []string{"id", "a", "a", "b", "b", "c", "s", "s", "t", "p", "o", "l", "d", "z"}

func newWild(seed uint64) *wild {
	g := &wild{gen: &gen{r: rand.New(rand.NewPCG(seed, 11))}, typed: map[string]bool{}}
	for _, s := range []string{"st", "u", "k", "h"} {
		g.typed[s] = g.chance(50)
	}
	g.huge = g.chance(40)
	return g
}

// column names a column of the statement's sources.
func (g *wild) column() string {
	col := g.one(wildCols...)
	if g.tame {
		col = g.one("id", "a", "a", "b", "c")
	} else if g.chance(12) {
		col = g.one("o->x", "o->y", "l[0]", "l[-1]", "o->x->y", "l[0:2]", "l[1:]")
	}
	if len(g.sources) > 1 && g.chance(90) {
		return g.one(g.sources...) + "." + col
	}
	return col
}

// expr makes an expression of any kind.
func (g *wild) expr(depth int) string {
	if len(g.pool) > 0 && g.chance(15) {
		return g.one(g.pool...)
	}
	if g.tame {
		return g.one(g.column(), g.column(), g.f("(%s %s %s)", g.column(), g.one("+", "-", "*"), g.one(g.column(), "2")), g.f("coalesce(%s, 0)", g.column()),
			g.f("CASE WHEN %s THEN %s ELSE 0 END", g.cond(0), g.column()))
	}
	if depth <= 0 || g.chance(35) {
		if g.chance(25) {
			return g.literal()
		}
		return g.column()
	}
	d := depth - 1
	switch g.n(13) {
	case 0, 1:
		return g.f("(%s %s %s)", g.expr(d), g.one("+", "-", "*", "/", "%", "&", "|", "^", "||"), g.expr(d))
	case 2:
		return g.f("CASE WHEN %s THEN %s ELSE %s END", g.cond(d), g.expr(d), g.expr(d))
	case 3:
		return g.f("CASE %s WHEN %s THEN %s WHEN %s THEN %s END", g.expr(d), g.literal(), g.expr(d), g.literal(), g.expr(d))
	case 4:
		return g.f("%s(%s)", g.one("-", "NOT "), g.expr(d))
	case 5:
		return g.cond(d)
	case 6:
		return g.f("%s->%s", g.column(), g.one("x", "y", "a"))
	case 7:
		return g.f("%s[%s]", g.column(), g.expr(0))
	}
	return g.scalar(d)
}

func (g *wild) literal() string {
	switch g.n(8) {
	case 0:
		return g.one("true", "false")
	case 1, 2:
		return strconv.Quote(g.one(wildTexts...))
	case 3:
		return strconv.FormatFloat(float64(g.n(17)-8)/4, 'f', 2, 64)
	case 4:
		if g.huge {
			return g.one("9007199254740993", "9223372036854775807", "-9223372036854775807", "1e308", "0.1")
		}
	}
	return strconv.Itoa(g.n(8) - 2)
}

var wildTexts = []string{"", "a", "b", "ab", "a%", "_", "10", "-2.5", "é%", "日本", "a\nb", "{}", "[1]", "2024-03-15 10:20:30", "$.x", "bigint", "x", "1h", "%Y"}

// cond makes a condition.
func (g *wild) cond(depth int) string {
	if g.tame {
		return g.one(g.simpleCond(), g.f("%s %s %d", g.column(), g.one(">", ">=", "<", "!="), g.n(4)-1), g.f("%s > 1 OR %s < 2", g.column(), g.column()))
	}
	d := depth - 1
	not := g.one("", "", "NOT ")
	switch g.n(12) {
	case 0, 1:
		if d >= 0 {
			return g.f("(%s %s %s)", g.cond(d), g.one("AND", "OR"), g.cond(d))
		}
	case 2:
		return g.f("%s %sIN (%s, %s)", g.expr(d), not, g.literal(), g.expr(0))
	case 3:
		return g.f("%s %sBETWEEN %s AND %s", g.expr(d), not, g.expr(0), g.literal())
	case 4:
		return g.f("%s %sLIKE %s", g.expr(d), not, g.one(`"a%"`, `"_"`, `"%b%"`, g.column()))
	case 5:
		return g.f("%s IS %sNULL", g.expr(d), not)
	case 6:
		return g.f("%s %sIN %s", g.expr(0), not, g.column())
	case 7:
		return g.f("isnull(%s)", g.expr(d))
	case 8:
		return g.column()
	}
	return g.f("%s %s %s", g.expr(d), g.cmp(), g.one(g.literal(), g.literal(), g.expr(d)))
}

// ofKind returns the functions of some kinds. delay stops the engine on purpose.
func ofKind(kinds ...planner.FuncKind) []*fn.Func {
	var out []*fn.Func
	for _, f := range fn.All() {
		if slices.Contains(kinds, f.Kind) && f.Name != "delay" {
			out = append(out, f)
		}
	}
	return out
}

var (
	scalars   = ofKind(planner.FuncScalar)
	contexts  = ofKind(planner.FuncContext, planner.FuncMeta)
	aggs      = ofKind(planner.FuncAgg)
	analytics = ofKind(planner.FuncAnalytic)
)

// scalar makes a call of a function of one row. What depends on chance is only asked
// whether it is there.
func (g *wild) scalar(depth int) string {
	if g.chance(6) {
		return contexts[g.n(len(contexts))].Example
	}
	f := scalars[g.n(len(scalars))]
	if text := g.call(f, depth); !f.Volatile {
		return text
	} else {
		return "isnull(" + text + ")"
	}
}

// call makes a call of f: its example with other arguments.
func (g *wild) call(f *fn.Func, depth int) string {
	_, rest, _ := strings.Cut(f.Example, f.Name+"(")
	args := topLevel(rest)
	for len(args) > f.MinArgs && g.chance(20) {
		args = args[:len(args)-1]
	}
	for (f.MaxArgs < 0 && len(args) < 5 || len(args) < f.MaxArgs) && g.chance(25) {
		args = append(args, g.expr(0))
	}
	for i := range args {
		if g.chance(60) {
			args[i] = g.expr(depth)
		}
	}
	return f.Name + "(" + strings.Join(args, ", ") + ")"
}

// topLevel splits the arguments of a call, up to the bracket that closes it.
func topLevel(text string) []string {
	var out []string
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth == 0, c == ',' && depth == 0:
			if arg := strings.TrimSpace(text[from:i]); arg != "" {
				out = append(out, arg)
			}
			if from = i + 1; c == ')' {
				return out
			}
		case c == ')':
			depth--
		}
	}
	return out
}

// agg makes an aggregate. Sums of numbers that cancel each other out depend on the
// order in which they are added, which windows that share panes have of their own.
func (g *wild) agg() string {
	if g.tame {
		f := g.one("count", "min", "max", "collect")
		if !g.huge && g.chance(60) {
			f = g.one("sum", "avg", "stddev")
		}
		return g.one("count(*)", g.f("%s(%s)", f, g.expr(0)), g.f("last_value(%s, true)", g.column()), g.f("%s(%s) FILTER (WHERE %s)", f, g.column(), g.cond(0)))
	}
	f := aggs[g.n(len(aggs))]
	for g.huge && slices.Contains([]string{"avg", "sum", "stddev", "stddevs", "var", "vars", "percentile_cont", "median"}, f.Name) {
		f = aggs[g.n(len(aggs))]
	}
	text := g.call(f, 1)
	if f.AllowStar && g.chance(15) {
		text = g.one("count(*)", "collect(*)", "last_value(*, true)", "merge_agg(*)")
	}
	if g.chance(10) {
		text = f.Name + "(DISTINCT " + strings.TrimPrefix(text, f.Name+"(")
	}
	if g.chance(15) {
		text += g.f(" FILTER (WHERE %s)", g.cond(0))
	}
	return text
}

// analytic makes a stateful call.
func (g *wild) analytic(depth int) string {
	f := analytics[g.n(len(analytics))]
	text := g.call(f, depth)
	if g.tame {
		of := g.f("coalesce(%s, 0)", g.column())
		text = g.one("lag("+g.column()+")", "lag("+of+", 2, 7)", "acc_sum("+of+")", "acc_max("+of+")", "acc_count("+g.column()+")", "latest("+g.column()+", 0)",
			"had_changed(true, "+g.column()+")", "changed_col(true, "+of+")")
	}
	if g.chance(15) {
		text = f.Name + "(" + g.one("last_hit_count()", "true, last_hit_count()", "lag(a)") + ")"
	}
	var over []string
	if g.chance(25) {
		over = append(over, "PARTITION BY "+g.column())
	}
	if g.chance(25) {
		over = append(over, "WHEN "+g.cond(0))
	}
	if len(over) > 0 {
		text += " OVER (" + strings.Join(over, " ") + ")"
	}
	return text
}

func (g *wild) window() string {
	win := g.one("TUMBLINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 2)", "TUMBLINGWINDOW(ms, 700)", "HOPPINGWINDOW(ss, 2, 1)", "HOPPINGWINDOW(ms, 1000, 400)",
		"HOPPINGWINDOW(ms, 500, 1200)", "SLIDINGWINDOW(ms, 700)", "SLIDINGWINDOW(ms, 500, 300)", "SESSIONWINDOW(ms, 2000, 400)", "COUNTWINDOW(1)",
		"COUNTWINDOW(3)", "COUNTWINDOW(4, 2)", "STATEWINDOW(a > 1, c > 2)", "STATEWINDOW(p)")
	over := strings.HasPrefix(win, "SLIDING") && g.chance(30)
	if strings.HasPrefix(win, "STATE") {
		win = g.f("STATEWINDOW(%s, %s)", g.cond(1), g.cond(1))
		if g.chance(40) {
			win += " OVER (PARTITION BY " + g.column() + ")"
		}
	}
	if g.chance(15) {
		win += g.f(" FILTER(WHERE %s)", g.cond(1))
	}
	if over {
		win += g.f(" OVER (WHEN %s)", g.one(g.cond(1), g.cond(1), g.analytic(0)))
	}
	return win
}
