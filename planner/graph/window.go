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

// windows are the windows of graphs.
var windows = []sql.WindowKind{sql.TumblingWindow, sql.HoppingWindow, sql.SlidingWindow, sql.SessionWindow, sql.CountWindow}

// windowNames lists them, for faults.
func windowNames() string {
	var names []string
	for _, k := range windows {
		names = append(names, k.String())
	}
	return strings.Join(names, ", ")
}

func (w *way) windowed(n *node) error {
	var p struct {
		Type, Unit     string
		Size, Interval int64
	}
	if err := n.read(&p); err != nil {
		return err
	}
	kind, known := sql.WindowNamed(strings.ToLower(p.Type))
	unit := strings.ToLower(p.Unit)
	two := kind == sql.HoppingWindow || kind == sql.SessionWindow // numbers
	timed := kind != sql.CountWindow
	switch {
	case w.window != "":
		return fmt.Errorf("there is a window already")
	case w.joins != nil:
		return fmt.Errorf("comes after a join: put it before")
	case !known || !slices.Contains(windows, kind):
		return fmt.Errorf("type %q: want %s", p.Type, windowNames())
	case p.Size <= 0:
		return fmt.Errorf("size %d: want more than 0", p.Size)
	case p.Interval < 0 || p.Interval > p.Size && kind != sql.SessionWindow:
		return fmt.Errorf("interval %d: want 1 to %d", p.Interval, p.Size)
	case p.Interval == 0 && two:
		return fmt.Errorf("interval is missing")
	case p.Interval != 0 && p.Interval != p.Size && timed && !two:
		return fmt.Errorf("interval %d: want none, or the size %d", p.Interval, p.Size)
	case timed && !slices.Contains([]string{"dd", "hh", "mi", "ss", "ms"}, unit):
		return fmt.Errorf("unit %q: want dd, hh, mi, ss or ms", p.Unit)
	}
	var args []string
	if timed {
		args = append(args, unit)
	}
	args = append(args, strconv.FormatInt(p.Size, 10))
	if two || !timed && p.Interval != 0 && p.Interval != p.Size {
		args = append(args, strconv.FormatInt(p.Interval, 10))
	}
	w.kind, w.window = kind, strings.ToUpper(kind.String())+"("+strings.Join(args, ", ")+")"
	if _, err := sql.ParseSelect("SELECT * FROM s GROUP BY " + w.window); err != nil {
		return fmt.Errorf("size %d, interval %d: too large for a %s", p.Size, p.Interval, kind)
	}
	return nil
}

func (w *way) join(n *node) error {
	var p struct {
		From  string
		Joins []struct{ Name, Type, On string }
	}
	if err := n.read(&p); err != nil {
		return err
	}
	from := w.source(p.From)
	switch {
	case w.apart:
		return fmt.Errorf("comes after an operator on the rows of several sources: put it right behind the window")
	case w.joins != nil:
		return fmt.Errorf("there is a join already")
	case len(w.twice) > 0:
		return fmt.Errorf("gets the rows of source %q by two ways", w.twice[0])
	case w.grouped:
		return fmt.Errorf("comes after a groupby or aggfunc")
	case from < 0:
		return fmt.Errorf("from %q: no source leads here that is called so", p.From)
	case len(p.Joins) == 0:
		return fmt.Errorf("joins: want at least one")
	}
	w.qualify()
	w.sources[0], w.sources[from] = w.sources[from], w.sources[0]
	done := []int{0}
	for _, j := range p.Joins {
		i := w.source(j.Name)
		kind := strings.ToUpper(j.Type)
		switch {
		case i < 0:
			return fmt.Errorf("joins: name %q: no source leads here that is called so", j.Name)
		case slices.Contains(done, i):
			return fmt.Errorf("joins: name %q: stands twice", j.Name)
		case !slices.Contains([]string{"INNER", "LEFT", "RIGHT", "FULL", "CROSS"}, kind):
			return fmt.Errorf("joins: type %q: want inner, left, right, full or cross", j.Type)
		}
		done = append(done, i)
		x := wayJoin{kind: kind, source: i}
		if j.On != "" {
			var err error
			if x.on, err = w.expression(j.On); err != nil {
				return fmt.Errorf("joins: on %w", err)
			}
		}
		w.joins = append(w.joins, x)
	}
	if len(done) < len(w.sources) {
		return fmt.Errorf("joins: there are %d sources, of which %d are joined", len(w.sources), len(done))
	}
	return nil
}

// split makes a way for each case of a switch.
func (w *way) split(name string, n *node, ways map[port]*way) error {
	var p struct {
		Cases            []string
		StopAtFirstMatch bool
	}
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case len(p.Cases) == 0:
		return fmt.Errorf("cases: want at least one")
	case len(w.g.outs[name]) > len(p.Cases):
		return fmt.Errorf("has edges for %d cases, but only %d cases", len(w.g.outs[name]), len(p.Cases))
	}
	whole := w.window != "" && !w.grouped // it decides over all rows of the window
	if whole && w.sifted {
		return fmt.Errorf("comes after a filter behind a switch that decides over a whole window: put the filter before both")
	}
	var before []sql.Expr
	for i, text := range p.Cases {
		e, err := w.expression(text)
		if err != nil {
			return fmt.Errorf("cases: %w", err)
		}
		if whole {
			e = w.ofFirst(e)
		}
		c := w.clone()
		conds := append(slices.Clone(before), e)
		if whole {
			c.span = append(c.span, conds...)
		} else {
			for _, x := range conds {
				c.keep(x)
			}
		}
		ways[port{name, i}] = c
		if p.StopAtFirstMatch { // one that is null or fails does not match; that it failed is its own way's fault
			before = append(before, &sql.Unary{Op: sql.OpNot, X: &sql.Call{Name: "holds", Written: "holds", Args: []sql.Expr{e}}})
		}
	}
	return nil
}

// ofFirst writes the first row's value for a column in a condition over all rows of
// a window.
func (w *way) ofFirst(e sql.Expr) sql.Expr {
	return sql.Replace(e, func(x sql.Expr) (sql.Expr, bool) {
		c, isCall := x.(*sql.Call)
		_, isColumn := x.(*sql.Ident)
		switch {
		case isCall && w.g.kind(c) == planner.FuncAgg, isColumn && w.calls(x, planner.FuncAgg):
			return x, true
		case isColumn, isCall && w.g.kind(c) == planner.FuncMeta:
			rows := &sql.Call{Name: "collect", Written: "collect", Args: []sql.Expr{x}}
			return &sql.Index{X: rows, I: &sql.Literal{Value: vec.IntValue(0)}}, true
		}
		return nil, false
	})
}
