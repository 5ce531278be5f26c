package exec

import (
	"math"

	"github.com/weir-engine/weir/planner"
)

// session gathers rows until none came for Interval, or it has lasted for Length
// when a boundary of that length passes: by the clock at the boundary, in event
// time at the first row behind it. A session that a boundary ended is followed by
// one that begins there.
type session struct {
	event bool
	start int64 // of the open session, as window_start() tells it
	cut   bool  // a boundary ended the last one
	last  int64 // time of the last row
	check int64 // by the clock: when to look again; in event time: the boundary ahead
}

func (s *session) deadline() int64 { return s.check }

func (s *session) before(x *Executor, w *window, r *rowWindow, _, mark int64) {
	if s.event {
		s.time(x, w, r, mark)
	}
}

func (s *session) row(x *Executor, w *window, r *rowWindow, k kept, _, _ bool, _ string) {
	if s.event {
		s.rowInTime(x, w, r, k)
		return
	}
	s.time(x, w, r, k.ts)
	s.begin(r, k)
	s.last = k.ts
	s.check = min(k.ts+w.def.Spec.Interval, s.boundary(x, w.def.Spec, r.rows[0].ts))
}

// begin adds a row; it begins a session if none is open.
func (s *session) begin(r *rowWindow, k kept) {
	if len(r.rows) == 0 && !s.cut {
		s.start = k.ts
	}
	r.rows = append(r.rows, k)
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
	if s.event {
		if len(r.rows) > 0 && now > s.last+spec.Interval {
			s.end(x, w, r, s.last+spec.Interval, false)
		}
		return
	}
	for len(r.rows) > 0 {
		gap, bound := s.last+spec.Interval, s.boundary(x, spec, r.rows[0].ts)
		end := min(gap, bound)
		if now < end {
			return
		}
		s.end(x, w, r, end, bound < gap)
	}
	s.check = 0
}

// end sends the rows before at as a session that ends there; cut tells that a
// boundary does it. Rows behind it begin the next one.
func (s *session) end(x *Executor, w *window, r *rowWindow, at int64, cut bool) {
	n := len(r.rows)
	for n > 0 && r.rows[n-1].ts >= at {
		n--
	}
	r.fire(x, w, r.rows[:n], s.start, at)
	r.forget(n)
	s.cut, s.start = cut, at
	if !cut && len(r.rows) > 0 {
		s.start = r.rows[0].ts
	}
}

// rowInTime takes a row of a session in event time. A row moves the boundary on
// by one length at most, however far behind it the row is.
func (s *session) rowInTime(x *Executor, w *window, r *rowWindow, k kept) {
	if len(r.rows) == 0 {
		s.begin(r, k)
		s.last, s.check = k.ts, s.first(x, w.def.Spec, k.ts)
		return
	}
	r.rows = append(r.rows, k)
	s.step(x, w, r, len(r.rows)-1)
}

// step looks at row i, the rows before it having been looked at. If it ends the
// session, what is left is looked at anew.
func (s *session) step(x *Executor, w *window, r *rowWindow, i int) {
	spec := w.def.Spec
	for ; i < len(r.rows); i++ {
		ts, end, cut := r.rows[i].ts, int64(math.MaxInt64), false
		if ts-s.last > spec.Interval {
			end = s.last + spec.Interval
		}
		if ts > s.check {
			if s.check-spec.Length > r.rows[0].ts && s.check < end {
				end, cut = s.check, true
			}
			s.check += spec.Length
		}
		if end == math.MaxInt64 {
			s.last = ts
			continue
		}
		s.end(x, w, r, end, cut)
		s.last, s.check = r.rows[0].ts, s.first(x, spec, r.rows[0].ts)
		i = 0
	}
}

// first returns the boundary ahead of a session in event time that begins at ts.
func (s *session) first(x *Executor, spec planner.WindowSpec, ts int64) int64 {
	spec.Kind = planner.Tumbling
	return alignedEnd(ts, spec, x.env.Location)
}
