package planner

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// number binds row_number. No two rules share one: it counts the rows that its
// rule selects.
func (b *binder) number(e *sql.Call, n *Node) *Node {
	if e.When != nil {
		b.fault(e.When.Pos(), "WHEN cannot stand in OVER after %s", n.Func.Name)
		return nil
	}
	n.Op, n.nums, n.Keys = OpNumber, true, len(e.Partition)
	for _, p := range e.Partition {
		n.Args = append(n.Args, b.expr(p))
	}
	for _, o := range e.OrderBy {
		n.Args = append(n.Args, b.expr(o.Expr))
		n.Desc = append(n.Desc, o.Desc)
	}
	if slices.Contains(n.Args, nil) {
		return nil
	}
	for i, a := range n.Args {
		if a.nums {
			b.fault(e.Pos(), "argument %d in OVER of %s holds a %s itself", i+1, n.Func.Name, n.Func.Name)
			return nil
		}
	}
	return n.inherit().sealIn(b.self)
}

// noNumber refuses row_number where rows are not counted yet.
func (b *binder) noNumber(at sql.Pos, n *Node) {
	if n != nil && n.nums {
		b.fault(at, "row_number can only stand in the SELECT list and in ORDER BY")
	}
}

// analytic binds a stateful function. Rules that start together share its state
// if they call it alike.
func (b *binder) analytic(e *sql.Call, n *Node) *Node {
	n.Op = OpAnalytic
	if len(e.OrderBy) > 0 {
		b.fault(e.OrderBy[0].Expr.Pos(), "ORDER BY in OVER belongs to row_number, not to %s", n.Func.Name)
		return nil
	}
	if e.Star {
		n.Args = append(n.Args, b.allColumns()...)
	}
	if e.When != nil {
		w := b.expr(e.When)
		if w == nil {
			return nil
		}
		b.condition(e.When.Pos(), w)
		n.When = true
		n.Args = append(n.Args, w)
	}
	for _, p := range e.Partition {
		k := b.expr(p)
		if k == nil {
			return nil
		}
		n.Keys++
		n.Args = append(n.Args, k)
	}
	return b.chained(b.sealSince(n.inherit()))
}

// sealSince seals an expression that remembers the rows since its rule started:
// rules that start together share it.
func (b *binder) sealSince(n *Node) *Node {
	if b.set.Epoch == 0 {
		return n.seal()
	}
	return n.sealIn(strconv.FormatUint(b.epoch(), 10))
}

// stateful is the analytic calls of a rule in their order.
type stateful struct {
	byText map[string]chainedCall // as they were before they were chained
	last   *Node                  // the last one that can fail, which those after it wait for
}

// chainedCall is a call, and what those right after it wait for.
type chainedCall struct{ call, last *Node }

// chained has n, an analytic call, stay as it is for rows in which an earlier
// call of the rule failed, as in eKuiper. Where no earlier one can fail,
// n is shared with the rules that call it alike.
func (b *binder) chained(n *Node) *Node {
	c := &b.states[0]
	if n.agg {
		c = &b.states[1]
	}
	if old := c.byText[n.Text]; old.call != nil && old.last == c.last {
		return old.call // one between them that fails would have this one stay as it is
	}
	text := n.Text
	args := len(n.Args)
	if c.last != nil {
		n.Args = append(n.Args, c.last)
	}
	if !n.agg {
		for _, col := range b.declared() {
			if !slices.ContainsFunc(n.Args[:args], func(a *Node) bool { return a.Text == col.Text }) {
				n.Args = append(n.Args, col)
			}
		}
	}
	if n.After = len(n.Args) - args; n.After > 0 {
		b.sealSince(n.inherit())
	}
	if c.byText == nil {
		c.byText = map[string]chainedCall{}
	}
	if canFail(n) {
		c.last = n
	}
	c.byText[text] = chainedCall{n, c.last}
	return n
}

// canFail tells whether an analytic call may fail for a row. A value of another
// type than declared does not count: such a row is lost anyway.
func canFail(n *Node) bool {
	if strings.HasPrefix(n.Func.Name, "acc_") && n.Func.Name != "acc_count" {
		return true
	}
	for _, a := range n.Args[:len(n.Args)-n.After] {
		if a.Op != OpColumn && a.Op != OpConst {
			return true
		}
	}
	return false
}

// allColumns returns what * stands for: the declared columns, or the row.
func (b *binder) allColumns() []*Node {
	if b.joins() || b.src.Fields == nil {
		return []*Node{(&Node{Op: OpColumn}).seal()}
	}
	var out []*Node
	for _, f := range b.src.Fields {
		out = append(out, b.column(sql.Pos{}, "", f.Name))
	}
	return out
}

// spread binds an item of the SELECT list that makes columns or rows: unnest,
// extract and changed_cols. ok is false if e is none of them.
func (b *binder) spread(e sql.Expr) (n *Node, ok bool) {
	c, isCall := e.(*sql.Call)
	if !isCall {
		return nil, false
	}
	sig, known := b.env.Funcs.Lookup(c.Name)
	if !known || sig.Kind != FuncMultiCol && sig.Kind != FuncSRF {
		return nil, false
	}
	args, good := b.args(c, sig)
	if !good {
		return nil, true
	}
	n = (&Node{Op: OpCall, Func: sig, Args: args}).inherit()
	if sig.Kind == FuncSRF {
		return n.seal(), true
	}
	for _, a := range c.Args[2:] {
		switch x := a.(type) {
		case *sql.Ident:
			n.Names = append(n.Names, x.Name)
		case *sql.Call:
			n.Names = append(n.Names, x.Name)
		case *sql.Star:
			cols := b.allColumns()
			n.Args = append(n.Args, cols...)
			for _, col := range cols {
				name := "" // the members of the row
				if len(col.Col.Path) > 0 {
					name = col.Col.Path[0]
				}
				n.Names = append(n.Names, name)
			}
		default:
			n.Names = append(n.Names, "kuiper_field_"+strconv.Itoa(len(n.Names)))
		}
	}
	n.Op = OpAnalytic
	b.sealSince(n.inherit())
	b.noNumber(e.Pos(), n)
	return b.chained(n), true
}
