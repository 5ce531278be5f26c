package exec

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// live is a program in operation: what must outlive a batch and, if the program
// is over a window's output, the window's side of it.
type live struct {
	prog *planner.Program
	plan *vec.Plan // cols is for batches of this plan
	cols []int
	in   uint64       // rows seen since the counters were flushed
	over bool         // over a window's output
	lost *loss.Counts // rows that had no place in event time; nil: none

	funcs     []*fn.Bound // by step, made at first use
	memories  memories    // of stateful steps
	ranks     []rankCount
	equals    []equalCount
	listeners map[indexRules][]listener           // rules that want to be told of faults; made at the first
	stateful  map[planner.StepID][]planner.RuleID // see rememberFor; nil: not known
	windows   []*window
	orders    []*eventOrder
	feeds     []*feeder
	tables    []*table
	join      *joiner // of a join's program
}

// rankCount counts rows by rank for rules of which only the number of rows
// matters, and faults for all rules of an index at once.
type rankCount struct {
	hits   []uint64 // by rank; hits[0] is unused
	faults uint64
	last   blame
}

// equalCount counts rows whose kind does not go with the constants.
type equalCount struct {
	textFaults, numFaults uint64 // of the rules that compare with texts, and with numbers
	lastText, lastNum     blame
}

// adopt makes p the program of n.
func (x *Executor) adopt(n *live, p *planner.Program) {
	if n.prog == p {
		return
	}
	if n.prog != nil {
		x.flush(n)
		for i := range n.funcs {
			if i >= len(p.Steps) || p.Steps[i].Node != n.prog.Steps[i].Node {
				n.funcs[i] = nil
			}
		}
	}
	n.memories.keep(p)
	if n.join != nil {
		n.join.memories.keep(p)
		for _, w := range n.windows {
			w.memories.keep(p)
			w.recalls = nil
		}
	}
	n.prog, n.plan, n.listeners, n.stateful = p, nil, nil, nil
	n.ranks = resize(n.ranks, len(p.Ranks))
	for i, r := range p.Ranks {
		c := &n.ranks[i]
		*c = rankCount{}
		if r.Count {
			c.hits = make([]uint64, len(r.Keys)+1)
		}
	}
	n.equals = resize(n.equals, len(p.Equals))
	clear(n.equals)
	p.EachEntry(func(e planner.Entry, _ ...planner.StepID) { x.stats.grow(e.Rule) })
	if !n.over || n.join != nil {
		clear(x.broken.steps) // the nodes of steps may be others
	}
	x.adoptStages(n, p)
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// flush spreads what was counted per index over the rules: one row with a fault
// cost one count, not one for each of 8,000 rules.
func (x *Executor) flush(n *live) {
	p := n.prog
	for i, r := range p.Ranks {
		c := &n.ranks[i]
		if c.faults > 0 {
			x.chargeIndex(indexRules{index: r}, r.Op, c.faults, &c.last)
			c.faults, c.last = 0, blame{}
		}
		if !r.Count {
			continue
		}
		var sum uint64
		for k := len(r.Keys) - 1; k >= 0; k-- {
			sum += c.hits[k+1]
			for _, e := range r.At(k) {
				x.stats.Matched[e.Rule] += sum
			}
		}
		clear(c.hits)
	}
	for i, e := range p.Equals {
		c := &n.equals[i]
		if c.textFaults > 0 {
			x.chargeIndex(indexRules{e, true}, planner.OpEq, c.textFaults, &c.lastText)
		}
		if c.numFaults > 0 {
			x.chargeIndex(indexRules{e, false}, planner.OpEq, c.numFaults, &c.lastNum)
		}
		*c = equalCount{}
	}
	x.spreadMissed(n)
	n.eachStage(func(s *stage) { x.flush(s.out) })
	if !n.over {
		x.flushIn(n, n.in)
	}
	n.in = 0
}

// flushIn adds rows that the stream had to each of its rules.
func (x *Executor) flushIn(n *live, rows uint64) {
	if rows == 0 {
		return
	}
	add := func(es []planner.Entry) {
		for _, e := range es {
			x.stats.In[e.Rule] += rows
		}
	}
	p := n.prog
	if p.Always != nil {
		add(p.Always.Send)
		add(p.Always.Count)
	}
	for _, r := range p.Ranks {
		add(r.Entries)
	}
	for _, c := range p.Conds {
		add(c.Send)
		add(c.Count)
	}
	for _, s := range p.Serials {
		x.stats.In[s.Rule] += rows
	}
	for _, e := range p.Equals {
		addOnce(x.stats.In, e.TextEntries, rows)
		addOnce(x.stats.In, e.NumEntries, rows)
	}
	p.EachStage(func(s *planner.Stage) {
		for _, m := range s.Members {
			x.stats.grow(m.Rule)
			x.stats.In[m.Rule] += rows
		}
	})
}

// addOnce adds n for each rule; one with IN stands in several places.
func addOnce(counts []uint64, es []planner.Entry, n uint64) {
	seen := map[planner.RuleID]bool{}
	for _, e := range es {
		if !seen[e.Rule] {
			seen[e.Rule] = true
			counts[e.Rule] += n
		}
	}
}

// bind finds the program's columns in batches of plan.
func (n *live) bind(plan *vec.Plan) {
	if n.plan == plan && n.cols != nil {
		return
	}
	n.plan = plan
	n.cols = resize(n.cols, len(n.prog.Cols))
	for i, c := range n.prog.Cols {
		n.cols[i] = -1
		if n.prog.Used[i] {
			n.cols[i] = plan.Find(c.Key())
		}
	}
}

// function returns the function of a call, prepared for its literals.
func (n *live) function(x *Executor, s planner.StepID) *fn.Bound {
	if len(n.funcs) < len(n.prog.Steps) {
		n.funcs = append(n.funcs, make([]*fn.Bound, len(n.prog.Steps)-len(n.funcs))...)
	}
	if f := n.funcs[s]; f != nil {
		return f
	}
	st := &n.prog.Steps[s]
	lits := make(fn.Lits, len(st.In))
	for i, a := range st.In {
		if arg := &n.prog.Steps[a]; arg.Op == planner.OpConst {
			lits[i] = &arg.Value
		}
	}
	def, _ := fn.Lookup(st.Func.Name)
	f := def.Bind(lits)
	n.funcs[s] = &f
	return &f
}

// run evaluates n's program over all rows of b.
func (x *Executor) run(n *live, b *vec.Batch) {
	n.bind(b.Plan)
	x.runBound(n, b)
}

// runBound is run for a batch whose columns were found.
func (x *Executor) runBound(n *live, b *vec.Batch) {
	n.in += uint64(b.Rows)
	x.stats.Evaluations += uint64(b.Rows) * uint64(n.prog.Rules)
	m := x.enter()
	m.begin(n, b)
	m.remember(n.prog.Analytics)
	x.match(n, m)
	x.deliver(m)
	x.serial(m, nil)
	n.feedStages(m)
	x.leave()
}

// enter lends the machine of the next depth.
func (x *Executor) enter() *machine {
	if x.scratch.depth == len(x.scratch.machines) {
		x.scratch.machines = append(x.scratch.machines, &machine{x: x})
	}
	x.scratch.depth++
	return x.scratch.machines[x.scratch.depth-1]
}

func (x *Executor) leave() {
	x.scratch.depth--
	x.checkPaid()
}
