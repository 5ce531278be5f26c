package ingest

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep a message may nest.
const maxDepth = 512

// scan walks JSON text (RFC 8259, strictly) without a copy of it. Positions are
// absolute in src; a method that walks over something returns the position
// behind it, or a negative number after an error, which it keeps in fault.
//
// Strings that are no valid UTF-8 are let through, as eKuiper does: their
// bad bytes read as U+FFFD, and a row that has some is not Clean.
type scan struct {
	src   []byte
	from  int    // where the message begins, for the offsets of faults
	fault string // what was wrong
	at    int    // where
	space bool   // there was white space between tokens
	high  bool   // there were bytes beyond ASCII in strings
	esc   bool   // the last string has escapes
}

func (s *scan) fail(i int, what string) int {
	if s.fault == "" {
		s.fault, s.at = what, i
	}
	return -1
}

const (
	low8  = 0x0101010101010101
	high8 = 0x8080808080808080
)

// str walks the string whose opening quote is at i-1; the result is the position
// of its closing quote.
func (s *scan) str(i int) int {
	s.esc = false
	src := s.src
	for {
		for i+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[i:])
			q := x ^ '"'*low8
			e := x ^ '\\'*low8
			// The high bit of each byte that is a quote, a backslash or a control
			// character; wrong only above the first such byte.
			hit := ((q-low8)&^q | (e-low8)&^e | (x-' '*low8)&^x) & high8
			if x&high8 != 0 {
				s.high = true
			}
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		for i < len(src) && src[i] != '"' && src[i] != '\\' && src[i] >= ' ' {
			if src[i] >= utf8.RuneSelf {
				s.high = true
			}
			i++
		}
		if i >= len(src) {
			return s.fail(i, "string without end")
		}
		if src[i] == '"' {
			return i
		}
		if src[i] != '\\' {
			return s.fail(i, "control character in string")
		}
		if i = s.escape(i); i < 0 {
			return i
		}
	}
}

// escape walks the escape sequence at i.
func (s *scan) escape(i int) int {
	s.esc = true
	src := s.src
	if i+1 >= len(src) {
		return s.fail(i, "string without end")
	}
	switch src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(src) {
			return s.fail(i, "string without end")
		}
		for _, c := range src[i+2 : i+6] {
			if hexDigit(c) < 0 {
				return s.fail(i, "escape sequence")
			}
		}
		return i + 6
	}
	return s.fail(i, "escape sequence")
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// longNumber is a length of digits up to which a number is in float64's range.
const longNumber = 300

// inRange refuses the number from start to end if no float64 is near it.
func (s *scan) inRange(start, end int) int {
	if _, err := strconv.ParseFloat(string(s.src[start:end]), 64); err != nil {
		return s.fail(start, "number beyond the range of float64")
	}
	return end
}

// num walks the number at i.
func (s *scan) num(i int) int {
	src, start := s.src, i
	if src[i] == '-' {
		i++
	}
	switch {
	case i < len(src) && src[i] == '0':
		i++
	case i < len(src) && src[i]-'1' < 9:
		i = digits(src, i+1)
	default:
		return s.fail(i, "number")
	}
	if i < len(src) && src[i] == '.' {
		j := digits(src, i+1)
		if j == i+1 {
			return s.fail(j, "number")
		}
		i = j
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		j := digits(src, i)
		if j == i {
			return s.fail(j, "number")
		}
		return s.inRange(start, j)
	}
	if i-start > longNumber {
		return s.inRange(start, i)
	}
	return i
}

// digits walks the digits at i, if any.
func digits(src []byte, i int) int {
	for i+8 <= len(src) {
		n := digitRun(binary.LittleEndian.Uint64(src[i:]) ^ '0'*low8)
		if i += n; n < 8 {
			return i
		}
	}
	for i < len(src) && src[i]-'0' < 10 {
		i++
	}
	return i
}

// digitRun counts the digits at the low end of x, whose bytes were exclusive-ored
// with '0'. Counting needs no branch a digit: numbers of varying length would
// make each one a guess.
func digitRun(x uint64) int {
	return bits.TrailingZeros64(((x&^high8)+0x76*low8|x)&high8) >> 3
}

// blank walks white space.
func (s *scan) blank(i int) int {
	for i < len(s.src) && isBlank(s.src[i]) {
		s.space = true
		i++
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// word walks true, false or null at i.
func (s *scan) word(i int) int {
	src := s.src
	switch src[i] {
	case 't':
		if i+4 <= len(src) && string(src[i:i+4]) == "true" {
			return i + 4
		}
	case 'f':
		if i+5 <= len(src) && string(src[i:i+5]) == "false" {
			return i + 5
		}
	case 'n':
		if i+4 <= len(src) && string(src[i:i+4]) == "null" {
			return i + 4
		}
	}
	return s.fail(i, "value")
}

// skip walks the value at i, which is depth objects and arrays deep.
func (s *scan) skip(i, depth int) int {
	if i >= len(s.src) {
		return s.fail(i, "end of message, want value")
	}
	switch c := s.src[i]; {
	case c == '"':
		if i = s.str(i + 1); i < 0 {
			return i
		}
		return i + 1
	case c == '{' || c == '[':
		return s.nested(i, depth)
	case c == '-' || c-'0' < 10:
		return s.num(i)
	default:
		return s.word(i)
	}
}

// nested walks the object or array at i. It is a loop: what nests is kept as one
// bit a level, 1 for an object.
func (s *scan) nested(i, depth int) int {
	var stack [maxDepth/64 + 1]uint64
	level := depth
	src := s.src
	for {
		// Here src[i] opens an object or an array.
		if level >= maxDepth {
			return s.fail(i, "nesting too deep")
		}
		object := src[i] == '{'
		stack[level>>6] &^= 1 << (level & 63)
		if object {
			stack[level>>6] |= 1 << (level & 63)
		}
		level++
		i = s.blank(i + 1)
		if i >= len(src) {
			return s.fail(i, "end of message in object or array")
		}
		if c := src[i]; c == '}' && object || c == ']' && !object {
			if i++; level-1 == depth {
				return i
			}
			level--
			if i, level = s.close(i, level, depth, &stack); i < 0 || level == depth {
				return i
			}
			object = stack[(level-1)>>6]>>((level-1)&63)&1 != 0
		}
		// Members, until one opens another level.
		for {
			if object {
				if i = s.key(i); i < 0 {
					return i
				}
			}
			if i >= len(src) {
				return s.fail(i, "end of message, want value")
			}
			if src[i] == '{' || src[i] == '[' {
				break
			}
			if i = s.skip(i, level); i < 0 {
				return i
			}
			if i, level = s.close(i, level, depth, &stack); i < 0 || level == depth {
				return i
			}
			object = stack[(level-1)>>6]>>((level-1)&63)&1 != 0
		}
	}
}

// close walks what follows a value inside of level: any closing brackets, then
// the comma. level is depth at the end of the outermost one.
func (s *scan) close(i, level, depth int, stack *[maxDepth/64 + 1]uint64) (int, int) {
	src := s.src
	for {
		i = s.blank(i)
		if i >= len(src) {
			return s.fail(i, "end of message in object or array"), level
		}
		if src[i] == ',' {
			return s.blank(i + 1), level
		}
		want := byte(']')
		if stack[(level-1)>>6]>>((level-1)&63)&1 != 0 {
			want = '}'
		}
		if src[i] != want {
			return s.fail(i, `want "," or "`+string(want)+`"`), level
		}
		i++
		if level--; level == depth {
			return i, level
		}
	}
}

// key walks a key and its colon, up to the value.
func (s *scan) key(i int) int {
	if i >= len(s.src) || s.src[i] != '"' {
		return s.fail(i, "want key")
	}
	if i = s.str(i + 1); i < 0 {
		return i
	}
	i = s.blank(i + 1)
	if i >= len(s.src) || s.src[i] != ':' {
		return s.fail(i, `want ":"`)
	}
	return s.blank(i + 1)
}
