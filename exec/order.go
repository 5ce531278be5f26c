package exec

import (
	"math"
	"slices"
	"sort"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// eventOrder puts the rows of event-time rules in order of time. A row is released
// when the watermark, the latest time seen less the tolerance, has come to it;
// one that is older than the watermark is late and lost, and counted. The
// watermark advances row by row, so batch sizes change nothing. Rows of one time
// that one advance releases are simultaneous; one that comes with the very time of
// the watermark waits for the next advance.
type eventOrder struct {
	stage
	orderedRows
	def *planner.EventOrder
}

func (o *eventOrder) adopt(def *planner.EventOrder) {
	o.def = def
	o.stage.adopt(&def.Stage)
	for i := range o.rows {
		k := &o.rows[i]
		k.v = append(k.v, make([]vec.Value, max(0, len(def.Rows)-len(k.v)))...)
	}
}

// feed takes the rows of m's batch and runs the program over those that the
// watermark has come to.
func (o *eventOrder) feed(m *machine) {
	rows := m.allRows()
	if len(o.def.Guard) > 0 {
		rows = o.guarded(m, rows, o.def.Members)
	}
	m.col(o.def.Time, nil)
	for _, s := range o.def.Rows {
		if s != planner.NoStep {
			m.col(s, nil)
		}
	}
	before, onTime := o.mark, false
	for _, r := range rows {
		t, odd, ok := m.timeOf(o.def.Time, int(r), o.def.DriftMs)
		if !ok {
			if len(o.released) > 0 && len(o.told()) > 0 { // they get what came before first
				o.release()
			}
			o.untimed(odd)
			continue
		}
		if o.begun && t < o.mark {
			o.isLate()
			continue
		}
		onTime = true
		v := make([]vec.Value, len(o.def.Rows))
		for i, s := range o.def.Rows {
			if s != planner.NoStep {
				v[i] = m.value(s, int(r)).Clone()
			}
		}
		o.insert(windowRow{ts: t, v: v})
		o.reach(t - o.def.LateMs)
	}
	if len(rows) > 0 {
		o.def.State.Fed(o.x.now, onTime && o.nearClock())
	}
	if o.begun && (o.mark != before || len(o.released) > 0) {
		o.release()
	}
}

// nearClock tells whether the latest event time is near the clock.
func (o *eventOrder) nearClock() bool {
	d := o.mark + o.def.LateMs - o.x.now
	return o.x.now >= clockSet && -planner.NearMs <= d && d <= planner.NearMs
}

// release sends what the watermark has come to on to the rules, and tells their
// windows the watermark.
func (o *eventOrder) release() {
	o.send(func(rows []orderedRow, more bool) {
		o.run(rows)
		if more {
			o.stage.out.watermark(rows[len(rows)-1].ts)
		}
	})
	o.stage.out.watermark(o.mark)
}

// run runs the program over rows in order of time.
func (o *eventOrder) run(rows []orderedRow) {
	b := o.open(len(rows), 0)
	x := o.x
	x.marks = resize(x.marks, len(rows))
	for i, r := range rows {
		b.At[i], x.marks[i] = r.ts, r.before
		for c, def := range o.def.Cols {
			if def.Index < len(r.v) {
				b.Cols[c].Set(i, r.v[def.Index])
			}
		}
	}
	n := o.stage.out
	n.identity()
	x.runBound(n, b)
}

// orderedRows keeps rows in event time until the watermark has come to them.
type orderedRows struct {
	mark     int64 // watermark
	begun    bool
	rows     []orderedRow // in order of time, then arrival
	released []orderedRow // in the same order
}

type orderedRow struct {
	windowRow
	before int64 // the watermark before it advanced to release the row
}

func (o *orderedRows) insert(k windowRow) {
	i := len(o.rows)
	if i > 0 && o.rows[i-1].ts > k.ts {
		i = sort.Search(i, func(i int) bool { return o.rows[i].ts > k.ts })
	}
	o.rows = slices.Insert(o.rows, i, orderedRow{windowRow: k})
}

// reach advances the watermark, unless it is there, and takes the rows that it
// comes to from those that wait.
func (o *orderedRows) reach(mark int64) {
	if o.begun && mark <= o.mark {
		return
	}
	before := o.mark
	if !o.begun {
		before = math.MinInt64
	}
	o.begun, o.mark = true, mark
	n := 0
	for n < len(o.rows) && o.rows[n].ts <= mark {
		o.rows[n].before = before
		n++
	}
	o.released = append(o.released, o.rows[:n]...)
	o.rows = slices.Delete(o.rows, 0, n)
}

// send calls f for what was released, in order of time. more reports that the next
// group has the same timestamp but was released by a later watermark; windows must
// not treat the two as simultaneous.
func (o *orderedRows) send(f func(rows []orderedRow, more bool)) {
	for out := o.released; len(out) > 0; {
		n := simultaneous(out)
		f(out[:n], n < len(out))
		out = out[n:]
	}
	clear(o.released)
	o.released = o.released[:0]
}

// simultaneous returns how many rows in order of time may go on at once: not those
// of one time that different advances of the watermark released.
func simultaneous(rows []orderedRow) int {
	n := min(len(rows), vec.MaxRows)
	for i := 1; i < n; i++ {
		if a, b := &rows[i-1], &rows[i]; a.ts == b.ts && a.before != b.before {
			return i
		}
	}
	return n
}

// joinOrder is eventOrder for the streams of a join: the watermark is the least of
// theirs, and there is none until every stream had a row.
type joinOrder struct {
	orderedRows
	late    int64
	marks   []int64 // by source
	seen    []bool
	missing int
	flat    []windowRow
}

func newJoinOrder(p *planner.JoinPlan) *joinOrder {
	o := &joinOrder{late: p.Late, marks: make([]int64, len(p.Sources)), seen: make([]bool, len(p.Sources))}
	for i := range p.Sources {
		if !p.Sources[i].Table {
			o.missing++
		} else {
			o.marks[i] = math.MaxInt64
		}
	}
	return o
}

// take takes rows of j and calls run for those that the watermark has come to, as
// orderedRows.send does.
func (o *joinOrder) take(j *joiner, rows []windowRow, run func(rows []windowRow, more bool)) {
	for _, k := range rows {
		if o.begun && k.ts < o.mark {
			j.isLate(k.src)
			continue
		}
		o.insert(k)
		if !o.seen[k.src] {
			o.seen[k.src] = true
			o.missing--
			o.marks[k.src] = k.ts - o.late
		}
		o.marks[k.src] = max(o.marks[k.src], k.ts-o.late)
		if o.missing == 0 {
			o.reach(slices.Min(o.marks))
		}
	}
	x := j.x
	o.send(func(rows []orderedRow, more bool) {
		o.flat, x.marks = o.flat[:0], x.marks[:0]
		for _, r := range rows {
			o.flat, x.marks = append(o.flat, r.windowRow), append(x.marks, r.before)
		}
		run(o.flat, more)
	})
}
