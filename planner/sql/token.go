package sql

import "strings"

// kind is what a token is.
type kind uint8

const (
	tEOF     kind = iota
	tBad          // something the lexer has reported already
	tIdent        // name
	tQuoted       // `name`
	tKeyword      // reserved word, see token.kw
	tNumber
	tString
	tLParen
	tRParen
	tLBrack
	tRBrack
	tComma
	tSemi
	tColon
	tDot
	tArrow
	tStar
	tPlus
	tMinus
	tSlash
	tPercent
	tAmp
	tPipe
	tConcat
	tCaret
	tHash
	tEq
	tNe
	tLt
	tLe
	tGt
	tGe
)

// keyword is a reserved word. Words that the dialect knows by position only
// (CREATE, STREAM, WITH, DISTINCT, IS, CAST, OFFSET ...) stay names.
type keyword uint8

const (
	kNone keyword = iota
	kSelect
	kAs
	kFrom
	kWhere
	kAnd
	kOr
	kGroup
	kHaving
	kOrder
	kBy
	kDesc
	kAsc
	kFilter
	kInner
	kLeft
	kRight
	kFull
	kCross
	kJoin
	kOn
	kCase
	kWhen
	kThen
	kDefault
	kElse
	kEnd
	kIn
	kNot
	kBetween
	kLike
	kOver
	kPartition
	kReplace
	kExcept
	kInvisible
	kTrue
	kFalse
	kLimit
	kUnit // dd, hh, mi, ss, ms: reserved as aliases, names elsewhere
)

var keywords = map[string]keyword{
	"SELECT": kSelect, "AS": kAs, "FROM": kFrom, "WHERE": kWhere, "AND": kAnd, "OR": kOr, "GROUP": kGroup,
	"HAVING": kHaving, "ORDER": kOrder, "BY": kBy, "DESC": kDesc, "ASC": kAsc, "FILTER": kFilter, "INNER": kInner,
	"LEFT": kLeft, "RIGHT": kRight, "FULL": kFull, "CROSS": kCross, "JOIN": kJoin, "ON": kOn, "CASE": kCase,
	"WHEN": kWhen, "THEN": kThen, "DEFAULT": kDefault, "ELSE": kElse, "END": kEnd, "IN": kIn, "NOT": kNot,
	"BETWEEN": kBetween, "LIKE": kLike, "OVER": kOver, "PARTITION": kPartition, "REPLACE": kReplace,
	"EXCEPT": kExcept, "INVISIBLE": kInvisible, "TRUE": kTrue, "FALSE": kFalse, "LIMIT": kLimit,
	"DD": kUnit, "HH": kUnit, "MI": kUnit, "SS": kUnit, "MS": kUnit,
}

// keywordLengths has for each first letter a bit for each length of keyword:
// most names are told from keywords by it.
var keywordLengths = func() (t [26]uint16) {
	for word := range keywords {
		t[word[0]-'A'] |= 1 << len(word)
	}
	return t
}()

// longestKeyword is the length of PARTITION and INVISIBLE.
const longestKeyword = 9

// lookupKeyword returns the keyword that word is in any case, or kNone.
func lookupKeyword(word string) keyword {
	if len(word) < 2 || len(word) > longestKeyword || !letter(word[0]) || keywordLengths[word[0]&0x1f-1]>>len(word)&1 == 0 {
		return kNone
	}
	var up [longestKeyword]byte
	for i := range len(word) {
		c := word[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	return keywords[string(up[:len(word)])]
}

// Reserved tells whether name is a keyword, in any case, so that it must stand
// in backquotes where a name is meant.
func Reserved(name string) bool { return lookupKeyword(name) != kNone }

// token is one word of a statement: text[off:end].
type token struct {
	kind      kind
	kw        keyword
	off, end  int32
	line, col int32
}

func (t token) pos() Pos { return Pos{int(t.line), int(t.col)} }

// fold tells whether word, which is in upper case, is s in any case.
func fold(s, word string) bool { return len(s) == len(word) && strings.EqualFold(s, word) }
