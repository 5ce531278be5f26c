package exec

import (
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// What is lost is counted where it ends: a fault for its rule at once, what a
// window loses before it knows rules (late rows, empty windows that are passed
// over) once for the window. That is spread over the window's rules when somebody
// reads the counters, or the rules of the window change: a late row costs no work
// for each of 8,000 rules.

// missed is what a window or a join lost for all its rules since it was spread.
type missed struct{ late, capped uint64 }

// spread adds what was missed to each of rules.
func (s *Stats) spread(m *missed, rules func(func(planner.RuleID))) {
	if *m == (missed{}) {
		return
	}
	rules(func(r planner.RuleID) {
		c := s.lostBy(r)
		c[loss.Late] += m.late
		c[loss.Capped] += m.capped
	})
	*m = missed{}
}

// spreadMissed adds what the windows and the join of n missed to their rules.
func (x *Executor) spreadMissed(n *live) {
	if n.join != nil {
		x.stats.spread(&n.join.missed, func(f func(planner.RuleID)) {
			for _, r := range n.join.rules().all {
				f(r)
			}
		})
	}
	n.eachStage(func(s *stage) {
		x.stats.spread(&s.missed, func(f func(planner.RuleID)) {
			for _, m := range s.base.Members {
				f(m.Rule)
			}
		})
	})
}

// isLate counts a row that is older than its watermark.
func (s *stage) isLate() {
	s.x.stats.Lost[loss.Late]++
	s.missed.late++
	s.in.late++
}

// isLate counts a row of one of its sources that is older than the watermark.
func (j *joiner) isLate(src int32) {
	x := j.x
	x.stats.Lost[loss.Late]++
	j.missed.late++
	if n := x.live(j.srcs[src].def.Num); n != nil {
		n.late++
	}
}

// cap counts empty windows that are not made.
func (s *stage) cap(windows int64) {
	s.x.stats.Lost[loss.Capped] += uint64(windows)
	s.missed.capped += uint64(windows)
}

// lostBy returns what rule lost for other reasons than faults; Fault is less what
// Stats.Faults has of them.
func (s *Stats) lostBy(rule planner.RuleID) *loss.Counts {
	c := s.byRule[rule]
	if c == nil {
		if s.byRule == nil {
			s.byRule = map[planner.RuleID]*loss.Counts{}
		}
		c = new(loss.Counts)
		s.byRule[rule] = c
	}
	return c
}

// LostBy returns what rule lost, by reason; ok is false if that is nothing.
func (s *Stats) LostBy(rule planner.RuleID) (c loss.Counts, ok bool) {
	if l := s.byRule[rule]; l != nil {
		c, ok = *l, true
	}
	if int(rule) < len(s.Faults) && s.Faults[rule] > 0 {
		c[loss.Fault] += s.Faults[rule]
		ok = true
	}
	return c, ok
}

// LateRows returns how many rows of a stream came later than a watermark since it
// has rules. A row counts for each watermark that it is too late for.
func (x *Executor) LateRows(stream uint32) uint64 {
	if n := x.live(stream); n != nil {
		return n.late
	}
	return 0
}

// faultFor is fault for a row or window that rule lost for another reason than
// that it could not be evaluated.
func (x *Executor) faultFor(why loss.Reason, rule planner.RuleID, text string) {
	x.fault(rule, text)
	x.recount(why, rule)
}

// recount says that the fault which rule was charged with last was something else.
func (x *Executor) recount(why loss.Reason, rule planner.RuleID) {
	for _, c := range []*loss.Counts{&x.stats.Lost, x.stats.lostBy(rule)} {
		c[loss.Fault]--
		c[why]++
	}
}
