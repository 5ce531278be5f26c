package vec

// Span is a range of bytes in a column's Data.
type Span struct{ Off, End uint32 }

// Column holds one field of a batch, or the result of one step: the values of
// all rows in slices in Arrow's memory layout, and three bits a row. A row that
// is not Present is left out of outputs, a row that is Present and not Valid is
// written as null, and a row in Fault has no value because its step failed
// (division by zero, types that do not mix); a fault is never Valid.
//
// Slots behind rows that are not Valid hold anything; they must not be read.
// Only the slices of the column's Kind are meaningful:
//
//	Bool              Bits
//	Int64, Timestamp  Ints
//	Float64           Floats
//	String            Codes, Dict
//	JSON, Bytes       Spans, Data; or Vals where Data is nil (computed values)
//	Variant           Vals
//	Null              none: no row is valid
//
// A column has one writer, which calls Reset and then Set... or Append...;
// readers share it afterwards and write nothing.
type Column struct {
	Kind    Kind
	Ints64  bool // JSON: whole numbers in raw text are int64
	Rows    int
	Present Bitmap // nil: the same as Valid
	Valid   Bitmap
	Fault   Bitmap // nil: none

	Bits   Bitmap
	Ints   []int64
	Floats []float64
	Codes  []uint32
	Dict   *Dict
	Spans  []Span
	Data   []byte
	Vals   []Value

	ownDict *Dict
}

// Reset makes c an empty column of that many rows, all missing, and keeps its
// buffers. Present is allocated, for columns that tell null from missing.
func (c *Column) Reset(rows int) {
	c.Kind, c.Rows, c.Ints64 = Null, rows, false
	c.Present = c.Present.Grow(rows)
	c.Valid = c.Valid.Grow(rows)
	c.Fault = nil
	c.Dict, c.Data = nil, nil
}

// As sets the kind of a column that is still Null and allocates its slice for
// c.Rows rows. The slots are not cleared.
func (c *Column) As(k Kind) {
	c.Kind = k
	n := c.Rows
	switch k {
	case Bool:
		c.Bits = c.Bits.Grow(n)
	case Int64, Timestamp:
		c.Ints = grow(c.Ints, n)
	case Float64:
		c.Floats = grow(c.Floats, n)
	case String:
		c.Codes = grow(c.Codes, n)
		if c.ownDict == nil {
			c.ownDict = new(Dict)
		}
		c.ownDict.Reset()
		c.Dict = c.ownDict
	case JSON, Bytes:
		c.Spans = grow(c.Spans, n)
	case Variant:
		c.Vals = grow(c.Vals, n)
	}
}

// grow returns s with length n; it keeps the values there were.
func grow[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	t := make([]T, n, max(n, 64))
	copy(t, s[:cap(s)])
	return t
}

// SetNull marks row as present and null.
func (c *Column) SetNull(row int) { c.Present.Set(row) }

func (c *Column) mark(row int) {
	c.Present.Set(row)
	c.Valid.Set(row)
}

// SetFloat sets row to f. A column that holds another kind becomes Variant.
func (c *Column) SetFloat(row int, f float64) {
	if c.Kind != Float64 && !c.adopt(Float64) {
		c.Vals[row] = FloatValue(f)
	} else {
		c.Floats[row] = f
	}
	c.mark(row)
}

// SetExact sets row to the whole number i as a float that keeps all digits. One that
// no float64 holds makes the column Variant.
func (c *Column) SetExact(row int, i int64) {
	if f, ok := ExactFloat(i); ok {
		c.SetFloat(row, f)
	} else {
		c.setValue(row, Value{Kind: Float64, F: f, I: i})
	}
}

// SetInt sets row to i.
func (c *Column) SetInt(row int, i int64) {
	if c.Kind != Int64 && !c.adopt(Int64) {
		c.Vals[row] = IntValue(i)
	} else {
		c.Ints[row] = i
	}
	c.mark(row)
}

// SetTime sets row to an instant in milliseconds since 1970.
func (c *Column) SetTime(row int, ms int64) {
	if c.Kind != Timestamp && !c.adopt(Timestamp) {
		c.Vals[row] = TimeValue(ms)
	} else {
		c.Ints[row] = ms
	}
	c.mark(row)
}

// SetBool sets row to b.
func (c *Column) SetBool(row int, b bool) {
	if c.Kind != Bool && !c.adopt(Bool) {
		c.Vals[row] = BoolValue(b)
	} else if b {
		c.Bits.Set(row)
	} else {
		c.Bits.Unset(row)
	}
	c.mark(row)
}

// SetString sets row to s, which is copied.
func (c *Column) SetString(row int, s []byte) {
	if c.Kind != String && !c.adopt(String) {
		c.Vals[row] = StringValue(string(s))
	} else {
		c.Codes[row] = c.Dict.Add(s)
	}
	c.mark(row)
}

// SetJSON sets row to the raw JSON text data[span], whose whole numbers are int64 with
// ints. data must be the same memory for all rows of a batch, or a longer version of
// it; it is borrowed as long as the column.
func (c *Column) SetJSON(row int, data []byte, span Span, ints bool) {
	switch {
	case c.Kind == Null:
		c.Ints64 = ints
	case c.Kind == JSON && c.Ints64 != ints:
		c.variant()
	}
	c.setSpan(row, JSON, data, span, ints)
}

// SetBytes sets row to the bytes data[span], see SetJSON.
func (c *Column) SetBytes(row int, data []byte, span Span) { c.setSpan(row, Bytes, data, span, false) }

func (c *Column) setSpan(row int, k Kind, data []byte, span Span, ints bool) {
	if c.Kind != k && !c.adopt(k) {
		c.Vals[row] = Value{Kind: k, S: string(data[span.Off:span.End]), Ints: ints}
	} else {
		c.Spans[row] = span
		c.Data = data
	}
	c.mark(row)
}

// Set sets row to any value; missing and null included. Nested computed values,
// instants with an offset of their own and bytes make the column one of values
// (Data nil, or Variant).
func (c *Column) Set(row int, v Value) {
	if v.Kind == Timestamp && v.X != nil {
		c.setValue(row, v)
		return
	}
	switch v.Kind {
	case Missing:
	case Null:
		c.SetNull(row)
	case Bool:
		c.SetBool(row, v.I != 0)
	case Int64:
		c.SetInt(row, v.I)
	case Timestamp:
		c.SetTime(row, v.I)
	case Float64:
		if v.I != 0 {
			c.setValue(row, v)
			return
		}
		c.SetFloat(row, v.F)
	case String:
		if c.Kind != String && !c.adopt(String) {
			c.Vals[row] = v
		} else {
			c.Codes[row] = c.Dict.AddString(v.S)
		}
		c.mark(row)
	default:
		c.setValue(row, v)
	}
}

func (c *Column) setValue(row int, v Value) {
	if c.Kind != Variant {
		c.variant()
	}
	c.Vals[row] = v
	c.mark(row)
}

// SetFault marks row as failed.
func (c *Column) SetFault(row int) {
	if c.Fault == nil {
		c.Fault = make(Bitmap, Words(c.Rows))
	}
	c.Fault.Set(row)
	c.Valid.Unset(row)
}

// adopt makes an untyped column one of kind k, or a column of another kind one
// of values. It tells whether c has kind k afterwards.
func (c *Column) adopt(k Kind) bool {
	if c.Kind == Null {
		c.As(k)
		return true
	}
	if c.Kind != Variant {
		c.variant()
	}
	return false
}

// variant turns c into a column of values.
func (c *Column) variant() {
	if c.Kind == Null {
		c.As(Variant)
		return
	}
	vals := grow(c.Vals, c.Rows)
	for row := range c.Rows {
		if c.Valid.Has(row) {
			vals[row] = c.Value(row).Clone()
		}
	}
	c.Kind, c.Vals, c.Data = Variant, vals, nil
}

// Value returns row's value; it borrows c's memory. A fault reads as null.
func (c *Column) Value(row int) Value {
	if !c.Valid.Has(row) {
		if c.Present.Has(row) {
			return NullValue
		}
		return Value{}
	}
	switch c.Kind {
	case Bool:
		return BoolValue(c.Bits.Has(row))
	case Int64:
		return IntValue(c.Ints[row])
	case Timestamp:
		return TimeValue(c.Ints[row])
	case Float64:
		return FloatValue(c.Floats[row])
	case String:
		return Value{Kind: String, S: c.Dict.View(c.Codes[row])}
	case JSON, Bytes:
		s := c.Spans[row]
		return Value{Kind: c.Kind, S: view(c.Data[s.Off:s.End]), Ints: c.Ints64 && c.Kind == JSON}
	case Variant:
		return c.Vals[row]
	}
	return NullValue
}
