package exec

import (
	"cmp"
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// maxEmpty is how many empty windows one jump in time may make. A timestamp that
// is years ahead would make millions; what is left out is counted.
const maxEmpty = 10000

// window is a window in operation, shared by all rules with the same one.
type window struct {
	stage
	def  *planner.Window
	kind driver
	view *view // kind, where the window shares a ring; else nil

	groups   *agg.Groups     // that the aggregates are of
	memories memories        // over a join: of stateful steps over the rows that it joins
	recalls  *recalls        // over a join; nil: not known
	notes    map[cell]string // why values of batch are faults, by column
}

// driver is what differs between windows that share the gathering of their rows,
// see view, and those that keep rows of their own, see rowWindow.
type driver interface {
	// feed takes the rows of m's batch that the window's filter let through.
	feed(m *machine, rows []int32)
	// advance says that time has come to now: of the clock, or of the watermark.
	advance(now int64)
	// jump says that the clock was set by so many ms to now, see Executor.Jump. It is
	// not called in event time.
	jump(by, now int64)
	// deadline returns when advance has something to do by the clock; 0: never.
	deadline() int64
	// adopt says that the window's def changed from old.
	adopt(old *planner.Window)
}

// adoptWindows makes n's windows those of defs. A window that was there keeps its
// state; rules that are new in it see nothing of what it gathered.
func (x *Executor) adoptWindows(n *live, defs []*planner.Window) {
	old := n.windows
	n.windows = nil
	for _, def := range defs {
		w, ok := running(old, def.ID)
		if !ok {
			w = x.newWindow(n, def, old)
		}
		n.windows = append(n.windows, w)
		w.adopt(def)
	}
	var rings []*ring
	for _, w := range n.windows {
		if v := w.view; v != nil && !w.dead && !slices.Contains(rings, v.ring) {
			v.ring.regroup(n)
			rings = append(rings, v.ring)
		}
	}
}

// adopt makes def what w is.
func (w *window) adopt(def *planner.Window) {
	defer w.x.guardWindow(w, w.x.scratch.depth)
	was := w.def
	w.def = def
	known := w.stage.adopt(&def.Stage)
	w.kind.adopt(was)
	if w.view == nil {
		return
	}
	for _, m := range def.Members {
		if m.Epoch > known {
			w.view.enter(m.Rule)
		}
	}
}

// newWindow makes a window of n, where old were there.
func (x *Executor) newWindow(n *live, def *planner.Window, old []*window) *window {
	w := &window{stage: x.newStage(n, true), def: def, groups: &agg.Groups{}}
	if def.Ring != "" && n.join == nil {
		w.view = newView(w, ringOf(x, def, old, n.windows))
		w.kind = w.view
	} else {
		w.kind = newRowWindow(w, n.join)
	}
	return w
}

// schedule finds the next deadline of all windows by the clock.
func (x *Executor) schedule() {
	x.alarm.at, x.alarm.stale = 0, false
	for _, n := range x.streams {
		if n != nil {
			x.scheduleIn(n)
		}
	}
}

func (x *Executor) scheduleIn(n *live) {
	for _, w := range n.windows {
		if !w.dead {
			x.due(w.kind.deadline())
		}
	}
	for _, o := range n.orders {
		x.scheduleIn(o.out)
	}
}

// due notes a deadline of a window by the clock; 0: it has none.
func (x *Executor) due(at int64) {
	if at > 0 && (x.alarm.at == 0 || at < x.alarm.at) {
		x.alarm.at = at
	}
}

func (n *live) advance(now int64) {
	for _, w := range n.windows {
		if !w.def.Spec.EventTime {
			w.advance(now)
		}
	}
	for _, o := range n.orders {
		o.out.advance(now)
	}
}

// watermark tells the event-time windows over n that no older row will come.
func (n *live) watermark(ms int64) {
	for _, w := range n.windows {
		if w.def.Spec.EventTime {
			w.advance(ms)
		}
	}
}

// advance tells a window what time it is.
func (w *window) advance(ms int64) {
	if !w.dead {
		defer w.x.guardWindow(w, w.x.scratch.depth)
		w.kind.advance(ms)
	}
}

// feed gives m's batch to a window.
func (w *window) feed(m *machine) {
	if w.dead || w.view != nil && !w.view.leads() {
		return
	}
	defer w.x.guardWindow(w, w.x.scratch.depth)
	members := w.def.Members
	if w.view != nil {
		members = w.view.ring.def.Members // of all windows over these rows
	}
	filter := w.def.Filter
	if w.def.Serial { // the window looks at it row by row
		filter = planner.NoStep
	}
	rows := m.filtered(filter, members)
	if len(w.def.Guard) > 0 {
		rows = w.guarded(m, rows, members)
	}
	w.kind.feed(m, rows)
}

// allRows returns the rows of m's batch. The caller may write them until the next
// call of it or of filtered.
func (m *machine) allRows() []int32 {
	rows := m.rowsBuf[:0]
	for r := range m.rows {
		rows = append(rows, int32(r))
	}
	m.rowsBuf = rows
	return rows
}

// filtered returns the rows for which cond is true; all without one. Rows in which it
// fails are lost for members. The caller may write the rows until the next call.
func (m *machine) filtered(cond planner.StepID, members []planner.Member) []int32 {
	rows := m.allRows()
	if cond == planner.NoStep {
		return rows
	}
	keep, lost := m.x.bitmap(m.rows), m.x.bitmap(m.rows)
	keep.SetAll(m.rows)
	m.meeting(cond, keep, lost)
	rows = rows[:0]
	keep.Each(func(r int) { rows = append(rows, int32(r)) })
	m.x.faultRows(members, lost, func(row int) string { return m.text(because{step: cond}, row) })
	m.x.free(keep)
	m.x.free(lost)
	return rows
}

// passing keeps of rows those that meet all of the conditions of a window and have
// its keys. A row that fails, or is refused, is looked at no further.
func (x *Executor) passing(def *planner.Window, m *machine, rows, out []int32) []int32 {
	if len(def.Where)+len(def.Keys) == 0 {
		return append(out, rows...)
	}
	keep, lost := x.bitmap(m.rows), x.bitmap(m.rows)
	for _, r := range rows {
		keep.Set(int(r))
	}
	for _, s := range def.Where {
		m.meeting(s, keep, lost)
	}
	for _, s := range def.Keys { // a row whose key failed belongs to no group
		lose(keep, lost, m.col(s, nil).Fault)
	}
	for _, r := range rows {
		if keep.Has(int(r)) {
			out = append(out, r)
		}
	}
	if lost.Any() {
		x.faultRows(def.Members, lost, func(row int) string {
			return cmp.Or(m.whyNot(def.Where, row), m.whyAny(def.Keys, row))
		})
	}
	x.free(keep)
	x.free(lost)
	return out
}

// lose moves the rows of bad from keep to lost.
func lose(keep, lost, bad vec.Bitmap) {
	for i, w := range bad {
		lost[i] |= w & keep[i]
		keep[i] &^= w
	}
}

// meeting keeps of the rows in keep those for which a condition is true. Those that
// fail, or whose value is no condition, go to lost.
func (m *machine) meeting(s planner.StepID, keep, lost vec.Bitmap) {
	c := m.col(s, nil)
	lose(keep, lost, c.Fault)
	switch c.Kind {
	case vec.Bool:
		for i := range keep {
			keep[i] &= c.Bits[i] & c.Valid[i]
		}
	case vec.Null:
		clear(keep)
	default:
		keep.Each(func(r int) {
			v := c.Value(r)
			if v.Truth() {
				return
			}
			keep.Unset(r)
			if !v.IsNull() && v.Kind != vec.Bool {
				lost.Set(r)
			}
		})
	}
}

// whyNot says why row was lost by conditions, of which the first that is neither true
// nor false is the reason; "": none of them is.
func (m *machine) whyNot(conds []planner.StepID, row int) string {
	for _, s := range conds {
		if m.failed(s, row) || m.value(s, row).Kind != vec.Bool {
			return m.text(because{step: s}, row)
		}
	}
	return ""
}

// note says why the value of a column in a row of w.batch is a fault.
func (w *window) note(col, row int, text string) {
	if w.notes == nil {
		w.notes = map[cell]string{}
	}
	w.notes[cell{int32(col), int32(row)}] = text
}

// emit runs the rules over a window's output. keep chooses among them; nil is
// all. Rules over rows, not groups, get an empty message from an empty window.
func (w *window) emit(b *vec.Batch, keep func(planner.RuleID) bool) {
	x, n := w.x, w.out
	n.identity()
	m := x.enter()
	m.begin(n, b)
	m.notes = w.notes
	m.oneMessage = true // the rows of a rule are one message, however many there are
	if b.Rows == 0 {
		if p := n.prog.Always; p != nil && !w.def.Group {
			for _, e := range p.Send {
				if keep == nil || keep(e.Rule) {
					x.message(m, e.Rule, e.Proj, nil)
				}
			}
		}
	} else {
		for _, h := range n.prog.Hits {
			x.hits(h.Rule)
			m.col(h.Step, nil)
		}
		m.rememberFor(keep)
		x.match(n, m)
		x.deliverWindow(m, keep)
	}
	x.leave()
}

// identity makes column i of the program column i of the batch.
func (n *live) identity() {
	n.cols = resize(n.cols, len(n.prog.Cols))
	for i := range n.cols {
		n.cols[i] = i
	}
}
