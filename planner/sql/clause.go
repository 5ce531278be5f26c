package sql

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
