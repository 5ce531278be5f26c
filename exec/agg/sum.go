package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// sum computes sum and avg.
type sum struct {
	avg bool
	s   []fn.Sum
}

func (c *sum) Grow(groups int) { c.s = enlarge(c.s, groups) }

func (c *sum) Add(in Input, rows, gids []int32) {
	col := in.Args[0]
	if col.Kind == vec.Float64 {
		for i, r := range rows {
			if col.Valid.Has(int(r)) {
				c.s[gids[i]].AddFloat(col.Floats[r])
			} else if col.Fault.Has(int(r)) {
				c.fail(in, gids[i], r)
			}
		}
		return
	}
	for i, r := range rows {
		if col.Valid.Has(int(r)) {
			c.s[gids[i]].Add(col.Value(int(r)))
		} else if col.Fault.Has(int(r)) {
			c.fail(in, gids[i], r)
		}
	}
}

func (c *sum) fail(in Input, g, r int32) {
	if s := &c.s[g]; !s.Failed() {
		s.Fail(in.Why.Why(0, r))
	}
}

func (c *sum) Merge(src State, gids []int32) {
	s := src.(*sum)
	for _, g := range gids {
		c.s[g].Merge(&s.s[g])
	}
}

func (c *sum) Result(_ *fn.Ctx, dst *vec.Column, row int, g int32) string {
	v, bad := c.s[g].Result(c.avg)
	return write(dst, row, v, bad)
}

func (c *sum) Reset(gids []int32) {
	for _, g := range gids {
		c.s[g] = fn.Sum{}
	}
}

func (c *sum) Renumber(ids []int32, n int) { c.s = renumber(c.s, ids, n) }
