package exec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/planner"
)

// BenchmarkEntered ends windows of rules with stateful calls of their own, of which one
// came later than the others and sees less.
func BenchmarkEntered(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			c := newChanging(b)
			rnd := rand.New(rand.NewPCG(1, 1))
			in := batchFrom(rnd, planOf(), 1, 0, false)
			add := func(i int) {
				c.add(b, aloneRule{id: planner.RuleID(i), text: fmt.Sprintf("SELECT lag(avg(a)) + %d AS p FROM s GROUP BY HOPPINGWINDOW(ss, 1000000, 1)", i)})
			}
			for i := range n - 1 {
				add(i + 1)
				c.b.Program() // rules of one program share their calls
			}
			c.x.SetProgram(0, c.b.Program(), 0)
			c.x.Run(in, 1)
			add(n)
			c.x.SetProgram(0, c.b.Program(), 2)
			now := int64(2)
			b.ReportAllocs()
			for b.Loop() {
				c.x.Run(in, now)
				now += 1000
				c.x.Advance(now)
				clear(c.out.rows)
			}
		})
	}
}
