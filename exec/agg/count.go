package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// count counts rows, or values that are not null.
type count struct {
	star bool
	n    []fn.Count
	bad  notes
}

func (c *count) Grow(groups int) { c.n = enlarge(c.n, groups) }

func (c *count) Add(in Input, rows, gids []int32) {
	if c.star {
		for _, g := range gids {
			c.n[g].Add(1)
		}
		return
	}
	col := in.Args[0]
	for i, r := range rows {
		if col.Valid.Has(int(r)) {
			c.n[gids[i]].Add(1)
		} else if col.Fault.Has(int(r)) && !c.bad.failed(gids[i]) {
			c.bad.fail(gids[i], in.Why.Why(0, r))
		}
	}
}

func (c *count) Merge(src State, gids []int32) {
	s := src.(*count)
	for _, g := range gids {
		c.n[g].Merge(s.n[g])
	}
	c.bad.merge(s.bad, gids)
}

// Result writes 0 for a group without rows. Only a window without a group has none,
// and what it sends is the pane's matter.
func (c *count) Result(_ *fn.Ctx, dst *vec.Column, row int, g int32) string {
	return write(dst, row, c.n[g].Result(), c.bad[g])
}

func (c *count) Reset(gids []int32) {
	for _, g := range gids {
		c.n[g] = 0
	}
	c.bad.reset(gids)
}

func (c *count) Renumber(ids []int32, n int) {
	c.n = renumber(c.n, ids, n)
	c.bad.renumber(ids)
}
