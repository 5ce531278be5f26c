package scalar

import (
	"unicode/utf8"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// LikeValue decides a value LIKE a pattern. escape is what Escape gives.
func LikeValue(v, pattern vec.Value, escape rune, not bool) (vec.Value, error) {
	if v.IsNull() || pattern.IsNull() {
		return vec.BoolValue(false), nil
	}
	if v.Kind != vec.String || pattern.Kind != vec.String {
		return vec.Value{}, OpError{planner.OpLike, v, pattern}
	}
	return vec.BoolValue(Like(v.S, pattern.S, escape) != not), nil
}

// DefaultEscape is the escape of a LIKE that names none.
const DefaultEscape = '\\'

// Escape returns the character that ESCAPE names: the first of v, 0 if there is
// none.
func Escape(v vec.Value) rune {
	for _, r := range v.S {
		return r
	}
	return 0
}

// Like tells whether s matches a LIKE pattern as a whole: % stands for any run
// of characters, _ for any one, escape (0: none) takes the meaning of the next
// from it. As in eKuiper, neither stands for a newline. Time is at worst
// the product of the lengths; there is no backtracking beyond the last %.
func Like(s, pattern string, escape rune) bool {
	var backS, backP string // where to go on if what follows the last % fails
	var star bool
	for {
		tok, lit, rest := next(pattern, escape)
		switch {
		case tok == '%':
			backS, backP, star = s, rest, true
			pattern = rest
			continue
		case pattern == "" && s == "":
			return true
		case pattern != "" && s != "":
			r, n := utf8.DecodeRuneInString(s)
			if tok == '_' && r != '\n' || tok == 0 && r == lit {
				s, pattern = s[n:], rest
				continue
			}
		}
		if !star || backS == "" {
			return false
		}
		r, n := utf8.DecodeRuneInString(backS)
		if r == '\n' {
			return false
		}
		backS = backS[n:]
		s, pattern = backS, backP
	}
}

// next takes the first token off a pattern: '%' or '_', or 0 and a literal.
func next(p string, escape rune) (tok byte, lit rune, rest string) {
	if p == "" {
		return 0, 0, ""
	}
	r, n := utf8.DecodeRuneInString(p)
	if r == escape && escape != 0 && len(p) > n {
		q, m := utf8.DecodeRuneInString(p[n:])
		if q == '%' || q == '_' || q == escape {
			return 0, q, p[n+m:]
		}
	}
	if r == '%' || r == '_' {
		return byte(r), 0, p[n:]
	}
	return 0, r, p[n:]
}
