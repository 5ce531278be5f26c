package exec

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// clockSet is 2020-01-01 in ms since 1970. A clock that shows an earlier time was never
// set, as that of a gateway without a battery: it cannot tell what is in the future.
const clockSet = 1_577_836_800_000

// farthest is how far from 1970 an event time may be, in ms.
const farthest = 1 << 53

// untimely is a row that has no event time, or one that is too far ahead.
type untimely struct {
	why     loss.Reason
	value   vec.Value
	fault   string  // why there is no value, "": there is one, or none was given
	ms      float64 // that value is, where it is some
	at      int64   // by the clock, ms since 1970
	driftMs int64
}

func (u *untimely) text() string {
	if u.why == loss.Untimed {
		return "row without a valid event time: " + cmp.Or(u.fault, fn.Show(u.value))
	}
	when := fn.Show(u.value)
	if u.ms <= farthest {
		when = time.UnixMilli(int64(u.ms)).UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("event time %s is further ahead of the clock than maxFutureDrift %v", when, time.Duration(u.driftMs)*time.Millisecond)
}

// timeOf is eventTime for a row of m, of which step s is the time.
func (m *machine) timeOf(s planner.StepID, row int, driftMs int64) (ms int64, odd untimely, ok bool) {
	ms, odd, ok = m.x.eventTime(m.col(s, nil).Value(row), driftMs)
	if !ok && m.failed(s, row) {
		odd.fault = m.why(s, row)
	}
	return ms, odd, ok
}

// eventTime returns the event time that v is, in ms since 1970. ok is false for a row
// that has none, or one that is further ahead of the clock than driftMs (0: none is):
// one such row would have the watermark leave all others behind. odd says why.
func (x *Executor) eventTime(v vec.Value, driftMs int64) (ms int64, odd untimely, ok bool) {
	n, ok := scalar.Instant(v, x.env.Location)
	ts, _ := n.Float()
	switch {
	case !ok || v.IsNull() || math.IsNaN(ts):
		return 0, untimely{why: loss.Untimed, value: v, at: x.now}, false
	case driftMs > 0 && x.now >= clockSet && ts > float64(x.now+driftMs):
		return 0, untimely{why: loss.Future, value: v, ms: ts, at: x.now, driftMs: driftMs}, false
	case math.Abs(ts) > farthest:
		return 0, untimely{why: loss.Untimed, value: v, at: x.now}, false
	}
	return int64(ts), odd, true
}

// untimed counts a row that has no place in event time for all rules of s, and tells
// those that want to know.
func (s *stage) untimed(u untimely) {
	u.value = u.value.Clone()
	s.x.stats.miss(&s.missed, u.why, 1).last = u
	s.in.lose(u.why)
	for _, l := range s.told() {
		s.x.out.Fault(l.rule, u.text())
	}
}

// missFor is untimed for one rule, of a row that was counted already.
func (x *Executor) missFor(rule planner.RuleID, u untimely) {
	m := missed{last: u}
	m.lost[u.why]++
	x.stats.grow(rule)
	x.stats.spread(&m, func(f func(planner.RuleID)) { f(rule) })
	if x.wants(rule) {
		x.out.Fault(rule, u.text())
	}
}

// told returns the rules of s that want to be told of faults.
func (s *stage) told() []listener { return s.in.faultRules(s.x, indexRules{index: s.base}) }

// entries returns the rules of a stage as those of an index.
func entries(members []planner.Member) []planner.Entry {
	es := make([]planner.Entry, len(members))
	for i, m := range members {
		es[i].Rule = m.Rule
	}
	return es
}
