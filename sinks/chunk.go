package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/internal/store"
)

const (
	minChunk = 16 << 10
	maxChunk = 256 << 10
	// messageCost is what a waiting message counts beside its payload.
	messageCost = 64
	// A chunk's places for messages and its bytes grow on their own: many rules
	// may share one payload, and one message may be large.
	minPlaces = 64
	maxPlaces = 4096
)

// chunk is a run of messages whose payloads lie in one buffer. It grows at its end
// while it is open and is only read once a worker has it.
type chunk struct {
	msgs  []Message
	buf   []byte // its capacity is fixed: payloads refer to it
	bytes int64  // what it counts in the backlog
	since int64  // when its first message came, in Unix ms; 0: not known
	moved int64  // of its messages, off the books: another lane has them
	phase int    // in which it is delivered
	lent  bool   // a write that was left behind reads it: it is not used again

	// block is where the messages are in box, if disk.
	disk  bool
	block store.Block
	box   *store.Outbox
}

func newChunk(places, size int) *chunk {
	return &chunk{msgs: make([]Message, 0, places), buf: make([]byte, 0, size)}
}

func (c *chunk) reset() {
	clear(c.msgs) // lets go of routes and targets
	invariants.Bytes(c.buf)
	c.msgs, c.buf = c.msgs[:0], c.buf[:0]
	c.bytes, c.since, c.moved, c.disk, c.block = 0, 0, 0, false, store.Block{}
}

// add appends m with a copy of its payload, if there is room.
func (c *chunk) add(m *Message) bool {
	at, end := len(c.buf), len(c.buf)+len(m.Payload)
	if end > cap(c.buf) || len(c.msgs) == cap(c.msgs) {
		return false
	}
	if len(c.msgs) == 0 {
		c.since = time.Now().UnixMilli()
	}
	c.buf = append(c.buf, m.Payload...)
	c.msgs = append(c.msgs, Message{Route: m.Route, Target: m.Target, Payload: c.buf[at:end:end], Rule: m.Rule})
	c.bytes += int64(end-at) + messageCost
	return true
}

// share appends m with the payload of the message before it.
func (c *chunk) share(m *Message) bool {
	n := len(c.msgs)
	if n == 0 || n == cap(c.msgs) {
		return false
	}
	c.msgs = append(c.msgs, Message{Route: m.Route, Target: m.Target, Payload: c.msgs[n-1].Payload, Rule: m.Rule})
	c.bytes += messageCost
	return true
}

// samePayload tells whether a and b are the same memory.
func samePayload(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// A block of the outbox:
//
//	version byte, time of the first message in Unix ms, number of routes, specs,
//	number of owners, owners; then for each message
//	route<<2 | shared payload<<1 | has target, rule, owner, [target], [payload]
//
// Numbers are varints, texts have their length before them. The rule is a number of
// this process, the owner is who it is for all. Version 1 has no time, and version 2 no
// owners.
const (
	blockVersion = 3
	flagTarget   = 1
	flagShared   = 2
)

// blockWriter encodes messages for the outbox and keeps its buffers.
type blockWriter struct {
	buf    []byte
	routes map[*Route]uint64
	list   []*Route
	owners map[string]uint64
	names  []string
}

// own notes the owner of a message and returns its place.
func (w *blockWriter) own(owner string) uint64 {
	i, ok := w.owners[owner]
	if !ok {
		i = uint64(len(w.names))
		w.owners[owner] = i
		w.names = append(w.names, owner)
	}
	return i
}

// encode returns msgs, the first of which came at since, as a block that is valid
// until the next call. owner tells whose the messages of a rule are.
func (w *blockWriter) encode(msgs []Message, since int64, owner func(rule uint32) string) []byte {
	if w.routes == nil {
		w.routes, w.owners = make(map[*Route]uint64), make(map[string]uint64)
	}
	clear(w.owners)
	w.names = w.names[:0]
	for i := range msgs {
		if i == 0 || msgs[i].Rule != msgs[i-1].Rule {
			w.own(owner(msgs[i].Rule))
		}
	}
	clear(w.routes)
	w.list = w.list[:0]
	var last *Route
	for i := range msgs {
		if r := msgs[i].Route; r != last {
			last = r
			if _, ok := w.routes[r]; !ok {
				w.routes[r] = uint64(len(w.list))
				w.list = append(w.list, r)
			}
		}
	}
	b := append(w.buf[:0], blockVersion)
	b = binary.AppendUvarint(b, uint64(since))
	b = binary.AppendUvarint(b, uint64(len(w.list)))
	for _, r := range w.list {
		b = appendText(b, r.Spec)
	}
	b = binary.AppendUvarint(b, uint64(len(w.names)))
	for _, name := range w.names {
		b = appendText(b, name)
	}
	last = nil
	var id, own uint64
	var prev []byte
	for i := range msgs {
		m := &msgs[i]
		if m.Route != last {
			last, id = m.Route, w.routes[m.Route]
		}
		head, shared := id<<2, i > 0 && samePayload(m.Payload, prev)
		if shared {
			head |= flagShared
		}
		if m.Target != "" {
			head |= flagTarget
		}
		b = binary.AppendUvarint(b, head)
		if i == 0 || m.Rule != msgs[i-1].Rule {
			own = w.own(owner(m.Rule))
		}
		b = binary.AppendUvarint(b, uint64(m.Rule))
		b = binary.AppendUvarint(b, own)
		if m.Target != "" {
			b = appendText(b, m.Target)
		}
		if !shared {
			b = appendText(b, m.Payload)
		}
		prev = m.Payload
	}
	w.buf = b
	if cap(b) > 4*maxChunk {
		w.buf = nil // of a message beyond the ordinary
	}
	clear(w.list)
	clear(w.routes)
	return b
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errBlock = errors.New("block of messages is cut short")

// blockReader takes fields off a block; the first fault stays.
type blockReader struct {
	b   []byte
	err error
}

func (r *blockReader) num() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.err, r.b = errBlock, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *blockReader) text() []byte {
	n := r.num()
	if n > uint64(len(r.b)) {
		r.err, r.b = errBlock, nil
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

// openBlock reads what a block begins with.
func openBlock(data []byte) (r blockReader, since int64, err error) {
	if len(data) == 0 || data[0] < 1 || data[0] > blockVersion {
		return r, 0, errors.New("block of messages has an unknown form")
	}
	r.b = data[1:]
	if data[0] > 1 {
		since = int64(r.num())
	}
	return r, since, r.err
}

// decode makes the messages of block, which keeps them in its Data. restore finds
// the route of a spec; earlier returns a number for the owner of a message that an
// earlier process queued.
func (c *chunk) decode(block store.Block, restore func(spec []byte) (*Route, error), earlier func(owner []byte) uint32) error {
	c.disk, c.block, c.buf, c.msgs, c.moved = true, block, block.Data, c.msgs[:0], 0
	r, since, err := openBlock(block.Data)
	if err != nil {
		return err
	}
	c.since = since
	n := r.num()
	if n > uint64(len(r.b)) {
		return errBlock
	}
	routes := make([]*Route, n)
	for i := range routes {
		spec := r.text()
		if r.err != nil {
			return r.err
		}
		route, err := restore(spec)
		if err != nil {
			return fmt.Errorf("stored route %q: %w", spec, err)
		}
		routes[i] = route
	}
	owned := block.Data[0] > 2
	var owners []uint32 // their numbers, of an earlier process
	if owned {
		n := r.num()
		if n > uint64(len(r.b)) {
			return errBlock
		}
		owners = make([]uint32, n)
		for i := range owners {
			if text := r.text(); block.Earlier {
				owners[i] = earlier(text)
			}
		}
	}
	if block.Messages > len(r.b) {
		return errBlock
	}
	var prev []byte
	for range block.Messages {
		head, rule, own := r.num(), r.num(), uint64(0)
		if owned {
			own = r.num()
		}
		m := Message{Payload: prev, Rule: uint32(rule)}
		if head&flagTarget != 0 {
			m.Target = string(r.text())
		}
		if head&flagShared == 0 {
			m.Payload = r.text()
		}
		if r.err != nil {
			return r.err
		}
		if head>>2 >= n {
			return fmt.Errorf("block of messages names route %d of %d", head>>2, n)
		}
		m.Route = routes[head>>2]
		switch {
		case !block.Earlier:
		case !owned:
			m.Rule = NoRule
		case own >= uint64(len(owners)):
			return fmt.Errorf("block of messages names owner %d of %d", own, len(owners))
		default:
			m.Rule = owners[own]
		}
		prev = m.Payload
		c.msgs = append(c.msgs, m)
	}
	return nil
}
