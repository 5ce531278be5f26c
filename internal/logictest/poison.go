package logictest

import (
	"math"

	"github.com/weir-engine/weir/vec"
)

// poison fills the slots of a sealed batch that no row may read, those behind
// rows without a value, with the largest or the smallest value.
func poison(b *vec.Batch, high bool) {
	for i := range b.Cols {
		poisonColumn(&b.Cols[i], b.Rows, high)
	}
}

func poisonColumn(c *vec.Column, rows int, high bool) {
	i, f, code, span := int64(math.MinInt64), -math.MaxFloat64, uint32(0), vec.Span{}
	v := vec.IntValue(i)
	if high {
		i, f, code, span = math.MaxInt64, math.MaxFloat64, math.MaxUint32, vec.Span{Off: math.MaxUint32, End: math.MaxUint32}
		v = vec.StringValue("\U0010ffff")
	}
	for row := range rows {
		if c.Valid.Has(row) {
			continue
		}
		switch c.Kind {
		case vec.Bool:
			if high {
				c.Bits.Set(row)
			} else {
				c.Bits.Unset(row)
			}
		case vec.Int64, vec.Timestamp:
			c.Ints[row] = i
		case vec.Float64:
			c.Floats[row] = f
		case vec.String:
			c.Codes[row] = code
		case vec.JSON, vec.Bytes:
			if c.Data != nil {
				c.Spans[row] = span
			} else {
				c.Vals[row] = v
			}
		case vec.Variant:
			c.Vals[row] = v
		}
	}
}
