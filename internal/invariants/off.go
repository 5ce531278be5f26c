//go:build !invariants

package invariants

import "sync"

// Enabled says whether the program checks itself.
const Enabled = false

// RWMutex is a sync.RWMutex.
type RWMutex struct{ sync.RWMutex }

// AssertHeld does nothing.
func (*RWMutex) AssertHeld() {}

// AssertRHeld does nothing.
func (*RWMutex) AssertRHeld() {}
