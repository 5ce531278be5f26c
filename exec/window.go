package exec

import (
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
	def  *planner.Window
	in   *node // over what goes in
	out  *node // over what the window emits
	kind driver

	groups *agg.Groups // that the aggregates are of
	epoch  uint64      // members up to it were admitted
	missed missed

	memories memories // over a join: of stateful steps over the rows that it joins

	batch vec.Batch
	plan  vec.Plan
	notes map[cell]string // why values of batch are faults, by column
	dead  bool            // it broke
}

// driver is what differs between the forms of windows.
type driver interface {
	// feed takes the rows of m's batch that the window's filter let through.
	feed(x *Executor, w *window, m *machine, rows []int32)
	// advance says that time has come to now: of the clock, or of the watermark.
	advance(x *Executor, w *window, now int64)
	// deadline returns when advance has something to do by the clock; 0: never.
	deadline() int64
	// admit says that a rule came: what is gathered so far is not for it.
	admit(x *Executor, w *window, rule planner.RuleID)
	// adopt says that w.def changed from old.
	adopt(w *window, old *planner.Window)
}

// adoptWindows makes n's windows those of p. A window that both have keeps its
// state.
func (x *Executor) adoptWindows(n *node, p *planner.Program) {
	old := slices.DeleteFunc(n.windows, func(w *window) bool { return w.dead })
	n.windows = old
	n.rings(func(r *ring) { r.flush() })
	n.windows = nil
	for _, def := range p.Windows {
		i := slices.IndexFunc(old, func(w *window) bool { return w.def.ID == def.ID })
		var w *window
		if i >= 0 {
			w = old[i]
		} else {
			w = x.newWindow(n, def, old)
		}
		n.windows = append(n.windows, w)
		x.adoptWindow(n, w, def)
	}
	var rings []*ring
	for _, w := range n.windows {
		if v, ok := w.kind.(*view); ok && !w.dead && !slices.Contains(rings, v.ring) {
			v.ring.regroup(n)
			rings = append(rings, v.ring)
		}
	}
}

// adoptWindow makes def what w is.
func (x *Executor) adoptWindow(n *node, w *window, def *planner.Window) {
	defer x.guardWindow(w, x.depth)
	was := w.def
	w.def, w.in = def, n
	x.adopt(w.out, def.Out)
	w.kind.adopt(w, was)
	fresh := w.epoch
	for _, j := range def.Members {
		if j.Epoch > w.epoch {
			fresh = max(fresh, j.Epoch)
			x.stats.grow(j.Rule)
			w.kind.admit(x, w, j.Rule)
		}
	}
	w.epoch = fresh
}

// newWindow makes a window of n, where old were there.
func (x *Executor) newWindow(n *node, def *planner.Window, old []*window) *window {
	w := &window{def: def, out: &node{over: true}, groups: &agg.Groups{}}
	switch k := def.Spec.Kind; {
	case k == planner.Hold:
		w.kind = &hold{late: def.Spec.Late}
	case k == planner.Feed:
		w.kind = &feeder{}
	case k == planner.Table:
		w.kind = newTable(def)
	case def.Ring != "" && n.join == nil:
		w.kind = newView(x, w, ringOf(def, old, n.windows))
	default:
		w.kind = newRowWindow(x, w, n.join)
	}
	return w
}

// schedule finds the next deadline of all windows by the clock.
func (x *Executor) schedule() {
	x.deadlines, x.stale = 0, false
	for _, n := range x.streams {
		if n != nil {
			x.scheduleNode(n)
		}
	}
}

func (x *Executor) scheduleNode(n *node) {
	for _, w := range n.windows {
		if w.dead {
			continue
		}
		if d := w.kind.deadline(); d > 0 && (x.deadlines == 0 || d < x.deadlines) {
			x.deadlines = d
		}
		x.scheduleNode(w.out)
	}
}

func (x *Executor) advance(n *node) {
	for _, w := range n.windows {
		if !w.def.Spec.EventTime {
			x.pass(w, x.now)
		}
		x.advance(w.out)
	}
}

// watermark tells the event-time windows over n that no older row will come.
func (x *Executor) watermark(n *node, ms int64) {
	for _, w := range n.windows {
		if w.def.Spec.EventTime {
			x.pass(w, ms)
		}
	}
}

// pass tells a window what time it is.
func (x *Executor) pass(w *window, ms int64) {
	if !w.dead {
		defer x.guardWindow(w, x.depth)
		w.kind.advance(x, w, ms)
	}
}

// feed gives m's batch to a window.
func (x *Executor) feed(w *window, m *machine) {
	if v, ok := w.kind.(*view); w.dead || ok && !v.leads() {
		return
	}
	defer x.guardWindow(w, x.depth)
	rows := x.filtered(m, w.def.Filter)
	if len(w.def.Guard) > 0 {
		rows = x.guarded(w, m, rows)
	}
	w.kind.feed(x, w, m, rows)
}

// filtered returns the rows for which cond is true; all without one. The caller
// may write them until the next call.
func (x *Executor) filtered(m *machine, cond planner.StepID) []int32 {
	rows := m.rowsBuf[:0]
	if cond == planner.NoStep {
		for r := range m.rows {
			rows = append(rows, int32(r))
		}
	} else if c := m.col(cond, nil); c.Kind != vec.Null {
		for r := range m.rows {
			if c.Value(r).Truth() {
				rows = append(rows, int32(r))
			}
		}
	}
	m.rowsBuf = rows
	return rows
}

// guarded keeps of rows those whose declared columns are as declared.
func (x *Executor) guarded(w *window, m *machine, rows []int32) []int32 {
	bad := m.anyFault(w.def.Guard)
	if bad == nil {
		return rows
	}
	defer x.free(bad)
	def := w.def
	if v, ok := w.kind.(*view); ok {
		def = v.ring.def // of all rules over these rows
	}
	x.windowFaults(def, m, bad, w.def.Guard)
	kept := rows[:0]
	for _, r := range rows {
		if !bad.Has(int(r)) {
			kept = append(kept, r)
		}
	}
	return kept
}

// passing keeps of rows those that meet all of the conditions of a window.
func (x *Executor) passing(def *planner.Window, m *machine, rows, out []int32) []int32 {
	if len(def.Where)+len(def.Keys) == 0 {
		return append(out, rows...)
	}
	keep, lost := x.bitmap(m.rows), x.bitmap(m.rows)
	for _, r := range rows {
		keep.Set(int(r))
	}
	lose := func(c *vec.Column) { // a row that fails is looked at no further
		for i, w := range c.Fault {
			lost[i] |= w & keep[i]
			keep[i] &^= w
		}
	}
	for _, s := range def.Keys { // a row whose key failed belongs to no group
		lose(m.col(s, nil))
	}
	for _, s := range def.Where {
		c := m.col(s, nil)
		lose(c)
		switch c.Kind {
		case vec.Bool:
			for i := range keep {
				keep[i] &= c.Bits[i] & c.Valid[i]
			}
		case vec.Null:
			clear(keep)
		default:
			for r := range m.rows {
				if keep.Has(r) && !c.Value(r).Truth() {
					keep.Unset(r)
				}
			}
		}
	}
	for _, r := range rows {
		if keep.Has(int(r)) {
			out = append(out, r)
		}
	}
	if lost.Any() {
		x.windowFaults(def, m, lost, slices.Concat(def.Keys, def.Where))
	}
	x.free(keep)
	x.free(lost)
	return out
}

// anyFault returns the rows in which one of steps failed, to be given back; nil if
// there is none.
func (m *machine) anyFault(steps []planner.StepID) vec.Bitmap {
	var bad vec.Bitmap
	for _, s := range steps {
		if c := m.col(s, nil); c.Fault != nil && c.Fault.Any() {
			if bad == nil {
				bad = m.x.bitmap(m.rows)
			}
			bad.Or(c.Fault)
		}
	}
	return bad
}

// whyAny returns the text of row's fault in the first of steps that failed.
func (m *machine) whyAny(steps []planner.StepID, row int) string {
	for _, s := range steps {
		if m.failed(s, row) {
			return m.why(s, row)
		}
	}
	return ""
}

// windowFaults counts rows, in which one of steps failed, for every rule over the
// window.
func (x *Executor) windowFaults(def *planner.Window, m *machine, rows vec.Bitmap, steps []planner.StepID) {
	n := uint64(rows.Count())
	if n == 0 {
		return
	}
	last := m.whyAny(steps, lastOf(rows))
	for _, j := range def.Members {
		x.charge(j.Rule, n, last)
		if x.wants(j.Rule) {
			rows.Each(func(row int) { x.out.Fault(j.Rule, m.whyAny(steps, row)) })
		}
	}
}

// open makes w.batch an empty batch of rows rows for the window's output.
func (w *window) open(rows int, at int64) *vec.Batch {
	b := &w.batch
	if len(b.Cols) < len(w.def.Cols) {
		b.Cols = append(b.Cols, make([]vec.Column, len(w.def.Cols)-len(b.Cols))...)
	}
	for i := range w.def.Cols {
		b.Cols[i].Reset(rows)
	}
	clear(w.notes)
	b.Plan, b.Rows = &w.plan, rows
	b.At = b.At[:0]
	for range rows {
		b.At = append(b.At, at)
	}
	b.Clean = b.Clean.Grow(rows)
	return b
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
func (x *Executor) emit(w *window, b *vec.Batch, keep func(planner.RuleID) bool) {
	n := w.out
	n.identity()
	m := x.enter()
	m.begin(n, b)
	m.notes = w.notes
	m.together = true // the rows of a rule are one message, however many there are
	if b.Rows == 0 {
		if p := n.prog.Always; p != nil && !w.def.Group {
			for _, e := range p.Send {
				if keep == nil || keep(e.Rule) {
					x.message(m, e.Rule, e.Proj, nil)
				}
			}
		}
	} else {
		for _, s := range n.prog.Analytics {
			m.col(s, nil)
		}
		x.match(n, m)
		x.deliverWindow(m, keep)
	}
	x.leave()
}

// identity makes column i of the program column i of the batch.
func (n *node) identity() {
	n.cols = resize(n.cols, len(n.prog.Cols))
	for i := range n.cols {
		n.cols[i] = i
	}
}
