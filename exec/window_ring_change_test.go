package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// timed is anyStream with a timestamp, for rules in event time.
type timed struct{}

// Source implements planner.Catalog.
func (timed) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name, Timestamp: "n"}, true
}

// changing is an executor whose rules come and go while messages come.
type changing struct {
	b   *planner.Builder
	x   *exec.Executor
	out *sent

	start int64 // what rules take for the time of their start
	late  int64 // lateTolerance, ms
}

func newChanging(t testing.TB) *changing {
	c := &changing{b: planner.NewBuilder(), out: newSent(t)}
	c.x = exec.New(exec.Env{}, c.out)
	return c
}

func (c *changing) add(t testing.TB, r aloneRule) {
	t.Helper()
	st, err := sql.Parse(r.text)
	if err != nil {
		t.Fatal(err)
	}
	env := planner.Env{Funcs: fn.Set{}, Catalog: timed{}, Fold: exec.FoldIn(time.UTC)}
	q, err := planner.Bind(env, fmt.Sprintf("r%d", r.id), st.(*sql.Select), planner.Settings{Epoch: c.b.Next(), EventTime: r.event, LateMs: c.late, RuleStartMs: c.start})
	if err != nil {
		t.Fatal(err)
	}
	c.b.Add(r.id, q.Root, false)
}

// replace makes r of the rule of its number, which goes on in its window.
func (c *changing) replace(t testing.TB, r aloneRule) {
	t.Helper()
	release := c.b.Replacing(r.id)
	c.b.Remove(r.id)
	c.add(t, r)
	release()
}

// aloneRule is a rule, and an executor that has no other.
type aloneRule struct {
	id     planner.RuleID
	text   string
	event  bool
	window string
	rows   bool // of a window, or groups of them
	aggs   []string
	alone  *changing
}

// write makes the rule's text of its parts, aggregates in any order.
func (r *aloneRule) write(rnd *rand.Rand) {
	rnd.Shuffle(len(r.aggs), func(i, j int) { r.aggs[i], r.aggs[j] = r.aggs[j], r.aggs[i] })
	var list []string
	for _, a := range r.aggs {
		list = append(list, fmt.Sprintf("%s AS x%d", a, slices.Index(ringAggs, a)+1))
	}
	r.text = "SELECT " + strings.Join(list, ", ") + " FROM s GROUP BY " + r.window
	if slices.Contains(r.aggs, "sum(a)") && rnd.IntN(2) == 0 { // it needs no other aggregate
		r.text += " HAVING sum(a) > 99"
	}
}

var ringAggs = []string{
	"sum(a)", "max(a)", "min(a)", "count(*)", "avg(a)", "stddev(a)", "last_value(n, true)", "collect(a)", "count(DISTINCT d)", "sum(a) FILTER (WHERE a > 40)", "window_start()", "window_end()",
	"lag(sum(a))", "acc_count(max(a))", "last_agg_hit_count()", "b", "a", "d", "n",
}

// remembers tells whether the rule sends something that depends on its messages before.
func (r *aloneRule) remembers() bool {
	return slices.ContainsFunc(ringAggs[12:15], func(a string) bool { return slices.Contains(r.aggs, a) })
}

// Some lengths and hops do not go into a minute, some windows hold less than a hop.
var ringWindows = []string{
	"TUMBLINGWINDOW(ss, 7)", "TUMBLINGWINDOW(ms, 1700)", "HOPPINGWINDOW(ss, 8, 7)", "HOPPINGWINDOW(ss, 2, 9)", "HOPPINGWINDOW(ss, 1, 4)", "HOPPINGWINDOW(ms, 3500, 5000)",
	"TUMBLINGWINDOW(ss, 6)", "TUMBLINGWINDOW(ss, 4)", "TUMBLINGWINDOW(ss, 5)", "TUMBLINGWINDOW(ss, 10)", "TUMBLINGWINDOW(ss, 1)",
	"HOPPINGWINDOW(ss, 6, 4)", "HOPPINGWINDOW(ss, 5, 2)", "HOPPINGWINDOW(ss, 10, 1)", "HOPPINGWINDOW(ss, 3, 3)",
	"COUNTWINDOW(7)", "COUNTWINDOW(90, 40)", "SLIDINGWINDOW(ss, 2)", "SLIDINGWINDOW(ss, 3, 1)", "SESSIONWINDOW(ss, 10, 1)", "STATEWINDOW(a > 70, a < 20)",
}

func randomRule(rnd *rand.Rand, id planner.RuleID, windows []string) aloneRule {
	r := aloneRule{id: id, event: rnd.IntN(3) == 0, window: windows[rnd.IntN(len(windows))]}
	r.event = r.event && !strings.HasPrefix(r.window, "COUNT")
	if rnd.IntN(4) == 0 { // a window of rows
		r.rows, r.aggs = true, slices.Clone([]string{"a", "b", "d", "n"}[rnd.IntN(3):])
		r.write(rnd)
		return r
	}
	for _, i := range rnd.Perm(len(ringAggs) - 3)[:1+rnd.IntN(4)] {
		r.aggs = append(r.aggs, ringAggs[i])
	}
	if !slices.Contains(r.aggs, "window_start()") && rnd.IntN(2) == 0 {
		r.aggs = append(r.aggs, "window_start()")
	}
	if rnd.IntN(2) == 0 {
		r.window = "d, " + r.window
	}
	if !slices.ContainsFunc(r.aggs, func(a string) bool { return strings.Contains(a, "(") }) {
		r.aggs = append(r.aggs, "sum(a)")
	}
	r.write(rnd)
	return r
}

// Rules that share a ring or a window send what each of them sends alone, however they come,
// go and are replaced while the windows fill.
func TestRingChanges(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { ringChanges(t, rand.New(rand.NewPCG(seed, 8))) })
	}
}

func ringChanges(t *testing.T, rnd *rand.Rand) {
	all := newChanging(t)
	var rules []aloneRule
	var windows []string // few, so that several rules are in one
	for range 2 + rnd.IntN(5) {
		windows = append(windows, ringWindows[rnd.IntN(len(ringWindows))])
	}
	now, next := int64(1000), planner.RuleID(1)
	begin := func(r aloneRule) aloneRule {
		all.add(t, r)
		r.alone = newChanging(t)
		r.alone.add(t, r)
		return r
	}
	for range 60 {
		for range rnd.IntN(3) {
			switch k := rnd.IntN(10); {
			case k < 4 && len(rules) < 12:
				rules = append(rules, begin(randomRule(rnd, next, windows)))
				next++
			case k < 6 && len(rules) > 0:
				i := rnd.IntN(len(rules))
				all.b.Remove(rules[i].id)
				rules = slices.Delete(rules, i, i+1)
			case k < 8 && len(rules) > 0: // the same window and aggregates: it goes on
				r := &rules[rnd.IntN(len(rules))]
				if r.remembers() {
					continue // it would begin anew
				}
				r.write(rnd)
				all.replace(t, *r)
				r.alone.replace(t, *r)
			case k < 9 && len(rules) > 0: // another rule of the number
				r := &rules[rnd.IntN(len(rules))]
				all.b.Remove(r.id)
				all.x.SetProgram(0, all.b.Program(), now)
				all.x.Forget(r.id)
				delete(all.out.rows, r.id) // what it sent was looked at
				*r = begin(randomRule(rnd, r.id, windows))
			}
		}
		each := append([]*changing{all}, alones(rules)...)
		for _, c := range each {
			c.x.SetProgram(0, c.b.Program(), now)
		}
		in := batch(rnd, planOf(), 1+rnd.IntN(40), 0, false)
		stamp(in, now)
		silent := rnd.IntN(2) == 0
		for _, c := range each {
			c.x.Advance(now)
			if !silent {
				c.x.Run(in, now)
			}
		}
		now += int64(rnd.IntN(2500)) + 50
		for _, c := range each {
			c.x.Advance(now)
		}
		for _, r := range rules {
			got, want := texts(all.out.rows[r.id]), texts(r.alone.out.rows[r.id])
			if got != want {
				t.Fatalf("at %d: %s (event time %v): with others\n%s\nalone\n%s", now, r.text, r.event, got, want)
			}
		}
	}
	if all.out.n == 0 {
		t.Error("nothing was sent")
	}
}

// stamp gives the rows of a batch increasing times: a millisecond each.
func stamp(in *vec.Batch, now int64) {
	c := &in.Cols[slices.IndexFunc(in.Plan.Cols, func(s vec.ColumnSpec) bool { return s.Path[0] == "n" })]
	for i := range in.Rows {
		c.SetInt(i, now+int64(i))
	}
}

func alones(rules []aloneRule) (out []*changing) {
	for _, r := range rules {
		out = append(out, r.alone)
	}
	return out
}

func texts(messages []string) string { return strings.Join(messages, "\n") }
