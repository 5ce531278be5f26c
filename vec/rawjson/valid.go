package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// smallObject is the number of keys up to which keys are compared with each
// other; above it a map finds duplicates.
const smallObject = 16

var errDepth = fmt.Errorf("json: nested deeper than %d levels", MaxDepth)

var errEnd = errors.New("json: unexpected end of text")

// Valid checks that raw is one JSON value, strictly by RFC 8259, no deeper than
// MaxDepth. clean tells that its text may be sent on as it is: it has no white
// space outside of strings, no duplicate keys, and is UTF-8 throughout.
func Valid(raw []byte) (clean bool, err error) {
	c := checker{raw: raw, clean: true}
	if err := c.all(); err != nil {
		return false, err
	}
	return c.clean, nil
}

// checker walks over JSON text by recursive descent.
type checker struct {
	raw   []byte
	clean bool
	lone  bool // there may be half a surrogate pair
}

// all checks the whole text.
func (c *checker) all() error {
	i, err := c.value(c.space(0), 0)
	if err != nil {
		return err
	}
	if i = c.space(i); i != len(c.raw) {
		return c.unexpected(i, "end of text")
	}
	return nil
}

func (c *checker) space(i int) int {
	j := space(c.raw, i)
	if j != i {
		c.clean = false
	}
	return j
}

// unexpected says what stands at i instead of want.
func (c *checker) unexpected(i int, want string) error {
	if i >= len(c.raw) {
		return errEnd
	}
	r, _ := utf8.DecodeRune(c.raw[i:])
	return fmt.Errorf("json: offset %d: unexpected %q, want %s", i, r, want)
}

// value checks the value at i and returns its end.
func (c *checker) value(i, depth int) (int, error) {
	if i >= len(c.raw) {
		return i, errEnd
	}
	switch b := c.raw[i]; b {
	case '{':
		return c.object(i, depth+1)
	case '[':
		return c.array(i, depth+1)
	case '"':
		return c.str(i)
	case 't':
		return c.word(i, "true")
	case 'f':
		return c.word(i, "false")
	case 'n':
		return c.word(i, "null")
	default:
		if b == '-' || b >= '0' && b <= '9' {
			return c.number(i)
		}
	}
	return i, c.unexpected(i, "a value")
}

func (c *checker) word(i int, w string) (int, error) {
	if len(c.raw)-i < len(w) || string(c.raw[i:i+len(w)]) != w {
		return i, fmt.Errorf("json: offset %d: want %s", i, w)
	}
	return i + len(w), nil
}

func (c *checker) digits(i int) (int, error) {
	start := i
	for i < len(c.raw) && c.raw[i] >= '0' && c.raw[i] <= '9' {
		i++
	}
	if i == start {
		return i, c.unexpected(i, "a digit")
	}
	return i, nil
}

// longNumber is a length of digits up to which a number is in float64's range.
const longNumber = 300

func (c *checker) number(i int) (int, error) {
	end, exponent, err := c.digitsOf(i)
	if err == nil && (exponent || end-i > longNumber) {
		if _, bad := strconv.ParseFloat(view(c.raw[i:end]), 64); bad != nil {
			return i, fmt.Errorf("json: offset %d: number beyond the range of float64", i)
		}
	}
	return end, err
}

// digitsOf walks the number at i.
func (c *checker) digitsOf(i int) (end int, exponent bool, err error) {
	if c.raw[i] == '-' {
		i++
	}
	if i < len(c.raw) && c.raw[i] == '0' {
		i++
	} else if i, err = c.digits(i); err != nil {
		return i, false, err
	}
	if i < len(c.raw) && c.raw[i] == '.' {
		if i, err = c.digits(i + 1); err != nil {
			return i, false, err
		}
	}
	if i < len(c.raw) && c.raw[i]|0x20 == 'e' {
		i++
		if i < len(c.raw) && (c.raw[i] == '+' || c.raw[i] == '-') {
			i++
		}
		i, err = c.digits(i)
		return i, true, err
	}
	return i, false, nil
}

// str checks the string whose opening quote is at i.
func (c *checker) str(i int) (int, error) {
	i++
	for {
		for i < len(c.raw) && class[c.raw[i]]&plainText != 0 {
			i++
		}
		if i >= len(c.raw) {
			return i, errEnd
		}
		switch b := c.raw[i]; {
		case b == '"':
			return i + 1, nil
		case b == '\\':
			if i+1 < len(c.raw) && escapes[c.raw[i+1]] != 0 {
				i += 2
				continue
			}
			r := hex4(c.raw, i)
			if r < 0 {
				return i, fmt.Errorf("json: offset %d: unknown escape in a string", i)
			}
			c.lone = c.lone || r >= 0xd800 && r < 0xe000
			i += 6
		case b < 0x20:
			return i, fmt.Errorf("json: offset %d: control character %#02x in a string", i, b)
		default:
			r, n := utf8.DecodeRune(c.raw[i:])
			if r == utf8.RuneError && n == 1 {
				c.clean = false
			}
			i += n
		}
	}
}

func (c *checker) array(i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, errDepth
	}
	i = c.space(i + 1)
	if i < len(c.raw) && c.raw[i] == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = c.value(i, depth); err != nil {
			return i, err
		}
		i = c.space(i)
		if i < len(c.raw) && c.raw[i] == ']' {
			return i + 1, nil
		}
		if i >= len(c.raw) || c.raw[i] != ',' {
			return i, c.unexpected(i, "a comma or the end of the array")
		}
		i = c.space(i + 1)
	}
}

func (c *checker) object(i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, errDepth
	}
	var keys keySet
	i = c.space(i + 1)
	if i < len(c.raw) && c.raw[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(c.raw) || c.raw[i] != '"' {
			return i, c.unexpected(i, "a key")
		}
		key := i + 1
		var err error
		if i, err = c.str(i); err != nil {
			return i, err
		}
		if c.clean && !keys.add(c.raw[key:i-1]) {
			c.clean = false
		}
		if i = c.space(i); i >= len(c.raw) || c.raw[i] != ':' {
			return i, c.unexpected(i, "a colon")
		}
		if i, err = c.value(c.space(i+1), depth); err != nil {
			return i, err
		}
		i = c.space(i)
		if i < len(c.raw) && c.raw[i] == '}' {
			return i + 1, nil
		}
		if i >= len(c.raw) || c.raw[i] != ',' {
			return i, c.unexpected(i, "a comma or the end of the object")
		}
		i = c.space(i + 1)
	}
}

// keySet finds duplicate keys of one object.
type keySet struct {
	n     int
	small [smallObject][]byte
	large map[string]struct{}
}

// add enters the key with the content raw and tells whether it is new.
func (s *keySet) add(raw []byte) bool {
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = bytesOf(UnescapeKey(raw))
	}
	if s.large == nil {
		for _, k := range s.small[:s.n] {
			if bytes.Equal(k, raw) {
				return false
			}
		}
		if s.n < len(s.small) {
			s.small[s.n] = raw
			s.n++
			return true
		}
		s.large = make(map[string]struct{}, 4*smallObject)
		for _, k := range s.small {
			s.large[view(k)] = struct{}{}
		}
	}
	if _, ok := s.large[view(raw)]; ok {
		return false
	}
	s.large[view(raw)] = struct{}{}
	return true
}
