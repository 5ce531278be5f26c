package rowref

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// gen makes up streams, rules and rows. Rules of one case draw from a small pool
// of conditions and expressions, so that they have much in common.
type gen struct {
	r     *rand.Rand
	typed bool // declared columns
	ints  bool // whole numbers of a schemaless stream are int64
	messy bool // values of any kind in any column
	conds []string
	nums  []string
}

func (g *gen) n(n int) int                      { return g.r.IntN(n) }
func (g *gen) one(of ...string) string          { return of[g.n(len(of))] }
func (g *gen) chance(percent int) bool          { return g.n(100) < percent }
func (g *gen) f(format string, a ...any) string { return fmt.Sprintf(format, a...) }

// columns of the streams, with what they hold.
var (
	numCols  = []string{"a", "b", "c"}
	textCols = []string{"s", "t"}
	boolCols = []string{"p", "q"}
	schema   = []string{"ts BIGINT null", "a BIGINT null", "b FLOAT null", "c BIGINT null", "s STRING null", "t STRING null", "p BOOLEAN null", "q BOOLEAN null"}
)

func newGen(seed uint64) *gen {
	g := &gen{r: rand.New(rand.NewPCG(seed, 7))}
	switch g.n(5) {
	case 0, 1:
		g.typed = true
	case 2:
		g.ints = true
	}
	g.messy = !g.typed && g.chance(25)
	for range 3 {
		g.conds = append(g.conds, g.boolean(2))
		g.nums = append(g.nums, g.number(2))
	}
	return g
}

// number makes a numeric expression.
func (g *gen) number(depth int) string {
	if len(g.nums) > 0 && g.chance(15) {
		return g.one(g.nums...)
	}
	if depth <= 0 || g.chance(30) {
		return g.numLeaf()
	}
	d := depth - 1
	switch g.n(12) {
	case 0, 1, 2, 3:
		return g.f("(%s %s %s)", g.number(d), g.one("+", "-", "*"), g.number(d))
	case 4:
		return g.f("(%s %s %s)", g.number(d), g.one("/", "%"), g.number(d))
	case 5:
		return g.f("-(%s)", g.number(d))
	case 6:
		return g.f("CASE WHEN %s THEN %s ELSE %s END", g.boolean(d), g.number(d), g.number(d))
	case 7:
		return g.f("CASE %s WHEN %s THEN %s WHEN %s THEN %s END", g.number(d), g.numLit(), g.number(d), g.numLit(), g.number(d))
	case 8:
		return g.f("%s(%s)", g.one("abs", "floor", "sqrt", "sign", "round"), g.number(d))
	case 9:
		return g.f("coalesce(%s, %s)", g.number(d), g.numLit())
	case 10:
		return g.f("length(%s)", g.text(d))
	}
	return g.f("cast(%s, %s)", g.one(g.number(d), g.text(d)), g.one(`"float"`, `"bigint"`))
}

func (g *gen) numLeaf() string {
	switch {
	case g.chance(35):
		return g.numLit()
	case !g.typed && g.chance(15):
		return g.one("o->x", "o->y->z", "l[0]", "l[-1]", "o->l[1]")
	case g.messy && g.chance(10):
		return g.one(textCols...)
	}
	return g.one(numCols...)
}

func (g *gen) numLit() string {
	switch g.n(12) {
	case 0:
		return g.one("9007199254740993", "9007199254740992", "9223372036854775807", "0.1", "1000000000000")
	case 1, 2, 3:
		return strconv.FormatFloat(float64(g.n(9)-4)/2, 'f', 1, 64)
	}
	return strconv.Itoa(g.n(7) - 2)
}

// text makes a text expression.
func (g *gen) text(depth int) string {
	if depth <= 0 || g.chance(50) {
		switch {
		case g.chance(30):
			return g.textLit()
		case !g.typed && g.chance(10):
			return g.one("o->s", "l[1]")
		}
		return g.one(textCols...)
	}
	d := depth - 1
	switch g.n(6) {
	case 0:
		return g.f("%s(%s)", g.one("upper", "lower", "trim"), g.text(d))
	case 1:
		return g.f("concat(%s, %s)", g.text(d), g.one(g.text(d), g.number(d)))
	case 2:
		return g.f("(%s || %s)", g.text(d), g.text(d))
	case 3:
		return g.f("cast(%s, \"string\")", g.number(d))
	case 4:
		return g.f("substring(%s, %d)", g.text(d), g.n(3))
	}
	return g.f("CASE WHEN %s THEN %s ELSE %s END", g.boolean(d), g.text(d), g.text(d))
}

var texts = []string{"", "a", "b", "ab", "B", "a_b", "axb", "10", "2.5", "é%"}

func (g *gen) textLit() string { return strconv.Quote(g.one(texts...)) }

// boolean makes a condition.
func (g *gen) boolean(depth int) string {
	if len(g.conds) > 0 && g.chance(20) {
		return g.one(g.conds...)
	}
	if depth <= 0 || g.chance(40) {
		return g.simple()
	}
	d := depth - 1
	switch g.n(10) {
	case 0, 1, 2:
		return g.f("(%s AND %s)", g.boolean(d), g.boolean(d))
	case 3, 4:
		return g.f("(%s OR %s)", g.boolean(d), g.boolean(d))
	case 5:
		return g.f("NOT (%s)", g.boolean(d))
	case 6:
		return g.f("(%s) = %s", g.boolean(d), g.one("true", "false", "p"))
	case 7:
		return g.f("%s IS %sNULL", g.one(g.number(d), g.text(d), "p"), g.one("", "NOT "))
	case 8:
		return g.f("isnull(%s)", g.one(g.number(d), g.text(d)))
	}
	return g.f("%s %s %s", g.number(d), g.cmp(), g.number(d))
}

func (g *gen) cmp() string { return g.one("=", "!=", "<", "<=", ">", ">=") }

// simple makes a condition as rules mostly have them: of a column and constants.
func (g *gen) simple() string {
	not := g.one("", "", "NOT ")
	switch g.n(12) {
	case 0, 1, 2:
		return g.f("%s %s %s", g.one(numCols...), g.cmp(), g.numLit())
	case 3:
		return g.f("%s %s %s", g.numLit(), g.cmp(), g.numLeaf())
	case 4, 5:
		return g.f("%s %s %s", g.one(textCols...), g.one("=", "=", "=", "!=", "<", ">="), g.textLit())
	case 6:
		return g.f("%s %sIN (%s, %s, %s)", g.numLeaf(), not, g.numLit(), g.numLit(), g.one(g.numLit(), g.numLit(), "c"))
	case 7:
		return g.f("%s %sIN (%s, %s)", g.one(textCols...), not, g.textLit(), g.textLit())
	case 8:
		return g.f("%s %sBETWEEN %s AND %s", g.numLeaf(), not, g.numLit(), g.one(g.numLit(), g.one(numCols...)))
	case 9:
		return g.f("%s %sLIKE %s", g.one(textCols...), not, g.one(`"a%"`, `"%b"`, `"_"`, `"a\\_b"`, `"%"`, "t"))
	case 10:
		if !g.typed {
			return g.f("%s %sIN l", g.one("a", "s", "3"), not)
		}
	}
	return g.one(boolCols...)
}

// fields makes a SELECT list of rows.
func (g *gen) fields() string {
	var out []string
	if g.chance(20) {
		star := "*"
		if g.chance(30) {
			star += g.f(" EXCEPT (%s)", g.one("a", "a, s", "p"))
		}
		if g.chance(30) {
			star += g.f(" REPLACE (%s AS b)", g.number(1))
		}
		if out = append(out, star); g.chance(50) {
			return star
		}
	}
	cols := slices.Concat(numCols, textCols, boolCols)
	g.r.Shuffle(len(cols), func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
	if len(out) == 0 {
		out = append(out, cols[:g.n(3)]...)
	}
	for i := range g.n(3) {
		e := g.one(g.number(2), g.text(1), g.boolean(1))
		switch g.n(4) {
		case 0:
			out = append(out, g.f("%s AS x%d", e, i))
		case 1:
			out = append(out, g.f("%s AS y%d INVISIBLE", e, i), g.f("y%d AS z%d", i, i))
		case 2:
			out = append(out, g.f("%s AS %s", e, g.one("w", "o", "l")+strconv.Itoa(i)))
		default:
			if i == 0 && len(out) == 0 {
				out = append(out, g.number(1)+" AS a") // hides the column
			} else {
				out = append(out, e)
			}
		}
	}
	if len(out) == 0 {
		return "a, s"
	}
	return strings.Join(out, ", ")
}

// agg makes an aggregate.
func (g *gen) agg() string {
	switch g.n(8) {
	case 0:
		return "count(*)"
	case 1:
		return g.f("count(%s)", g.one("a", "s", g.number(1)))
	case 2:
		return g.f(g.one("collect(%s)", "collect(%s)", "length(collect(%s))", "collect(%s)[0]", "collect(%s)[:1]", "isnull(collect(%s))", "array_cardinality(collect(%s))"), g.one("a", "s", "p"))
	case 3:
		return g.f("last_value(%s, %s)", g.one("a", "s"), g.one("true", "false"))
	case 4:
		return g.f("%s(%s)", g.one("min", "max"), g.one("a", "b", "s"))
	case 5:
		return g.f("count(DISTINCT %s)", g.one("a", "s"))
	}
	return g.f("%s(%s)", g.one("sum", "avg", "min", "max"), g.one("a", "b", "c", g.number(1)))
}

// windowed makes a rule over a window.
func (g *gen) windowed() string {
	q := "SELECT "
	where := ""
	if g.chance(40) {
		where = " WHERE " + g.boolean(1)
	}
	win := g.one("TUMBLINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 2)", "HOPPINGWINDOW(ss, 2, 1)", "HOPPINGWINDOW(ms, 1000, 400)", "HOPPINGWINDOW(ms, 500, 200)", "TUMBLINGWINDOW(ms, 500)", "SLIDINGWINDOW(ms, 700)", "COUNTWINDOW(3)", "COUNTWINDOW(5, 2)")
	if g.chance(15) {
		win += g.f(" FILTER(WHERE %s)", g.simple())
	}
	if g.chance(25) { // rows
		q += g.fields() + " FROM st" + where + " GROUP BY " + win
		if g.chance(40) {
			q += " ORDER BY " + g.one("c", "c DESC, b", "b DESC")
		}
		return q + g.limit()
	}
	keys := g.one("", "", "s", "s", "p", "c", "s, p", "b > 1", "c % 2")
	if g.messy && len(keys) > 4 {
		keys = "s"
	}
	var list []string
	for _, k := range strings.Split(keys, ", ") {
		if len(k) == 1 && g.chance(80) {
			list = append(list, k)
		}
	}
	for i := range 1 + g.n(3) {
		list = append(list, g.f("%s AS g%d", g.one(g.agg(), g.agg(), g.agg()+" "+g.one("+", "-", "*")+" "+g.numLit()), i))
	}
	if g.chance(20) {
		list = append(list, "window_start() AS ws", "window_end() AS we")
	}
	if g.chance(15) {
		list = append(list, "t")
	}
	q += strings.Join(list, ", ") + " FROM st" + where + " GROUP BY "
	if keys != "" {
		q += keys + ", "
	}
	q += win
	if g.chance(40) {
		q += " HAVING " + g.one(g.f("count(*) > %d", g.n(3)), g.f("sum(c) >= %s", g.numLit()), g.f("avg(b) < %s AND count(*) > 1", g.numLit()))
	}
	return q + g.limit()
}

func (g *gen) limit() string {
	switch g.n(10) {
	case 0:
		return g.f(" LIMIT %d", g.n(3))
	case 1:
		return g.f(" LIMIT %d OFFSET %d", 1+g.n(3), g.n(2))
	}
	return ""
}

// filter makes a rule without a window.
func (g *gen) filter() string {
	q := "SELECT " + g.fields() + " FROM st"
	switch g.n(6) {
	case 0:
	case 1, 2:
		q += " WHERE " + g.simple()
	case 3:
		q += " WHERE " + g.simple() + " AND " + g.simple()
	case 4:
		q += " WHERE " + g.simple() + " AND " + g.boolean(2) + " AND " + g.simple()
	default:
		q += " WHERE " + g.boolean(3)
	}
	return q
}

// row makes a row as JSON; ts is its event time.
func (g *gen) row(ts int64) string {
	parts := []string{g.f(`"ts":%d`, ts)}
	switch g.n(30) {
	case 0:
		parts[0] = `"ts":null`
	case 1:
		parts = parts[:0]
	case 2: // far ahead, but not so far that a window has too many empty ones before it
		parts[0] = g.f(`"ts":%d`, ts+int64(g.n(10_000)))
	}
	add := func(name, value string) {
		switch g.n(10) {
		case 0:
		case 1:
			parts = append(parts, g.f(`%q:null`, name))
		default:
			if g.messy && g.chance(25) {
				value = g.one(g.jsonNumber(false), g.jsonText(), g.one("true", "false"), "[1,2]", `{"x":1}`)
			}
			parts = append(parts, g.f(`%q:%s`, name, value))
		}
	}
	add("a", g.jsonNumber(true))
	add("b", g.jsonNumber(false))
	add("c", strconv.Itoa(g.n(5)-1))
	for _, c := range textCols {
		add(c, g.jsonText())
	}
	for _, c := range boolCols {
		add(c, g.one("true", "false"))
	}
	if !g.typed {
		add("o", g.one(`{"x":1,"s":"a"}`, `{"x":2.5,"y":{"z":3}}`, `{"l":[1,9007199254740993]}`, `{"x":9007199254740993}`, `{}`, `"no"`))
		add("l", g.one(`[1,"a"]`, `[3]`, `[2.5,null,3]`, `["a","b"]`))
	}
	g.r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *gen) jsonNumber(whole bool) string {
	switch {
	case g.chance(4):
		return g.one("9007199254740993", "9223372036854775807", "-9223372036854775808", "1000000000000")
	case whole || g.chance(50):
		return strconv.Itoa(g.n(8) - 2)
	}
	return strconv.FormatFloat(float64(g.n(17)-8)/4, 'f', -1, 64)
}

func (g *gen) jsonText() string { return strconv.Quote(g.one(texts...)) }
