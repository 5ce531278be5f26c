package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// bomb is a source of random numbers that panics, so that rand() does wherever it
// stands in a statement.
type bomb struct{}

// Uint64 implements rand.Source.
func (bomb) Uint64() uint64 { panic("bang") }

// bystanders are statements of rules that have nothing to do with a panic. They
// share streams, indexes, windows and columns with those that have.
var bystanders = []string{
	"SELECT a, b FROM s WHERE a > %d",
	"SELECT a FROM s WHERE d = 'dev%d' AND a > 10",
	"SELECT a + %d AS x FROM s WHERE b < 3 OR a > 90",
	"SELECT n FROM s WHERE a > 50 AND abs(b) > %d",
	"SELECT sum(a) AS t, count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d",
	"SELECT d, max(a) AS m FROM s GROUP BY d, HOPPINGWINDOW(ss, 3, 1) HAVING max(a) > %d",
	"SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(10) HAVING count(*) > %d",
	"SELECT a FROM s WHERE a > %d GROUP BY COUNTWINDOW(7) ORDER BY a",
	"SELECT count(*) AS c FROM s GROUP BY SLIDINGWINDOW(ss, 2) HAVING count(*) > %d",
	"SELECT a, lag(a) AS p FROM s WHERE a > %d",
	"SELECT a FROM s WHERE last_hit_count() < %d",
}

// culprits are statements in which something panics.
var culprits = []string{
	"SELECT rand() AS x FROM s",
	"SELECT abs(rand() + a) AS x, a FROM s WHERE a > 3",
	"SELECT a FROM s WHERE rand() > 2",
	"SELECT a FROM s WHERE a > 50 AND abs(rand()) > 0.5",
	"SELECT a FROM s WHERE d = 'dev3' AND rand() > 0.5",
	"SELECT CASE WHEN a > 50 THEN rand() ELSE 0 END AS x FROM s",
	"SELECT lag(rand()) AS x FROM s",
	"SELECT acc_sum(rand()) AS x FROM s WHERE a > 50",
	"SELECT a FROM s WHERE last_hit_count() < 5 AND rand() < 2",
	"SELECT sum(rand()) AS x FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT sum(a) AS t, count(*) AS c, avg(rand()) AS x FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT sum(a) * rand() AS x FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT sum(a) AS t FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING rand() > 2",
	"SELECT count(*) FILTER (WHERE rand() > 2) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT d, max(rand()) AS m FROM s GROUP BY d, HOPPINGWINDOW(ss, 3, 1)",
	"SELECT count(*) AS c FROM s GROUP BY rand(), HOPPINGWINDOW(ss, 3, 1)",
	"SELECT count(*) AS c FROM s WHERE rand() > 2 GROUP BY COUNTWINDOW(10)",
	"SELECT a FROM s GROUP BY COUNTWINDOW(7) ORDER BY rand()",
	"SELECT collect(rand()) AS l FROM s GROUP BY COUNTWINDOW(10)",
	"SELECT count(*) AS c FROM s GROUP BY SLIDINGWINDOW(ss, 2) OVER (WHEN rand() > 0.1)",
	"SELECT count(*) AS c FROM s GROUP BY STATEWINDOW(rand() > 0.1, rand() > 0.1)",
	"SELECT stddev(rand()) AS c FROM s GROUP BY SESSIONWINDOW(ss, 2, 1)",
}

// crowd is an executor with many rules over one stream.
type crowd struct {
	x    *exec.Executor
	b    *planner.Builder
	out  *sent
	asks []exec.Breakdown

	first func() // called in the second second
}

const (
	crowdSize = 300
	culprit   = planner.RuleID(crowdSize / 2)
)

// newCrowd makes one with bad, if it is not empty, in the midst of bystanders.
func newCrowd(t *testing.T, bad string) *crowd {
	t.Helper()
	c := &crowd{out: newSent(t), b: planner.NewBuilder()}
	c.x = exec.New(exec.Env{Rand: rand.New(bomb{})}, c.out)
	for i := range crowdSize {
		id := planner.RuleID(i + 1)
		switch text := bystanders[i%len(bystanders)]; {
		case id != culprit:
			add(t, c.b, id, fmt.Sprintf(text, i/len(bystanders)), false)
		case bad != "":
			add(t, c.b, id, bad, false)
		}
	}
	c.x.SetProgram(0, c.b.Program(), 1000)
	return c
}

// run gives the crowd seconds of batches, and the culprit leaves after the second.
func (c *crowd) run() {
	r, plan := rand.New(rand.NewPCG(3, 3)), planOf()
	for sec := range 6 {
		now := int64(1000 + 1000*sec)
		for k := range 3 {
			if sec == 1 && k == 1 && c.first != nil {
				c.first()
			}
			c.asks = append(c.asks, c.x.Run(batch(r, plan, 20, 100*sec+20*k, false), now+int64(100*k)).Broken...)
		}
		c.asks = append(c.asks, c.x.Advance(now+1000).Broken...)
		if sec == 2 {
			c.b.Remove(culprit)
			c.x.SetProgram(0, c.b.Program(), now+1000)
			c.x.Forget(culprit)
		}
	}
}

// want compares what bystanders sent.
func (c *crowd) want(t *testing.T, alone *crowd) {
	t.Helper()
	for id := planner.RuleID(1); id <= crowdSize; id++ {
		if got, want := c.out.rows[id], alone.out.rows[id]; id != culprit && !slices.Equal(got, want) {
			t.Errorf("rule %d, %s: got\n%s\nwithout the panic\n%s", id, bystanders[(id-1)%planner.RuleID(len(bystanders))], strings.Join(got, "\n"), strings.Join(want, "\n"))
			return
		}
	}
}

// A panic in any part of a statement costs the rule with that statement: it is
// named once and sends nothing; every other rule sends what it sends without it.
func TestPanicInStep(t *testing.T) {
	alone := newCrowd(t, "")
	alone.run()
	if len(alone.out.rows) < crowdSize/2 {
		t.Fatalf("only %d rules send", len(alone.out.rows))
	}
	for _, text := range culprits {
		t.Run(text, func(t *testing.T) {
			c := newCrowd(t, text)
			c.run()
			c.want(t, alone)
			if len(c.asks) == 0 {
				t.Fatal("nothing broke")
			}
			for _, b := range c.asks {
				if !slices.Equal(b.Rules, []planner.RuleID{culprit}) || !strings.Contains(b.Text, "bang") || len(b.Stack) == 0 {
					t.Fatalf("got %v, %q", b.Rules, b.Text)
				}
			}
			if n := len(c.asks); n > 3 {
				t.Errorf("it broke %d times", n)
			}
		})
	}
}

// failing is an output that panics for one rule.
type failing struct {
	*sent
	on bool
}

// Send implements exec.Output.
func (f *failing) Send(rule planner.RuleID, p *vec.Projection, row int) error {
	return f.SendRows(rule, p, []int32{int32(row)})
}

// SendRows implements exec.Output.
func (f *failing) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error {
	if rule == culprit && f.on {
		panic("bang")
	}
	return f.sent.SendRows(rule, p, rows)
}

// So does one in the output, for rows and for messages of windows.
func TestPanicInOutput(t *testing.T) {
	for _, text := range []string{"SELECT a FROM s WHERE a > 3", "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", "SELECT a FROM s WHERE last_hit_count() < 5"} {
		alone := newCrowd(t, "")
		alone.run()
		c := newCrowd(t, "")
		c.x = exec.New(exec.Env{}, &failing{c.out, true})
		add(t, c.b, culprit, text, false)
		c.x.SetProgram(0, c.b.Program(), 1000)
		c.run()
		c.want(t, alone)
		if len(c.asks) != 1 || !slices.Equal(c.asks[0].Rules, []planner.RuleID{culprit}) {
			t.Errorf("%s: got %v", text, c.asks)
		}
	}
}

// A panic in a window itself costs the rules of this window. Time goes on, also for
// it: the deadline that it had is not asked for again, and a rule that joins later
// has a window that works.
func TestPanicInWindow(t *testing.T) {
	const sql = "SELECT count(*) AS c FROM s GROUP BY SESSIONWINDOW(ss, 4, 1)"
	for _, where := range []string{"feed", "advance", "adopt"} {
		t.Run(where, func(t *testing.T) {
			alone := newCrowd(t, "")
			alone.run()
			c := newCrowd(t, sql)
			c.x.Mine(0, culprit, where)
			if where == "adopt" {
				add(t, c.b, crowdSize+1, "SELECT d FROM s", false)
				c.asks = c.x.SetProgram(0, c.b.Program(), 1000).Broken
			}
			c.run()
			c.want(t, alone)
			if len(c.asks) != 1 || !slices.Equal(c.asks[0].Rules, []planner.RuleID{culprit}) {
				t.Errorf("got %v", c.asks)
			}
			add(t, c.b, culprit, sql, false)
			c.x.SetProgram(0, c.b.Program(), 8000)
			c.x.Run(batch(rand.New(rand.NewPCG(4, 4)), planOf(), 5, 0, false), 8000)
			later := c.x.Advance(20000)
			if got, want := c.out.rows[culprit], []string{`[{"c":5}]`}; !slices.Equal(got, want) || len(later.Broken) > 0 {
				t.Errorf("a new rule in its place: got %v, want %v", got, want)
			}
			if d := c.x.Deadline(); d <= 20000 {
				t.Errorf("the next deadline is %d", d)
			}
		})
	}
}

// A panic in an aggregate costs the rules with that aggregate, not those that share
// the window and its panes.
func TestPanicInAggregate(t *testing.T) {
	for _, where := range []string{"add", "merge", "result"} {
		t.Run(where, func(t *testing.T) {
			alone := newCrowd(t, "")
			alone.run()
			c := newCrowd(t, "SELECT sum(a) AS t, min(b) AS x, count(*) AS c FROM s GROUP BY HOPPINGWINDOW(ss, 3, 1)")
			c.first = func() { c.x.MineAggregate(0, "min", where) }
			c.run()
			c.want(t, alone)
			var rules []planner.RuleID
			for _, b := range c.asks {
				rules = append(rules, b.Rules...)
			}
			if !slices.Equal(rules, []planner.RuleID{culprit}) {
				t.Errorf("got %v, %v", rules, c.asks)
			}
		})
	}
}

// A program that cannot be taken over costs the rules of its stream, and the next
// one is taken over.
func TestPanicInProgram(t *testing.T) {
	c := newCrowd(t, "")
	bad := *c.b.Program()
	bad.Windows = append(slices.Clone(bad.Windows), &planner.Window{Stage: planner.Stage{ID: 1 << 40}})
	got := c.x.SetProgram(0, &bad, 1000).Broken
	c.x.Run(batch(rand.New(rand.NewPCG(4, 4)), planOf(), 5, 0, false), 1000)
	if len(got) != 1 || len(got[0].Rules) != crowdSize-1 || len(c.out.rows) > 0 {
		t.Fatalf("got %d breakdowns and output of %d rules", len(got), len(c.out.rows))
	}
	for id := planner.RuleID(1); id <= crowdSize; id++ {
		c.x.Forget(id)
	}
	alone := newCrowd(t, "")
	alone.run()
	c.x.SetProgram(0, c.b.Program(), 1000)
	c.run()
	c.want(t, alone)
}
