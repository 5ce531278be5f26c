package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

// outcome is how deliver ended.
type outcome uint8

const (
	through  outcome = iota // all of the chunk is delivered, given up, or set aside
	stopped                 // the lane is to end
	relieved                // somebody else has the lane
)

// flight is a write under way. Its fields are guarded by the mu of the lane that began
// it.
type flight struct {
	msgs []Message // nil: none is
	at   time.Time
	to   *lane // where the worker goes on with them when it was relieved
}

// deliver brings the messages of cur out, however long that takes.
func (l *lane) deliver() outcome {
	c := l.cur
	l.skip()
	for l.pos < len(c.msgs) {
		if l.leaveUnwanted() > 0 || l.follow() > 0 {
			continue
		}
		msgs := l.together(c.msgs[l.pos:])
		n, err := 0, l.open()
		if err == nil {
			var to *lane
			if n, to, err = l.write(msgs); to != nil {
				to.takeOver(msgs, n, err)
				return relieved
			}
		}
		if n > 0 {
			l.q.delivered(msgs[:n])
			l.pos += n
			l.retry = 0
		}
		switch {
		case n == len(msgs) && err == nil:
		case errors.Is(err, ErrRefused) && n < len(msgs):
			l.q.refuse(&msgs[n], err)
			l.pos++
			l.retry = 0
		case errors.Is(err, errPanic):
			l.singly = true
		case errors.Is(err, errDropped):
		case l.ctx.Err() != nil:
			return stopped
		case err == nil && n > 0:
		default:
			if err == nil {
				err = errors.New("nothing was written")
			}
			l.failed(msgs[n:], err)
		}
	}
	return through
}

// skip leaves out what was delivered while it was handed over.
func (l *lane) skip() {
	n := min(l.before, len(l.cur.msgs)-l.pos)
	l.before -= n
	l.pos += n
}

// leaveUnwanted gives up the next messages of cur if their owner is dropped, and
// returns how many that were.
func (l *lane) leaveUnwanted() int {
	n := l.q.counters.unwanted(l.cur.msgs[l.pos:])
	if n == 0 {
		return 0
	}
	l.q.lost.Add(loss.Deleted, uint64(n))
	l.q.counters.leave(l.cur.msgs[l.pos : l.pos+n])
	l.pos += n
	if l.cur.disk {
		l.part(l.cur, l.pos)
	}
	return n
}

// follow hands over what belongs behind messages that were set aside.
func (l *lane) follow() int {
	if l.aside {
		return 0
	}
	n := l.q.asides.follow(l.cur.msgs[l.pos:], l.cur.disk)
	if n > 0 {
		l.handed(n)
	}
	return n
}

// handed takes the next n messages of cur off the books of the lane: they are on those
// of another.
func (l *lane) handed(n int) {
	c := l.cur
	l.pos += n
	if c.disk {
		l.part(c, l.pos)
		return
	}
	c.moved += int64(n)
	l.q.settled(int64(n), 0)
}

// together returns the first messages of msgs that are written with one call.
func (l *lane) together(msgs []Message) []Message {
	msgs = l.q.counters.wanted(msgs)
	if l.singly {
		return msgs[:1]
	}
	apart, aside := l.q.target.Apart, !l.aside && l.q.asides.some.Load()
	if apart == Together && !aside {
		return msgs
	}
	first := &msgs[0]
	for n := 1; n < len(msgs); n++ {
		m := &msgs[n]
		switch {
		case apart == ByRule && !sameRule(m, first), apart == ByPlace && (m.Route != first.Route || m.Target != first.Target):
			return msgs[:n]
		case aside && !sameRule(m, &msgs[n-1]) && l.q.asides.has(m):
			return msgs[:n]
		}
	}
	return msgs
}

// sameRule tells whether two messages are of one rule, as far as that is known.
func sameRule(a, b *Message) bool {
	return a.Rule == b.Rule && (a.Rule != NoRule || a.Route == b.Route)
}

// sameAction tells whether two messages are of one action of one rule, as far as that is
// known.
func sameAction(a, b *Message) bool { return a.Rule == b.Rule && a.Route == b.Route }

// failed notes that msgs[0] was not taken. It waits, unless the rule is set aside.
func (l *lane) failed(msgs []Message, err error) {
	l.slow.Store(true)
	l.q.failedFor(&msgs[0], err)
	c := l.cur
	if c.disk {
		l.part(c, l.pos)
	}
	if l.aside || !errors.Is(err, errPlace) {
		l.backOff()
		return
	}
	n := 1
	for n < len(msgs) && sameRule(&msgs[n], &msgs[0]) {
		n++
	}
	to, fresh, err := l.q.setAside(msgs[:n], c.disk, true)
	if err != nil {
		l.q.failed(err, 0)
		l.backOff()
		return
	}
	l.handed(n)
	if fresh {
		go to.retried()
	}
}

// write gives msgs to the destination once. If that took so long that somebody else
// went on with the lane, to is where the worker goes on; nothing of l is its own then.
func (l *lane) write(msgs []Message) (n int, to *lane, err error) {
	start, dest := time.Now(), l.dest
	j := l.begin(msgs)
	f := l.takeOff(msgs, start) // from here on l may be another's
	n, err = l.q.write(j.ctx, dest, msgs)
	if j.end() && n < len(msgs) && !errors.Is(err, ErrRefused) {
		err = errDropped // whatever it says of being ended
	}
	took := time.Since(start)
	if tell := l.q.o.OnWrite; tell != nil {
		tell(took)
	}
	l.slow.Store(err != nil || took >= l.q.patience()/2)
	if f == nil {
		return n, nil, err
	}
	if err == nil {
		l.q.learn(took)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.msgs, to = nil, f.to; to != nil {
		to.dest = dest
		to.slow.Store(true)
		l.q.forgetJob(j)
	}
	return n, to, err
}

// write is Destination.Write with a panic, which is a fault of ours, as an error: a
// refusal of the only message, else errPanic.
func (q *Queue) write(ctx context.Context, dest Destination, msgs []Message) (n int, err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		q.o.OnPanic("a message to a sink is given up", r)
		if n, err = 0, errPanic; len(msgs) == 1 {
			err = Refuse(fmt.Errorf("a fault of weir: %v", r))
		}
	}()
	n, err = dest.Write(ctx, msgs)
	return min(max(n, 0), len(msgs)), err
}

// errPanic is the error of a write of many that panicked. They are written one by one
// then, so that only the one that it is laid to is given up; what came before it in that
// write may arrive twice.
var errPanic = errors.New("a fault of weir while messages were written")

// takeOff notes that a write begins that may take long while others could go on; nil:
// it could not.
func (l *lane) takeOff(msgs []Message, now time.Time) *flight {
	if l.aside || l.q.target.Apart == Together {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight == nil {
		l.flight = new(flight)
	}
	f := l.flight
	f.msgs, f.at = msgs, now
	if l.timer == nil {
		l.timer = time.AfterFunc(l.q.patience(), l.relieve)
	} else {
		l.timer.Reset(l.q.patience())
	}
	return f
}

// patience is how long a write may take until somebody else goes on with the lane.
func (q *Queue) patience() time.Duration {
	return max(q.o.Patience, patience*time.Duration(q.pace.Load()))
}

// learn takes into account how long a write took that did not fail: what is slow for
// all is no reason to set one aside.
func (q *Queue) learn(took time.Duration) {
	pace := time.Duration(q.pace.Load())
	if took > pace {
		pace = min(took, max(pace+pace/4, q.o.Patience/patience))
	} else {
		pace -= pace / 8
	}
	q.pace.Store(int64(pace))
}

// relieve goes on with a lane whose worker waits for a write, if there is something
// to go on with: what is being written is set aside, and its worker goes on there.
func (l *lane) relieve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.flight
	if f == nil || f.msgs == nil {
		return
	}
	if wait := l.q.patience() - time.Since(f.at); wait > 0 { // it was for the write before
		l.timer.Reset(wait)
		return
	}
	c := l.cur
	others := len(l.mem)+len(l.tail) > 0 || l.spilling || l.pos+len(f.msgs) < len(c.msgs)
	if !others || l.ctx.Err() != nil {
		l.timer.Reset(l.q.patience())
		return
	}
	to, _, err := l.q.setAside(f.msgs, c.disk, false)
	if err != nil {
		l.timer.Reset(l.q.patience())
		return
	}
	f.to = to
	l.flight, l.dest, l.job, c.lent = nil, nil, nil, true
	l.handed(len(f.msgs))
	go l.work()
}

// takeOver goes on with messages that were being written when they were set aside, and
// of which the first n are delivered.
func (l *lane) takeOver(msgs []Message, n int, err error) {
	l.q.delivered(msgs[:n])
	l.before = n
	switch {
	case err == nil:
	case errors.Is(err, ErrRefused) && n < len(msgs):
		l.q.refuse(&msgs[n], err)
		l.before++
	case errors.Is(err, errPanic):
		l.singly = true
	case errors.Is(err, errDropped):
	case l.ctx.Err() == nil:
		l.q.failedFor(&msgs[min(n, len(msgs)-1)], err)
		l.backOff()
	}
	l.work()
}
