// Package clock tells the time to what must go on when somebody sets the clock of
// the machine: a gateway without a battery gets its time by NTP, minutes after it
// began to work. It goes by the monotonic clock and follows the wall clock, so it
// neither stands still nor goes back, but for what it says is a jump. It starts no
// goroutine and no timer, and logs nothing.
package clock

import "time"

const (
	// Tolerance is how far the wall clock may be from where it should be by the
	// monotonic one; beyond that it was set. It is more than what services that
	// keep the time set at once (systemd-timesyncd 0.4 s, ntpd 0.128 s).
	Tolerance = time.Second
	// slew is the part of the time that passes by which a Clock may be faster or
	// slower, until it has come to the wall clock.
	slew = 10
	// looks is how often a jump is looked at before it is believed: a process may
	// be put off between reading one clock and the other.
	looks = 3
)

// Source reads the clocks of the machine: the wall clock, in ns since 1970, and how
// much time passed since some moment, which nobody sets.
type Source func() (wall int64, elapsed time.Duration)

// System returns the clocks of this machine.
func System() Source {
	return func() (int64, time.Duration) {
		now := time.Now()
		return now.UnixNano(), now.Sub(began)
	}
}

// began is when the process did, with its monotonic time.
var began = time.Now()

// Elapsed returns how much time passed since the process began, whatever was done to
// the wall clock: what lengths of time are measured with.
func Elapsed() time.Duration { return time.Since(began) }

// Wall returns the wall clock of s in ms since 1970.
func (s Source) Wall() int64 {
	wall, _ := s()
	return floorMs(wall)
}

// Clock is a clock that goes on evenly between jumps. It is not safe for concurrent
// use: each goroutine that acts by the time has its own.
type Clock struct {
	source  Source
	now     int64         // ns since 1970
	elapsed time.Duration // at the last Read
}

// New returns a Clock that shows the time of the wall clock.
func New(source Source) *Clock {
	c := &Clock{source: source}
	c.now, c.elapsed = source()
	return c
}

// Read returns the time in ms since 1970, and by how many ms the clock was set since
// the last Read: without that it would be now-jump, which is never before what was
// returned last. A jump of 0 is none.
func (c *Clock) Read() (now, jump int64) {
	var off int64
	for range looks {
		wall, elapsed := c.source()
		passed := int64(max(elapsed-c.elapsed, 0))
		c.elapsed += time.Duration(passed)
		c.now += passed
		off = wall - c.now
		if off <= int64(Tolerance) && off >= -int64(Tolerance) {
			c.now += min(max(off, -passed/slew), passed/slew)
			return floorMs(c.now), 0
		}
	}
	before := floorMs(c.now)
	c.now += off
	now = floorMs(c.now)
	return now, now - before
}

func floorMs(ns int64) int64 {
	ms := ns / int64(time.Millisecond)
	if ns%int64(time.Millisecond) < 0 {
		ms--
	}
	return ms
}
