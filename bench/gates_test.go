package bench

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// The gates are figures that do not depend on the machine: what a steady batch
// allocates, and how much work many rules are of one.

func TestSteadyBatchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range []Config{
		{Name: "one"},
		{Name: "8000 thresholds", Rules: 8000, Distinct: true},
		{Name: "8000 equal", Rules: 8000},
		{Name: "twin", Shape: Twin},
	} {
		t.Run(c.Name, func(t *testing.T) {
			k := newCore(t, c, true, false)
			for range 4 { // buffers grow to their size
				k.batch(t, 1)
			}
			if n := testing.AllocsPerRun(20, func() { k.batch(t, 1) }); n != 0 {
				t.Errorf("a steady batch of %d rows allocates %v times, want 0", vec.MaxRows, n)
			}
			s := k.x.Stats()
			if want := uint64(25 * vec.MaxRows); s.Rows != want {
				t.Errorf("got %d rows, want %d", s.Rows, want)
			}
		})
	}
}

// TestSharedWork holds what the executor does for rules over one stream against
// what it does for the same rules, each over a stream of its own.
func TestSharedWork(t *testing.T) {
	const rules, batches = 500, 4
	for _, c := range []struct {
		cfg   Config
		ratio float64 // unshared in shared, at least
	}{
		{Config{Name: "equal filters", Rules: rules}, rules},
		{Config{Name: "different thresholds", Rules: rules, Distinct: true}, rules},
		{Config{Name: "thresholds of twins", Rules: rules, Distinct: true, Shape: Twin}, rules},
		{Config{Name: "equal windows", Rules: rules, Kind: Windows}, rules},
		// Candidates of one device are checked row by row: 18 here.
		{Config{Name: "three predicates", Rules: rules, Kind: Complex}, 10},
	} {
		t.Run(c.cfg.Name, func(t *testing.T) {
			work := func(apart bool) (uint64, []uint64) {
				k := newCore(t, c.cfg, true, apart)
				for range batches {
					k.batch(t, 1)
				}
				k.now += 1000
				k.x.Advance(k.now) // windows end
				s := k.x.Stats()
				return s.Steps + s.Lookups, s.Matched
			}
			shared, matched := work(false)
			unshared, alone := work(true)
			for i := range c.cfg.Rules {
				if matched[i+1] != alone[i+1] {
					t.Fatalf("rule %d matched %d shared, %d alone", i, matched[i+1], alone[i+1])
				}
			}
			if shared == 0 || unshared == 0 {
				t.Fatalf("no work was counted: %d shared, %d unshared", shared, unshared)
			}
			if got := float64(unshared) / float64(shared); got < c.ratio {
				t.Errorf("unshared work is %.1f times the shared, want at least %g (%d, %d)", got, c.ratio, unshared, shared)
			}
		})
	}
}

// TestWorkPerBatch: rules that match nothing cost nothing.
func TestWorkPerBatch(t *testing.T) {
	var last uint64
	for _, rules := range []int{1, 100, 8000} {
		k := newCore(t, Config{Rules: rules, Distinct: true}, true, false)
		k.batch(t, 1)
		s := k.x.Stats()
		work := s.Steps + s.Lookups
		if last > 0 && work != last {
			t.Errorf("%d rules take %d steps and lookups a batch, fewer took %d", rules, work, last)
		}
		last = work
		if want := uint64(rules * vec.MaxRows); s.Evaluations != want {
			t.Errorf("%d rules: got %d evaluations, want %d", rules, s.Evaluations, want)
		}
	}
}

func TestThresholds(t *testing.T) {
	c := Config{Rules: 8000, Distinct: true}
	c.EnsureDefaults()
	seen := map[string]bool{}
	for i := range c.Rules {
		seen[fmt.Sprintf("%g", c.threshold(i))] = true
	}
	if len(seen) != c.Rules {
		t.Errorf("got %d different thresholds, want %d", len(seen), c.Rules)
	}
	if lo, hi := c.threshold(0), c.threshold(c.Rules-1); lo < 79.9 || hi >= 100 {
		t.Errorf("thresholds from %g to %g, want from 80 to below 100", lo, hi)
	}
}
