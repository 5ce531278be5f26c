package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// statement is a way on its way to text.
type statement struct {
	*way
	where, filter []sql.Expr
	before        map[string][]sql.Expr // see Query
	used          map[int]bool          // results that are read
	alias         []string              // of each result that is read
	taken         map[string]bool       // names of what the statement sends
	given         map[string]bool       // those that are not of columns, and names of results
	columns       map[string]bool       // names of columns that it reads
	fields        []string
}

// query writes the statement of a way that ends in sinks.
func (w *way) query() (Query, error) {
	w = w.clone()
	if len(w.sources) > 1 && w.joins == nil {
		if err := w.beside(); err != nil {
			return Query{}, err
		}
	}
	s := statement{way: w, used: map[int]bool{}, alias: make([]string, len(w.defs)), taken: map[string]bool{}, given: map[string]bool{}, columns: map[string]bool{}}
	if err := s.conditions(); err != nil {
		return Query{}, err
	}
	if err := s.names(); err != nil {
		return Query{}, err
	}
	return Query{SQL: s.text(), After: len(w.after) > 0, Before: s.before}, nil
}

// conditions divides the conditions between the clauses. One over all rows of a
// window stands in WHERE if rows are sent, and in HAVING if groups are.
func (s *statement) conditions() error {
	if err := s.rowConditions(); err != nil {
		return err
	}
	if s.grouped {
		s.having = append(s.span, s.having...)
	} else {
		s.where = append(s.where, s.span...)
	}
	return nil
}

// rowConditions divides those on single rows.
func (s *statement) rowConditions() error {
	s.where = s.after
	switch {
	case s.joins != nil:
		return s.joinConditions()
	case s.window == "":
		s.where = s.pre
	case s.g.eventTime || s.after != nil || s.kind == sql.CountWindow || s.kind == sql.SlidingWindow:
		s.filter = s.pre // WHERE runs behind these
	default:
		s.where = s.pre
	}
	return nil
}

// joinConditions puts the conditions on the rows of one source before the join
// where they have the same effect behind it, so that rules with others share the
// join, and leaves them before it elsewhere.
func (s *statement) joinConditions() error {
	outer := slices.ContainsFunc(s.joins, func(j wayJoin) bool { return j.kind == "RIGHT" || j.kind == "FULL" })
	timed := s.window == "" || s.kind == sql.TumblingWindow || s.kind == sql.HoppingWindow // rows do not end the window
	for i := range s.sources {
		src := &s.sources[i]
		if len(src.where) == 0 {
			continue
		}
		at := max(slices.IndexFunc(s.joins, func(j wayJoin) bool { return j.source == i }), 0)
		j := &s.joins[at]
		switch {
		case !timed || j.kind == "FULL" || outer && len(s.joins) > 1:
			if src.Table {
				return fmt.Errorf("source %q: a filter on a table is possible before an inner or a left join, without a window or in a tumbling or hopping one", src.label)
			}
			if s.before == nil {
				s.before = map[string][]sql.Expr{}
			}
			for _, e := range src.where {
				s.before[src.label] = append(s.before[src.label], s.inline(e))
			}
		case j.kind == "LEFT" && i > 0, j.kind == "RIGHT" && i == 0:
			j.on = all(append(nonNilExpr(j.on), src.where...))
		default:
			s.where = append(s.where, src.where...)
		}
	}
	return nil
}

// names decides what results are called, and writes the SELECT list.
func (s *statement) names() error {
	s.group()
	s.each(s.use)
	for _, f := range s.out {
		if f.star != nil {
			continue
		}
		s.use(f.expr)
		if f.name != "" {
			s.taken[f.name] = true
			id, plain := f.expr.(*sql.Ident)
			s.given[f.name] = !plain || id.Name != f.name
		}
		if i, ok := refOf(f.expr); ok && s.alias[i] == "" {
			s.alias[i] = f.name
		}
	}
	for i, d := range s.defs {
		if !s.used[i] || s.alias[i] != "" {
			continue
		}
		name := d.name
		for n := 2; s.taken[name] || s.given[name] || s.columns[name]; n++ {
			name = d.name + "_" + strconv.Itoa(n)
		}
		s.alias[i], s.given[name] = name, true
	}
	for name := range s.given {
		if len(s.sources) > 1 && s.given[name] && s.columns[name] {
			return fmt.Errorf("%q is a column that is read and the name of a result: write the source in front of the column", name)
		}
	}
	s.list()
	s.each(s.final)
	return nil
}

// use notes what e reads.
func (s *statement) use(e sql.Expr) sql.Expr {
	sql.Walk(e, func(x sql.Expr) bool {
		if c, ok := x.(*sql.Call); ok && s.g.kind(c) == planner.FuncMeta {
			return false
		}
		id, ok := x.(*sql.Ident)
		switch i, isRef := refOf(x); {
		case isRef && !s.used[i]:
			s.used[i] = true
			s.use(s.defs[i].expr)
		case ok && id.Stream == "":
			s.columns[id.Name] = true
		}
		return true
	})
	return e
}

// final writes aliases for references, and the source in front of columns that
// are called as an alias.
func (s *statement) final(e sql.Expr) sql.Expr {
	if len(s.sources) == 1 {
		e = s.own(e, s.given)
	}
	return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		if i, ok := refOf(x); ok {
			return &sql.Ident{Name: s.alias[i]}, true
		}
		return nil, false
	})
}

// inline writes out the results that e refers to.
func (s *statement) inline(e sql.Expr) sql.Expr {
	return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		if i, ok := refOf(x); ok {
			return s.inline(s.defs[i].expr), true
		}
		return nil, false
	})
}

// list writes the SELECT list.
func (s *statement) list() {
	done := map[int]bool{}
	for _, f := range s.out {
		i, isRef := refOf(f.expr)
		id, plain := f.expr.(*sql.Ident)
		switch {
		case f.star != nil:
			s.fields = append(s.fields, star(f.star))
		case isRef && s.alias[i] == f.name && !done[i]:
			done[i] = true
			s.fields = append(s.fields, s.definition(i))
		case f.name == "", !isRef && plain && id.Name == f.name:
			s.fields = append(s.fields, sql.Format(s.inline(f.expr)))
		default:
			s.fields = append(s.fields, sql.Format(s.final(f.expr))+" AS "+identifier(f.name))
		}
	}
	for i := range s.defs {
		if s.used[i] && !done[i] {
			s.fields = append(s.fields, s.definition(i)+" INVISIBLE")
		}
	}
}

// definition writes result i with its name. There the name is the column.
func (s *statement) definition(i int) string {
	s.given[s.alias[i]] = false
	text := sql.Format(s.final(s.defs[i].expr)) + " AS " + identifier(s.alias[i])
	s.given[s.alias[i]] = true
	return text
}

func identifier(name string) string { return sql.Format(&sql.Ident{Name: name}) }

// star writes all columns of the sources, or of one.
func star(f *sql.Field) string {
	text := "*"
	if f.Stream != "" {
		text = identifier(f.Stream) + ".*"
	}
	var names []string
	for _, n := range f.Except {
		names = append(names, identifier(n))
	}
	if names != nil {
		text += " EXCEPT(" + strings.Join(names, ", ") + ")"
	}
	names = nil
	for _, r := range f.Replace {
		names = append(names, sql.Format(r.Expr)+" AS "+identifier(r.Alias))
	}
	if names != nil {
		text += " REPLACE(" + strings.Join(names, ", ") + ")"
	}
	return text
}

// text writes the statement; names has been called.
func (s *statement) text() string {
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(s.fields, ", ") + " FROM " + s.named(0))
	for _, j := range s.joins {
		b.WriteString(" " + j.kind + " JOIN " + s.named(j.source))
		if j.on != nil {
			b.WriteString(" ON " + sql.Format(s.inline(j.on)))
		}
	}
	clause := func(word, sep string, list []string) {
		if len(list) > 0 {
			b.WriteString(" " + word + " " + strings.Join(list, sep))
		}
	}
	clause("WHERE", " AND ", parts(s.where))
	var dims []string
	for _, d := range s.dims {
		dims = append(dims, sql.Format(d))
	}
	if w := s.window; w != "" {
		if s.filter != nil {
			w += " FILTER (WHERE " + strings.Join(parts(s.filter), " AND ") + ")"
		}
		dims = append(dims, w)
	}
	clause("GROUP BY", ", ", dims)
	clause("HAVING", " AND ", parts(s.having))
	var sorts []string
	for _, o := range s.sorts {
		dir := " ASC"
		if o.Desc {
			dir = " DESC"
		}
		sorts = append(sorts, sql.Format(o.Expr)+dir)
	}
	clause("ORDER BY", ", ", sorts)
	return b.String()
}

// named writes a source as FROM and JOIN have it.
func (s *statement) named(i int) string {
	src := s.sources[i]
	if src.Name == src.label {
		return identifier(src.Name)
	}
	return identifier(src.Name) + " AS " + identifier(src.label)
}

// parts writes conditions, each in parentheses.
func parts(list []sql.Expr) []string {
	var out []string
	for _, e := range list {
		out = append(out, "("+sql.Format(e)+")")
	}
	return out
}

// group makes sure that a statement over groups has a word of them.
func (s *statement) group() {
	agg := len(s.dims) > 0 || !s.grouped
	for _, f := range s.out {
		agg = agg || f.star == nil && s.calls(f.expr, planner.FuncAgg)
	}
	for _, e := range s.having {
		agg = agg || s.calls(e, planner.FuncAgg)
	}
	for _, o := range s.sorts {
		agg = agg || s.calls(o.Expr, planner.FuncAgg)
	}
	if !agg {
		count := &sql.Call{Name: "count", Written: "count", Args: []sql.Expr{&sql.Star{}}, Star: true}
		s.having = append(s.having, &sql.Binary{Op: sql.OpGt, L: count, R: &sql.Literal{Value: vec.IntValue(0)}})
	}
}

// each puts what f makes of them in the place of all expressions outside the
// SELECT list.
func (s *statement) each(f func(sql.Expr) sql.Expr) {
	for _, list := range [][]sql.Expr{s.where, s.filter, s.having, s.dims} {
		for i := range list {
			list[i] = f(list[i])
		}
	}
	for i := range s.sorts {
		s.sorts[i].Expr = f(s.sorts[i].Expr)
	}
}
