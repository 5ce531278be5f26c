package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// extreme computes min and max.
type extreme struct {
	max bool
	e   []fn.Extreme
}

func (c *extreme) Grow(groups int) { c.e = enlarge(c.e, groups) }

func (c *extreme) Add(in Input, rows, gids []int32) {
	col := in.Args[0]
	for i, r := range rows {
		e := &c.e[gids[i]]
		switch {
		case !col.Valid.Has(int(r)):
			if col.Fault.Has(int(r)) && !e.Failed() {
				e.Fail(in.Why.Why(0, r))
			}
		case col.Kind == vec.Float64:
			e.AddFloat(col.Floats[r], c.max)
		default:
			e.Add(col.Value(int(r)), c.max)
		}
	}
}

func (c *extreme) Merge(src State, gids []int32) {
	s := src.(*extreme)
	for _, g := range gids {
		c.e[g].Merge(&s.e[g], c.max)
	}
}

func (c *extreme) Result(_ *fn.Ctx, dst *vec.Column, row int, g int32) string {
	v, bad := c.e[g].Result(c.max)
	return write(dst, row, v, bad)
}

func (c *extreme) Reset(gids []int32) {
	for _, g := range gids {
		c.e[g] = fn.Extreme{}
	}
}

func (c *extreme) Renumber(ids []int32, n int) { c.e = renumber(c.e, ids, n) }
