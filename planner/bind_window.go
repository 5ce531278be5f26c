package planner

import (
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// over turns r, whose expressions are over the stream, into what is done over
// the window's output, and puts the window below it. Where rows are sent, an
// aggregate in having or ORDER BY is one over all rows, for each of them.
func (b *binder) over(r *Bound, where, having, keys []*Node) {
	w := &BoundWindow{Where: where, Keys: keys}
	if !b.windowSpec(w) {
		return
	}
	group := makesGroups(r, keys)
	w.Group = group
	w.After = b.set.After || b.joins() || w.Spec.EventTime || windowRules[w.Spec.Kind].unfiltered
	w.Guard = b.guard(r, w, having)
	l := &lifter{group: group, keys: keys, first: b.first()}
	over := *r
	over.Where = l.list(having)
	over.Fields = slices.Clone(r.Fields)
	for i := range over.Fields {
		n := l.lift(r.Fields[i].Node)
		over.Fields[i].Node = n
		if n.FromKind == ColAgg && n.From != nil && n.From.Func.Name == "collect" {
			over.Fields[i].Plain = true // of an empty window it is null, which is sent
		}
	}
	over.Order = slices.Clone(r.Order)
	for i := range over.Order {
		over.Order[i].Node = l.lift(r.Order[i].Node)
	}
	if r.Star != nil {
		over.Star = l.lift(r.Star)
	}
	if r.Spread != nil {
		over.Spread = l.lift(r.Spread)
	}
	w.Spec.Panes = w.Spec.Kind == sql.HoppingWindow && w.Group && !l.rows && !b.joins()
	if b.sel.Window != nil && (!w.Spec.rings() || w.Spec.Drifts()) {
		w.Spec.Start = b.epoch()
	}
	w.Over = &over
	*r = Bound{Limit: -1, Stage: w}
}

// guard returns the declared columns that a rule over a window reads, in order.
// eKuiper decodes them before it looks at a row, so a row with a value of
// another type in one of them does not even count.
func (b *binder) guard(r *Bound, w *BoundWindow, having []*Node) []*Node {
	var out []*Node
	add := func(ns ...*Node) {
		for _, n := range ns {
			if n == nil {
				continue
			}
			n.walk(func(x *Node) bool {
				if x.Op == OpColumn && x.From == nil {
					out = append(out, b.declaredIn(x)...)
				}
				return true
			})
		}
	}
	add(r.Where...)
	add(w.Where...)
	add(w.Keys...)
	add(w.Parts...)
	add(having...)
	add(w.Filter, w.When, w.Emit, r.Star, r.Spread)
	for _, f := range r.Fields {
		add(f.Node)
	}
	for _, o := range r.Order {
		add(o.Node)
	}
	slices.SortFunc(out, func(a, b *Node) int { return strings.Compare(a.Text, b.Text) })
	return slices.CompactFunc(out, func(a, b *Node) bool { return a.Text == b.Text })
}

func (b *binder) first() *FuncSig {
	return &FuncSig{Name: "first", Kind: FuncAgg, MinArgs: 1, MaxArgs: 1}
}

// aggregates tells whether a rule has an aggregate anywhere.
func aggregates(r *Bound, having []*Node) bool {
	return makesGroups(r, nil) || slices.ContainsFunc(having, func(n *Node) bool { return n.agg }) ||
		slices.ContainsFunc(r.Order, func(o BoundOrder) bool { return o.Node.agg })
}

// makesGroups tells whether a rule sends groups, not rows: it has keys, or an
// aggregate in the SELECT list. One elsewhere is over all rows of the window, and
// the rows are sent.
func makesGroups(r *Bound, keys []*Node) bool {
	return len(keys) > 0 || r.Spread != nil && r.Spread.agg || slices.ContainsFunc(r.Fields, func(f BoundField) bool { return f.Node.agg })
}

// windowRules says what binding must know of each window: whether rows that WHERE
// refuses fill it all the same, whether its rows are counted by the clock alone, and
// what may stand in OVER. In event time WHERE comes behind every window.
var windowRules = [...]struct {
	unfiltered, noEventTime, when, partition bool
}{
	sql.TumblingWindow: {},
	sql.HoppingWindow:  {},
	sql.SlidingWindow:  {unfiltered: true, when: true},
	sql.SessionWindow:  {},
	sql.CountWindow:    {unfiltered: true, noEventTime: true},
	sql.StateWindow:    {unfiltered: true, partition: true},
	sql.DedupTrigger:   {},
}

// rings tells whether windows that differ from one of spec in their lengths only
// can gather rows together: what each of them holds is made of parts that all share.
func (s *WindowSpec) rings() bool { return s.Kind == sql.TumblingWindow || s.Panes }

// windowSpec fills in what window the query has. Without one, a row that is joined
// with tables is a window of its own: aggregates are over what it is joined with.
func (b *binder) windowSpec(w *BoundWindow) bool {
	s := b.sel.Window
	if s == nil {
		w.Spec = WindowSpec{Kind: sql.CountWindow, Length: 1, Interval: 1, EventTime: b.set.EventTime}
		return true
	}
	ms := s.UnitMillis()
	w.Spec = WindowSpec{Kind: s.Kind, Unit: s.Unit, Length: s.Length * ms, Interval: s.Interval * ms, Delay: s.Delay * ms, EventTime: b.set.EventTime}
	b.clause = "window"
	rules := &windowRules[s.Kind]
	switch {
	case s.Kind == sql.DedupTrigger:
		b.fault(s.At, "%s is not supported yet", s.Kind)
		return false
	case rules.noEventTime && b.set.EventTime:
		b.fault(s.At, "%s cannot be used with isEventTime", s.Kind)
		return false
	case s.When != nil && !rules.when:
		b.fault(s.At, "OVER (WHEN ...) belongs to sliding windows, not to %s", s.Kind)
		return false
	case len(s.Partition) > 0 && !rules.partition:
		b.fault(s.At, "OVER (PARTITION BY ...) belongs to state windows, not to %s", s.Kind)
		return false
	}
	b.windowConditions(w)
	return len(b.faults) == 0
}

// windowConditions binds the expressions that stand in the window.
func (b *binder) windowConditions(w *BoundWindow) {
	s := b.sel.Window
	cond := func(e sql.Expr) *Node {
		if e == nil {
			return nil
		}
		n := b.expr(e)
		if n != nil && n.agg {
			b.fault(e.Pos(), "an aggregate cannot stand in a window's condition")
		}
		b.noNumber(e.Pos(), n)
		b.condition(e.Pos(), n)
		return n
	}
	w.Filter, w.When = cond(s.Filter), cond(s.When)
	if s.Kind == sql.StateWindow {
		w.When = cond(s.Args[0])
		if len(s.Args) > 1 {
			w.Emit = cond(s.Args[1])
		}
	}
	for _, p := range s.Partition {
		if n := b.expr(p); n != nil {
			b.noNumber(p.Pos(), n)
			w.Parts = append(w.Parts, n)
		}
	}
}

// lifter rewrites expressions over a window's input into expressions over its
// output. The deepest part of an expression that the window can give becomes a column
// of its output; what is above stays as it is and is computed over those columns.
//
//   - A window of groups gives its keys, its aggregates and, for a bare column beside
//     them, the value in the group's first row: an aggregate called first.
//   - A window of rows gives the columns of its rows. An aggregate is then one over
//     all of them: it becomes OpSpan, which is computed over the output.
//
// From of a lifted column is what it stands for, in terms of the input: the builder of
// the stage finds by it what the window has to gather. Texts are not changed: over the
// output they name the same value as over the input, so that EXPLAIN and faults speak
// the user's language. Programs over different stages have steps of their own, so that
// equal texts in both are never mixed up.
type lifter struct {
	group bool
	keys  []*Node
	first *FuncSig
	rows  bool // an aggregate needs every row: it cannot be merged from those of parts
}

func (l *lifter) list(ns []*Node) []*Node {
	out := make([]*Node, len(ns))
	for i, n := range ns {
		out[i] = l.lift(n)
	}
	return out
}

func (l *lifter) lift(n *Node) *Node {
	if l.group && slices.ContainsFunc(l.keys, func(k *Node) bool { return k.Text == n.Text }) {
		return &Node{Op: OpColumn, From: n, FromKind: ColKey, Text: n.Text}
	}
	switch {
	case n.Op == OpAgg && !l.group:
		s := *n
		s.Op, s.agg, s.Args = OpSpan, false, l.list(n.Args)
		return s.seal()
	case n.Op == OpAgg:
		l.rows = l.rows || n.Diff || !n.Func.Parts
		return &Node{Op: OpColumn, From: n, FromKind: ColAgg, Text: n.Text}
	case n.Op == OpAnalytic && !n.agg && !l.group:
		return rowOf(n)
	case (n.Op == OpColumn || n.Op == OpAnalytic && !n.agg) && l.group:
		f := &Node{Op: OpAgg, Func: l.first, Args: []*Node{n}, agg: true}
		f.seal()
		return &Node{Op: OpColumn, From: f, FromKind: ColAgg, Text: f.Text}
	case n.Op == OpCall && n.Func.Kind == FuncContext && n.Func.Name == "window_start":
		return &Node{Op: OpColumn, From: n, FromKind: ColStart, Text: n.Text}
	case n.Op == OpCall && n.Func.Kind == FuncContext && n.Func.Name == "window_end":
		return &Node{Op: OpColumn, From: n, FromKind: ColEnd, Text: n.Text}
	case n.Op == OpColumn || n.Op == OpConst:
		return n
	}
	c := *n
	c.agg, c.hits = false, false
	c.Args = l.list(n.Args)
	return &c // the text stays: it says the same in terms of the input
}
