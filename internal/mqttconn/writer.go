package mqttconn

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// packetFilters is how many filters one SUBSCRIBE holds: more is refused by
	// some brokers.
	packetFilters = 100
	// subackWait is how long a broker may take to confirm a SUBSCRIBE or an
	// UNSUBSCRIBE.
	subackWait = 30 * time.Second
	// retryRefused is how long a refused filter is left alone.
	retryRefused = 30 * time.Second
	// replayWait is how long after a SUBACK retained messages count as replayed
	// by it: brokers that bound what is under way send them bit by bit.
	replayWait = 10 * time.Second
)

// write is the writer goroutine.
func (t *tap) write() {
	defer t.c.wg.Done()
	tick := time.NewTicker(max(t.c.opt.KeepAlive/4, 100*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-t.closed:
			return
		case <-t.wake:
		case <-tick.C:
			if err := t.watch(elapsedMs()); err != nil {
				t.fail(err)
				return
			}
		}
		t.flush()
	}
}

func (t *tap) kick() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// kickAcks wakes the writer if there is something to acknowledge. The caller
// holds Conn.mu.
func (t *tap) kickAcks() {
	r := &t.receipts
	if r.head != r.tail && r.at(r.head).left == 0 || len(t.prompt) > 0 {
		t.kick()
	}
}

// acks appends the acknowledgements that can leave. The caller holds Conn.mu.
func (t *tap) acks(b []byte) []byte {
	n := t.receipts.waiting()
	b = t.receipts.ready(b)
	t.c.stats.Acked += uint64(n - t.receipts.waiting())
	b = append(b, t.prompt...)
	t.prompt = nil
	return b
}

// flush sends what there is to tell the broker.
func (t *tap) flush() {
	c := t.c
	t.wmu.Lock()
	defer t.wmu.Unlock()
	c.mu.Lock()
	b := t.acks(nil)
	if c.live == t {
		b = t.subscriptions(b)
	}
	c.mu.Unlock()
	if len(b) > 0 {
		_ = t.put(b) // after an error nobody is there to be told
	}
}

// subscriptions appends the SUBSCRIBE packets that are due, or UNSUBSCRIBE
// packets if there are none. The caller holds Conn.mu.
func (t *tap) subscriptions(b []byte) []byte {
	tab := t.c.tab
	if t.asking() || len(tab.dirty) == 0 {
		return b // one round at a time; what comes meanwhile gathers for the next
	}
	on, off := tab.take()
	b = t.ask(b, on, off)
	if t.asking() {
		t.roundMs = elapsedMs()
	}
	if len(t.rounds) > 0 {
		t.c.replayTo = 1<<63 - 1
	}
	return b
}

// ask appends packets that subscribe to on and unsubscribe from off. The caller holds
// Conn.mu.
func (t *tap) ask(b []byte, on, off []*filter) []byte {
	for fs := range slices.Chunk(on, packetFilters) {
		id := t.packetID()
		t.rounds[id] = fs
		b = appendSubscribe(b, id, fs)
	}
	for fs := range slices.Chunk(off, packetFilters) {
		id := t.packetID()
		t.ends[id] = true
		b = appendUnsubscribe(b, id, fs)
	}
	return b
}

// asking tells whether a SUBSCRIBE or UNSUBSCRIBE has no answer yet. The caller
// holds Conn.mu.
func (t *tap) asking() bool { return len(t.rounds)+len(t.ends) > 0 }

// unsuback takes the broker's answer to an UNSUBSCRIBE. The caller holds Conn.mu.
func (t *tap) unsuback(id uint16) {
	delete(t.ends, id)
	if !t.asking() {
		t.kick()
	}
}

// suback takes the broker's answer to a SUBSCRIBE. The caller holds Conn.mu.
func (t *tap) suback(id uint16, codes []byte) error {
	fs, ok := t.rounds[id]
	if !ok {
		return fmt.Errorf("malformed packet: SUBACK %d for no SUBSCRIBE", id)
	}
	if len(codes) != len(fs) {
		return fmt.Errorf("malformed packet: SUBACK with %d answers to %d topic filters", len(codes), len(fs))
	}
	delete(t.rounds, id)
	c := t.c
	for i, f := range fs {
		f.sent = false
		if codes[i] > 2 {
			c.tab.refuse(f)
			c.refusal = elapsedMs()
			continue
		}
		f.acked = true
	}
	if len(t.rounds) == 0 {
		c.replayTo = elapsedMs() + replayWait.Milliseconds()
		t.kick()
	}
	c.announce()
	return nil
}

// packetID returns a packet identifier that nothing of ours under way has. They
// are in the upper half: brokers count from 1 for what they send, and there are
// some that take an equal identifier of ours for theirs. The caller holds
// Conn.mu, and bounds what is under way.
func (t *tap) packetID() uint16 {
	const half = 1 << 15
	for range half {
		t.lastID = (t.lastID + 1) % half
		id := half + t.lastID
		if _, busy := t.pubs[id]; busy {
			continue
		}
		if _, busy := t.rounds[id]; !busy && !t.ends[id] {
			return id
		}
	}
	panic("bug: more packets under way than are allowed")
}

// watch keeps the connection alive and tells when it is not. A broker that is not
// read, because the handler blocks, is not judged.
func (t *tap) watch(now int64) error {
	c := t.c
	c.mu.Lock()
	live := c.live == t
	overdue := t.asking() && now-t.roundMs > subackWait.Milliseconds()
	if live && c.refusal != 0 && now-c.refusal > retryRefused.Milliseconds() {
		c.refusal = 0
		c.tab.retry()
	}
	c.mu.Unlock()
	if !live {
		return nil // the handshake has a deadline of its own
	}
	keep := c.opt.KeepAlive.Milliseconds()
	waiting := t.waiting.Load()
	silent := now - max(t.lastRead.Load(), waiting)
	if waiting == 0 {
		silent = 0
	}
	if overdue && silent > 0 {
		return errors.New("no answer to SUBSCRIBE or UNSUBSCRIBE from the broker")
	}
	if silent > keep*3/2 {
		return fmt.Errorf("no sign of life from the broker for %v", time.Duration(silent)*time.Millisecond)
	}
	if silent < keep/2 && now-t.lastWrite.Load() < keep/2 {
		return nil
	}
	return t.send(pingreq)
}
