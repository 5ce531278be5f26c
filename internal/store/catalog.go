package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble"
)

// Catalog is the key space of definitions: texts by kind and id.
type Catalog struct{ s *Store }

// Item is one definition. Kind must not hold a zero byte.
type Item struct {
	Kind, ID string
	Data     []byte
}

// Catalog returns the store's catalog.
func (s *Store) Catalog() Catalog { return Catalog{s} }

// Put stores data under kind and id; it is durable when Put returns. Concurrent
// calls share a sync.
func (c Catalog) Put(kind, id string, data []byte) error {
	return c.PutAll([]Item{{kind, id, data}})
}

// PutAll stores all items or none; they are durable when it returns.
func (c Catalog) PutAll(items []Item) error {
	t := c.s.Begin()
	for _, it := range items {
		if err := c.PutIn(t, it); err != nil {
			t.Discard()
			return err
		}
	}
	large := t.size > largeCommit
	if err := t.Commit(Synced); err != nil {
		return err
	}
	if large {
		c.s.large.Store(true)
	}
	return nil
}

// PutIn stores an item with the Txn's commit.
func (c Catalog) PutIn(t *Txn, it Item) error {
	k, err := catalogKey(it.Kind, it.ID)
	if err != nil {
		return err
	}
	t.set(k, it.Data)
	return nil
}

// Delete removes what is stored under kind and id, if anything is. It survives a
// crash of the process when it returns, and a power cut 10 ms later.
func (c Catalog) Delete(kind, id string) error {
	return c.DeleteAll([]Item{{Kind: kind, ID: id}})
}

// DeleteAll removes all items, whose Data is not looked at, as Delete does.
func (c Catalog) DeleteAll(items []Item) error {
	t := c.s.Begin()
	for _, it := range items {
		if err := c.DeleteIn(t, it.Kind, it.ID); err != nil {
			t.Discard()
			return err
		}
	}
	if err := t.Commit(Written); err != nil {
		return err
	}
	c.s.syncSoon()
	return nil
}

// DeleteIn removes with the Txn's commit.
func (c Catalog) DeleteIn(t *Txn, kind, id string) error {
	k, err := catalogKey(kind, id)
	if err != nil {
		return err
	}
	return t.batch().Delete(k, nil)
}

// Get returns a copy of what is stored, or ErrNotFound.
func (c Catalog) Get(kind, id string) ([]byte, error) {
	k, err := catalogKey(kind, id)
	if err != nil {
		return nil, err
	}
	return c.s.get(k)
}

// Each calls f for every item of a kind in the order of ids, until f returns an
// error, which it returns. data is valid until f returns. f may use the store,
// but what it changes is not seen.
func (c Catalog) Each(kind string, f func(id string, data []byte) error) error {
	lo, err := catalogKey(kind, "")
	if err != nil {
		return err
	}
	return c.s.each(lo, upper(lo), func(key, data []byte) error {
		return f(string(key[len(lo):]), data)
	})
}

func catalogKey(kind, id string) ([]byte, error) {
	if kind == "" || strings.IndexByte(kind, 0) >= 0 {
		return nil, fmt.Errorf("catalog kind %q: want a text without zero bytes", kind)
	}
	k := make([]byte, 0, 2+len(kind)+len(id))
	k = append(k, spaceCatalog)
	k = append(k, kind...)
	k = append(k, 0)
	return append(k, id...), nil
}

// get returns a copy of the value of key, or ErrNotFound.
func (s *Store) get(key []byte) ([]byte, error) {
	if err := s.use(); err != nil {
		return nil, err
	}
	defer s.users.Done()
	v, c, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %q: %w", s.o.Dir, err)
	}
	return bytes.Clone(v), c.Close()
}

// each walks the keys from lo to hi.
func (s *Store) each(lo, hi []byte, f func(key, value []byte) error) (err error) {
	if err := s.use(); err != nil {
		return err
	}
	defer s.users.Done()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return fmt.Errorf("data directory %q: %w", s.o.Dir, err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key(), v); err != nil {
			return err
		}
	}
	return nil
}

// upper is the end of the keys that begin with prefix, whose first byte is below
// 255: the next key of the same length, or of a shorter one where bytes of 255 have
// no next.
func upper(prefix []byte) []byte {
	end := len(prefix)
	for prefix[end-1] == 0xff {
		end--
	}
	hi := bytes.Clone(prefix[:end])
	hi[end-1]++
	return hi
}
