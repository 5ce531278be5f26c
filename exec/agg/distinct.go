package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// distinct keeps the different values of each group, for aggregates with DISTINCT.
// The first argument decides.
type distinct struct {
	args int
	agg  *fn.Agg
	sets []valueSet
	bad  notes
	buf  []byte
}

// valueSet is the arguments of the rows whose first argument was new.
type valueSet struct {
	seen map[string]bool
	args []vec.Value
}

func (c *distinct) Grow(groups int) { c.sets = enlarge(c.sets, groups) }

// fresh tells whether v is new in group g.
func (c *distinct) fresh(g int32, v vec.Value) bool {
	s := &c.sets[g]
	c.buf = AppendKey(c.buf[:0], v)
	if s.seen[string(c.buf)] {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[string(c.buf)] = true
	return true
}

func (c *distinct) Add(in Input, rows, gids []int32) {
	for i, r := range rows {
		g := gids[i]
		c.bad.look(in, g, r)
		if !c.fresh(g, in.Args[0].Value(int(r))) {
			continue
		}
		for _, col := range in.Args {
			c.sets[g].args = append(c.sets[g].args, col.Value(int(r)).Clone())
		}
	}
}

func (c *distinct) Merge(src State, gids []int32) {
	s := src.(*distinct)
	for _, g := range gids {
		for vs := s.sets[g].args; len(vs) > 0; vs = vs[c.args:] {
			if c.fresh(g, vs[0]) {
				c.sets[g].args = append(c.sets[g].args, vs[:c.args]...)
			}
		}
	}
	c.bad.merge(s.bad, gids)
}

func (c *distinct) Result(ctx *fn.Ctx, dst *vec.Column, row int, g int32) string {
	st := c.agg.New()
	for vs := c.sets[g].args; len(vs) > 0; vs = vs[c.args:] {
		st.Add(vs[:c.args])
	}
	return finish(ctx, dst, row, st, c.bad[g])
}

func (c *distinct) Reset(gids []int32) {
	for _, g := range gids {
		c.sets[g] = valueSet{}
	}
	c.bad.reset(gids)
}

func (c *distinct) Renumber(ids []int32, n int) {
	c.sets = renumber(c.sets, ids, n)
	c.bad.renumber(ids)
}
