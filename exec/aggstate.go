package exec

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// firstAgg keeps the value of the group's first row: a plain column beside
// aggregates.
type firstAgg struct {
	v   []vec.Value
	got []bool
}

func (c *firstAgg) grow(groups int) {
	c.v = enlarge(c.v, groups)
	c.got = enlarge(c.got, groups)
}

func (c *firstAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	col := m.col(a.Args[0], nil)
	for i, r := range rows {
		if g := gids[i]; !c.got[g] {
			c.got[g], c.v[g] = true, col.Value(int(r)).Clone()
		}
	}
}

func (c *firstAgg) merge(src aggregate, gids []int32) {
	s := src.(*firstAgg)
	for _, g := range gids {
		if !c.got[g] && s.got[g] {
			c.got[g], c.v[g] = true, s.v[g]
		}
	}
}

func (c *firstAgg) result(_ *Executor, dst *vec.Column, row int, g int32) { dst.Set(row, c.v[g]) }

func (c *firstAgg) renumber(ids []int32, n int) {
	c.v, c.got = renumber(c.v, ids, n), renumber(c.got, ids, n)
}

func (c *firstAgg) reset(gids []int32) {
	for _, g := range gids {
		c.v[g], c.got[g] = vec.Value{}, false
	}
}

// stateAgg computes any aggregate of the function table from its states.
type stateAgg struct {
	agg  *fn.Agg
	s    []fn.AggState // nil: no rows
	bad  []string
	args []vec.Value
}

func (c *stateAgg) grow(groups int) {
	c.s = enlarge(c.s, groups)
	c.bad = enlarge(c.bad, groups)
}

func (c *stateAgg) state(g int32) fn.AggState {
	if c.s[g] == nil {
		c.s[g] = c.agg.New()
	}
	return c.s[g]
}

func (c *stateAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	cols := make([]*vec.Column, len(a.Args))
	for i, s := range a.Args {
		cols[i] = m.col(s, nil)
	}
	for i, r := range rows {
		g := gids[i]
		c.args = c.args[:0]
		for _, col := range cols {
			if col.Fault.Has(int(r)) {
				c.bad[g] = m.note
			}
			c.args = append(c.args, col.Value(int(r)))
		}
		c.state(g).Add(c.args)
	}
}

func (c *stateAgg) merge(src aggregate, gids []int32) {
	s := src.(*stateAgg)
	for _, g := range gids {
		if s.s[g] != nil {
			c.state(g).Merge(s.s[g])
		}
		if s.bad[g] != "" {
			c.bad[g] = s.bad[g]
		}
	}
}

func (c *stateAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	x.finish(dst, row, c.state(g), c.bad[g])
}

// finish writes the result of st, or that there is none for the reason bad.
func (x *Executor) finish(dst *vec.Column, row int, st fn.AggState, bad string) {
	v := vec.Value{}
	if bad == "" {
		var err error
		if v, err = st.Result(&x.ctx); err != nil {
			bad = err.Error()
		}
	}
	if bad != "" {
		dst.SetFault(row)
		x.lastNote = bad
		return
	}
	dst.Set(row, v)
}

func (c *stateAgg) renumber(ids []int32, n int) {
	c.s, c.bad = renumber(c.s, ids, n), renumber(c.bad, ids, n)
}

func (c *stateAgg) reset(gids []int32) {
	for _, g := range gids {
		if c.s[g] != nil {
			c.s[g].Reset()
		}
		c.bad[g] = ""
	}
}

// distinctAgg keeps the different values of each group, for aggregates with
// DISTINCT. The first argument decides.
type distinctAgg struct {
	args int
	agg  *fn.Agg
	sets []valueSet
	bad  []string
	buf  []byte
}

// valueSet is the arguments of the rows whose first argument was new.
type valueSet struct {
	seen map[string]bool
	args []vec.Value
}

func (c *distinctAgg) grow(groups int) {
	c.sets = enlarge(c.sets, groups)
	c.bad = enlarge(c.bad, groups)
}

// fresh tells whether v is new in group g.
func (c *distinctAgg) fresh(g int32, v vec.Value) bool {
	s := &c.sets[g]
	c.buf = appendKey(c.buf[:0], v)
	if s.seen[string(c.buf)] {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[string(c.buf)] = true
	return true
}

func (c *distinctAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	cols := make([]*vec.Column, len(a.Args))
	for i, s := range a.Args {
		cols[i] = m.col(s, nil)
	}
	for i, r := range rows {
		g := gids[i]
		for _, col := range cols {
			if col.Fault.Has(int(r)) {
				c.bad[g] = m.note
			}
		}
		if !c.fresh(g, cols[0].Value(int(r))) {
			continue
		}
		for _, col := range cols {
			c.sets[g].args = append(c.sets[g].args, col.Value(int(r)).Clone())
		}
	}
}

func (c *distinctAgg) merge(src aggregate, gids []int32) {
	s := src.(*distinctAgg)
	for _, g := range gids {
		for vs := s.sets[g].args; len(vs) > 0; vs = vs[c.args:] {
			if c.fresh(g, vs[0]) {
				c.sets[g].args = append(c.sets[g].args, vs[:c.args]...)
			}
		}
		if s.bad[g] != "" {
			c.bad[g] = s.bad[g]
		}
	}
}

func (c *distinctAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	st := c.agg.New()
	for vs := c.sets[g].args; len(vs) > 0; vs = vs[c.args:] {
		st.Add(vs[:c.args])
	}
	x.finish(dst, row, st, c.bad[g])
}

func (c *distinctAgg) renumber(ids []int32, n int) {
	c.sets, c.bad = renumber(c.sets, ids, n), renumber(c.bad, ids, n)
}

func (c *distinctAgg) reset(gids []int32) {
	for _, g := range gids {
		c.sets[g], c.bad[g] = valueSet{}, ""
	}
}
