package exec

import (
	"math"
	"sort"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// hold puts the rows of event-time rules in order of time. A row is released
// when the watermark, the latest time seen less the tolerance, has come to it;
// one that is older than the watermark is late and lost, and counted. The
// watermark advances row by row, so batch sizes change nothing.
type hold struct {
	late     int64
	mark     int64 // watermark
	begun    bool
	seq      uint64 // of the next row
	advanced uint64 // rows up to it came before or with the watermark's last advance
	rows     []held // in order of time, then arrival
	out      []held
	noTime   uint64
}

type held struct {
	ts  int64
	seq uint64
	v   []vec.Value
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
		h.seq++
		h.insert(held{t, h.seq, v})
		if mark := t - h.late; !h.begun || mark > h.mark {
			h.begun, h.mark, h.advanced = true, mark, h.seq
		}
	}
	if !h.begun || h.mark == before && len(h.rows) == 0 {
		return
	}
	h.release(x, w)
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
	h.out = h.out[:0]
	kept := h.rows[:0]
	for _, r := range h.rows {
		if r.ts <= h.mark && r.seq <= h.advanced {
			h.out = append(h.out, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(h.rows[len(kept):])
	h.rows = kept
	for out := h.out; len(out) > 0; {
		n := min(len(out), vec.MaxRows)
		h.send(x, w, out[:n])
		out = out[n:]
	}
	clear(h.out)
	x.watermark(w.out, h.mark)
}

// send runs the held program over rows in order of time.
func (h *hold) send(x *Executor, w *window, rows []held) {
	b := w.open(len(rows), 0)
	for i, r := range rows {
		b.At[i] = r.ts
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
