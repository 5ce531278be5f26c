package exec

import (
	"errors"
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// rowWindow drives the windows whose content differs from row to row: hopping,
// sliding, session, count and state windows. It keeps the values that rules need
// of the rows and computes each window from them when it fires. Rules share it
// if they started together, so no rule sees a row from before its start.
type rowWindow struct {
	form  form
	event bool
	to    *joiner          // joins the rows of a window when it fires; nil: no join
	steps []planner.StepID // what is kept of a row
	rows  []kept
	parts blocks
	pane  pane    // scratch of a firing
	pass  []int32 // scratch of a feeding

	batch     vec.Batch // scratch of gather
	idx, hold []int32
}

// kept is a row of a window.
type kept struct {
	ts  int64
	v   []vec.Value // by rowWindow.steps, of a join by joinSource.need
	src int32       // source of a join

	bad []badValue // values that are faults
}

// badValue is why value at of a row is a fault.
type badValue struct {
	at   int
	note string
}

// fault returns why value i is a fault; ok is false if it is none.
func (k *kept) fault(i int) (note string, ok bool) {
	for _, b := range k.bad {
		if b.at == i {
			return b.note, true
		}
	}
	return "", false
}

// form is what differs between the row windows.
type form interface {
	// before says that a row at ts comes, before its conditions are looked at: what
	// is sent counts for them. In event time the watermark was mark then.
	before(x *Executor, w *window, r *rowWindow, ts, mark int64)
	// row takes a row at ts. when and emit are the conditions of the window for
	// it; true where it has none. part names its partition.
	row(x *Executor, w *window, r *rowWindow, k kept, when, emit bool, part string)
	// time says that time has come to now and no row before it will follow.
	time(x *Executor, w *window, r *rowWindow, now int64)
	// deadline returns when time has something to do by the clock; 0: never.
	deadline() int64
}

func newRowWindow(x *Executor, w *window, to *joiner) *rowWindow {
	r := &rowWindow{to: to, event: w.def.Spec.EventTime}
	s := w.def.Spec
	switch s.Kind {
	case planner.Hopping, planner.Tumbling:
		h := &hopping{}
		if !s.EventTime {
			h.start, h.end = x.now, alignedEnd(x.now, s, x.env.Location)
		}
		r.form = h
	case planner.Sliding:
		r.form = &sliding{}
	case planner.Session:
		r.form = &session{event: s.EventTime}
	case planner.Count:
		r.form = &counting{}
	default:
		r.form = &state{}
	}
	return r
}

func (r *rowWindow) deadline() int64 {
	if r.event {
		return 0
	}
	return r.form.deadline()
}

func (r *rowWindow) admit(*Executor, *window, planner.RuleID) {}

// adopt finds the steps that a row is kept for. Rows that are there lack what a
// new step gives; no rule that needs it has seen them.
func (r *rowWindow) adopt(w *window, _ *planner.Window) {
	if r.to != nil {
		return
	}
	d := w.def
	var steps []planner.StepID
	add := func(ids ...planner.StepID) {
		for _, id := range ids {
			if id != planner.NoStep && !slices.Contains(steps, id) {
				steps = append(steps, id)
			}
		}
	}
	if d.After {
		add(d.Where...)
	}
	add(d.Keys...)
	add(d.Rows...)
	for _, a := range d.Aggs {
		if a.Func != "" {
			add(a.Filter)
			add(a.Args...)
		}
	}
	if r.parts.adopt(w.def) || !slices.Equal(steps, r.steps) {
		r.parts.clear()
		r.pane, w.groups = pane{}, &agg.Groups{}
	}
	if slices.Equal(steps, r.steps) {
		return
	}
	for i := range r.rows {
		r.move(steps, &r.rows[i])
	}
	r.steps = steps
}

// move orders a row's values by new steps.
func (r *rowWindow) move(steps []planner.StepID, k *kept) {
	v := make([]vec.Value, len(steps))
	var bad []badValue
	for i, s := range steps {
		j := slices.Index(r.steps, s)
		if j < 0 {
			continue
		}
		v[i] = k.v[j]
		if note, ok := k.fault(j); ok {
			bad = append(bad, badValue{i, note})
		}
	}
	k.v, k.bad = v, bad
}

func (r *rowWindow) feed(x *Executor, w *window, m *machine, rows []int32) {
	d := w.def
	if !d.After {
		r.pass = x.passing(w.def, m, rows, r.pass[:0])
		rows = r.pass
	}
	for _, s := range r.steps {
		m.col(s, nil)
	}
	for _, s := range d.Parts {
		m.col(s, nil)
	}
	var one vec.Bitmap // the one row, where a condition depends on the rows before
	if d.Serial {
		one = x.bitmap(m.rows)
		defer x.free(one)
	}
	cond := func(s planner.StepID, row int32) bool {
		if s == planner.NoStep {
			return true
		}
		if d.Serial && len(d.Members) > 0 {
			clear(one)
			one.Set(int(row))
			x.hits(d.Members[0].Rule)
		}
		return m.col(s, one).Value(int(row)).Truth()
	}
	var key []byte
	for _, row := range rows {
		ts := x.now
		if d.Spec.EventTime {
			ts = m.batch.At[row]
		}
		k := kept{ts: ts, v: make([]vec.Value, len(r.steps))}
		if r.to != nil {
			k = r.to.running[row]
		}
		for i, s := range r.steps {
			k.v[i] = m.value(s, int(row)).Clone()
			if m.col(s, nil).Fault.Has(int(row)) {
				k.bad = append(k.bad, badValue{i, m.why(s, int(row))})
			}
		}
		key = key[:0]
		for _, s := range d.Parts {
			key = agg.AppendKey(key, m.value(s, int(row)))
		}
		mark := int64(0)
		if r.event {
			mark = x.marks[row]
		}
		r.form.before(x, w, r, k.ts, mark)
		r.form.row(x, w, r, k, cond(d.When, row), cond(d.Emit, row), string(key))
	}
	r.reschedule(x)
}

func (r *rowWindow) advance(x *Executor, w *window, now int64) {
	r.form.time(x, w, r, now)
	r.reschedule(x)
}

func (r *rowWindow) reschedule(x *Executor) {
	if d := r.deadline(); d > 0 && (x.deadlines == 0 || d < x.deadlines) {
		x.deadlines = d
	}
}

// fire computes one window from its rows and emits it, once the stores of its
// lookup tables have answered.
func (r *rowWindow) fire(x *Executor, w *window, rows []kept, start, end int64) {
	if r.to != nil && r.to.external {
		r.to.parkWindow(x, w, r, rows, start, end)
		return
	}
	r.compute(x, w, len(rows), start, end, func(p *pane) {
		switch {
		case r.to != nil:
			r.to.gather(x, w, p, rows)
		case len(rows) > 0:
			r.gather(x, w, p, rows)
		}
	})
}

// compute emits a window of n rows that fill gives.
func (r *rowWindow) compute(x *Executor, w *window, n int, start, end int64, fill func(p *pane)) {
	p := &r.pane
	p.fit(w.def)
	p.start, p.seen = start, n
	fill(p)
	p.send(x, w, start, end, nil)
	active := len(p.order)
	p.reset()
	switch {
	case !r.parts.on:
		w.groups = &agg.Groups{}
	case w.groups.Len() > maxIdle+2*active:
		w.groups = &agg.Groups{}
		r.parts.clear()
	}
}

// fireRange computes the window of the rows from lo to hi.
func (r *rowWindow) fireRange(x *Executor, w *window, lo, hi int, start, end int64) {
	if !r.parts.on || hi-lo < 2*blockRows {
		r.fire(x, w, r.rows[lo:hi], start, end)
		return
	}
	r.compute(x, w, hi-lo, start, end, func(p *pane) { r.merge(x, w, p, lo, hi) })
}

// forget drops the first n rows.
func (r *rowWindow) forget(n int) {
	clear(r.rows[:n])
	r.rows = r.rows[n:]
	r.parts.forget(n)
}

// gather replays rows into p: the steps that were kept stand as columns, as if
// they had been evaluated over a batch.
func (r *rowWindow) gather(x *Executor, w *window, p *pane, rows []kept) {
	if len(rows) == 0 {
		return
	}
	b := &r.batch
	b.Rows, b.Plan = len(rows), &w.plan
	b.At = resize(b.At, len(rows))
	m := x.enter()
	defer x.leave()
	m.begin(w.in, b)
	for i, s := range r.steps {
		c := m.get()
		for j := range rows {
			if note, ok := rows[j].fault(i); ok {
				c.SetFault(j)
				m.keep(s, j, errors.New(note))
				continue
			}
			c.Set(j, rows[j].v[i])
		}
		m.memos[s] = memo{gen: m.gen, all: true, col: c, done: m.memos[s].done}
	}
	r.idx = r.idx[:0]
	for j := range rows {
		b.At[j] = rows[j].ts
		r.idx = append(r.idx, int32(j))
	}
	pass := r.idx
	if w.def.After {
		r.hold = x.passing(w.def, m, r.idx, r.hold[:0])
		pass = r.hold
	}
	p.add(m, w, pass)
}
