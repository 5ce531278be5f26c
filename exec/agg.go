package exec

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// aggregate is the partial result of one aggregate for all groups of a pane: a
// struct of arrays indexed by group.
type aggregate interface {
	// grow makes room for groups groups.
	grow(groups int)
	// add takes rows, whose groups are gids, of the step that is aggregated.
	add(m *machine, a *planner.Agg, rows, gids []int32)
	// merge takes what src has for gids; src's rows came later.
	merge(src aggregate, gids []int32)
	// result writes a group's value into a row of dst.
	result(x *Executor, dst *vec.Column, row int, gid int32)
	// reset forgets gids.
	reset(gids []int32)
	// renumber gives group g the number ids[g], out of n; -1: it has none.
	renumber(ids []int32, n int)
}

// newAggregate makes the state for a.
func newAggregate(a *planner.Agg) aggregate {
	if a.Diff {
		f, _ := fn.Lookup(a.Func)
		return &distinctAgg{args: len(a.Args), agg: f.Agg}
	}
	switch a.Func {
	case "count":
		return &countAgg{}
	case "sum", "avg":
		return &sumAgg{avg: a.Func == "avg"}
	case "min", "max":
		return &extremeAgg{max: a.Func == "max"}
	case "first":
		return &firstAgg{}
	}
	f, _ := fn.Lookup(a.Func)
	return &stateAgg{agg: f.Agg}
}

// countAgg counts rows, or values that are not null.
type countAgg struct {
	n   []int64
	bad map[int32]string // groups with a fault
}

func (c *countAgg) grow(groups int) { c.n = enlarge(c.n, groups) }

func (c *countAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	if a.Star || len(a.Args) == 0 {
		for _, g := range gids {
			c.n[g]++
		}
		return
	}
	col := m.col(a.Args[0], nil)
	for i, r := range rows {
		if col.Valid.Has(int(r)) {
			c.n[gids[i]]++
		} else if col.Fault.Has(int(r)) {
			c.fault(gids[i], m.note)
		}
	}
}

func (c *countAgg) fault(g int32, note string) {
	if c.bad == nil {
		c.bad = map[int32]string{}
	}
	c.bad[g] = note
}

func (c *countAgg) merge(src aggregate, gids []int32) {
	s := src.(*countAgg)
	for _, g := range gids {
		c.n[g] += s.n[g]
		if note, ok := s.bad[g]; ok {
			c.fault(g, note)
		}
	}
}

// result writes the count, also that of no rows: pane.column leaves a window
// without rows out before it asks.
func (c *countAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	if note, ok := c.bad[g]; ok {
		dst.SetFault(row)
		x.lastNote = note
		return
	}
	dst.SetInt(row, c.n[g])
}

func (c *countAgg) renumber(ids []int32, n int) {
	c.n = renumber(c.n, ids, n)
	bad := c.bad
	c.bad = nil
	for g, note := range bad {
		if ids[g] >= 0 {
			c.fault(ids[g], note)
		}
	}
}

func (c *countAgg) reset(gids []int32) {
	for _, g := range gids {
		c.n[g] = 0
	}
	clear(c.bad)
}

// sums is the sum of one group. The first value decides whether it is whole: then
// floats are cut off, else a whole number is a fault. Both sums are kept, for a
// pane before this one may have the first value.
type sums struct {
	f    float64
	i    int64
	n    int64
	kind vec.Kind // of the first value
	ints bool     // there is a whole number
	wide bool     // there is a float that has no whole part in 64 bits
	bad  string   // a value that cannot be added
}

func (s *sums) float(v float64) {
	if s.kind == vec.Missing {
		s.kind = vec.Float64
	}
	s.f += v
	if v >= -1<<63 && v < 1<<63 {
		s.i += int64(v)
	} else {
		s.wide = true
	}
	s.n++
}

// fault tells what is wrong with the sum.
func (s *sums) fault() string {
	switch {
	case s.bad != "":
		return s.bad
	case s.kind == vec.Float64 && s.ints:
		return noteMixed
	case s.kind == vec.Int64 && s.wide:
		return noteWide
	}
	return ""
}

// The faults of a group whose numbers do not go together.
const (
	noteMixed = "want numbers with a fraction, got a whole number among them"
	noteWide  = "want whole numbers, got one out of range"
)

// sumAgg computes sum and avg.
type sumAgg struct {
	avg bool
	s   []sums
}

func (c *sumAgg) grow(groups int) { c.s = enlarge(c.s, groups) }

func (c *sumAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	col := m.col(a.Args[0], nil)
	if col.Kind == vec.Float64 {
		for i, r := range rows {
			if col.Valid.Has(int(r)) {
				c.s[gids[i]].float(col.Floats[r])
			} else if col.Fault.Has(int(r)) {
				c.s[gids[i]].bad = m.note
			}
		}
		return
	}
	for i, r := range rows {
		s := &c.s[gids[i]]
		if col.Fault.Has(int(r)) {
			s.bad = m.note
		}
		v := col.Value(int(r))
		if v.IsNull() {
			continue
		}
		f, ok := v.Float()
		switch {
		case !ok:
			s.bad = fn.Wrong("numbers", v).Error()
		case v.Kind == vec.Int64:
			if s.kind == vec.Missing {
				s.kind = vec.Int64
			}
			s.i += v.I
			s.ints = true
			s.n++
		default:
			s.float(f)
		}
	}
}

func (c *sumAgg) merge(src aggregate, gids []int32) {
	for _, g := range gids {
		d, s := &c.s[g], &src.(*sumAgg).s[g]
		if s.bad != "" {
			d.bad = s.bad
		}
		if d.kind == vec.Missing {
			d.kind = s.kind
		}
		d.f += s.f
		d.i += s.i
		d.n += s.n
		d.ints, d.wide = d.ints || s.ints, d.wide || s.wide
	}
}

func (c *sumAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	s := &c.s[g]
	if note := s.fault(); note != "" {
		dst.SetFault(row)
		x.lastNote = note
		return
	}
	switch {
	case s.kind == vec.Float64 && c.avg:
		dst.SetFloat(row, s.f/float64(s.n))
	case s.kind == vec.Float64:
		dst.SetFloat(row, s.f)
	case s.kind == vec.Int64 && c.avg:
		dst.SetInt(row, s.i/s.n)
	case s.kind == vec.Int64:
		dst.SetInt(row, s.i)
	}
}

func (c *sumAgg) renumber(ids []int32, n int) { c.s = renumber(c.s, ids, n) }

func (c *sumAgg) reset(gids []int32) {
	for _, g := range gids {
		c.s[g] = sums{}
	}
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

// single computes an aggregate without a window: over its one row.
func (x *Executor) single(st *planner.Step, args []vec.Value) (vec.Value, error) {
	if st.Part {
		if !args[0].Truth() {
			args = nil
		} else {
			args = args[1:]
		}
	}
	if st.Func.Name == "first" {
		return args[0], nil
	}
	if st.Star && (!st.Part || args != nil) {
		return vec.IntValue(1), nil
	}
	f, _ := fn.Lookup(st.Func.Name)
	s := f.Agg.New()
	if args != nil {
		s.Add(args)
	}
	return s.Result(&x.ctx)
}
