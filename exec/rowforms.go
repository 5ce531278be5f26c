package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
)

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
	r.fireRange(x, w, lo, hi, from, to)
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
		r.fireRange(x, w, 0, len(r.rows), r.rows[0].ts, k.ts)
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
