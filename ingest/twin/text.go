package twin

import (
	"strings"

	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// setText sets row of c to text as a value of type t, or tells that text is
// none; then c is as it was.
func setText(t model.Type, c *vec.Column, row int, text []byte) bool {
	switch t {
	case model.Int:
		if i, ok := parseInt(text); ok {
			c.SetInt(row, i)
			return true
		}
		return false
	case model.Float:
		return setFloat(c, row, text)
	case model.Bool:
		if b, ok := parseBool(text); ok {
			c.SetBool(row, b)
			return true
		}
		return false
	}
	c.SetString(row, text)
	return true
}

// parseInt reads a whole number; "26.0" and "2.6e1" are whole too.
func parseInt(text []byte) (int64, bool) {
	if n := len(text); n > 0 && n <= 18 {
		digits, neg := text, text[0] == '-'
		if neg {
			digits = text[1:]
		}
		var i int64
		for _, ch := range digits {
			d := ch - '0'
			if d > 9 {
				return wholeFloat(text)
			}
			i = i*10 + int64(d)
		}
		if neg {
			i = -i
		}
		return i, len(digits) > 0
	}
	return wholeFloat(text)
}

// wholeFloat reads what has a sign, a point, an exponent or many digits.
func wholeFloat(text []byte) (int64, bool) {
	v, ok := vec.ParseNumber(text)
	i, whole := v.Whole()
	return i, ok && whole
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// setFloat sets row of c to a decimal number, or tells that text is none.
func setFloat(c *vec.Column, row int, text []byte) bool {
	if f, ok := shortFloat(text); ok {
		c.SetFloat(row, f)
		return true
	}
	v, ok := vec.ParseNumber(text)
	if ok {
		c.Set(row, v)
	}
	return ok
}

// shortFloat reads a number of up to 15 digits without an exponent: both parts are
// exact, so that one division rounds correctly: 10 ns against strconv's 25.
func shortFloat(text []byte) (float64, bool) {
	n := len(text)
	if n == 0 || n > 17 {
		return 0, false
	}
	i, neg := 0, text[0] == '-'
	if neg {
		i = 1
	}
	var mant uint64
	digits, frac := 0, -1
	for ; i < n; i++ {
		if d := text[i] - '0'; d <= 9 {
			mant = mant*10 + uint64(d)
			digits++
		} else if text[i] == '.' && frac < 0 {
			frac = digits
		} else {
			return 0, false
		}
	}
	if digits == 0 || digits > 15 {
		return 0, false
	}
	f := float64(mant)
	if frac >= 0 {
		f /= pow10[digits-frac]
	}
	if neg {
		f = -f
	}
	return f, true
}

func parseBool(text []byte) (v, ok bool) {
	if len(text) == 1 {
		switch text[0] {
		case '1', 't', 'T':
			return true, true
		case '0', 'f', 'F':
			return false, true
		}
		return false, false
	}
	switch {
	case strings.EqualFold(string(text), "true"):
		return true, true
	case strings.EqualFold(string(text), "false"):
		return false, true
	}
	return false, false
}
