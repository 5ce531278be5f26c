package sinks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// run is the worker: it delivers what waits until the lane ends, or until somebody
// else goes on with it, see relieve.
func (l *lane) run() {
	if l.n == 0 && !l.aside { // so that the connection's state is known before the first message
		if err := l.open(); err != nil {
			l.q.failed(err, 0)
		}
	}
	l.work()
}

// retried is run for a lane whose messages have just failed elsewhere.
func (l *lane) retried() {
	l.slow.Store(true)
	l.backOff()
	l.work()
}

// work delivers until the lane ends or the worker is relieved.
func (l *lane) work() {
	for {
		if l.cur == nil {
			if l.cur = l.next(); l.cur == nil {
				break
			}
			l.pos = l.cur.block.Skip
			l.busy.Store(l.cur.since)
		}
		end := l.deliver()
		if end == relieved {
			return
		}
		if end == stopped {
			l.keep()
			break
		}
		l.finished()
		l.busy.Store(0)
	}
	if l.forget.Load() {
		l.giveUp()
	} else {
		l.leaveOut()
		l.save()
	}
	l.q.forgetJob(l.job)
	if l.dest != nil {
		if err := l.dest.Close(); err != nil {
			l.q.failed(fmt.Errorf("close: %w", err), 0)
		}
	}
	if l.aside {
		l.leaveNoOutbox()
	}
	close(l.done)
}

// leaveOut takes what was delivered while it was handed over off what is left.
func (l *lane) leaveOut() {
	for l.before > 0 {
		c, err := l.take()
		if c == nil || err != nil {
			return
		}
		l.cur, l.pos = c, c.block.Skip
		l.skip()
		if l.pos == len(c.msgs) {
			l.finished()
		} else {
			l.keep()
		}
	}
}

// leaveNoOutbox removes the outbox of a lane that was set aside, if nothing is left
// in it.
func (l *lane) leaveNoOutbox() {
	if l.outbox == nil {
		return
	}
	if n, _ := l.outbox.Backlog(); n > 0 {
		return
	}
	if err := l.outbox.Remove(); err != nil {
		l.q.failed(err, 0)
	}
}

// next waits for the oldest chunk; nil means that the lane is to end.
func (l *lane) next() *chunk {
	for {
		if l.ctx.Err() != nil {
			return nil
		}
		c, err := l.take()
		if err != nil {
			l.q.failed(err, 1)
			l.wait(l.q.o.RetryMax)
			continue
		}
		if c != nil {
			if l.reach(c.phase) {
				return c
			}
			if !c.disk {
				l.mu.Lock()
				l.mem = slices.Insert(l.mem, 0, c)
				l.mu.Unlock()
			}
			return nil
		}
		l.mu.Lock()
		if len(l.mem)+len(l.tail) > 0 || l.spilling {
			l.mu.Unlock()
			continue
		}
		end := l.closing
		l.idle = !end
		l.mu.Unlock()
		l.pass(len(l.q.phases)) // also at the end: others may wait for it
		if end {
			return nil
		}
		l.rest()
	}
}

// rest waits until there is something to do.
func (l *lane) rest() {
	if !l.aside {
		select {
		case <-l.wake:
		case <-l.ctx.Done():
		}
		return
	}
	t := time.NewTimer(asideIdle)
	defer t.Stop()
	for {
		select {
		case <-l.wake:
			return
		case <-l.ctx.Done():
			return
		case <-t.C:
			l.q.asides.expire(l) // and it is woken, unless something has come
		}
	}
}

// take removes the oldest chunk, nil if there is none.
func (l *lane) take() (*chunk, error) {
	l.mu.Lock()
	if len(l.mem) == 0 && l.spilling {
		if box, phase := l.box(); box != nil {
			l.mu.Unlock()
			c, err := l.read(box)
			if c != nil {
				c.phase = phase
			}
			return c, err
		}
		l.mem, l.tail, l.spilling = l.tail, l.mem, false
	}
	defer l.mu.Unlock()
	if len(l.mem) == 0 {
		return nil, nil
	}
	c := l.mem[0]
	l.mem = slices.Delete(l.mem, 0, 1)
	c.phase = len(l.q.phases)
	l.shrink(c)
	return c, nil
}

// shrink makes new chunks smaller after many that were taken nearly empty.
func (l *lane) shrink(c *chunk) {
	if len(l.mem) > 0 || len(c.buf) > l.size/8 || len(c.msgs) > l.places/8 {
		l.small = 0
		return
	}
	if l.small++; l.small > 256 && (l.size > minChunk || l.places > minPlaces) {
		l.small = 0
		l.size, l.places = max(l.size/2, minChunk), max(l.places/2, minPlaces)
		l.free = nil
	}
}

// read takes the next block off the disk. A block that cannot be understood is
// given up and counted.
func (l *lane) read(box *store.Outbox) (*chunk, error) {
	for {
		if l.scratch == nil {
			l.scratch = new(chunk)
		}
		c := l.scratch
		b, ok, err := box.Next(c.buf[:0])
		if err != nil || !ok {
			return nil, err
		}
		c.box = box
		err = c.decode(b, l.restore, l.q.counters.earlierOf)
		if err == nil {
			return c, nil
		}
		l.q.o.Logger.Error("stored messages cannot be read and are given up",
			"destination", l.q.target.DestKey, "messages", b.Messages-b.Skip, "err", loss.Text(err.Error()))
		l.q.lost.Add(loss.Stored, uint64(b.Messages-b.Skip))
		l.q.failed(err, 0)
		c.msgs = c.msgs[:0]
		if err := l.advance(c, b.Messages); err != nil {
			return nil, err
		}
	}
}

func (l *lane) restore(spec []byte) (*Route, error) {
	if r := l.routes[string(spec)]; r != nil {
		return r, nil
	}
	if l.q.target.Restore == nil {
		return nil, errors.New("routes of this sink cannot be restored")
	}
	r, err := l.q.target.Restore(string(spec))
	if err != nil {
		return nil, err
	}
	if l.routes == nil || len(l.routes) >= 4096 {
		l.routes = make(map[string]*Route)
	}
	l.routes[string(spec)] = r
	return r, nil
}

// advance notes that n messages of the block of c are delivered, given up or somewhere
// else.
func (l *lane) advance(c *chunk, n int) error {
	live, messages, bytes, err := c.box.Advance(c.block, n)
	if !live { // Drop counted it as given up, and it is not
		l.q.lost.Add(loss.Dropped, -uint64(n-c.block.Skip))
		if n <= len(c.msgs) {
			l.q.counters.undrop(c.msgs[c.block.Skip:n])
		}
	}
	l.q.settled(messages, bytes)
	return err
}

// open opens the destination if it is not open.
func (l *lane) open() error {
	if l.dest != nil {
		return nil
	}
	l.q.trying()
	d, err := l.q.target.Open(l.ctx, l.n)
	if err != nil {
		return err
	}
	if st, ok := d.(Statuser); ok {
		l.status.Store(&st)
	} else {
		l.q.connected()
	}
	l.dest = d
	return nil
}

// wait ends early when the destination's state changes or the lane is to end.
func (l *lane) wait(d time.Duration) {
	var changed <-chan struct{}
	if c, ok := l.dest.(Changer); ok {
		changed = c.Changed()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-l.q.dropped():
	case <-l.ctx.Done():
	}
}

// backOff waits before the next attempt, longer each time.
func (l *lane) backOff() {
	l.retry = min(max(2*l.retry, l.q.o.RetryMin), l.q.o.RetryMax)
	l.wait(l.retry)
}

// finished takes the delivered chunk off the books.
func (l *lane) finished() {
	c := l.cur
	l.cur, l.singly = nil, false
	if c.disk {
		l.part(c, len(c.msgs))
		if c.lent {
			l.scratch = nil
			return
		}
		invariants.Bytes(c.buf)
		if cap(c.buf) > 4*maxChunk {
			c.buf = nil
		}
		clear(c.msgs)
		return
	}
	n := int64(len(c.msgs)) - c.moved
	l.mu.Lock()
	l.release(c)
	l.mu.Unlock()
	l.q.settled(n, 0)
}

// part notes on disk that the first n messages of c are delivered, or elsewhere.
func (l *lane) part(c *chunk, n int) {
	if n == c.block.Skip {
		return
	}
	if err := l.advance(c, n); err != nil {
		l.q.failed(err, 0)
	}
	c.block.Skip = n
}

// keep puts what is left of the worker's chunk before everything else.
func (l *lane) keep() {
	c := l.cur
	l.cur = nil
	if c.disk {
		l.part(c, l.pos)
		return
	}
	l.q.messages.Add(c.moved - int64(l.pos))
	c.msgs, c.moved = c.msgs[l.pos:], 0
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mem = slices.Insert(l.mem, 0, c)
}

// save writes what is in memory to the outbox when the lane ends.
func (l *lane) save() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	if len(l.mem)+len(l.tail) == 0 {
		return
	}
	err := l.saveTo(l.outbox)
	if err != nil {
		n := 0
		for _, c := range slices.Concat(l.mem, l.tail) {
			n += len(c.msgs)
		}
		l.q.o.Logger.Error("messages are lost at the end", "destination", l.q.target.DestKey, "messages", n, "err", err)
		l.q.lost.Add(loss.Unsaved, uint64(n))
	}
}

func (l *lane) saveTo(o *store.Outbox) error {
	if o == nil {
		return errors.New("the destination was not reached and its messages do not go to disk")
	}
	t := l.q.st.Begin()
	behind := l.tail
	if messages, _ := o.Backlog(); messages == 0 {
		behind = slices.Concat(l.mem, l.tail)
	} else {
		for _, c := range slices.Backward(l.mem) {
			if err := o.Prepend(t, len(c.msgs), l.writer.encode(c.msgs, c.since, l.q.counters.ownerOf)); err != nil {
				t.Discard()
				return err
			}
		}
	}
	for _, c := range behind {
		if err := o.Append(t, len(c.msgs), l.writer.encode(c.msgs, c.since, l.q.counters.ownerOf)); err != nil {
			t.Discard()
			return err
		}
	}
	return t.Commit(store.Written)
}
