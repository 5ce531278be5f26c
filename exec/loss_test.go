package exec_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// Late rows and windows that are passed over are those of the rules that were there
// when they came: not of one that comes later, nor of one that takes the number of
// a rule that is gone, and none is forgotten when rules change.
func TestLossesOfChangingRules(t *testing.T) {
	c := newChanging(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	const now = 1_700_000_000_000 // rules may enter a watermark near the clock
	c.start = now
	program := func() { c.x.SetProgram(0, c.b.Program(), now) }
	push := func(rows int, from int64) {
		b := batchFrom(rnd, planOf(), rows, now+from, false)
		c.x.Run(b, now)
	}
	want := func(what string, late ...uint64) {
		t.Helper()
		s := c.x.Stats()
		for i, n := range late {
			got, ok := s.LostBy(planner.RuleID(i + 1))
			if got != (loss.Counts{loss.Late: n}) || ok != (n > 0) {
				t.Errorf("%s: rule %d: got %v, want %d late", what, i+1, got.Named(), n)
			}
		}
	}
	c.add(t, aloneRule{id: 1, text: "SELECT n FROM s", event: true})
	c.add(t, aloneRule{id: 2, text: "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", event: true})
	c.add(t, aloneRule{id: 3, text: "SELECT n FROM s"})
	program()
	push(1, -5000)
	push(3, -9000)
	push(1, -5000)
	c.add(t, aloneRule{id: 4, text: "SELECT n FROM s WHERE n > 0", event: true})
	program()      // nobody has read the counters
	push(1, -4000) // the fourth rule enters: no row from before waits
	push(2, -9000)
	want("a rule came", 5, 5, 0, 2)
	push(1, -9000)
	push(1, -4000)
	c.b.Remove(1)
	program()
	c.x.Forget(1)
	c.add(t, aloneRule{id: 1, text: "SELECT n FROM s WHERE n < 9", event: true})
	program()
	push(1, -3000)
	push(1, -9000)
	want("a number is used again", 1, 7, 0, 4)
	if got := c.x.StreamLost(0)[loss.Late]; got != 7 {
		t.Errorf("of the stream: got %d late, want 7", got)
	}
	if got := c.x.Stats().Lost; got != (loss.Counts{loss.Late: 7}) {
		t.Errorf("of all: got %v, want 7 late", got.Named())
	}
	push(1, 5000+(10000+7)*1000) // over more windows of rule 2 than are made
	push(1, 5000+(10000+9)*1000)
	if got, _ := c.x.Stats().LostBy(2); got[loss.Capped] == 0 || got != (loss.Counts{loss.Late: 7, loss.Capped: got[loss.Capped]}) {
		t.Errorf("a jump: got %v", got.Named())
	}
	if got, _ := c.x.Stats().LostBy(4); got != (loss.Counts{loss.Late: 4}) {
		t.Errorf("a rule without a window: got %v", got.Named())
	}
}
