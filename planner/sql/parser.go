package sql

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// The bounds of a statement. They keep a hostile text from using the stack or
// the memory of the gateway; no rule comes near them.
const (
	maxText   = 256 << 10 // bytes
	maxNest   = 200       // parentheses, calls, CASE, types within each other
	maxHeight = 2500      // levels of an expression's tree: a OR b OR ... is one each
	maxJoins  = 63        // joins, which makes 64 sources
)

// Parse reads one statement. The error is an *Errors.
func Parse(text string) (Statement, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	var st Statement
	switch word := p.word(); {
	case word == "SELECT":
		return p.selectStatement()
	case word == "CREATE":
		st = p.create()
	case word == "SHOW", word == "DESCRIBE", word == "EXPLAIN", word == "DROP":
		st = p.manage(word)
	default:
		p.expected("SELECT, CREATE, SHOW, DESCRIBE, EXPLAIN or DROP")
	}
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return st, nil
}

// ParseSelect reads a query, and refuses any other statement.
func ParseSelect(text string) (*Select, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	if p.word() != "SELECT" {
		p.expected("SELECT")
		return nil, p.faults.err()
	}
	return p.selectStatement()
}

// ParseCreate reads a CREATE STREAM or CREATE TABLE, and refuses any other statement.
func ParseCreate(text string) (*Create, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	if p.word() != "CREATE" {
		p.expected("CREATE STREAM or CREATE TABLE")
		return nil, p.faults.err()
	}
	c := p.create()
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// parser reads the tokens of one statement. A method that reads an expression
// returns nil after it has reported a fault; who called it returns too, up to
// one that knows where to go on (sync).
type parser struct {
	text   string
	toks   []token
	i      int
	open   bool // the text ends within quotes: what is missing at its end is no news
	nest   int
	parens int // ( and [ that were read and not closed
	height int // levels of the expression that was read last
	labels []string
	faults Errors
}

func newParser(text string) (*parser, error) {
	p := &parser{text: text}
	if len(text) > maxText {
		p.faults.add(Pos{}, "the statement has %d bytes, more than the %d allowed", len(text), maxText)
		return nil, p.faults.err()
	}
	p.toks, p.open = lex(text, &p.faults)
	return p, nil
}

func (p *parser) tok() token  { return p.toks[p.i] }
func (p *parser) kind() kind  { return p.toks[p.i].kind }
func (p *parser) kw() keyword { return p.toks[p.i].kw }
func (p *parser) at() Pos     { return p.toks[p.i].pos() }

// ahead returns the token n places further on, or the last one.
func (p *parser) ahead(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

// src returns the text of t.
func (p *parser) src(t token) string { return p.text[t.off:t.end] }

// next moves on. It never moves past the end.
func (p *parser) next() token {
	t := p.toks[p.i]
	switch t.kind {
	case tEOF:
		return t
	case tLParen, tLBrack:
		p.parens++
	case tRParen, tRBrack:
		p.parens--
	}
	p.i++
	return t
}

// accept moves over a token of kind k if that is next.
func (p *parser) accept(k kind) bool {
	if p.kind() != k {
		return false
	}
	p.next()
	return true
}

// acceptKw moves over keyword k if that is next.
func (p *parser) acceptKw(k keyword) bool {
	if p.kw() != k {
		return false
	}
	p.next()
	return true
}

// word returns the next token in upper case if it is a name or a keyword.
func (p *parser) word() string {
	if t := p.tok(); t.kind == tIdent || t.kind == tKeyword {
		return strings.ToUpper(p.src(t))
	}
	return ""
}

// isWord tells whether the next token is the name word, given in upper case.
func (p *parser) isWord(word string) bool {
	t := p.tok()
	return t.kind == tIdent && fold(p.src(t), word)
}

// acceptWord moves over the name word, given in upper case, if that is next.
func (p *parser) acceptWord(word string) bool {
	if !p.isWord(word) {
		return false
	}
	p.next()
	return true
}

// expected reports that something else than what was found.
func (p *parser) expected(what string) { p.expectedAt(p.tok(), what) }

func (p *parser) expectedAt(t token, what string) {
	switch {
	case t.kind == tBad, t.kind == tEOF && p.open:
		if len(p.faults.Faults) > 0 {
			return
		}
		fallthrough
	case t.kind == tEOF:
		p.faults.add(t.pos(), "found the end of the text, expected %s", what)
	default:
		p.faults.add(t.pos(), "found %s, expected %s", clip(p.src(t)), what)
	}
}

// want moves over a token of kind k, or reports what was expected.
func (p *parser) want(k kind, what string) bool {
	if p.accept(k) {
		return true
	}
	p.expected(what)
	return false
}

// enter guards one more level of nesting; leave follows it unless it said no.
func (p *parser) enter() bool {
	if p.nest >= maxNest {
		p.giveUp("the statement is nested more than %d levels deep", maxNest)
		return false
	}
	p.nest++
	return true
}

func (p *parser) leave() { p.nest-- }

// grow sets the height of an expression whose highest part has height h.
func (p *parser) grow(h int) bool {
	p.height = h + 1
	if p.height > maxHeight {
		p.giveUp("the expression has more than %d levels", maxHeight)
		return false
	}
	return true
}

// giveUp reports that a bound is exceeded and goes to the end of the text:
// nothing behind the bound can be judged.
func (p *parser) giveUp(format string, bound int) {
	p.faults.add(p.at(), format, bound)
	p.i, p.open = len(p.toks)-1, true
}

// name reads a name where keywords must be quoted; what says which, for the fault.
func (p *parser) name(what string) (string, bool) {
	switch t := p.tok(); {
	case t.kind == tIdent:
		return p.src(p.next()), true
	case t.kind == tQuoted:
		p.next()
		return p.text[t.off+1 : t.end-1], true
	case t.kind == tKeyword:
		p.expected(what + "; put a keyword in backquotes to use it as a name")
	default:
		p.expected(what)
	}
	return "", false
}

// columnName is name, but takes the names of time units.
func (p *parser) columnName(what string) (string, bool) {
	if p.kw() == kUnit {
		return p.src(p.next()), true
	}
	return p.name(what)
}

// memberName reads the name behind -> or a dot, where any word will do but
// FROM, before which a name was forgotten.
func (p *parser) memberName() (string, bool) {
	if p.kind() == tKeyword && p.kw() != kFrom {
		return p.src(p.next()), true
	}
	return p.name("a name")
}

// finish reads what may stand behind a statement.
func (p *parser) finish(what string) {
	for p.accept(tSemi) {
		what = "the end of the text: one statement at a time"
	}
	if p.kind() != tEOF {
		p.expected(what)
	}
}

// number returns the value of a number token.
func (p *parser) number(t token, negative bool) (vec.Value, bool) {
	s := p.src(t)
	if negative {
		s = "-" + s
	}
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && math.IsInf(f, 0) {
			p.faults.add(t.pos(), "number %s is out of range", clip(s))
			return vec.Value{}, false
		}
		return vec.FloatValue(f), true
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // it can only be the range
		p.faults.add(t.pos(), "number %s is beyond 64 bits; written with .0 it is a float", clip(s))
		return vec.Value{}, false
	}
	return vec.IntValue(i), true
}

// unquote returns the value of a string token, whose escapes are Go's.
func (p *parser) unquote(t token) (string, bool) {
	s := p.text[t.off+1 : t.end-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for len(s) > 0 {
		if s[0] != '\\' {
			n := strings.IndexByte(s, '\\')
			if n < 0 {
				n = len(s)
			}
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		if s[1] == '"' || s[1] == '\'' {
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		r, wide, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			_, n := utf8.DecodeRuneInString(s[1:])
			p.faults.add(t.pos(), `found the unknown escape %s in string %s; write \\ for a backslash`, s[:1+n], clip(p.src(t)))
			return "", false
		}
		if wide {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		s = rest
	}
	if v := b.String(); utf8.ValidString(v) {
		return v, true
	}
	p.faults.add(t.pos(), "string %s is not valid UTF-8", clip(p.src(t)))
	return "", false
}
