package engine

import (
	"strings"
	"testing"
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
