package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// operator makes the ways that leave an operator node.
func (g *graph) operator(name string, n *node, ways map[port]*way) error {
	var in []*way
	for _, o := range g.ins[name] {
		in = append(in, ways[o])
	}
	typ := strings.ToLower(n.NodeType)
	if len(in) > 1 && typ != "window" && typ != "join" && typ != "watermark" {
		return fmt.Errorf("takes the rows of one node, not of %d", len(in))
	}
	w, err := merge(in)
	if err != nil {
		return err
	}
	if len(w.sources) > 1 && w.joins == nil && typ != "window" && typ != "join" && typ != "watermark" {
		if err := w.beside(); err != nil {
			return err
		}
	}
	if w.span != nil && (typ == "groupby" || typ == "join") {
		return fmt.Errorf("comes after a switch that decides over a whole window: put it before")
	}
	if typ == "switch" {
		return w.split(name, n, ways)
	}
	do := map[string]func(*way, *node) error{
		"watermark": (*way).watermark, "filter": (*way).filter, "function": (*way).function, "aggfunc": (*way).function,
		"pick": (*way).pick, "window": (*way).windowed, "groupby": (*way).group, "orderby": (*way).order, "join": (*way).join,
	}[typ]
	switch {
	case typ == "script":
		return fmt.Errorf("scripts are not part of this build, as they are not of eKuiper's default one: write the expression as a function or filter node")
	case do == nil:
		return fmt.Errorf("there is no such operator: want aggfunc, filter, function, groupby, join, orderby, pick, switch, watermark or window")
	}
	ways[port{name, 0}] = w
	return do(w, n)
}

// watermark checks the node; sources have their watermarks without it.
func (w *way) watermark(n *node) error {
	var p struct{ Emitters []string }
	if err := n.read(&p); err != nil {
		return err
	}
	for _, e := range p.Emitters {
		if w.source(e) < 0 {
			return fmt.Errorf("emitters: %q: no source leads here", e)
		}
	}
	return nil
}

// source returns the source that is called name, or whose node is; -1: none.
func (w *way) source(name string) int {
	if i := slices.IndexFunc(w.sources, func(s waySource) bool { return s.label == name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(w.sources, func(s waySource) bool { return s.Node == name })
}

func (w *way) filter(n *node) error {
	var p struct{ Expr string }
	if err := n.read(&p); err != nil {
		return err
	}
	e, err := w.expression(p.Expr)
	if err != nil {
		return fmt.Errorf("expr %w", err)
	}
	w.keep(e)
	return nil
}

// keep adds a condition on the rows as they are at this point.
func (w *way) keep(e sql.Expr) {
	switch {
	case w.rows():
		w.pre = append(w.pre, e)
	case w.grouped:
		w.having = append(w.having, e)
	case w.span != nil: // aggregates stay those of the rows as the switch had them
		yes, no := &sql.Literal{Value: vec.BoolValue(true)}, &sql.Literal{Value: vec.BoolValue(false)}
		first := &sql.Binary{Op: sql.OpEq, L: all(w.span), R: yes}
		w.span, w.sifted = []sql.Expr{&sql.Case{Whens: []sql.When{{Cond: first, Result: e}}, Else: no}}, true
	default:
		w.after = append(w.after, e)
	}
}

func (w *way) function(n *node) error {
	var p struct{ Expr string }
	if err := n.read(&p); err != nil {
		return err
	}
	f, err := w.g.item(p.Expr)
	if err != nil {
		return fmt.Errorf("expr %w", err)
	}
	call, ok := f.Expr.(*sql.Call)
	if !ok || f.Invisible {
		return fmt.Errorf("expr %q: want the call of a function", p.Expr)
	}
	as := f.Alias
	if as == "" {
		as = call.Name
	}
	e, err := w.resolve(w.since(f.Expr))
	if err != nil {
		return fmt.Errorf("expr %q: %w", p.Expr, err)
	}
	if strings.EqualFold(n.NodeType, "aggfunc") || w.calls(e, planner.FuncAgg) {
		if err := w.gather(); err != nil {
			return fmt.Errorf("expr %q: %w", p.Expr, err)
		}
	}
	w.set(as, w.define(as, e))
	return nil
}

// gather makes the rows groups.
func (w *way) gather() error {
	switch {
	case w.rows():
		return fmt.Errorf("comes before a window")
	case w.sifted && !w.grouped:
		return fmt.Errorf("comes after a filter behind a switch that decides over a whole window: put the filter before the switch")
	}
	w.grouped = true
	return nil
}

// since lets analytic functions see the rows only that came so far.
func (w *way) since(e sql.Expr) sql.Expr {
	if len(w.pre) == 0 {
		return e
	}
	return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		c, ok := x.(*sql.Call)
		if !ok || w.g.kind(c) != planner.FuncAnalytic {
			return nil, false
		}
		d := *c
		d.HasOver, d.When = true, all(append(slices.Clone(w.pre), nonNilExpr(c.When)...))
		return &d, true
	})
}

func nonNilExpr(e sql.Expr) []sql.Expr {
	if e == nil {
		return nil
	}
	return []sql.Expr{e}
}

// all returns the conjunction of a list that is not empty.
func all(list []sql.Expr) sql.Expr {
	e := list[0]
	for _, x := range list[1:] {
		e = &sql.Binary{Op: sql.OpAnd, L: e, R: x}
	}
	return e
}

func (w *way) pick(n *node) error {
	var p struct {
		Fields []string
		IsAgg  bool
	}
	if err := n.read(&p); err != nil {
		return err
	}
	if len(p.Fields) == 0 {
		return fmt.Errorf("fields: want at least one")
	}
	var out []wayField
	agg := p.IsAgg
	for _, text := range p.Fields {
		f, err := w.g.item(text)
		if err != nil {
			return fmt.Errorf("fields: %w", err)
		}
		fields, err := w.picked(f)
		if err != nil {
			return fmt.Errorf("fields: %q: %w", text, err)
		}
		for _, x := range fields {
			agg = agg || x.star == nil && w.calls(x.expr, planner.FuncAgg)
		}
		out = append(out, fields...)
	}
	if agg {
		if err := w.gather(); err != nil {
			return fmt.Errorf("isAgg: %w", err)
		}
	}
	w.out = out
	return nil
}

// picked returns the columns that a field stands for.
func (w *way) picked(f *sql.Field) ([]wayField, error) {
	if f.Star {
		return w.starred(f)
	}
	e, err := w.resolve(f.Expr)
	if err != nil {
		return nil, err
	}
	name := f.Alias
	id, plain := f.Expr.(*sql.Ident)
	call, isCall := f.Expr.(*sql.Call)
	switch {
	case name != "":
	case plain:
		name = id.Name
	case isCall:
		name = call.Name
	default:
		return []wayField{{expr: e}}, nil
	}
	if !plain {
		e = w.define(name, e)
	}
	return []wayField{{name: name, expr: e}}, nil
}

// starred returns the columns that a * stands for.
func (w *way) starred(f *sql.Field) ([]wayField, error) {
	switch {
	case slices.Contains(w.twice, f.Stream):
		return nil, fmt.Errorf("the rows of source %q come by two ways: write *", f.Stream)
	case f.Stream != "":
		return []wayField{{star: f}}, nil
	}
	var out []wayField
	for _, x := range w.out {
		switch {
		case x.star != nil:
			x.star = &sql.Field{Star: true, Stream: x.star.Stream, Except: slices.Concat(x.star.Except, f.Except)}
		case slices.Contains(f.Except, x.name):
			continue
		}
		out = append(out, x)
	}
	for _, r := range f.Replace {
		e, err := w.resolve(r.Expr)
		if err != nil {
			return nil, err
		}
		out = append(slices.DeleteFunc(out, func(x wayField) bool { return x.star == nil && x.name == r.Alias }),
			wayField{name: r.Alias, expr: w.define(r.Alias, e)})
	}
	return out, nil
}

func (w *way) group(n *node) error {
	var p struct{ Dimensions []string }
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case w.rows():
		return fmt.Errorf("comes before a window")
	case len(p.Dimensions) == 0:
		return fmt.Errorf("dimensions: want at least one")
	case w.dims != nil:
		return fmt.Errorf("there is a groupby already")
	case w.grouped:
		return fmt.Errorf("comes after an aggfunc, or a pick with isAgg")
	}
	for _, d := range p.Dimensions {
		e, err := w.expression(d)
		if err != nil {
			return fmt.Errorf("dimensions: %w", err)
		}
		w.dims = append(w.dims, e)
	}
	w.grouped = true
	return nil
}

func (w *way) order(n *node) error {
	var p struct {
		Sorts []struct {
			Field, Order string
			Desc         bool
		}
	}
	if err := n.read(&p); err != nil {
		return err
	}
	if len(p.Sorts) == 0 {
		return fmt.Errorf("sorts: want at least one")
	}
	if w.rows() {
		return fmt.Errorf("comes before a window")
	}
	var sorts []sql.Order
	for _, s := range p.Sorts {
		if o := strings.ToLower(s.Order); o != "" && o != "asc" && o != "desc" {
			return fmt.Errorf("sorts: order %q: want asc or desc", s.Order)
		}
		e, err := w.expression(s.Field)
		if err != nil {
			return fmt.Errorf("sorts: %w", err)
		}
		sorts = append(sorts, sql.Order{Expr: e, Desc: s.Desc || strings.EqualFold(s.Order, "desc")})
	}
	w.sorts = append(sorts, w.sorts...) // rows that are equal in it stay as they were
	return nil
}
