package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer cuts a text into tokens. Places are counted as it goes: the column is
// the distance from the line's start less the bytes that continue a character.
type lexer struct {
	text      string
	off       int
	line      int
	lineStart int
	wide      int // continuation bytes since lineStart
	toks      []token
	faults    *Errors
	open      bool // a string, name or comment reaches the end of the text
}

// lex returns the tokens of text, the last one being tEOF. What is no token is
// reported and becomes tBad. open tells that the text ends inside of quotes or a comment.
func lex(text string, faults *Errors) (toks []token, open bool) {
	l := lexer{text: text, line: 1, faults: faults, toks: make([]token, 0, 16+len(text)/4)}
	for l.off < len(text) {
		l.next()
	}
	at := l.start(tEOF)
	l.toks = append(l.toks, at)
	return l.toks, l.open
}

// start returns a token that begins, and so far ends, at the lexer's place.
func (l *lexer) start(k kind) token {
	return token{kind: k, off: int32(l.off), end: int32(l.off), line: int32(l.line), col: int32(l.off - l.lineStart - l.wide + 1)}
}

// advance moves over n bytes and counts lines and characters.
func (l *lexer) advance(n int) {
	for end := l.off + n; l.off < end; l.off++ {
		switch c := l.text[l.off]; {
		case c == '\n':
			l.line, l.lineStart, l.wide = l.line+1, l.off+1, 0
		case c >= utf8.RuneSelf && !utf8.RuneStart(c):
			l.wide++
		}
	}
}

func (l *lexer) emit(t token) {
	t.end = int32(l.off)
	l.toks = append(l.toks, t)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

// at returns the byte i places ahead, 0 behind the end.
func (l *lexer) at(i int) byte {
	if l.off+i < len(l.text) {
		return l.text[l.off+i]
	}
	return 0
}

// next reads one token, or what stands between two.
func (l *lexer) next() {
	c := l.at(0)
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		l.advance(1)
	case letter(c):
		l.word()
	case digit(c) || c == '.' && digit(l.at(1)):
		l.number()
	case c == '"' || c == '\'':
		l.quoted(c, tString, "string")
	case c == '`':
		l.quoted(c, tQuoted, "quoted name")
	case c == '-' && l.at(1) == '-':
		n := strings.IndexByte(l.text[l.off:], '\n')
		if n < 0 {
			n = len(l.text) - l.off
		}
		l.advance(n)
	case c == '/' && l.at(1) == '*':
		l.comment()
	default:
		l.operator(c)
	}
}

func (l *lexer) word() {
	t := l.start(tIdent)
	n := 1
	for c := l.at(n); letter(c) || digit(c) || c == '_'; c = l.at(n) {
		n++
	}
	l.off += n
	if t.kw = lookupKeyword(l.text[t.off:l.off]); t.kw != kNone {
		t.kind = tKeyword
	}
	l.emit(t)
}

func (l *lexer) number() {
	t := l.start(tNumber)
	digits := func() {
		for digit(l.at(0)) {
			l.off++
		}
	}
	digits()
	if l.at(0) == '.' {
		l.off++
		digits()
	}
	if l.at(0)|0x20 == 'e' {
		if sign := l.at(1); digit(sign) || (sign == '+' || sign == '-') && digit(l.at(2)) {
			l.off += 2
			digits()
		}
	}
	l.emit(t)
}

// quoted reads up to the closing quote. A backslash protects the next
// character, but not in a name.
func (l *lexer) quoted(quote byte, k kind, what string) {
	t := l.start(k)
	n := 1
	for {
		if l.off+n >= len(l.text) {
			l.faults.add(t.pos(), "found %s, expected the closing %c of the %s", clip(l.text[t.off:]), quote, what)
			l.open = true
			t.kind = tBad
			l.advance(len(l.text) - l.off)
			l.emit(t)
			return
		}
		c := l.at(n)
		n++
		if c == quote {
			break
		}
		if c == '\\' && k == tString && l.off+n < len(l.text) {
			n++
		}
	}
	l.advance(n)
	if raw := l.text[t.off:l.off]; !utf8.ValidString(raw) {
		l.faults.add(t.pos(), "the %s is not valid UTF-8", what)
		t.kind = tBad
	} else if k == tQuoted && n == 2 {
		l.faults.add(t.pos(), "found ``, expected a name between the backquotes")
		t.kind = tBad
	}
	l.emit(t)
}

func (l *lexer) comment() {
	n := strings.Index(l.text[l.off+2:], "*/")
	if n < 0 {
		l.faults.add(l.start(tBad).pos(), "found %s, expected the closing */ of the comment", clip(l.text[l.off:]))
		l.open = true
		l.advance(len(l.text) - l.off)
		return
	}
	l.advance(n + 4)
}

// twoBytes are the operators of two characters.
var twoBytes = map[string]kind{"->": tArrow, "!=": tNe, "<>": tNe, "<=": tLe, ">=": tGe, "||": tConcat}

// habits are the operators of other languages, with those of this one for which they
// are read behind the fault.
var habits = []struct {
	text, write string
	as          kind
	kw          keyword
}{
	{"===", "=", tEq, kNone},
	{"!==", "!=", tNe, kNone},
	{"==", "=", tEq, kNone},
	{"=>", ">=", tGe, kNone},
	{"=<", "<=", tLe, kNone},
	{"<=>", "=", tEq, kNone},
	{"::", "CAST(x AS type)", tBad, kNone},
	{"??", "coalesce(x, y)", tBad, kNone},
	{"~=", "!=", tNe, kNone},
	{"&&", "AND", tKeyword, kAnd},
	{"!", "NOT or !=", tBad, kNone},
}

// habit reads an operator of another language, and says what it is in this one.
func (l *lexer) habit() bool {
	for _, h := range habits {
		if !strings.HasPrefix(l.text[l.off:], h.text) || h.text == "!" && l.at(1) == '=' {
			continue
		}
		t := l.start(h.as)
		t.kw = h.kw
		l.advance(len(h.text))
		l.faults.add(t.pos(), "found %s, which is no part of the language: write %s", clip(h.text), h.write)
		l.emit(t)
		return true
	}
	return false
}

// oneByte are the operators of one character.
var oneByte = [128]kind{
	'(': tLParen, ')': tRParen, '[': tLBrack, ']': tRBrack, ',': tComma, ';': tSemi, ':': tColon, '.': tDot,
	'*': tStar, '+': tPlus, '-': tMinus, '/': tSlash, '%': tPercent, '&': tAmp, '|': tPipe, '^': tCaret,
	'#': tHash, '=': tEq, '<': tLt, '>': tGt,
}

func (l *lexer) operator(c byte) {
	if l.habit() {
		return
	}
	if c >= utf8.RuneSelf || oneByte[c] == tEOF && !(c == '!' && l.at(1) == '=') {
		l.illegal()
		return
	}
	if n := l.at(1); n == '>' || n == '=' || n == '|' {
		if k, ok := twoBytes[l.text[l.off:l.off+2]]; ok {
			t := l.start(k)
			l.off += 2
			l.emit(t)
			return
		}
	}
	t := l.start(oneByte[c])
	l.off++
	l.emit(t)
}

// illegal reports a character that begins no token, together with the letters
// behind it: `_id` and `größe` are one fault each.
func (l *lexer) illegal() {
	t := l.start(tBad)
	if n := len(l.toks) - 1; n >= 0 && l.toks[n].kind == tIdent && l.toks[n].end == t.off {
		t = l.toks[n]
		t.kind = tBad
		l.toks = l.toks[:n]
	}
	r, n := utf8.DecodeRuneInString(l.text[l.off:])
	isName := r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
	for isName {
		r, m := utf8.DecodeRuneInString(l.text[l.off+n:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		n += m
	}
	l.advance(n)
	l.emit(t)
	found := clip(l.text[t.off:l.off])
	switch {
	case !utf8.ValidString(l.text[t.off:l.off]):
		l.faults.add(t.pos(), "the text is not valid UTF-8")
	case isName:
		l.faults.add(t.pos(), "found %s, expected a name of ASCII letters, digits and _ that begins with a letter; put any other name in backquotes", found)
	default:
		l.faults.add(t.pos(), "found %s, which is no part of the language", found)
	}
}
