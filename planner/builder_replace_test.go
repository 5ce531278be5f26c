package planner_test

import (
	"testing"

	"github.com/weir-engine/weir/planner"
)

// A rule remembers if something that it sends depends on the rows or results before,
// wherever in it that stands.
func TestRemembers(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT a FROM s WHERE a > 1":                                                                  false,
		"SELECT a, rule_start() AS r FROM s":                                                           false,
		"SELECT a FROM s WHERE a > 1 AND lag(a) > 1":                                                   true,
		"SELECT changed_cols('c', true, a) FROM s":                                                     true,
		"SELECT a, last_hit_count() AS n FROM s":                                                       true,
		"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)":                                   true,
		"SELECT a FROM s GROUP BY COUNTWINDOW(1)":                                                      false,
		"SELECT sum(a) AS c FROM s GROUP BY COUNTWINDOW(1) HAVING sum(a) > 1":                          false,
		"SELECT sum(a) AS c FROM s GROUP BY COUNTWINDOW(1) HAVING lag(sum(a)) > 1":                     true,
		"SELECT sum(a) AS c FROM s GROUP BY COUNTWINDOW(1) HAVING last_agg_hit_count() < 2":            true,
		"SELECT sum(a) AS c FROM s GROUP BY COUNTWINDOW(1) HAVING sum(a) > last_agg_hit_time() + 1":    true,
		"SELECT sum(a) AS c, last_agg_hit_count() + 1 AS n FROM s GROUP BY COUNTWINDOW(1)":             true,
		"SELECT a FROM s GROUP BY COUNTWINDOW(1) ORDER BY a + last_agg_hit_count()":                    true,
		"SELECT a FROM s WHERE lag(a) > 1 GROUP BY COUNTWINDOW(1)":                                     true,
		"SELECT sum(lag(a)) AS c FROM s GROUP BY COUNTWINDOW(1)":                                       true,
		"SELECT a, lag(a) AS l FROM s GROUP BY COUNTWINDOW(1)":                                         true,
		"SELECT a FROM s GROUP BY COUNTWINDOW(1) ORDER BY lag(a)":                                      true,
		"SELECT a, lag(b) AS l FROM s GROUP BY COUNTWINDOW(1) HAVING sum(a) > 1":                       true,
		"SELECT a FROM s GROUP BY COUNTWINDOW(1) FILTER (WHERE last_hit_count() < 3)":                  true,
		"SELECT a FROM s GROUP BY COUNTWINDOW(1) HAVING sum(a) > 1 AND a > 2 ORDER BY a + sum(a) DESC": false,
	} {
		b := planner.NewBuilder()
		b.Add(1, mustBind(t, 1, text).Root, false)
		if got := b.Remembers(1); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
