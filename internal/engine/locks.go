package engine

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

// locks serialise the changes of one definition: what the store holds and what
// memory holds must not cross. A name's lock is one of a few that all names
// share, so whoever needs several takes them in one call. They come before
// Engine.mu, those of streams and settings before those of rules.
type locks struct {
	seed maphash.Seed
	mu   [64]sync.Mutex
}

func newLocks() *locks { return &locks{seed: maphash.MakeSeed()} }

// lock takes the locks of names and returns what gives them back.
func (l *locks) lock(names ...string) (unlock func()) {
	var set uint64
	for _, n := range names {
		set |= 1 << (maphash.String(l.seed, n) & 63)
	}
	return l.take(set)
}

// lockAll takes the locks of all names.
func (l *locks) lockAll() (unlock func()) { return l.take(^uint64(0)) }

func (l *locks) take(set uint64) (unlock func()) {
	for w := set; w != 0; w &= w - 1 {
		l.mu[bits.TrailingZeros64(w)].Lock()
	}
	return func() {
		for w := set; w != 0; w &= w - 1 {
			l.mu[bits.TrailingZeros64(w)].Unlock()
		}
	}
}
