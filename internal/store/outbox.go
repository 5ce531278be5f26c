package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/weir-engine/weir/internal/invariants"
)

// firstSeq leaves room before it for Prepend.
const firstSeq = 1 << 40

// Outbox is the queue on disk of one destination. Messages are numbered in
// sequence and stored in blocks, whose contents are the caller's. Delivery moves a
// cursor; a segment (SegmentBytes of blocks) that is closed and delivered is
// deleted at once, by its range of keys.
//
// One goroutine appends and one (or the same) delivers. At most one Txn at a time
// holds appended blocks that are not committed.
type Outbox struct {
	s   *Store
	key string

	messages, bytes atomic.Int64

	mu     sync.Mutex
	id     uint32
	known  bool   // the id is in the store, with label and left
	label  []byte // see SetLabel
	left   bool   // see Leave
	gone   bool   // Remove was called: the id may be another outbox's by now
	opened uint64 // head.seq when the outbox was opened
	head   head   // where the next block goes
	saved  head   // head before tx
	tx     *Txn
	cursor cursor
	segs   []segment // committed and not delivered, oldest first
}

// head is the end that grows.
type head struct {
	seq             uint64
	seg             uint32
	messages, bytes int64 // of the open segment, for its summary
}

// cursor is the first message not delivered: the one skip places into the block
// that begins at seq, in segment seg.
type cursor struct {
	seg  uint32
	seq  uint64
	skip int
}

// segment is what of a segment is left to deliver.
type segment struct {
	num             uint32
	first           uint64
	messages, bytes int64
}

// Block is a run of messages as they were appended.
type Block struct {
	// Messages is how many there are, the first Skip of which were delivered.
	Messages, Skip int
	// Data is the appended bytes.
	Data []byte
	// Earlier tells that an earlier process appended it.
	Earlier bool

	seg uint32
	seq uint64
}

// Outbox returns the outbox of a destination, with what is left in it from an
// earlier process. Calls with equal keys return the same Outbox.
func (s *Store) Outbox(key string) (*Outbox, error) {
	s.destMu.Lock()
	defer s.destMu.Unlock()
	if o := s.open[key]; o != nil {
		return o, nil
	}
	o := &Outbox{s: s, key: key, opened: firstSeq, head: head{seq: firstSeq, seg: 1}, cursor: cursor{seg: 1, seq: firstSeq}}
	v, err := s.get(destKey(key))
	switch {
	case errors.Is(err, ErrNotFound):
		s.nextDest++
		o.id = s.nextDest
	case err != nil:
		return nil, err
	default:
		if err = o.decodeDest(v); err == nil {
			err = o.recover()
		}
		if err != nil {
			return nil, fmt.Errorf("outbox %q: %w", key, err)
		}
	}
	if invariants.Enabled {
		s.checkID(o)
	}
	o.opened = o.head.seq
	s.open[key] = o
	return o, nil
}

// checkID panics if the number of o, which is being opened, is that of an outbox that
// is open: each would deliver what is the other's.
func (s *Store) checkID(o *Outbox) {
	for _, other := range s.open {
		if other.id == o.id {
			invariants.Fail("outboxes %q and %q both have number %d", o.key, other.key, o.id)
		}
	}
}

// Outboxes returns the keys of all destinations that ever had something on disk
// and were not removed.
func (s *Store) Outboxes() (keys []string, err error) { return s.OutboxesOf("") }

// OutboxesOf is Outboxes for the keys that begin with prefix.
func (s *Store) OutboxesOf(prefix string) (keys []string, err error) {
	lo := destKey(prefix)
	err = s.each(lo, upper(lo), func(k, _ []byte) error {
		keys = append(keys, string(k[1:]))
		return nil
	})
	return keys, err
}

// SetLabel gives the outbox a text that is kept in the store as long as it is: what
// its owner needs to deliver from it when nobody asks for the outbox any more. label
// is the outbox's from the call on. It is written with the next Append.
func (o *Outbox) SetLabel(label []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !bytes.Equal(o.label, label) {
		o.label, o.known = label, false
	}
}

// Label returns the text of SetLabel, nil if there is none, and whether Leave was
// called.
func (o *Outbox) Label() (label []byte, left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.label, o.left
}

// Leave notes, in the store too if messages wait in it, that what is in the outbox
// is to be delivered though nobody uses it any more.
func (o *Outbox) Leave() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left || o.gone {
		return nil
	}
	o.left = true
	if len(o.segs) == 0 || o.tx != nil {
		o.known = false
		return nil
	}
	t := o.s.Begin()
	t.set(destKey(o.key), o.encodeDest())
	return t.Commit(Written)
}

// Backlog returns how many messages wait and the bytes of their blocks.
func (o *Outbox) Backlog() (messages, bytes int64) { return o.messages.Load(), o.bytes.Load() }

// Append adds a block of messages behind all others when t is committed. It
// copies data.
func (o *Outbox) Append(t *Txn, messages int, data []byte) error {
	if messages <= 0 {
		return fmt.Errorf("outbox %q: block of %d messages", o.key, messages)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.join(t); err != nil {
		return err
	}
	if o.head.bytes >= o.s.o.SegmentBytes {
		t.set(o.segKey(spaceSegment, o.head.seg), summary(o.head.messages, o.head.bytes))
		o.head.seg++
		o.head.messages, o.head.bytes = 0, 0
	}
	b := segment{o.head.seg, o.head.seq, int64(messages), int64(len(data))}
	o.put(t, b, data)
	o.head.seq += uint64(messages)
	o.head.messages += b.messages
	o.head.bytes += b.bytes
	t.OnEnd(func(ok bool) {
		if ok {
			o.appended(b)
		}
	})
	return nil
}

// errRemoved is what the methods of an outbox answer after Remove.
var errRemoved = errors.New("the outbox was removed")

// join makes t the Txn that appends. The caller holds mu.
func (o *Outbox) join(t *Txn) error {
	if o.gone {
		return fmt.Errorf("outbox %q: %w", o.key, errRemoved)
	}
	if o.tx == t {
		return nil
	}
	if o.tx != nil {
		return fmt.Errorf("bug: outbox %q: two open transactions", o.key)
	}
	if !o.known {
		t.set(destKey(o.key), o.encodeDest())
	}
	o.tx, o.saved = t, o.head
	label, left := o.label, o.left
	t.OnEnd(func(ok bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.tx = nil
		if ok {
			o.known = o.left == left && bytes.Equal(o.label, label)
		} else {
			o.head = o.saved
		}
	})
	return nil
}

func (o *Outbox) put(t *Txn, b segment, data []byte) {
	if invariants.Enabled && o.gone {
		invariants.Fail("outbox %q was removed and is written to", o.key)
	}
	v := make([]byte, 4, 4+len(data))
	binary.BigEndian.PutUint32(v, uint32(b.messages))
	t.set(o.blockKey(b.num, b.first), append(v, data...))
}

// appended counts a committed block.
func (o *Outbox) appended(b segment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.segs); n > 0 && o.segs[n-1].num == b.num {
		o.segs[n-1].messages += b.messages
		o.segs[n-1].bytes += b.bytes
	} else {
		if n == 0 {
			o.cursor = cursor{seg: b.num, seq: b.first}
		}
		o.segs = append(o.segs, b)
	}
	o.messages.Add(b.messages)
	o.bytes.Add(b.bytes)
}

// Prepend adds a block before all others, of which there must be one, for a caller
// that stops and has messages in memory that are older than those in the outbox.
// Between Next and Advance it must not be called.
func (o *Outbox) Prepend(t *Txn, messages int, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.cursor
	if messages <= 0 || c.skip > 0 || len(o.segs) == 0 {
		return fmt.Errorf("outbox %q: block of %d messages before %d segments, the first delivered up to %d",
			o.key, messages, len(o.segs), c.skip)
	}
	if err := o.join(t); err != nil {
		return err
	}
	b := segment{c.seg, c.seq - uint64(messages), int64(messages), int64(len(data))}
	o.put(t, b, data)
	o.cursor = cursor{seg: b.num, seq: b.first}
	o.setCursor(t, o.cursor)
	if b.num == o.head.seg {
		o.head.messages += b.messages
		o.head.bytes += b.bytes
	}
	t.OnEnd(func(ok bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !ok {
			o.cursor = c
			return
		}
		o.segs[0].messages += b.messages
		o.segs[0].bytes += b.bytes
		o.messages.Add(b.messages)
		o.bytes.Add(b.bytes)
	})
	return nil
}
