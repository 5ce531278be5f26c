package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/logictest"
)

// faulty makes up rules most of whose rows fail, each in a way of its own.
type faulty struct{ r *rand.Rand }

func (g faulty) pick(list ...string) string { return list[g.r.IntN(len(list))] }

// value is an expression that fails for some rows.
func (g faulty) value() string {
	e := g.pick("a + 1", "12 / a", "a % 2", "-t", "abs(a)", "abs(t)", "sqrt(t)", `cast(t, "bigint")`, `cast(a, "boolean")`,
		"j[0]", "j[1]", "j[n]", "j[0:2]", "j->k + 1", "o->k / n", "o->k->l + 1", "array_max(j)", "keys(j)", "n / (n - 2)", "n % 0", "t + n",
		"substring(t, a)", `get_keyed_state(a, "bigint", 1)`, `round(a) + abs(t)`, "cardinality(t)", `hex2dec(t)`, "a", "t", "n",
		"CASE WHEN a > 1 THEN abs(t) ELSE j[0] END", "CASE n WHEN 1 THEN abs(t) WHEN a THEN 1 ELSE 12 / n END",
		"lag(abs(a))", "acc_sum(a)", "had_changed(true, abs(t))", "latest(12 / a)", "lag(a) OVER (PARTITION BY abs(t))")
	if g.r.IntN(4) == 0 {
		return g.pick("abs(", "round(", "1 + (", "10 / (") + e + ")"
	}
	return e
}

func (g faulty) cond() string {
	switch g.r.IntN(12) {
	case 0:
		return fmt.Sprintf("a %s %d", g.pick(">", ">=", "<", "<="), g.r.IntN(5))
	case 1:
		return fmt.Sprintf("%s %s %d", g.value(), g.pick(">", ">=", "<", "<=", "=", "!="), g.r.IntN(5))
	case 2:
		return fmt.Sprintf("%s = %d", g.pick("a", "t", "n", "o->k"), g.r.IntN(4))
	case 3:
		return fmt.Sprintf("%s = '%s'", g.pick("a", "t"), g.pick("x", "y"))
	case 4:
		return fmt.Sprintf("%s IN (%d, %d)", g.pick("a", "t"), g.r.IntN(4), g.r.IntN(4))
	case 5:
		return g.pick("a", "t", "NOT a", "NOT t", "t LIKE 'x%'", "a LIKE 'x%'", "j")
	case 6:
		return fmt.Sprintf("%s BETWEEN %d AND %s", g.value(), g.r.IntN(3), g.value())
	case 7:
		return g.value() + " > " + g.value()
	case 8, 9:
		return g.cond() + " AND " + g.cond()
	case 10:
		return "(" + g.cond() + " OR " + g.cond() + ")"
	}
	return g.value() + " IN j"
}

func (g faulty) aggregate() string {
	arg := g.value()
	a := g.pick("sum", "avg", "min", "max", "count", "collect", "stddev", "median", "merge_agg", "deduplicate", "last_value")
	switch a {
	case "deduplicate", "last_value":
		a += "(" + arg + ", true)"
	default:
		if g.r.IntN(6) == 0 {
			arg = "DISTINCT " + arg
		}
		a += "(" + arg + ")"
	}
	if g.r.IntN(5) == 0 {
		a += " FILTER (WHERE " + g.cond() + ")"
	}
	return a
}

func (g faulty) where() string {
	if g.r.IntN(2) == 0 {
		return " WHERE " + g.cond()
	}
	return ""
}

func (g faulty) window() string {
	return g.pick("TUMBLINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 2)", "HOPPINGWINDOW(ss, 2, 1)", "COUNTWINDOW(4)", "COUNTWINDOW(3, 1)",
		"SLIDINGWINDOW(ss, 1)", "SESSIONWINDOW(ss, 2, 1)")
}

func (g faulty) rule() string {
	switch g.r.IntN(11) {
	case 10:
		return "SELECT n, " + g.value() + " AS v FROM s WHERE " + g.value() + " > last_hit_count()"
	case 0, 1, 2:
		return "SELECT n, " + g.value() + " AS v FROM s" + g.where()
	case 3:
		return "SELECT " + g.aggregate() + " AS v FROM s" + g.where()
	case 4:
		return "SELECT n, " + g.value() + " AS v FROM s" + g.where() + " GROUP BY " + g.window()
	case 5:
		return "SELECT n, unnest(j) FROM s" + g.where()
	case 6:
		return "SELECT n, row_number() OVER (PARTITION BY " + g.value() + ") AS v FROM s" + g.where() + " GROUP BY " + g.window()
	case 7:
		on := g.pick("s.n = q.n", "abs(s.t) = q.n", "s.a > q.a", "abs(s.t) > q.n AND s.n = q.n")
		return "SELECT s.n, abs(q.a) AS v FROM s " + g.pick("INNER", "LEFT") + " JOIN q ON " + on + " GROUP BY TUMBLINGWINDOW(ss, 2)"
	}
	text := "SELECT " + g.aggregate() + " AS v, " + g.aggregate() + " AS w FROM s" + g.where() + " GROUP BY " + g.pick("", "", "t, ", "abs(a), ") + g.window()
	if g.r.IntN(3) == 0 {
		text += " HAVING " + g.aggregate() + " > 1"
	}
	return text
}

// rows makes up payloads with values of all kinds.
func (g faulty) rows(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, `{"a":%s,"t":%s,"j":%s,"o":%s,"n":%d}`+"\n",
			g.pick("1", "2", "0", `"x"`, `"y"`, "null", "true", "3.5", "[1]"), g.pick(`"x"`, `"y"`, `"12"`, "4", "null", `"zz"`, "false"),
			g.pick("[]", "[1]", `[1,"x"]`, `["x",2]`, "null", "5", `{"k":1}`), g.pick(`{"k":1}`, `{"k":"x"}`, "{}", "null", "[1]"), g.r.IntN(4))
	}
	return b.String()
}

// play runs rules over the payloads and returns what each sent, lost and counts.
func play(t *testing.T, rules []string, batches []string, e logictest.Execution) (out [][]string) {
	t.Helper()
	r, err := logictest.NewRunner(e)
	if err != nil {
		t.Fatal(err)
	}
	command := func(line, input string) string {
		text, err := r.Command(line, input)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return text
	}
	out = make([][]string, len(rules))
	lines := func(text string) {
		for _, line := range strings.Split(text, "\n") {
			for i := range rules {
				if rest, ok := strings.CutPrefix(line, fmt.Sprintf("r%d ", i)); ok {
					out[i] = append(out[i], rest)
				}
			}
		}
	}
	for i, rule := range rules {
		if text := command(fmt.Sprintf("rule r%d %s", i, []string{"faults", ""}[i%2]), rule); text != "" {
			return nil
		}
	}
	for i, b := range batches {
		lines(command(fmt.Sprintf("push %s at=%d", []string{"s", "s", "q"}[i%3], 1000+i*400), b))
	}
	lines(command("advance to=20000", ""))
	lines(command("stats text", ""))
	return out
}

// What a rule sends and loses, and the text of each fault, is the same beside
// other rules as it is alone, whatever they share.
func TestFaultsAlone(t *testing.T) {
	g := faulty{rand.New(rand.NewPCG(3, 4))}
	cases, faults := 800, 0
	if testing.Short() {
		cases = 200
	}
	for range cases {
		var rules []string
		for range 2 + g.r.IntN(2) {
			rules = append(rules, g.rule())
		}
		var batches []string
		for range 1 + g.r.IntN(6) {
			batches = append(batches, g.rows(1+g.r.IntN(8)))
		}
		e := logictest.Execution{Share: true, Batch: []int{1, 3, 64}[g.r.IntN(3)], Reverse: g.r.IntN(2) == 0}
		both := play(t, rules, batches, e)
		e.Share, e.Batch = false, []int{1, 3, 64}[g.r.IntN(3)]
		alone := play(t, rules, batches, e)
		for i := range both {
			if !slices.Equal(both[i], alone[i]) {
				t.Fatalf("rules %s\nbatches of %d, %s\nrule %d: beside the others\n  %s\nalone\n  %s", strings.Join(rules, "\n      "), e.Batch,
					strings.Join(batches, "--\n"), i, strings.Join(both[i], "\n  "), strings.Join(alone[i], "\n  "))
			}
			faults += strings.Count(strings.Join(both[i], "\n"), "fault: ")
		}
	}
	if faults < cases {
		t.Errorf("got %d faults in %d cases, want more", faults, cases)
	}
}
