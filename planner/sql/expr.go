package sql

import "github.com/weir-engine/weir/vec"

// The levels of precedence, from loose to tight. NOT stands between AND and the
// comparisons, -x and the accesses ([], ->, .) above all.
const (
	levelOr = 1 + iota
	levelAnd
	levelCompare
	levelAdd
	levelMul
)

// infix is the operator and level of each binary operator's token.
var infix = [tGe + 1]struct {
	op    Op
	level int
}{
	tEq: {OpEq, levelCompare}, tNe: {OpNe, levelCompare}, tLt: {OpLt, levelCompare}, tLe: {OpLe, levelCompare},
	tGt: {OpGt, levelCompare}, tGe: {OpGe, levelCompare},
	tPlus: {OpAdd, levelAdd}, tMinus: {OpSub, levelAdd}, tPipe: {OpBitOr, levelAdd}, tCaret: {OpBitXor, levelAdd}, tConcat: {OpConcat, levelAdd},
	tStar: {OpMul, levelMul}, tSlash: {OpDiv, levelMul}, tPercent: {OpMod, levelMul}, tAmp: {OpBitAnd, levelMul},
}

// expr reads an expression of any level.
func (p *parser) expr() Expr { return p.exprAt(levelOr) }

// exprAt reads an expression whose operators bind at least as tight as level.
// All operators group from the left.
func (p *parser) exprAt(level int) Expr {
	x := p.prefix()
	for x != nil {
		t := p.tok()
		op, l := infix[min(t.kind, tGe)].op, infix[min(t.kind, tGe)].level
		switch t.kw {
		case kOr:
			op, l = OpOr, levelOr
		case kAnd:
			op, l = OpAnd, levelAnd
		case kIn, kBetween, kLike, kNot:
			if level > levelCompare {
				return x
			}
			x = p.predicate(x)
			continue
		}
		if t.kind == tIdent && level <= levelCompare && fold(p.src(t), "IS") {
			x = p.isNull(x)
			continue
		}
		if op == OpNone || l < level {
			return x
		}
		p.next()
		left := p.height
		r := p.exprAt(l + 1)
		if r == nil || !p.grow(max(left, p.height)) {
			return nil
		}
		x = &Binary{Node{t.pos()}, op, x, r}
	}
	return nil
}

// prefix reads NOT, a minus, or an operand.
func (p *parser) prefix() Expr {
	t := p.tok()
	if t.kw != kNot && t.kind != tMinus {
		return p.postfix()
	}
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.next()
	if t.kw == kNot {
		x := p.exprAt(levelCompare)
		if x == nil || !p.grow(p.height) {
			return nil
		}
		return &Unary{Node{t.pos()}, OpNot, x}
	}
	if n := p.tok(); n.kind == tNumber {
		p.next()
		p.height = 1
		v, ok := p.number(n, true)
		if !ok {
			return nil
		}
		return p.access(&Literal{Node{t.pos()}, v})
	}
	x := p.prefix()
	if x == nil || !p.grow(p.height) {
		return nil
	}
	return &Unary{Node{t.pos()}, OpNeg, x}
}

// predicate reads [NOT] IN, BETWEEN or LIKE behind x.
func (p *parser) predicate(x Expr) Expr {
	at, h := p.at(), p.height
	not := p.acceptKw(kNot)
	kw := p.kw()
	switch kw {
	case kIn, kBetween, kLike:
		p.next()
	default:
		p.expected("IN, BETWEEN or LIKE")
		return nil
	}
	var e Expr
	switch kw {
	case kIn:
		e = p.in(at, x, not)
	case kBetween:
		e = p.between(at, x, not)
	default:
		e = p.like(at, x, not)
	}
	if e == nil || !p.grow(max(h, p.height)) {
		return nil
	}
	return e
}

func (p *parser) in(at Pos, x Expr, not bool) Expr {
	if p.kind() != tLParen {
		a := p.exprAt(levelAdd)
		if a == nil {
			return nil
		}
		return &In{Node: Node{at}, X: x, Array: a, Not: not}
	}
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.next()
	list, ok := p.exprs()
	if !ok || !p.want(tRParen, `"," or ")"`) {
		return nil
	}
	return &In{Node: Node{at}, X: x, List: list, Not: not}
}

func (p *parser) between(at Pos, x Expr, not bool) Expr {
	lo := p.exprAt(levelAdd)
	if lo == nil {
		return nil
	}
	h := p.height
	if !p.acceptKw(kAnd) {
		p.expected("AND and the upper bound of BETWEEN")
		return nil
	}
	hi := p.exprAt(levelAdd)
	if hi == nil {
		return nil
	}
	p.height = max(h, p.height)
	return &Between{Node{at}, x, lo, hi, not}
}

func (p *parser) like(at Pos, x Expr, not bool) Expr {
	pattern := p.exprAt(levelAdd)
	if pattern == nil {
		return nil
	}
	e := &Like{Node{at}, x, pattern, '\\', not}
	if !p.acceptWord("ESCAPE") {
		return e
	}
	t := p.tok()
	if !p.want(tString, "a string of one character behind ESCAPE") {
		return nil
	}
	s, ok := p.unquote(t)
	if !ok {
		return nil
	}
	r := []rune(s)
	if len(r) > 1 {
		p.expectedAt(t, "a string of one character behind ESCAPE")
		return nil
	}
	e.Escape = 0
	if len(r) == 1 {
		e.Escape = r[0]
	}
	return e
}

func (p *parser) isNull(x Expr) Expr {
	e := &IsNull{Node: Node{p.at()}, X: x}
	p.next()
	e.Not = p.acceptKw(kNot)
	if !p.acceptWord("NULL") {
		p.expected("NULL or NOT NULL")
		return nil
	}
	if !p.grow(p.height) {
		return nil
	}
	return e
}

// exprs reads one or more expressions with commas between them; the height is
// that of the highest.
func (p *parser) exprs() ([]Expr, bool) {
	var list []Expr
	h := 0
	for {
		e := p.expr()
		if e == nil {
			return nil, false
		}
		list = append(list, e)
		h = max(h, p.height)
		if !p.accept(tComma) {
			p.height = h
			return list, true
		}
	}
}

// postfix reads an operand and what is accessed within it.
func (p *parser) postfix() Expr {
	x := p.operand()
	if x == nil {
		return nil
	}
	return p.access(x)
}

// access reads ->key, .key, [i] and [from:to] behind x.
func (p *parser) access(x Expr) Expr {
	for {
		t := p.tok()
		switch t.kind {
		case tArrow, tDot:
			p.next()
			key, ok := p.memberName()
			if !ok || !p.grow(p.height) {
				return nil
			}
			x = &Arrow{Node{t.pos()}, x, key}
		case tLBrack:
			if x = p.bracket(x); x == nil {
				return nil
			}
		default:
			return x
		}
	}
}

// bracket reads [i], [from:to] with either bound left out, or [].
func (p *parser) bracket(x Expr) Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	h := p.height
	t := p.next()
	var from, to Expr
	slice := p.kind() == tColon || p.kind() == tRBrack
	if !slice {
		if from = p.expr(); from == nil {
			return nil
		}
		h = max(h, p.height)
	}
	if p.accept(tColon) {
		slice = true
		if p.kind() != tRBrack {
			if to = p.expr(); to == nil {
				return nil
			}
			h = max(h, p.height)
		}
	}
	if !p.want(tRBrack, `"]"`) || !p.grow(h) {
		return nil
	}
	if slice {
		return &Slice{Node{t.pos()}, x, from, to}
	}
	return &Index{Node{t.pos()}, x, from}
}

// operand reads a literal, a name, a call, CASE or parentheses.
func (p *parser) operand() Expr {
	t := p.tok()
	p.height = 1
	switch t.kind {
	case tNumber:
		p.next()
		if v, ok := p.number(t, false); ok {
			return &Literal{Node{t.pos()}, v}
		}
		return nil
	case tString:
		p.next()
		if s, ok := p.unquote(t); ok {
			return &Literal{Node{t.pos()}, vec.StringValue(s)}
		}
		return nil
	case tLParen:
		return p.parenthesis()
	case tIdent, tQuoted:
		return p.named()
	}
	switch t.kw {
	case kTrue, kFalse:
		p.next()
		return &Literal{Node{t.pos()}, vec.BoolValue(t.kw == kTrue)}
	case kCase:
		return p.caseExpr()
	case kUnit:
		return p.named()
	case kReplace, kFilter, kExcept, kDefault, kDesc, kAsc, kEnd:
		p.expected("expression; put a keyword in backquotes to use it as a name")
		return nil
	case kGroup, kOrder:
		if p.ahead(1).kw != kBy {
			p.expected("expression; put a keyword in backquotes to use it as a name")
			p.next() // it begins no clause
			return nil
		}
	}
	p.expected("expression")
	return nil
}

func (p *parser) parenthesis() Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.next()
	x := p.expr()
	if x == nil || !p.want(tRParen, `operator or ")"`) {
		return nil
	}
	return x
}

// named reads a column, `source.column`, a call or NULL.
func (p *parser) named() Expr {
	t := p.tok()
	name, ok := p.columnName("a name")
	if !ok {
		return nil
	}
	if p.kind() == tLParen && t.kind != tKeyword {
		return p.call(t, name)
	}
	if t.kind == tIdent && fold(name, "NULL") {
		return &Literal{Node{t.pos()}, vec.NullValue}
	}
	if p.kind() == tDot && p.isLabel(name) {
		p.next()
		column, ok := p.memberName()
		if !ok {
			return nil
		}
		return &Ident{Node{t.pos()}, name, column}
	}
	return &Ident{Node{t.pos()}, "", name}
}

func (p *parser) isLabel(name string) bool {
	for _, l := range p.labels {
		if l == name {
			return true
		}
	}
	return false
}

// caseExpr reads CASE ... END.
func (p *parser) caseExpr() Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	c := &Case{Node: Node{p.next().pos()}}
	h := 0
	part := func() Expr {
		e := p.expr()
		h = max(h, p.height)
		return e
	}
	if p.kw() != kWhen {
		if c.X = part(); c.X == nil {
			return nil
		}
	}
	if p.kw() != kWhen {
		p.expected("WHEN")
		return nil
	}
	for p.acceptKw(kWhen) {
		t := p.tok()
		cond := part()
		if cond == nil {
			return nil
		}
		if c.X == nil && !condition(cond) {
			p.faults.add(t.pos(), "found %s behind WHEN, expected a comparison or another condition; write x = TRUE to test a boolean column", clip(Format(cond)))
		}
		if !p.acceptKw(kThen) {
			p.expected("operator or THEN")
			return nil
		}
		result := part()
		if result == nil {
			return nil
		}
		c.Whens = append(c.Whens, When{cond, result})
	}
	if p.acceptKw(kElse) {
		if c.Else = part(); c.Else == nil {
			return nil
		}
	}
	if !p.acceptKw(kEnd) {
		p.expected("operator, WHEN, ELSE or END of CASE")
		return nil
	}
	if !p.grow(h) {
		return nil
	}
	return c
}

// condition tells whether e can be a condition of CASE WHEN by its form alone: a
// plain column or a sum cannot. A call can, since it may return a boolean.
func condition(e Expr) bool {
	switch e := e.(type) {
	case *Binary:
		return e.Op.Comparison() || e.Op == OpAnd || e.Op == OpOr
	case *Unary:
		return e.Op == OpNot
	case *Literal:
		return e.Value.Kind == vec.Bool
	case *In, *Between, *Like, *IsNull, *Call:
		return true
	}
	return false
}
