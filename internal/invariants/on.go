//go:build invariants

package invariants

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// Enabled says whether the program checks itself.
const Enabled = true

// holder is the goroutine that holds a lock for writing; 0: none does.
type holder struct{ id atomic.Int64 }

func (h *holder) take() { h.id.Store(goroutine()) }

func (h *holder) give() {
	if h.id.Swap(0) == 0 {
		Fail("unlock of a mutex that is not locked")
	}
}

func (h *holder) mine() bool { return h.id.Load() == goroutine() }

// goroutine returns the number of the running goroutine.
func goroutine() int64 {
	var buf [64]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text, _ = bytes.CutPrefix(text, []byte("goroutine "))
	text, _, _ = bytes.Cut(text, []byte(" "))
	id, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		Fail("the runtime calls a goroutine %q", buf[:])
	}
	return id
}

// RWMutex is a sync.RWMutex that knows who holds it, and for reading how many do.
type RWMutex struct {
	mu      sync.RWMutex
	h       holder
	readers atomic.Int64
}

// Lock locks m for writing.
func (m *RWMutex) Lock() {
	if m.h.mine() {
		Fail("a goroutine locks a mutex twice")
	}
	m.mu.Lock()
	m.h.take()
}

// Unlock ends Lock.
func (m *RWMutex) Unlock() {
	m.h.give()
	m.mu.Unlock()
}

// RLock locks m for reading.
func (m *RWMutex) RLock() {
	if m.h.mine() {
		Fail("a goroutine locks a mutex for reading that it holds for writing")
	}
	m.mu.RLock()
	m.readers.Add(1)
}

// RUnlock ends RLock.
func (m *RWMutex) RUnlock() {
	m.readers.Add(-1)
	m.mu.RUnlock()
}

// AssertHeld panics unless the caller holds m for writing.
func (m *RWMutex) AssertHeld() {
	if !m.h.mine() {
		Fail("the caller does not hold the lock for writing")
	}
}

// AssertRHeld panics unless the caller holds m for writing, or somebody for reading:
// who does is not known.
func (m *RWMutex) AssertRHeld() {
	if !m.h.mine() && m.readers.Load() == 0 {
		Fail("the caller does not hold the lock")
	}
}
