package mqttconn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/internal/loss"
)

// read is the reader goroutine.
func (t *tap) read() {
	defer t.c.wg.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		n, err := t.fill()
		if err != nil {
			t.fail(err)
			return
		}
		now := time.Now()
		if err := t.drain(now.UnixMilli()); err != nil {
			t.fail(err)
			return
		}
		if d := t.pace.wait(now, time.Now(), n); d > 0 {
			t.raise()
			timer.Reset(d)
			select {
			case <-timer.C:
			case <-t.closed:
				return
			}
		}
	}
}

// drain hands on what is in the buffer.
func (t *tap) drain(at int64) error {
	for more := true; more; {
		var err error
		more, err = t.slice(at)
		if len(t.msgs) > 0 {
			t.c.hand(at, t.msgs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hand calls the handler, unless the connection was closed meanwhile: the
// handler of a connection that is gone may have blocked for long.
func (c *Conn) hand(at int64, msgs []Message) {
	c.deliver.Lock()
	defer c.deliver.Unlock()
	c.mu.Lock()
	h := c.handler
	c.mu.Unlock()
	select {
	case <-c.ctx.Done():
	default:
		if h != nil {
			c.call(h, at, msgs)
		}
	}
	if invariants.Enabled {
		for i := range msgs { // no byte beyond: the next packet lies there
			invariants.Bytes(slices.Clip(msgs[i].Payload))
		}
	}
	clear(msgs)
}

// call calls the handler. One that panics loses these messages, not the process;
// they are acknowledged, or the broker would send them again and again.
func (c *Conn) call(h Handler, at int64, msgs []Message) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		c.log.Error("handler of messages panicked", "panic", r, "messages", len(msgs), "topic", msgs[0].Topic.Name, "stack", string(debug.Stack()))
		c.mu.Lock()
		c.stats.Lost[loss.Handler] += uint64(len(msgs))
		c.mu.Unlock()
		for i := range msgs {
			c.Expect(msgs[i].Token, 0)
		}
	}()
	h.Messages(at, msgs)
}

// fill reads once from the socket.
func (t *tap) fill() (int, error) {
	left, size := t.end-t.start, len(t.buf)
	switch {
	case t.end == size && size < maxBuf: // the last read filled it
		size = max(firstBuf, 2*size)
	case size > maxBuf && left <= maxBuf/2: // a large packet is through
		size = maxBuf
	}
	switch size = max(size, t.need); {
	case size != len(t.buf):
		t.resize(size)
	case left == 0 || t.end == size:
		copy(t.buf, t.buf[t.start:t.end])
		t.start, t.end = 0, left
	}
	n, err := t.readSocket(t.buf[t.end:])
	t.end += n
	t.reads++
	if n > 0 {
		t.lastRead.Store(elapsedMs())
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errByBroker
	}
	return 0, err
}

func (t *tap) resize(n int) {
	b := make([]byte, n)
	t.end = copy(b, t.buf[t.start:t.end])
	t.buf, t.start = b, 0
}

// raise lets the kernel keep quiet about what arrives until the next read.
func (t *tap) raise() {
	if t.low != nil && canLower && !t.lowered {
		t.lowered = true
		setLowat(t.low, maxBuf)
	}
}

// readSocket reads what there is, or waits for something. Only a read that has to
// wait needs the low-water mark back.
func (t *tap) readSocket(p []byte) (int, error) {
	if t.lowered {
		if t.raw != nil {
			n, ok, err := t.tryOnce.read(t.raw, p)
			if ok || err != nil {
				return n, err
			}
		}
		setLowat(t.low, 1)
		t.lowered = false
	}
	t.waiting.Store(elapsedMs())
	n, err := t.nc.Read(p)
	t.waiting.Store(0)
	return n, err
}

// slice takes complete packets off the buffer, the messages into t.msgs; more
// tells that complete packets may be left. What it gave is the handler's even if
// it returns an error.
func (t *tap) slice(at int64) (more bool, err error) {
	c := t.c
	t.msgs = t.msgs[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Reads += t.reads
	t.reads = 0
	for len(t.msgs) < maxMessages {
		if n := min(t.skip, t.end-t.start); n > 0 {
			t.start += n
			t.skip -= n
		}
		b := t.buf[t.start:t.end]
		body, size, err := head(b)
		if err != nil {
			return false, err
		}
		if size == 0 {
			t.need = 0
			break
		}
		if size > c.opt.MaxPacket {
			ok, err := t.oversized(b, body, size)
			if err != nil || !ok {
				return false, err
			}
			continue
		}
		if size > len(b) {
			t.need = size
			break
		}
		t.need = 0
		t.start += size
		c.stats.BytesIn += uint64(size)
		if err := t.packet(b[0], b[body:size:size], b[:size], at); err != nil {
			return false, err
		}
	}
	t.kickAcks()
	return len(t.msgs) == maxMessages, nil
}

// packet takes one packet. The caller holds Conn.mu.
func (t *tap) packet(first byte, body, whole []byte, at int64) error {
	c := t.c
	if c.live != t && first != pktConnack {
		return fmt.Errorf("malformed packet: first byte %#02x before CONNACK", first)
	}
	if first&0xf0 == pktPublish {
		if err := readPublish(first, body, &t.pub); err != nil {
			return err
		}
		if t.pub.qos == 2 {
			t.pass(whole)
			return nil
		}
		return t.message(at)
	}
	if err := checkAnswer(first, body); err != nil {
		return err
	}
	switch first {
	case pktPingresp: // the reader noted that the broker lives
	case pktConnack:
		if c.live == t {
			return errors.New("malformed packet: second CONNACK")
		}
		t.pass(whole)
		if body[1] != 0 {
			return refusedBy(body[1])
		}
		c.accepted(t, body[0]&1 != 0)
	case pktPuback, pktPubcomp:
		t.confirm(binary.BigEndian.Uint16(body))
	case pktPubrec:
		t.prompt = appendAck(t.prompt, pktPubrel, binary.BigEndian.Uint16(body))
	case pktPubrel:
		id := binary.BigEndian.Uint16(body)
		if h := c.held[id]; h != nil && h.acked {
			delete(c.held, id)
		}
		t.pass(whole)
	case pktSuback:
		return t.suback(binary.BigEndian.Uint16(body), body[2:])
	case pktUnsuback:
		t.unsuback(binary.BigEndian.Uint16(body))
	default:
		t.pass(whole)
	}
	return nil
}

// message puts the PUBLISH in t.pub among the messages. The caller holds Conn.mu.
func (t *tap) message(at int64) error {
	c, p := t.c, &t.pub
	tp, err := c.tab.topic(p.topic)
	if err != nil {
		return err
	}
	if c.leaving && p.qos > 0 {
		t.receipts.add(p.id, 1) // nobody acknowledges it: it stays with the broker
		return nil
	}
	if p.retained && elapsedMs() < c.replayTo {
		tp = c.narrow(tp)
	}
	c.stats.MessagesIn++
	lost := len(tp.Subs) == 0 || c.handler == nil || c.leaving
	m := Message{Topic: tp, Payload: p.payload, ID: p.id, QoS: p.qos, Retained: p.retained, Dup: p.dup}
	if p.qos > 0 {
		left := uint16(1)
		if lost {
			left = 0
		}
		m.Token = uint64(t.gen)<<32 | uint64(t.receipts.add(p.id, left))
	}
	if lost {
		c.stats.Lost[loss.Unrouted]++
		return nil
	}
	t.msgs = append(t.msgs, m)
	return nil
}

// narrow returns tp for a retained message that is being replayed. The caller
// holds mu.
func (c *Conn) narrow(tp *Topic) *Topic {
	n := c.tab.replayed(tp)
	c.stats.Replays += uint64(len(tp.Subs) - len(n.Subs))
	return n
}

// oversized skips a packet that is too large: it tells false if more of it has to
// be read first. A PUBLISH is acknowledged, or the broker would send nothing
// else for ever. The caller holds Conn.mu.
func (t *tap) oversized(b []byte, body, size int) (bool, error) {
	c := t.c
	if b[0]&0xf0 != pktPublish || c.live != t {
		return false, fmt.Errorf("malformed packet: first byte %#02x with a length of %d bytes", b[0], size)
	}
	want := body + 2
	if len(b) >= want {
		want += int(binary.BigEndian.Uint16(b[body:])) + 2
	}
	if want = min(want, size); len(b) < want {
		t.need = want
		return false, nil
	}
	if err := readPublish(b[0], b[body:want], &t.pub); err != nil {
		return false, err
	}
	switch t.pub.qos {
	case 1:
		t.receipts.add(t.pub.id, 0)
	case 2:
		t.prompt = appendAck(t.prompt, pktPubrec, t.pub.id)
	}
	t.need, t.skip = 0, size
	return true, c.tooLarge(t.pub.topic, size)
}

// loudEvery is the time in ms between two lines in the log about messages that
// are too large.
const loudEvery = 60_000

// tooLarge counts a message that was skipped, for its subscriptions too. The
// caller holds mu.
func (c *Conn) tooLarge(topic []byte, size int) error {
	tp, err := c.tab.topic(topic)
	if err != nil {
		return err
	}
	for _, id := range tp.Subs {
		c.tab.subs[id].oversized++
	}
	c.stats.Lost[loss.Oversized]++
	c.quiet++
	if now := elapsedMs(); c.loud == 0 || now-c.loud >= loudEvery {
		c.log.Warn("messages are larger than maxPacketBytes and skipped", "messages", c.quiet, "topic", tp.Name, "bytes", size, "maxPacketBytes", c.opt.MaxPacket)
		c.loud, c.quiet = now, 0
	}
	return nil
}
