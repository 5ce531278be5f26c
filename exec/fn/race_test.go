//go:build race

package fn

// raceEnabled: the detector makes sync.Pool drop what it holds, so pooled calls
// allocate.
const raceEnabled = true
