package sql

import (
	"strings"

	"github.com/weir-engine/weir/vec"
)

// call reads the arguments of function name and what may follow them.
func (p *parser) call(t token, name string) Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	c := &Call{Node: Node{t.pos()}, Name: strings.ToLower(name), Written: name}
	if _, ok := WindowNamed(c.Name); ok {
		p.faults.add(t.pos(), "found %s outside of GROUP BY, where alone a window can stand", clip(name))
	}
	p.next()
	h := 0
	if p.isWord("DISTINCT") && p.startsOperand(p.ahead(1)) {
		p.next()
		c.Distinct = true
	}
	if p.kind() != tRParen {
		for {
			a := p.argument(c)
			if a == nil {
				return nil
			}
			c.Args = append(c.Args, a)
			h = max(h, p.height)
			if !p.accept(tComma) {
				break
			}
		}
	} else if c.Distinct {
		p.expected("expression behind DISTINCT")
		return nil
	}
	if !p.want(tRParen, `operator, "," or ")"`) {
		return nil
	}
	p.height = h
	if !p.callFilter(c) || !p.callOver(c) || !p.grow(p.height) {
		return nil
	}
	return c
}

// startsOperand tells whether t can only be the beginning of an operand, so
// that a word before it is no name.
func (p *parser) startsOperand(t token) bool {
	switch t.kind {
	case tIdent:
		return !fold(p.src(t), "IS")
	case tQuoted, tNumber, tString, tLParen:
		return true
	}
	return t.kw == kCase || t.kw == kTrue || t.kw == kFalse || t.kw == kUnit
}

// argument reads one argument: an expression, `*` or `source.*`; and the type
// of CAST(x AS type), which becomes the second argument.
func (p *parser) argument(c *Call) Expr {
	t := p.tok()
	if t.kind == tStar {
		p.next()
		p.height, c.Star = 1, true
		return &Star{Node: Node{t.pos()}}
	}
	if s := p.sourceStar(); s != "" {
		p.height, c.Star = 1, true
		return &Star{Node{t.pos()}, s}
	}
	e := p.expr()
	if e == nil || p.kw() != kAs || c.Name != "cast" || len(c.Args) > 0 {
		return e
	}
	p.next()
	t = p.tok()
	kind, ok := p.simpleType("bigint, float, string, boolean, datetime or bytea")
	if !ok {
		return nil
	}
	c.Args = append(c.Args, e)
	if p.kind() != tRParen {
		p.expected(`")"`)
		return nil
	}
	return &Literal{Node{t.pos()}, vec.StringValue(kind.String())}
}

// sourceStar reads `source.*` if that is next and returns the source's label.
func (p *parser) sourceStar() string {
	t := p.tok()
	if t.kind != tIdent && t.kind != tQuoted || p.ahead(1).kind != tDot || p.ahead(2).kind != tStar {
		return ""
	}
	name, _ := p.name("a source")
	if !p.isLabel(name) {
		p.faults.add(t.pos(), "found %s.*, but %s is no source in FROM", name, clip(name))
	}
	p.next()
	p.next()
	return name
}

// callFilter reads FILTER (WHERE ...) behind the arguments of a call, whose
// height is the greatest so far. It returns false after a fault.
func (p *parser) callFilter(c *Call) bool {
	if p.kw() != kFilter {
		return true
	}
	h := p.height
	c.Filter = p.filter()
	p.height = max(h, p.height)
	return c.Filter != nil
}

// filter reads FILTER (WHERE ...).
func (p *parser) filter() Expr {
	p.next()
	if !p.want(tLParen, `"(" behind FILTER`) {
		return nil
	}
	if !p.acceptKw(kWhere) {
		p.expected("WHERE")
		return nil
	}
	e := p.expr()
	if e == nil || !p.want(tRParen, `operator or ")"`) {
		return nil
	}
	return e
}

// callOver reads OVER ([PARTITION BY ...] [WHEN ...] [ORDER BY ...]) behind a
// call, as callFilter does.
func (p *parser) callOver(c *Call) bool {
	if !p.acceptKw(kOver) {
		return true
	}
	if !p.want(tLParen, `"(" behind OVER`) {
		return false
	}
	c.HasOver = true
	h, ok := p.height, true
	if p.acceptKw(kPartition) {
		c.Partition, ok = p.partition()
		h = max(h, p.height)
	}
	if ok && p.acceptKw(kWhen) {
		c.When = p.expr()
		ok = c.When != nil
		h = max(h, p.height)
	}
	if ok && p.kw() == kOrder {
		c.OrderBy, ok = p.orderBy()
		h = max(h, p.height)
	}
	if !ok {
		return false
	}
	p.height = h
	if c.Partition == nil && c.When == nil && c.OrderBy == nil {
		p.expected("PARTITION BY, WHEN or ORDER BY")
		return false
	}
	what := `operator or ")"`
	if p.kw() == kPartition || p.kw() == kWhen {
		what = "PARTITION BY before WHEN before ORDER BY"
	}
	return p.overEnd(what)
}

// overEnd reads the end of OVER (...).
func (p *parser) overEnd(what string) bool {
	if !p.want(tRParen, what) {
		return false
	}
	if p.kw() == kFilter {
		p.expected("FILTER before OVER")
		return false
	}
	return true
}
