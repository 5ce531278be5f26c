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

// run is the worker.
func (l *lane) run() {
	defer close(l.done)
	if l.n == 0 { // so that the connection's state is known before the first message
		if err := l.open(); err != nil {
			l.q.failed(err, 0)
		}
	}
	for {
		c := l.next()
		if c == nil {
			break
		}
		l.busy.Store(c.since)
		if rest := l.deliver(c); rest != nil {
			l.keep(c, rest)
			break
		}
		l.finished(c)
		l.busy.Store(0)
	}
	if l.forget.Load() {
		l.giveUp()
	} else {
		l.save()
	}
	if l.dest != nil {
		if err := l.dest.Close(); err != nil {
			l.q.failed(fmt.Errorf("close: %w", err), 0)
		}
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
			return c
		}
		l.mu.Lock()
		if len(l.mem)+len(l.tail) > 0 || l.spilling {
			l.mu.Unlock()
			continue
		}
		if l.closing {
			l.mu.Unlock()
			return nil
		}
		l.idle = true
		l.mu.Unlock()
		select {
		case <-l.wake:
		case <-l.ctx.Done():
		}
	}
}

// take removes the oldest chunk, nil if there is none.
func (l *lane) take() (*chunk, error) {
	l.mu.Lock()
	if len(l.mem) == 0 && l.spilling {
		if messages, _ := l.outbox.Backlog(); messages > 0 {
			l.mu.Unlock()
			return l.read()
		}
		l.mem, l.tail, l.spilling = l.tail, l.mem, false
	}
	defer l.mu.Unlock()
	if len(l.mem) == 0 {
		return nil, nil
	}
	c := l.mem[0]
	l.mem = slices.Delete(l.mem, 0, 1)
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
func (l *lane) read() (*chunk, error) {
	for {
		b, ok, err := l.outbox.Next(l.scratch.buf[:0])
		if err != nil || !ok {
			return nil, err
		}
		c := &l.scratch
		err = c.decode(b, l.restore)
		if err == nil {
			return c, nil
		}
		l.q.o.Logger.Error("stored messages cannot be read and are given up",
			"destination", l.q.target.DestKey, "messages", b.Messages-b.Skip, "err", err)
		l.q.lost.Add(loss.Stored, uint64(b.Messages-b.Skip))
		l.q.failed(err, 0)
		if err := l.advance(b, b.Messages); err != nil {
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

// advance notes that n messages of a block are delivered or given up.
func (l *lane) advance(b store.Block, n int) error {
	live, messages, bytes, err := l.outbox.Advance(b, n)
	if !live { // Drop counted it as given up, and now it is delivered
		l.q.lost.Add(loss.Dropped, -uint64(n-b.Skip))
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

// deliver writes all messages of c, however long that takes. It returns what is
// left when the lane is to end, nil if nothing.
func (l *lane) deliver(c *chunk) (rest []Message) {
	msgs, wait := c.msgs, time.Duration(0)
	if c.disk {
		msgs = msgs[c.block.Skip:]
	}
	for len(msgs) > 0 {
		n, err := 0, l.open()
		if err == nil {
			n, err = l.write(msgs)
		}
		if n > 0 {
			l.q.delivered(msgs[:n])
			msgs, wait = msgs[n:], 0
		}
		switch {
		case len(msgs) == 0:
		case errors.Is(err, ErrRefused):
			l.q.refuse(&msgs[0], err)
			msgs, wait = msgs[1:], 0
		case l.ctx.Err() != nil:
			return msgs
		case err == nil && n > 0:
		default:
			if err == nil {
				err = errors.New("nothing was written")
			}
			l.q.failed(err, 1)
			if c.disk {
				l.part(c, len(c.msgs)-len(msgs))
			}
			wait = min(max(2*wait, l.q.o.RetryMin), l.q.o.RetryMax)
			l.wait(wait)
		}
	}
	return nil
}

// write gives msgs to the destination once.
func (l *lane) write(msgs []Message) (n int, err error) {
	if tell := l.q.o.OnWrite; tell != nil {
		start := time.Now()
		defer func() { tell(time.Since(start)) }()
	}
	n, err = l.dest.Write(l.ctx, msgs)
	return min(max(n, 0), len(msgs)), err
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
	case <-l.ctx.Done():
	}
}

// finished takes a delivered chunk off the books.
func (l *lane) finished(c *chunk) {
	if c.disk {
		l.part(c, len(c.msgs))
		invariants.Bytes(c.buf)
		if cap(c.buf) > 4*maxChunk {
			c.buf = nil
		}
		clear(c.msgs)
		return
	}
	n := int64(len(c.msgs))
	l.mu.Lock()
	l.release(c)
	l.mu.Unlock()
	l.q.settled(n, 0)
}

// part notes on disk that the first n messages of c are delivered.
func (l *lane) part(c *chunk, n int) {
	if n == c.block.Skip {
		return
	}
	if err := l.advance(c.block, n); err != nil {
		l.q.failed(err, 0)
	}
	c.block.Skip = n
}

// keep puts what is left of the worker's chunk before everything else.
func (l *lane) keep(c *chunk, rest []Message) {
	if c.disk {
		l.part(c, len(c.msgs)-len(rest))
		return
	}
	l.q.messages.Add(-int64(len(c.msgs) - len(rest)))
	c.msgs = rest
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mem = slices.Insert(l.mem, 0, c)
}

// giveUp drops everything that waits, on disk too, and counts it.
func (l *lane) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	messages, bytes := int64(0), int64(0)
	if l.outbox != nil {
		messages, bytes = l.outbox.Backlog()
		if err := l.outbox.Remove(); err != nil {
			l.q.o.Logger.Error("messages that were given up are still there", "destination", l.q.target.DestKey, "err", err)
		}
	}
	for _, c := range slices.Concat(l.mem, l.tail) {
		messages += int64(len(c.msgs))
		l.memBytes -= c.bytes
		l.q.memBytes.Add(-c.bytes)
	}
	l.mem, l.tail = nil, nil
	l.q.lost.Add(loss.Discarded, uint64(messages))
	l.q.settled(messages, bytes)
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
			if err := o.Prepend(t, len(c.msgs), l.writer.encode(c.msgs, c.since)); err != nil {
				t.Discard()
				return err
			}
		}
	}
	for _, c := range behind {
		if err := o.Append(t, len(c.msgs), l.writer.encode(c.msgs, c.since)); err != nil {
			t.Discard()
			return err
		}
	}
	return t.Commit(store.Written)
}
