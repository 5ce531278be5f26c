package rowref

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// record is a row with its time and what the stateful calls gave for it.
type record struct {
	ts    int64
	row   map[string]any
	calls results
}

// results are what stateful calls gave.
type results map[*sql.Call]result

type result struct {
	v   any
	err error
}

// rowScope is where expressions over a single row stand.
func (r *Rule) rowScope(rec record) *scope {
	return &scope{r: r, row: rec.row, calls: rec.calls, ts: rec.ts}
}

// seen has the stateful calls of the rule see a row.
func (r *Rule) seen(row map[string]any, ts int64) record {
	s := r.rowScope(record{ts: ts, row: row, calls: results{}})
	r.remember(s, r.rowCalls)
	return record{ts, row, s.calls}
}

// remember computes stateful calls in turn. Where one that can fail did, those after
// it stay as they are.
func (r *Rule) remember(s *scope, calls []*sql.Call) {
	var failed error
	for _, c := range calls {
		if s.calls == nil {
			s.calls = results{}
		}
		if failed != nil {
			s.calls[c] = result{err: failed}
			continue
		}
		v, err := r.apply(s, c)
		s.calls[c] = result{v, err}
		if err != nil && r.canFail(c) {
			failed = err
		}
	}
}

// apply computes one stateful call.
func (r *Rule) apply(s *scope, c *sql.Call) (any, error) {
	args, err := s.list(c.Args...)
	if err != nil {
		return nil, err
	}
	update := true
	if c.When != nil {
		w, err := s.eval(c.When)
		if err != nil {
			return nil, err
		}
		b, ok := w.(bool)
		update = !ok || b
	}
	keys, err := s.list(c.Partition...)
	if err != nil {
		return nil, err
	}
	f, _ := fn.Lookup(c.Name)
	parts := r.states[c]
	if parts == nil {
		parts = map[string]fn.AnalyticState{}
		r.states[c] = parts
	}
	key := keyText(keys)
	if parts[key] == nil {
		parts[key] = f.Analytic.New()
	}
	vs := values(args)
	v, err := parts[key].Apply(&fn.Ctx{Location: time.UTC}, vs, update)
	return native(v), err
}

// canFail tells whether the calls after c look whether it failed.
func (r *Rule) canFail(c *sql.Call) bool {
	if strings.HasPrefix(c.Name, "acc_") && c.Name != "acc_count" {
		return true
	}
	for _, e := range slices.Concat(c.Args, []sql.Expr{c.When}, c.Partition) {
		for {
			id, ok := e.(*sql.Ident)
			if !ok || id.Stream != "" || r.aliases[id.Name] == nil {
				break
			}
			if def, ok := r.aliases[id.Name].(*sql.Ident); ok && def.Name == id.Name {
				break
			}
			e = r.aliases[id.Name]
		}
		switch e.(type) {
		case nil, *sql.Ident, *sql.Literal:
		default:
			return true
		}
	}
	return false
}

// findCalls notes the stateful calls of the statement in the order in which they are
// computed: what is in a call before it, an alias where it is first named.
func (r *Rule) findCalls() {
	var inside []string
	var visit func(e sql.Expr)
	visit = func(e sql.Expr) {
		if e == nil {
			return
		}
		if id, ok := e.(*sql.Ident); ok && id.Stream == "" && r.aliases[id.Name] != nil && !slices.Contains(inside, id.Name) {
			inside = append(inside, id.Name)
			visit(r.aliases[id.Name])
			inside = inside[:len(inside)-1]
			return
		}
		for _, below := range children(e) {
			visit(below)
		}
		c, ok := e.(*sql.Call)
		if !ok {
			return
		}
		if f, ok := fn.Lookup(c.Name); !ok || f.Kind != planner.FuncAnalytic {
			return
		}
		to := &r.rowCalls
		if r.aggregates(c) {
			to = &r.aggCalls
		}
		if !slices.Contains(*to, c) {
			*to = append(*to, c)
		}
	}
	for _, f := range r.sel.Fields {
		if f.Alias != "" && f.Expr != nil {
			inside = append(inside, f.Alias)
		}
		visit(f.Expr)
		inside = nil
	}
	for _, e := range exprs(r.sel) {
		visit(e)
	}
}

// children returns what stands right below e.
func children(e sql.Expr) []sql.Expr {
	var out []sql.Expr
	sql.Walk(e, func(x sql.Expr) bool {
		if x != e {
			out = append(out, x)
		}
		return x == e
	})
	return out
}

// aggregates tells whether an aggregate is in e.
func (r *Rule) aggregates(e sql.Expr) bool { return r.aggregatesIn(e, nil) }

func (r *Rule) aggregatesIn(e sql.Expr, inside []string) bool {
	found := false
	sql.Walk(e, func(x sql.Expr) bool {
		switch x := x.(type) {
		case *sql.Call:
			f, ok := fn.Lookup(x.Name)
			found = found || ok && f.Kind == planner.FuncAgg || x.Name == "last_agg_hit_count"
		case *sql.Ident:
			if def := r.aliases[x.Name]; def != nil && x.Stream == "" && !slices.Contains(inside, x.Name) {
				found = found || r.aggregatesIn(def, append(slices.Clone(inside), x.Name))
			}
		}
		return !found
	})
	return found
}

// conjuncts returns the parts of a condition that all must hold.
func conjuncts(e sql.Expr) []sql.Expr {
	if b, ok := e.(*sql.Binary); ok && b.Op == sql.OpAnd {
		return append(conjuncts(b.L), conjuncts(b.R)...)
	}
	if e == nil {
		return nil
	}
	return []sql.Expr{e}
}
