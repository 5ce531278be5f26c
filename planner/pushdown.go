package planner

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// early returns a condition on rows of the join's stream without which the query
// does not want them, over the output of the stream's feed; nothing: it may want
// every row. It is the first part of WHERE, for a row that a later part refuses may
// have a fault in an earlier one. The part is looked at again when a row has been
// joined. Rows that no rule of the join wants need not be: no table is searched
// and no store is asked for them.
func (q *Query) early() []*Node {
	if !q.Join.eachAlone() || q.Root.Stage != nil || q.Root.serial() || q.stateful() || len(q.Root.Where) == 0 {
		return nil
	}
	n := q.Root.Where[0]
	if reads(q.Join.Sources, n) != 1 || !n.pure() {
		return nil
	}
	n = q.Join.Sources[0].own(n)
	if a := atomOf(n); a.equality() || a.comparison() {
		p := *n
		p.Args = slices.Clone(n.Args)
		p.Args[0] = rowOf(n.Args[0])
		return []*Node{p.seal()}
	}
	return []*Node{rowOf(n)}
}

// rowOf returns what stands over a window for n of one of its rows.
func rowOf(n *Node) *Node {
	return &Node{Op: OpColumn, From: n, FromKind: ColRow, Text: n.Text}
}

// eachAlone tells whether rows of the first source are joined with tables one by
// one, whatever other rows there are.
func (j *BoundJoin) eachAlone() bool {
	for i, s := range j.Steps {
		if !j.Sources[i+1].Table || s.Kind != sql.InnerJoin && s.Kind != sql.LeftJoin {
			return false
		}
	}
	return !j.Sources[0].Table && !j.EventTime
}

// stateful tells whether something in the query depends on rows that came before.
func (q *Query) stateful() bool {
	found := false
	q.walk(func(n *Node) bool {
		found = found || n.Op == OpAnalytic
		return !found
	})
	return found
}

// pure tells whether n depends on nothing but the row.
func (n *Node) pure() bool {
	pure := true
	n.walk(func(x *Node) bool {
		if x.Op == OpAnalytic || x.Op == OpNumber || x.Op == OpCall && (x.Func.Volatile || x.Func.PerRule || x.Func.Kind == FuncContext) {
			pure = false
		}
		return pure
	})
	return pure
}

// own returns n, which reads s only, as it is in the program of s itself.
func (s *JoinSource) own(n *Node) *Node {
	out := *n
	if n.Op == OpColumn {
		s.Needs(n.Col, func(c vec.ColumnSpec) { out.Col = c })
		out.Text = ""
		return out.seal()
	}
	out.Args = make([]*Node, len(n.Args))
	for i, a := range n.Args {
		out.Args[i] = s.own(a)
	}
	return out.seal()
}
