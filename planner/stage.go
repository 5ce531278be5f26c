package planner

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/weir-engine/weir/planner/sql"
)

// Stage is what a program hands its rows to, beside the rules over single rows: it
// takes columns of them, and another program is over what comes out. A window, the
// order of event time, a feed of a join and a table are stages with something more.
// Every rule with the same one shares it.
type Stage struct {
	ID      uint64     // stays the same as long as some rule uses the stage
	Text    string     // equal for stages over one input that are the same
	Guard   []StepID   // a row in which one of them failed never comes to the stage
	Rows    []StepID   // columns of the rows that are taken; NoStep in free slots
	Cols    []StageCol // of what comes out
	Out     *Program   // over Cols
	Members []Member   // rules in the order in which they came
}

// StageColKind says what a column of a stage's output is.
type StageColKind uint8

// The kinds of output columns. Stages that are no windows have ColRow alone.
const (
	ColKey   StageColKind = iota // GROUP BY key Index
	ColAgg                       // aggregate Index
	ColRow                       // column Index of the rows
	ColStart                     // start of the window, ms
	ColEnd                       // end of the window, ms
)

// StageCol is one column of a stage's output.
type StageCol struct {
	Kind  StageColKind
	refs  int32
	Index int
	since uint64 // epoch of the program in which it came
}

// Member is a rule over a stage, and the epoch of the program in which it came: it
// sees nothing of what the stage gathered before.
type Member struct {
	Rule  RuleID
	Epoch uint64
}

// Window is a window in GROUP BY.
type Window struct {
	Stage
	Spec   WindowSpec
	Where  []StepID // conditions that a row must meet to count
	After  bool     // Where is applied after the window: other rows still fill it
	Filter StepID   // FILTER (WHERE ...) of the window, before everything
	When   StepID   // OVER (WHEN ...), or the begin condition of a state window
	Emit   StepID   // state window: emit condition, or NoStep
	Parts  []StepID // OVER (PARTITION BY ...)
	Serial bool     // a condition counts the results of the one rule over the window
	Keys   []StepID
	Group  bool // rows are grouped (keys or aggregates), else kept as rows
	Aggs   []Agg
	// Ring is what windows have in common that gather the same rows in the same
	// groups, whatever their lengths; "": the window keeps rows of its own.
	Ring string
}

// WindowSpec is what makes two windows the same, beside their input and filter.
// Times are in ms.
type WindowSpec struct {
	Kind      sql.WindowKind
	Unit      string // as written, lower case: dd hh mi ss ms
	Length    int64  // ms; count window: rows; session: longest duration
	Interval  int64  // hopping: hop; session: gap; count window: every so many rows
	Delay     int64  // sliding
	EventTime bool
	Panes     bool // hopping: its aggregates can be merged from those of parts
	// Start is the epoch in which the rules of a window start whose content or whose
	// ends depend on when it began; 0 for windows that rules may enter later.
	Start uint64
}

// Hop returns the time between two ends of a window, in ms; of a session window
// between two boundaries.
func (s *WindowSpec) Hop() int64 {
	if s.Kind == sql.HoppingWindow {
		return s.Interval
	}
	return s.Length
}

// Within returns the length in ms of the unit of time in which the first end is
// aligned: the next larger one; of days a day.
func (s *WindowSpec) Within() int64 {
	switch s.Unit {
	case "ms":
		return 1000
	case "ss":
		return 60_000
	case "mi":
		return 3_600_000
	}
	return 86_400_000
}

// Drifts tells whether the ends depend on when the window began, as the hop does not
// divide the unit in which the first one is aligned: windows of seven seconds end at
// :07 ... :56, and go on from there.
func (s *WindowSpec) Drifts() bool { return s.Within()%s.Hop() != 0 }

// Agg is an aggregate that a window computes for the rules over it.
type Agg struct {
	Func   string // name in the function table; "first" is the group's first row; "" in free slots
	Args   []StepID
	Filter StepID // FILTER (WHERE ...), or NoStep
	Star   bool
	Diff   bool // DISTINCT
	Text   string
}

// EventOrder puts rows in order of their event time and lets them go when the
// watermark, the latest time less LateMs, has come to them.
type EventOrder struct {
	Stage
	Time    StepID
	LateMs  int64
	DriftMs int64  // how far ahead of the clock a row may be; 0: as far as it likes
	Start   uint64 // see BoundOrdering
	State   *OrderState
	Removed uint64 // how many rules have gone
}

// OrderState is what the executor tells of an event order, so that rules may enter it
// as if it were a new one. Its methods are safe for concurrent use.
type OrderState struct {
	near atomic.Int64 // 0: no row came; -1: not near; else when, ms since 1970
}

// Fed notes rows that came at now, in ms since 1970; near tells whether some were on
// time, and the latest of them near the clock.
func (o *OrderState) Fed(now int64, near bool) {
	if !near {
		now = -1
	}
	o.near.Store(now)
}

// NearMs is how far behind the clock the latest event time of an order may be, and how
// long ago that came, for rules to enter it. If it came later than now, the clock was
// set back: the order is as far ahead.
const NearMs = 60_000

// open tells whether a rule that starts at now may enter the order: to have seen what it
// saw makes no difference but for rows that are later than those that come now by more
// than the tolerance.
func (o *OrderState) open(now int64) bool {
	near := o.near.Load()
	ago := now - near
	return near == 0 || near > 0 && -NearMs <= ago && ago <= NearMs
}

// JoinFeed hands the rows of a stream to a join.
type JoinFeed struct {
	Stage
	Stream  string
	Join    uint32 // number of the join's program
	Time    StepID // event time, or NoStep: when a row came
	DriftMs int64  // see EventOrder
}

// TableTap keeps the rows of a table for the joins that read it.
type TableTap struct {
	Stage
	Retain  int64  // how many of the last rows, 0: all
	Key     StepID // lookup table: one row is kept for each value of it; else NoStep
	RowKind StepID // lookup table: where it is "delete", the row of the key goes
}

// definition is a kind of stage in a program.
type definition interface {
	stage() *Stage
	copied() definition
	enter(p *Program)
}

func (s *Stage) stage() *Stage { return s }

func (w *Window) copied() definition {
	c := *w
	return &c
}

func (w *Window) enter(p *Program) { p.Windows = append(p.Windows, w) }

func (o *EventOrder) copied() definition {
	c := *o
	return &c
}

func (o *EventOrder) enter(p *Program) { p.Orders = append(p.Orders, o) }

func (f *JoinFeed) copied() definition {
	c := *f
	return &c
}

func (f *JoinFeed) enter(p *Program) { p.Feeds = append(p.Feeds, f) }

func (t *TableTap) copied() definition {
	c := *t
	return &c
}

func (t *TableTap) enter(p *Program) { p.Tables = append(p.Tables, t) }

// EachStage calls f for every stage over the input of p.
func (p *Program) EachStage(f func(*Stage)) {
	for _, w := range p.Windows {
		f(&w.Stage)
	}
	for _, o := range p.Orders {
		f(&o.Stage)
	}
	for _, j := range p.Feeds {
		f(&j.Stage)
	}
	for _, t := range p.Tables {
		f(&t.Stage)
	}
}

// sortStages puts the stages of p in the order in which they came to be.
func (p *Program) sortStages() {
	byID(p.Windows)
	byID(p.Orders)
	byID(p.Feeds)
	byID(p.Tables)
}

func byID[D definition](defs []D) {
	slices.SortFunc(defs, func(a, b D) int { return cmp.Compare(a.stage().ID, b.stage().ID) })
}
