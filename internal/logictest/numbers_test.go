package logictest_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/logictest"
)

// columnKinds are the kinds of columns of numbers, by how they are declared.
var columnKinds = []struct{ name, schema, fields string }{
	{"schemaless", "schema", ""},
	{"useInt64ForWholeNumber", "schema int64", ""},
	{"BIGINT", "schema", "i int64 null\na int64 null\nb int64 null"},
	{"FLOAT", "schema", "i int64 null\na float64 null\nb float64 null"},
}

// TestPageNumbers holds the table of numbers of the page: what an expression gives for
// a number of a message in columns of each kind.
func TestPageNumbers(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "| `a` in the message | expression |")
	table, _, _ := strings.Cut(rest, "\n\n")
	lines := strings.Split(table, "\n")
	if !ok || len(lines) < 20 {
		t.Fatalf("%s: no table of numbers", page)
	}
	for _, line := range lines[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], "`")
		}
		if len(cells) != 2+len(columnKinds) {
			t.Fatalf("%s: %q has %d cells", page, line, len(cells))
		}
		for k, kind := range columnKinds {
			for _, x := range logictest.Executions() {
				if got := numberCell(t, x, kind.schema, kind.fields, cells[1], cells[0]); got != cells[2+k] {
					t.Fatalf("%s, %s of a %s column with %s: got %s, want %s", x, cells[1], kind.name, cells[0], got, cells[2+k])
				}
			}
		}
	}
}

// numberCell is what an expression gives: its value, fault, refused (the rule) or
// no message.
func numberCell(t *testing.T, x logictest.Execution, schema, fields, expr, value string) string {
	t.Helper()
	r, err := logictest.NewRunner(x)
	if err != nil {
		t.Fatal(err)
	}
	fields = strings.TrimPrefix(fields, "i int64 null\n")
	if out, err := r.Command(schema, fields); err != nil || out != "" {
		t.Fatalf("%s: %v", out, err)
	}
	out, err := r.Command("rule r faults", "SELECT "+expr+" AS r FROM s")
	if err != nil {
		t.Fatal(err)
	}
	if out != "" {
		return "refused"
	}
	if out, err = r.Command("push", `{"a":`+value+`}`); err != nil {
		t.Fatal(err)
	}
	switch text, sent := strings.CutPrefix(strings.TrimSpace(out), `r {"r":`); {
	case sent:
		return strings.TrimSuffix(text, "}")
	case strings.Contains(out, "fault:"):
		return "fault"
	case strings.HasPrefix(out, "not decoded:"):
		return "no message"
	}
	return "null"
}

// number is a number without loss, as its text and a kind of column have it.
func number(t *testing.T, text string) *big.Float {
	t.Helper()
	x := new(big.Float).SetPrec(2048)
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return x.SetInt64(i)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x.SetFloat64(f)
}

// numberText is a number of a message or a rule, most of them near the ends of what
// float64 and int64 hold, and near each other.
func numberText(r *rand.Rand, base int64, whole bool) string {
	switch n := r.IntN(10); {
	case n < 6:
		return strconv.FormatInt(base+int64(r.IntN(5)-2), 10)
	case n < 7:
		return strconv.FormatInt(int64(r.IntN(3)), 10)
	case !whole && n < 9:
		return strconv.FormatFloat(float64(base)+float64(r.IntN(5)-2)/2, 'f', 1, 64)
	case !whole:
		return "18446744073709551616"
	}
	return strconv.FormatInt(-base, 10)
}

// literal is a number as a rule may have it.
func literal(text string) string {
	if _, err := strconv.ParseInt(text, 10, 64); err != nil && !strings.Contains(text, ".") {
		return text + ".0"
	}
	return text
}

var bases = []int64{1 << 53, -1 << 53, 1<<62 + 1, 1<<63 - 3, -1<<63 + 2, 1712345678901234567, 20240115, 0}

// Numbers stay what they are wherever they are compared, ordered, grouped, told apart,
// joined, cast and sent, in columns of every kind and against literals and each other.
func TestNumbers(t *testing.T) {
	execs := logictest.Executions()
	for round := range 200 {
		r := rand.New(rand.NewPCG(5, uint64(round)))
		kind := columnKinds[round%len(columnKinds)]
		n := &numbers{t: t, base: bases[r.IntN(len(bases))], whole: kind.name == "BIGINT" || strings.HasPrefix(kind.name, "useInt64"), r: r}
		n.lit, n.other = literal(numberText(r, n.base, false)), literal(numberText(r, n.base, false))
		for range 3 + r.IntN(12) {
			n.rows = append(n.rows, [2]string{numberText(r, n.base, n.whole), numberText(r, n.base, n.whole)})
		}
		n.run(execs[r.IntN(len(execs))], kind.schema, kind.fields, fmt.Sprintf("round %d, %s", round, kind.name))
	}
}

// numbers are rows {"a":..., "b":...} of one round and the literals that rules have.
type numbers struct {
	t          *testing.T
	r          *rand.Rand
	base       int64
	whole      bool
	lit, other string
	rows       [][2]string
}

func (n *numbers) run(x logictest.Execution, schema, fields, what string) {
	t := n.t
	t.Helper()
	r, err := logictest.NewRunner(x)
	if err != nil {
		t.Fatal(err)
	}
	command := func(line, input string) string {
		out, err := r.Command(line, input)
		if err != nil || strings.HasPrefix(out, "error") {
			t.Fatalf("%s: %s: %s %v", what, line, out, err)
		}
		return out
	}
	command(strings.Replace(schema, "schema", "schema s", 1), fields)
	command(fmt.Sprintf("schema tab table retain=%d", len(n.rows)), "")
	command("schema lk table key=k", "")
	rules := n.rules()
	for _, u := range rules {
		command("rule "+u.name, u.sql)
	}
	for i, row := range n.rows {
		command("push tab", fmt.Sprintf(`{"k":%s,"i":%d}`, row[1], i))
		command("push lk", fmt.Sprintf(`{"k":%s,"i":%d}`, row[1], i))
	}
	var input []string
	for i, row := range n.rows {
		input = append(input, fmt.Sprintf(`{"i":%d,"a":%s,"b":%s}`, i, row[0], row[1]))
	}
	got := map[string][]string{}
	out := command("push s", strings.Join(input, "\n")) + command("advance to=1000", "")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		name, text, _ := strings.Cut(line, " ")
		got[name] = append(got[name], n.plain(strings.TrimSpace(text))...)
	}
	for _, u := range rules {
		if want := u.want(); !slices.Equal(got[u.name], want) {
			t.Errorf("%s, %s: %s over\n%s\n got %q\nwant %q", what, x, u.sql, strings.Join(input, "\n"), got[u.name], want)
		}
	}
}

// plain is a message as its values: numbers in full, in the order of names.
func (n *numbers) plain(text string) []string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		n.t.Fatalf("%q: %v", text, err)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		m := e.(map[string]any)
		line := ""
		for _, k := range []string{"i", "v", "n"} {
			if x, ok := m[k].(json.Number); ok {
				line += " " + n.full(string(x))
			} else if x, ok := m[k]; ok {
				line += fmt.Sprintf(" %v", x)
			}
		}
		out = append(out, line)
	}
	return out
}

// full is a number in all its digits.
func (n *numbers) full(text string) string { return number(n.t, text).Text('f', 3) }

// numberRule is a rule with what it should send.
type numberRule struct {
	name, sql string
	want      func() []string
}

func (n *numbers) rules() []numberRule {
	num := func(text string) *big.Float { return number(n.t, text) }
	a := func(i int) *big.Float { return num(n.rows[i][0]) }
	b := func(i int) *big.Float { return num(n.rows[i][1]) }
	lit, other := num(n.lit), num(n.other)
	var list []numberRule
	// where is a rule that sends the rows for which f holds.
	where := func(name, cond string, f func(i int) bool) {
		list = append(list, numberRule{name, "SELECT i FROM s WHERE " + cond, func() (out []string) {
			for i := range n.rows {
				if f(i) {
					out = append(out, " "+n.full(strconv.Itoa(i)))
				}
			}
			return out
		}})
	}
	for op, f := range map[string]func(c int) bool{
		"=": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 }, "<": func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	} {
		key := fmt.Sprintf("%x", op)
		where("lit"+key, "a "+op+" "+n.lit, func(i int) bool { return f(a(i).Cmp(lit)) })
		where("rev"+key, n.lit+" "+op+" a", func(i int) bool { return f(lit.Cmp(a(i))) })
		where("cols"+key, "a "+op+" b", func(i int) bool { return f(a(i).Cmp(b(i))) })
		where("rest"+key, "b = "+n.other+" AND a "+op+" "+n.lit, func(i int) bool { return b(i).Cmp(other) == 0 && f(a(i).Cmp(lit)) })
		where("or"+key, "a "+op+" "+n.lit+" OR FALSE", func(i int) bool { return f(a(i).Cmp(lit)) })
		where("nest"+key, `object_construct("k", a)->k `+op+" "+n.lit, func(i int) bool { return f(a(i).Cmp(lit)) })
	}
	equal := func(x, y *big.Float) bool { return x.Cmp(y) == 0 }
	where("in", "a IN ("+n.lit+", "+n.other+")", func(i int) bool { return equal(a(i), lit) || equal(a(i), other) })
	where("notin", "a NOT IN ("+n.lit+", "+n.other+")", func(i int) bool { return !equal(a(i), lit) && !equal(a(i), other) })
	where("incol", "a IN (b, "+n.lit+")", func(i int) bool { return equal(a(i), b(i)) || equal(a(i), lit) })
	where("between", "a BETWEEN "+n.lit+" AND "+n.other, func(i int) bool { return a(i).Cmp(lit) >= 0 && a(i).Cmp(other) <= 0 })
	where("case", "CASE a WHEN "+n.lit+" THEN TRUE ELSE FALSE END", func(i int) bool { return equal(a(i), lit) })
	where("contains", "array_contains(array_create(a), b)", func(i int) bool { return equal(a(i), b(i)) })
	where("changedcol", "changed_col(true, a) = a", func(i int) bool { return i == 0 || !equal(a(i), a(i-1)) })
	where("latest", "latest(a) = a", func(int) bool { return true })
	where("changed", "had_changed(false, a)", func(i int) bool { return i == 0 || !equal(a(i), a(i-1)) })
	each := func(name, field string, f func(i int) string) {
		list = append(list, numberRule{name, "SELECT " + field + " FROM s", func() (out []string) {
			for i := range n.rows {
				out = append(out, f(i))
			}
			return out
		}})
	}
	text := func(x *big.Float) string { return " " + x.Text('f', 3) }
	each("sent", "a AS v, b AS n", func(i int) string { return text(a(i)) + text(b(i)) })
	each("accmax", "acc_max(a) AS v", func(i int) string {
		best := a(0)
		for k := range i + 1 {
			if a(k).Cmp(best) > 0 {
				best = a(k)
			}
		}
		return text(best)
	})
	each("nested", `array_create(b, a)[1] AS v`, func(i int) string { return text(a(i)) })
	return append(list, n.windows(a, text)...)
}

// windows are rules over all rows.
func (n *numbers) windows(a func(i int) *big.Float, text func(*big.Float) string) []numberRule {
	window := fmt.Sprintf(" GROUP BY COUNTWINDOW(%d)", len(n.rows))
	sorted := func() []*big.Float {
		var out []*big.Float
		for i := range n.rows {
			out = append(out, a(i))
		}
		slices.SortStableFunc(out, (*big.Float).Cmp)
		return out
	}
	lines := func(xs []*big.Float) (out []string) {
		for _, x := range xs {
			out = append(out, text(x))
		}
		return out
	}
	distinct := func() (out []*big.Float) {
		for i := range n.rows {
			if !slices.ContainsFunc(out, func(x *big.Float) bool { return x.Cmp(a(i)) == 0 }) {
				out = append(out, a(i))
			}
		}
		return out
	}
	times := func(x *big.Float) (k int) {
		for i := range n.rows {
			if a(i).Cmp(x) == 0 {
				k++
			}
		}
		return k
	}
	return []numberRule{
		{"order", "SELECT a AS v FROM s" + window + " ORDER BY a", func() []string { return lines(sorted()) }},
		{"max", "SELECT max(a) AS v, min(a) AS n FROM s" + window, func() []string {
			x := sorted()
			return []string{text(x[len(x)-1]) + text(x[0])}
		}},
		{"panes", "SELECT max(a) AS v, min(a) AS n FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", func() []string {
			x := sorted()
			return []string{text(x[len(x)-1]) + text(x[0])}
		}},
		{"panegroups", "SELECT a AS v, count(*) AS n FROM s GROUP BY TUMBLINGWINDOW(ss, 1), a", func() (out []string) {
			for _, x := range distinct() {
				out = append(out, text(x)+" "+n.full(strconv.Itoa(times(x))))
			}
			return out
		}},
		{"having", "SELECT max(a) AS v FROM s" + window + " HAVING max(a) >= " + n.lit + " AND min(a) < " + n.other, func() []string {
			x := sorted()
			if x[len(x)-1].Cmp(number(n.t, n.lit)) < 0 || x[0].Cmp(number(n.t, n.other)) >= 0 {
				return nil
			}
			return []string{text(x[len(x)-1])}
		}},
		{"last", "SELECT last_value(a, true) AS v FROM s" + window + " HAVING last_value(a, true) IN (" + n.lit + ", " + n.other + ")", func() []string {
			x := a(len(n.rows) - 1)
			if x.Cmp(number(n.t, n.lit)) != 0 && x.Cmp(number(n.t, n.other)) != 0 {
				return nil
			}
			return []string{text(x)}
		}},
		{"filter", "SELECT count(*) FILTER (WHERE a = " + n.lit + ") AS v FROM s" + window, func() []string {
			return []string{" " + n.full(strconv.Itoa(times(number(n.t, n.lit))))}
		}},
		{"joined", "SELECT s.i AS i, tab.i AS v FROM s INNER JOIN tab ON s.a = tab.k WHERE s.a > " + n.lit + " AND tab.k = " + n.other, func() (out []string) {
			for i := range n.rows {
				for k := range n.rows {
					b := number(n.t, n.rows[k][1])
					if a(i).Cmp(b) == 0 && a(i).Cmp(number(n.t, n.lit)) > 0 && b.Cmp(number(n.t, n.other)) == 0 {
						out = append(out, " "+n.full(strconv.Itoa(i))+" "+n.full(strconv.Itoa(k)))
					}
				}
			}
			return out
		}},
		{"distinct", "SELECT DISTINCT a AS v FROM s" + window, func() []string { return lines(distinct()) }},
		{"dedup", "SELECT length(deduplicate(a, true)) AS v FROM s" + window, func() []string {
			return []string{" " + n.full(strconv.Itoa(len(distinct())))}
		}},
		{"group", "SELECT a AS v, count(*) AS n FROM s" + window + ", a", func() (out []string) {
			for _, x := range distinct() {
				out = append(out, text(x)+" "+n.full(strconv.Itoa(times(x))))
			}
			return out
		}},
		{"lookup", "SELECT s.i AS i, lk.i AS v FROM s INNER JOIN lk ON s.a = lk.k", func() (out []string) {
			for i := range n.rows {
				for k := len(n.rows) - 1; k >= 0; k-- { // the last row of a key is the table's
					if a(i).Cmp(number(n.t, n.rows[k][1])) == 0 {
						out = append(out, " "+n.full(strconv.Itoa(i))+" "+n.full(strconv.Itoa(k)))
						break
					}
				}
			}
			return out
		}},
		{"table", "SELECT s.i AS i, tab.i AS v FROM s INNER JOIN tab ON s.a = tab.k", func() (out []string) {
			for i := range n.rows {
				for k := range n.rows {
					if a(i).Cmp(number(n.t, n.rows[k][1])) == 0 {
						out = append(out, " "+n.full(strconv.Itoa(i))+" "+n.full(strconv.Itoa(k)))
					}
				}
			}
			return out
		}},
	}
}
