package rawjson

import "unsafe"

// view returns b as a string without a copy, for values that borrow their text.
// The bytes must not change while the string is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns s as bytes without a copy; they must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// space returns the position of the first byte at or after i that is not white
// space, or len(raw).
func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// trim returns raw without white space around it.
func trim(raw []byte) []byte {
	raw = raw[space(raw, 0):]
	for n := len(raw); n > 0; n-- {
		if c := raw[n-1]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return raw[:n]
		}
	}
	return nil
}

// skip returns the end of the value that starts at i, or -1 if the text ends
// before it does. It looks at nesting and strings only and uses no stack.
func skip(raw []byte, i int) int {
	if i >= len(raw) {
		return -1
	}
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		return skipNested(raw, i)
	}
	start := i
	for i < len(raw) && class[raw[i]]&endsScalar == 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipNested(raw []byte, i int) int {
	depth := 0
	for {
		for i < len(raw) && class[raw[i]]&structural == 0 {
			i++
		}
		if i >= len(raw) {
			return -1
		}
		switch raw[i] {
		case '"':
			if i = skipString(raw, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		default:
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// skipString returns the end of the string whose opening quote is at i, or -1.
func skipString(raw []byte, i int) int {
	i++
	for {
		// Most strings are short: a loop finds their end before a search starts.
		for i < len(raw) && class[raw[i]]&plainText != 0 {
			i++
		}
		if i >= len(raw) {
			return -1
		}
		switch raw[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
}

const (
	endsScalar = 1 << iota // byte that cannot be part of a number or word
	structural             // byte that skipNested looks at
	plainText              // byte that stands for itself in a string
)

var class = func() (t [256]uint8) {
	for _, c := range []byte(" \t\r\n,]}:[{\"") {
		t[c] |= endsScalar
	}
	for _, c := range []byte("{}[]\"") {
		t[c] |= structural
	}
	for c := 0x20; c < 0x80; c++ {
		if c != '"' && c != '\\' {
			t[c] |= plainText
		}
	}
	return t
}()

// members walks over the members of an object.
type members struct {
	raw    []byte
	i      int // where the next member starts; 0 before the first
	k0, k1 int // the key with its quotes
	v0, v1 int
}

// next moves to the next member and tells whether there is one.
func (m *members) next() bool {
	raw := m.raw
	i := m.i
	if i == 0 {
		if i = space(raw, 0); i == len(raw) || raw[i] != '{' {
			return false
		}
	} else if i >= len(raw) || raw[i] != ',' {
		return false
	}
	i = space(raw, i+1)
	if i == len(raw) || raw[i] != '"' {
		return false
	}
	m.k0 = i
	if m.k1 = skipString(raw, i); m.k1 < 0 {
		return false
	}
	if i = space(raw, m.k1); i == len(raw) || raw[i] != ':' {
		return false
	}
	m.v0 = space(raw, i+1)
	if m.v1 = skip(raw, m.v0); m.v1 < 0 {
		return false
	}
	m.i = space(raw, m.v1)
	return true
}

func (m *members) rawKey() []byte { return m.raw[m.k0+1 : m.k1-1] }
func (m *members) value() []byte  { return m.raw[m.v0:m.v1] }
func (m *members) key() string    { return UnescapeKey(m.rawKey()) }
