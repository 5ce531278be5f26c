package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// done begins the message of a rule whose sources have delivered all there is, as
// eKuiper has it.
const done = "done"

// ended stops the rules to which nothing will come any more, once the executor is
// through with what the source of s has delivered: those all of whose streams have
// ended. Tables end no rule. That they have stopped is stored, so that a later process
// does not read anew; who starts one does.
func (e *Engine) ended(s *stream, r *runner) {
	if !e.drained(r) {
		return
	}
	e.mu.Lock()
	if e.mu.streams[s.name] != s || s.source != running(r) || e.mu.closing {
		e.mu.Unlock()
		return
	}
	s.ended = true
	var runs []ruleRun
	var nums []uint32
	if !s.def.Table {
		nums = append(nums, s.num)
		for id, r := range e.mu.rules {
			if !r.running || !r.uses(s.name) || !e.overLocked(r) {
				continue
			}
			runs = append(runs, ruleRun{id, r.run})
			for _, p := range r.parts() {
				if p.join != nil {
					nums = append(nums, p.join.num)
				}
			}
		}
	}
	e.mu.Unlock()
	if len(runs) == 0 {
		return
	}
	e.exec.End(nums)
	e.exec.Settle(e.ctx) // windows may wait for lookup tables
	e.finish(runs)
}

// drained waits until everything that a source has delivered was run. It returns false
// if the process ends before.
func (e *Engine) drained(r *runner) bool {
	for wait := time.Millisecond; !r.feed.Idle(); wait = min(2*wait, time.Second) {
		e.exec.Nudge()
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			return false
		}
	}
	return true
}

// overLocked tells whether every stream that a rule reads has ended.
func (e *Engine) overLocked(r *rule) bool {
	e.mu.AssertRHeld()
	streams := 0
	for _, name := range r.streams {
		s := e.mu.streams[name]
		switch {
		case s == nil || s.def.Table:
		case !s.ended:
			return false
		default:
			streams++
		}
	}
	return streams > 0
}

// finish stops rules whose streams have ended, unless they were changed meanwhile. One
// with a schedule waits for its next time.
func (e *Engine) finish(runs []ruleRun) {
	ids := make([]string, len(runs))
	for i := range runs {
		ids[i] = runs[i].id
	}
	defer e.ruleLocks.lock(ids...)()
	var stopped []string
	e.mu.Lock()
	for _, b := range runs {
		r := e.mu.rules[b.id]
		if r == nil || !r.running || r.run != b.run || !e.overLocked(r) || e.mu.closing {
			continue
		}
		why := e.whyOverLocked(r)
		t := r.timing
		e.uninstallLocked(r)
		if t != nil && t.tick != nil {
			r.message = why
			r.timing = &timing{schedule: t.schedule, look: t.next(e.wall())}
			signal(e.watch)
			continue
		}
		r.failed, r.pending, r.message = false, false, why
		stopped = append(stopped, b.id)
	}
	e.mu.Unlock()
	for _, id := range stopped {
		if err := e.setTriggered(id, false); err != nil {
			e.log.Error("end of a rule whose sources ended is not stored", "rule", id, "err", err)
		}
	}
}

// whyOverLocked words why nothing will come to a rule.
func (e *Engine) whyOverLocked(r *rule) string {
	e.mu.AssertRHeld()
	var names []string
	var faults string
	for _, name := range r.streams {
		s := e.mu.streams[name]
		if s == nil || s.def.Table || s.source == nil {
			continue
		}
		names = append(names, name)
		if st := s.source.status(); st.Errors > 0 {
			faults += fmt.Sprintf("; %d faults, the last one: %s", st.Errors, st.LastError)
		}
	}
	slices.Sort(names)
	if s := e.mu.streams[names[0]]; len(names) == 1 && s.inline {
		return done + ": its source has delivered all there is" + faults
	}
	return fmt.Sprintf("%s: stream %s has delivered all there is%s", done, strings.Join(names, ", "), faults)
}
