package mqttconn

import (
	"context"
	"errors"
	"fmt"
)

// ErrBadMessage marks a message that can never be sent (a topic with a wildcard,
// a payload that is too long): trying again is of no use.
var ErrBadMessage = errors.New("message cannot be sent")

// ErrLost is an ErrNotConnected that came while messages were being sent: what the
// broker closed the connection for may be one of them.
var ErrLost = fmt.Errorf("%w any more", ErrNotConnected)

const (
	// pubChunk is how many bytes of small messages are written at once.
	pubChunk = 64 << 10
	// window is how many messages of one Publish await their confirmation.
	window = 4096
	// maxFlying is how many await theirs of all.
	maxFlying = 1<<15 - 2*window
)

// OutMessage is a message to send.
type OutMessage struct {
	Topic   string
	Payload []byte // borrowed until Publish returns
	QoS     byte
	Retain  bool
}

// flight is a group of messages of which some, of QoS 1 and 2, await their
// confirmation.
type flight struct {
	acked []bool
	left  int
	done  chan struct{} // closed when none is left
}

// flying is one of them.
type flying struct {
	f *flight
	i int
}

// Publish sends msgs in order: those of QoS 0 are written when it returns, the
// others confirmed by the broker. It may block as long as the broker does not
// take them, until ctx ends.
//
// done is how many messages from the first on are surely sent. With an error,
// those behind may or may not have been; the caller sends them again, or drops
// msgs[done] if the error is ErrBadMessage.
func (c *Conn) Publish(ctx context.Context, msgs []OutMessage) (done int, err error) {
	for done < len(msgs) {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		t := c.up()
		if t == nil {
			return done, c.notConnected()
		}
		n, err := t.publish(ctx, msgs[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (c *Conn) notConnected() error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := c.State().Err; err != nil {
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	return ErrNotConnected
}

func checkMessage(m *OutMessage) error {
	if err := CheckTopic(m.Topic); err != nil {
		return fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	if m.QoS > 2 {
		return fmt.Errorf("%w: qos %d, want 0, 1 or 2", ErrBadMessage, m.QoS)
	}
	if n := publishSize(m); n > maxRemaining {
		return fmt.Errorf("%w: topic %q: %d bytes, MQTT allows %d", ErrBadMessage, m.Topic, n, maxRemaining)
	}
	return nil
}

// publish sends as many messages as the window allows, and returns how many are
// surely sent.
func (t *tap) publish(ctx context.Context, msgs []OutMessage) (int, error) {
	n, confirm := 0, 0
	var bad error
	for n < len(msgs) && confirm < window {
		// Messages of one batch mostly share their topics.
		same := n > 0 && msgs[n].Topic == msgs[n-1].Topic && len(msgs[n].Payload) < pubChunk
		if !same || msgs[n].QoS > 2 {
			if bad = checkMessage(&msgs[n]); bad != nil {
				break
			}
		}
		if msgs[n].QoS > 0 {
			confirm++
		}
		n++
	}
	msgs = msgs[:n]
	if n == 0 {
		return 0, bad
	}
	var f *flight
	if confirm > 0 {
		f = &flight{acked: make([]bool, n), left: confirm, done: make(chan struct{})}
	}
	written, err := t.writeAll(msgs, f)
	if f == nil {
		if err != nil {
			return written, err
		}
		return n, bad
	}
	if err == nil {
		err = t.confirmed(ctx, f)
	}
	if err != nil {
		return t.c.prefix(msgs, f, written), err
	}
	return n, bad
}

// confirmed waits until all of f is confirmed.
func (t *tap) confirmed(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.closed:
		return fmt.Errorf("%w: %w", ErrLost, t.err)
	}
}

// prefix counts the messages from the first on that are surely sent, of those
// that were written.
func (c *Conn) prefix(msgs []OutMessage, f *flight, written int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range written {
		if msgs[i].QoS > 0 && !f.acked[i] {
			return i
		}
	}
	return written
}

// writeAll writes msgs in chunks and returns how many were written.
func (t *tap) writeAll(msgs []OutMessage, f *flight) (int, error) {
	c := t.c
	c.pubMu.Lock()
	defer c.pubMu.Unlock()
	b := c.pubBuf[:0]
	sent := 0
	for i := range msgs {
		var id uint16
		var full error
		if msgs[i].QoS > 0 {
			id, full = t.launch(f, i)
		}
		if full == nil {
			b = appendPublish(b, &msgs[i], id)
			if len(b) < pubChunk && i < len(msgs)-1 {
				continue
			}
			i++
		}
		if len(b) > 0 {
			if err := t.send(b); err != nil {
				return sent, fmt.Errorf("%w: %w", ErrLost, err)
			}
		}
		sent, b = i, b[:0]
		if full != nil {
			return sent, full
		}
	}
	if cap(b) > 4*pubChunk {
		b = nil // a large payload must not stay
	}
	c.pubBuf = b
	c.mu.Lock()
	c.stats.MessagesOut += uint64(sent)
	c.mu.Unlock()
	return sent, nil
}

var errTooMany = errors.New("too many messages await the broker's confirmation")

// launch gives message i of f a packet identifier.
func (t *tap) launch(f *flight, i int) (uint16, error) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if len(t.pubs) >= maxFlying {
		return 0, errTooMany
	}
	id := t.packetID()
	t.pubs[id] = flying{f, i}
	return id, nil
}

// confirm takes the broker's PUBACK or PUBCOMP. The caller holds Conn.mu.
func (t *tap) confirm(id uint16) {
	p, ok := t.pubs[id]
	if !ok {
		return
	}
	delete(t.pubs, id)
	p.f.acked[p.i] = true
	if p.f.left--; p.f.left == 0 {
		close(p.f.done)
	}
}
