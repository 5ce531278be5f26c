package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
)

// RuleTopo returns the graph of a rule.
func (e *Engine) RuleTopo(id string) (api.Topo, error) {
	def, err := e.stored(id)
	if err != nil {
		return api.Topo{}, err
	}
	if def.Graph != nil {
		return graphTopo(def)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	r := e.mu.rules[id]
	if r == nil {
		return api.Topo{}, ruledef.ErrNotFound
	}
	plan, err := e.planLocked(def)
	if err != nil {
		return api.Topo{}, err
	}
	return e.topoLocked(plan, r), nil
}

// topoLocked returns a plan as a graph that ends in the sinks of r.
func (e *Engine) topoLocked(p *plan, r *rule) (t api.Topo) {
	e.mu.AssertRHeld()
	next := func(from, to string) string {
		i := slices.IndexFunc(t.Edges, func(x api.TopoEdge) bool { return x.From == from })
		if i < 0 {
			i = len(t.Edges)
			t.Edges = append(t.Edges, api.TopoEdge{From: from})
		}
		t.Edges[i].To = append(t.Edges[i].To, to)
		return to
	}
	for _, src := range p.sources {
		name := src.stream
		if s := e.mu.streams[name]; s != nil {
			name = e.sourceKeyLocked(s)
		}
		at := "source_" + name
		t.Sources = append(t.Sources, at)
		for _, op := range src.ops {
			at = next(at, "op_"+op)
		}
		next(at, "op_"+p.ops[0])
	}
	at := "op_" + p.ops[0]
	for _, op := range p.ops[1:] {
		at = next(at, "op_"+op)
	}
	for _, k := range r.sinks {
		next(at, fmt.Sprintf("sink_%s_%d", k.typ, k.index))
	}
	if len(r.sinks) == 0 {
		t.Edges = append(t.Edges, api.TopoEdge{From: at})
	}
	return t
}

// graphTopo returns the graph that a rule was written as.
func graphTopo(def *ruledef.Def) (t api.Topo, err error) {
	flow, err := graph.Compile(def, fn.Set{})
	if err != nil {
		return t, err
	}
	kind := func(node string) string { return nodeKind(flow, node) + node }
	for _, s := range flow.Sources {
		t.Sources = append(t.Sources, "source_"+s.Node)
	}
	for _, edge := range flow.Edges {
		from, to := kind(edge.From), kind(edge.To)
		if n := len(t.Edges); n == 0 || t.Edges[n-1].From != from {
			t.Edges = append(t.Edges, api.TopoEdge{From: from})
		}
		t.Edges[len(t.Edges)-1].To = append(t.Edges[len(t.Edges)-1].To, to)
	}
	return t, nil
}

// RuleSchema returns the names of the columns that a rule sends.
func (e *Engine) RuleSchema(id string) ([]string, error) {
	def, err := e.stored(id)
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compileLocked(def)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range c.parts {
		for _, name := range p.query.Names() {
			if len(c.parts) == 1 || !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// ExplainRule returns the plan of a rule and what it shares with others; the
// statements of a graph follow each other.
func (e *Engine) ExplainRule(id string) (string, error) {
	def, err := e.stored(id)
	if err != nil {
		return "", err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compileLocked(def)
	if err != nil {
		return "", err
	}
	joins, nums := make([]*stream, len(c.parts)), make([]planner.RuleID, len(c.parts))
	if r := e.mu.rules[id]; r != nil {
		for i, p := range r.parts() {
			if i < len(joins) {
				joins[i], nums[i] = p.join, p.num
			}
		}
	}
	var out strings.Builder
	for i, p := range c.parts {
		s := e.mu.streams[p.query.Streams[0]]
		if p.query.Join != nil {
			s = joins[i]
		}
		var b *planner.Builder
		if s != nil {
			b = s.builder
		}
		out.WriteString(planner.Explain(p.query, b, nums[i]))
	}
	return c.flow.Named(out.String()), nil
}
