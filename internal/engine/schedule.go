package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/weir-engine/weir/planner/ruledef"
)

// Texts of rules with a schedule, as clients know them.
const (
	waiting     = "stopped: waiting for next schedule."
	outOfRanges = "schedule terminated"
	outOfTime   = "duration terminated"
)

// schedule says at which times a rule runs. It is immutable.
type schedule struct {
	tick   cron.Schedule // starts the rule for length; nil: none
	period []period      // bounds the times, sorted and disjoint; nil: none
	len    time.Duration // of one run by tick
	once   bool          // no tick, no period: one run of len, and then no more
	times  *time.Location
}

// period is the time from begin until before end, in ms since 1970.
type period struct{ begin, end int64 }

// cronFields reads expressions of five fields, of six with seconds in front, and
// the short forms (@daily, @every 1h).
var cronFields = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// newSchedule returns the schedule that o describes; nil: the rule runs always.
// cron without duration says nothing, as in eKuiper.
func newSchedule(o *ruledef.Options, loc *time.Location) (*schedule, error) {
	if o.Cron == "" && o.Duration == 0 && len(o.CronDatetimeRanges) == 0 {
		return nil, nil
	}
	s := &schedule{len: o.Duration, times: loc}
	if o.Cron != "" {
		t, err := parseCron(o.Cron, loc)
		if err != nil {
			return nil, err
		}
		if o.Duration > 0 {
			s.tick = t
		}
	}
	for _, r := range o.CronDatetimeRanges {
		p, err := newPeriod(r, loc)
		if err != nil {
			return nil, err
		}
		if s.tick == nil && s.len > 0 {
			p.end = min(p.end, p.begin+s.len.Milliseconds())
		}
		s.period = append(s.period, p)
	}
	s.period = merged(s.period)
	s.once = s.tick == nil && s.period == nil
	if s.once && s.len == 0 {
		return nil, nil
	}
	return s, nil
}

// parseCron reads a cron expression that comes true at some time.
func parseCron(text string, loc *time.Location) (cron.Schedule, error) {
	// The parser looks for a blank behind a time zone, and finds no tab.
	t, err := cronFields.Parse(strings.Join(strings.Fields(text), " "))
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", text, err)
	}
	if d, ok := t.(cron.ConstantDelaySchedule); ok {
		return every(d.Delay), nil
	}
	if t.Next(time.Now().In(loc)).IsZero() {
		return nil, fmt.Errorf("cron %q: there is no such time in the next years", text)
	}
	return t, nil
}

// every is a delay that counts from a fixed time, so that a run has a beginning
// that does not depend on who asks.
type every time.Duration

// Next returns the first multiple of the delay after t.
func (d every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(d)).Add(time.Duration(d))
}

func newPeriod(r ruledef.DatetimeRange, loc *time.Location) (period, error) {
	if r.Begin == "" && r.End == "" {
		return period{r.BeginMs, r.EndMs}, nil
	}
	begin, err := time.ParseInLocation(time.DateTime, r.Begin, loc)
	if err != nil {
		return period{}, fmt.Errorf("cronDatetimeRange: begin %q: want YYYY-MM-DD hh:mm:ss", r.Begin)
	}
	end, err := time.ParseInLocation(time.DateTime, r.End, loc)
	if err != nil {
		return period{}, fmt.Errorf("cronDatetimeRange: end %q: want YYYY-MM-DD hh:mm:ss", r.End)
	}
	return period{begin.UnixMilli(), end.UnixMilli()}, nil
}

// merged sorts periods and makes one of those that meet.
func merged(list []period) []period {
	slices.SortFunc(list, func(a, b period) int { return int(min(max(a.begin-b.begin, -1), 1)) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && s.begin <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

// within tells whether now is in a period, and which one is the next; -1: none. If
// there are no periods every time is within.
func (s *schedule) within(now int64) (in bool, end, next int64) {
	if s.period == nil {
		return true, -1, -1
	}
	end, next = -1, -1
	for _, p := range s.period {
		if now >= p.begin && now < p.end {
			in, end = true, p.end
		}
		if p.begin > now {
			return in, end, p.begin
		}
	}
	return in, end, -1
}

// on tells whether a rule runs at now, a time in ms. If so, look is when to ask
// again; -1: never. A schedule of one run is on.
func (s *schedule) on(now int64) (on bool, look int64) {
	in, end, _ := s.within(now)
	if !in {
		return false, -1
	}
	if s.tick == nil {
		return true, end
	}
	first := s.tick.Next(s.at(now - s.len.Milliseconds()))
	if first.IsZero() || first.UnixMilli() > now {
		return false, -1
	}
	look = first.UnixMilli() + s.len.Milliseconds()
	if end >= 0 {
		look = min(look, end)
	}
	return true, look
}

// next returns the next time after now, in ms, at which a run begins; 0: none.
func (s *schedule) next(now int64) int64 {
	for {
		in, end, begin := s.within(now)
		if in && s.tick != nil {
			t := s.tick.Next(s.at(now))
			if t.IsZero() {
				return 0
			}
			if ms := t.UnixMilli(); end < 0 || ms < end {
				return ms
			}
		}
		if begin < 0 {
			return 0
		}
		if on, _ := s.on(begin); on {
			return begin
		}
		now = begin
	}
}

func (s *schedule) at(ms int64) time.Time { return time.UnixMilli(ms).In(s.times) }
