package engine

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// liveHeap returns the bytes of what is reachable.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools had is gone with the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a rule keeps in memory is bounded, while it waits for the commit of its bulk
// and when it runs: thousands run on a gateway.
func TestMemoryOfRules(t *testing.T) {
	const rules = 8000
	for _, c := range []struct {
		name           string
		sql            func(i int) string
		waits, running int64 // bytes a rule
	}{
		{"filters", func(i int) string {
			return fmt.Sprintf("SELECT deviceid, temperature FROM s WHERE temperature > %d", i)
		}, 1792, 1024},
		{"windows", func(i int) string {
			return fmt.Sprintf("SELECT deviceid, avg(temperature) AS t FROM s WHERE humidity < %d GROUP BY deviceid, TUMBLINGWINDOW(ss, %d) HAVING avg(temperature) > %d", i%10, 1+i/10%8, i)
		}, 1792, 1024},
		{"nothing in common", func(i int) string {
			return fmt.Sprintf("SELECT temperature * %d AS t FROM s WHERE deviceid = 'device-%d' AND temperature > %d", i, i, i)
		}, 3072, 2304},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Options{Store: store.Options{FS: vfs.Default, Dir: t.TempDir()}}) // not in memory
			r.memoryStream("s", "in")
			r.rule("first", c.sql(0), "out") // what all share
			r.exec.Sync()
			before := liveHeap()
			var waiting int64
			for i, err := range r.CreateRules(func(yield func(*ruledef.Def) bool) {
				for i := range rules {
					if !yield(r.def(fmt.Sprintf("r%04d", i), c.sql(i), toMemory("out"))) {
						return
					}
				}
				waiting = (liveHeap() - before) / rules
			}) {
				if err != nil {
					t.Fatalf("rule %d: %v", i, err)
				}
			}
			r.exec.Sync() // the executor has them
			r.must(r.store.Tidy())
			running := (liveHeap() - before) / rules
			// The store's background work lets go of the commit when it ends, a little later.
			for range 20 {
				if running <= c.running {
					break
				}
				running = (liveHeap() - before) / rules
			}
			t.Logf("a rule keeps %d bytes before the commit, %d when it runs", waiting, running)
			if waiting > c.waits || running > c.running {
				t.Errorf("a rule keeps %d bytes before the commit and %d when it runs, want at most %d and %d", waiting, running, c.waits, c.running)
			}
		})
	}
}
