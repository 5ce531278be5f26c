package invariants

import (
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// broken runs f and returns what it panicked with, "" if it did not.
func broken(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text, _ = r.(string)
		}
	}()
	f()
	return ""
}

// elsewhere runs f on another goroutine.
func elsewhere(f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
}

// Every assertion fires with the tag, and none without, and good use is never
// refused.
func TestAssertions(t *testing.T) {
	for name, c := range map[string]struct {
		run  func()
		want string
	}{
		"held before":     {func() { var m RWMutex; m.Lock(); defer m.AssertHeld(); m.Unlock() }, "does not hold"},
		"held by another": {func() { var m RWMutex; elsewhere(m.Lock); m.AssertHeld() }, "does not hold"},
		"rw held": {func() {
			var m RWMutex
			m.Lock()
			m.AssertHeld()
			m.AssertRHeld()
			m.Unlock()
			m.RLock()
			m.AssertRHeld()
			m.RUnlock()
		}, ""},
		"rw not held":      {func() { new(RWMutex).AssertHeld() }, "does not hold the lock for writing"},
		"rw for reading":   {func() { var m RWMutex; m.RLock(); m.AssertHeld() }, "does not hold the lock for writing"},
		"rw not read":      {func() { new(RWMutex).AssertRHeld() }, "does not hold"},
		"rw read before":   {func() { var m RWMutex; m.RLock(); defer m.AssertRHeld(); m.RUnlock() }, "does not hold"},
		"rw by another":    {func() { var m RWMutex; elsewhere(m.Lock); m.AssertRHeld() }, "does not hold"},
		"rw other's read":  {func() { var m RWMutex; elsewhere(m.RLock); m.AssertRHeld() }, ""},
		"unlock elsewhere": {func() { var m RWMutex; m.Lock(); elsewhere(m.Unlock) }, ""},
	} {
		got := broken(c.run)
		if want := c.want; !Enabled && got != "" || Enabled && (got == "") != (want == "") || Enabled && !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q with the tag, which is %v", name, got, want, Enabled)
		}
	}
	if !Enabled {
		return
	}
	for name, f := range map[string]func(){
		"locked twice":   func() { var m RWMutex; m.Lock(); m.Lock() },
		"rw read within": func() { var m RWMutex; m.Lock(); m.RLock() },
		"unlocked twice": func() { var m RWMutex; m.Unlock() },
	} {
		if got := broken(f); !strings.HasPrefix(got, "bug: ") {
			t.Errorf("%s: got %q, want a panic", name, got)
		}
	}
}

// What is filled is rubbish up to its capacity with the tag, and as it was without.
func TestFill(t *testing.T) {
	b := make([]byte, 3, 8)
	Bytes(b[:1])
	n := strings.Count(string(b[:8]), string([]byte{poison}))
	if want := map[bool]int{true: 8, false: 0}[Enabled]; n != want {
		t.Errorf("%d bytes are poisoned, want %d", n, want)
	}
}

// Without the tag a mutex is as large as the one of the library.
func TestSize(t *testing.T) {
	if !Enabled && unsafe.Sizeof(RWMutex{}) != unsafe.Sizeof(sync.RWMutex{}) {
		t.Error("the mutex is larger than that of the library")
	}
}
