package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
)

func mustOutbox(t testing.TB, s *Store, key string) *Outbox {
	t.Helper()
	o, err := s.Outbox(key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// add appends one block whose messages are the bytes of text.
func add(t *testing.T, o *Outbox, text string, d Durability) {
	t.Helper()
	tx := o.s.Begin()
	if err := errors.Join(o.Append(tx, len(text), []byte(text)), tx.Commit(d)); err != nil {
		t.Fatal(err)
	}
}

// left reads everything that is left, without delivering: a fresh cursor is put
// back after.
func left(t *testing.T, o *Outbox) (text string) {
	t.Helper()
	saved, segs := o.cursor, o.segs
	for len(o.segs) > 0 {
		b, ok, err := o.Next(nil)
		if err != nil || !ok {
			t.Fatalf("after %q of %d messages: %v", text, o.messages.Load(), err)
		}
		text += string(b.Data[b.Skip:])
		o.cursor = cursor{seg: b.seg, seq: b.seq + uint64(b.Messages)}
		if int64(len(text)) >= o.messages.Load() {
			break
		}
	}
	o.cursor, o.segs = saved, segs
	return text
}

// deliver takes n messages off the front and returns them.
func deliver(t *testing.T, o *Outbox, n int) (text string) {
	t.Helper()
	for n > 0 {
		b, ok, err := o.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		k := min(n, b.Messages-b.Skip)
		text += string(b.Data[b.Skip : b.Skip+k])
		live, messages, _, err := o.Advance(b, b.Skip+k)
		if err != nil || !live || messages != int64(k) {
			t.Fatalf("advance by %d: live %v, %d messages, %v", k, live, messages, err)
		}
		n -= k
	}
	return text
}

func keysOf(t *testing.T, s *Store, o *Outbox) (n int) {
	t.Helper()
	lo := o.destPrefix(spaceBlock)
	if err := s.each(lo, upper(lo), func(_, _ []byte) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOutbox(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "d", FS: fs, SegmentBytes: 8})
	o, other := mustOutbox(t, s, "mqtt a"), mustOutbox(t, s, "mqtt b")
	for _, text := range []string{"abc", "defgh", "i", "jklmnopqrst", "u", "vw"} {
		add(t, o, text, Lazy)
	}
	add(t, other, "xyz", Lazy)
	if got, want := deliver(t, o, 4), "abcd"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if m, b := o.Backlog(); m != 19 || b != 20 {
		t.Errorf("got %d messages in %d bytes, want 19 in 20 (a block goes whole)", m, b)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = mustOpen(t, Options{Dir: "d", FS: fs, SegmentBytes: 8})
	o = mustOutbox(t, s, "mqtt a")
	if m, b := o.Backlog(); m != 19 || b != 20 {
		t.Errorf("recovered %d messages in %d bytes, want 19 in 20", m, b)
	}
	b, ok, err := o.Next(nil)
	if err != nil || !ok || !b.Earlier || b.Skip != 1 || string(b.Data) != "defgh" {
		t.Errorf("got %+v %v %v, want the block of an earlier process with one delivered", b, ok, err)
	}
	add(t, o, "0123456789", Synced)
	if got, want := deliver(t, o, 100), "efghijklmnopqrstuvw0123456789"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if m, b := o.Backlog(); m != 0 || b != 0 || keysOf(t, s, o) != 0 {
		t.Errorf("got %d messages in %d bytes and %d keys left, want none", m, b, keysOf(t, s, o))
	}
	if _, ok, err := o.Next(nil); ok || err != nil {
		t.Errorf("next of an empty outbox: %v, %v", ok, err)
	}
	keys, err := s.Outboxes()
	if err != nil || fmt.Sprint(keys) != "[mqtt a mqtt b]" {
		t.Errorf("got %q %v", keys, err)
	}
	if err := mustOutbox(t, s, "mqtt b").Remove(); err != nil {
		t.Fatal(err)
	}
	if m, _ := mustOutbox(t, s, "mqtt b").Backlog(); m != 0 {
		t.Errorf("got %d messages in an outbox that was removed", m)
	}
}

func TestOutboxPrepend(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "d", FS: fs, SegmentBytes: 8})
	o := mustOutbox(t, s, "x")
	tx := s.Begin()
	if err := o.Prepend(tx, 1, []byte("a")); err == nil {
		t.Error("a block was put before none")
	}
	tx.Discard()
	add(t, o, "12345678", Lazy)
	add(t, o, "9", Lazy)
	if got := deliver(t, o, 8); got != "12345678" {
		t.Fatalf("got %q", got)
	}
	tx = s.Begin()
	err := errors.Join(o.Prepend(tx, 3, []byte("def")), o.Prepend(tx, 3, []byte("abc")), o.Append(tx, 1, []byte("z")), tx.Commit(Written))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := left(t, o), "abcdef9z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o = mustOutbox(t, mustOpen(t, Options{Dir: "d", FS: fs}), "x")
	if m, _ := o.Backlog(); m != 8 {
		t.Errorf("got %d messages, want 8", m)
	}
	if got, want := deliver(t, o, 100), "abcdef9z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutboxTxn(t *testing.T) {
	s := mustOpen(t, Options{SegmentBytes: 4})
	o := mustOutbox(t, s, "x")
	add(t, o, "abcd", Lazy)
	tx := s.Begin()
	if err := errors.Join(o.Append(tx, 1, []byte("e")), s.Catalog().PutIn(tx, Item{"rule", "r", nil})); err != nil {
		t.Fatal(err)
	}
	if err := o.Append(s.Begin(), 1, []byte("f")); err == nil {
		t.Error("two transactions append at once")
	}
	if m, _ := o.Backlog(); m != 4 {
		t.Errorf("got %d messages before the commit, want 4", m)
	}
	if got := deliver(t, o, 100); got != "abcd" {
		t.Errorf("got %q before the commit", got)
	}
	tx.Discard()
	add(t, o, "g", Lazy)
	if got := deliver(t, o, 100); got != "g" {
		t.Errorf("got %q, want the block after the one that was discarded", got)
	}
	tx = s.Begin()
	if err := o.Append(tx, 2, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	ended := false
	tx.OnEnd(func(ok bool) { ended = ok })
	if err := tx.Commit(Synced); err != nil || !ended {
		t.Fatalf("commit: %v, told %v", err, ended)
	}
	if got := deliver(t, o, 100); got != "hi" || keysOf(t, s, o) != 0 {
		t.Errorf("got %q and %d keys, want hi and none", got, keysOf(t, s, o))
	}
	if _, err := s.Catalog().Get("rule", "r"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was discarded is there: %v", err)
	}
}

func TestOutboxDrop(t *testing.T) {
	s := mustOpen(t, Options{SegmentBytes: 4})
	o := mustOutbox(t, s, "x")
	add(t, o, "abcd", Lazy)
	add(t, o, "efgh", Lazy)
	add(t, o, "i", Lazy)
	b, _, err := o.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, by, err := o.Drop(nil); m != 4 || by != 4 || err != nil {
		t.Errorf("dropped %d messages, %d bytes, %v, want 4 and 4", m, by, err)
	}
	if live, _, _, err := o.Advance(b, 4); live || err != nil {
		t.Errorf("a block that was dropped is live: %v, %v", live, err)
	}
	if got := deliver(t, o, 5); got != "efghi" {
		t.Errorf("got %q, want efghi", got)
	}
	if m, _, err := o.Drop(nil); m != 0 || err != nil {
		t.Errorf("dropped %d of nothing, %v", m, err)
	}
}

// TestOutboxModel compares random use, with restarts and power cuts, with a slice
// of bytes. After a power cut, what was not synced may be gone from the end, and
// what was delivered may come again.
func TestOutboxModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { model(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func model(t *testing.T, rnd *rand.Rand) {
	fs := vfs.NewStrictMem()
	opt := Options{Dir: "d", FS: fs, SegmentBytes: 1 + rnd.Int64N(40)}
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	o := mustOutbox(t, s, "x")
	var all []byte // ever appended
	durable, cursor, next := 0, 0, byte('a')
	for range 200 {
		switch p := rnd.IntN(100); {
		case p < 45:
			text := bytes.Repeat([]byte{next}, 1+rnd.IntN(9))
			if next++; next > 'z' {
				next = 'a'
			}
			d := Durability(rnd.IntN(3))
			add(t, o, string(text), d)
			all = append(all, text...)
			if d == Synced {
				durable = len(all)
			}
		case p < 55:
			tx := s.Begin()
			if err := o.Append(tx, 3, []byte("???")); err != nil {
				t.Fatal(err)
			}
			tx.Discard()
		case p < 92:
			got := deliver(t, o, 1+rnd.IntN(20))
			if want := string(all[cursor:min(len(all), cursor+len(got))]); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			cursor += len(got)
		default:
			cut := p >= 96
			fs.SetIgnoreSyncs(cut)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if cut {
				fs.ResetToSyncedState()
				fs.SetIgnoreSyncs(false)
			}
			if s, err = Open(opt); err != nil {
				t.Fatal(err)
			}
			o = mustOutbox(t, s, "x")
			m, _ := o.Backlog()
			rest := left(t, o)
			if int64(len(rest)) != m {
				t.Fatalf("recovered %d messages, counted %d", len(rest), m)
			}
			if !cut {
				if rest != string(all[cursor:]) {
					t.Fatalf("after a restart: got %q, want %q", rest, all[cursor:])
				}
				continue
			}
			end, ok := rejoin(all, rest, durable, cursor)
			if !ok {
				t.Fatalf("after a power cut: got %q, want a part of %q that begins at %d or before and ends at %d or after",
					rest, all, cursor, durable)
			}
			all = all[:end]
			cursor = end - len(rest)
			durable = min(durable, end)
		}
	}
}

// rejoin finds where rest ends in all: as late as it can.
func rejoin(all []byte, rest string, durable, cursor int) (end int, ok bool) {
	for end = len(all); end >= min(durable, len(all)); end-- {
		from := end - len(rest)
		if from < 0 || from > cursor {
			continue
		}
		if string(all[from:end]) == rest {
			return end, true
		}
	}
	return 0, false
}

// FuzzRecover opens an outbox over records that nobody wrote so: it must not
// panic, and what it then counts must be what it gives.
func FuzzRecover(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2}, []byte("\x00\x00\x00\x02ab"), []byte{0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0}, make([]byte, 16))
	f.Add([]byte("short"), []byte("x"), []byte("key"), []byte("sum"))
	f.Add([]byte{}, []byte("\x00\x00\x00\x00"), bytes.Repeat([]byte{255}, 12), bytes.Repeat([]byte{255}, 16))
	s := mustOpen(f, Options{})
	id := uint32(0)
	f.Fuzz(func(t *testing.T, cur, block, key, sum []byte) {
		id++
		o := &Outbox{s: s, key: "x", id: id, known: true}
		b := s.db.NewBatch()
		_ = b.Set(o.destPrefix(spaceCursor), cur, nil)
		_ = b.Set(append(o.destPrefix(spaceBlock), key...), block, nil)
		_ = b.Set(append(o.destPrefix(spaceSegment), key[:min(4, len(key))]...), sum, nil)
		if err := s.db.Apply(b, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if o.recover() != nil {
			return
		}
		o.cursor.skip = max(0, o.cursor.skip)
		for range 4 {
			blk, ok, err := o.Next(nil)
			if err != nil || !ok {
				break
			}
			if blk.Skip < 0 || blk.Skip >= blk.Messages {
				t.Fatalf("skips %d of %d messages", blk.Skip, blk.Messages)
			}
			if _, _, _, err := o.Advance(blk, blk.Messages); err != nil {
				t.Fatal(err)
			}
		}
	})
}
