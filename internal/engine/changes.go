package engine

import "github.com/weir-engine/weir/internal/engine/run"

// changes is what the executor takes over: what changed in the definitions since the
// last time. It holds the lock only to fetch it, and makes the programs of the streams
// that changed, each once, however many changes there were.
func (e *Engine) changes() run.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := run.Change{Rules: e.mu.edits}
	e.mu.edits = nil
	var later []*stream
	for _, s := range e.mu.changed {
		if s.held {
			later = append(later, s)
			continue
		}
		s.dirty = false
		p := run.Program{Stream: s.num}
		if s.builder != nil && s.builder.Len() > 0 {
			p.Program = s.builder.Program()
		}
		c.Programs = append(c.Programs, p)
	}
	e.epochs.Add(uint64(len(c.Programs)))
	if len(later) == 0 {
		e.mu.numbers.settle()
	}
	clear(e.mu.changed)
	e.mu.changed = append(e.mu.changed[:0], later...)
	clear(e.mu.joins) // a rule that comes later must not see rows from before
	c.Feeds = e.mu.fresh
	e.mu.fresh = nil
	for _, f := range e.mu.feeds {
		if f.replan {
			f.replan = false
			c.Plans = append(c.Plans, run.Plan{Feed: f.exec, Columns: f.columns()})
		}
	}
	return c
}

// touchLocked notes that the executor has to pull s.
func (e *Engine) touchLocked(s *stream) {
	e.mu.AssertHeld()
	if !s.dirty {
		s.dirty = true
		e.mu.changed = append(e.mu.changed, s)
	}
	e.exec.Mark()
}

// editedLocked notes a change of what is done with the rows of a rule.
func (e *Engine) editedLocked(ed run.Rule) {
	e.mu.AssertHeld()
	e.mu.edits = append(e.mu.edits, ed)
	e.quiet.Reset(quietTime)
	if e.mu.numbers.many() {
		e.exec.Nudge()
	}
	e.exec.Mark()
}
