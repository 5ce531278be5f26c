package exec

import (
	"math"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// hold puts the rows of event-time rules in order of time. A row is released
// when the watermark, the latest time seen less the tolerance, has come to it;
// one that is older than the watermark is late and lost, and counted. The
// watermark advances row by row, so batch sizes change nothing. Rows of one time
// that one advance releases are simultaneous; one that comes with the very time of
// the watermark waits for the next advance.
type hold struct {
	shelf
	late int64
}

func (h *hold) deadline() int64                          { return 0 }
func (h *hold) advance(*Executor, *window, int64)        {}
func (h *hold) admit(*Executor, *window, planner.RuleID) {}
func (h *hold) adopt(w *window, _ *planner.Window) {
	for i := range h.rows {
		h.rows[i].v = append(h.rows[i].v, make([]vec.Value, max(0, len(w.def.Rows)-len(h.rows[i].v)))...)
	}
}

func (h *hold) feed(x *Executor, w *window, m *machine, rows []int32) {
	times := m.col(w.def.Time, nil)
	for _, s := range w.def.Rows {
		if s != planner.NoStep {
			m.col(s, nil)
		}
	}
	before := h.mark
	for _, r := range rows {
		ts, ok := scalar.Instant(times.Value(int(r)), x.env.Location)
		if !ok || times.Value(int(r)).IsNull() || math.IsNaN(ts) || math.Abs(ts) > 1<<53 {
			for _, j := range w.def.Members {
				x.fault(j.Rule, "row without a valid event time: "+fn.Show(times.Value(int(r))))
			}
			continue
		}
		t := int64(ts)
		if h.begun && t < h.mark {
			w.isLate(x)
			continue
		}
		v := make([]vec.Value, len(w.def.Rows))
		for i, s := range w.def.Rows {
			if s != planner.NoStep {
				v[i] = m.value(s, int(r)).Clone()
			}
		}
		h.insert(kept{ts: t, v: v})
		h.reach(t - h.late)
	}
	if h.begun && (h.mark != before || len(h.out) > 0) {
		h.release(x, w)
	}
}

// release sends what the watermark has come to on to the rules, and tells their
// windows the watermark.
func (h *hold) release(x *Executor, w *window) {
	h.send(func(rows []heldRow, more bool) {
		h.run(x, w, rows)
		if more {
			x.watermark(w.out, rows[len(rows)-1].ts)
		}
	})
	x.watermark(w.out, h.mark)
}

// run runs the held program over rows in order of time.
func (h *hold) run(x *Executor, w *window, rows []heldRow) {
	b := w.open(len(rows), 0)
	x.marks = resize(x.marks, len(rows))
	for i, r := range rows {
		b.At[i], x.marks[i] = r.ts, r.before
		for c, def := range w.def.Cols {
			if def.Kind == planner.WindowRow && def.Index < len(r.v) {
				b.Cols[c].Set(i, r.v[def.Index])
			}
		}
	}
	n := w.out
	n.identity()
	x.runBound(n, b)
}
