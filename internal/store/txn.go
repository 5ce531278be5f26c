package store

import (
	"fmt"

	"github.com/cockroachdb/pebble"
)

// Durability says what a commit survives once it has returned.
type Durability uint8

// The durabilities, from the cheapest on. After a crash, what is left of the
// commits is always a prefix of their order: none is lost before a later one.
const (
	// Lazy commits are seen at once by this process; a crash of it may lose the
	// last ones. They become durable with any later commit that is.
	Lazy Durability = iota
	// Written commits are with the operating system: they survive a crash of the
	// process, kill -9 included, and a power cut may lose the last ones.
	Written
	// Synced commits survive a power cut. Concurrent ones share a sync.
	Synced
)

// Txn gathers writes of several key spaces that take effect together. It is used
// by one goroutine and ends with one call of Commit or Discard.
type Txn struct {
	s    *Store
	b    *pebble.Batch
	done []func(committed bool)
	size int // bytes of new data
	room bool
}

// Begin starts a Txn.
func (s *Store) Begin() *Txn { return &Txn{s: s} }

func (t *Txn) batch() *pebble.Batch {
	if t.b == nil {
		t.b = t.s.db.NewBatch()
	}
	return t.b
}

// set notes one write; key and value are copied.
func (t *Txn) set(key, value []byte) {
	t.size += len(key) + len(value)
	_ = t.batch().Set(key, value, nil) // a batch without an index cannot fail
}

// MakesRoom says that the Txn has to be let through on a full disk, as deletions are: the
// little that it writes is what they want.
func (t *Txn) MakesRoom() { t.room = true }

// OnEnd calls f when the Txn ends, after what it wrote can be read.
func (t *Txn) OnEnd(f func(committed bool)) { t.done = append(t.done, f) }

// Commit makes the writes visible together and, as d says, durable. ErrFull means
// that nothing was written and the Txn is discarded.
func (t *Txn) Commit(d Durability) error {
	s := t.s
	if err := s.use(); err != nil {
		t.end(false)
		return err
	}
	defer s.users.Done()
	if t.size > 0 && !t.room { // deletions are always let through: they make room
		if err := s.checkRoom(t.size); err != nil {
			t.end(false)
			return err
		}
	}
	if err := s.commit(t.b, d); err != nil {
		t.end(false)
		return err
	}
	t.end(true)
	return nil
}

// commit applies b. The caller holds the store open.
func (s *Store) commit(b *pebble.Batch, d Durability) error {
	if b == nil || b.Empty() {
		return nil
	}
	how := pebble.NoSync
	if d != Lazy {
		how = pebble.Sync
	}
	if d == Synced {
		defer s.fs.hard()()
	}
	if err := s.db.Apply(b, how); err != nil {
		return fmt.Errorf("data directory %q: %w", s.o.Dir, err)
	}
	return nil
}

// largeCommit is the size of a commit of definitions that Tidy is for, in bytes.
const largeCommit = 256 << 10

// Tidy writes what large commits of definitions left in memory to tables. Without
// one since the last call it does nothing.
func (s *Store) Tidy() error {
	if !s.large.Swap(false) {
		return nil
	}
	if err := s.use(); err != nil {
		return err
	}
	defer s.users.Done()
	// A large commit is kept as it is until it is written, and then by the list
	// that it stood in until that grows: with the second time it is gone.
	for range 2 {
		if err := s.db.Flush(); err != nil {
			return fmt.Errorf("data directory %q: %w", s.o.Dir, err)
		}
	}
	return nil
}

// Discard drops the writes.
func (t *Txn) Discard() { t.end(false) }

func (t *Txn) end(committed bool) {
	if t.b != nil {
		_ = t.b.Close()
		t.b = nil
	}
	for _, f := range t.done {
		f(committed)
	}
	t.done = nil
}
