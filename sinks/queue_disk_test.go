package sinks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// TestSpill fills memory and disk while the destination is down, lets it recover
// while more is coming, and wants everything in order.
func TestSpill(t *testing.T) {
	g := &gate{shut: errors.New("down"), limit: 100}
	st := mustStore(t, store.Options{SegmentBytes: 64 << 10})
	q := mustQueue(t, g.target(), Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond, RetryMax: time.Millisecond}, st, nil)
	numbers(q, 0, 20000, 50)
	s := q.Stats()
	if s.DiskBytes < 20000*50/2 || s.Messages != 20000 {
		t.Fatalf("got %+v, want most on disk", s)
	}
	if mem := s.Bytes - s.DiskBytes; mem > 1<<20 {
		t.Errorf("got %d bytes in memory", mem)
	}
	g.set(nil)
	numbers(q, 20000, 60000, 50)
	drained(t, q)
	numbers(q, 60000, 60100, 50)
	drained(t, q)
	checkNumbers(t, g.take(), 0, 60100)
	if s := q.Stats(); s.Messages != 0 || s.Bytes != 0 || s.DiskBytes != 0 || s.Delivered != 60100 {
		t.Errorf("got %+v, want an empty backlog", s)
	}
}

// TestSaved ends a queue whose destination is down, in each state of memory and
// disk, and wants everything in order from the next one.
func TestSaved(t *testing.T) {
	for _, n := range []int{1, 100, 3000, 20000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			fs := vfs.NewMem()
			g := &gate{shut: errors.New("down")}
			opt := Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond, Logger: quiet}
			st := mustStore(t, store.Options{Dir: "d", FS: fs})
			q := mustQueue(t, g.target(), opt, st, nil)
			numbers(q, 0, n, 20)
			q.Close(done())
			if s := q.Stats(); s.Lost[loss.Dropped] != 0 {
				t.Errorf("got %+v, want none dropped", s)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			st = mustStore(t, store.Options{Dir: "d", FS: fs})
			q = mustQueue(t, g.target(), opt, st, nil)
			if m, _ := q.Backlog(); m != int64(n) {
				t.Errorf("got %d messages left, want %d", m, n)
			}
			numbers(q, n, n+10, 20)
			g.set(nil)
			drained(t, q)
			for i, rule := range g.rules {
				if want := map[bool]uint32{true: NoRule, false: 1}[i < n]; rule != want {
					t.Fatalf("message %d has rule %d, want %d", i, rule, want)
				}
			}
			checkNumbers(t, g.take(), 0, n+10)
		})
	}
}

func TestFull(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	room := make(chan struct{}, 10)
	opt := Options{MaxBytes: 100 << 10, MemoryBytes: 20 << 10, RetryMin: time.Millisecond, OnRoom: func() { room <- struct{}{} }}
	for _, st := range []*store.Store{nil, mustStore(t, store.Options{})} {
		g.set(errors.New("down"))
		q := mustQueue(t, g.target(), opt, st, nil)
		n := 0
		for ; !q.Full() && n < 100000; n++ {
			numbers(q, n, n+1, 100)
		}
		if n < 500 || n > 1100 {
			t.Errorf("full after %d messages", n)
		}
		if len(room) > 0 {
			t.Error("room was told before there was any")
		}
		g.set(nil)
		select {
		case <-room:
		case <-time.After(10 * time.Second):
			t.Fatalf("no room was told: %+v", q.Stats())
		}
		drained(t, q)
		if q.Full() {
			t.Error("full while empty")
		}
		checkNumbers(t, g.take(), 0, n)
		q.Close(context.Background())
		if len(room) > 0 {
			t.Error("room was told twice")
		}
	}
}

func TestDropOldest(t *testing.T) {
	for _, st := range []*store.Store{nil, mustStore(t, store.Options{SegmentBytes: 20 << 10})} {
		g := &gate{shut: errors.New("down")}
		opt := Options{MaxBytes: 200 << 10, MemoryBytes: 40 << 10, RetryMin: time.Millisecond, RetryMax: time.Millisecond, DropOldest: true}
		q := mustQueue(t, g.target(), opt, st, nil)
		numbers(q, 0, 30000, 100)
		if q.Full() {
			t.Error("full though it drops")
		}
		s := q.Stats()
		most := int64(2 * (maxChunk/100 + 1) * (100 + messageCost)) // what is filled, and what the worker has
		if s.Lost[loss.Dropped] == 0 || s.Lost[loss.Dropped]+uint64(s.Messages) != 30000 || s.Bytes > most {
			t.Errorf("got %+v", s)
		}
		g.set(nil)
		drained(t, q)
		s = q.Stats()
		if s.Delivered+s.Lost[loss.Dropped] != 30000 || s.Bytes != 0 {
			t.Errorf("got %+v", s)
		}
		got := g.take()
		if want := fmt.Sprintf("%0100d", 29999); got[len(got)-1] != want {
			t.Errorf("the last message is %q", got[len(got)-1])
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("%q comes after %q", got[i], got[i-1])
			}
		}
	}
}

// TestRandom puts and breaks at random and compares with what was put.
func TestRandom(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		g := new(gate)
		st := mustStore(t, store.Options{SegmentBytes: 30 << 10})
		q := mustQueue(t, g.target(), Options{MemoryBytes: 20 << 10, RetryMin: time.Microsecond, RetryMax: time.Microsecond}, st, nil)
		var want []string
		for i := range 3000 {
			switch p := rnd.IntN(100); {
			case p < 3:
				g.set(errors.New("down"))
			case p < 5:
				g.set(nil)
			default:
				text := strings.Repeat(fmt.Sprint(i, " "), 1+rnd.IntN(20))
				if rnd.IntN(500) == 0 {
					text = strings.Repeat(text, 1+300000/len(text)) // larger than a chunk
				}
				q.Put(msgsOf(text))
				want = append(want, text)
			}
		}
		g.set(nil)
		drained(t, q)
		got := g.take()
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("seed %d: message %d of %d differs", seed, i, len(want))
			}
		}
		if s := q.Stats(); len(got) != len(want) || s.Bytes != 0 || s.Messages != 0 || s.DiskBytes != 0 {
			t.Fatalf("seed %d: got %d messages, want %d, %+v", seed, len(got), len(want), s)
		}
	}
}

// TestDiskRefuses wants messages kept, and the queue full, when the disk is.
func TestDiskRefuses(t *testing.T) {
	g := &gate{shut: errors.New("down")}
	st := mustStore(t, store.Options{FS: fullFS{vfs.NewMem()}, Dir: "d", ReserveBytes: 1})
	q := mustQueue(t, g.target(), Options{MemoryBytes: 64 << 10, RetryMin: time.Millisecond}, st, nil)
	n := 0
	for ; !q.Full() && n < 1e6; n++ {
		numbers(q, n, n+1, 300)
	}
	if s := q.Stats(); s.DiskBytes != 0 || !strings.Contains(s.DiskError, "full") || n == 1e6 {
		t.Errorf("%d messages, %+v", n, s)
	}
	g.set(nil)
	drained(t, q)
	checkNumbers(t, g.take(), 0, n)
}

// fullFS has room for little.
type fullFS struct{ vfs.FS }

func (fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1000}, nil
}
