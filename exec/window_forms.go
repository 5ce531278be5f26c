package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
)

// hopping fires at the end of each hop with the rows of the last ones.
type hopping struct {
	r *rowWindow
	unhurried
	hops
	parts []rowsOfPart
}

// rowsOfPart is how many of the rows came in a part of the time, see hops.
type rowsOfPart struct {
	part int64
	rows int
}

// unhurried is what forms share that have nothing to do before a row.
type unhurried struct{}

func (unhurried) before(int64, int64) {}

func (h *hopping) deadline() int64 { return h.end }

func (h *hopping) row(k windowRow, _, _ bool, _ string) {
	s := h.r.spec()
	if h.end == 0 {
		h.start(k.ts, s, h.r.x.env.Location)
	}
	h.time(k.ts)
	if h.part < h.oldest(s) {
		return // no window will hold it
	}
	h.r.rows = append(h.r.rows, k)
	if n := len(h.parts); n > 0 && h.parts[n-1].part == h.part {
		h.parts[n-1].rows++
	} else {
		h.parts = append(h.parts, rowsOfPart{h.part, 1})
	}
}

func (h *hopping) time(now int64) {
	r, s, loc := h.r, h.r.spec(), h.r.x.env.Location
	for empty := 0; h.end > 0 && now >= h.due(); {
		if h.cutAt > 0 {
			h.divided()
			continue
		}
		if len(r.rows) == 0 {
			if empty++; empty > maxEmpty {
				r.w.cap(h.skip(now, s, loc))
				empty = 0
				continue
			}
		}
		r.fire(r.rows, h.starts(h.prev, s, loc), h.end)
		h.next(s, loc)
		h.drop()
	}
}

// drop forgets the rows of parts that the open window does not hold.
func (h *hopping) drop() {
	first := h.oldest(h.r.spec())
	for len(h.parts) > 0 && h.parts[0].part < first {
		h.r.forget(h.parts[0].rows)
		h.parts = h.parts[1:]
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

// sliding fires for each row that meets the condition, with the rows of the last
// Length before it; if it has a delay, that much later, with those that came in
// between. Rows of one event time are all in the windows of each of them.
type sliding struct {
	r    *rowWindow
	due  []int64 // times of the rows whose windows wait for their delay
	at   int64   // deadline of the first
	same int64   // time of the rows whose windows wait for others of that time
	wait int     // how many they are
}

func (s *sliding) deadline() int64 { return s.at }

func (s *sliding) before(ts, _ int64) {
	if ts > s.same {
		s.settle()
	}
}

func (s *sliding) row(k windowRow, when, _ bool, _ string) {
	r, spec := s.r, s.r.spec()
	s.fireBefore(k.ts)
	r.drop(k.ts - spec.Length - spec.Delay)
	r.rows = append(r.rows, k)
	switch {
	case !when:
	case spec.Delay > 0:
		s.due = append(s.due, k.ts)
		s.at = s.due[0] + spec.Delay
	case spec.EventTime:
		s.same = k.ts
		s.wait++
	default:
		s.fire(k.ts)
	}
}

// settle fires the windows of the rows of the last time.
func (s *sliding) settle() {
	for ; s.wait > 0; s.wait-- {
		s.fire(s.same)
	}
}

// fireBefore fires the delayed windows that end before ts.
func (s *sliding) fireBefore(ts int64) {
	for len(s.due) > 0 && s.due[0]+s.r.spec().Delay < ts {
		s.pop()
	}
}

func (s *sliding) pop() {
	t := s.due[0]
	s.due = slices.Delete(s.due, 0, 1)
	s.at = 0
	if len(s.due) > 0 {
		s.at = s.due[0] + s.r.spec().Delay
	}
	s.fire(t)
}

// fire emits the window of a row at t. What comes at the very end of a delay is
// not in it.
func (s *sliding) fire(t int64) {
	r, spec := s.r, s.r.spec()
	from, to := t-spec.Length, t+spec.Delay
	lo, hi := 0, len(r.rows)
	for lo < hi && r.rows[lo].ts < from {
		lo++
	}
	for hi > lo && (r.rows[hi-1].ts > to || r.rows[hi-1].ts == to && to > t) {
		hi--
	}
	r.fireRange(lo, hi, from, to)
}

func (s *sliding) time(now int64) {
	s.settle()
	for len(s.due) > 0 && s.due[0]+s.r.spec().Delay <= now {
		s.pop()
	}
}

// counting fires every Interval rows with the last Length of them.
type counting struct {
	r *rowWindow
	unhurried
	n int64
}

func (c *counting) deadline() int64 { return 0 }
func (c *counting) time(int64)      {}

func (c *counting) row(k windowRow, _, _ bool, _ string) {
	r, spec := c.r, c.r.spec()
	r.rows = append(r.rows, k)
	c.n++
	if c.n%spec.Interval == 0 && int64(len(r.rows)) >= spec.Length {
		r.forget(len(r.rows) - int(spec.Length))
		r.fireRange(0, len(r.rows), r.rows[0].ts, k.ts)
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
type state struct {
	r *rowWindow
	unhurried
	open map[string][]windowRow // by partition
}

func (s *state) deadline() int64 { return 0 }
func (s *state) time(int64)      {}

func (s *state) row(k windowRow, when, emit bool, part string) {
	if s.open == nil {
		s.open = map[string][]windowRow{}
	}
	rows, open := s.open[part]
	if s.r.w.def.Emit == planner.NoStep { // one condition
		if when {
			if len(rows) > 0 {
				s.r.fire(rows, rows[0].ts, k.ts)
			}
			s.open[part] = []windowRow{k}
		} else if open {
			s.open[part] = append(rows, k)
		}
		return
	}
	if !open && !when {
		return
	}
	rows = append(rows, k)
	if !open || !emit { // the row that begins does not end
		s.open[part] = rows
		return
	}
	delete(s.open, part)
	s.r.fire(rows, rows[0].ts, k.ts)
}
