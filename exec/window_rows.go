package exec

import (
	"errors"
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// rowWindow drives the windows whose content differs from row to row: hopping,
// sliding, session, count and state windows. It keeps the values that rules need
// of the rows and computes each window from them when it fires. Rules share it
// if they started together, so no rule sees a row from before its start.
type rowWindow struct {
	x     *Executor
	w     *window
	form  form
	event bool
	to    *joiner          // joins the rows of a window when it fires; nil: no join
	steps []planner.StepID // what is kept of a row
	rows  []windowRow
	parts blocks
	pane  pane       // scratch of a firing
	pass  []int32    // scratch of a feeding
	one   vec.Bitmap // the row that is fed, where a condition depends on those before
	key   []byte     // scratch of a feeding

	batch     vec.Batch // scratch of gather
	idx, left []int32
}

// windowRow is a row of a window.
type windowRow struct {
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
func (k *windowRow) fault(i int) (note string, ok bool) {
	for _, b := range k.bad {
		if b.at == i {
			return b.note, true
		}
	}
	return "", false
}

// form is what differs between the row windows. Each holds its rowWindow.
type form interface {
	// before says that a row at ts comes, before its conditions are looked at: what
	// is sent counts for them. In event time the watermark was mark then.
	before(ts, mark int64)
	// row takes a row. when and emit are the conditions of the window for it, true
	// where it has none; part names its partition.
	row(k windowRow, when, emit bool, part string)
	// time says that time has come to now and no row before it will follow.
	time(now int64)
	// jump says that the clock was set by so many ms to now. The rows that the window
	// keeps have new times already.
	jump(by, now int64)
	// deadline returns when time has something to do by the clock; 0: never.
	deadline() int64
}

func newRowWindow(w *window, to *joiner) *rowWindow {
	r := &rowWindow{x: w.x, w: w, to: to, event: w.def.Spec.EventTime}
	r.form = newForm(r)
	return r
}

// newForm makes the form of r's kind of window.
func newForm(r *rowWindow) form {
	s := &r.w.def.Spec
	switch s.Kind {
	case sql.HoppingWindow, sql.TumblingWindow:
		h := &hopping{r: r}
		if !s.EventTime {
			h.start(r.x.now, s, r.x.env.Location)
		}
		return h
	case sql.SlidingWindow:
		return &sliding{r: r}
	case sql.SessionWindow:
		return &session{r: r}
	case sql.CountWindow:
		return &counting{r: r}
	}
	return &state{r: r}
}

func (r *rowWindow) deadline() int64 {
	if r.event {
		return 0
	}
	return r.form.deadline()
}

// spec returns what the window is.
func (r *rowWindow) spec() *planner.WindowSpec { return &r.w.def.Spec }

// adopt finds the steps that a row is kept for. Rows that are there lack what a
// new step gives; no rule that needs it has seen them.
func (r *rowWindow) adopt(*planner.Window) {
	if r.to != nil { // nothing is kept but what the join wants; aggregates may stand elsewhere
		r.pane, r.w.groups = pane{}, &agg.Groups{}
		return
	}
	steps := keptSteps(r.w.def)
	if r.parts.adopt(r.w.def) || !slices.Equal(steps, r.steps) {
		r.parts.clear()
		r.pane, r.w.groups = pane{}, &agg.Groups{}
	}
	if slices.Equal(steps, r.steps) {
		return
	}
	for i := range r.rows {
		r.move(steps, &r.rows[i])
	}
	if s, ok := r.form.(*state); ok {
		for _, rows := range s.open {
			for i := range rows {
				r.move(steps, &rows[i])
			}
		}
	}
	r.steps = steps
}

// keptSteps returns the steps that the rules over a window of rows need.
func keptSteps(d *planner.Window) (steps []planner.StepID) {
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
	return steps
}

// move orders a row's values by new steps.
func (r *rowWindow) move(steps []planner.StepID, k *windowRow) {
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

func (r *rowWindow) feed(m *machine, rows []int32) {
	d := r.w.def
	if !d.After {
		r.pass = r.x.passing(d, m, rows, r.pass[:0])
		rows = r.pass
	}
	for _, s := range r.steps {
		m.col(s, nil)
	}
	for _, s := range d.Parts {
		m.col(s, nil)
	}
	if d.Serial {
		r.one = r.x.bitmap(m.rows)
		defer r.x.free(r.one)
	}
	for _, row := range rows {
		k := r.take(m, row)
		mark := int64(0)
		if r.event {
			mark = r.x.marks[row]
		}
		r.form.before(k.ts, mark)
		if d.Serial && !r.holds(m, d.Filter, row) {
			continue
		}
		r.form.row(k, r.holds(m, d.When, row), r.holds(m, d.Emit, row), r.partition(m, row))
	}
	r.x.due(r.deadline())
}

// take copies what is kept of a row.
func (r *rowWindow) take(m *machine, row int32) windowRow {
	if r.to != nil {
		return r.to.running[row]
	}
	k := windowRow{ts: r.x.now, v: make([]vec.Value, len(r.steps))}
	if r.event {
		k.ts = m.batch.At[row]
	}
	for i, s := range r.steps {
		k.v[i] = m.value(s, int(row)).Clone()
		if m.col(s, nil).Fault.Has(int(row)) {
			k.bad = append(k.bad, badValue{i, m.why(s, int(row))})
		}
	}
	return k
}

// holds tells whether a condition of the window is true for a row, or is none. One
// that counts what was sent is looked at row by row.
func (r *rowWindow) holds(m *machine, cond planner.StepID, row int32) bool {
	if cond == planner.NoStep {
		return true
	}
	d := r.w.def
	if !d.Serial {
		return m.col(cond, nil).Value(int(row)).Truth()
	}
	if len(d.Members) > 0 {
		clear(r.one)
		r.one.Set(int(row))
		r.x.hits(d.Members[0].Rule)
	}
	return m.col(cond, r.one).Value(int(row)).Truth()
}

// partition names the partition of a row.
func (r *rowWindow) partition(m *machine, row int32) string {
	r.key = r.key[:0]
	for _, s := range r.w.def.Parts {
		r.key = agg.AppendKey(r.key, m.value(s, int(row)))
	}
	return string(r.key)
}

func (r *rowWindow) advance(now int64) {
	r.form.time(now)
	r.x.due(r.deadline())
}

// fire computes one window from its rows and emits it, once the stores of its
// lookup tables have answered.
func (r *rowWindow) fire(rows []windowRow, start, end int64) {
	if r.to != nil && r.to.external {
		r.to.parkWindow(r, rows, start, end)
		return
	}
	r.compute(len(rows), start, end, func(p *pane) {
		switch {
		case r.to != nil:
			r.to.gather(r.w, p, rows)
		case len(rows) > 0:
			r.gather(p, rows)
		}
	})
}

// compute emits a window of n rows that fill gives.
func (r *rowWindow) compute(n int, start, end int64, fill func(p *pane)) {
	p, w := &r.pane, r.w
	p.fit(w.def)
	p.seen = n
	fill(p)
	p.send(w, start, end, nil)
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
func (r *rowWindow) fireRange(lo, hi int, start, end int64) {
	if !r.parts.on || hi-lo < 2*blockRows {
		r.fire(r.rows[lo:hi], start, end)
		return
	}
	r.compute(hi-lo, start, end, func(p *pane) { r.merge(p, lo, hi) })
}

// forget drops the first n rows.
func (r *rowWindow) forget(n int) {
	clear(r.rows[:n])
	r.rows = r.rows[n:]
	r.parts.forget(n)
}

// gather replays rows into p: the steps that were kept stand as columns, as if
// they had been evaluated over a batch.
func (r *rowWindow) gather(p *pane, rows []windowRow) {
	if len(rows) == 0 {
		return
	}
	x, w, b := r.x, r.w, &r.batch
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
		r.left = x.passing(w.def, m, r.idx, r.left[:0])
		pass = r.left
	}
	p.add(m, w, pass)
}
