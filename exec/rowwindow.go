package exec

import (
	"slices"

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
	pane  pane // scratch of a firing
	idx   []int32
	pass  []int32 // scratch of a feeding
}

// kept is a row of a window.
type kept struct {
	ts  int64
	v   []vec.Value // by rowWindow.steps, of a join by joinSource.need
	src int32       // source of a join

	bad  vec.Bitmap // values that are faults; nil: none
	note string     // of one of them
}

// form is what differs between the row windows.
type form interface {
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
		r.form = &session{}
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

func (r *rowWindow) join(*Executor, *window, planner.RuleID) {}

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
	bad := make(vec.Bitmap, vec.Words(len(steps)))
	for i, s := range steps {
		j := slices.Index(r.steps, s)
		if j < 0 {
			continue
		}
		v[i] = k.v[j]
		if k.bad.Has(j) {
			bad.Set(i)
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
		if d.Serial && len(d.Joined) > 0 {
			clear(one)
			one.Set(int(row))
			x.hits(d.Joined[0].Rule)
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
				if k.bad == nil {
					k.bad = make(vec.Bitmap, vec.Words(len(r.steps)))
				}
				k.bad.Set(i)
				k.note = m.note
			}
		}
		key = key[:0]
		for _, s := range d.Parts {
			key = appendKey(key, m.value(s, int(row)))
		}
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
	p.reset()
	w.groups = &groups{}
}

// gather replays rows into p: the steps that were kept stand as columns, as if
// they had been evaluated over a batch.
func (r *rowWindow) gather(x *Executor, w *window, p *pane, rows []kept) {
	b := &vec.Batch{Rows: len(rows), Plan: &w.plan, At: make([]int64, len(rows))}
	m := x.enter()
	defer x.leave()
	m.begin(w.in, b)
	for i, s := range r.steps {
		c := m.get()
		for j := range rows {
			if rows[j].bad.Has(i) {
				c.SetFault(j)
				m.note = rows[j].note
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
		pass = x.passing(w.def, m, r.idx, nil)
	}
	p.add(m, w, pass)
}

// hopping fires every Interval with the rows of the last Length.
type hopping struct{ start, end int64 }

func (h *hopping) deadline() int64 { return h.end }

func (h *hopping) row(x *Executor, w *window, r *rowWindow, k kept, _, _ bool, _ string) {
	if h.end == 0 {
		h.start, h.end = k.ts, alignedEnd(k.ts, w.def.Spec, x.env.Location)
	}
	h.time(x, w, r, k.ts)
	r.rows = append(r.rows, k)
}

func (h *hopping) time(x *Executor, w *window, r *rowWindow, now int64) {
	s := w.def.Spec
	if s.Kind == planner.Tumbling {
		s.Interval = s.Length
	}
	for empty := 0; h.end > 0 && now >= h.end; {
		from := h.end - s.Length
		if len(r.rows) == 0 {
			if empty++; empty > maxEmpty {
				skip := (now - h.end) / s.Interval
				x.stats.Capped += uint64(skip)
				h.end += skip * s.Interval
				empty = 0
				if now < h.end {
					return
				}
				from = h.end - s.Length
			}
		}
		r.fire(x, w, r.rows, max(from, h.start), h.end)
		h.end = nextEnd(h.end, s, x.env.Location)
		r.drop(h.end - s.Length)
	}
}

// drop forgets the rows before ts.
func (r *rowWindow) drop(ts int64) {
	n := 0
	for n < len(r.rows) && r.rows[n].ts < ts {
		n++
	}
	r.forget(n)
}

// forget drops the first n rows.
func (r *rowWindow) forget(n int) {
	if n > 0 {
		r.rows = slices.Delete(r.rows, 0, n)
	}
}

// sliding fires for each row that meets the condition, with the rows of the last
// Length before it, Delay later.
type sliding struct {
	due []int64 // times of the rows whose windows wait for their delay
	at  int64   // deadline of the first
}

func (s *sliding) deadline() int64 { return s.at }

func (s *sliding) row(x *Executor, w *window, r *rowWindow, k kept, when, _ bool, _ string) {
	spec := w.def.Spec
	s.fireBefore(x, w, r, k.ts)
	r.drop(k.ts - spec.Length - spec.Delay)
	r.rows = append(r.rows, k)
	switch {
	case !when:
	case spec.Delay > 0:
		s.due = append(s.due, k.ts)
		s.at = s.due[0] + spec.Delay
	default:
		s.fire(x, w, r, k.ts)
	}
}

// fireBefore fires the delayed windows that end before ts.
func (s *sliding) fireBefore(x *Executor, w *window, r *rowWindow, ts int64) {
	for len(s.due) > 0 && s.due[0]+w.def.Spec.Delay < ts {
		s.pop(x, w, r)
	}
}

func (s *sliding) pop(x *Executor, w *window, r *rowWindow) {
	t := s.due[0]
	s.due = slices.Delete(s.due, 0, 1)
	s.at = 0
	if len(s.due) > 0 {
		s.at = s.due[0] + w.def.Spec.Delay
	}
	s.fire(x, w, r, t)
}

// fire emits the window of a row at t.
func (s *sliding) fire(x *Executor, w *window, r *rowWindow, t int64) {
	from, to := t-w.def.Spec.Length, t+w.def.Spec.Delay
	lo, hi := 0, len(r.rows)
	for lo < hi && r.rows[lo].ts < from {
		lo++
	}
	for hi > lo && r.rows[hi-1].ts > to {
		hi--
	}
	r.fire(x, w, r.rows[lo:hi], from, to)
}

func (s *sliding) time(x *Executor, w *window, r *rowWindow, now int64) {
	for len(s.due) > 0 && s.due[0]+w.def.Spec.Delay <= now {
		s.pop(x, w, r)
	}
}

// session gathers rows until none came for Interval, or it has lasted for Length
// when a boundary of that length passes.
type session struct {
	last  int64 // time of the last row
	check int64 // next boundary
}

func (s *session) deadline() int64 { return s.check }

func (s *session) row(x *Executor, w *window, r *rowWindow, k kept, _, _ bool, _ string) {
	s.time(x, w, r, k.ts)
	if len(r.rows) == 0 {
		s.next(x, w, k.ts, k.ts)
	}
	r.rows = append(r.rows, k)
	s.last = k.ts
	s.next(x, w, r.rows[0].ts, k.ts)
}

// next finds when to look again: at the end of the gap or at the first boundary
// at which the session has lasted long enough.
func (s *session) next(x *Executor, w *window, begin, now int64) {
	spec := w.def.Spec
	s.check = min(now+spec.Interval, s.boundary(x, spec, begin))
}

// boundary returns the first aligned time at which a session that began at begin
// has lasted for the longest duration.
func (s *session) boundary(x *Executor, spec planner.WindowSpec, begin int64) int64 {
	spec.Kind = planner.Tumbling
	for b := alignedEnd(begin, spec, x.env.Location); ; b += spec.Length {
		if b-begin >= spec.Length {
			return b
		}
	}
}

func (s *session) time(x *Executor, w *window, r *rowWindow, now int64) {
	spec := w.def.Spec
	for len(r.rows) > 0 {
		begin := r.rows[0].ts
		end := min(s.last+spec.Interval, s.boundary(x, spec, begin))
		if now < end {
			return
		}
		r.fire(x, w, r.rows, begin, end)
		r.forget(len(r.rows))
	}
	s.check = 0
}

// counting fires every Interval rows with the last Length of them.
type counting struct{ n int64 }

func (c *counting) deadline() int64                            { return 0 }
func (c *counting) time(*Executor, *window, *rowWindow, int64) {}

func (c *counting) row(x *Executor, w *window, r *rowWindow, k kept, _, _ bool, _ string) {
	spec := w.def.Spec
	r.rows = append(r.rows, k)
	c.n++
	if c.n%spec.Interval == 0 && int64(len(r.rows)) >= spec.Length {
		r.forget(len(r.rows) - int(spec.Length))
		r.fire(x, w, r.rows, r.rows[0].ts, k.ts)
		r.forget(int(min(spec.Interval, spec.Length)))
		return
	}
	if int64(len(r.rows)) > spec.Length {
		r.forget(len(r.rows) - int(spec.Length))
	}
}

// state collects the rows of each partition from one that meets the begin
// condition to one that meets the emit condition; with one condition, from each
// row that meets it to the next.
type state struct{ parts map[string][]kept }

func (s *state) deadline() int64                            { return 0 }
func (s *state) time(*Executor, *window, *rowWindow, int64) {}

func (s *state) row(x *Executor, w *window, r *rowWindow, k kept, when, emit bool, part string) {
	if s.parts == nil {
		s.parts = map[string][]kept{}
	}
	rows, open := s.parts[part]
	if w.def.Emit == planner.NoStep { // one condition
		if when {
			if len(rows) > 0 {
				r.fire(x, w, rows, rows[0].ts, rows[len(rows)-1].ts)
			}
			s.parts[part] = []kept{k}
		} else if open {
			s.parts[part] = append(rows, k)
		}
		return
	}
	if !open && !when {
		return
	}
	rows = append(rows, k)
	if !emit {
		s.parts[part] = rows
		return
	}
	delete(s.parts, part)
	r.fire(x, w, rows, rows[0].ts, k.ts)
}
