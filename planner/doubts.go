package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// What always fails, and a condition that is never true, is accepted, since eKuiper
// accepts it, but said in the answer: a rule that is silent for ever tells nobody why.
// It is found by computing each operation for samples of all kinds that its operands
// may have: those of a declared column, those that an operation below may give, and
// every kind where nothing is known.

// may is a set of kinds that a value may have; true and false count as two.
type may uint16

const (
	mayNull may = 1 << iota
	mayInt
	mayFloat
	mayText
	mayTrue
	mayFalse
	mayTime
	mayBytes
	mayNest
	mayAny = mayNest<<1 - 1
)

// samples are values of the kinds of may, in their order; of nested ones both.
var samples = func() [][]vec.Value {
	long := make([]any, 8)
	return [][]vec.Value{
		{vec.NullValue},
		{vec.IntValue(1)},
		{vec.FloatValue(1.5)},
		{vec.StringValue("a"), vec.StringValue("2024-01-01")},
		{vec.BoolValue(true)},
		{vec.BoolValue(false)},
		{vec.TimeValue(1)},
		{vec.BytesValue([]byte("a"))},
		{vec.TreeValue(long), vec.TreeValue(map[string]any{"a": int64(1)})},
	}
}()

// mayOf returns the kind of v as a set.
func mayOf(v vec.Value) may {
	switch v.Kind {
	case vec.Int64:
		return mayInt
	case vec.Float64:
		return mayFloat
	case vec.String:
		return mayText
	case vec.Bool:
		if v.Truth() {
			return mayTrue
		}
		return mayFalse
	case vec.Timestamp:
		return mayTime
	case vec.Bytes:
		return mayBytes
	case vec.JSON, vec.Variant:
		return mayNest
	}
	return mayNull
}

// doubts is what a binder finds, if it looks.
type doubts struct {
	may   map[string]may // by text of an operation
	bad   map[string]bool
	texts []string
}

// doubt notes what is odd at a place of the text, once.
func (b *binder) doubt(at sql.Pos, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if at.Line > 0 {
		text = fmt.Sprintf("line %d column %d: %s", at.Line, at.Col, text)
	}
	if !slices.Contains(b.odd.texts, text) {
		b.odd.texts = append(b.odd.texts, text)
	}
}

// look finds out what n, an expression at a place of the text, may be.
func (b *binder) look(e sql.Expr, n *Node) {
	if b.env.Compute == nil || n == nil {
		return
	}
	if a, ok := e.(*sql.Arrow); ok {
		b.lookQualifier(a)
	}
	if _, known := b.odd.may[n.Text]; known {
		return
	}
	if b.odd.may == nil {
		b.odd.may, b.odd.bad = map[string]may{}, map[string]bool{}
	}
	var m may
	switch n.Op {
	case OpConst:
		m = mayOf(n.Value)
	case OpColumn:
		m = mayOfType(n.Col.Type)
	case OpCall:
		m = b.lookCall(e.Pos(), n)
	case OpCase, OpSwitch, OpAgg, OpSpan, OpAnalytic, OpNumber, OpArrow:
		m = mayAny
	default:
		m = b.try(e.Pos(), n)
	}
	b.odd.may[n.Text] = m
}

func mayOfType(t vec.Type) may {
	if t.Kind == vec.Missing {
		return mayAny
	}
	v := vec.Value{Kind: t.Kind}
	m := mayOf(v)
	if t.Kind == vec.Bool {
		m = mayTrue | mayFalse
	}
	return m | mayNull
}

// maxTries bounds the combinations of samples that are computed for one operation.
const maxTries = 2000

// try computes n for samples of its operands. It returns what came out.
func (b *binder) try(at sql.Pos, n *Node) may {
	lists := make([][]vec.Value, len(n.Args))
	tries := 1
	konst := true
	for i, a := range n.Args {
		if b.odd.bad[a.Text] {
			b.odd.bad[n.Text] = true
			return mayAny
		}
		lists[i] = b.operands(n, i)
		konst = konst && a.Op == OpConst
		if tries *= len(lists[i]); tries > maxTries {
			return mayAny
		}
	}
	out, whole, why := b.tries(n, lists)
	if why != nil && !whole {
		b.odd.bad[n.Text] = true
		if konst {
			b.doubt(at, "%s always fails: %v%s", n.Text, why, habit(n))
		} else {
			b.doubt(at, "%s fails for every row, for example: %v%s", n.Text, why, habit(n))
		}
		return mayAny
	}
	if n.Op == OpIndex { // the samples have no such elements
		return mayAny
	}
	return out
}

// operands returns the values that operand i of n is tried with.
func (b *binder) operands(n *Node, i int) []vec.Value {
	a := n.Args[i]
	if a.Op == OpConst {
		if i > 0 && (n.Op == OpIndex || n.Op == OpSlice) && a.Value.Kind.Numeric() {
			return []vec.Value{vec.IntValue(int64(i - 1))} // the sample is not as long as the array
		}
		return []vec.Value{a.Value}
	}
	m, ok := b.odd.may[a.Text]
	if !ok {
		m = mayAny
	}
	var out []vec.Value
	for k, list := range samples {
		if m&(1<<k) != 0 {
			out = append(out, list...)
		}
	}
	return out
}

// tries computes n for all combinations. whole tells whether one without a null gave
// something, why is what such a one failed with first.
func (b *binder) tries(n *Node, lists [][]vec.Value) (out may, whole bool, why error) {
	args := make([]vec.Value, len(lists))
	var each func(i int, null, konst bool)
	each = func(i int, null, konst bool) {
		if i < len(lists) {
			for _, v := range lists[i] {
				if whole && out == mayNull|mayTrue|mayFalse {
					return // more than that no condition gives
				}
				args[i] = v
				each(i+1, null || v.IsNull(), konst && n.Args[i].Op == OpConst)
			}
			return
		}
		v, err := b.env.Compute(n, args)
		switch {
		case err != nil:
			if !null && why == nil {
				why = err
			}
			return
		case v.Kind == vec.Bool && !null && !konst && n.Op != OpAnd && n.Op != OpOr && n.Op != OpNot && n.Op != OpIsNull:
			out |= mayTrue | mayFalse // other values may compare otherwise
		case v.Kind == vec.Float64:
			out |= mayFloat | mayInt
		default:
			out |= mayOf(v)
		}
		whole = whole || !null
	}
	each(0, false, true)
	return out, whole, why
}

// habit says what may be meant where something fails: a text that looks like a column,
// and || where other languages write OR.
func habit(n *Node) (hint string) {
	n.walk(func(x *Node) bool {
		if x.Op == OpConcat {
			hint = "; || joins texts and binds tighter than comparisons: write OR if that is meant"
		}
		return hint == ""
	})
	for _, a := range n.Args {
		if a.Op == OpConst && a.Value.Kind == vec.String && quoteName(a.Value.S) == a.Value.S {
			return fmt.Sprintf("; %s is a text, a column is written without quotes or in backquotes", a.Text)
		}
	}
	return hint
}

// lookCall computes a call of constants, and has the function look at those among its
// arguments.
func (b *binder) lookCall(at sql.Pos, n *Node) may {
	facts := make([]FuncArg, len(n.Args))
	konst := n.Func.Kind == FuncScalar && !n.Func.Volatile && !n.Func.PerRule && !n.Func.Catches
	values := make([]vec.Value, len(n.Args))
	for i, a := range n.Args {
		if b.odd.bad[a.Text] && !n.Func.Catches {
			b.odd.bad[n.Text] = true
			return mayAny
		}
		if konst = konst && a.Op == OpConst; a.Op == OpConst {
			facts[i].Literal, values[i] = &a.Value, a.Value
		}
	}
	var why error
	if konst {
		_, why = b.env.Compute(n, values)
	} else if n.Func.Doubt != nil {
		why = n.Func.Doubt(facts)
	}
	if why != nil {
		b.odd.bad[n.Text] = true
		b.doubt(at, "%s always fails: %v", n.Text, why)
	}
	return mayAny
}

// condition tells of a condition that can never hold.
func (b *binder) condition(at sql.Pos, n *Node) {
	if b.env.Compute == nil || n == nil || b.odd.bad[n.Text] {
		return
	}
	m, ok := b.odd.may[n.Text]
	switch {
	case !ok || m&mayTrue != 0:
	case m&(mayFalse|mayNull) == 0:
		b.doubt(at, "the condition %s is neither true nor false: it fails for every row", n.Text)
	case m&mayFalse == 0 && m != mayNull:
		b.doubt(at, "the condition %s is neither true nor false, whatever the row has%s", n.Text, habit(n))
	case n.Op == OpConst && b.clause == "ON": // joins nothing, which is what ON FALSE is for
	default:
		hint := ""
		if n.Op.Comparison() && slices.ContainsFunc(n.Args, func(a *Node) bool { return a.Op == OpConst && a.Value.IsNull() }) {
			hint = ": nothing equals null, write IS NULL or IS NOT NULL"
		}
		b.doubt(at, "the condition %s is never true%s", n.Text, hint)
	}
}

// lookQualifier tells of x.y in a join where x is no source: it is taken as the member
// y of a column x.
func (b *binder) lookQualifier(a *sql.Arrow) {
	x, ok := a.X.(*sql.Ident)
	if !ok || x.Stream != "" || !b.joins() || b.aliases[x.Name] != nil || !strings.HasPrefix(behind(b.sel.Text, a.Pos()), ".") {
		return
	}
	names := make([]string, len(b.srcs))
	for i, s := range b.srcs {
		names[i] = s.label
	}
	b.doubt(x.Pos(), "%s is none of the sources %s: %s.%s is taken as the member %s of a column %s; write %s->%s if that is meant",
		quoteName(x.Name), strings.Join(names, ", "), x.Name, a.Key, a.Key, x.Name, x.Name, a.Key)
}

// behind returns the text from a place on.
func behind(text string, at sql.Pos) string {
	for line := 1; line < at.Line; line++ {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return ""
		}
		text = rest
	}
	col := 1
	for i := range text {
		if col == at.Col {
			return text[i:]
		}
		col++
	}
	return ""
}
