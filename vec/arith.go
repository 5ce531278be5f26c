package vec

// Arith is an arithmetic operation that cannot fail.
type Arith uint8

// The operations.
const (
	Add Arith = iota
	Sub
	Mul
)

// ArithConst sets dst[i] to a[i] op c.
func ArithConst[T Number](dst []T, op Arith, a []T, c T) {
	a = a[:len(dst)]
	switch op {
	case Add:
		for i, v := range a {
			dst[i] = v + c
		}
	case Sub:
		for i, v := range a {
			dst[i] = v - c
		}
	case Mul:
		for i, v := range a {
			dst[i] = v * c
		}
	}
}

// ConstArith sets dst[i] to c op a[i].
func ConstArith[T Number](dst []T, op Arith, c T, a []T) {
	a = a[:len(dst)]
	if op != Sub {
		ArithConst(dst, op, a, c)
		return
	}
	for i, v := range a {
		dst[i] = c - v
	}
}

// ArithCols sets dst[i] to a[i] op b[i].
func ArithCols[T Number](dst []T, op Arith, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	switch op {
	case Add:
		for i, v := range a {
			dst[i] = v + b[i]
		}
	case Sub:
		for i, v := range a {
			dst[i] = v - b[i]
		}
	case Mul:
		for i, v := range a {
			dst[i] = v * b[i]
		}
	}
}

// Divide sets dst[i] to a[i] / b[i] and takes the rows whose b is zero out of
// valid, putting those of them that were valid into fault.
func Divide(dst, a, b []float64, valid, fault Bitmap) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range valid {
		lo := i << 6
		x := a[lo:min(lo+64, len(a))]
		y, d := b[lo:][:len(x)], dst[lo:][:len(x)]
		var zero uint64
		for j, v := range x {
			zero |= bit(y[j] == 0) << (j & 63)
			d[j] = v / y[j]
		}
		fault[i] |= valid[i] & zero
		valid[i] &^= zero
	}
}

// Floats sets dst to the numbers of a.
func Floats(dst []float64, a []int64) {
	a = a[:len(dst)]
	for i, v := range a {
		dst[i] = float64(v)
	}
}
