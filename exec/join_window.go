package exec

import (
	"slices"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// gather joins the rows of a window and adds what meets its condition to p. A
// window whose join gives nothing is not sent.
func (j *joiner) gather(w *window, p *pane, rows []windowRow) {
	j.divide(rows)
	if j.plan.Apart {
		j.collect(w, p, j.beside(rows), true)
		return
	}
	j.firing = w
	t, ok := j.joinRows()
	j.firing = nil
	j.collect(w, p, t, ok)
}

// beside makes a joined row of each row.
func (j *joiner) beside(rows []windowRow) *tuples {
	t := &j.a
	t.width(len(j.srcs))
	t.n = len(rows)
	for i := range t.cols {
		for range rows {
			t.cols[i] = append(t.cols[i], -1)
		}
	}
	next := make([]int32, len(j.srcs))
	for i, k := range rows {
		t.cols[k.src][i] = next[k.src]
		next[k.src]++
	}
	return t
}

// divide gives each source its rows of a window.
func (j *joiner) divide(rows []windowRow) {
	for i := range j.srcs {
		s := &j.srcs[i]
		if s.def.Table {
			s.refresh(j.x, int32(i))
			continue
		}
		clear(s.own)
		s.own = s.own[:0]
		s.index.valid = false
	}
	for _, k := range rows {
		s := &j.srcs[k.src]
		s.own = append(s.own, k)
	}
	for i := range j.srcs {
		if s := &j.srcs[i]; !s.def.Table {
			s.rows = s.own
		}
	}
}

// collect adds the joined rows that meet the window's condition to p; not ok:
// there were too many.
func (j *joiner) collect(w *window, p *pane, t *tuples, ok bool) {
	if !j.plan.Apart {
		p.seen = max(p.seen, 1)
	}
	if !ok {
		w.faultFor(loss.Pairs, tooManyRows)
		return
	}
	for from := 0; from < t.n; from += vec.MaxRows {
		b := j.rowsOf(t, from, min(from+vec.MaxRows, t.n))
		w.in.identity()
		m := j.x.enter()
		m.begin(w.in, b)
		m.memories = &w.memories
		m.remember(w.recalled().joined)
		j.pass = j.x.passing(w.def, m, m.allRows(), j.pass[:0])
		p.add(m, w, j.pass)
		j.x.leave()
	}
}

// rowsOf makes a batch of joined rows.
func (j *joiner) rowsOf(t *tuples, from, to int) *vec.Batch {
	b := j.open(&j.out, to-from)
	for c := range j.refs {
		if !j.refs[c].used {
			continue
		}
		for row := range b.Rows {
			set(&b.Cols[c], row, j.value(c, t, from+row))
		}
	}
	for row := range b.Rows {
		b.At[row] = j.time(t, from+row)
	}
	return b
}

// time returns the time of a joined row: of the first stream's row in it.
func (j *joiner) time(t *tuples, row int) int64 {
	for s := range t.cols {
		if i := t.cols[s][row]; i >= 0 && !j.srcs[s].def.Table {
			return j.srcs[s].rows[i].ts
		}
	}
	return 0
}

// joinEach joins each row of the one stream with the tables, for the rules that
// have no window. What a row gives is one message.
func (j *joiner) joinEach(rows []windowRow) {
	if j.external {
		j.parkRows(rows)
		return
	}
	for i := range j.srcs {
		if s := &j.srcs[i]; s.def.Table {
			s.refresh(j.x, int32(i))
		}
	}
	if !j.oneBatch() {
		for i := range rows {
			j.joinSome(rows[i : i+1])
		}
		return
	}
	j.joinSome(rows)
}

// oneBatch tells whether rows of the stream can be joined many at a time: each
// joined row then has its row of the stream.
func (j *joiner) oneBatch() bool {
	for _, s := range j.plan.Steps {
		if s.Kind == sql.RightJoin || s.Kind == sql.FullJoin {
			return false
		}
	}
	return !j.srcs[0].def.Table
}

// joinSome joins rows and runs the rules over what they give.
func (j *joiner) joinSome(rows []windowRow) {
	for i := range j.srcs {
		if s := &j.srcs[i]; !s.def.Table {
			s.rows = rows
			s.index.valid = false
		}
	}
	j.firing = nil // a window that broke may have left itself
	t, ok := j.joinRows()
	switch {
	case !ok && len(rows) > 1:
		j.joinSome(rows[:len(rows)/2])
		j.joinSome(rows[len(rows)/2:])
		return
	case !ok:
		for _, r := range j.rules().direct {
			j.x.faultFor(loss.Pairs, r, tooManyRows)
		}
		return
	}
	j.emitJoined(t)
}

// emitJoined runs the rules over what the rows of the stream gave.
func (j *joiner) emitJoined(t *tuples) {
	events := t.cols[0] // rows of the stream, ascending
	if !j.oneBatch() {
		events = slices.Grow(j.events[:0], t.n)[:t.n]
		clear(events)
		j.events = events
	}
	// Pairs of rules and rows must not be delivered before a message is complete.
	limit := min(vec.MaxRows, max(1, maxPairs/max(1, j.n.prog.Rules)-1))
	for from := 0; from < t.n; {
		to := min(from+limit, t.n)
		for to < t.n && events[to] == events[to-1] {
			to++
		}
		j.emit(j.rowsOf(t, from, to), events[from:to])
		from = to
	}
}

// emit runs the rules over joined rows.
func (j *joiner) emit(b *vec.Batch, events []int32) {
	j.n.identity()
	m := j.x.enter()
	m.begin(j.n, b)
	m.remember(j.n.prog.Analytics)
	j.x.match(j.n, m)
	if distinctEvents(events) {
		j.x.deliver(m)
	} else {
		j.x.deliverEvents(m, events)
	}
	j.x.serial(m, events)
	j.x.leave()
}

// distinctEvents tells whether every event has one row.
func distinctEvents(events []int32) bool {
	for i := 1; i < len(events); i++ {
		if events[i] == events[i-1] {
			return false
		}
	}
	return true
}

// deliverEvents hands each rule the rows of each event that it selected as one
// message. A row that is its event's only one is sent as a row, whatever the
// other events of the batch have.
func (x *Executor) deliverEvents(m *machine, events []int32) {
	x.tellAll()
	x.pay(m)
	pairs := x.sending.pairs
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if a.Rule != b.Rule {
			return int(a.Rule) - int(b.Rule)
		}
		return int(a.row - b.row)
	})
	for i := range pairs {
		m.projAt(pairs[i].Proj).want.Set(int(pairs[i].row))
	}
	alone := func(row int32) bool {
		return (row == 0 || events[row-1] != events[row]) && (int(row) == len(events)-1 || events[row+1] != events[row])
	}
	for i := 0; i < len(pairs); {
		k, rule, event := i, pairs[i].Rule, events[pairs[i].row]
		if alone(pairs[i].row) {
			for k < len(pairs) && alone(pairs[k].row) {
				k++
			}
			x.sending.pairs = pairs[i:k:k]
			x.deliver(m)
		} else {
			for k < len(pairs) && pairs[k].Rule == rule && events[pairs[k].row] == event {
				k++
			}
			x.message(m, rule, pairs[i].Proj, pairs[i:k])
		}
		i = k
	}
	x.sending.pairs = pairs[:0]
}
