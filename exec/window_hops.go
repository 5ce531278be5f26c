package exec

import (
	"time"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// hops is where a tumbling or hopping window stands in time. Its ends cut the time
// into hops, of which a window holds the last ones; where its length is no multiple
// of the hop, it begins within one, so that this one has two parts.
//
// What belongs to which window is a matter of the parts alone, which are counted:
// the days of a calendar differ in length, and so does a hop in which the clock was
// set, but every part is in as many windows as any other. Times only say when a part
// is over, and what is told of a window.
type hops struct {
	prev  int64 // end of the last window; where the first begins
	end   int64 // of the open window; 0: it has not begun
	cutAt int64 // where the second part of the open hop begins; 0: it has none, or it began
	part  int64 // the open part: twice the number of its hop, one more for the second part
}

// start begins the first window at now.
func (h *hops) start(now int64, s *planner.WindowSpec, loc *time.Location) {
	*h = hops{prev: now, end: firstEnd(now, s, loc)}
	h.divide(s, loc)
}

// divide finds where the second part of the open hop begins.
func (h *hops) divide(s *planner.WindowSpec, loc *time.Location) {
	if h.cutAt = h.cut(s, loc); h.cutAt != 0 && h.cutAt <= h.prev {
		h.divided()
	}
}

// cut returns where the open hop is divided; 0: nowhere.
func (h *hops) cut(s *planner.WindowSpec, loc *time.Location) int64 {
	rest := s.Length % s.Hop()
	switch {
	case rest == 0:
		return 0
	case s.Unit == "dd":
		return firstTime(wallTime(h.end, loc)/dayMs*dayMs-rest, loc)
	}
	return h.end - rest
}

// divided begins the second part of the open hop.
func (h *hops) divided() { h.cutAt, h.part = 0, h.part|1 }

// due returns when the open part is over.
func (h *hops) due() int64 {
	if h.cutAt > 0 {
		return h.cutAt
	}
	return h.end
}

// oldest returns the first part that the open window holds.
func (h *hops) oldest(s *planner.WindowSpec) int64 {
	hop := s.Hop()
	first := h.part&^1 - 2*(s.Length/hop)
	if s.Length%hop == 0 {
		return first + 2
	}
	return first + 1
}

// next goes on to the window after the open one.
func (h *hops) next(s *planner.WindowSpec, loc *time.Location) {
	h.prev, h.end = h.end, nextEnd(h.end, s, loc)
	h.part = h.part&^1 + 2
	h.divide(s, loc)
}

// skip leaves out the windows that are over at now, but for the last one, and
// returns how many.
func (h *hops) skip(now int64, s *planner.WindowSpec, loc *time.Location) int64 {
	hop := s.Hop()
	n := (now - h.end) / hop
	if n < 1 {
		return 0
	}
	h.prev = h.end + (n-1)*hop
	if s.Unit == "dd" || !s.Drifts() { // not all of them were of one length
		h.prev = firstEnd(h.prev-hop+min(hop, dayMs)/2, s, loc)
	}
	h.end = nextEnd(h.prev, s, loc)
	h.part = h.part&^1 + 2*n
	h.divide(s, loc)
	return n
}

// jump has the clock be set by so much to now. The open part goes on until the next
// time at which one ends by the new clock; a hop that has lasted for its length is over,
// or one during which the clock is set again and again would never be.
func (h *hops) jump(by, now int64, s *planner.WindowSpec, loc *time.Location) {
	if h.end == 0 {
		return
	}
	h.prev += by
	h.end = firstEnd(now, s, loc)
	if h.cutAt > 0 {
		h.cutAt = max(h.cut(s, loc), now)
	}
	if now-h.prev >= s.Hop() {
		h.end, h.cutAt = now, min(h.cutAt, now)
	}
}

// starts returns what window_start() tells of the open window, for rules that see it
// from a time on: of a hopping window one hop before that, or before the end of the
// last one, whichever is later.
func (h *hops) starts(from int64, s *planner.WindowSpec, loc *time.Location) int64 {
	if s.Kind != sql.HoppingWindow {
		return from
	}
	from = max(from, h.prev)
	start := from - s.Hop()
	if s.Unit == "dd" {
		wall := wallTime(from, loc)
		start = firstTime(wall-s.Hop(), loc)
	}
	if start > 0 {
		return start
	}
	return h.end - s.Length
}
