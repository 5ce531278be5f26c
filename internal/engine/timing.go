package engine

import (
	"time"

	"github.com/weir-engine/weir/internal/clock"
)

// timing is the schedule of a rule that was started, whether it runs at the
// moment or waits for its time. Engine.mu guards it.
type timing struct {
	*schedule
	look int64 // when something may have to be done, in ms; -1: never
}

// rests tells whether a rule with schedule s has to wait at now, in ms since 1970.
func (s *schedule) rests(now int64) bool {
	if s == nil || s.once {
		return false
	}
	on, _ := s.on(now)
	return !on
}

// sleepLocked makes r wait for its time.
func (e *Engine) sleepLocked(r *rule, s *schedule) {
	e.mu.AssertHeld()
	now := e.wall()
	r.timing = &timing{schedule: s, look: s.next(now)}
	if on, _ := s.on(now); on { // its time came while it was compiled
		r.timing.look = now
	}
	r.failed, r.pending, r.message = false, false, ""
	if r.timing.look == 0 {
		r.timing.look = -1
		r.message = outOfRanges
	}
	signal(e.watch)
}

// wakeLocked notes that r, whose schedule is s, runs from now on.
func (e *Engine) wakeLocked(r *rule, s *schedule) {
	e.mu.AssertHeld()
	if s == nil {
		return
	}
	now := e.wall()
	r.timing = &timing{schedule: s}
	if s.once {
		r.timing.look = now + s.len.Milliseconds()
	} else {
		_, r.timing.look = s.on(now)
	}
	signal(e.watch)
}

// longestWait is the longest time that keepTimes sleeps, so that a clock that was set
// is noticed.
const longestWait = 10 * time.Second

// keepTimes starts and stops the rules that have a schedule. Schedules are times of the
// clock on the wall. One timer serves all of them; without such rules it does not run.
func (e *Engine) keepTimes() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	c := clock.New(e.opt.clock)
	for {
		select {
		case <-timer.C:
		case <-e.watch:
		case <-e.ctx.Done():
			return
		}
		if _, by := c.Read(); by != 0 {
			e.retime(by)
		}
		now := e.wall()
		ids, look := e.due(now)
		for _, id := range ids {
			e.turn(id)
		}
		switch {
		case len(ids) > 0:
			timer.Reset(0)
		case look > 0:
			timer.Reset(min(max(time.Duration(look-now)*time.Millisecond, 0), longestWait))
		default:
			timer.Stop()
		}
	}
}

// due lists the rules for which something has to be done at now, and returns when
// that will next be so for others, or when to look at the clock; 0: never.
func (e *Engine) due(now int64) (ids []string, look int64) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.mu.closing {
		return nil, 0
	}
	for id, r := range e.mu.rules {
		if r.timing == nil {
			continue
		}
		at := r.timing.look
		if at < 0 { // by this clock never; somebody may set it
			at = now + longestWait.Milliseconds()
		}
		switch {
		case at <= now:
			ids = append(ids, id)
		case look == 0 || at < look:
			look = at
		}
	}
	return ids, look
}

// turn does what the schedule of a rule says for this moment.
func (e *Engine) turn(id string) {
	defer e.ruleLocks.lock(id)()
	now := e.wall()
	e.mu.Lock()
	r := e.mu.rules[id]
	if r == nil || r.timing == nil || r.timing.look < 0 || r.timing.look > now || e.mu.closing {
		e.mu.Unlock()
		return
	}
	t := r.timing
	on, look := t.on(now)
	switch {
	case t.once:
		e.uninstallLocked(r)
		r.timing, r.message = nil, outOfTime
		e.mu.Unlock()
		if err := e.setTriggered(id, false); err != nil {
			e.log.Error("end of a rule's only run is not stored", "rule", id, "err", err)
		}
		return
	case !on:
		e.uninstallLocked(r)
		e.sleepLocked(r, t.schedule)
	case r.running:
		t.look = look
	default:
		e.mu.Unlock()
		err := e.start(id)
		e.mu.Lock()
		if err != nil {
			r.timing = nil // the patrol tries again
			e.noteLocked(r, err)
		}
	}
	e.mu.Unlock()
}

// retime has all rules with a schedule looked at by the new clock, as it was set by
// so many ms. A run of a length that counts from the start ends when it would have.
func (e *Engine) retime(by int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.wall()
	for _, r := range e.mu.rules {
		switch {
		case r.timing == nil:
		case r.timing.once:
			r.timing.look += by
		default:
			r.timing.look = now
		}
	}
}

// nextStartLocked is what the status of a rule says about its next run.
func (r *rule) nextStartLocked(now int64) int64 {
	if r.timing == nil {
		return 0
	}
	return r.timing.next(now)
}
