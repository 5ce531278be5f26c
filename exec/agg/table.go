package agg

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/vec"
)

// table computes any aggregate of the function table from its states.
type table struct {
	agg  *fn.Agg
	s    []fn.AggState // nil: no rows
	bad  notes
	args []vec.Value
}

func (c *table) Grow(groups int) { c.s = enlarge(c.s, groups) }

func (c *table) state(g int32) fn.AggState {
	if c.s[g] == nil {
		c.s[g] = c.agg.New()
	}
	return c.s[g]
}

func (c *table) Add(in Input, rows, gids []int32) {
	for i, r := range rows {
		c.bad.look(in, gids[i], r)
		c.args = c.args[:0]
		for _, col := range in.Args {
			c.args = append(c.args, col.Value(int(r)))
		}
		c.state(gids[i]).Add(c.args)
	}
}

// look notes the first argument that failed in row r of group g.
func (n *notes) look(in Input, g, r int32) {
	for i, col := range in.Args {
		if col.Fault.Has(int(r)) && !n.failed(g) {
			n.fail(g, in.Why.Why(i, r))
		}
	}
}

func (c *table) Merge(src State, gids []int32) {
	s := src.(*table)
	for _, g := range gids {
		if s.s[g] != nil {
			c.state(g).Merge(s.s[g])
		}
	}
	c.bad.merge(s.bad, gids)
}

func (c *table) Result(ctx *fn.Ctx, dst *vec.Column, row int, g int32) string {
	return finish(ctx, dst, row, c.state(g), c.bad[g])
}

// finish writes the result of st, or that there is none for the reason bad.
func finish(ctx *fn.Ctx, dst *vec.Column, row int, st fn.AggState, bad string) string {
	if bad != "" {
		return write(dst, row, vec.Value{}, bad)
	}
	v, err := st.Result(ctx)
	if err != nil {
		bad = err.Error()
	}
	return write(dst, row, v, bad)
}

func (c *table) Reset(gids []int32) {
	for _, g := range gids {
		if c.s[g] != nil {
			c.s[g].Reset()
		}
	}
	c.bad.reset(gids)
}

func (c *table) Renumber(ids []int32, n int) {
	c.s = renumber(c.s, ids, n)
	c.bad.renumber(ids)
}
