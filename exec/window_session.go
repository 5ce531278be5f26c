package exec

import "math"

// session gathers rows until none came for Interval, or it has lasted for Length
// when a boundary of that length passes. A session that a boundary ended is followed
// by one that begins there.
//
// It runs by two clocks, which differ as they do in eKuiper. By the clock of the
// process a timer ends it: at the gap behind its last row or at the boundary, which
// ever is first, whether a row comes or not, and a boundary counts once the session
// has lasted for a whole Length. In event time only rows end it: a row behind the
// gap or behind the boundary ends what is before it, a row moves the boundary on by
// one Length at most, however far behind it the row is, and the watermark ends it
// when the gap is over. What a row leaves behind it in the window begins the next
// session and is looked at anew, from its first row on, for it may hold more than
// one gap: see step.
type session struct {
	r     *rowWindow
	start int64 // of the open session, as window_start() tells it
	cut   bool  // a boundary ended the last one
	last  int64 // time of the last row
	check int64 // by the clock: when to look again; in event time: the boundary ahead
}

func (s *session) deadline() int64 { return s.check }

func (s *session) before(_, mark int64) {
	if s.r.event {
		s.time(mark)
	}
}

func (s *session) row(k windowRow, _, _ bool, _ string) {
	if s.r.event {
		s.rowInTime(k)
		return
	}
	s.time(k.ts)
	s.begin(k)
	s.last = k.ts
	s.look()
}

// look notes when the session ends if no row comes.
func (s *session) look() {
	s.check = min(s.last+s.r.spec().Interval, s.boundary(s.r.rows[0].ts))
}

// begin adds a row; it begins a session if none is open.
func (s *session) begin(k windowRow) {
	if len(s.r.rows) == 0 && !s.cut {
		s.start = k.ts
	}
	s.r.rows = append(s.r.rows, k)
}

// boundary returns the first aligned time at which a session that began at begin
// has lasted for the longest duration.
func (s *session) boundary(begin int64) int64 {
	spec, loc := s.r.spec(), s.r.x.env.Location
	b := firstEnd(begin, spec, loc)
	for b-begin < spec.Length {
		b = nextEnd(b, spec, loc)
	}
	return b
}

// first returns the boundary ahead of ts.
func (s *session) first(ts int64) int64 { return firstEnd(ts, s.r.spec(), s.r.x.env.Location) }

func (s *session) time(now int64) {
	rows, gap := s.r.rows, s.r.spec().Interval
	if s.r.event {
		if len(rows) > 0 && now > s.last+gap {
			s.end(s.last+gap, false)
		}
		return
	}
	for len(s.r.rows) > 0 {
		gap, bound := s.last+gap, s.boundary(s.r.rows[0].ts)
		end := min(gap, bound)
		if now < end {
			return
		}
		s.end(end, bound < gap)
	}
	s.check = 0
}

// end sends the rows before at as a session that ends there; cut tells that a
// boundary does it. Rows behind it begin the next one.
func (s *session) end(at int64, cut bool) {
	r := s.r
	n := len(r.rows)
	for n > 0 && r.rows[n-1].ts >= at {
		n--
	}
	r.fire(r.rows[:n], s.start, at)
	r.forget(n)
	s.cut, s.start = cut, at
	if !cut && len(r.rows) > 0 {
		s.start = r.rows[0].ts
	}
}

// rowInTime takes a row of a session in event time.
func (s *session) rowInTime(k windowRow) {
	r := s.r
	if len(r.rows) == 0 {
		s.begin(k)
		s.last, s.check = k.ts, s.first(k.ts)
		return
	}
	r.rows = append(r.rows, k)
	s.step(len(r.rows) - 1)
}

// step looks at row i, the rows before it having been looked at. If it ends the
// session, what is left is looked at anew: its first row begins a session, so the
// loop goes on with its second.
func (s *session) step(i int) {
	r, spec := s.r, s.r.spec()
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
		s.end(end, cut)
		s.last, s.check = r.rows[0].ts, s.first(r.rows[0].ts)
		i = 0
	}
}
