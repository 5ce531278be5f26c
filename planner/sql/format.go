package sql

import (
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// Format returns e as a person would write it. Parsed in the same statement, it
// gives e again.
func Format(e Expr) string {
	p := printer{}
	p.expr(e, 0)
	return string(p.buf)
}

// printer writes expressions; full asks for a form in which two texts are equal
// exactly if the trees are: parentheses around every operator, all names quoted.
type printer struct {
	buf  []byte
	full bool
}

// Levels above those of the binary operators: -x, and x with accesses.
const (
	levelNot    = levelAnd // NOT binds looser than a comparison on either side
	levelMinus  = levelMul + 1
	levelAccess = levelMul + 2
)

var opLevels = [...]int{
	OpNeg: levelMinus, OpNot: levelNot, OpAdd: levelAdd, OpSub: levelAdd, OpMul: levelMul, OpDiv: levelMul,
	OpMod: levelMul, OpBitAnd: levelMul, OpBitOr: levelAdd, OpBitXor: levelAdd, OpConcat: levelAdd,
	OpEq: levelCompare, OpNe: levelCompare, OpLt: levelCompare, OpLe: levelCompare, OpGt: levelCompare,
	OpGe: levelCompare, OpAnd: levelAnd, OpOr: levelOr,
}

func (p *printer) text(s string) { p.buf = append(p.buf, s...) }

// name writes an identifier, in backquotes where it needs them.
func (p *printer) name(s string) {
	if !p.full && plain(s) {
		p.text(s)
		return
	}
	p.buf = append(p.buf, '`')
	p.text(s)
	p.buf = append(p.buf, '`')
}

// plain tells whether s is a name without backquotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; !letter(c) && (i == 0 || !digit(c) && c != '_') {
			return false
		}
	}
	k := lookupKeyword(s)
	return s != "" && (k == kNone || k == kUnit) && !fold(s, "NULL") && !fold(s, "DISTINCT") && !fold(s, "IS")
}

// level returns how tight the outermost operator of e binds.
func level(e Expr) int {
	switch e := e.(type) {
	case *Binary:
		return opLevels[e.Op]
	case *Unary:
		return opLevels[e.Op]
	case *In, *Between, *Like, *IsNull:
		return levelCompare
	case *Literal:
		if n := e.Value; n.Kind == vec.Int64 && n.I < 0 || n.Kind == vec.Float64 && n.F < 0 {
			return levelMinus
		}
	}
	return levelAccess
}

// expr writes e, in parentheses if it binds looser than least.
func (p *printer) expr(e Expr, least int) {
	l := level(e)
	parens := l < least || p.full && l < levelMinus
	if parens {
		p.text("(")
	}
	switch e := e.(type) {
	case *Unary:
		if e.Op == OpNot {
			p.text("NOT ")
			p.expr(e.X, levelCompare)
		} else {
			p.text("-")
			p.negated(e.X)
		}
	case *Binary:
		p.expr(e.L, l)
		p.text(" ")
		p.text(e.Op.String())
		p.text(" ")
		p.expr(e.R, l+1)
	case *In:
		p.expr(e.X, levelCompare)
		p.not(e.Not, " IN ")
		if e.Array != nil {
			p.expr(e.Array, levelAdd)
		} else {
			p.text("(")
			p.list(e.List)
			p.text(")")
		}
	case *Between:
		p.expr(e.X, levelCompare)
		p.not(e.Not, " BETWEEN ")
		p.expr(e.Lo, levelAdd)
		p.text(" AND ")
		p.expr(e.Hi, levelAdd)
	case *Like:
		p.expr(e.X, levelCompare)
		p.not(e.Not, " LIKE ")
		p.expr(e.Pattern, levelAdd)
		if e.Escape != '\\' {
			p.text(" ESCAPE ")
			s := ""
			if e.Escape != 0 {
				s = string(e.Escape)
			}
			p.buf = strconv.AppendQuote(p.buf, s)
		}
	case *IsNull:
		p.expr(e.X, levelCompare)
		p.text(" IS")
		p.not(e.Not, " NULL")
	default:
		p.operand(e)
	}
	if parens {
		p.text(")")
	}
}

// negated writes x behind a minus, so that no comment and no negative literal comes of it.
func (p *printer) negated(x Expr) {
	lit, ok := base(x).(*Literal)
	if ok && lit.Value.Kind.Numeric() || level(x) < levelAccess {
		p.text("(")
		p.expr(x, 0)
		p.text(")")
		return
	}
	p.expr(x, levelAccess)
}

// base returns what x accesses a part of.
func base(x Expr) Expr {
	for {
		switch e := x.(type) {
		case *Arrow:
			x = e.X
		case *Index:
			x = e.X
		case *Slice:
			x = e.X
		default:
			return x
		}
	}
}

func (p *printer) not(not bool, word string) {
	if not {
		p.text(" NOT")
	}
	p.text(word)
}

func (p *printer) list(list []Expr) {
	for i, e := range list {
		if i > 0 {
			p.text(", ")
		}
		p.expr(e, 0)
	}
}

// operand writes what no operator is outermost in.
func (p *printer) operand(e Expr) {
	switch e := e.(type) {
	case *Ident:
		if e.Stream != "" {
			p.name(e.Stream)
			p.text(".")
		}
		p.name(e.Name)
	case *Star:
		if e.Stream != "" {
			p.name(e.Stream)
			p.text(".")
		}
		p.text("*")
	case *Literal:
		p.literal(e.Value)
	case *Arrow:
		p.expr(e.X, levelAccess)
		p.text("->")
		p.name(e.Key)
	case *Index:
		p.expr(e.X, levelAccess)
		p.text("[")
		p.expr(e.I, 0)
		p.text("]")
	case *Slice:
		p.expr(e.X, levelAccess)
		p.text("[")
		if e.From != nil {
			p.expr(e.From, 0)
		}
		p.text(":")
		if e.To != nil {
			p.expr(e.To, 0)
		}
		p.text("]")
	case *Case:
		p.caseExpr(e)
	case *Call:
		p.call(e)
	default:
		p.text("?")
	}
}

func (p *printer) literal(v vec.Value) {
	switch v.Kind {
	case vec.Bool:
		if v.I != 0 {
			p.text("TRUE")
		} else {
			p.text("FALSE")
		}
	case vec.Int64:
		p.buf = strconv.AppendInt(p.buf, v.I, 10)
	case vec.Float64:
		n := len(p.buf)
		p.buf = vec.AppendJSONFloat(p.buf, v.F)
		for _, c := range p.buf[n:] {
			if c == '.' || c == 'e' {
				return
			}
		}
		p.text(".0")
	case vec.String:
		p.buf = strconv.AppendQuote(p.buf, v.S)
	default:
		p.text("NULL")
	}
}

func (p *printer) caseExpr(e *Case) {
	p.text("CASE")
	if e.X != nil {
		p.text(" ")
		p.expr(e.X, 0)
	}
	for _, w := range e.Whens {
		p.text(" WHEN ")
		p.expr(w.Cond, 0)
		p.text(" THEN ")
		p.expr(w.Result, 0)
	}
	if e.Else != nil {
		p.text(" ELSE ")
		p.expr(e.Else, 0)
	}
	p.text(" END")
}

// args writes the arguments of e. `distinct - 1` is a difference, so what stands
// behind DISTINCT is put in parentheses unless it clearly begins with an operand.
func (p *printer) args(e *Call) {
	list := e.Args
	if e.Distinct {
		p.text("DISTINCT ")
		switch list[0].(type) {
		case *Ident, *Call, *Case:
		default:
			if !p.full {
				p.text("(")
				p.expr(list[0], 0)
				p.text(")")
				if list = list[1:]; len(list) > 0 {
					p.text(", ")
				}
			}
		}
	}
	p.list(list)
}

func (p *printer) call(e *Call) {
	if Reserved(e.Name) {
		p.text("`" + e.Name + "`")
	} else {
		p.name(e.Name)
	}
	p.text("(")
	p.args(e)
	p.text(")")
	if e.Filter != nil {
		p.text(" FILTER (WHERE ")
		p.expr(e.Filter, 0)
		p.text(")")
	}
	if !e.HasOver {
		return
	}
	p.text(" OVER (")
	sep := ""
	if e.Partition != nil {
		p.text("PARTITION BY ")
		p.list(e.Partition)
		sep = " "
	}
	if e.When != nil {
		p.text(sep + "WHEN ")
		p.expr(e.When, 0)
		sep = " "
	}
	for i, o := range e.OrderBy {
		if i == 0 {
			p.text(sep + "ORDER BY ")
		} else {
			p.text(", ")
		}
		p.expr(o.Expr, 0)
		if o.Desc {
			p.text(" DESC")
		}
	}
	p.text(")")
}
