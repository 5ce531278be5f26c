package main

import (
	"os"
	"runtime/debug"

	"github.com/weir-engine/weir/internal/config"
)

// defaultGCPercent is how much the heap grows between collections. A gateway has
// little memory, and a steady state allocates next to nothing: collecting at half
// more instead of twice the live heap costs no measurable throughput.
const defaultGCPercent = 50

// limitMemory sets the collector for a small machine. What the user set, in the
// settings or by GOGC, stands.
func limitMemory(m config.Memory) {
	if m.Limit > 0 {
		debug.SetMemoryLimit(int64(m.Limit))
	}
	switch {
	case m.GCPercent > 0:
		debug.SetGCPercent(m.GCPercent)
	case os.Getenv("GOGC") == "":
		debug.SetGCPercent(defaultGCPercent)
	}
}

// tidy gives memory back after a burst of definitions: what parsing and planning
// left, and the pages of the program that only starting needed.
func tidy() {
	debug.FreeOSMemory()
	releaseImage()
}
