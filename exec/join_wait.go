package exec

import (
	"slices"

	"github.com/weir-engine/weir/internal/loss"
)

// A job is what a join does with rows, or with a window of them, where rows of a
// store are needed. The executor cannot wait for a store: the job asks, is parked,
// and goes on when the answer comes.
//
// Jobs of a join are done in the order in which they came, so that its rules send in
// the order of their input; only the first is ever finished. A later one is joined
// once when it comes, and when an answer comes for it, for nothing but the questions
// that this raises: so a hundred jobs wait for a store about as long as one.
//
// A job is joined from its beginning each time, see resolve, for what a later source
// is asked depends on the rows of an earlier one: it asks as far as it can see, and
// what it has found is kept in found. State that survives an attempt, faults and lost
// rows, is of the last attempt alone. To continue where an attempt stopped would need
// the state of every loop of a join, and save little: most jobs have one question.
//
// A job holds the batch whose rows it has: the source is told that they are done
// when the last job of the batch is.
type job struct {
	rows   []windowRow
	ticket Ticket // of the batch that it holds, 0: none

	window     *rowWindow // that fires; nil: each row is joined alone
	start, end int64

	found   []map[string]*LookupRows // by step and key
	asked   bool                     // a question is under way
	lost    map[int32]string         // rows whose question failed, with the reason
	dropped bool
	faults  uint64 // conditions that failed
	note    string
}

// Bounds of what waits. A join that has so many jobs or rows is crowded: the
// streams that feed it should be read no further. No window is parked beyond
// maxParked.
const (
	crowdJobs = 16
	crowdRows = 8192
	maxParked = 1 << 20
)

const tooManyParked = "join: more than 1,048,576 rows wait for the answer of a lookup table"

func (j *joiner) crowded() bool { return len(j.jobs) >= crowdJobs || j.parked >= crowdRows }

// parked returns the number of jobs, each some rows or a window, that wait for
// lookup tables.
func (x *Executor) parked() int {
	sum := 0
	for _, n := range x.streams {
		if n != nil && n.join != nil {
			sum += len(n.join.jobs)
		}
	}
	return sum
}

// parkRows joins rows alone when the stores have answered.
func (j *joiner) parkRows(rows []windowRow) {
	rows = slices.Clone(rows)
	if j.oneBatch() {
		j.park(&job{rows: rows})
		return
	}
	for i := range rows {
		j.park(&job{rows: rows[i : i+1]})
	}
}

// parkWindow emits a window when the stores have answered.
func (j *joiner) parkWindow(r *rowWindow, rows []windowRow, start, end int64) {
	if j.parked+len(rows) > maxParked {
		r.w.faultFor(loss.Parked, tooManyParked)
		return
	}
	j.park(&job{rows: slices.Clone(rows), window: r, start: start, end: end})
}

func (j *joiner) park(b *job) {
	b.ticket = j.x.waiting.hold()
	b.found = make([]map[string]*LookupRows, len(j.plan.Steps))
	j.jobs = append(j.jobs, b)
	j.parked += len(b.rows)
	if len(j.jobs) > 1 {
		j.probe(b)
	}
	j.work()
	if j.crowded() {
		j.x.waiting.crowd(j.num)
	}
}

// known returns the rows of the store of a step.
func (b *job) known(step int) map[string]*LookupRows {
	if b.found[step] == nil {
		b.found[step] = map[string]*LookupRows{}
	}
	return b.found[step]
}

// lose notes that a row cannot be joined.
func (b *job) lose(row int32, why string) {
	if b.lost == nil {
		b.lost = map[int32]string{}
	}
	b.lost[row] = why
}

// eventOf returns the position in the job of the stream's row of a joined row.
func (j *joiner) eventOf(t *tuples, row int) int32 {
	for s := range t.cols {
		if !j.srcs[s].def.Table && t.cols[s][row] >= 0 {
			return t.cols[s][row]
		}
	}
	return 0
}

// resolve joins what b has. Without all rows of the stores it has asked for those
// that come next, and the result is of no use.
func (j *joiner) resolve(b *job) (t *tuples, ok bool) {
	if b.window != nil {
		j.divide(b.rows)
	} else {
		for i := range j.srcs {
			s := &j.srcs[i]
			if s.def.Table {
				s.refresh(j.x, int32(i))
				continue
			}
			s.rows = b.rows
			s.index.valid = false
		}
	}
	b.faults, b.lost = 0, nil
	j.job = b
	t, ok = j.joinRows()
	j.job = nil
	return t, ok
}

// probe asks for what a job needs that is not the first.
func (j *joiner) probe(b *job) { j.resolve(b) }

// work does the jobs that have all they need, from the first on.
func (j *joiner) work() {
	for len(j.jobs) > 0 && !j.jobs[0].asked {
		b := j.jobs[0]
		if b.window != nil && !slices.Contains(j.n.windows, b.window.w) {
			j.pop()
			continue
		}
		t, ok := j.resolve(b)
		if b.asked {
			return
		}
		switch {
		case b.window != nil:
			j.pop()
			j.finishWindow(b, t, ok)
		case len(b.lost) > 0:
			j.loseRows(b)
		case !ok && len(b.rows) > 1: // in halves
			rest := *b
			rest.rows = b.rows[len(b.rows)/2:]
			b.rows = b.rows[:len(b.rows)/2]
			rest.found = slices.Clone(b.found)
			if b.ticket != 0 {
				j.x.waiting.held[b.ticket]++
			}
			j.jobs = slices.Insert(j.jobs, 1, &rest)
		default:
			j.pop()
			j.failed(b)
			if !ok {
				for _, r := range j.rules().direct {
					j.x.faultFor(loss.Pairs, r, tooManyRows)
				}
				continue
			}
			j.emitJoined(t)
		}
	}
}

// pop takes the first job out and lets its batch go.
func (j *joiner) pop() {
	b := j.jobs[0]
	j.jobs = slices.Delete(j.jobs, 0, 1)
	j.parked -= len(b.rows)
	b.dropped = true
	j.x.waiting.letGo(b.ticket)
}

// failed counts the conditions of a job that failed.
func (j *joiner) failed(b *job) {
	if b.faults == 0 {
		return
	}
	var w *window
	if b.window != nil {
		w = b.window.w
	}
	j.charge(w, b.faults, b.note)
}

// loseRows counts the rows of a job that cannot be joined and takes them out.
func (j *joiner) loseRows(b *job) {
	rules := j.rules().direct
	left := b.rows[:0]
	for i, k := range b.rows {
		why, lost := b.lost[int32(i)]
		if !lost {
			left = append(left, k)
			continue
		}
		for _, r := range rules {
			j.x.faultFor(loss.Lookup, r, why)
		}
	}
	clear(b.rows[len(left):])
	j.parked -= len(b.rows) - len(left)
	if b.rows = left; len(left) == 0 {
		j.pop()
	}
}

// finishWindow emits a window, unless some of its rows cannot be joined: then it
// is lost.
func (j *joiner) finishWindow(b *job, t *tuples, ok bool) {
	for _, why := range b.lost {
		b.window.w.faultFor(loss.Lookup, why)
		return
	}
	j.failed(b)
	b.window.compute(len(b.rows), b.start, b.end, func(p *pane) { j.collect(b.window.w, p, t, ok) })
}

// dropJobs gives up what waits in the join of n.
func (x *Executor) dropJobs(n *live) {
	if n.join == nil {
		return
	}
	for len(n.join.jobs) > 0 {
		n.join.pop()
	}
}

// resetJobs gives up what waits in a join that panicked.
func (x *Executor) resetJobs() {
	for _, n := range x.streams {
		if n != nil && n.join != nil && n.join.job != nil {
			n.join.job = nil
			x.stats.Lost[loss.Panic] += uint64(n.join.parked)
			x.dropJobs(n)
		}
	}
}
