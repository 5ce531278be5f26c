package fn

import (
	"math"
	"math/bits"

	"github.com/weir-engine/weir/vec"
)

// begin makes dst a column of kind k with the rows of col that have a value.
func begin(dst, col *vec.Column, k vec.Kind) {
	dst.Reset(col.Rows)
	dst.As(k)
	copy(dst.Present, col.Valid)
	copy(dst.Valid, col.Valid)
	if col.Fault != nil {
		for i := range col.Fault {
			if col.Fault[i] != 0 {
				dst.Fault = append(vec.Bitmap(nil), col.Fault...)
				break
			}
		}
	}
}

// drop makes the rows of dst for which bad holds faults or, without fault, null.
func drop(dst *vec.Column, fault bool, bad func(row int) bool) {
	for i, w := range dst.Valid {
		var out uint64
		for b := w; b != 0; b &= b - 1 {
			row := i<<6 + bits.TrailingZeros64(b)
			if bad(row) {
				out |= b & -b
			}
		}
		if out == 0 {
			continue
		}
		dst.Valid[i] &^= out
		if fault {
			if dst.Fault == nil {
				dst.Fault = make(vec.Bitmap, vec.Words(dst.Rows))
			}
			dst.Fault[i] |= out
		}
	}
}

// numeric tells whether a kernel over numbers can do col, which it cannot if floats
// would lose digits; it copies whole numbers as floats to dst, or floats as they are,
// so that the kernel works in place.
func numeric(dst, col *vec.Column) bool {
	switch col.Kind {
	case vec.Float64:
		begin(dst, col, vec.Float64)
		copy(dst.Floats, col.Floats[:col.Rows])
	case vec.Int64:
		for i, v := range col.Ints[:col.Rows] {
			if uint64(v)+1<<53 > 2<<53 && col.Valid.Has(i) {
				return false
			}
		}
		begin(dst, col, vec.Float64)
		vec.Floats(dst.Floats[:col.Rows], col.Ints)
	default:
		return false
	}
	return true
}

// overNumbers makes a kernel of f; results that are no number are null. The call
// of f per row is what sines cost anyway; the cheap functions have loops of their
// own.
func overNumbers(f func(float64) float64) VecFunc {
	return func(_ *Ctx, dst, col *vec.Column) bool {
		if !numeric(dst, col) {
			return false
		}
		for i, v := range dst.Floats {
			dst.Floats[i] = f(v)
		}
		nanNull(dst)
		return true
	}
}

// nanNull makes rows null whose value is no number.
func nanNull(dst *vec.Column) {
	for _, v := range dst.Floats {
		if v != v {
			drop(dst, false, func(row int) bool { return math.IsNaN(dst.Floats[row]) })
			return
		}
	}
}

func absVec(_ *Ctx, dst, col *vec.Column) bool {
	switch col.Kind {
	case vec.Float64:
		begin(dst, col, vec.Float64)
		for i, v := range col.Floats[:col.Rows] {
			dst.Floats[i] = math.Abs(v)
		}
	case vec.Int64:
		begin(dst, col, vec.Int64)
		for i, v := range col.Ints[:col.Rows] {
			dst.Ints[i] = max(v, -v)
		}
	default:
		return false
	}
	return true
}

func ceilVec(_ *Ctx, dst, col *vec.Column) bool {
	if !numeric(dst, col) {
		return false
	}
	for i, v := range dst.Floats {
		dst.Floats[i] = math.Ceil(v)
	}
	return true
}

func floorVec(_ *Ctx, dst, col *vec.Column) bool {
	if !numeric(dst, col) {
		return false
	}
	for i, v := range dst.Floats {
		dst.Floats[i] = math.Floor(v)
	}
	return true
}

func sqrtVec(_ *Ctx, dst, col *vec.Column) bool {
	if !numeric(dst, col) {
		return false
	}
	bad := false
	for i, v := range dst.Floats {
		dst.Floats[i] = math.Sqrt(v)
		bad = bad || !(v >= 0)
	}
	if bad {
		drop(dst, true, func(row int) bool { return math.IsNaN(dst.Floats[row]) })
	}
	return true
}

func lnVec(_ *Ctx, dst, col *vec.Column) bool {
	if !numeric(dst, col) {
		return false
	}
	bad := false
	for i, v := range dst.Floats {
		bad = bad || !(v >= 0)
		dst.Floats[i] = math.Log(v)
	}
	if bad {
		drop(dst, true, func(row int) bool { return math.IsNaN(dst.Floats[row]) })
	}
	return true
}

func signVec(_ *Ctx, dst, col *vec.Column) bool {
	switch col.Kind {
	case vec.Float64:
		begin(dst, col, vec.Int64)
		for i, v := range col.Floats[:col.Rows] {
			dst.Ints[i] = bit(v > 0) - bit(v < 0)
		}
	case vec.Int64:
		begin(dst, col, vec.Int64)
		for i, v := range col.Ints[:col.Rows] {
			dst.Ints[i] = bit(v > 0) - bit(v < 0)
		}
	default:
		return false
	}
	return true
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// roundKernel makes the kernel of round(x) and of round(x, literal).
func roundKernel(l Lits) VecFunc {
	digits := 0.0
	if len(l) == 2 {
		if l[1] == nil {
			return nil
		}
		var err error
		if digits, err = number(*l[1]); err != nil {
			return nil
		}
	}
	d := int(min(max(digits, -400), 400))
	factor := math.Pow(10, float64(d))
	usual := factor > 0 && factor <= math.MaxFloat64
	return func(_ *Ctx, dst, col *vec.Column) bool {
		if !numeric(dst, col) {
			return false
		}
		if d == 0 {
			for i, v := range dst.Floats {
				dst.Floats[i] = math.Round(v)
			}
			return true
		}
		for i, v := range dst.Floats {
			if scaled := v * factor; math.Abs(scaled) <= math.MaxFloat64 && usual {
				dst.Floats[i] = math.Round(scaled) / factor
			} else {
				dst.Floats[i] = round(v, d)
			}
		}
		return true
	}
}
