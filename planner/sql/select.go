package sql

// selectStatement reads a query, lists its faults, and has TiDB's parser build
// the tree of one without faults.
func (p *parser) selectStatement() (*Select, error) {
	draft := p.draft()
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return treeOf(draft)
}

// draft reads a query. A clause with a fault is left out.
func (p *parser) draft() *Select {
	p.next()
	p.findLabels()
	s := &Select{Text: p.text}
	// `SELECT distinct, a` and `SELECT distinct FROM` mean a column.
	if t := p.ahead(1); p.isWord("DISTINCT") && (p.startsOperand(t) || t.kind == tStar && !p.startsOperand(p.ahead(2))) {
		p.next()
		s.Distinct = true
	}
	p.fields(s)
	if !p.acceptKw(kFrom) {
		p.expected(`"," or FROM`)
	} else {
		p.from(s)
	}
	p.clauses(s)
	return s
}

// findLabels notes the names and aliases of all sources, which decide what a
// dot means in the expressions before FROM.
func (p *parser) findLabels() {
	here, parens := p.i, p.parens
	for ; p.kind() != tEOF && len(p.labels) <= 2*maxJoins; p.next() {
		if p.kw() != kFrom && p.kw() != kJoin {
			continue
		}
		p.i++
		mark := len(p.faults.Faults)
		if src, ok := p.source(); ok {
			p.labels = append(p.labels, src.Name)
			if src.Alias != "" {
				p.labels = append(p.labels, src.Alias)
			}
		}
		p.faults.Faults = p.faults.Faults[:mark] // found again, and better, on the way
		p.i--
	}
	p.i, p.parens = here, parens
}

// sync goes to the end of the item in which a fault was found: to the next
// comma outside of parentheses that were opened since base, or to what begins
// the next clause.
func (p *parser) sync(base int) {
	for ; p.kind() != tEOF; p.next() {
		t := p.tok()
		switch {
		case t.kind == tComma && p.parens <= base, p.clauseKeyword():
			p.parens = base
			return
		}
	}
	p.parens = base
}

// clauseKeyword tells whether the next token begins a clause of the query, even
// in the middle of an expression.
func (p *parser) clauseKeyword() bool {
	switch p.kw() {
	case kFrom, kGroup, kHaving, kLimit, kJoin, kInner, kLeft, kRight, kFull, kCross:
		return true
	case kWhere:
		return p.i == 0 || p.toks[p.i-1].kind != tLParen // not FILTER (WHERE
	case kOrder:
		return p.parens == 0 // not OVER (... ORDER
	}
	return p.kind() == tSemi
}

// fields reads the SELECT list up to FROM.
func (p *parser) fields(s *Select) {
	for {
		base := p.parens
		f, ok := p.field()
		if ok && p.kind() != tComma && p.kw() != kFrom {
			p.expected(`operator, AS, "," or FROM`)
			ok = false
		}
		s.Fields = append(s.Fields, f)
		if !ok {
			p.sync(base)
		}
		if !p.accept(tComma) {
			return
		}
	}
}

func (p *parser) field() (f Field, ok bool) {
	f.At = p.at()
	if p.kind() == tStar {
		p.next()
		f.Star = true
		return f, p.starOptions(&f)
	}
	if f.Stream = p.sourceStar(); f.Stream != "" {
		f.Star = true
		return f, true
	}
	if f.Expr = p.expr(); f.Expr == nil {
		return f, false
	}
	if p.acceptKw(kAs) {
		if f.Alias, ok = p.name("alias"); !ok {
			return f, false
		}
	}
	f.Invisible = p.acceptKw(kInvisible)
	return f, true
}

// starOptions reads EXCEPT (...) and REPLACE (...) behind a star.
func (p *parser) starOptions(f *Field) bool {
	for {
		switch {
		case p.kw() == kExcept && f.Except == nil:
			p.next()
			if !p.exceptList(f) {
				return false
			}
		case p.kw() == kReplace && f.Replace == nil:
			p.next()
			if !p.replaceList(f) {
				return false
			}
		case p.kw() == kAs:
			p.expected(`"," or FROM; "*" takes no alias`)
			return false
		default:
			return true
		}
	}
}

func (p *parser) exceptList(f *Field) bool {
	if !p.want(tLParen, `"(" behind EXCEPT`) {
		return false
	}
	for {
		name, ok := p.columnName("column")
		if !ok {
			return false
		}
		f.Except = append(f.Except, name)
		if !p.accept(tComma) {
			return p.want(tRParen, `"," or ")"`)
		}
	}
}

func (p *parser) replaceList(f *Field) bool {
	if !p.want(tLParen, `"(" behind REPLACE`) {
		return false
	}
	for {
		r := Field{At: p.at(), Expr: p.expr()}
		if r.Expr == nil {
			return false
		}
		if !p.acceptKw(kAs) {
			p.expected("operator or AS")
			return false
		}
		var ok bool
		if r.Alias, ok = p.columnName("column"); !ok {
			return false
		}
		f.Replace = append(f.Replace, r)
		if !p.accept(tComma) {
			return p.want(tRParen, `"," or ")"`)
		}
	}
}

// from reads the sources and joins.
func (p *parser) from(s *Select) {
	base := p.parens
	src, ok := p.source()
	if !ok {
		p.sync(base)
	}
	s.From = src
	for p.join(s) {
	}
}

// source reads a stream or table with its alias. Its name may look like a
// topic: what stands without a gap is one name.
func (p *parser) source() (Source, bool) {
	t := p.tok()
	s := Source{At: t.pos()}
	switch t.kind {
	case tQuoted:
		p.next()
		s.Name = p.text[t.off+1 : t.end-1]
	case tIdent, tSlash, tHash, tPlus:
		end := t
		for p.next(); p.sourcePart(end); {
			end = p.next()
		}
		s.Name = p.text[t.off:end.end]
	default:
		p.expected("stream or table")
		return s, false
	}
	if !p.acceptKw(kAs) {
		return s, true
	}
	alias, ok := p.name("alias")
	s.Alias = alias
	return s, ok
}

// sourcePart tells whether the next token goes on with a source's name whose
// last token is last.
func (p *parser) sourcePart(last token) bool {
	t := p.tok()
	switch t.kind {
	case tIdent, tKeyword, tNumber, tSlash, tHash, tPlus:
		return t.off == last.end
	}
	return false
}

// join reads one join, or tells that there is no other.
func (p *parser) join(s *Select) bool {
	j := Join{}
	switch p.kw() {
	case kInner:
	case kLeft:
		j.Kind = LeftJoin
	case kRight:
		j.Kind = RightJoin
	case kFull:
		j.Kind = FullJoin
	case kCross:
		j.Kind = CrossJoin
	case kJoin:
		p.expected("INNER, LEFT, RIGHT, FULL or CROSS before JOIN")
	default:
		return false
	}
	base := p.parens
	if len(s.Joins) == maxJoins {
		p.giveUp("the statement has more than %d joins", maxJoins)
		return false
	}
	if p.kw() != kJoin {
		p.next()
	}
	if p.isWord("OUTER") {
		p.expected("JOIN")
		p.next()
	}
	if !p.acceptKw(kJoin) {
		p.expected("JOIN")
		p.sync(base)
		return p.kind() != tEOF
	}
	var ok bool
	if j.Source, ok = p.source(); !ok {
		p.sync(base)
		return true
	}
	if p.kw() == kOn && j.Kind == CrossJoin {
		p.expected("no condition behind CROSS JOIN")
	}
	if p.acceptKw(kOn) {
		if j.On = p.expr(); j.On == nil {
			p.sync(base)
		}
	}
	s.Joins = append(s.Joins, j)
	return true
}
