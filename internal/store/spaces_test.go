package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
)

// TestUpper compares upper with what it is for: the keys that begin with a prefix
// are those from the prefix up to it.
func TestUpper(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	odd := []byte{0, 1, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff}
	text := func(n int) []byte {
		b := []byte{'o'}
		for range rnd.IntN(n) {
			b = append(b, odd[rnd.IntN(len(odd))])
		}
		return b
	}
	for range 100000 {
		prefix, key := text(5), text(7)
		in := bytes.Compare(prefix, key) <= 0 && bytes.Compare(key, upper(prefix)) < 0
		if in != bytes.HasPrefix(key, prefix) {
			t.Fatalf("prefix %x up to %x: key %x within %v", prefix, upper(prefix), key, in)
		}
	}
}

// world is a store and, in plain maps, what must be in it.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	o       Options
	s       *Store
	catalog map[[2]string]string
	keyed   map[string]string
	boxes   map[string]*boxModel
	boxKeys []string // that steps choose from
	kinds   []string
	ids     []string
}

// boxModel is an outbox as a list: message n of it holds its key's hash and n.
type boxModel struct{ next, cursor uint32 }

// TestSpaces does random things to many outboxes and definitions, whose numbers and
// names are at the edges of their encodings, with restarts between, and compares
// all of the store with maps.
func TestSpaces(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, rand.New(rand.NewPCG(seed, 3)))
			defer func() { _ = w.s.Close() }()
			for range 1500 {
				w.step()
			}
			w.reopen()
			w.compare()
		})
	}
}

func newWorld(t *testing.T, rnd *rand.Rand) *world {
	w := &world{
		t: t, rnd: rnd, o: Options{Dir: "d", FS: vfs.NewMem(), SegmentBytes: 1 + rnd.Int64N(400), Logger: quiet},
		catalog: map[[2]string]string{}, keyed: map[string]string{}, boxes: map[string]*boxModel{},
	}
	w.s = mustOpen(t, w.o)
	for range 60 {
		w.boxKeys = append(w.boxKeys, w.name(true))
	}
	for range 5 {
		w.kinds = append(w.kinds, "k"+w.name(false))
	}
	for range 30 {
		w.ids = append(w.ids, w.name(true))
	}
	return w
}

// name is a short text of bytes that could be taken for something else.
func (w *world) name(zero bool) string {
	odd := []byte{0, 1, 'a', 'o', 'p', 's', ' ', '#', 0x7f, 0x80, 0xfe, 0xff}
	b := make([]byte, w.rnd.IntN(4))
	for i := range b {
		b[i] = odd[w.rnd.IntN(len(odd))]
		if b[i] == 0 && !zero {
			b[i] = 0xff
		}
	}
	return string(b)
}

func pick[T any](rnd *rand.Rand, of []T) T { return of[rnd.IntN(len(of))] }

func (w *world) step() {
	switch p := w.rnd.IntN(100); {
	case p < 15:
		k := [2]string{pick(w.rnd, w.kinds), pick(w.rnd, w.ids)}
		w.catalog[k] = w.name(true)
		w.must(w.s.Catalog().Put(k[0], k[1], []byte(w.catalog[k])))
	case p < 22:
		k := [2]string{pick(w.rnd, w.kinds), pick(w.rnd, w.ids)}
		delete(w.catalog, k)
		w.must(w.s.Catalog().Delete(k[0], k[1]))
	case p < 26:
		k := pick(w.rnd, w.ids)
		w.keyed[k] = w.name(true)
		w.must(w.s.Keyed().Put(k, []byte(w.keyed[k])))
	case p < 28:
		k := pick(w.rnd, w.ids)
		delete(w.keyed, k)
		w.must(w.s.Keyed().Delete(k))
	case p < 60:
		w.append(pick(w.rnd, w.boxKeys))
	case p < 80:
		w.deliver(pick(w.rnd, w.boxKeys))
	case p < 90:
		w.drop(pick(w.rnd, w.boxKeys))
	case p < 98:
		key := pick(w.rnd, w.boxKeys)
		delete(w.boxes, key)
		w.must(mustOutbox(w.t, w.s, key).Remove())
	case p < 99:
		w.reopen()
	default:
		w.compare()
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// message is number n of the outbox of key.
func message(key string, n uint32) []byte {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return binary.BigEndian.AppendUint32(h.Sum(nil), n)
}

// append writes a block; a new outbox has a number that is far from the last one.
func (w *world) append(key string) {
	if w.boxes[key] == nil {
		w.s.nextDest += pick(w.rnd, []uint32{0, 0, 1, 2, 63, 126, 127, 128, 255, 256, 65279, 65535, 1<<24 - 300})
		w.boxes[key] = &boxModel{}
	}
	m := w.boxes[key]
	n := 1 + w.rnd.IntN(9)
	var data []byte
	for range n {
		data = append(data, message(key, m.next)...)
		m.next++
	}
	o, tx := mustOutbox(w.t, w.s, key), w.s.Begin()
	w.must(o.Append(tx, n, data))
	w.must(tx.Commit(Durability(w.rnd.IntN(3))))
}

// deliver takes some messages off an outbox, which must be the right ones.
func (w *world) deliver(key string) {
	o, m := mustOutbox(w.t, w.s, key), w.boxes[key]
	for range 1 + w.rnd.IntN(4) {
		b, ok, err := o.Next(nil)
		w.must(err)
		if !ok {
			if m != nil && m.cursor != m.next {
				w.t.Fatalf("outbox %x has nothing, want message %d", key, m.cursor)
			}
			return
		}
		if m == nil {
			w.t.Fatalf("outbox %x has a block, want none", key)
		}
		n := b.Skip + 1 + w.rnd.IntN(b.Messages-b.Skip)
		for i := b.Skip; i < n; i++ {
			if got, want := b.Data[8*i:8*i+8], message(key, m.cursor); !bytes.Equal(got, want) {
				w.t.Fatalf("outbox %x (%d): message %d is %x, want %x", key, o.id, m.cursor, got, want)
			}
			m.cursor++
		}
		if _, _, _, err := o.Advance(b, n); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) drop(key string) {
	messages, _, err := mustOutbox(w.t, w.s, key).Drop(nil)
	w.must(err)
	if m := w.boxes[key]; m != nil {
		m.cursor += uint32(messages)
	} else if messages != 0 {
		w.t.Fatalf("outbox %x dropped %d messages, want none", key, messages)
	}
}

func (w *world) reopen() {
	w.must(w.s.Close())
	w.s = mustOpen(w.t, w.o)
}

// compare looks at every definition and the backlog of every outbox.
func (w *world) compare() {
	want := map[string][]string{}
	for _, k := range slices.SortedFunc(maps.Keys(w.catalog), func(a, b [2]string) int { return bytes.Compare([]byte(a[1]), []byte(b[1])) }) {
		want[k[0]] = append(want[k[0]], k[1]+"="+w.catalog[k])
	}
	for _, kind := range w.kinds {
		if got := ids(w.t, w.s, kind); !slices.Equal(got, want[kind]) {
			w.t.Fatalf("kind %x: got %x, want %x", kind, got, want[kind])
		}
	}
	values := map[string]string{}
	w.must(w.s.Keyed().Each(func(key string, value []byte) error {
		values[key] = string(value)
		return nil
	}))
	if !maps.Equal(values, w.keyed) {
		w.t.Fatalf("keyed state: got %x, want %x", values, w.keyed)
	}
	keys, err := w.s.Outboxes()
	w.must(err)
	if want := slices.Sorted(maps.Keys(w.boxes)); !slices.Equal(keys, want) {
		w.t.Fatalf("outboxes: got %x, want %x", keys, want)
	}
	for _, key := range keys {
		got, _ := mustOutbox(w.t, w.s, key).Backlog()
		if m := w.boxes[key]; got != int64(m.next-m.cursor) {
			w.t.Fatalf("outbox %x: got %d messages, want %d", key, got, m.next-m.cursor)
		}
	}
}

// An outbox that was removed takes and gives nothing, whoever still has it.
func TestRemoved(t *testing.T) {
	s := mustOpen(t, Options{Logger: quiet})
	old := mustOutbox(t, s, "a")
	add(t, old, "abc", Lazy)
	b, _, err := old.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	tx := s.Begin()
	if err := old.Append(tx, 1, []byte("d")); err != nil {
		t.Fatal(err)
	}
	if err := old.Remove(); err == nil {
		t.Error("removed while messages are appended")
	}
	tx.Discard()
	if err := old.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := old.Append(s.Begin(), 1, []byte("x")); err == nil {
		t.Error("an outbox that was removed takes messages")
	}
	if live, _, _, err := old.Advance(b, 1); live || err != nil {
		t.Errorf("a block of an outbox that was removed: live %v, %v", live, err)
	}
	if n, by := old.Backlog(); n != 0 || by != 0 {
		t.Errorf("got %d messages of %d bytes, want none", n, by)
	}
	next := mustOutbox(t, s, "a")
	add(t, next, "new", Lazy)
	if got := deliver(t, next, 10); got != "new" {
		t.Errorf("got %q, want new", got)
	}
}
