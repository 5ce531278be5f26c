package exec

import (
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// What is lost is counted where it ends: a fault for its rule at once, what a stage
// loses before it knows rules (rows without a place in event time, empty windows that
// are passed over) once for the stage. That is spread over its rules when somebody
// reads the counters, or the rules of the stage change: a late row costs no work for
// each of 8,000 rules.

// missed is what a stage or a join lost for all its rules since it was spread.
type missed struct {
	lost loss.Counts
	last untimely // the last row of those that count as exceptions, too
}

// miss counts n losses for all rules of a stage or join, once.
func (s *Stats) miss(of **missed, why loss.Reason, n uint64) *missed {
	s.Lost[why] += n
	if *of == nil {
		*of = &missed{}
	}
	(*of).lost[why] += n
	return *of
}

// spread adds what was missed to each of rules.
func (s *Stats) spread(m *missed, rules func(func(planner.RuleID))) {
	if m == nil {
		return
	}
	odd := m.lost[loss.Untimed] + m.lost[loss.Future]
	text := ""
	if odd > 0 {
		text = m.last.text()
	}
	rules(func(r planner.RuleID) {
		c := s.lostBy(r)
		c.Merge(&m.lost)
		if odd == 0 {
			return
		}
		s.Faults[r] += odd
		c[loss.Fault] -= odd // see lostBy
		if m.last.at >= s.LastAt[r] {
			s.note(r, text, m.last.at)
		}
	})
}

// spreadMissed adds what the stages and the join of n missed to their rules.
func (x *Executor) spreadMissed(n *live) {
	if j := n.join; j != nil {
		x.stats.spread(j.missed, func(f func(planner.RuleID)) {
			for _, r := range j.rules().all {
				f(r)
			}
		})
		j.missed = nil
	}
	spread := func(s *stage) {
		x.stats.spread(s.missed, func(f func(planner.RuleID)) {
			for _, m := range s.base.Members {
				f(m.Rule)
			}
		})
		s.missed = nil
	}
	n.eachStage(spread)
	for _, f := range n.feeds {
		spread(&f.stage)
	}
}

// lose counts a row that a program did not take.
func (n *live) lose(why loss.Reason) {
	if n.lost == nil {
		n.lost = &loss.Counts{}
	}
	n.lost[why]++
}

// isLate counts a row that is older than its watermark.
func (s *stage) isLate() {
	s.x.stats.miss(&s.missed, loss.Late, 1)
	s.in.lose(loss.Late)
}

// isLate counts a row of one of its sources that is older than the watermark.
func (j *joiner) isLate(src int32) {
	x := j.x
	x.stats.miss(&j.missed, loss.Late, 1)
	if n := x.live(j.srcs[src].def.Num); n != nil {
		n.lose(loss.Late)
	}
}

// cap counts empty windows that are not made.
func (s *stage) cap(windows int64) {
	s.x.stats.miss(&s.missed, loss.Capped, uint64(windows))
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

// StreamLost returns the rows of a stream that had no place in event time since it
// has rules, by reason. A row counts for each watermark that would not have it.
func (x *Executor) StreamLost(stream uint32) (c loss.Counts) {
	if n := x.live(stream); n != nil && n.lost != nil {
		c = *n.lost
	}
	return c
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
