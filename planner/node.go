package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// Op says what a step computes from its arguments.
type Op uint8

// The operations. Comparisons give a boolean and are false for null; arithmetic
// gives null for null; And and Or follow the dialect's two-valued logic, in
// which a null on the left decides (null OR true is false).
const (
	OpColumn   Op = iota // an input column of the program
	OpConst              // a constant
	OpNeg                // -x
	OpNot                // NOT x
	OpAdd                // x + y
	OpSub                // x - y
	OpMul                // x * y
	OpDiv                // x / y
	OpMod                // x % y
	OpBitAnd             // x & y
	OpBitOr              // x | y
	OpBitXor             // x ^ y
	OpConcat             // x || y
	OpEq                 // x = y
	OpNe                 // x != y
	OpLt                 // x < y
	OpLe                 // x <= y
	OpGt                 // x > y
	OpGe                 // x >= y
	OpAnd                // x AND y
	OpOr                 // x OR y
	OpArrow              // x->Key
	OpIndex              // x[y]
	OpSlice              // x[y:z]; an absent bound is a null constant
	OpCase               // searched CASE: cond, result, cond, result ..., else
	OpSwitch             // simple CASE: x, value, result, value, result ..., else
	OpIn                 // x IN (y, ...)
	OpInArray            // x IN array
	OpBetween            // x BETWEEN y AND z
	OpLike               // x LIKE y, ESCAPE z
	OpIsNull             // x IS NULL
	OpCall               // a function of the function table
	OpAgg                // an aggregate; only below a window, replaced by a column
	OpSpan               // an aggregate over all rows of a window, for each of them
	OpAnalytic           // a stateful function: arguments, then PARTITION BY keys
	OpNumber             // row_number: PARTITION BY keys, then ORDER BY keys
)

var opText = [...]string{
	OpColumn: "column", OpConst: "const", OpNeg: "-", OpNot: "NOT", OpAdd: "+", OpSub: "-", OpMul: "*", OpDiv: "/",
	OpMod: "%", OpBitAnd: "&", OpBitOr: "|", OpBitXor: "^", OpConcat: "||", OpEq: "=", OpNe: "!=", OpLt: "<", OpLe: "<=",
	OpGt: ">", OpGe: ">=", OpAnd: "AND", OpOr: "OR", OpArrow: "->", OpIndex: "[]", OpSlice: "[:]", OpCase: "CASE",
	OpSwitch: "CASE", OpIn: "IN", OpInArray: "IN", OpBetween: "BETWEEN", OpLike: "LIKE", OpIsNull: "IS NULL",
	OpCall: "call", OpAgg: "aggregate", OpSpan: "aggregate", OpAnalytic: "analytic", OpNumber: "row_number",
}

// String returns the operator as it is written.
func (o Op) String() string { return opText[o] }

// Comparison tells whether o is one of = != < <= > >=.
func (o Op) Comparison() bool { return o >= OpEq && o <= OpGe }

// flip returns the comparison that holds for (y, x) if o holds for (x, y).
func (o Op) flip() Op {
	switch o {
	case OpLt:
		return OpGt
	case OpLe:
		return OpGe
	case OpGt:
		return OpLt
	case OpGe:
		return OpLe
	}
	return o
}

// Node is a bound expression: names are resolved, aliases replaced by what they
// stand for, constants folded. It is immutable, and two nodes with equal Text
// compute the same value for every row, which is what makes them one step.
type Node struct {
	Args  []*Node
	Col   vec.ColumnSpec // OpColumn of a stream
	Value vec.Value      // OpConst
	Key   string         // OpArrow
	Func  *FuncSig       // OpCall, OpAgg, OpSpan, OpAnalytic
	Desc  []bool         // OpNumber: of each ORDER BY key
	From  *Node          // a column of a window's output instead of a stream's: what it stands for below the window
	Names []string       // OpAnalytic changed_cols: the names of its values
	Text  string         // canonical text
	Keys  int            // OpAnalytic: how many of the last Args, before After, are PARTITION BY keys; OpNumber: of the first
	After int            // OpAnalytic: how many of the last Args are only to have not failed for the row

	// Small fields stand together: there are thousands of nodes.
	Op       Op
	FromKind StageColKind // of From
	Not      bool         // OpIn, OpInArray, OpBetween, OpLike, OpIsNull: negated
	When     bool         // OpAnalytic: the argument before the keys is the WHEN condition
	Star     bool         // OpAgg, OpSpan: aggregate over whole rows
	Part     bool         // OpAgg, OpSpan: Args[0] is the FILTER condition
	Diff     bool         // OpAgg, OpSpan: DISTINCT
	agg      bool         // an aggregate is below
	hits     bool         // a function that counts the rule's own results is below
	nums     bool         // a row_number is below
}

// Counts tells whether n depends on how many results its rule sent before.
func (n *Node) Counts() bool { return n.hits }

// inherit takes over what holds for a node if it holds below it.
func (n *Node) inherit() *Node {
	for _, a := range n.Args {
		n.agg = n.agg || a.agg
		n.hits = n.hits || a.hits
		n.nums = n.nums || a.nums
	}
	return n
}

// newNode makes a node and its canonical text.
func newNode(op Op, args ...*Node) *Node {
	return (&Node{Op: op, Args: args}).inherit().seal()
}

// seal makes n's canonical text from its parts.
func (n *Node) seal() *Node {
	var b strings.Builder
	arg := func(i int) { b.WriteString(n.Args[i].Text) }
	list := func(from, to int) {
		for i := from; i < to; i++ {
			if i > from {
				b.WriteString(", ")
			}
			arg(i)
		}
	}
	not := ""
	if n.Not {
		not = "NOT "
	}
	switch n.Op {
	case OpColumn:
		if n.Text == "" {
			n.Text = columnText(n.Col)
		}
		return n
	case OpConst:
		n.Text = constText(n.Value)
		return n
	case OpNeg, OpNot:
		b.WriteString(n.Op.String() + " (")
		arg(0)
		b.WriteByte(')')
	case OpArrow:
		arg(0)
		b.WriteString("->" + quoteName(n.Key))
	case OpIndex:
		arg(0)
		b.WriteByte('[')
		arg(1)
		b.WriteByte(']')
	case OpSlice:
		arg(0)
		b.WriteByte('[')
		arg(1)
		b.WriteByte(':')
		arg(2)
		b.WriteByte(']')
	case OpCase, OpSwitch:
		b.WriteString("CASE")
		i := 0
		if n.Op == OpSwitch {
			b.WriteByte(' ')
			arg(0)
			i = 1
		}
		for ; i+1 < len(n.Args); i += 2 {
			b.WriteString(" WHEN ")
			arg(i)
			b.WriteString(" THEN ")
			arg(i + 1)
		}
		b.WriteString(" ELSE ")
		arg(i)
		b.WriteString(" END")
	case OpIn:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" " + not + "IN (")
		list(1, len(n.Args))
		b.WriteString("))")
	case OpInArray:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" " + not + "IN ")
		arg(1)
		b.WriteByte(')')
	case OpBetween:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" " + not + "BETWEEN ")
		arg(1)
		b.WriteString(" AND ")
		arg(2)
		b.WriteByte(')')
	case OpLike:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" " + not + "LIKE ")
		arg(1)
		if len(n.Args) > 2 {
			b.WriteString(" ESCAPE ")
			arg(2)
		}
		b.WriteByte(')')
	case OpIsNull:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" IS " + not + "NULL)")
	case OpCall, OpAgg, OpAnalytic:
		n.callText(&b, list)
	case OpSpan:
		n.callText(&b, list)
		b.WriteString(" OVER ()")
	case OpNumber:
		n.numberText(&b)
	default:
		b.WriteByte('(')
		arg(0)
		b.WriteString(" " + n.Op.String() + " ")
		arg(1)
		b.WriteByte(')')
	}
	n.Text = b.String()
	return n
}

// sealIn is seal for an expression that is not the same wherever it is written: it
// counts, remembers or depends on a rule. Only those of one scope are the same: a
// rule, the rules that start in an epoch, or a single call. Scopes stand in the text,
// so that equal texts stay the one thing that makes two expressions one step.
func (n *Node) sealIn(scope string) *Node {
	n.seal()
	n.Text += "@" + scope
	return n
}

func (n *Node) callText(b *strings.Builder, list func(from, to int)) {
	b.WriteString(n.Func.Name + "(")
	end := len(n.Args) - n.After
	from, to := 0, end-n.Keys
	if n.When {
		to--
	}
	if n.Part {
		from = 1
	}
	if n.Diff {
		b.WriteString("DISTINCT ")
	}
	if n.Star {
		b.WriteByte('*')
		if from < to {
			b.WriteString(", ")
		}
	}
	list(from, to)
	b.WriteByte(')')
	if n.Part {
		b.WriteString(" FILTER (WHERE " + n.Args[0].Text + ")")
	}
	if n.When || n.Keys > 0 {
		b.WriteString(" OVER (")
		if n.Keys > 0 {
			b.WriteString("PARTITION BY ")
			list(end-n.Keys, end)
		}
		if n.When {
			b.WriteString(" WHEN " + n.Args[to].Text)
		}
		b.WriteByte(')')
	}
	for i, a := range n.Args[end:] {
		b.WriteString([]string{" AFTER ", ", "}[min(i, 1)] + short(a.Text))
	}
}

// short returns text, or its hash if it is long: texts that hold the texts of
// those before them would grow with the square of their number.
func short(text string) string {
	if len(text) <= 200 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "#" + hex.EncodeToString(sum[:])
}

func (n *Node) numberText(b *strings.Builder) {
	b.WriteString("row_number()")
	if len(n.Args) == 0 {
		return
	}
	b.WriteString(" OVER (")
	for i, a := range n.Args {
		switch {
		case i == 0 && n.Keys > 0:
			b.WriteString("PARTITION BY ")
		case i == n.Keys && i > 0:
			b.WriteString(" ORDER BY ")
		case i == n.Keys:
			b.WriteString("ORDER BY ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(a.Text)
		if i >= n.Keys && n.Desc[i-n.Keys] {
			b.WriteString(" DESC")
		}
	}
	b.WriteByte(')')
}

// columnText names a column as a user would write it.
func columnText(c vec.ColumnSpec) string {
	text := "*"
	if len(c.Path) > 0 {
		parts := make([]string, len(c.Path))
		for i, p := range c.Path {
			parts[i] = quoteName(p)
		}
		text = strings.Join(parts, "->")
	}
	if c.Meta {
		return "meta(" + text + ")"
	}
	return text
}

// quoteName writes a name with backquotes, those in it doubled, unless it is a
// plain identifier.
func quoteName(s string) string {
	for i, r := range s {
		if r == '_' && i > 0 || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9' {
			continue
		}
		return "`" + strings.ReplaceAll(s, "`", "``") + "`"
	}
	if s == "" {
		return "``"
	}
	return s
}

// constText writes a constant so that its kind shows: 1 and 1.0 differ.
func constText(v vec.Value) string {
	switch v.Kind {
	case vec.Bool:
		return strconv.FormatBool(v.I != 0)
	case vec.Int64:
		return strconv.FormatInt(v.I, 10)
	case vec.Float64:
		if v.I != 0 {
			return strconv.FormatInt(v.I, 10) + ".0"
		}
		s := string(vec.AppendJSONFloat(nil, v.F))
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case vec.String:
		return strconv.Quote(v.S)
	}
	return "null"
}

// walk calls f for n and, if f returns true, for what is below.
func (n *Node) walk(f func(*Node) bool) {
	if f(n) {
		for _, a := range n.Args {
			a.walk(f)
		}
	}
}

func constNode(v vec.Value) *Node { return (&Node{Op: OpConst, Value: v}).seal() }
