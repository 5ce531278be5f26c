//go:build invariants

package exec

import (
	"testing"

	"github.com/weir-engine/weir/vec"
)

// A bitmap that was given back is rubbish to whoever still has it, cannot be given
// back twice, and is empty for the next.
func TestFreedBitmap(t *testing.T) {
	x := New(Env{}, nil)
	b := x.bitmap(100)
	b.Set(3)
	x.free(b)
	if b.Count() < 50 {
		t.Errorf("a bitmap in the pool has %d rows", b.Count())
	}
	if again := x.bitmap(100); again.Any() || &again[0] != &b[0] {
		t.Errorf("the next one has %d rows", again.Count())
	}
	x.free(b)
	defer func() {
		if r := recover(); r != "bug: a bitmap is given back twice" {
			t.Errorf("given back twice: %v", r)
		}
	}()
	x.free(b)
}

// A batch that breaks what its comments say is not run.
func TestBrokenBatch(t *testing.T) {
	b := &vec.Batch{Rows: 2, Cols: make([]vec.Column, 1), Route: make([]uint32, 2)}
	b.Cols[0].Reset(2)
	b.Cols[0].SetInt(1, 5)
	b.Cols[0].Valid[0] |= 4
	defer func() {
		if r := recover(); r != "bug: Valid has bits behind its 2 rows" {
			t.Errorf("got %v", r)
		}
	}()
	New(Env{}, nil).Run(b, 0)
}
