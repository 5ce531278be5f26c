package exec

import (
	"math"
	"slices"
	"sort"

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
	late   int64
	mark   int64 // watermark
	begun  bool
	rows   []held // in order of time, then arrival
	out    []held // released, in the same order
	noTime uint64
}

type held struct {
	ts     int64
	before int64 // the watermark before it advanced to release the row
	v      []vec.Value
}

func (h *hold) deadline() int64                         { return 0 }
func (h *hold) advance(*Executor, *window, int64)       {}
func (h *hold) join(*Executor, *window, planner.RuleID) {}
func (h *hold) adopt(w *window, _ *planner.Window) {
	for i := range h.rows {
		h.rows[i].v = enlarge(h.rows[i].v, len(w.def.Rows))
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
		ts, ok := instant(times.Value(int(r)), x.env.Location)
		if !ok || times.Value(int(r)).IsNull() || math.IsNaN(ts) || math.Abs(ts) > 1<<53 {
			h.noTime++
			for _, j := range w.def.Joined {
				x.fault(j.Rule, "row without a valid event time: "+show(times.Value(int(r))))
			}
			continue
		}
		t := int64(ts)
		if h.begun && t < h.mark {
			x.stats.Late++
			continue
		}
		v := make([]vec.Value, len(w.def.Rows))
		for i, s := range w.def.Rows {
			if s != planner.NoStep {
				v[i] = m.value(s, int(r)).Clone()
			}
		}
		h.insert(held{ts: t, v: v})
		if mark := t - h.late; !h.begun || mark > h.mark {
			h.pass(mark)
		}
	}
	if h.begun && (h.mark != before || len(h.out) > 0) {
		h.release(x, w)
	}
}

// pass advances the watermark and takes the rows that it comes to from those that
// wait.
func (h *hold) pass(mark int64) {
	before := h.mark
	if !h.begun {
		before = math.MinInt64
	}
	h.begun, h.mark = true, mark
	n := 0
	for n < len(h.rows) && h.rows[n].ts <= mark {
		h.rows[n].before = before
		n++
	}
	h.out = append(h.out, h.rows[:n]...)
	h.rows = slices.Delete(h.rows, 0, n)
}

func (h *hold) insert(r held) {
	i := len(h.rows)
	if i > 0 && h.rows[i-1].ts > r.ts {
		i = sort.Search(i, func(i int) bool { return h.rows[i].ts > r.ts })
	}
	h.rows = append(h.rows, held{})
	copy(h.rows[i+1:], h.rows[i:])
	h.rows[i] = r
}

// release sends what the watermark has come to on to the rules, and tells their
// windows the watermark.
func (h *hold) release(x *Executor, w *window) {
	for out := h.out; len(out) > 0; {
		n := together(len(out), func(i int) (int64, int64) { return out[i].ts, out[i].before })
		h.send(x, w, out[:n])
		if n < len(out) {
			x.watermark(w.out, out[n-1].ts)
		}
		out = out[n:]
	}
	clear(h.out)
	h.out = h.out[:0]
	x.watermark(w.out, h.mark)
}

// together returns how many of n rows in order of time may go on at once: not
// those of one time that different advances of the watermark released.
func together(n int, row func(int) (ts, before int64)) int {
	n = min(n, vec.MaxRows)
	for i := 1; i < n; i++ {
		ts, before := row(i - 1)
		if t, b := row(i); t == ts && b != before {
			return i
		}
	}
	return n
}

// send runs the held program over rows in order of time.
func (h *hold) send(x *Executor, w *window, rows []held) {
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
