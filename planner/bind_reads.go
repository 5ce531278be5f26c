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
	if b.joins() || b.src.Fields == nil {
		return nil
	}
	if b.reads == nil {
		read := b.readNames()
		b.reads = []*Node{}
		for _, f := range b.src.Fields {
			if read[f.Name] {
				b.reads = append(b.reads, b.column(sql.Pos{}, "", f.Name))
			}
		}
	}
	return b.reads
}

// readNames returns the names of the columns in the statement.
func (b *binder) readNames() map[string]bool {
	read := map[string]bool{}
	all := func(except []string) {
		for _, f := range b.src.Fields {
			read[f.Name] = read[f.Name] || !slices.Contains(except, f.Name)
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
						all(nil)
					}
				case *sql.Star:
					all(nil)
				case *sql.Ident:
					if x.Stream != "" || x.Name == own || b.aliases[x.Name] == nil {
						read[x.Name] = true
					}
				}
				return true
			})
		}
	}
	s := b.sel
	for _, f := range s.Fields {
		if f.Star {
			all(f.Except)
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
