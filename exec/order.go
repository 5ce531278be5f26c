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
	def    *planner.EventOrder
	coming []coming // the first comes first
}

// adopt makes def what o is. Rules that enter must not see the rows that wait, which came
// before them: as long as there are any, o stays what it was. It cannot if a rule has gone.
func (o *eventOrder) adopt(def *planner.EventOrder) {
	if def == o.latest() {
		return
	}
	if o.def != nil && len(o.rows) > 0 && def.Removed == o.def.Removed && len(def.Members) > len(o.def.Members) {
		o.came++
		o.coming = append(o.coming, coming{def, o.came})
		return
	}
	o.coming = nil
	o.become(def)
}

func (o *eventOrder) become(def *planner.EventOrder) {
	o.def = def
	o.stage.adopt(&def.Stage)
	for i := range o.rows {
		k := &o.rows[i]
		k.v = append(k.v, make([]vec.Value, max(0, len(def.Rows)-len(k.v)))...)
	}
}

// latest returns what o is, or is to become in the end.
func (o *eventOrder) latest() *planner.EventOrder {
	if n := len(o.coming); n > 0 {
		return o.coming[n-1].def
	}
	return o.def
}

// members returns the rules of o and, behind them, those that are about to enter: rows
// that have no place in any order are lost for these, too.
func (o *eventOrder) members() []planner.Member { return o.latest().Members }

// coming is what an order will be when the rows from before came are gone.
type coming struct {
	def  *planner.EventOrder
	came uint64
}

// feed takes the rows of m's batch and runs the program over those that the
// watermark has come to.
func (o *eventOrder) feed(m *machine) {
	rows := m.allRows()
	if len(o.def.Guard) > 0 {
		rows = o.guarded(m, rows, o.members())
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
			for _, m := range o.members()[len(o.def.Members):] {
				o.x.missFor(m.Rule, odd)
			}
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

// nearClock tells whether the latest event time is near the clock: not far behind it, and
// no row of this moment would be late.
func (o *eventOrder) nearClock() bool {
	now := o.x.now
	return now >= clockSet && o.mark <= now && o.mark+o.def.LateMs >= now-planner.NearMs
}

// release sends what the watermark has come to on to the rules, and tells their
// windows the watermark. Rules enter behind the last row that came before them.
func (o *eventOrder) release() {
	send := func(rows []orderedRow, apart bool) {
		o.run(rows)
		if apart {
			o.stage.out.watermark(rows[len(rows)-1].ts)
		}
	}
	for len(o.coming) > 0 {
		c := o.coming[0]
		before := func(k orderedRow) bool { return k.came < c.came }
		if slices.ContainsFunc(o.rows, before) {
			break // some still wait
		}
		n := len(o.released)
		for n > 0 && !before(o.released[n-1]) {
			n--
		}
		o.send(n, send)
		o.coming = slices.Delete(o.coming, 0, 1)
		o.become(c.def)
	}
	o.send(len(o.released), send)
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
	came     uint64       // how often rules entered
	rows     []orderedRow // in order of time, then arrival
	released []orderedRow // in the same order
}

type orderedRow struct {
	windowRow
	before int64  // the watermark before it advanced to release the row
	came   uint64 // how often rules had entered when it came
}

func (o *orderedRows) insert(k windowRow) {
	i := len(o.rows)
	if i > 0 && o.rows[i-1].ts > k.ts {
		i = sort.Search(i, func(i int) bool { return o.rows[i].ts > k.ts })
	}
	o.rows = slices.Insert(o.rows, i, orderedRow{windowRow: k, came: o.came})
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

// send calls f for the first n rows that were released, in order of time. apart reports
// that the next row is not simultaneous with the last of rows: windows must not treat
// them so where they have the same time.
func (o *orderedRows) send(n int, f func(rows []orderedRow, apart bool)) {
	all := o.released
	for at := 0; at < n; {
		k := at + simultaneous(all[at:n])
		f(all[at:k], k < len(all) && !all[k-1].simultaneous(&all[k]))
		at = k
	}
	o.released = slices.Delete(all, 0, n)
}

// simultaneous tells whether one advance of the watermark released two rows of one time.
func (a *orderedRow) simultaneous(b *orderedRow) bool { return a.ts == b.ts && a.before == b.before }

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
	o.send(len(o.released), func(rows []orderedRow, more bool) {
		o.flat, x.marks = o.flat[:0], x.marks[:0]
		for _, r := range rows {
			o.flat, x.marks = append(o.flat, r.windowRow), append(x.marks, r.before)
		}
		run(o.flat, more)
	})
}
