package planner

import (
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// context binds the functions that say where a row stands.
func (b *binder) context(e *sql.Call, n *Node) *Node {
	switch n.Func.Name {
	case "rule_id":
		return constNode(vec.StringValue(b.name))
	case "rule_start":
		return constNode(vec.IntValue(b.set.RuleStartMs))
	case "window_start", "window_end", "window_trigger":
		if !b.window {
			return constNode(vec.NullValue)
		}
		if n.Func.Name == "window_trigger" {
			end, ok := b.env.Funcs.Lookup("window_end")
			if ok {
				n.Func = end
			}
		}
		return n.seal()
	case "event_time":
		return n.seal()
	case "last_hit_count", "last_hit_time":
		if b.clause != "window" && (b.window || b.grouped()) {
			b.fault(e.Pos(), "%s cannot be used in a query with a window or aggregates: use last_agg_%s", n.Func.Name, n.Func.Name[len("last_"):])
			return nil
		}
	case "last_agg_hit_count", "last_agg_hit_time":
		if !b.window {
			b.fault(e.Pos(), "%s needs a window", n.Func.Name)
			return nil
		}
		n.agg = true
	}
	n.hits = true
	return n.sealIn(b.self)
}

// grouped tells whether the query groups rows or aggregates them.
func (b *binder) grouped() bool {
	if len(b.sel.GroupBy) > 0 {
		return true
	}
	agg := false
	for _, f := range b.sel.Fields {
		if f.Expr == nil || b.clause == "window" {
			continue
		}
		sql.Walk(f.Expr, func(x sql.Expr) bool {
			if c, ok := x.(*sql.Call); ok {
				sig, known := b.env.Funcs.Lookup(c.Name)
				agg = agg || known && sig.Kind == FuncAgg
			}
			return true
		})
	}
	return agg
}

// slice binds x[y:z]. Bounds that stand the wrong way round can give nothing.
func (b *binder) slice(e *sql.Slice) *Node {
	n := b.make(OpSlice, e.X, e.From, e.To)
	if n == nil || n.Op != OpSlice {
		return n
	}
	from, to := n.Args[1], n.Args[2]
	whole := func(n *Node) bool { return n.Op == OpConst && n.Value.Kind == vec.Int64 && n.Value.I >= 0 }
	if whole(from) && whole(to) && from.Value.I > to.Value.I {
		b.fault(e.Pos(), "a slice cannot begin at %d and end at %d", from.Value.I, to.Value.I)
		return nil
	}
	return n
}
