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
	for i, r := range rows {
		s := &c.s[gids[i]]
		switch {
		case !col.Valid.Has(int(r)):
			if col.Fault.Has(int(r)) && !s.Failed() {
				s.Fail(in.Why.Why(0, r))
			}
		case col.Kind == vec.Float64:
			s.AddFloat(col.Floats[r])
		default:
			s.Add(col.Value(int(r)))
		}
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
