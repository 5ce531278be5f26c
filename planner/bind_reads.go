package planner

import (
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// declared returns the declared columns that the statement reads, in the order of
// the schema. A row with a value of another type in one of them is lost to the
// rule, and so to its analytic calls.
func (b *binder) declared() []*Node {
	if b.reads != nil || b.joins() && b.window { // over a window of a join such a row never was
		return b.reads
	}
	b.reads = []*Node{}
	read := b.readNames()
	for i, s := range b.srcs {
		if s.Table {
			continue
		}
		for _, f := range s.Fields {
			switch {
			case !read[name{"", f.Name}] && !read[name{s.label, f.Name}] && !read[name{s.Name, f.Name}]:
			case b.joins():
				b.reads = append(b.reads, b.sourceColumn(sql.Pos{}, i, f.Name))
			default:
				b.reads = append(b.reads, b.column(sql.Pos{}, "", f.Name))
			}
		}
	}
	return b.reads
}

// name is a column as a statement names it.
type name struct{ stream, column string }

// readNames returns the names of the columns in the statement.
func (b *binder) readNames() map[name]bool {
	read := map[name]bool{}
	all := func(stream string, except []string) {
		for _, s := range b.srcs {
			if stream != "" && stream != s.label && stream != s.Name {
				continue
			}
			for _, f := range s.Fields {
				n := name{s.label, f.Name}
				read[n] = read[n] || !slices.Contains(except, f.Name)
			}
		}
	}
	own := "" // alias that is a column in the expression
	note := func(es ...sql.Expr) {
		for _, e := range es {
			sql.Walk(e, func(x sql.Expr) bool {
				switch x := x.(type) {
				case *sql.Call:
					if sig, ok := b.env.Funcs.Lookup(x.Name); ok && sig.Kind == FuncMeta {
						return false
					}
					if x.Star && !strings.EqualFold(x.Name, "count") {
						all("", nil)
					}
				case *sql.Star:
					all(x.Stream, nil)
				case *sql.Ident:
					if x.Stream != "" || x.Name == own || b.aliases[x.Name] == nil {
						read[name{x.Stream, x.Name}] = true
					}
				}
				return true
			})
		}
	}
	s := b.sel
	for _, f := range s.Fields {
		if f.Star {
			all(f.Stream, f.Except)
		}
		own = f.Alias
		note(f.Expr)
		for _, r := range f.Replace {
			own = r.Alias
			note(r.Expr)
		}
	}
	own = ""
	note(s.Where, s.Having)
	for _, j := range s.Joins {
		note(j.On)
	}
	note(s.GroupBy...)
	for _, o := range s.OrderBy {
		note(o.Expr)
	}
	if w := s.Window; w != nil {
		note(w.Filter, w.When)
		note(w.Args...)
		note(w.Partition...)
	}
	return read
}
