package sql

import (
	"math"

	"github.com/weir-engine/weir/vec"
)

// partition reads what follows PARTITION.
func (p *parser) partition() ([]Expr, bool) {
	if !p.acceptKw(kBy) {
		p.expected("BY")
		return nil, false
	}
	return p.exprs()
}

// orderBy reads ORDER BY and its keys. The commas between the keys can be left out.
func (p *parser) orderBy() ([]Order, bool) {
	p.next()
	if !p.acceptKw(kBy) {
		p.expected("BY")
		return nil, false
	}
	var keys []Order
	h := 0
	for {
		o := Order{At: p.at(), Expr: p.expr()}
		if o.Expr == nil {
			return nil, false
		}
		h = max(h, p.height)
		if p.acceptKw(kDesc) {
			o.Desc = true
		} else {
			p.acceptKw(kAsc)
		}
		keys = append(keys, o)
		more := p.accept(tComma)
		if t := p.tok(); !more && (!p.startsOperand(t) || p.atOffset()) {
			p.height = h
			return keys, true
		}
	}
}

// atOffset tells whether OFFSET and a number come next; offset alone is a name.
func (p *parser) atOffset() bool {
	return p.isWord("OFFSET") && p.ahead(1).kind == tNumber
}

// clauseOrder is the clauses behind FROM, in their order.
var clauseOrder = map[keyword]int{kWhere: 1, kGroup: 2, kHaving: 3, kOrder: 4, kLimit: 5}

// clauses reads what follows the sources. One that is out of order or there
// twice is reported, and read all the same.
func (p *parser) clauses(s *Select) {
	done := 0
	for {
		k := p.kw()
		n := clauseOrder[k]
		if n == 0 && p.atOffset() {
			n = 6
		}
		if n == 0 {
			break
		}
		if n <= done {
			p.expected("the clauses in the order WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET, each once")
		}
		done = max(done, n)
		base := p.parens
		ok := true
		switch n {
		case 1:
			p.next()
			s.Where = p.expr()
			ok = s.Where != nil
		case 2:
			ok = p.groupBy(s)
		case 3:
			p.next()
			s.Having = p.expr()
			ok = s.Having != nil
		case 4:
			s.OrderBy, ok = p.orderBy()
		case 5:
			s.Limit, ok = p.count("LIMIT")
		case 6:
			s.Offset, ok = p.count("OFFSET")
		}
		if ok && !p.clauseEnd() {
			p.expected(behind[n])
			ok = false
		}
		for !ok {
			p.sync(base)
			if ok = p.clauseEnd(); !ok {
				p.next()
			}
		}
	}
	p.finish("AS, a join, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT or the end of the statement")
}

// clauseEnd tells whether a clause can end here.
func (p *parser) clauseEnd() bool {
	return p.kind() == tEOF || p.kind() == tSemi || clauseOrder[p.kw()] != 0 || p.atOffset()
}

// behind says what can stand behind each clause.
var behind = [...]string{
	1: "operator, GROUP BY, HAVING, ORDER BY, LIMIT or the end of the statement",
	2: `operator, ",", HAVING, ORDER BY, LIMIT or the end of the statement`,
	3: "operator, ORDER BY, LIMIT or the end of the statement",
	4: `operator, ",", ASC, DESC, LIMIT or the end of the statement`,
	5: "OFFSET or the end of the statement",
	6: "the end of the statement",
}

// groupBy reads GROUP BY: the keys and at most one window.
func (p *parser) groupBy(s *Select) bool {
	p.next()
	if !p.acceptKw(kBy) {
		p.expected("BY")
		return false
	}
	for {
		base := p.parens
		ok := false
		if p.windowCall() {
			t := p.tok()
			if w := p.window(); w != nil {
				ok = true
				if s.Window != nil {
					p.faults.add(t.pos(), "found a second window %s, expected at most one", clip(p.src(t)))
				}
				s.Window = w
			}
		} else if e := p.expr(); e != nil {
			ok = true
			s.GroupBy = append(s.GroupBy, e)
		}
		if !ok {
			p.sync(base)
		}
		if !p.accept(tComma) {
			return true
		}
	}
}

// count reads the number of LIMIT or OFFSET.
func (p *parser) count(what string) (*int64, bool) {
	p.next()
	t := p.tok()
	if !p.want(tNumber, "a whole number behind "+what) {
		return nil, false
	}
	v, ok := p.number(t, false)
	if !ok {
		return nil, false
	}
	if v.Kind != vec.Int64 || v.I == math.MaxInt64 {
		p.expectedAt(t, "a whole number behind "+what)
		return nil, false
	}
	return &v.I, true
}
