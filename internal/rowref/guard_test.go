package rowref

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/logictest"
)

// guarding makes up conditions of which parts fail for some rows and others guard
// them, in all orders.
type guarding struct{ r *rand.Rand }

func (g guarding) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g guarding) op() string { return g.pick(">", ">=", "<", "<=", "=", "!=") }

// part is a condition that an index may take, that fails for some rows, or both.
func (g guarding) part() string {
	k := g.r.IntN(4)
	switch g.r.IntN(16) {
	case 0, 1:
		return fmt.Sprintf("n %s %d", g.op(), k)
	case 2, 3:
		return fmt.Sprintf("10 / n %s %d", g.op(), k*2)
	case 4:
		return fmt.Sprintf("a %s %d", g.op(), k)
	case 5:
		return fmt.Sprintf("d = 'd%d'", k)
	case 6:
		return fmt.Sprintf("d IN ('d0', 'd%d')", k)
	case 7:
		return fmt.Sprintf("n IN (%d, %d)", k, k+1)
	case 8:
		return g.pick("p", "NOT p", "d LIKE 'd%'", "a LIKE 'x%'", "isnull(a)", "a IS NOT NULL", "n", "false")
	case 9:
		return fmt.Sprintf("n BETWEEN %d AND %d", k, k+1)
	case 10:
		return fmt.Sprintf("a + 1 > %d", k)
	case 11:
		return fmt.Sprintf("12 %% (n - %d) = 0", k)
	case 12:
		return fmt.Sprintf(`cast(a, "bigint") > %d`, k)
	}
	return fmt.Sprintf("%s(concat('part %d: ', a), 'bigint') %s %d", "cast", g.r.IntN(9), g.op(), k) // always fails, and says which it is
}

func (g guarding) cond(depth int) string {
	if depth == 0 {
		return g.part()
	}
	d := depth - 1
	switch g.r.IntN(12) {
	case 0, 1:
		return g.part()
	case 2:
		return "(" + g.cond(d) + " OR " + g.cond(d) + ")"
	case 3:
		return "NOT (" + g.cond(d) + ")"
	case 4:
		return fmt.Sprintf("CASE WHEN (%s) = true THEN %s ELSE %s END", g.cond(d), g.cond(d), g.cond(d))
	case 5:
		return fmt.Sprintf("CASE WHEN (%s) = true THEN 10 / n ELSE %d END > %d", g.cond(d), g.r.IntN(4), g.r.IntN(4))
	case 6:
		return "(" + g.cond(d) + " AND " + g.cond(d) + ")"
	}
	return g.cond(d) + " AND " + g.cond(d)
}

func (g guarding) rule() string {
	switch g.r.IntN(7) {
	case 3: // of the rows of a window
		return fmt.Sprintf("SELECT m, n FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING %s", g.cond(2))
	case 0:
		return fmt.Sprintf("SELECT count(*) AS c FROM s WHERE %s GROUP BY 6 / n, TUMBLINGWINDOW(ss, 1)", g.cond(1))
	case 1: // over the output of a window
		return fmt.Sprintf("SELECT count(*) AS c, last_value(n, true) AS n, last_value(a, true) AS a, last_value(d, true) AS d, last_value(p, true) AS p FROM s GROUP BY m, TUMBLINGWINDOW(ss, 1) HAVING %s", g.cond(2))
	case 2:
		return fmt.Sprintf("SELECT m, CASE WHEN (%s) = true THEN 10 / n ELSE 0 END AS v FROM s WHERE %s", g.cond(1), g.cond(1))
	}
	return "SELECT m, n FROM s WHERE " + g.cond(3)
}

func (g guarding) row(m int) string {
	return fmt.Sprintf(`{"m":%d,"n":%s,"a":%s,"d":%s,"p":%s}`, m,
		g.pick("0", "0", "1", "2", "3", "4", "null", `"x"`), g.pick("0", "1", "2.5", `"x"`, `"3"`, "null", "true"),
		g.pick(`"d0"`, `"d1"`, `"d2"`, `"d3"`, "null", "1"), g.pick("true", "false", "true", "null", "3"))
}

// A part of a condition guards those that stand behind it: what a row is lost by is
// the first part, in the order of the text, that is not true, and only if that one
// failed it is a fault. That holds whatever index a rule is found by, alone and beside
// others that share its parts.
func TestGuards(t *testing.T) {
	g := guarding{rand.New(rand.NewPCG(12, 9))}
	cases, faults := 1500, 0
	if testing.Short() {
		cases = 300
	}
	for range env(t, "WEIR_GUARD_CASES", cases) {
		var rules []string
		for range 1 + g.r.IntN(5) {
			rules = append(rules, g.rule())
		}
		rows := make([]string, 1+g.r.IntN(40))
		for i := range rows {
			rows[i] = g.row(i)
		}
		want, n := byHand(t, rules, rows)
		faults += n
		for _, share := range []bool{true, false} {
			e := logictest.Execution{Share: share, Batch: []int{1, 3, 64, 1024}[g.r.IntN(4)], Reverse: g.r.IntN(2) == 0}
			got := byExec(t, rules, rows, e)
			for i := range rules {
				if strings.Contains(rules[i], "WINDOW") { // keys are computed before the window or at its end
					slices.Sort(got[i].texts)
					slices.Sort(want[i].texts)
				}
				if !sameOutcome(got[i], want[i]) {
					t.Fatalf("%s\n  %s\nrows\n%s\n%s:\n got\n%s\n want\n%s", e, strings.Join(rules, "\n  "), strings.Join(rows, "\n"), rules[i], got[i], want[i])
				}
			}
		}
	}
	if faults < cases {
		t.Errorf("got %d faults in %d cases, want more", faults, cases)
	}
}

// outcome is what a rule sent and lost.
type outcome struct {
	sent   []string
	texts  []string // of faults
	faults int
}

// byHand has the slow evaluator run the rules.
func byHand(t *testing.T, rules, rows []string) (out []outcome, faults int) {
	t.Helper()
	for _, text := range rules {
		r, err := New(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			var m map[string]any
			if err := json.Unmarshal([]byte(row), &m); err != nil {
				t.Fatal(err)
			}
			r.Push("s", m, 100)
		}
		r.Advance(1000)
		out = append(out, outcome{r.Take(), r.Texts(), r.Faults()})
		faults += r.Faults()
	}
	return out, faults
}

// byExec has the executor run them.
func byExec(t *testing.T, rules, rows []string, e logictest.Execution) []outcome {
	t.Helper()
	r, err := logictest.NewRunner(e)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]outcome, len(rules))
	command := func(line, input string, f func(o *outcome, rest string)) {
		text, err := r.Command(line, input)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, l := range strings.Split(text, "\n") {
			for i := range rules {
				if rest, ok := strings.CutPrefix(l, fmt.Sprintf("r%d ", i)); ok {
					f(&out[i], rest)
				}
			}
		}
	}
	send := func(o *outcome, rest string) {
		if text, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), "fault: "); ok {
			o.texts = append(o.texts, text)
		} else {
			o.sent = append(o.sent, rest)
		}
	}
	for i, text := range rules {
		if said, err := r.Command(fmt.Sprintf("rule r%d faults", i), text); err != nil || said != "" {
			t.Fatalf("%s: %s, %v", text, said, err)
		}
	}
	command("push s at=100", strings.Join(rows, "\n"), send)
	command("advance to=1000", "", send)
	command("stats", "", func(o *outcome, rest string) {
		_, n, _ := strings.Cut(rest, "faults=")
		if _, err := fmt.Sscan(n, &o.faults); err != nil {
			t.Fatal(err)
		}
	})
	return out
}

// sameOutcome compares what both say. Texts are the same where functions of the table
// made them; those of operators are the executor's own.
func sameOutcome(a, b outcome) bool {
	if len(a.sent) != len(b.sent) || a.faults != b.faults || len(a.texts) != len(b.texts) {
		return false
	}
	for i := range a.sent {
		if !alike("r "+a.sent[i], "r "+b.sent[i]) {
			return false
		}
	}
	own := func(text string) bool { return !strings.Contains(text, "part ") && !strings.Contains(text, "divided") }
	return slices.Equal(slices.DeleteFunc(slices.Clone(a.texts), own), slices.DeleteFunc(slices.Clone(b.texts), own))
}

// String makes failures readable.
func (o outcome) String() string {
	return fmt.Sprintf("  %s\n  faults=%d\n  %s", strings.Join(o.sent, "\n  "), o.faults, strings.Join(o.texts, "\n  "))
}
