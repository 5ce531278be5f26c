package vec

// Number is what numeric kernels work on.
type Number interface{ ~int64 | ~float64 }

// Cmp is a comparison.
type Cmp uint8

// The comparisons.
const (
	Eq Cmp = iota
	Ne
	Lt
	Le
	Gt
	Ge
)

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// CompareConst sets dst to the rows of a for which "v op c" holds. dst has the
// words for len(a) rows; rows without a value get any bit, so the caller ANDs
// with the column's Valid.
func CompareConst[T Number](dst Bitmap, op Cmp, a []T, c T) {
	for i := range dst {
		lo := i << 6
		chunk := a[lo:min(lo+64, len(a))]
		var w uint64
		switch op {
		case Eq:
			for j, v := range chunk {
				w |= bit(v == c) << (j & 63)
			}
		case Ne:
			for j, v := range chunk {
				w |= bit(v != c) << (j & 63)
			}
		case Lt:
			for j, v := range chunk {
				w |= bit(v < c) << (j & 63)
			}
		case Le:
			for j, v := range chunk {
				w |= bit(v <= c) << (j & 63)
			}
		case Gt:
			for j, v := range chunk {
				w |= bit(v > c) << (j & 63)
			}
		case Ge:
			for j, v := range chunk {
				w |= bit(v >= c) << (j & 63)
			}
		}
		dst[i] = w
	}
}

// Compare sets dst to the rows for which "a op b" holds; see CompareConst.
func Compare[T Number](dst Bitmap, op Cmp, a, b []T) {
	for i := range dst {
		lo := i << 6
		x := a[lo:min(lo+64, len(a))]
		y := b[lo:][:len(x)]
		var w uint64
		switch op {
		case Eq:
			for j, v := range x {
				w |= bit(v == y[j]) << (j & 63)
			}
		case Ne:
			for j, v := range x {
				w |= bit(v != y[j]) << (j & 63)
			}
		case Lt:
			for j, v := range x {
				w |= bit(v < y[j]) << (j & 63)
			}
		case Le:
			for j, v := range x {
				w |= bit(v <= y[j]) << (j & 63)
			}
		case Gt:
			for j, v := range x {
				w |= bit(v > y[j]) << (j & 63)
			}
		case Ge:
			for j, v := range x {
				w |= bit(v >= y[j]) << (j & 63)
			}
		}
		dst[i] = w
	}
}
