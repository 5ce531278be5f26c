package rowref

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// known tells what of a statement is not known here; nil: nothing.
func known(sel *sql.Select) error {
	var bad error
	for _, e := range sel.GroupBy {
		sql.Walk(e, func(x sql.Expr) bool {
			if c, ok := x.(*sql.Call); ok && strings.HasPrefix(c.Name, "window_") {
				bad = fmt.Errorf("%s as a key is not known here", c.Name)
			}
			return true
		})
	}
	for _, e := range exprs(sel) {
		sql.Walk(e, func(x sql.Expr) bool {
			c, ok := x.(*sql.Call)
			if !ok {
				return true
			}
			f, ok := fn.Lookup(c.Name)
			switch {
			case !ok:
				bad = fmt.Errorf("function %s is not known here", c.Name)
			case f.Kind == planner.FuncAnalytic && c.Star:
				bad = fmt.Errorf("such a call of %s is not known here", c.Name)
			case f.Kind == planner.FuncAgg, f.Kind == planner.FuncAnalytic:
			case f.Kind == planner.FuncScalar && !f.Volatile:
			case f.Name == "window_start", f.Name == "window_end", f.Name == "event_time", f.Name == "last_hit_count", f.Name == "last_agg_hit_count":
			default:
				bad = fmt.Errorf("function %s is not known here", c.Name)
			}
			return true
		})
	}
	return bad
}

// exprs returns the expressions of a statement.
func exprs(s *sql.Select) []sql.Expr {
	out := append([]sql.Expr{s.Where, s.Having}, s.GroupBy...)
	for _, f := range s.Fields {
		out = append(out, f.Expr)
		for _, r := range f.Replace {
			out = append(out, r.Expr)
		}
	}
	for _, o := range s.OrderBy {
		out = append(out, o.Expr)
	}
	if w := s.Window; w != nil {
		out = append(append(append(out, w.Filter, w.When), w.Args...), w.Partition...)
	}
	return out
}

// findSources finds what FROM and JOIN name.
func (r *Rule) findSources() error {
	sel := r.sel
	if len(sel.Joins) == 0 {
		return nil
	}
	apart := true
	all := []sql.Source{sel.From}
	for _, j := range sel.Joins {
		all = append(all, j.Source)
		on, ok := j.On.(*sql.Literal)
		apart = apart && ok && !on.Value.Truth()
	}
	for _, s := range all {
		r.srcs = append(r.srcs, source{s.Name, s.Label(), r.opt.Tables[s.Name]})
	}
	switch w := sel.Window; {
	case r.opt.EventTime, r.opt.Columns != nil, apart:
		return fmt.Errorf("such a join is not known here")
	case w != nil && slices.ContainsFunc(slices.Concat([]sql.Expr{w.Filter}, w.Args), r.stateful):
		return fmt.Errorf("a stateful call in the window of a join is not known here")
	case w == nil:
		r.overJoin = r.grouped() || len(r.late) > 0 || r.aggregates(sel.Having) || slices.ContainsFunc(sel.OrderBy, func(o sql.Order) bool { return r.aggregates(o.Expr) })
	}
	return nil
}

// stateful tells whether a stateful call is in e.
func (r *Rule) stateful(e sql.Expr) bool {
	for _, c := range r.rowCalls {
		found := false
		sql.Walk(e, func(x sql.Expr) bool {
			found = found || x == sql.Expr(c)
			return !found
		})
		if found {
			return true
		}
	}
	return false
}
