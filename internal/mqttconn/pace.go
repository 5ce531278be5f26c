package mqttconn

import "time"

// LingerAuto reads at once while reads are rarer than 2,000 a second, and at
// most 2,000 times a second beyond.
const LingerAuto time.Duration = -1

const (
	autoInterval = time.Second / 2000
	// autoBurst is how many reads may follow each other at once before the rate
	// is held: what comes in a burst is not late.
	autoBurst = 40
	// plenty is the size of a read behind which the next one is not held back:
	// messages come in bulk without waiting for them.
	plenty = 16 << 10
)

// pacer bounds how often a connection is read: on a small gateway waking up
// costs more than the message that was waited for.
type pacer struct {
	linger time.Duration
	last   time.Time     // of the read before
	debt   time.Duration // auto: time that reads are ahead of their rate
}

// wait returns how long to leave the socket alone at now, after a read of n bytes
// at read.
func (p *pacer) wait(read, now time.Time, n int) time.Duration {
	if p.linger == 0 {
		return 0
	}
	if p.linger > 0 {
		if n >= 4*plenty {
			return 0
		}
		return p.linger - now.Sub(read)
	}
	p.debt = max(0, p.debt-read.Sub(p.last)) + autoInterval
	p.last = read
	if n >= plenty || p.debt < autoBurst*autoInterval {
		p.debt = min(p.debt, autoBurst*autoInterval)
		return 0
	}
	return p.debt - (autoBurst-2)*autoInterval - now.Sub(read)
}
