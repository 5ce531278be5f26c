package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble"

	"github.com/weir-engine/weir/internal/invariants"
)

// The records of an outbox, integers big-endian:
//
//	'd' key                    -> dest u32, [left byte, label]
//	'o' dest u32 seg u32 seq u64 -> messages u32, data
//	'p' dest u32               -> seg u32, seq u64, skip u32
//	's' dest u32 seg u32       -> messages u64, bytes u64, of a closed segment

func destKey(key string) []byte { return append([]byte{spaceDest}, key...) }

// encodeDest is the record of the outbox itself. The caller holds mu.
func (o *Outbox) encodeDest() []byte {
	v := binary.BigEndian.AppendUint32(nil, o.id)
	left := byte(0)
	if o.left {
		left = 1
	}
	return append(append(v, left), o.label...)
}

// decodeDest reads it; one of an earlier version has the number alone.
func (o *Outbox) decodeDest(v []byte) error {
	if len(v) < 4 {
		return fmt.Errorf("number of %d bytes, want 4", len(v))
	}
	o.id, o.known = binary.BigEndian.Uint32(v), true
	if len(v) > 4 {
		o.left, o.label = v[4] != 0, bytes.Clone(v[5:])
	}
	return nil
}

func (o *Outbox) destPrefix(space byte) []byte {
	return binary.BigEndian.AppendUint32([]byte{space}, o.id)
}

func (o *Outbox) segKey(space byte, seg uint32) []byte {
	return binary.BigEndian.AppendUint32(o.destPrefix(space), seg)
}

func (o *Outbox) blockKey(seg uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(o.segKey(spaceBlock, seg), seq)
}

func summary(messages, bytes int64) []byte {
	v := binary.BigEndian.AppendUint64(nil, uint64(messages))
	return binary.BigEndian.AppendUint64(v, uint64(bytes))
}

// setCursor writes the cursor. It counts as a deletion: it makes room.
func (o *Outbox) setCursor(t *Txn, c cursor) {
	if invariants.Enabled && o.gone {
		invariants.Fail("outbox %q was removed and is written to", o.key)
	}
	v := binary.BigEndian.AppendUint32(nil, c.seg)
	v = binary.BigEndian.AppendUint64(v, c.seq)
	v = binary.BigEndian.AppendUint32(v, uint32(c.skip))
	_ = t.batch().Set(o.destPrefix(spaceCursor), v, nil)
}

func decodeCursor(v []byte) (cursor, error) {
	if len(v) != 16 {
		return cursor{}, fmt.Errorf("cursor of %d bytes, want 16", len(v))
	}
	return cursor{
		seg:  binary.BigEndian.Uint32(v),
		seq:  binary.BigEndian.Uint64(v[4:]),
		skip: int(binary.BigEndian.Uint32(v[12:])),
	}, nil
}

// decodeBlock reads a block's record; Data refers to value.
func decodeBlock(key, value []byte) (Block, error) {
	if len(key) != 17 || len(value) < 4 {
		return Block{}, fmt.Errorf("block with a key of %d and a value of %d bytes, want 17 and at least 4", len(key), len(value))
	}
	b := Block{
		Messages: int(binary.BigEndian.Uint32(value)),
		Data:     value[4:],
		seg:      binary.BigEndian.Uint32(key[5:]),
		seq:      binary.BigEndian.Uint64(key[9:]),
	}
	if b.Messages == 0 {
		return Block{}, fmt.Errorf("block %d without messages", b.seq)
	}
	return b, nil
}

// lastDest returns the highest number of a destination.
func (s *Store) lastDest() (last uint32, err error) {
	lo := []byte{spaceDest}
	err = s.each(lo, upper(lo), func(k, v []byte) error {
		var o Outbox
		if err := o.decodeDest(v); err != nil {
			return fmt.Errorf("outbox %q: %w", k[1:], err)
		}
		last = max(last, o.id)
		return nil
	})
	return last, err
}

// recover finds what is left. It reads the blocks of the segment that the cursor
// is in and of the last one; the segments between have summaries.
func (o *Outbox) recover() (err error) {
	v, err := o.s.get(o.destPrefix(spaceCursor))
	if err == nil {
		o.cursor, err = decodeCursor(v)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	o.head = head{seg: o.cursor.seg, seq: o.cursor.seq}
	sums, err := o.summaries()
	if err != nil {
		return err
	}
	if err := o.s.use(); err != nil {
		return err
	}
	defer o.s.users.Done()
	it, err := o.s.db.NewIter(&pebble.IterOptions{
		LowerBound: o.blockKey(o.cursor.seg, o.cursor.seq), UpperBound: upper(o.destPrefix(spaceBlock)),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; {
		b, err := decodeBlock(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if sum, closed := sums[b.seg]; closed && b.seg > o.cursor.seg {
			sum.first = b.seq
			o.found(sum)
			ok = it.SeekGE(o.segKey(spaceBlock, b.seg+1))
			continue
		}
		o.foundBlock(b)
		ok = it.Next()
	}
	return it.Error()
}

// found counts the rest of a segment that is left.
func (o *Outbox) found(g segment) {
	if len(o.segs) == 0 && (g.num != o.cursor.seg || g.first != o.cursor.seq) {
		o.cursor = cursor{seg: g.num, seq: g.first}
	}
	o.segs = append(o.segs, g)
	o.messages.Add(g.messages)
	o.bytes.Add(g.bytes)
	o.head = head{seg: g.num, seq: g.first + uint64(g.messages), messages: g.messages, bytes: g.bytes}
}

// foundBlock counts a block that is left.
func (o *Outbox) foundBlock(b Block) {
	if b.seg == o.cursor.seg && b.seq == o.cursor.seq {
		o.cursor.skip = min(o.cursor.skip, b.Messages-1)
		b.Skip = o.cursor.skip
	}
	messages, bytes := int64(b.Messages-b.Skip), int64(len(b.Data))
	if n := len(o.segs); n == 0 || o.segs[n-1].num != b.seg {
		o.found(segment{num: b.seg, first: b.seq})
	}
	g := &o.segs[len(o.segs)-1]
	g.messages += messages
	g.bytes += bytes
	o.messages.Add(messages)
	o.bytes.Add(bytes)
	o.head.messages += messages
	o.head.bytes += bytes
	o.head.seq = b.seq + uint64(b.Messages)
}

// summaries reads what is known of closed segments and forgets those that are
// delivered.
func (o *Outbox) summaries() (map[uint32]segment, error) {
	sums := make(map[uint32]segment)
	var old [][]byte
	lo := o.destPrefix(spaceSegment)
	err := o.s.each(lo, upper(lo), func(k, v []byte) error {
		if len(k) != 9 || len(v) != 16 {
			return fmt.Errorf("segment with a key of %d and a value of %d bytes, want 9 and 16", len(k), len(v))
		}
		num := binary.BigEndian.Uint32(k[5:])
		if num < o.cursor.seg {
			old = append(old, append([]byte(nil), k...))
			return nil
		}
		sums[num] = segment{
			num:      num,
			messages: int64(binary.BigEndian.Uint64(v)),
			bytes:    int64(binary.BigEndian.Uint64(v[8:])),
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return sums, err
	}
	t := o.s.Begin()
	for _, k := range old {
		_ = t.batch().Delete(k, nil)
	}
	return sums, t.Commit(Lazy)
}
