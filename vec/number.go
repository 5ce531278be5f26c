package vec

import (
	"math"
	"strconv"
)

// Exact is what a float is in a tree if it is a whole number of 64 bits beyond 2^53:
// it is written with all its digits, and counts as a float where somebody computes.
type Exact int64

// FitsInt64 tells whether f, cut off to a whole number, is one of 64 bits. What
// another becomes as int64 differs between machines.
func FitsInt64(f float64) bool { return f >= -(1<<63) && f < 1<<63 }

// WholePart cuts f off to an int64; ok is false if it does not fit.
func WholePart(f float64) (i int64, ok bool) {
	if FitsInt64(f) {
		return int64(f), true
	}
	return 0, false
}

// Whole returns f as int64; ok is false if f has a fraction or does not fit.
func Whole(f float64) (i int64, ok bool) {
	i, ok = WholePart(f)
	return i, ok && float64(i) == f
}

// ExactFloat returns i as float64; ok tells whether that is the same number.
func ExactFloat(i int64) (f float64, ok bool) {
	f = float64(i)
	return f, f < 1<<63 && int64(f) == i
}

// CompareIntFloat tells how i stands to f: negative, 0 or positive. It is exact
// beyond 2^53 too.
func CompareIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	t := math.Trunc(f)
	switch whole := int64(t); {
	case i < whole:
		return -1
	case i > whole:
		return 1
	case t < f:
		return -1
	case t > f:
		return 1
	}
	return 0
}

// CompareNumbers tells how a stands to b, both numbers: negative, 0 or positive. It
// is exact, and a NaN is equal to everything.
func CompareNumbers(a, b Value) int {
	switch x, y := a.isWhole(), b.isWhole(); {
	case x && y:
		return sign(a.I, b.I)
	case x:
		return CompareIntFloat(a.I, b.F)
	case y:
		return -CompareIntFloat(b.I, a.F)
	}
	return sign(a.F, b.F)
}

// isWhole tells whether the number v is I.
func (v Value) isWhole() bool { return v.Kind != Float64 || v.I != 0 }

// sign is cmp.Compare to which a NaN is equal to everything.
func sign[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// WholePart returns a number cut off to an int64; ok is false if it does not fit or
// v is no number.
func (v Value) WholePart() (i int64, ok bool) {
	switch {
	case v.Kind == Int64 || v.Kind == Float64 && v.I != 0:
		return v.I, true
	case v.Kind == Float64:
		return WholePart(v.F)
	}
	return 0, false
}

// Whole returns a number as int64; ok is false if it has a fraction or does not fit,
// or v is no number.
func (v Value) Whole() (i int64, ok bool) {
	i, ok = v.WholePart()
	return i, ok && (v.isWhole() || float64(i) == v.F)
}

// maxShort bounds the decimals that AppendFloat finds by itself: up to 15 digits,
// no two decimals are the same float64, so the first that gives f is the shortest.
const maxShort = 1e15

// AppendFloat appends f in plain digits, never with an exponent: it is how numbers
// become text everywhere in this program. Whole numbers of 64 bits have all their
// digits, others as few as tell them from any other. Whole numbers and those of up to
// three decimals, which is what devices report, are written without strconv's search
// for the shortest text: a third of its time.
func AppendFloat(dst []byte, f float64) []byte {
	if i, ok := Whole(f); ok && (i != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, i, 10)
	}
	a := math.Abs(f)
	if a >= 1e-3 && a < maxShort/1000 {
		if d := int64(a*10 + 0.5); float64(d)/10 == a {
			return appendDecimal(dst, f, d, 10)
		}
		if d := int64(a*100 + 0.5); float64(d)/100 == a {
			return appendDecimal(dst, f, d, 100)
		}
		if d := int64(a*1000 + 0.5); float64(d)/1000 == a {
			return appendDecimal(dst, f, d, 1000)
		}
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendDecimal appends d/unit with the sign of f; unit is 10, 100 or 1000.
func appendDecimal(dst []byte, f float64, d, unit int64) []byte {
	if f < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, d/unit, 10)
	dst = append(dst, '.')
	rest := d % unit
	for unit > 1 {
		unit /= 10
		dst = append(dst, byte('0'+rest/unit%10))
	}
	return dst
}

// AppendJSONFloat appends a finite f as encoding/json does, with an exponent below 1e-6
// and from 1e21 on; but whole numbers of 64 bits have all their digits.
func AppendJSONFloat(dst []byte, f float64) []byte {
	if a := math.Abs(f); a == 0 || a >= 1e-6 && a < 1e21 {
		return AppendFloat(dst, f)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// e-09 is written e-9.
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// AppendNumber appends the number v in plain digits, see AppendFloat.
func AppendNumber(dst []byte, v Value) []byte {
	if v.isWhole() {
		return strconv.AppendInt(dst, v.I, 10)
	}
	return AppendFloat(dst, v.F)
}

// NumberText is AppendNumber as a string.
func NumberText(v Value) string {
	var b [32]byte
	return string(AppendNumber(b[:0], v))
}

// ParseNumber reads a decimal number, as JSON has it or with a "+", zeros or a point
// in front, as a Float64 value; a whole number keeps all its digits if it fits in 64
// bits. ok is false for any other text, hexadecimal numbers, NaN and infinities among
// them, and for a number beyond the range of float64.
func ParseNumber[T string | []byte](text T) (v Value, ok bool) {
	whole := true
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', i == 0 && (c == '-' || c == '+'):
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
			whole = false
		default:
			return Value{}, false
		}
	}
	if whole {
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			if i == 0 && text[0] == '-' {
				return FloatValue(math.Copysign(0, -1)), true
			}
			return ExactValue(i), true
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return FloatValue(f), err == nil
}
