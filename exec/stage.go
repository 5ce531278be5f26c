package exec

import (
	"slices"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// stage is a planner.Stage in operation: it stands between the program over its
// input and, where something comes out, the program over that.
type stage struct {
	x     *Executor
	base  *planner.Stage
	in    *live
	out   *live  // nil: rows go elsewhere, to a join or a table
	epoch uint64 // members up to it are known
	dead  bool   // it broke

	missed *missed   // nil: nothing
	batch  vec.Batch // of what comes out
	plan   vec.Plan
}

// staged is a kind of stage in operation.
type staged interface{ common() *stage }

func (s *stage) common() *stage { return s }

// adoptStages makes n's stages those of p. A stage that both have keeps its state.
func (x *Executor) adoptStages(n *live, p *planner.Program) {
	n.rings(func(r *ring) { r.flush() })
	x.adoptWindows(n, p.Windows)
	orders := n.orders
	n.orders = nil
	for _, def := range p.Orders {
		o, ok := running(orders, def.ID)
		if !ok {
			o = &eventOrder{stage: x.newStage(n, true)}
		}
		n.orders = append(n.orders, o)
		o.adopt(def)
	}
	feeds := n.feeds
	n.feeds = nil
	for _, def := range p.Feeds {
		f, ok := running(feeds, def.ID)
		if !ok {
			f = &feeder{stage: x.newStage(n, false)}
		}
		f.def = def
		f.stage.adopt(&def.Stage)
		n.feeds = append(n.feeds, f)
	}
	tables := n.tables
	n.tables = nil
	for _, def := range p.Tables {
		t, ok := running(tables, def.ID)
		if !ok {
			t = newTable(x.newStage(n, false), def)
		}
		t.def = def
		t.stage.adopt(&def.Stage)
		n.tables = append(n.tables, t)
	}
}

// running returns the stage of old with an id, unless it broke.
func running[S staged](old []S, id uint64) (s S, ok bool) {
	i := slices.IndexFunc(old, func(s S) bool { return s.common().base.ID == id && !s.common().dead })
	if i < 0 {
		return s, false
	}
	return old[i], true
}

// newStage makes what is common to all stages of n; emits tells whether something
// comes out.
func (x *Executor) newStage(n *live, emits bool) stage {
	s := stage{x: x, in: n}
	if emits {
		s.out = &live{over: true}
	}
	return s
}

// adopt makes s what def says and returns the epoch up to which its members were
// known.
func (s *stage) adopt(def *planner.Stage) (known uint64) {
	known = s.epoch
	s.base = def
	if s.out != nil {
		s.x.adopt(s.out, def.Out)
	}
	for _, m := range def.Members {
		if m.Epoch > known {
			s.epoch = max(s.epoch, m.Epoch)
			s.x.stats.grow(m.Rule)
		}
	}
	return known
}

// eachStage calls f for every stage of n from which something comes out.
func (n *live) eachStage(f func(*stage)) {
	for _, o := range n.orders {
		f(&o.stage)
	}
	for _, w := range n.windows {
		f(&w.stage)
	}
}

// feedStages gives m's batch to the stages of n.
func (n *live) feedStages(m *machine) {
	for _, o := range n.orders {
		feedStage(&o.stage, o.feed, m)
	}
	for _, w := range n.windows {
		w.feed(m)
	}
	for _, f := range n.feeds {
		feedStage(&f.stage, f.feed, m)
	}
	for _, t := range n.tables {
		feedStage(&t.stage, t.feed, m)
	}
}

// feedStage has a stage that is no window take m's batch, unless it broke.
func feedStage(s *stage, feed func(*machine), m *machine) {
	if !s.dead {
		defer s.x.guardStage(s, s.x.scratch.depth)
		feed(m)
	}
}

// open makes s.batch an empty batch with room for rows of what comes out.
func (s *stage) open(rows int, at int64) *vec.Batch {
	b := &s.batch
	if len(b.Cols) < len(s.base.Cols) {
		b.Cols = append(b.Cols, make([]vec.Column, len(s.base.Cols)-len(b.Cols))...)
	}
	for i := range s.base.Cols {
		b.Cols[i].Reset(rows)
	}
	b.Plan, b.Rows = &s.plan, rows
	b.At = b.At[:0]
	for range rows {
		b.At = append(b.At, at)
	}
	b.Clean = b.Clean.Grow(rows)
	return b
}

// guarded keeps of rows those whose declared columns are as declared. The others
// are lost for members.
func (s *stage) guarded(m *machine, rows []int32, members []planner.Member) []int32 {
	bad := m.anyFault(s.base.Guard)
	if bad == nil {
		return rows
	}
	defer s.x.free(bad)
	s.x.faultRows(members, bad, func(row int) string { return m.whyAny(s.base.Guard, row) })
	left := rows[:0]
	for _, r := range rows {
		if !bad.Has(int(r)) {
			left = append(left, r)
		}
	}
	return left
}

// anyFault returns the rows in which one of steps failed, to be given back; nil if
// there is none.
func (m *machine) anyFault(steps []planner.StepID) vec.Bitmap { return m.anyFaultIn(steps, nil) }

// anyFaultIn is anyFault where the steps are needed for the rows of want only; nil: all.
func (m *machine) anyFaultIn(steps []planner.StepID, want vec.Bitmap) vec.Bitmap {
	var bad vec.Bitmap
	for _, s := range steps {
		if c := m.col(s, want); c.Fault != nil && c.Fault.Any() {
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

// faultRows counts rows, of which why tells what failed, for every one of members.
func (x *Executor) faultRows(members []planner.Member, rows vec.Bitmap, why func(row int) string) {
	n := uint64(rows.Count())
	if n == 0 {
		return
	}
	last := why(lastOf(rows))
	for _, k := range members {
		x.charge(k.Rule, n, last)
		if x.wants(k.Rule) {
			rows.Each(func(row int) { x.out.Fault(k.Rule, why(row)) })
		}
	}
}

// fault counts a row that all rules of s lose.
func (s *stage) fault(text string) {
	for _, m := range s.base.Members {
		s.x.fault(m.Rule, text)
	}
}

// faultFor is fault for another reason than that the row could not be evaluated.
func (s *stage) faultFor(why loss.Reason, text string) {
	for _, m := range s.base.Members {
		s.x.faultFor(why, m.Rule, text)
	}
}
