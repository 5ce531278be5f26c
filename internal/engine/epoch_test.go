package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/planner/ruledef"
)

// A rule that was checked before another one with the same memory began, and starts after
// it, has nothing of what that one saw.
func TestStaleEpoch(t *testing.T) {
	for _, c := range []struct{ sql, options, want string }{
		{"SELECT collect(a) AS l FROM s GROUP BY COUNTWINDOW(2)", "{}", `{"l":[2,3]}`},
		{"SELECT collect(a) AS l FROM s GROUP BY SLIDINGWINDOW(hh, 1) OVER (WHEN a = 3)", "{}", `{"l":[2,3]}`},
		{"SELECT acc_sum(a) AS l FROM s WHERE a = 3", "{}", `{"l":5}`},
		{"SELECT a FROM s", `{"isEventTime":true,"lateTolerance":0}`, `{"a":2}`},
		{"SELECT s.a FROM s INNER JOIN u ON s.a = u.a GROUP BY COUNTWINDOW(4)", "{}", `{"a":2}`},
	} {
		r := newRig(t, Options{})
		r.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TIMESTAMP="ts")`)
		r.memoryStream("u", "in")
		rule := func(id string) string {
			return `{"id":"` + id + `","sql":"` + c.sql + `","options":` + c.options + `,"actions":[` + toMemory(id) + `]}`
		}
		first, err := parseRule([]byte(rule("first")))
		r.must(err)
		second, err := parseRule([]byte(rule("second")))
		r.must(err)
		late, checked, err := r.reserve(second)
		r.must(err)
		r.must(r.CreateRule(first))
		r.publish("in", `{"a":1,"ts":9000}`)
		rows := uint64(1 + strings.Count(c.sql, "JOIN"))
		r.await("the first rule has its rows", func() bool { return r.Totals().Rows == rows })
		r.open(checked)
		r.mu.Lock()
		err = r.installLocked(late, checked)
		r.mu.Unlock()
		r.must(err)
		out := r.listen("second")
		r.exec.Sync()
		r.publish("in", `{"a":2,"ts":1000}`, `{"a":3,"ts":2000}`)
		out.want(c.want)
		r.close()
	}
}

// EXPLAIN finds what a rule runs in, although it would begin anew if it started now.
func TestExplainRunning(t *testing.T) {
	r := newRig(t, Options{})
	r.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TIMESTAMP="ts")`)
	def := func(id, sql, options string) *ruledef.Def {
		d, err := parseRule([]byte(`{"id":"` + id + `","sql":"` + sql + `","options":` + options + `,"actions":[` + toMemory(id) + `]}`))
		r.must(err)
		return d
	}
	var defs []*ruledef.Def
	for _, id := range []string{"a", "b"} {
		defs = append(defs,
			def("count"+id, "SELECT sum(a) AS t FROM s GROUP BY COUNTWINDOW(2) HAVING sum(a) > 3", "{}"),
			def("event"+id, "SELECT sum(a) AS t FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING sum(a) > 3", `{"isEventTime":true}`))
	}
	for _, err := range r.CreateRules(slices.Values(defs)) {
		r.must(err)
	}
	r.exec.Sync()
	r.rule("later", "SELECT a FROM s", "out")
	r.exec.Sync()
	for _, id := range []string{"counta", "eventb"} {
		text, err := r.ExplainRule(id)
		r.must(err)
		if n := strings.Count(text, "shared with 1 rules"); n != strings.Count(text, "Plan_")-2 || strings.Contains(text, "not running") {
			t.Errorf("%s: got\n%s", id, text)
		}
	}
}
