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
}

// newAggregate makes the state for a.
func newAggregate(a *planner.Agg) aggregate {
	if a.Diff {
		return newList(a)
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
	return newList(a)
}

func newList(a *planner.Agg) aggregate {
	f, _ := fn.Lookup(a.Func)
	return &listAgg{f: a, agg: f.Agg}
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

// A count of no rows at all is left out, as in the reference.
func (c *countAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	if note, ok := c.bad[g]; ok {
		dst.SetFault(row)
		x.lastNote = note
		return
	}
	dst.SetInt(row, c.n[g])
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
	kind vec.Kind
	bad  string // a value that cannot be added
}

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
			if !col.Valid.Has(int(r)) {
				c.fault(m, col, r, gids[i])
				continue
			}
			s, v := &c.s[gids[i]], col.Floats[r]
			if s.kind == vec.Int64 {
				s.wide(v)
			} else {
				s.kind = vec.Float64
				s.f += v
			}
			s.i += int64(v)
			s.n++
		}
		return
	}
	for i, r := range rows {
		c.fault(m, col, r, gids[i])
		v := col.Value(int(r))
		if v.IsNull() {
			continue
		}
		s := &c.s[gids[i]]
		f, ok := v.Float()
		switch {
		case !ok:
			s.bad = "cannot sum " + show(v)
			continue
		case s.kind == vec.Missing:
			s.kind = v.Kind
		}
		switch {
		case v.Kind == vec.Int64 && s.kind == vec.Float64:
			s.bad = noteMixed
		case v.Kind == vec.Int64:
			s.i += v.I
		default:
			if s.kind == vec.Int64 {
				s.wide(f)
			}
			s.i += int64(f)
			s.f += f
		}
		s.n++
	}
}

// The faults of a group whose numbers do not go together.
const (
	noteMixed = "want numbers with a fraction, got a whole number among them"
	noteWide  = "want whole numbers, got one out of range"
)

// wide notes that a float among whole numbers is none.
func (s *sums) wide(f float64) {
	if !(f >= -1<<63 && f < 1<<63) {
		s.bad = noteWide
	}
}

func (c *sumAgg) fault(m *machine, col *vec.Column, r, g int32) {
	if col.Fault.Has(int(r)) {
		c.s[g].bad = m.note
	}
}

func (c *sumAgg) merge(src aggregate, gids []int32) {
	for _, g := range gids {
		d, s := &c.s[g], src.(*sumAgg).s[g]
		switch {
		case s.bad != "":
			d.bad = s.bad
		case d.kind == vec.Missing:
			s.bad = d.bad
			*d = s
			continue
		case s.kind == vec.Missing:
			continue
		case d.kind == vec.Float64 && s.kind == vec.Int64:
			d.bad = noteMixed
		}
		d.f += s.f
		d.i += s.i
		d.n += s.n
	}
}

func (c *sumAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	s := &c.s[g]
	switch {
	case s.bad != "":
		dst.SetFault(row)
		x.lastNote = s.bad
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

func (c *sumAgg) reset(gids []int32) {
	for _, g := range gids {
		c.s[g] = sums{}
	}
}

// extremeAgg computes min and max of numbers, texts and times.
type extremeAgg struct {
	max bool
	v   []vec.Value
	bad []string
}

func (c *extremeAgg) grow(groups int) {
	c.v = enlarge(c.v, groups)
	c.bad = enlarge(c.bad, groups)
}

func (c *extremeAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
	col := m.col(a.Args[0], nil)
	for i, r := range rows {
		g := gids[i]
		if !col.Valid.Has(int(r)) {
			if col.Fault.Has(int(r)) {
				c.bad[g] = m.note
			}
			continue
		}
		if col.Kind == vec.Float64 && c.v[g].Kind == vec.Float64 {
			if v := col.Floats[r]; v > c.v[g].F == c.max && v != c.v[g].F {
				c.v[g].F = v
			}
			continue
		}
		c.take(g, col.Value(int(r)))
	}
}

// take compares one value. The first one decides what the others must be: after
// a whole number floats are cut off.
func (c *extremeAgg) take(g int32, v vec.Value) {
	best := &c.v[g]
	if best.Kind == vec.Missing {
		switch v.Kind {
		case vec.Missing, vec.Null:
		case vec.Int64, vec.Float64, vec.String, vec.Timestamp:
			*best = v.Clone()
		default:
			c.bad[g] = "cannot compare " + show(v)
		}
		return
	}
	if best.Kind == vec.Int64 && v.Kind == vec.Float64 {
		if !(v.F >= -1<<63 && v.F < 1<<63) {
			c.bad[g] = noteWide
		}
		v = vec.IntValue(int64(v.F))
	}
	if v.IsNull() {
		return
	}
	if v.Kind != best.Kind {
		c.bad[g] = opError{planner.OpLt, v.Clone(), *best}.Error()
		return
	}
	if d, _ := order(planner.OpLt, v, *best, nil); d > 0 == c.max && d != 0 {
		*best = v.Clone()
	}
}

func (c *extremeAgg) merge(src aggregate, gids []int32) {
	s := src.(*extremeAgg)
	for _, g := range gids {
		if s.bad[g] != "" {
			c.bad[g] = s.bad[g]
		}
		c.take(g, s.v[g])
	}
}

func (c *extremeAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	if c.bad[g] != "" {
		dst.SetFault(row)
		x.lastNote = c.bad[g]
		return
	}
	dst.Set(row, c.v[g])
}

func (c *extremeAgg) reset(gids []int32) {
	for _, g := range gids {
		c.v[g], c.bad[g] = vec.Value{}, ""
	}
}

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

func (c *firstAgg) reset(gids []int32) {
	for _, g := range gids {
		c.v[g], c.got[g] = vec.Value{}, false
	}
}

// listAgg keeps the arguments of every row and computes any aggregate of the
// function table from them when the window ends.
type listAgg struct {
	f    *planner.Agg
	agg  *fn.Agg
	rows [][]vec.Value
	bad  []string
}

func (c *listAgg) grow(groups int) {
	c.rows = enlarge(c.rows, groups)
	c.bad = enlarge(c.bad, groups)
}

func (c *listAgg) add(m *machine, a *planner.Agg, rows, gids []int32) {
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
			c.rows[g] = append(c.rows[g], col.Value(int(r)).Clone())
		}
	}
}

func (c *listAgg) merge(src aggregate, gids []int32) {
	s := src.(*listAgg)
	for _, g := range gids {
		c.rows[g] = append(c.rows[g], s.rows[g]...)
		if s.bad[g] != "" {
			c.bad[g] = s.bad[g]
		}
	}
}

func (c *listAgg) result(x *Executor, dst *vec.Column, row int, g int32) {
	n := len(c.f.Args)
	if c.bad[g] != "" {
		dst.SetFault(row)
		x.lastNote = c.bad[g]
		return
	}
	st := c.agg.New()
	seen := map[string]bool{}
	for vs := c.rows[g]; len(vs) >= n && n > 0; vs = vs[n:] {
		if c.f.Diff {
			k := string(appendKey(nil, vs[0]))
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		st.Add(vs[:n])
	}
	v, err := st.Result(&x.ctx)
	if err != nil {
		dst.SetFault(row)
		x.lastNote = err.Error()
		return
	}
	dst.Set(row, v)
}

func (c *listAgg) reset(gids []int32) {
	for _, g := range gids {
		clear(c.rows[g])
		c.rows[g], c.bad[g] = c.rows[g][:0], ""
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
