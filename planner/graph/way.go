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

// A way is what happens to rows from sources to one port of a node, on its way
// to a statement. Its expressions are over the columns of the sources: a result
// of a node that a later one reads stands there as a reference (see ref), not as
// a name, since names can mean other things from node to node.
type way struct {
	g       *graph
	sources []waySource
	defs    []wayDef   // results of nodes
	out     []wayField // what the rows have, in order

	pre    []sql.Expr // conditions before the window, if there is one source
	after  []sql.Expr // behind the window or the join
	span   []sql.Expr // of a switch, over all rows of a window
	having []sql.Expr
	window string         // call, "" for none
	kind   sql.WindowKind // of window
	joins  []wayJoin
	dims   []sql.Expr
	sorts  []sql.Order

	twice   []string // sources whose rows come by several ways
	apart   bool     // rows of several sources stand beside each other: nothing is joined
	grouped bool     // rows are groups
	sifted  bool     // a filter chose among the rows behind span
}

// waySource is a source of a way, and the conditions on its rows alone once ways
// have come together.
type waySource struct {
	Source
	label string
	where []sql.Expr
}

// wayDef is a result: its name and what makes it.
type wayDef struct {
	name string
	expr sql.Expr
}

// wayField is a column of the rows of a way, or all that the sources have.
type wayField struct {
	name string // "": the expression has none
	expr sql.Expr
	star *sql.Field
}

type wayJoin struct {
	kind   string
	source int // in way.sources
	on     sql.Expr
}

// refs is the source of identifiers that are references to results; no source is
// called so.
const refs = "`result"

// ref returns a reference to result i.
func ref(i int) sql.Expr { return &sql.Ident{Stream: refs, Name: strconv.Itoa(i)} }

// refOf returns the result that e refers to.
func refOf(e sql.Expr) (i int, ok bool) {
	id, ok := e.(*sql.Ident)
	if !ok || id.Stream != refs {
		return 0, false
	}
	i, err := strconv.Atoi(id.Name)
	return i, err == nil
}

// clone returns a way that goes on on its own.
func (w *way) clone() *way {
	c := *w
	c.sources, c.defs, c.out = slices.Clone(w.sources), slices.Clone(w.defs), slices.Clone(w.out)
	c.pre, c.after, c.having = slices.Clone(w.pre), slices.Clone(w.after), slices.Clone(w.having)
	c.twice, c.span = slices.Clone(w.twice), slices.Clone(w.span)
	c.joins, c.dims, c.sorts = slices.Clone(w.joins), slices.Clone(w.dims), slices.Clone(w.sorts)
	for i := range c.sources {
		c.sources[i].where = slices.Clone(c.sources[i].where)
	}
	return &c
}

// rows tells whether messages come one by one: there is no window or join yet.
func (w *way) rows() bool { return w.window == "" && w.joins == nil }

// item parses one item of a SELECT list over the sources of the graph.
func (g *graph) item(text string) (*sql.Field, error) {
	from := " FROM `" + strings.Join(g.labels, "` CROSS JOIN `") + "`"
	st, err := sql.Parse("SELECT " + text + from)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, shifted(err))
	}
	s, ok := st.(*sql.Select)
	if !ok || len(s.Fields) != 1 || s.Distinct || s.From.Name != g.labels[0] || len(s.Joins) != len(g.labels)-1 ||
		s.Where != nil || s.GroupBy != nil || s.Window != nil || s.Having != nil || s.OrderBy != nil || s.Limit != nil || s.Offset != nil {
		return nil, fmt.Errorf("%q: want one expression", text)
	}
	unknown := ""
	sql.Walk(s.Fields[0].Expr, func(x sql.Expr) bool {
		if c, ok := x.(*sql.Call); ok && unknown == "" {
			if _, ok := g.funcs.Lookup(c.Name); !ok {
				unknown = c.Written
			}
		}
		return true
	})
	if unknown != "" {
		return nil, fmt.Errorf("%q: there is no function %q", text, unknown)
	}
	return &s.Fields[0], nil
}

// shifted gives the faults of a text the columns that they have without the
// SELECT in front of it.
func shifted(err error) error {
	faults, ok := err.(*sql.Errors)
	if !ok {
		return err
	}
	out := &sql.Errors{Faults: slices.Clone(faults.Faults)}
	for i := range out.Faults {
		if at := &out.Faults[i].At; at.Line == 1 && at.Col > len("SELECT ") {
			at.Col -= len("SELECT ")
		}
	}
	return out
}

// expression parses a condition, a dimension or a key of a sort order.
func (w *way) expression(text string) (sql.Expr, error) {
	f, err := w.g.item(text)
	switch {
	case err != nil:
		return nil, err
	case f.Alias != "" || f.Star || f.Invisible:
		return nil, fmt.Errorf("%q: want one expression", text)
	}
	e, err := w.resolve(f.Expr)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return e, nil
}

// resolve puts what a name means at this point in the place of the name.
func (w *way) resolve(e sql.Expr) (sql.Expr, error) {
	var fault error
	out := sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		if c, ok := x.(*sql.Call); ok && w.g.kind(c) == planner.FuncMeta {
			return x, true // its arguments are keys
		}
		id, ok := x.(*sql.Ident)
		if ok && slices.Contains(w.twice, id.Stream) {
			if slices.ContainsFunc(w.sources, func(s waySource) bool { return s.Name != w.sources[0].Name }) {
				fault = fmt.Errorf("the rows of source %q come by two ways: leave it out before %q", id.Stream, id.Name)
			}
			return &sql.Ident{Node: id.Node, Name: id.Name}, true
		}
		if !ok || id.Stream != "" {
			return nil, false
		}
		for _, f := range w.out {
			if f.star == nil && f.name == id.Name {
				return f.expr, true
			}
		}
		if !slices.ContainsFunc(w.out, func(f wayField) bool { return f.star != nil }) && fault == nil {
			fault = fmt.Errorf("column %q is not among those that were picked before", id.Name)
		}
		return id, true
	})
	return out, fault
}

// kind returns what kind of function c calls.
func (g *graph) kind(c *sql.Call) planner.FuncKind {
	if s, ok := g.funcs.Lookup(c.Name); ok {
		return s.Kind
	}
	return planner.FuncScalar
}

// calls tells whether e, or a result that it refers to, calls a function of a
// kind.
func (w *way) calls(e sql.Expr, kind planner.FuncKind) bool {
	found := false
	sql.Walk(e, func(x sql.Expr) bool {
		if i, ok := refOf(x); ok {
			found = found || w.calls(w.defs[i].expr, kind)
		}
		if c, ok := x.(*sql.Call); ok && w.g.kind(c) == kind {
			found = true
		}
		return !found
	})
	return found
}

// define adds a result and returns the reference to it.
func (w *way) define(name string, e sql.Expr) sql.Expr {
	w.defs = append(w.defs, wayDef{name, e})
	return ref(len(w.defs) - 1)
}

// set gives the rows a column, in the place of one with its name.
func (w *way) set(name string, e sql.Expr) {
	if i := slices.IndexFunc(w.out, func(f wayField) bool { return f.star == nil && f.name == name }); i >= 0 {
		w.out[i].expr = e
		return
	}
	w.out = append(w.out, wayField{name: name, expr: e})
}

// merge joins the ways that lead to a node. What was done to the rows of one
// source stays with it.
func merge(list []*way) (*way, error) {
	if len(list) == 1 {
		return list[0].clone(), nil
	}
	m := &way{g: list[0].g}
	stars := 0
	for _, w := range list {
		w = w.clone()
		if !w.rows() {
			return nil, fmt.Errorf("rows of several ways come together, and those of %q have been through a window or join", w.sources[0].label)
		}
		if s := &w.sources[0]; len(w.sources) == 1 && m.has(s.label) {
			m.twice = append(m.twice, s.label)
			w.relabel(m.free(s.label))
		}
		w.qualify()
		m.twice = append(m.twice, w.twice...)
		offset := len(m.defs)
		shift := func(e sql.Expr) sql.Expr {
			return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
				if i, ok := refOf(x); ok {
					return ref(i + offset), true
				}
				return nil, false
			})
		}
		for _, s := range w.sources {
			if m.has(s.label) {
				return nil, fmt.Errorf("gets the rows of source %q by two ways", s.label)
			}
			for i := range s.where {
				s.where[i] = shift(s.where[i])
			}
			m.sources = append(m.sources, s)
		}
		for _, d := range w.defs {
			m.defs = append(m.defs, wayDef{d.name, shift(d.expr)})
		}
		for _, f := range w.out {
			if f.star != nil {
				stars += len(w.sources)
				if len(w.sources) == 1 {
					f.star = &sql.Field{Star: true, Stream: w.sources[0].label, Except: f.star.Except}
				}
			} else {
				f.expr = shift(f.expr)
			}
			m.out = append(m.out, f)
		}
	}
	m.mergeStars(stars == len(m.sources))
	return m, nil
}

// has tells whether a source of w is called label.
func (w *way) has(label string) bool {
	return slices.ContainsFunc(w.sources, func(s waySource) bool { return s.label == label })
}

// free returns a name like label that no source has.
func (w *way) free(label string) string {
	for n := 2; ; n++ {
		if name := label + "_" + strconv.Itoa(n); !w.has(name) && !slices.Contains(w.g.labels, name) {
			return name
		}
	}
}

// relabel gives the only source of w another name.
func (w *way) relabel(name string) {
	old := w.sources[0].label
	w.sources[0].label = name
	to := func(e sql.Expr) sql.Expr {
		return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
			if id, ok := x.(*sql.Ident); ok && id.Stream == old {
				return &sql.Ident{Node: id.Node, Stream: name, Name: id.Name}, true
			}
			return nil, false
		})
	}
	for i := range w.pre {
		w.pre[i] = to(w.pre[i])
	}
	for i := range w.defs {
		w.defs[i].expr = to(w.defs[i].expr)
	}
	for i := range w.out {
		if w.out[i].star == nil {
			w.out[i].expr = to(w.out[i].expr)
		}
	}
}

// beside puts the rows of several sources, which no join has joined, into one
// window, in the order in which they came: as a full join in which no row has a
// match.
func (w *way) beside() error {
	table := slices.IndexFunc(w.sources, func(s waySource) bool { return s.Table })
	switch {
	case w.window == "":
		return fmt.Errorf("gets the rows of several sources, which come together in a window or join only")
	case table >= 0:
		return fmt.Errorf("gets the rows of table %q, which no join has joined", w.sources[table].label)
	case len(w.defs) > 0 || len(w.out) != 1 || w.out[0].star == nil || len(w.out[0].star.Except) > 0:
		return fmt.Errorf("gets the rows of several sources, which no join has joined: put function and pick behind the window")
	}
	for i := range w.sources[1:] {
		w.joins = append(w.joins, wayJoin{kind: "FULL", source: i + 1, on: &sql.Literal{Value: vec.BoolValue(false)}})
	}
	w.apart = true
	return nil
}

// mergeStars makes one star of those of all sources.
func (w *way) mergeStars(all bool) {
	if !all {
		return
	}
	star := &sql.Field{Star: true}
	out := []wayField{{star: star}}
	for _, f := range w.out {
		if f.star != nil {
			star.Except = append(star.Except, f.star.Except...)
		} else {
			out = append(out, f)
		}
	}
	w.out = out
}

// qualify says of the columns of a way with one source that they are its, and
// makes its conditions those of the source.
func (w *way) qualify() {
	if len(w.sources) > 1 {
		return
	}
	s := &w.sources[0]
	own := func(e sql.Expr) sql.Expr { return w.own(e, nil) }
	for i := range w.defs {
		w.defs[i].expr = own(w.defs[i].expr)
	}
	for i := range w.out {
		if w.out[i].star == nil {
			w.out[i].expr = own(w.out[i].expr)
		}
	}
	for _, e := range w.pre {
		s.where = append(s.where, own(e))
	}
	w.pre = nil
}

// own writes the source in front of the columns in e that are in names, all if
// names is nil.
func (w *way) own(e sql.Expr, names map[string]bool) sql.Expr {
	return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		if c, ok := x.(*sql.Call); ok && w.g.kind(c) == planner.FuncMeta {
			return x, true
		}
		if id, ok := x.(*sql.Ident); ok && id.Stream == "" && (names == nil || names[id.Name]) {
			return &sql.Ident{Node: id.Node, Stream: w.sources[0].label, Name: id.Name}, true
		}
		return nil, false
	})
}
