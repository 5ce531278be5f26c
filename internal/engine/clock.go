package engine

import (
	"sync/atomic"
	"time"
)

// clockSet counts how often somebody set the clock of the machine, and keeps the last
// time: those who wonder about a window that was longer than another find it in the
// status of its rule.
type clockSet struct {
	n      atomic.Uint64
	by, at atomic.Int64 // ms; ms since 1970 by the new clock
}

// jumped notes that the clock was set by so many ms. The executor calls it.
func (e *Engine) jumped(by int64) {
	e.clockSet.by.Store(by)
	e.clockSet.at.Store(e.wall())
	e.clockSet.n.Add(1)
	e.log.Warn("the clock of the machine was set: windows go on by the new time", "by", time.Duration(by)*time.Millisecond)
}

// wall returns the time of the clock on the wall, in ms since 1970: of schedules, and of
// what is told to clients.
func (e *Engine) wall() int64 { return e.opt.clock.Wall() }

// clock adds what is known of the clock to the status of a rule, if there is something
// to know.
func (f *fields) clock(c *clockSet) {
	if n := c.n.Load(); n > 0 {
		f.add("clock_set_total", n)
		f.add("clock_set_last_ms", c.by.Load())
		f.add("clock_set_last_time", c.at.Load())
	}
}
