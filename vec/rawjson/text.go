package rawjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// KeyIs tells whether the text between the quotes of a key, as Members gives it,
// is the name key.
func KeyIs(raw []byte, key string) bool {
	if len(raw) == len(key) {
		// Equal text with a backslash in it is not an equal name.
		return string(raw) == key && bytes.IndexByte(raw, '\\') < 0
	}
	// An escape is longer than what it stands for.
	if len(raw) < len(key) || bytes.IndexByte(raw, '\\') < 0 {
		return false
	}
	return UnescapeKey(raw) == key
}

// UnescapeKey returns the name that the text between the quotes of a key stands
// for, as a copy.
func UnescapeKey(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw)
	}
	s, _ := appendUnescaped(make([]byte, 0, len(raw)), raw)
	return view(s)
}

// Unquote returns the text of a JSON string as a copy. ok is false if raw is no
// string or has an escape that JSON does not know.
func Unquote(raw []byte) (s string, ok bool) {
	raw = trim(raw)
	if len(raw) < 2 || raw[0] != '"' || skipString(raw, 0) != len(raw) {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw), true
	}
	b, ok := appendUnescaped(make([]byte, 0, len(raw)), raw)
	return view(b), ok
}

// AppendUnquoted appends the text of a JSON string to dst, see Unquote.
func AppendUnquoted(dst, raw []byte) (out []byte, ok bool) {
	raw = trim(raw)
	if len(raw) < 2 || raw[0] != '"' || skipString(raw, 0) != len(raw) {
		return dst, false
	}
	return appendUnescaped(dst, raw[1:len(raw)-1])
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendUnescaped appends what the content of a string stands for. What is no
// UTF-8, and half a surrogate pair, becomes U+FFFD, as in encoding/json. An escape
// that JSON does not know is kept as it is, and ok is false.
func appendUnescaped(dst, raw []byte) (out []byte, ok bool) {
	ok = true
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c != '\\' && c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		case c != '\\':
			r, n := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		case i+1 < len(raw) && escapes[raw[i+1]] != 0:
			dst = append(dst, escapes[raw[i+1]])
			i += 2
		default:
			r := hex4(raw, i)
			if r < 0 {
				ok = false
				dst = append(dst, c)
				i++
				continue
			}
			i += 6
			if utf16.IsSurrogate(r) {
				if pair := utf16.DecodeRune(r, hex4(raw, i)); pair != utf8.RuneError {
					r = pair
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst, ok
}

// hex4 returns the code unit of the \uXXXX at i, or -1.
func hex4(raw []byte, i int) rune {
	if len(raw)-i < 6 || raw[i] != '\\' || raw[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range raw[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
