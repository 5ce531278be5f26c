package planner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// Flatten returns the rule that d's graph stands for, as a statement with actions;
// d itself if it has no graph. A graph can be a chain of operators, from one or
// several sources to any number of sinks; what is no chain, or comes in an order
// that no statement has, is refused with the name of the node.
func (d *RuleDef) Flatten() (*RuleDef, error) {
	if d.Graph == nil {
		return d, nil
	}
	var g graph
	if err := json.Unmarshal(d.Graph, &g); err != nil {
		return nil, Errorf(CodeRule, "Rule %s has an invalid graph: %s.", d.ID, ruleDefReason(err))
	}
	c := chain{graph: &g, eventTime: d.Options.IsEventTime}
	if err := c.build(); err != nil {
		return nil, Errorf(CodeRule, "Rule %s has an invalid graph: %w.", d.ID, err)
	}
	out := *d
	out.Graph, out.SQL, out.Actions = nil, c.text(), c.actions
	return &out, nil
}

// graph is a graph as encoding/json reads it.
type graph struct {
	Nodes map[string]*graphNode `json:"nodes"`
	Topo  struct {
		Sources []string                     `json:"sources"`
		Edges   map[string][]json.RawMessage `json:"edges"`
	} `json:"topo"`
}

type graphNode struct {
	Type     string          `json:"type"`
	NodeType string          `json:"nodeType"`
	Props    json.RawMessage `json:"props"`
}

// read reads the properties of a node.
func (n *graphNode) read(v any) error {
	if n.Props == nil {
		return nil
	}
	if err := json.Unmarshal(n.Props, v); err != nil {
		return fmt.Errorf("props: %s", ruleDefReason(err))
	}
	return nil
}

// next returns the nodes that name feeds.
func (g *graph) next(name string) ([]string, error) {
	var out []string
	for _, e := range g.Topo.Edges[name] {
		var to string
		if json.Unmarshal(e, &to) != nil {
			return nil, fmt.Errorf("node %q: its edges go to lists of nodes: rows that go several ways are not supported, write a rule for each", name)
		}
		if g.Nodes[to] == nil {
			return nil, fmt.Errorf("node %q: has an edge to node %q, which is not defined", name, to)
		}
		out = append(out, to)
	}
	return out, nil
}

// chain is a graph on its way to a statement.
type chain struct {
	*graph
	sources []string // streams and tables, in the order of the graph
	seen    map[string]bool

	from, joins   string
	calls         []graphCall
	where, having []string
	window        string
	sorts, dims   []string
	pick          []string
	grouped       bool // there is a groupby or an aggfunc
	rows          bool // the rows end the window, and WHERE runs before it
	eventTime     bool
	actions       []Action
}

// graphCall is a function or aggfunc node: a column that is added to the rows.
type graphCall struct{ text, name string }

// build walks the graph from its sources to its sinks.
func (c *chain) build() error {
	c.seen = map[string]bool{}
	first, err := c.start()
	if err != nil {
		return err
	}
	for at := first; at != ""; {
		if c.seen[at] {
			return fmt.Errorf("node %q: follows itself", at)
		}
		c.seen[at] = true
		if at, err = c.step(at); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		if n := c.Nodes[name]; (n == nil || n.Type != "source") && !c.seen[name] {
			return fmt.Errorf("node %q: is not on the way from the sources to the sinks", name)
		}
	}
	switch {
	case len(c.actions) == 0:
		return fmt.Errorf("there is no sink")
	case c.from == "" && len(c.sources) > 1:
		return fmt.Errorf("several sources, but no join")
	case c.from == "":
		c.from = c.sources[0]
	}
	return nil
}

// start reads the sources and returns the node that all of them feed.
func (c *chain) start() (string, error) {
	if len(c.Topo.Sources) == 0 {
		return "", fmt.Errorf("topo names no sources")
	}
	first := ""
	for _, name := range c.Topo.Sources {
		n := c.Nodes[name]
		switch {
		case n == nil:
			return "", fmt.Errorf("source node %q is not defined", name)
		case n.Type != "source":
			return "", fmt.Errorf("node %q: is among the sources, but of type %q", name, n.Type)
		}
		if err := c.source(n); err != nil {
			return "", fmt.Errorf("node %q: %w", name, err)
		}
		to, err := c.next(name)
		switch {
		case err != nil:
			return "", err
		case len(to) > 1 && len(c.Topo.Sources) > 1:
			return "", fmt.Errorf("node %q: feeds several nodes, but is not the only source", name)
		case len(to) > 1:
			return c.fork(name, to)
		case len(to) == 1 && first != "" && first != to[0]:
			return "", fmt.Errorf("node %q: the sources feed different nodes; only one chain is supported", name)
		case len(to) == 1:
			first = to[0]
		}
	}
	if first == "" {
		return "", fmt.Errorf("no edge leaves the sources")
	}
	return first, nil
}

// fork handles a node that feeds several: all must be sinks.
func (c *chain) fork(name string, to []string) (string, error) {
	for i, t := range to {
		if c.Nodes[t].Type != "sink" {
			return "", fmt.Errorf("node %q: feeds several nodes, of which %q is no sink: write a rule for each way", name, t)
		}
		if err := c.sink(t, i); err != nil {
			return "", fmt.Errorf("node %q: %w", t, err)
		}
	}
	return "", nil
}

// source reads a source node, which names a stream or table that exists.
func (c *chain) source(n *graphNode) error {
	var p struct{ SourceName, SourceType string }
	if err := n.read(&p); err != nil {
		return err
	}
	switch {
	case p.SourceName == "":
		return fmt.Errorf("a source with options of its own is not supported: create a stream and name it in sourceName")
	case p.SourceType != "" && p.SourceType != "stream" && p.SourceType != "table":
		return fmt.Errorf("sourceType %q: want stream or table", p.SourceType)
	}
	if sel, err := part("SELECT * FROM " + p.SourceName); err != nil {
		return fmt.Errorf("sourceName %q: %w", p.SourceName, err)
	} else if sel.From.Label() != p.SourceName || !bare(sel) {
		return fmt.Errorf("sourceName %q: not the name of a stream or table", p.SourceName)
	}
	c.sources = append(c.sources, p.SourceName)
	return nil
}

// step adds the node at and returns the one that follows it; "": none.
func (c *chain) step(at string) (next string, err error) {
	n := c.Nodes[at]
	switch n.Type {
	case "sink":
		if err := c.sink(at, 0); err != nil {
			return "", fmt.Errorf("node %q: %w", at, err)
		}
		return "", nil
	case "operator":
	default:
		return "", fmt.Errorf("node %q: type %q: want operator or sink", at, n.Type)
	}
	if err := c.operator(n); err != nil {
		return "", fmt.Errorf("node %q: %s: %w", at, n.NodeType, err)
	}
	to, err := c.next(at)
	switch {
	case err != nil:
		return "", err
	case len(to) == 0:
		return "", fmt.Errorf("node %q: feeds no other node", at)
	case len(to) > 1:
		return c.fork(at, to)
	}
	return to[0], nil
}

// sink makes an action of a sink node.
func (c *chain) sink(name string, i int) error {
	n := c.Nodes[name]
	c.seen[name] = true
	if len(c.Topo.Edges[name]) > 0 {
		return fmt.Errorf("is a sink and feeds others")
	}
	a := Action{Type: n.NodeType, Index: i, Props: map[string]any{}}
	if a.Type == "" {
		return fmt.Errorf("nodeType is missing")
	}
	if err := n.read(&a.Props); err != nil {
		return err
	}
	if a.Props == nil { // props is null
		a.Props = map[string]any{}
	}
	c.actions = append(c.actions, a)
	return nil
}

// text writes the statement.
func (c *chain) text() string {
	fields := c.pick
	if fields == nil {
		fields = []string{"*"}
	}
	var items []string
	for _, f := range c.calls {
		i := slices.Index(fields, f.name)
		switch {
		case i >= 0: // it is sent in its place
			fields = slices.Clone(fields)
			fields[i] = f.text
		case c.pick == nil:
			items = append(items, f.text)
		default:
			items = append(items, f.text+" INVISIBLE")
		}
	}
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(slices.Concat(fields, items), ", ") + " FROM " + c.from + c.joins)
	clause := func(word, sep string, list []string) {
		if len(list) > 0 {
			b.WriteString(" " + word + " " + strings.Join(list, sep))
		}
	}
	clause("WHERE", " AND ", c.where)
	dims := slices.Clone(c.dims)
	if c.window != "" {
		dims = append(dims, c.window)
	}
	clause("GROUP BY", ", ", dims)
	clause("HAVING", " AND ", c.having)
	clause("ORDER BY", ", ", c.sorts)
	return b.String()
}

// part parses a piece of a statement that was made whole.
func part(text string) (*sql.Select, error) {
	st, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	sel, ok := st.(*sql.Select)
	if !ok {
		return nil, fmt.Errorf("%q is not a part of a SELECT statement", text)
	}
	return sel, nil
}

// item parses one item of a SELECT list.
func item(text string) (*sql.Field, error) {
	sel, err := part("SELECT " + text + " FROM x")
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", text, err)
	case len(sel.Fields) != 1 || sel.From.Name != "x" || !bare(sel) || sel.Distinct:
		return nil, fmt.Errorf("%q: want one expression", text)
	}
	return &sel.Fields[0], nil
}

// bare tells whether a statement has no clause behind FROM.
func bare(s *sql.Select) bool {
	return len(s.Joins) == 0 && s.Where == nil && s.GroupBy == nil && s.Window == nil && s.Having == nil && s.OrderBy == nil && s.Limit == nil && s.Offset == nil
}

// expression parses a condition or dimension and returns it in parentheses.
func expression(text string) (string, error) {
	f, err := item("(" + text + ")")
	switch {
	case err != nil:
		return "", err
	case f.Alias != "" || f.Star || f.Invisible:
		return "", fmt.Errorf("%q: want one expression", text)
	}
	if _, err := item(text); err != nil { // the parentheses do not make it whole
		return "", err
	}
	return "(" + text + ")", nil
}

// name returns the name of the column that an item makes.
func name(f *sql.Field) (string, error) {
	if f.Alias != "" {
		return f.Alias, nil
	}
	if call, ok := f.Expr.(*sql.Call); ok {
		return strings.ToLower(call.Name), nil
	}
	return "", fmt.Errorf("want the call of a function")
}

// quoted writes an identifier.
func quoted(name string) string { return "`" + name + "`" }
