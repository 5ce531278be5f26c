package exec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/planner"
)

// Rules that come one by one to a stream near the clock, or before its first row, share
// an order of event time: a thousand of them cost one. One that comes while all rows are
// late, or those of another time than the clock's, begins anew.
func TestEntersOrder(t *testing.T) {
	const clock = 1_700_000_000_000
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, tt := range []struct {
		name  string
		start int64 // what the rule takes for now
		times []int
		want  int
	}{
		{"no row", clock, nil, 1},
		{"near the clock", clock, []int{clock}, 1},
		{"a little ahead", clock, []int{clock + 59_000}, 1},
		{"some are late", clock, []int{clock, clock - 5000, clock}, 1},
		{"the last ones are late", clock, []int{clock, clock - 5000}, 20},
		{"ahead", clock, []int{clock + 61_000}, 20},
		{"a replay", clock, []int{1000}, 20},
		{"long ago", clock + 61_000, []int{clock}, 20},
	} {
		c := newChanging(t)
		c.start = tt.start
		var p *planner.Program
		for i := range 20 {
			c.add(t, aloneRule{id: planner.RuleID(i + 1), text: fmt.Sprintf("SELECT n FROM s WHERE a > %d", i), event: true})
			p = c.b.Program()
			c.x.SetProgram(0, p, clock)
			for _, at := range tt.times {
				c.x.Run(batch(rnd, planOf(), 1, at, false), clock)
			}
		}
		if got := len(p.Orders); got != tt.want {
			t.Errorf("%s: got %d orders, want %d", tt.name, got, tt.want)
		}
		for i := range 20 {
			c.b.Remove(planner.RuleID(i + 1))
		}
		if p = c.b.Program(); len(p.Orders) != 0 {
			t.Errorf("%s: %d orders without rules", tt.name, len(p.Orders))
		}
		c.add(t, aloneRule{id: 1, text: "SELECT n FROM s", event: true})
		if p = c.b.Program(); len(p.Orders) != 1 {
			t.Errorf("%s: %d orders for the next rule", tt.name, len(p.Orders))
		}
	}
}
