package vec

import "math"

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
