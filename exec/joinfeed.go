package exec

import (
	"math"
	"slices"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// feeder hands rows of a stream to a join.
type feeder struct {
	idle
	def   *planner.Window
	to    *joiner
	needs int
	srcs  []fedSource
	slab  []vec.Value // values of rows that do not outlive the batch
}

// idle is what drivers share that do nothing but take rows.
type idle struct{}

func (idle) advance(*Executor, *window, int64)        {}
func (idle) deadline() int64                          { return 0 }
func (idle) admit(*Executor, *window, planner.RuleID) {}
func (idle) adopt(*window, *planner.Window)           {}

// fedSource is a source of the join that reads the stream.
type fedSource struct {
	src   int32
	steps []planner.StepID // by position in joinSource.need, NoStep: not there
}

// locate finds the steps for what the join wants of the stream.
func (f *feeder) locate(w *window, j *joiner) {
	needs := 0
	for i := range j.srcs {
		needs += len(j.srcs[i].need)
	}
	if f.def == w.def && f.to == j && f.needs == needs {
		return
	}
	f.def, f.to, f.needs = w.def, j, needs
	f.srcs = f.srcs[:0]
	for i := range j.srcs {
		s := &j.srcs[i]
		if s.def.Stream != w.def.Spec.Stream {
			continue
		}
		fs := fedSource{src: int32(i), steps: make([]planner.StepID, len(s.need))}
		for k, c := range s.need {
			fs.steps[k] = stepFor(w, c.Key())
		}
		f.srcs = append(f.srcs, fs)
	}
}

// stepFor returns the step of the kept column with key.
func stepFor(w *window, key string) planner.StepID {
	for _, id := range w.def.Rows {
		if id == planner.NoStep {
			continue
		}
		if n := w.in.prog.Steps[id].Node; n.Op == planner.OpColumn && n.Col.Key() == key {
			return id
		}
	}
	return planner.NoStep
}

func (f *feeder) feed(x *Executor, w *window, m *machine, rows []int32) {
	n := x.node(w.def.Spec.Target)
	if n == nil || n.join == nil {
		return
	}
	f.locate(w, n.join)
	var bad vec.Bitmap
	for _, s := range f.srcs {
		for _, id := range s.steps {
			if id == planner.NoStep {
				continue
			}
			if c := m.col(id, nil); c.Fault.Any() {
				if bad == nil {
					bad = x.bitmap(m.rows)
					defer x.free(bad)
				}
				bad.Or(c.Fault)
			}
		}
	}
	want := x.wanted(w, m)
	if want != nil {
		defer x.free(want)
	}
	f.slab = f.slab[:0]
	for _, row := range rows {
		if bad.Has(int(row)) {
			x.faultJoined(w, f.why(m, int(row)))
			continue
		}
		if want != nil && !want.Has(int(row)) {
			for _, s := range f.srcs {
				n.join.srcs[s.src].in++
			}
			continue
		}
		ts := x.now
		if w.def.Time != planner.NoStep {
			v := m.col(w.def.Time, nil).Value(int(row))
			t, ok := scalar.Instant(v, x.env.Location)
			if !ok || v.IsNull() || math.IsNaN(t) || math.Abs(t) > 1<<53 {
				x.faultJoined(w, "row without a valid event time: "+fn.Show(v))
				continue
			}
			ts = int64(t)
		}
		for _, s := range f.srcs {
			v := f.values(m, s.steps, int(row), n.join.keeps)
			n.join.take(x, n, pendingRow{kept{ts: ts, v: v, src: s.src}, x.place(row)})
		}
	}
}

// why returns the text of the first value of row that failed.
func (f *feeder) why(m *machine, row int) string {
	for _, s := range f.srcs {
		for _, id := range s.steps {
			if id != planner.NoStep && m.failed(id, row) {
				return m.why(id, row)
			}
		}
	}
	return ""
}

// faultJoined counts a row that all rules of w lose.
func (x *Executor) faultJoined(w *window, text string) {
	for _, j := range w.def.Members {
		x.fault(j.Rule, text)
	}
}

// values returns the values of a row, in memory of their own if keep is set.
func (f *feeder) values(m *machine, steps []planner.StepID, row int, keep bool) []vec.Value {
	var out []vec.Value
	if keep {
		out = make([]vec.Value, 0, len(steps))
	} else {
		f.slab = slices.Grow(f.slab, len(steps))
		out = f.slab[len(f.slab):len(f.slab):cap(f.slab)]
	}
	for _, id := range steps {
		v := vec.Value{}
		if id != planner.NoStep {
			v = m.value(id, row)
		}
		if keep {
			v = v.Clone()
		}
		out = append(out, v)
	}
	if !keep {
		f.slab = f.slab[:len(f.slab)+len(out)]
	}
	return out[:len(out):len(out)]
}

// joinHold is hold for several streams: the watermark is the least of theirs,
// and there is none until every stream had a row.
type joinHold struct {
	shelf
	late    int64
	marks   []int64 // by source
	seen    []bool
	missing int
	flat    []kept
}

func newJoinHold(p *planner.JoinPlan) *joinHold {
	h := &joinHold{late: p.Late, marks: make([]int64, len(p.Sources)), seen: make([]bool, len(p.Sources))}
	for i := range p.Sources {
		if !p.Sources[i].Table {
			h.missing++
		} else {
			h.marks[i] = math.MaxInt64
		}
	}
	return h
}

// pass takes rows and calls send for those that the watermark has come to, in
// order of time; more tells that others of the last one's time follow, which a
// later advance of the watermark released.
func (h *joinHold) pass(x *Executor, j *joiner, rows []kept, send func(rows []kept, more bool)) {
	for _, k := range rows {
		if h.begun && k.ts < h.mark {
			j.isLate(x, k.src)
			continue
		}
		h.insert(k)
		if !h.seen[k.src] {
			h.seen[k.src] = true
			h.missing--
			h.marks[k.src] = k.ts - h.late
		}
		h.marks[k.src] = max(h.marks[k.src], k.ts-h.late)
		if h.missing == 0 {
			h.reach(slices.Min(h.marks))
		}
	}
	h.send(func(rows []heldRow, more bool) {
		h.flat, x.marks = h.flat[:0], x.marks[:0]
		for _, r := range rows {
			h.flat, x.marks = append(h.flat, r.kept), append(x.marks, r.before)
		}
		send(h.flat, more)
	})
}
