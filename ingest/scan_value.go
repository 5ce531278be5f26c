package ingest

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// number is a scanned JSON number: its text ends at end; m is its digits without
// the sign if there are at most 19 (exact), exp the power of ten to multiply by.
type number struct {
	end   int
	m     uint64
	exp   int
	neg   bool
	whole bool // no ".", no exponent
	exact bool // m and exp hold the whole value
}

// number walks and reads the number at i; n.end is negative after an error.
func (s *scan) number(i int) (n number) {
	src, start := s.src, i
	if src[i] == '-' {
		n.neg = true
		i++
	}
	first := i
	m, i := readDigits(src, i, 0)
	count := i - first
	if count == 0 {
		n.end = s.fail(i, "number")
		return n
	}
	n.whole = true
	if count > 1 && src[first] == '0' { // ends here, and what follows is no comma
		n.end, n.exact = first+1, true
		return n
	}
	if i < len(src) && src[i] == '.' {
		n.whole = false
		point := i + 1
		m, i = readDigits(src, point, m)
		if i == point {
			n.end = s.fail(i, "number")
			return n
		}
		n.exp = point - i
		count += i - point
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		n.whole = false
		if i = s.num(start); i < 0 { // checks the exponent
			n.end = i
			return n
		}
		n.end, n.exact = i, false
		return n
	}
	n.end, n.m, n.exact = i, m, count <= 19
	if !n.exact && count > longNumber {
		n.end = s.inRange(start, i)
	}
	return n
}

// readDigits walks the digits at i and appends them to m, which overflows
// silently after 19.
func readDigits(src []byte, i int, m uint64) (uint64, int) {
	for i+8 <= len(src) {
		x := binary.LittleEndian.Uint64(src[i:]) ^ '0'*low8
		n := digitRun(x)
		m = m*tens[n&15] + parseEight(x<<(64-8*uint(n)))
		if i += n; n < 8 {
			return m, i
		}
	}
	for i < len(src) {
		d := src[i] - '0'
		if d > 9 {
			break
		}
		m = m*10 + uint64(d)
		i++
	}
	return m, i
}

// parseEight is the number of eight digits, the first in the lowest byte, each
// as its value.
func parseEight(x uint64) uint64 {
	x = x*10 + x>>8 // pairs
	const mask = 0x000000ff000000ff
	return ((x&mask)*(100+1000000<<32) + (x>>16&mask)*(1+10000<<32)) >> 32
}

var tens = [16]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float returns the nearest float64 of the number n whose text begins at start.
func (s *scan) float(start int, n *number) float64 {
	if n.exact && (n.exp == 0 || n.m < 1<<53 && n.exp >= -22) {
		f := float64(n.m) // one rounding, of the conversion or of the division
		if n.exp != 0 {
			f /= powers[-n.exp]
		}
		if n.neg {
			return -f
		}
		return f
	}
	f, _ := strconv.ParseFloat(string(s.src[start:n.end]), 64)
	return f
}

// beyond returns a whole number that fits in 64 bits and of which a float64 may lose
// digits.
func (n *number) beyond() (i int64, ok bool) {
	if n.m <= 1<<53 {
		return 0, false
	}
	return n.int()
}

// setNumber sets row of c to the number n whose text begins at start, as a float.
func (s *scan) setNumber(c *vec.Column, row, start int, n *number) {
	if i, ok := n.beyond(); ok {
		c.SetExact(row, i)
		return
	}
	c.SetFloat(row, s.float(start, n))
}

// int returns a whole number; ok is false if it is beyond int64.
func (n *number) int() (i int64, ok bool) {
	switch {
	case !n.exact || !n.whole:
		return 0, false
	case n.neg:
		return -int64(n.m), n.m <= 1<<63
	}
	return int64(n.m), n.m <= math.MaxInt64
}

// unquote appends the text of a string, raw without its quotes and already
// checked, to dst. Bad UTF-8 and lone surrogates become U+FFFD.
func unquote(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\':
			var r rune
			if r, i = unescape(raw, i); r < utf8.RuneSelf {
				dst = append(dst, byte(r))
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

// unescape reads the escape sequence at i and returns the position behind it.
func unescape(raw []byte, i int) (rune, int) {
	switch raw[i+1] {
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
		r := hex4(raw[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
				if full := utf16.DecodeRune(r, hex4(raw[i+2:])); full != utf8.RuneError {
					return full, i + 6
				}
			}
			return utf8.RuneError, i
		}
		return r, i
	}
	return rune(raw[i+1]), i + 2
}

func hex4(b []byte) rune {
	return rune(hexDigit(b[0])<<12 | hexDigit(b[1])<<8 | hexDigit(b[2])<<4 | hexDigit(b[3]))
}

// appendQuoted appends s as a JSON string. Bad UTF-8 becomes U+FFFD.
func appendQuoted(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return append(dst, '"')
}
