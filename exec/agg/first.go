package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// first keeps the value of the group's first row: a plain column beside aggregates.
type first struct {
	v   []vec.Value
	got []bool
}

func (c *first) Grow(groups int) {
	c.v = enlarge(c.v, groups)
	c.got = enlarge(c.got, groups)
}

func (c *first) Add(in Input, rows, gids []int32) {
	for i, r := range rows {
		if g := gids[i]; !c.got[g] {
			c.got[g], c.v[g] = true, in.Args[0].Value(int(r)).Clone()
		}
	}
}

func (c *first) Merge(src State, gids []int32) {
	s := src.(*first)
	for _, g := range gids {
		if !c.got[g] && s.got[g] {
			c.got[g], c.v[g] = true, s.v[g]
		}
	}
}

func (c *first) Result(_ *fn.Ctx, dst *vec.Column, row int, g int32) string {
	return write(dst, row, c.v[g], "")
}

func (c *first) Reset(gids []int32) {
	for _, g := range gids {
		c.v[g], c.got[g] = vec.Value{}, false
	}
}

func (c *first) Renumber(ids []int32, n int) {
	c.v, c.got = renumber(c.v, ids, n), renumber(c.got, ids, n)
}
