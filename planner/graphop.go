package planner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// operator adds an operator node.
func (c *chain) operator(n *graphNode) error {
	if c.pick != nil {
		return fmt.Errorf("nothing but sinks may follow a pick")
	}
	if len(c.sources) > 1 && c.from == "" && !slices.Contains([]string{"window", "join", "watermark"}, strings.ToLower(n.NodeType)) {
		return fmt.Errorf("comes before the sources are joined")
	}
	switch strings.ToLower(n.NodeType) {
	case "watermark":
		return nil // sources have theirs without it
	case "filter":
		return c.filter(n)
	case "function", "aggfunc":
		return c.function(n)
	case "pick":
		return c.picks(n)
	case "window":
		return c.windows(n)
	case "groupby":
		return c.groups(n)
	case "orderby":
		return c.order(n)
	case "join":
		return c.join(n)
	case "switch":
		return fmt.Errorf("rows that go several ways are not supported: write a rule with a filter for each")
	case "script":
		return fmt.Errorf("scripts are not supported")
	}
	return fmt.Errorf("there is no such operator")
}

func (c *chain) filter(n *graphNode) error {
	var p struct{ Expr string }
	if err := n.read(&p); err != nil {
		return err
	}
	e, err := expression(p.Expr)
	switch {
	case err != nil:
		return fmt.Errorf("expr %w", err)
	case c.sorts != nil:
		return fmt.Errorf("comes after an orderby")
	case c.grouped:
		c.having = append(c.having, e)
	case c.rows:
		return fmt.Errorf("comes after a window that its rows end: put it before")
	default:
		c.where = append(c.where, e)
	}
	return nil
}

func (c *chain) function(n *graphNode) error {
	var p struct{ Expr string }
	if err := n.read(&p); err != nil {
		return err
	}
	f, err := item(p.Expr)
	if err != nil {
		return fmt.Errorf("expr %w", err)
	}
	as, err := name(f)
	if err != nil {
		return fmt.Errorf("expr %q: %w", p.Expr, err)
	}
	if f.Invisible || f.Star {
		return fmt.Errorf("expr %q: want the call of a function", p.Expr)
	}
	if slices.ContainsFunc(c.calls, func(o graphCall) bool { return o.name == as }) {
		return fmt.Errorf("expr %q: there is a column %q already", p.Expr, as)
	}
	text := p.Expr
	if f.Alias == "" {
		text += " AS " + quoted(as)
	}
	if strings.EqualFold(n.NodeType, "aggfunc") {
		if c.window == "" {
			return fmt.Errorf("comes before a window")
		}
		c.grouped = true
	}
	c.calls = append(c.calls, graphCall{text, as})
	return nil
}

func (c *chain) picks(n *graphNode) error {
	var p struct{ Fields []string }
	if err := n.read(&p); err != nil {
		return err
	}
	if len(p.Fields) == 0 {
		return fmt.Errorf("fields: want at least one")
	}
	for _, f := range p.Fields {
		if _, err := item(f); err != nil {
			return fmt.Errorf("fields: %w", err)
		}
	}
	c.pick = p.Fields
	return nil
}

func (c *chain) groups(n *graphNode) error {
	var p struct{ Dimensions []string }
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case c.window == "":
		return fmt.Errorf("comes before a window")
	case len(p.Dimensions) == 0:
		return fmt.Errorf("dimensions: want at least one")
	case c.dims != nil:
		return fmt.Errorf("there is a groupby already")
	}
	for _, d := range p.Dimensions {
		if _, err := expression(d); err != nil {
			return fmt.Errorf("dimensions: %w", err)
		}
		c.dims = append(c.dims, d)
	}
	c.grouped = true
	return nil
}

func (c *chain) order(n *graphNode) error {
	var p struct {
		Sorts []struct {
			Field string
			Desc  bool
		}
	}
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case c.sorts != nil:
		return fmt.Errorf("there is an orderby already")
	case len(p.Sorts) == 0:
		return fmt.Errorf("sorts: want at least one")
	}
	for _, s := range p.Sorts {
		if _, err := expression(s.Field); err != nil {
			return fmt.Errorf("sorts: %w", err)
		}
		dir := " ASC"
		if s.Desc {
			dir = " DESC"
		}
		c.sorts = append(c.sorts, s.Field+dir)
	}
	return nil
}

// graphWindows are the windows of graphs: the name of the function, and whether
// its rows decide when it ends, so that WHERE, which in processing time runs
// before it, is no filter behind it.
var graphWindows = map[string]struct {
	name string
	rows bool
}{
	"tumblingwindow": {"TUMBLINGWINDOW", false},
	"hoppingwindow":  {"HOPPINGWINDOW", false},
	"slidingwindow":  {"SLIDINGWINDOW", true},
	"sessionwindow":  {"SESSIONWINDOW", true},
	"countwindow":    {"COUNTWINDOW", false}, // WHERE runs behind it
}

func (c *chain) windows(n *graphNode) error {
	var p struct {
		Type, Unit     string
		Size, Interval int
	}
	if err := n.read(&p); err != nil {
		return err
	}
	w, ok := graphWindows[strings.ToLower(p.Type)]
	unit := strings.ToLower(p.Unit)
	switch {
	case c.window != "":
		return fmt.Errorf("there is a window already")
	case c.grouped || c.sorts != nil:
		return fmt.Errorf("comes after a groupby, aggfunc or orderby")
	case !ok:
		return fmt.Errorf("unknown window type %q", p.Type)
	case p.Size <= 0:
		return fmt.Errorf("size %d: want more than 0", p.Size)
	case p.Interval < 0 || p.Interval > p.Size && w.name != "SESSIONWINDOW":
		return fmt.Errorf("interval %d: want 1 to %d", p.Interval, p.Size)
	case p.Interval == 0 && (w.name == "HOPPINGWINDOW" || w.name == "SESSIONWINDOW"):
		return fmt.Errorf("interval is missing")
	case p.Interval != 0 && p.Interval != p.Size && (w.name == "TUMBLINGWINDOW" || w.name == "SLIDINGWINDOW"):
		return fmt.Errorf("interval %d: want none, or the size %d", p.Interval, p.Size)
	case w.name != "COUNTWINDOW" && !slices.Contains([]string{"dd", "hh", "mi", "ss", "ms"}, unit):
		return fmt.Errorf("unit %q: want dd, hh, mi, ss or ms", p.Unit)
	}
	var args []string
	if w.name != "COUNTWINDOW" {
		args = append(args, unit)
	}
	args = append(args, strconv.Itoa(p.Size))
	if p.Interval != 0 && p.Interval != p.Size || w.name == "HOPPINGWINDOW" || w.name == "SESSIONWINDOW" {
		args = append(args, strconv.Itoa(p.Interval))
	}
	c.window, c.rows = w.name+"("+strings.Join(args, ", ")+")", w.rows && !c.eventTime
	if c.where != nil && (c.eventTime || w.name == "COUNTWINDOW") {
		c.window += " FILTER (WHERE " + strings.Join(c.where, " AND ") + ")" // WHERE would run behind it
		c.where = nil
	}
	return nil
}

func (c *chain) join(n *graphNode) error {
	var p struct {
		From  string
		Joins []struct{ Name, Type, On string }
	}
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case c.from != "":
		return fmt.Errorf("there is a join already")
	case !slices.Contains(c.sources, p.From):
		return fmt.Errorf("from %q: no source of the graph", p.From)
	case len(p.Joins) == 0:
		return fmt.Errorf("joins: want at least one")
	}
	var b strings.Builder
	for _, j := range p.Joins {
		if !slices.Contains(c.sources, j.Name) {
			return fmt.Errorf("joins: %q: no source of the graph", j.Name)
		}
		typ := strings.ToUpper(j.Type)
		if !slices.Contains([]string{"INNER", "LEFT", "RIGHT", "FULL", "CROSS"}, typ) {
			return fmt.Errorf("joins: type %q: want inner, left, right, full or cross", j.Type)
		}
		b.WriteString(" " + typ + " JOIN " + j.Name)
		if j.On == "" {
			continue
		}
		on, err := expression(j.On)
		if err != nil {
			return fmt.Errorf("joins: on %w", err)
		}
		b.WriteString(" ON " + on)
	}
	c.from, c.joins = p.From, b.String()
	return nil
}
