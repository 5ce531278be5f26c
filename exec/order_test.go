package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
		times []int64
		want  int
	}{
		{"no row", clock, nil, 1},
		{"near the clock", clock, []int64{clock}, 1},
		{"behind the clock", clock, []int64{clock - 59_000}, 1},
		{"far behind", clock, []int64{clock - 61_000}, 20},
		{"some are late", clock, []int64{clock, clock - 5000, clock}, 1},
		{"the last ones are late", clock, []int64{clock, clock - 5000}, 20},
		{"ahead", clock, []int64{clock + 1}, 20},
		{"a replay", clock, []int64{1000}, 20},
		{"long ago", clock + 61_000, []int64{clock}, 20},
		{"a moment before the last row", clock - 50, []int64{clock}, 1},
		{"the clock was set back", clock - 3_600_000, []int64{clock}, 20},
	} {
		c := newChanging(t)
		c.start = tt.start
		var p *planner.Program
		for i := range 20 {
			c.add(t, aloneRule{id: planner.RuleID(i + 1), text: fmt.Sprintf("SELECT n FROM s WHERE a > %d", i), event: true})
			p = c.b.Program()
			c.x.SetProgram(0, p, clock)
			for _, at := range tt.times {
				c.x.Run(batchFrom(rnd, planOf(), 1, at, false), clock)
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

// What waits for the rows from before a rule came is kept once, however often other
// rules change as long as no row comes.
func TestComingOnce(t *testing.T) {
	const clock = 1_700_000_000_000
	rnd := rand.New(rand.NewPCG(1, 1))
	c := newChanging(t)
	c.start, c.late = clock, 1000
	for i := range 2 {
		c.add(t, aloneRule{id: planner.RuleID(i + 1), text: fmt.Sprintf("SELECT n FROM s WHERE a > %d", i), event: true})
		c.x.SetProgram(0, c.b.Program(), clock)
		c.x.Run(batchFrom(rnd, planOf(), 1, clock, false), clock)
	}
	for i := range 20 {
		c.add(t, aloneRule{id: 3, text: fmt.Sprintf("SELECT n FROM s WHERE a = %d", i)})
		c.x.SetProgram(0, c.b.Program(), clock)
		c.b.Remove(3)
	}
	if got := c.x.Coming(0); got != 1 {
		t.Errorf("%d definitions wait, want 1", got)
	}
}

// A rule that enters an order sends what it sends alone: nothing of the rows that waited
// when it came, and all of those that come in order from then on. Only where another
// leaves as long as they wait it may have them, too.
func TestEnteringRules(t *testing.T) {
	texts := []string{
		"SELECT n FROM s", "SELECT a, n FROM s WHERE a > 30", "SELECT b, n FROM s", "SELECT lag(n) AS p FROM s",
		"SELECT sum(a) AS x1 FROM s GROUP BY TUMBLINGWINDOW(ms, 700)", "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 700)",
		"SELECT n FROM s GROUP BY TUMBLINGWINDOW(ms, 700)", "SELECT a, max(n) AS m FROM s GROUP BY d, TUMBLINGWINDOW(ms, 1100) ORDER BY a",
		"SELECT count(*) AS c FROM s GROUP BY HOPPINGWINDOW(ms, 900, 300)", "SELECT collect(n) AS l FROM s GROUP BY HOPPINGWINDOW(ms, 900, 400)",
		"SELECT collect(n) AS l FROM s GROUP BY SLIDINGWINDOW(ms, 500)", "SELECT count(*) AS c FROM s GROUP BY SLIDINGWINDOW(ms, 500) OVER (WHEN a > 70)",
		"SELECT collect(n) AS l FROM s GROUP BY SESSIONWINDOW(ss, 2, 1)", "SELECT collect(n) AS l FROM s GROUP BY STATEWINDOW(a > 70, a < 20)",
	}
	entered := 0
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		now := int64(1_700_000_000_000)
		at := now
		c := newChanging(t)
		c.late = int64(rnd.IntN(4) * 400)
		var rules []aloneRule
		since := map[planner.RuleID]int64{} // latest time when the rule came
		gone, blurred := map[planner.RuleID]bool{}, map[planner.RuleID]bool{}
		for range 60 {
			if len(rules) < 12 && rnd.IntN(3) == 0 {
				r := aloneRule{id: planner.RuleID(len(rules) + 1), text: texts[rnd.IntN(len(texts))], event: true, alone: newChanging(t)}
				for _, to := range []*changing{c, r.alone} {
					to.start, to.late = now, c.late
					to.add(t, r)
					to.x.SetProgram(0, to.b.Program(), now)
				}
				rules = append(rules, r)
				since[r.id] = at
			} else if len(rules) > 0 && rnd.IntN(8) == 0 {
				id := rules[rnd.IntN(len(rules))].id
				gone[id] = true
				c.b.Remove(id)
				p := c.b.Program()
				if c.b.Len() == 0 {
					p = nil
				}
				c.x.SetProgram(0, p, now)
				c.x.Forget(id)
				c.out.rows[id] = nil
				for _, r := range rules {
					blurred[r.id] = blurred[r.id] || at-c.late <= since[r.id]
				}
			}
			now += int64(rnd.IntN(400))
			if rnd.IntN(10) == 0 {
				now += int64(rnd.IntN(5000))
			}
			for range rnd.IntN(4) {
				if rnd.IntN(3) > 0 {
					at = max(at, now-int64(rnd.IntN(100)))
				}
				if c.late == 0 {
					at++ // alone the first row does not wait for others of its time
				}
				b := batchFrom(rnd, planOf(), 1, at, false)
				c.x.Run(b, now)
				for _, r := range rules {
					r.alone.x.Run(b, now)
				}
			}
		}
		entered += c.b.Len() - len(c.b.Program().Orders)
		for _, r := range rules {
			if gone[r.id] {
				if len(c.out.rows[r.id]) > 0 {
					t.Fatalf("seed %d: rule %d is gone and sends %q", seed, r.id, c.out.rows[r.id])
				}
				continue
			}
			if blurred[r.id] {
				continue
			}
			if got, want := c.out.rows[r.id], r.alone.out.rows[r.id]; !slices.Equal(got, want) {
				t.Fatalf("seed %d: late %d: rule %d, %s: got\n%q\nalone\n%q", seed, c.late, r.id, r.text, got, want)
			}
		}
	}
	if entered < 200 {
		t.Errorf("%d rules entered the order of others, want more", entered)
	}
}
