// Package agg is the aggregates of windows: for each a struct of arrays indexed by
// group, which takes rows by the column, can be merged with what came later, and
// gives a value a group; and the groups themselves. What count, sum, avg, min and
// max mean is said once, in exec/fn, whose values are kept here by the slice.
//
// It knows columns, but no executor, batch or rule. A fault belongs to the group
// whose rows had it: the first one in the order of the rows, so that it is the same
// however the rows were cut into panes.
package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// State is the partial result of one aggregate for all groups of a pane. A group
// must have been made by Grow before it is used.
type State interface {
	// Grow makes room for a number of groups.
	Grow(groups int)
	// Add takes rows, in order of arrival; gids are their groups. Both are borrowed.
	Add(in Input, rows, gids []int32)
	// Merge takes what src has for gids. Its rows came later, and src is not fed
	// while the receiver is in use, unless it is reset before.
	Merge(src State, gids []int32)
	// Result writes the value of a group into a row of dst: a fault if it has none,
	// and then note says why.
	Result(c *fn.Ctx, dst *vec.Column, row int, gid int32) (note string)
	// Reset forgets what gids gathered.
	Reset(gids []int32)
	// Renumber gives group g the number ids[g], out of n; -1: it is forgotten.
	Renumber(ids []int32, n int)
}

// Input is what an aggregate is called with: a column for each argument, none for
// count(*).
type Input struct {
	Args []*vec.Column
	Why  Explainer
}

// Explainer knows why rows have no value. It is asked only about rows with a fault.
type Explainer interface {
	// Why returns the text of the fault of argument arg in row.
	Why(arg int, row int32) string
}

// New makes the state for a.
func New(a *planner.Agg) State {
	if a.Diff {
		f, _ := fn.Lookup(a.Func)
		return &distinct{args: len(a.Args), agg: f.Agg}
	}
	switch a.Func {
	case "count":
		return &count{star: a.Star || len(a.Args) == 0}
	case "sum", "avg":
		return &sum{avg: a.Func == "avg"}
	case "min", "max":
		return &extreme{max: a.Func == "max"}
	case "first":
		return &first{}
	}
	f, _ := fn.Lookup(a.Func)
	return &table{agg: f.Agg}
}

// notes are why groups have no value: most have, so it is a map.
type notes map[int32]string

// fail notes why group g has no value; the first reason is kept.
func (n *notes) fail(g int32, note string) {
	if _, failed := (*n)[g]; failed {
		return
	}
	if *n == nil {
		*n = notes{}
	}
	(*n)[g] = note
}

// failed tells whether group g has a fault already.
func (n notes) failed(g int32) bool {
	_, ok := n[g]
	return ok
}

// merge takes the faults that gids have in src.
func (n *notes) merge(src notes, gids []int32) {
	if len(src) == 0 {
		return
	}
	for _, g := range gids {
		if note, failed := src[g]; failed {
			n.fail(g, note)
		}
	}
}

func (n notes) reset(gids []int32) {
	if len(n) == 0 {
		return
	}
	for _, g := range gids {
		delete(n, g)
	}
}

func (n *notes) renumber(ids []int32) {
	old := *n
	*n = nil
	for g, note := range old {
		if ids[g] >= 0 {
			n.fail(ids[g], note)
		}
	}
}

// write writes v, or that there is none for the reason note.
func write(dst *vec.Column, row int, v vec.Value, note string) string {
	if note != "" {
		dst.SetFault(row)
	} else {
		dst.Set(row, v)
	}
	return note
}

// enlarge returns s with at least n elements, new ones zero.
func enlarge[T any](s []T, n int) []T {
	if len(s) >= n {
		return s
	}
	if cap(s) >= n {
		return s[:n]
	}
	t := make([]T, n, max(2*len(s), n, 8))
	copy(t, s)
	return t
}

// renumber returns s with element g at ids[g].
func renumber[T any](s []T, ids []int32, n int) []T {
	out := make([]T, n)
	for g, v := range s {
		if g < len(ids) && ids[g] >= 0 {
			out[ids[g]] = v
		}
	}
	return out
}
