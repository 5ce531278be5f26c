package planner

import (
	"slices"
	"strconv"
	"strings"
)

// BoundStage is what the rows of a rule are handed to, with names resolved: a
// *BoundWindow, *BoundOrdering, *BoundFeed or *BoundTable.
type BoundStage interface {
	// text is equal for stages over one input that are the same.
	text() string
	// rest is what the rule does with what comes out.
	rest() *Bound
	// define makes the stage of a program, with steps over s's input.
	define(s *stageBuilder) definition
}

// BoundWindow is a window and what is over it.
type BoundWindow struct {
	Spec               WindowSpec
	Where              []*Node // rows that count
	After              bool
	Filter, When, Emit *Node
	Guard              []*Node // declared columns that the rule reads: a row in which one failed never was
	Parts              []*Node
	Keys               []*Node
	Group              bool
	Over               *Bound
}

// BoundOrdering is the event time of a rule, and what is done with rows in its order.
type BoundOrdering struct {
	Time    *Node
	LateMs  int64
	DriftMs int64 // see EventOrder
	// Start is the epoch in which the rule starts, NowMs the time. A watermark depends on
	// all rows since: only rules that start together share one, and those that enter an
	// order that is near the clock, see OrderState.
	Start uint64
	NowMs int64
	Guard []*Node
	Over  *Bound
}

// BoundFeed is what a rule over a join does with the rows of one of its streams.
type BoundFeed struct {
	Stream  string
	Join    uint32
	Time    *Node // event time; nil: when a row came
	DriftMs int64 // see EventOrder
	Over    *Bound
}

// BoundTable is what a rule over a join does with the rows of one of its tables.
type BoundTable struct {
	Retain       int64
	Key, RowKind *Node // nil: no lookup table
	Over         *Bound
}

func (w *BoundWindow) rest() *Bound   { return w.Over }
func (o *BoundOrdering) rest() *Bound { return o.Over }
func (f *BoundFeed) rest() *Bound     { return f.Over }
func (b *BoundTable) rest() *Bound    { return b.Over }

// AnyColumns tells whether the columns of what the query sends are those that rows
// bring, as with SELECT * and functions that make columns.
func (q *Query) AnyColumns() bool {
	b := q.Root
	for b.Stage != nil {
		b = b.Stage.rest()
	}
	return b.Star != nil || b.Spread != nil
}

// Window returns the window of the query, nil: it has none.
func (q *Query) Window() *BoundWindow {
	s := q.Root.Stage
	if o, ok := s.(*BoundOrdering); ok {
		s = o.Over.Stage
	}
	w, _ := s.(*BoundWindow)
	return w
}

// stageText is the text of a stage while it is written.
type stageText struct{ strings.Builder }

func (t *stageText) number(n int64) { t.WriteString(" " + strconv.FormatInt(n, 10)) }

// since writes the epoch in which a stage begins; 0: it is the same in any.
func (t *stageText) since(epoch uint64) {
	if epoch > 0 {
		t.WriteString(" since epoch")
		t.number(int64(epoch))
	}
}

func (t *stageText) list(name string, nodes ...*Node) {
	if len(nodes) == 0 || nodes[0] == nil {
		return
	}
	t.WriteString(" " + name + "(")
	for i, n := range nodes {
		if i > 0 {
			t.WriteString(", ")
		}
		t.WriteString(n.Text)
	}
	t.WriteByte(')')
}

func (w *BoundWindow) text() string {
	var t stageText
	spec := w.Spec
	t.WriteString(strings.ToUpper(spec.Kind.String()))
	if spec.Length > 0 {
		t.number(spec.Length)
	}
	if spec.Interval > 0 {
		t.WriteString(" every")
		t.number(spec.Interval)
	}
	if spec.Delay > 0 {
		t.WriteString(" delayed by")
		t.number(spec.Delay)
	}
	if spec.Unit != "" {
		t.WriteString(" " + spec.Unit)
	}
	if spec.Panes {
		t.WriteString(" panes")
	}
	t.since(spec.Start)
	w.input(&t)
	return t.String()
}

// serial tells whether a condition of the window counts the results of the rule over it.
func (w *BoundWindow) serial() bool {
	return slices.ContainsFunc([]*Node{w.Filter, w.When, w.Emit}, func(n *Node) bool { return n != nil && n.hits })
}

// ring returns what is common to windows that gather the same rows in the same
// groups, "" if w keeps rows of its own.
func (w *BoundWindow) ring() string {
	switch {
	case !w.Spec.rings() || w.serial():
		return ""
	case !w.Group:
		return w.text()
	}
	var t stageText
	w.input(&t)
	return "RING" + t.String()
}

// input writes what goes into the window, and how it is grouped.
func (w *BoundWindow) input(t *stageText) {
	if w.Spec.EventTime {
		t.WriteString(" event time")
	}
	t.list("where", w.Where...)
	if w.After {
		t.WriteString(" after")
	}
	t.list("declared", w.Guard...)
	t.list("filter", w.Filter)
	t.list("when", w.When)
	t.list("emit", w.Emit)
	t.list("partition by", w.Parts...)
	if w.Group {
		t.list("group by", w.Keys...)
		t.WriteString(" grouped")
	}
}

func (w *BoundWindow) define(s *stageBuilder) definition {
	return &Window{
		Stage: Stage{Guard: s.steps(w.Guard)}, Spec: w.Spec, Ring: w.ring(), After: w.After, Group: w.Group,
		Where: s.steps(w.Where), Filter: s.step(w.Filter), When: s.step(w.When), Emit: s.step(w.Emit),
		Serial: w.serial(), Parts: s.steps(w.Parts), Keys: s.steps(w.Keys),
	}
}

func (o *BoundOrdering) text() string {
	var t stageText
	t.WriteString("late by up to")
	t.number(o.LateMs)
	t.WriteString(" ms")
	if o.DriftMs > 0 {
		t.WriteString(" ahead by up to")
		t.number(o.DriftMs)
		t.WriteString(" ms")
	}
	t.since(o.Start)
	t.list("time", o.Time)
	t.list("declared", o.Guard...)
	return t.String()
}

// family is the text of all orders that differ in nothing but their rules' start.
func (o *BoundOrdering) family() string {
	same := *o
	same.Start = 0
	return same.text()
}

func (o *BoundOrdering) define(s *stageBuilder) definition {
	return &EventOrder{Stage: Stage{Guard: s.steps(o.Guard)}, Time: s.step(o.Time), LateMs: o.LateMs, DriftMs: o.DriftMs, Start: o.Start, State: new(OrderState)}
}

func (f *BoundFeed) text() string {
	var t stageText
	t.WriteString("FEED " + f.Stream + " to join")
	t.number(int64(f.Join))
	t.list("time", f.Time)
	return t.String()
}

func (f *BoundFeed) define(s *stageBuilder) definition {
	return &JoinFeed{Stream: f.Stream, Join: f.Join, Time: s.step(f.Time), DriftMs: f.DriftMs}
}

func (b *BoundTable) text() string {
	var t stageText
	t.WriteString("TABLE")
	t.number(b.Retain)
	t.list("by", b.Key)
	return t.String()
}

func (b *BoundTable) define(s *stageBuilder) definition {
	return &TableTap{Retain: b.Retain, Key: s.step(b.Key), RowKind: s.step(b.RowKind)}
}
