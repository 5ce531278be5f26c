package fn

import (
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// castKernel makes the kernel of cast(column, literal type) for the casts of
// numbers, truth values and instants; strings are cast once per distinct string.
func castKernel(l Lits) VecFunc {
	name, ok := l.text(1)
	kind, known := castKinds[name]
	if !ok || !known || l[0] != nil {
		return nil
	}
	return func(c *Ctx, dst, col *vec.Column) bool {
		switch {
		case kind == vec.Float64 && numeric(dst, col):
			return true
		case kind == vec.Int64:
			return castIntVec(dst, col)
		case kind == vec.Timestamp:
			return castTimeVec(dst, col)
		case kind == vec.String:
			return castTextVec(dst, col)
		}
		return false
	}
}

func castIntVec(dst, col *vec.Column) bool {
	switch col.Kind {
	case vec.Int64:
		begin(dst, col, vec.Int64)
		copy(dst.Ints, col.Ints[:col.Rows])
	case vec.Float64:
		begin(dst, col, vec.Int64)
		floatInts(dst, col)
	default:
		return false
	}
	return true
}

// floatInts cuts floats off; those that do not fit are faults.
func floatInts(dst, col *vec.Column) {
	bad := false
	for i, v := range col.Floats[:col.Rows] {
		n, ok := vec.WholePart(v)
		dst.Ints[i] = n
		bad = bad || !ok
	}
	if bad {
		drop(dst, true, func(row int) bool { _, ok := vec.WholePart(col.Floats[row]); return !ok })
	}
}

func castTimeVec(dst, col *vec.Column) bool {
	switch col.Kind {
	case vec.Int64, vec.Timestamp:
		begin(dst, col, vec.Timestamp)
		copy(dst.Ints, col.Ints[:col.Rows])
	case vec.Float64:
		begin(dst, col, vec.Timestamp)
		floatInts(dst, col)
	default:
		return false
	}
	return true
}

func castTextVec(dst, col *vec.Column) bool {
	if col.Kind != vec.Float64 && col.Kind != vec.Int64 {
		return false
	}
	begin(dst, col, vec.String)
	var buf [400]byte // the longest float without an exponent has some 330 characters
	col.Valid.Each(func(row int) {
		if col.Kind == vec.Int64 {
			dst.Codes[row] = dst.Dict.Add(strconv.AppendInt(buf[:0], col.Ints[row], 10))
		} else {
			dst.Codes[row] = dst.Dict.Add(vec.AppendFloat(buf[:0], col.Floats[row]))
		}
	})
	return true
}
