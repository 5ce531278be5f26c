package engine

import (
	"fmt"
	"slices"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
)

// eKuiper runs a rule as a chain of operators, and its clients read the figures of
// each by the number that it has there. weir has no operators of a rule, but their
// names: see plan.

// plan is the names of what eKuiper would run for a rule.
type plan struct {
	sources []planSource
	ops     []string // behind the sources
	n       int      // the number that was given last
}

// planSource is a stream with the operators that read only it. Those of a shared
// stream are named after it.
type planSource struct {
	stream  string
	ops     []string
	decoder string // which of ops; "": none
}

// Operators that a rule has whatever its plan, with the figures of the whole rule, so
// that a client need not know the plan.
const (
	anyDecoder = "2_decoder"
	anyProject = "3_project"
)

func (p *plan) op(kind string) string {
	p.n++
	return fmt.Sprintf("%d_%s", p.n, kind)
}

func (p *plan) add(kind string, given bool) {
	if given {
		p.ops = append(p.ops, p.op(kind))
	}
}

// planLocked returns the plan of a rule; that of a graph are its nodes.
func (e *Engine) planLocked(def *ruledef.Def) (*plan, error) {
	e.mu.AssertRHeld()
	flow, err := graph.Compile(def, fn.Set{})
	if err != nil {
		return nil, err
	}
	p := new(plan)
	if def.Graph != nil {
		for _, edge := range flow.Edges {
			for _, node := range []string{edge.From, edge.To} {
				if nodeKind(flow, node) == "op_" && !slices.Contains(p.ops, node) {
					p.ops = append(p.ops, node)
				}
			}
		}
		return p, nil
	}
	st, err := sql.Parse(flow.Queries[0].SQL)
	if err != nil {
		return nil, err
	}
	if s, ok := st.(*sql.Select); ok {
		e.planSelectLocked(p, s, &def.Options)
	}
	return p, nil
}

// planSelectLocked numbers the operators of a statement in the order of eKuiper.
func (e *Engine) planSelectLocked(p *plan, s *sql.Select, o *ruledef.Options) {
	e.mu.AssertRHeld()
	e.planSourceLocked(p, s.From.Name, o)
	var lookups []string
	scans, streams := false, false
	for _, j := range s.Joins {
		in := e.mu.streams[j.Name]
		switch {
		case in == nil:
			continue
		case in.lookup():
			lookups = append(lookups, j.Name)
			continue
		case in.def.Table:
			scans = true
		default:
			streams = true
		}
		e.planSourceLocked(p, j.Name, o)
	}
	early := s.Window != nil && !o.IsEventTime && !streams && slices.Contains(
		[]sql.WindowKind{sql.TumblingWindow, sql.HoppingWindow, sql.SessionWindow}, s.Window.Kind)
	filters := s.Where != nil
	p.add("watermark", o.IsEventTime)
	p.add("analytic", hasAnalytic(s))
	p.add("filter", filters && early)
	p.add("window", s.Window != nil)
	for _, name := range lookups {
		p.n++
		p.ops = append(p.ops, name)
	}
	p.add("join_aligner", scans)
	p.add("join", scans || streams)
	p.add("filter", filters && !early)
	p.add("aggregate", len(s.GroupBy) > 0)
	p.add("having", s.Having != nil)
	p.add("order", len(s.OrderBy) > 0)
	p.add("project", true)
}

func (e *Engine) planSourceLocked(p *plan, name string, o *ruledef.Options) {
	e.mu.AssertRHeld()
	p.n++
	src := planSource{stream: name}
	if s := e.mu.streams[name]; s != nil {
		d := &s.def.Options
		prefix := ""
		if d.Shared {
			prefix = name + "_"
		}
		add := func(kind string, given bool) (op string) {
			if given {
				op = prefix + p.op(kind)
				src.ops = append(src.ops, op)
			}
			return op
		}
		add("emitter", e.selectorLocked(s) != "")
		src.decoder = add("decoder", e.types.sources[s.typ()].Decoded)
		add("preprocessor", o.IsEventTime || d.StrictValidation && s.def.Fields != nil)
	}
	p.sources = append(p.sources, src)
}

// hasAnalytic tells whether a statement calls analytic functions.
func hasAnalytic(s *sql.Select) (found bool) {
	look := func(x sql.Expr) {
		sql.Walk(x, func(x sql.Expr) bool {
			if c, ok := x.(*sql.Call); ok && !found {
				sig, known := fn.Set{}.Lookup(c.Name)
				found = known && sig.Kind == planner.FuncAnalytic
			}
			return !found
		})
	}
	for _, f := range s.Fields {
		look(f.Expr)
	}
	look(s.Where)
	look(s.Having)
	return found
}

// selectorLocked returns the named connection of a source that shares one.
func (e *Engine) selectorLocked(s *stream) string {
	e.mu.AssertRHeld()
	if !e.types.sources[s.typ()].Named {
		return ""
	}
	return e.selectedLocked(s)
}

// sourceKeyLocked returns how eKuiper calls a source in the status of rules: by its
// stream, or by the connection and topic that others may share.
func (e *Engine) sourceKeyLocked(s *stream) string {
	if sel := e.selectorLocked(s); sel != "" {
		return sel + "/" + s.def.Options.DataSource
	}
	return s.name
}

// nodeKind returns what the names of a node of a graph begin with.
func nodeKind(flow *graph.Flow, node string) string {
	switch {
	case slices.ContainsFunc(flow.Sources, func(s graph.Source) bool { return s.Node == node }):
		return "source_"
	case slices.ContainsFunc(flow.Queries, func(q graph.Query) bool {
		return slices.ContainsFunc(q.Actions, func(a ruledef.Action) bool { return a.Node == node })
	}):
		return "sink_"
	}
	return "op_"
}
