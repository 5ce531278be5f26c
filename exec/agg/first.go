package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// first keeps the value of the group's first row: a plain column or a stateful call
// beside aggregates.
type first struct {
	v   []vec.Value
	got []bool
	bad notes
}

func (c *first) Grow(groups int) {
	c.v = enlarge(c.v, groups)
	c.got = enlarge(c.got, groups)
}

func (c *first) Add(in Input, rows, gids []int32) {
	for i, r := range rows {
		if g := gids[i]; !c.got[g] {
			c.bad.look(in, g, r)
			c.got[g], c.v[g] = true, in.Args[0].Value(int(r)).Clone()
		}
	}
}

func (c *first) Merge(src State, gids []int32) {
	s := src.(*first)
	for _, g := range gids {
		if !c.got[g] && s.got[g] {
			if note, failed := s.bad[g]; failed {
				c.bad.fail(g, note)
			}
			c.got[g], c.v[g] = true, s.v[g]
		}
	}
}

func (c *first) Result(_ *fn.Ctx, dst *vec.Column, row int, g int32) string {
	return write(dst, row, c.v[g], c.bad[g])
}

func (c *first) Reset(gids []int32) {
	for _, g := range gids {
		c.v[g], c.got[g] = vec.Value{}, false
	}
	c.bad.reset(gids)
}

func (c *first) Renumber(ids []int32, n int) {
	c.bad.renumber(ids)
	c.v, c.got = renumber(c.v, ids, n), renumber(c.got, ids, n)
}
