package planner

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

var binaryOps = map[sql.Op]Op{
	sql.OpAdd: OpAdd, sql.OpSub: OpSub, sql.OpMul: OpMul, sql.OpDiv: OpDiv, sql.OpMod: OpMod,
	sql.OpBitAnd: OpBitAnd, sql.OpBitOr: OpBitOr, sql.OpBitXor: OpBitXor, sql.OpConcat: OpConcat,
	sql.OpEq: OpEq, sql.OpNe: OpNe, sql.OpLt: OpLt, sql.OpLe: OpLe, sql.OpGt: OpGt, sql.OpGe: OpGe,
	sql.OpAnd: OpAnd, sql.OpOr: OpOr,
}

// expr binds an expression; nil means that a fault was noted.
func (b *binder) expr(e sql.Expr) *Node {
	n := b.bound(e)
	b.look(e, n)
	return n
}

// bound is expr without a look at what the expression may be.
func (b *binder) bound(e sql.Expr) *Node {
	switch e := e.(type) {
	case *sql.Literal:
		return constNode(e.Value)
	case *sql.Ident:
		return b.ident(e)
	case *sql.Unary:
		if e.Op == sql.OpNeg {
			return b.make(OpNeg, e.X)
		}
		return b.make(OpNot, e.X)
	case *sql.Binary:
		return b.make(binaryOps[e.Op], e.L, e.R)
	case *sql.Arrow:
		return b.arrow(e)
	case *sql.Index:
		return b.make(OpIndex, e.X, e.I)
	case *sql.Slice:
		return b.slice(e)
	case *sql.Case:
		return b.caseExpr(e)
	case *sql.In:
		if e.Array != nil {
			return b.not(b.make(OpInArray, e.X, e.Array), e.Not)
		}
		return b.not(b.make(OpIn, append([]sql.Expr{e.X}, e.List...)...), e.Not)
	case *sql.Between:
		return b.not(b.make(OpBetween, e.X, e.Lo, e.Hi), e.Not)
	case *sql.Like:
		n := b.make(OpLike, e.X, e.Pattern)
		if n != nil && e.Escape != '\\' {
			esc := ""
			if e.Escape != 0 {
				esc = string(e.Escape)
			}
			n = newNode(OpLike, append(n.Args, constNode(vec.StringValue(esc)))...)
		}
		return b.not(n, e.Not)
	case *sql.IsNull:
		return b.not(b.make(OpIsNull, e.X), e.Not)
	case *sql.Call:
		return b.call(e)
	case *sql.Star:
		b.fault(e.Pos(), "* cannot stand here")
	}
	return nil
}

// make binds the operands and folds the operation if they are constants. A nil
// operand is an open bound.
func (b *binder) make(op Op, operands ...sql.Expr) *Node {
	args := make([]*Node, len(operands))
	for i, o := range operands {
		if o == nil {
			args[i] = constNode(vec.NullValue)
			continue
		}
		if args[i] = b.expr(o); args[i] == nil {
			return nil
		}
	}
	return b.fold(newNode(op, args...))
}

// not negates IN, BETWEEN, LIKE and IS NULL.
func (b *binder) not(n *Node, not bool) *Node {
	if n == nil || !not {
		return n
	}
	if n.Op == OpConst {
		if n.Value.Kind == vec.Bool {
			return constNode(vec.BoolValue(!n.Value.Truth()))
		}
		return n
	}
	c := *n
	c.Not = true
	return c.seal()
}

// fold replaces an operation on constants by its value. Conditions on NULL
// constants keep their form: their truth depends on NOT.
func (b *binder) fold(n *Node) *Node {
	if b.env.Fold == nil || len(n.Args) == 0 {
		return n
	}
	switch n.Op {
	case OpIn, OpInArray, OpBetween, OpLike, OpIsNull, OpSlice, OpCase, OpSwitch:
		return n
	case OpCall:
		if n.Func.Kind != FuncScalar || n.Func.Volatile {
			return n
		}
	}
	for _, a := range n.Args {
		if a.Op != OpConst {
			return n
		}
	}
	v, err := b.env.Fold(n)
	if err != nil || v.Kind == vec.JSON || v.Kind == vec.Bytes || v.Kind == vec.Timestamp || v.Kind == vec.Missing {
		return n
	}
	return constNode(v)
}

// arrow binds a->b. A chain of keys on a column is a path, which the decoder
// extracts on its own.
func (b *binder) arrow(e *sql.Arrow) *Node {
	x := b.expr(e.X)
	if x == nil {
		return nil
	}
	// Of a column of whichever source has it, that is the column, not what is in it.
	anyOf := x.Op == OpColumn && b.joins() && !b.apart() && len(x.Col.Path) > 0 && x.Col.Path[0] == ""
	if x.Op == OpColumn && x.From == nil && !x.Col.Meta && len(x.Col.Path) > 0 && !anyOf {
		t, ok := typeAt(x.Col.Type, []string{e.Key})
		if !ok { // always null
			n := newNode(OpArrow, x)
			n.Key, n.Text = e.Key, x.Text+"->"+quoteName(e.Key)
			return n
		}
		spec := vec.ColumnSpec{Path: append(slices.Clip(x.Col.Path), e.Key), Type: t}
		return (&Node{Op: OpColumn, Col: spec, Text: x.Text + "->" + quoteName(e.Key)}).seal()
	}
	return (&Node{Op: OpArrow, Args: []*Node{x}, Key: e.Key}).inherit().seal()
}

func (b *binder) caseExpr(e *sql.Case) *Node {
	op, args := OpCase, []sql.Expr(nil)
	if e.X != nil {
		op, args = OpSwitch, []sql.Expr{e.X}
	}
	for _, w := range e.Whens {
		args = append(args, w.Cond, w.Result)
	}
	return b.make(op, append(args, e.Else)...)
}

// call binds a function call.
func (b *binder) call(e *sql.Call) *Node {
	sig, ok := b.env.Funcs.Lookup(e.Name)
	if !ok {
		b.fault(e.Pos(), "function %s not found", e.Written)
		return nil
	}
	if sig.Kind == FuncMeta {
		return b.meta(e, sig)
	}
	if e.HasOver && sig.Kind != FuncAnalytic && sig.Kind != FuncWindow {
		b.fault(e.Pos(), "OVER cannot follow %s", sig.Name)
		return nil
	}
	if (e.Filter != nil || e.Distinct) && sig.Kind != FuncAgg {
		b.fault(e.Pos(), "FILTER and DISTINCT belong to aggregates, which %s is not", sig.Name)
		return nil
	}
	args, ok := b.args(e, sig)
	if !ok {
		return nil
	}
	n := (&Node{Op: OpCall, Func: sig, Args: args}).inherit()
	if sig.Kind == FuncAgg || sig.Kind == FuncAnalytic {
		b.noNumber(e.Pos(), n)
	}
	switch sig.Kind {
	case FuncAgg:
		if n.agg { // by way of an alias: one in its arguments was refused there
			b.fault(e.Pos(), "an argument of aggregate %s is an aggregate itself", sig.Name)
			return nil
		}
		return b.aggregate(e, n)
	case FuncContext:
		return b.context(e, n)
	case FuncAnalytic:
		return b.analytic(e, n)
	case FuncWindow:
		return b.number(e, n)
	case FuncMultiCol, FuncSRF:
		b.fault(e.Pos(), "%s can only be an item of the SELECT list by itself", sig.Name)
		return nil
	}
	if sig.Volatile {
		b.calls++
		return n.sealIn(b.self + "#" + strconv.Itoa(b.calls)) // never shared
	}
	return b.fold(n.seal())
}

// args binds the arguments and has the function look at their number and, where
// they are literals, their kinds.
func (b *binder) args(e *sql.Call, sig *FuncSig) ([]*Node, bool) {
	if len(e.Args) < sig.MinArgs || sig.MaxArgs >= 0 && len(e.Args) > sig.MaxArgs {
		want := strconv.Itoa(sig.MinArgs)
		switch {
		case sig.MaxArgs < 0:
			want = "at least " + want
		case sig.MaxArgs != sig.MinArgs:
			want += " to " + strconv.Itoa(sig.MaxArgs)
		}
		b.fault(e.Pos(), "call func %s error: Expect %s arguments but found %d.", sig.Name, want, len(e.Args))
		return nil, false
	}
	var args []*Node
	facts := make([]FuncArg, len(e.Args))
	good := true
	agg := b.inAgg
	if sig.Kind == FuncAgg {
		if agg {
			b.fault(e.Pos(), "aggregate %s inside an aggregate", sig.Name)
			return nil, false
		}
		b.inAgg = true
	}
	for i, a := range e.Args {
		if _, star := a.(*sql.Star); star {
			facts[i].Star = true
			if !sig.AllowStar {
				b.fault(a.Pos(), "%s does not take *", sig.Name)
				good = false
			}
			continue
		}
		n := b.expr(a)
		if n == nil {
			good = false
			continue
		}
		if n.Op == OpConst {
			facts[i].Literal = &n.Value
		}
		args = append(args, n)
	}
	b.inAgg = agg
	if good && sig.Check != nil {
		if err := sig.Check(facts); err != nil {
			b.fault(e.Pos(), "call func %s error: %v", sig.Name, err)
			good = false
		}
	}
	return args, good
}

// aggregate binds an aggregate. Over whole rows its first argument is the row.
func (b *binder) aggregate(e *sql.Call, n *Node) *Node {
	n.Op, n.agg, n.Star, n.Diff = OpAgg, true, e.Star, e.Distinct
	if n.Func.NeedsRow {
		n.Args = append(n.Args, (&Node{Op: OpColumn}).seal())
	}
	if e.Star && n.Func.Name != "count" {
		n.Args = append([]*Node{(&Node{Op: OpColumn}).seal()}, n.Args...)
		n.Star = false
	}
	if e.Filter != nil {
		f := b.expr(e.Filter)
		if f == nil {
			return nil
		}
		b.noNumber(e.Filter.Pos(), f)
		b.condition(e.Filter.Pos(), f)
		if f.agg {
			b.fault(e.Filter.Pos(), "an aggregate cannot stand in FILTER")
			return nil
		}
		n.Part = true
		n.Args = append([]*Node{f}, n.Args...)
	}
	return n.seal()
}

// meta binds meta(key), meta(key->sub), meta(stream.key), meta(*) and mqtt(key).
func (b *binder) meta(e *sql.Call, sig *FuncSig) *Node {
	if len(e.Args) != 1 {
		b.fault(e.Pos(), "call func %s error: Expect 1 arguments but found %d.", sig.Name, len(e.Args))
		return nil
	}
	switch a := e.Args[0].(type) {
	case *sql.Star:
		return b.metaColumn("", "")
	case *sql.Ident:
		if sig.Name == "mqtt" && !strings.EqualFold(a.Name, "topic") && !strings.EqualFold(a.Name, "messageid") {
			b.fault(a.Pos(), "Parameter of mqtt function can be only topic or messageid.")
			return nil
		}
		if sig.Name == "mqtt" {
			return b.metaColumn(a.Stream, mqttKey(a.Name))
		}
		return b.metaColumn(a.Stream, a.Name)
	case *sql.Arrow:
		if id, ok := a.X.(*sql.Ident); ok {
			if id.Stream == "" && b.sourceOf(id.Name) >= 0 {
				return b.metaColumn(id.Name, a.Key)
			}
			n := &Node{Op: OpArrow, Args: []*Node{b.metaColumn(id.Stream, id.Name)}, Key: a.Key}
			return n.seal()
		}
	case *sql.Literal:
		if a.Value.Kind == vec.String {
			return b.metaColumn("", a.Value.S)
		}
	}
	b.fault(e.Args[0].Pos(), "want the name of a metadata key in %s", sig.Name)
	return nil
}

// mqttKey returns the key of the metadata that mqtt(name) asks for: its parameters
// are in any case of letters, keys are not.
func mqttKey(name string) string {
	if strings.EqualFold(name, "messageid") {
		return "messageId"
	}
	return "topic"
}

// metaColumn returns a key of the metadata, all of it for "", of the source
// called stream; "" is the first source in a joined row that has the key, of
// all keys FROM.
func (b *binder) metaColumn(stream, key string) *Node {
	spec := vec.ColumnSpec{Meta: true}
	switch {
	case b.joins() && stream == "" && key != "":
		spec.Path = []string{"", key}
		return &Node{Op: OpColumn, Col: spec, Text: "meta(" + quoteName(key) + ")"}
	case b.joins():
		spec.Path = append(spec.Path, b.srcs[max(b.sourceOf(stream), 0)].label)
	}
	if key != "" {
		spec.Path = append(spec.Path, key)
	}
	return (&Node{Op: OpColumn, Col: spec}).seal()
}
