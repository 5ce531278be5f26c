// Package graph compiles the graph of a rule, nodes and edges as the visual editors
// of eKuiper write them, to SQL statements: one for each way from sources to sinks
// that no other way shares to its end. It makes text, which goes through the same
// parser and planner as what people write; it knows no program and no executor.
package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
)

// Flow is what a rule runs: statements, each with its sinks. A rule with SQL has
// one; of a graph there is one for each way from sources to sinks that no other
// way shares to its end. What statements have in common is shared by the program,
// as it is between rules.
type Flow struct {
	Queries []Query
	Sources []Source // of a graph
	Edges   []Edge   // of a graph, by name
}

// Query is one statement of a Flow.
type Query struct {
	SQL     string
	Actions []ruledef.Action
	// After says that WHERE is applied behind the window, whatever its kind.
	After bool
	// Before are conditions on the rows of single sources, by their names in SQL,
	// before they are joined.
	Before map[string][]sql.Expr
}

// Source is a source node of a graph.
type Source struct {
	Node  string
	Type  string // nodeType; "": none was given
	Name  string // the stream or table as statements call it
	Table bool   // sourceType table
	// Create defines the stream, which lives with the rules that have it; nil if
	// it is one that was created.
	Create *sql.Create
}

// Edge is an edge of a graph.
type Edge struct{ From, To string }

// Compile returns the statements that d stands for. funcs are the functions that a
// graph may call. The error names the node of the graph that is wrong.
func Compile(d *ruledef.Def, funcs planner.FuncSet) (*Flow, error) {
	if d.Graph == nil {
		return &Flow{Queries: []Query{{SQL: d.SQL, Actions: d.Actions}}}, nil
	}
	var g graph
	if err := json.Unmarshal(d.Graph, &g); err != nil {
		return nil, ruledef.Errorf(ruledef.CodeRule, "Rule %s has an invalid graph: %s.", d.ID, ruledef.JSONReason(err))
	}
	g.funcs, g.eventTime = funcs, d.Options.IsEventTime
	f, err := g.flow()
	if err != nil {
		return nil, ruledef.Errorf(ruledef.CodeRule, "Rule %s has an invalid graph: %w.", d.ID, err)
	}
	return f, nil
}

// graph is a graph as encoding/json reads it, and what is known of it.
type graph struct {
	Nodes map[string]*node `json:"nodes"`
	Topo  struct {
		Sources []string                     `json:"sources"`
		Edges   map[string][]json.RawMessage `json:"edges"`
	} `json:"topo"`

	funcs     planner.FuncSet
	eventTime bool
	labels    []string // of the sources, as expressions call them
	outs      map[string][][]string
	ins       map[string][]port
}

type node struct {
	Type     string          `json:"type"`
	NodeType string          `json:"nodeType"`
	Props    json.RawMessage `json:"props"`
}

// port is where rows leave a node: a switch has one for each case.
type port struct {
	node string
	at   int
}

// read reads the properties of a node.
func (n *node) read(v any) error {
	if n.Props == nil {
		return nil
	}
	if err := json.Unmarshal(n.Props, v); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) { // as properties are written
			list := strings.Split(t.Field, ".")
			for i, name := range list {
				list[i] = strings.ToLower(name[:min(1, len(name))]) + name[min(1, len(name)):]
			}
			t.Field = strings.Join(list, ".")
		}
		return fmt.Errorf("props: %s", strings.Replace(ruledef.JSONReason(err), "the rule must", "they must", 1))
	}
	return nil
}

func (n *node) is(nodeType string) bool {
	return n.Type == "operator" && strings.EqualFold(n.NodeType, nodeType)
}

// flow checks the graph and makes the statements.
func (g *graph) flow() (*Flow, error) {
	if err := g.link(); err != nil {
		return nil, err
	}
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	f := &Flow{}
	ways := map[port]*way{}
	if err := g.start(f, ways); err != nil {
		return nil, err
	}
	sinks := map[port][]ruledef.Action{}
	var ends []port
	for _, name := range order {
		n := g.Nodes[name]
		switch n.Type {
		case "operator":
			if err := g.operator(name, n, ways); err != nil {
				return nil, fmt.Errorf("node %q: %s: %w", name, n.NodeType, err)
			}
		case "sink":
			a, err := g.sink(name, n)
			if err != nil {
				return nil, fmt.Errorf("node %q: %w", name, err)
			}
			for _, in := range g.ins[name] {
				if sinks[in] == nil {
					ends = append(ends, in)
				}
				sinks[in] = append(sinks[in], a)
			}
		}
	}
	for _, end := range ends {
		q, err := ways[end].query()
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", sinks[end][0].Node, err)
		}
		q.Actions = sinks[end]
		f.Queries = append(f.Queries, q)
	}
	if len(f.Queries) == 0 {
		return nil, fmt.Errorf("there is no sink")
	}
	for _, from := range slices.Sorted(maps.Keys(g.outs)) {
		for _, list := range g.outs[from] {
			for _, to := range list {
				f.Edges = append(f.Edges, Edge{from, to})
			}
		}
	}
	return f, nil
}

// sink makes the action of a sink node.
func (g *graph) sink(name string, n *node) (ruledef.Action, error) {
	a := ruledef.Action{Type: n.NodeType, Node: name, Props: map[string]any{}}
	if a.Type == "" {
		return a, fmt.Errorf("nodeType is missing")
	}
	err := n.read(&a.Props)
	if a.Props == nil { // props is null
		a.Props = map[string]any{}
	}
	return a, err
}

// link reads the edges and checks that they lead somewhere.
func (g *graph) link() error {
	g.outs, g.ins = map[string][][]string{}, map[string][]port{}
	if len(g.Topo.Sources) == 0 {
		return fmt.Errorf("topo: names no sources")
	}
	for i, name := range g.Topo.Sources {
		switch n := g.Nodes[name]; {
		case n == nil:
			return fmt.Errorf("topo: source node %q is not defined", name)
		case n.Type != "source":
			return fmt.Errorf("node %q: is among the sources of topo, but of type %q", name, n.Type)
		case slices.Contains(g.Topo.Sources[:i], name):
			return fmt.Errorf("topo: source node %q stands twice", name)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(g.Topo.Edges)) {
		if g.Nodes[from] == nil {
			return fmt.Errorf("topo: there are edges of node %q, which is not defined", from)
		}
		outs, err := g.edges(from, g.Nodes[from])
		if err != nil {
			return fmt.Errorf("node %q: %w", from, err)
		}
		g.outs[from] = outs
		for at, list := range outs {
			for _, to := range list {
				o := port{from, at}
				if slices.Contains(g.ins[to], o) {
					return fmt.Errorf("node %q: has two edges to node %q", from, to)
				}
				g.ins[to] = append(g.ins[to], o)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.Nodes)) {
		if err := g.check(name, g.Nodes[name]); err != nil {
			return fmt.Errorf("node %q: %w", name, err)
		}
	}
	return nil
}

// edges reads the edges of a node: names, or for a switch a list of names for each
// case.
func (g *graph) edges(name string, n *node) ([][]string, error) {
	var outs [][]string
	for i, e := range g.Topo.Edges[name] {
		var one string
		var list []string
		switch {
		case json.Unmarshal(e, &one) == nil:
			if n.is("switch") {
				return nil, fmt.Errorf("its edges must be lists of nodes, one for each case, not %s", e)
			}
			list = []string{one}
		case json.Unmarshal(e, &list) != nil:
			return nil, fmt.Errorf("its edges must be names of nodes, not %s", e)
		case i > 0 && !n.is("switch"):
			return nil, fmt.Errorf("its edges are lists of nodes, but only those of a switch are")
		}
		for _, to := range list {
			if g.Nodes[to] == nil {
				return nil, fmt.Errorf("has an edge to node %q, which is not defined", to)
			}
		}
		if len(outs) > 0 && !n.is("switch") {
			outs[0] = append(outs[0], list...)
		} else {
			outs = append(outs, list)
		}
	}
	return outs, nil
}

// check refuses a node that has no place in the graph.
func (g *graph) check(name string, n *node) error {
	out := 0
	for _, list := range g.outs[name] {
		out += len(list)
	}
	switch {
	case n == nil:
		return fmt.Errorf("is null")
	case n.Type != "source" && n.Type != "operator" && n.Type != "sink":
		return fmt.Errorf("type %q: want source, operator or sink", n.Type)
	case n.Type == "source" && len(g.ins[name]) > 0:
		return fmt.Errorf("is a source, but node %q feeds it", g.ins[name][0].node)
	case n.Type == "source" && out > 0 && !slices.Contains(g.Topo.Sources, name):
		return fmt.Errorf("is a source that topo does not name")
	case n.Type == "source" && out == 0 && slices.Contains(g.Topo.Sources, name):
		return fmt.Errorf("is a source, but no edge leaves it")
	case n.Type == "sink" && out > 0:
		return fmt.Errorf("is a sink, but has edges")
	case n.Type != "source" && len(g.ins[name]) == 0:
		return fmt.Errorf("no edge leads to it")
	case n.Type == "operator" && out == 0:
		return fmt.Errorf("no edge leaves it")
	}
	return nil
}

// order returns the nodes, each behind those that feed it.
func (g *graph) order() ([]string, error) {
	left := map[string]int{}
	var ready, out []string
	for _, name := range slices.Sorted(maps.Keys(g.Nodes)) {
		if left[name] = len(g.ins[name]); left[name] == 0 {
			ready = append(ready, name)
		}
	}
	for len(ready) > 0 {
		name := ready[0]
		ready = ready[1:]
		out = append(out, name)
		for _, list := range g.outs[name] {
			for _, to := range list {
				if left[to]--; left[to] == 0 {
					ready = append(ready, to)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if left[name] > 0 {
			return nil, fmt.Errorf("node %q: its rows come back to it, a graph must not have a cycle", g.cycle(name, left))
		}
	}
	return out, nil
}

// cycle returns a node of the cycle that leads to name; left has what order could
// not place.
func (g *graph) cycle(name string, left map[string]int) string {
	for seen := map[string]bool{}; !seen[name]; {
		seen[name] = true
		for _, in := range g.ins[name] {
			if left[in.node] > 0 {
				name = in.node
				break
			}
		}
	}
	return name
}

// Names returns streams as the user knows them: those that a graph defines are
// called by their nodes.
func (f *Flow) Names(streams []string) []string {
	out := slices.Clone(streams)
	for i := range out {
		out[i] = f.Named(out[i])
	}
	return out
}

// Named writes the names of nodes for those of the streams that they define.
func (f *Flow) Named(text string) string {
	for _, s := range f.Sources {
		if s.Create != nil {
			text = strings.ReplaceAll(text, s.Name, s.Node)
		}
	}
	return text
}
