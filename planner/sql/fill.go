//go:build !slim

package sql

import (
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// filler copies a skeleton and puts the places, constants and sources of one
// statement where the skeleton has their indexes. Names are the skeleton's, so
// statements of one shape share them.
type filler struct {
	places  []Pos
	values  []vec.Value
	sources []Source
}

func (f *filler) node(n Node) Node { return Node{f.places[n.At.Line]} }

func (f *filler) place(at Pos) Pos { return f.places[at.Line] }

// label returns the name that s0, or the alias that a0, stands for.
func (f *filler) label(s string) string {
	if s == "" {
		return ""
	}
	i, _ := strconv.Atoi(s[1:])
	if s[0] == 'a' {
		return f.sources[i].Alias
	}
	return f.sources[i].Name
}

// query returns the statement whose skeleton is s and whose text is draft's.
func (f *filler) query(s, draft *Select) *Select {
	q := &Select{
		Distinct: s.Distinct,
		Fields:   f.fields(s.Fields),
		From:     f.sources[0],
		Where:    f.expr(s.Where),
		GroupBy:  f.exprs(s.GroupBy),
		Window:   f.window(s.Window),
		Having:   f.expr(s.Having),
		OrderBy:  f.orders(s.OrderBy),
		Limit:    f.count(s.Limit),
		Offset:   f.count(s.Offset),
		Text:     draft.Text,
	}
	for i, j := range s.Joins {
		q.Joins = append(q.Joins, Join{Kind: j.Kind, Source: f.sources[i+1], On: f.expr(j.On)})
	}
	return q
}

func (f *filler) count(i *int64) *int64 {
	if i == nil {
		return nil
	}
	n := f.values[*i].I
	return &n
}

func (f *filler) fields(list []Field) []Field {
	if list == nil {
		return nil
	}
	r := make([]Field, len(list))
	for i, x := range list {
		x.At, x.Expr, x.Stream, x.Replace = f.place(x.At), f.expr(x.Expr), f.label(x.Stream), f.fields(x.Replace)
		x.Except = append([]string(nil), x.Except...)
		r[i] = x
	}
	return r
}

func (f *filler) orders(list []Order) []Order {
	if list == nil {
		return nil
	}
	r := make([]Order, len(list))
	for i, o := range list {
		r[i] = Order{f.place(o.At), f.expr(o.Expr), o.Desc}
	}
	return r
}

func (f *filler) window(w *Window) *Window {
	if w == nil {
		return nil
	}
	return &Window{
		At: f.place(w.At), Kind: w.Kind, Unit: w.Unit,
		Length: f.values[w.Length].I, Interval: f.values[w.Interval].I, Delay: f.values[w.Delay].I,
		Args: f.exprs(w.Args), Filter: f.expr(w.Filter), When: f.expr(w.When), Partition: f.exprs(w.Partition),
	}
}

func (f *filler) exprs(list []Expr) []Expr {
	if list == nil {
		return nil
	}
	r := make([]Expr, len(list))
	for i, x := range list {
		r[i] = f.expr(x)
	}
	return r
}

// expr returns the filled copy of x, nil for nil.
func (f *filler) expr(x Expr) Expr {
	switch x := x.(type) {
	case nil:
		return nil
	case *Ident:
		return &Ident{f.node(x.Node), f.label(x.Stream), x.Name}
	case *Star:
		return &Star{f.node(x.Node), f.label(x.Stream)}
	case *Literal:
		return &Literal{f.node(x.Node), f.values[x.Value.I]}
	case *Unary:
		return &Unary{f.node(x.Node), x.Op, f.expr(x.X)}
	case *Binary:
		return &Binary{f.node(x.Node), x.Op, f.expr(x.L), f.expr(x.R)}
	case *Arrow:
		return &Arrow{f.node(x.Node), f.expr(x.X), x.Key}
	case *Index:
		return &Index{f.node(x.Node), f.expr(x.X), f.expr(x.I)}
	case *Slice:
		return &Slice{f.node(x.Node), f.expr(x.X), f.expr(x.From), f.expr(x.To)}
	case *Call:
		c := *x
		c.Node, c.Args, c.Filter = f.node(x.Node), f.exprs(x.Args), f.expr(x.Filter)
		c.Partition, c.When, c.OrderBy = f.exprs(x.Partition), f.expr(x.When), f.orders(x.OrderBy)
		return &c
	case *Case:
		c := &Case{f.node(x.Node), f.expr(x.X), make([]When, len(x.Whens)), f.expr(x.Else)}
		for i, w := range x.Whens {
			c.Whens[i] = When{f.expr(w.Cond), f.expr(w.Result)}
		}
		return c
	case *In:
		return &In{f.node(x.Node), f.expr(x.X), f.exprs(x.List), f.expr(x.Array), x.Not}
	case *Between:
		return &Between{f.node(x.Node), f.expr(x.X), f.expr(x.Lo), f.expr(x.Hi), x.Not}
	case *Like:
		l := &Like{f.node(x.Node), f.expr(x.X), f.expr(x.Pattern), '\\', x.Not}
		if x.Escape >= 0 {
			l.Escape = rune(f.values[x.Escape].I)
		}
		return l
	case *IsNull:
		return &IsNull{f.node(x.Node), f.expr(x.X), x.Not}
	}
	panic("bug: sql: a node of an unknown type")
}
