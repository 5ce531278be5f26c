package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble"
)

// Next returns the block at the cursor, its Data in buf if that is large enough;
// ok is false when nothing is left.
func (o *Outbox) Next(buf []byte) (b Block, ok bool, err error) {
	o.mu.Lock()
	c, n := o.cursor, len(o.segs)
	o.mu.Unlock()
	if n == 0 {
		return Block{}, false, nil
	}
	s := o.s
	if err := s.use(); err != nil {
		return Block{}, false, err
	}
	defer s.users.Done()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: o.blockKey(c.seg, c.seq), UpperBound: upper(o.destPrefix(spaceBlock)),
	})
	if err != nil {
		return Block{}, false, fmt.Errorf("outbox %q: %w", o.key, err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		err := it.Error()
		if err == nil {
			err = fmt.Errorf("no block at message %d, want %d messages", c.seq, o.messages.Load())
		}
		return Block{}, false, fmt.Errorf("outbox %q: %w", o.key, err)
	}
	b, err = o.block(it.Key(), it.Value(), c)
	if err != nil {
		return Block{}, false, fmt.Errorf("outbox %q: %w", o.key, err)
	}
	b.Data = append(buf[:0], b.Data...)
	return b, true, nil
}

// block returns what is left of a block for a cursor at c; its Data is v's.
func (o *Outbox) block(k, v []byte, c cursor) (Block, error) {
	b, err := decodeBlock(k, v)
	if b.seq == c.seq {
		b.Skip = min(c.skip, b.Messages)
	}
	b.Earlier = b.seq < o.opened
	return b, err
}

// First calls look with the first block that is left, if there is one; data is valid
// until look returns. It does not disturb whoever delivers.
func (o *Outbox) First(look func(data []byte)) error {
	o.mu.Lock()
	c, n := o.cursor, len(o.segs)
	o.mu.Unlock()
	if n == 0 {
		return nil
	}
	stop := errors.New("found")
	err := o.s.each(o.blockKey(c.seg, c.seq), upper(o.destPrefix(spaceBlock)), func(k, v []byte) error {
		b, err := decodeBlock(k, v)
		if err != nil {
			return err
		}
		look(b.Data)
		return stop
	})
	if errors.Is(err, stop) {
		return nil
	}
	return err
}

// Advance notes that the first n messages of b, which Next returned last, are
// delivered. It is written lazily: after a crash some may be delivered again. It
// returns by how much the backlog became smaller; live is false if Drop had
// already given b up.
func (o *Outbox) Advance(b Block, n int) (live bool, messages, bytes int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone || len(o.segs) == 0 || o.cursor.seg != b.seg || o.cursor.seq > b.seq {
		return false, 0, 0, nil
	}
	t := o.s.Begin()
	m, by := o.messages.Load(), o.bytes.Load()
	g := &o.segs[0]
	done := b.Skip
	if o.cursor.seq == b.seq {
		done = o.cursor.skip
	}
	moved := int64(n - done)
	g.messages -= moved
	o.messages.Add(-moved)
	if n < b.Messages {
		o.cursor.seq, o.cursor.skip = b.seq, n
	} else {
		g.bytes -= int64(len(b.Data))
		o.bytes.Add(-int64(len(b.Data)))
		o.cursor.seq, o.cursor.skip = b.seq+uint64(b.Messages), 0
		if g.messages <= 0 {
			o.dropFirst(t)
		}
	}
	o.setCursor(t, o.cursor)
	messages, bytes = m-o.messages.Load(), by-o.bytes.Load()
	return true, messages, bytes, t.Commit(Lazy)
}

// dropFirst deletes the oldest segment. The caller holds mu.
func (o *Outbox) dropFirst(t *Txn) {
	g := o.segs[0]
	o.messages.Add(-g.messages)
	o.bytes.Add(-g.bytes)
	o.segs = o.segs[1:]
	if len(o.segs) == 0 {
		o.segs = nil
		if o.tx != nil {
			// The open Txn may hold blocks of this segment, and may have been
			// applied by now: the range goes when they are delivered.
			return
		}
		o.head.seg++
		o.head.messages, o.head.bytes = 0, 0
		o.cursor = cursor{seg: o.head.seg, seq: o.head.seq}
	} else {
		o.cursor = cursor{seg: o.segs[0].num, seq: o.segs[0].first}
	}
	_ = t.batch().DeleteRange(o.destPrefix(spaceBlock), o.segKey(spaceBlock, g.num+1), nil)
	_ = t.batch().Delete(o.segKey(spaceSegment, g.num), nil)
}

// Drop gives up the oldest segment and returns by how much the backlog became
// smaller. look, if it is not nil, is called with each block of it, whose Data is
// valid until look returns.
func (o *Outbox) Drop(look func(Block)) (messages, bytes int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.segs) == 0 || (o.tx != nil && len(o.segs) == 1) {
		return 0, 0, nil
	}
	if look != nil {
		err = o.each(o.cursor, o.segKey(spaceBlock, o.cursor.seg+1), look)
	}
	t := o.s.Begin()
	messages, bytes = o.segs[0].messages, o.segs[0].bytes
	o.dropFirst(t)
	o.setCursor(t, o.cursor)
	return messages, bytes, errors.Join(err, t.Commit(Lazy))
}

// Each calls look with all blocks that are left; Data is valid until look returns. It
// does not disturb whoever delivers.
func (o *Outbox) Each(look func(Block)) error {
	o.mu.Lock()
	c, n := o.cursor, len(o.segs)
	o.mu.Unlock()
	if n == 0 {
		return nil
	}
	return o.each(c, upper(o.destPrefix(spaceBlock)), look)
}

// each calls look with what is left for a cursor at c before the key end.
func (o *Outbox) each(c cursor, end []byte, look func(Block)) error {
	return o.s.each(o.blockKey(c.seg, c.seq), end, func(k, v []byte) error {
		b, err := o.block(k, v, c)
		if err == nil {
			look(b)
		}
		return err
	})
}

// Remove deletes the outbox and everything in it. From then on the Outbox is empty
// and takes nothing: its number may be given to another one.
func (o *Outbox) Remove() error {
	o.s.destMu.Lock()
	defer o.s.destMu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return nil
	}
	if o.tx != nil {
		return fmt.Errorf("outbox %q cannot be removed while messages are appended", o.key)
	}
	t := o.s.Begin()
	for _, space := range []byte{spaceBlock, spaceSegment, spaceCursor} {
		lo := o.destPrefix(space)
		_ = t.batch().DeleteRange(lo, upper(lo), nil)
	}
	_ = t.batch().Delete(destKey(o.key), nil)
	if err := t.Commit(Written); err != nil {
		return err
	}
	o.gone, o.segs = true, nil
	o.messages.Store(0)
	o.bytes.Store(0)
	delete(o.s.open, o.key)
	return nil
}
