package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// Broken stands for an aggregate that panicked: it takes what comes and has no value
// for any group.
type Broken struct{ Text string }

// Grow implements State.
func (*Broken) Grow(int) {}

// Add implements State.
func (*Broken) Add(Input, []int32, []int32) {}

// Merge implements State.
func (*Broken) Merge(State, []int32) {}

// Result implements State.
func (b *Broken) Result(_ *fn.Ctx, dst *vec.Column, row int, _ int32) (note string) {
	dst.SetFault(row)
	return b.Text
}

// Reset implements State.
func (*Broken) Reset([]int32) {}

// Renumber implements State.
func (*Broken) Renumber([]int32, int) {}
