package planner_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-engine/weir/planner"
)

// statefulPool is rules over a window that share stateful calls in every place that such
// a call can have, alone and below others.
var statefulPool = []string{
	"SELECT lag(avg(a)) AS p FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT lag(avg(a)) + %d AS p, count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT lag(lag(avg(a))) AS p FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING lag(avg(a)) > %d",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING lag(avg(a)) = %d AND count(*) > 1",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING count(*) = %d AND lag(avg(a)) > 1",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING lag(count(*)) = %d OR lag(avg(a)) > 1",
	"SELECT changed_cols('x', true, avg(a)) FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT lag(count(*)) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d",
	"SELECT count(*) AS c FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) ORDER BY avg(a)",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
}

// What is found for all stateful steps at once is what is found for each of them.
func TestRulesOfStateful(t *testing.T) {
	shared := 0
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 5))
		b := planner.NewBuilder()
		for id := range planner.RuleID(1 + r.IntN(15)) {
			b.Add(id+1, mustBind(t, id+1, poolRule(r, statefulPool)).Root, false)
		}
		for _, w := range b.Program().Windows {
			all := w.Out.RulesOfStateful()
			if len(all) != len(w.Out.Analytics) {
				t.Fatalf("seed %d: %d steps have rules, want %d", seed, len(all), len(w.Out.Analytics))
			}
			for _, s := range w.Out.Analytics {
				got := slices.Clone(all[s])
				slices.Sort(got)
				got = slices.Compact(got)
				if want := w.Out.RulesOf(s); !slices.Equal(got, want) {
					t.Fatalf("seed %d: step %s is of rules %v, want %v", seed, w.Out.Steps[s].Text, got, want)
				}
				if len(got) > 1 {
					shared++
				}
			}
		}
	}
	if shared < 100 {
		t.Errorf("%d steps are of several rules, want more", shared)
	}
}
