package vec

import (
	enc "encoding/binary"
	"math"
)

// AppendEqual appends v so that values which = finds equal are equal bytes, and
// others are not. ok is false for a value that is equal to none.
func AppendEqual(b []byte, v Value) (out []byte, ok bool) {
	switch v.Kind {
	case Int64, Timestamp:
		return enc.LittleEndian.AppendUint64(append(b, 'i'), uint64(v.I)), true
	case Float64:
		if i, ok := v.Whole(); ok {
			return enc.LittleEndian.AppendUint64(append(b, 'i'), uint64(i)), true
		}
		return enc.LittleEndian.AppendUint64(append(b, 'f'), math.Float64bits(v.F)), v.F == v.F
	case Bool:
		return append(b, 'b', byte(v.I)), true
	case String, Bytes:
		b = enc.AppendUvarint(append(b, 's', byte(v.Kind)), uint64(len(v.S)))
		return append(b, v.S...), true
	}
	return b, false
}
