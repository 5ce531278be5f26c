//go:build !slim

package sql

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	"github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/weir-engine/weir/vec"
)

// skeleton is what TiDB's parser made of a canonical statement: a query whose
// nodes hold, in place of positions and constants, the indexes of them.
type skeleton struct {
	query          *Select
	places, values int
}

// builder turns TiDB's tree into a skeleton. It meets the nodes in the order in
// which emitter wrote them, so counting gives the index of each place; a value's
// index is checked against the placeholder's offset in the text.
type builder struct {
	marks  []int
	places int
	values int
	err    error
}

// fail notes that the tree is not what the canonical text says, which only a
// fault of this package can bring about.
func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("bug: canonical statement: "+format, args...)
	}
}

// place returns the index of the next place.
func (b *builder) place() Pos {
	b.places++
	return Pos{Line: b.places - 1}
}

// value returns the index of the placeholder x.
func (b *builder) value(x ast.ExprNode) int64 {
	m, ok := x.(*test_driver.ParamMarkerExpr)
	if !ok || b.values >= len(b.marks) || m.Offset != b.marks[b.values] {
		b.fail("placeholder %d is not where it was put", b.values)
		return 0
	}
	b.values++
	return int64(b.values - 1)
}

// build returns the skeleton of s.
func (b *builder) build(s *ast.SelectStmt) (*skeleton, error) {
	q := &Select{Distinct: s.Distinct}
	for _, f := range s.Fields.Fields {
		q.Fields = append(q.Fields, b.field(f))
	}
	b.from(q, s.From.TableRefs)
	if s.Where != nil {
		q.Where = b.expr(s.Where)
	}
	if s.GroupBy != nil {
		for _, it := range s.GroupBy.Items {
			if op, c := own(it.Expr); op == "window" {
				q.Window = b.window(c.Args)
			} else {
				q.GroupBy = append(q.GroupBy, b.expr(it.Expr))
			}
		}
	}
	if s.Having != nil {
		q.Having = b.expr(s.Having.Expr)
	}
	if s.OrderBy != nil {
		for _, it := range s.OrderBy.Items {
			q.OrderBy = append(q.OrderBy, Order{At: b.place(), Expr: b.expr(it.Expr), Desc: it.Desc})
		}
	}
	b.limit(q, s.Limit)
	return &skeleton{q, b.places, b.values}, b.err
}

func (b *builder) limit(q *Select, l *ast.Limit) {
	if l == nil {
		return
	}
	if _, ok := l.Count.(*test_driver.ParamMarkerExpr); ok {
		i := b.value(l.Count)
		q.Limit = &i
	}
	if l.Offset != nil {
		i := b.value(l.Offset)
		q.Offset = &i
	}
}

// own returns the operator that x is a call of, if it is one of our own.
func own(x ast.ExprNode) (string, *ast.FuncCallExpr) {
	c, ok := x.(*ast.FuncCallExpr)
	if !ok || !strings.HasPrefix(c.FnName.O, "`") {
		return "", nil
	}
	return c.FnName.O[1:], c
}

// name returns the identifier x.
func (b *builder) name(x ast.ExprNode) string {
	c, ok := x.(*ast.ColumnNameExpr)
	if !ok {
		b.fail("%T where a name was put", x)
		return ""
	}
	return c.Name.Name.O
}

func (b *builder) field(f *ast.SelectField) Field {
	r := Field{At: b.place(), Alias: f.AsName.O}
	if f.WildCard != nil {
		r.Star, r.Stream = true, f.WildCard.Table.O
		return r
	}
	switch op, c := own(f.Expr); op {
	case "all":
		r.Star = true
		for _, x := range c.Args {
			switch op, c := own(x); op {
			case "except":
				for _, n := range c.Args {
					r.Except = append(r.Except, b.name(n))
				}
			case "replace":
				r.Replace = append(r.Replace, Field{At: b.place(), Expr: b.expr(c.Args[0]), Alias: b.name(c.Args[1])})
			default:
				b.fail("%q behind a star", op)
			}
		}
	case "invisible":
		r.Invisible = true
		r.Expr = b.expr(c.Args[0])
	default:
		r.Expr = b.expr(f.Expr)
	}
	return r
}

// from appends the joins in n from the left; the sources' names are the caller's.
func (b *builder) from(q *Select, n ast.ResultSetNode) {
	switch n := n.(type) {
	case *ast.TableSource:
	case *ast.Join:
		b.from(q, n.Left)
		if n.Right == nil {
			return
		}
		if _, ok := n.Right.(*ast.TableSource); !ok {
			b.fail("a join of %T", n.Right)
		}
		q.Joins = append(q.Joins, b.join(n))
	default:
		b.fail("%T in FROM", n)
	}
}

func (b *builder) join(n *ast.Join) Join {
	j := Join{}
	var on ast.ExprNode
	if n.On != nil {
		on = n.On.Expr
	}
	switch {
	case n.Tp == ast.LeftJoin:
		j.Kind = LeftJoin
		if op, c := own(on); op == "full" {
			j.Kind, on = FullJoin, c.Args[0]
		}
	case n.Tp == ast.RightJoin:
		j.Kind = RightJoin
	case on == nil:
		j.Kind = CrossJoin
		return j
	}
	j.On = b.optional(on)
	return j
}

func (b *builder) window(args []ast.ExprNode) *Window {
	w := &Window{At: b.place()}
	k, ok := WindowNamed(b.name(args[0]))
	if !ok {
		b.fail("unknown window")
	}
	w.Kind, w.Unit = k, strings.TrimPrefix(b.name(args[1]), "u")
	w.Length, w.Interval, w.Delay = b.value(args[2]), b.value(args[3]), b.value(args[4])
	for _, x := range args[5:] {
		switch op, c := own(x); op {
		case "args":
			w.Args = b.exprs(c.Args)
		case "filter":
			w.Filter = b.expr(c.Args[0])
		case "when":
			w.When = b.expr(c.Args[0])
		case "partition":
			w.Partition = b.exprs(c.Args)
		default:
			b.fail("%q in a window", op)
		}
	}
	return w
}

func (b *builder) exprs(list []ast.ExprNode) []Expr {
	var r []Expr
	for _, x := range list {
		r = append(r, b.expr(x))
	}
	return r
}

func (b *builder) optional(x ast.ExprNode) Expr {
	if op, _ := own(x); op == "none" {
		return nil
	}
	return b.expr(x)
}

// binaryOps are the operators that MySQL has as well.
var binaryOps = map[opcode.Op]Op{
	opcode.Plus: OpAdd, opcode.Minus: OpSub, opcode.Mul: OpMul, opcode.Div: OpDiv, opcode.Mod: OpMod,
	opcode.And: OpBitAnd, opcode.Or: OpBitOr, opcode.Xor: OpBitXor,
	opcode.EQ: OpEq, opcode.NE: OpNe, opcode.LT: OpLt, opcode.LE: OpLe, opcode.GT: OpGt, opcode.GE: OpGe,
	opcode.LogicAnd: OpAnd, opcode.LogicOr: OpOr,
}

// expr returns the tree of x.
func (b *builder) expr(x ast.ExprNode) Expr {
	for {
		p, ok := x.(*ast.ParenthesesExpr)
		if !ok {
			break
		}
		x = p.Expr
	}
	n := Node{b.place()}
	switch x := x.(type) {
	case *ast.ColumnNameExpr:
		return &Ident{n, x.Name.Table.O, x.Name.Name.O}
	case *test_driver.ParamMarkerExpr:
		return &Literal{n, vec.IntValue(b.value(x))}
	case *ast.UnaryOperationExpr:
		op := OpNeg
		if x.Op != opcode.Minus {
			op = OpNot
		}
		return &Unary{n, op, b.expr(x.V)}
	case *ast.BinaryOperationExpr:
		op := binaryOps[x.Op]
		if op == OpNone {
			b.fail("operator %v", x.Op)
		}
		return &Binary{n, op, b.expr(x.L), b.expr(x.R)}
	case *ast.BetweenExpr:
		return &Between{n, b.expr(x.Expr), b.expr(x.Left), b.expr(x.Right), x.Not}
	case *ast.IsNullExpr:
		return &IsNull{n, b.expr(x.Expr), x.Not}
	case *ast.PatternInExpr:
		e := &In{Node: n, X: b.expr(x.Expr), Not: x.Not}
		if op, c := own(x.List[0]); op == "array" {
			e.Array = b.expr(c.Args[0])
		} else {
			e.List = b.exprs(x.List)
		}
		return e
	case *ast.PatternLikeOrIlikeExpr:
		// The index of the escape's value goes where the escape belongs; fill
		// tells it from no escape by the sign.
		e := &Like{Node: n, X: b.expr(x.Expr), Not: x.Not, Escape: -1}
		pattern := x.Pattern
		if op, c := own(pattern); op == "escape" {
			e.Escape = rune(b.value(c.Args[0]))
			pattern = c.Args[1]
		}
		e.Pattern = b.expr(pattern)
		return e
	case *ast.CaseExpr:
		return b.caseExpr(n, x)
	case *ast.FuncCallExpr:
		return b.call(n, x)
	}
	b.fail("%T in an expression", x)
	return &Literal{n, vec.NullValue}
}

func (b *builder) caseExpr(n Node, x *ast.CaseExpr) Expr {
	c := &Case{Node: n}
	if x.Value != nil {
		c.X = b.expr(x.Value)
	}
	for _, w := range x.WhenClauses {
		c.Whens = append(c.Whens, When{b.expr(w.Expr), b.expr(w.Result)})
	}
	if x.ElseClause != nil {
		c.Else = b.expr(x.ElseClause)
	}
	return c
}

// call returns one of our own operators or a function call.
func (b *builder) call(n Node, x *ast.FuncCallExpr) Expr {
	switch op, _ := own(x); op {
	case "":
		return b.function(n, x)
	case "star":
		s := &Star{Node: n}
		if len(x.Args) > 0 {
			s.Stream = b.name(x.Args[0])
		}
		return s
	case "concat":
		return &Binary{n, OpConcat, b.expr(x.Args[0]), b.expr(x.Args[1])}
	case "arrow":
		return &Arrow{n, b.expr(x.Args[0]), b.name(x.Args[1])}
	case "index":
		return &Index{n, b.expr(x.Args[0]), b.expr(x.Args[1])}
	case "slice":
		return &Slice{n, b.expr(x.Args[0]), b.optional(x.Args[1]), b.optional(x.Args[2])}
	default:
		b.fail("operator %q", op)
		return &Literal{n, vec.NullValue}
	}
}

func (b *builder) function(n Node, x *ast.FuncCallExpr) Expr {
	c := &Call{Node: n, Name: x.FnName.L, Written: x.FnName.O}
	for _, a := range x.Args {
		switch op, f := own(a); op {
		case "distinct":
			c.Distinct = true
		case "filter":
			c.Filter = b.expr(f.Args[0])
		case "over":
			b.over(c, f.Args)
		default:
			e := b.expr(a)
			if _, ok := e.(*Star); ok {
				c.Star = true
			}
			c.Args = append(c.Args, e)
		}
	}
	return c
}

func (b *builder) over(c *Call, args []ast.ExprNode) {
	c.HasOver = true
	for _, a := range args {
		switch op, f := own(a); op {
		case "partition":
			c.Partition = b.exprs(f.Args)
		case "when":
			c.When = b.expr(f.Args[0])
		case "asc", "desc":
			c.OrderBy = append(c.OrderBy, Order{At: b.place(), Expr: b.expr(f.Args[0]), Desc: op == "desc"})
		default:
			b.fail("%q in OVER", op)
		}
	}
}
