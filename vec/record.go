package vec

import (
	"encoding/json"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Record returns b as an Arrow record. Numbers, booleans, instants and text with
// its dictionary are b's own memory, so the record is valid only as long as b;
// raw JSON, bytes and mixed columns are copied with mem as text or binary. Null
// and missing are both null, as are faults. The caller releases the record.
//
// Columns are named by the last key of their path; where that is not unique by
// the whole path, a->b. The whole row is "*", metadata meta(key).
func (b *Batch) Record(mem memory.Allocator) arrow.Record {
	names := b.columnNames()
	fields := make([]arrow.Field, len(b.Cols))
	cols := make([]arrow.Array, len(b.Cols))
	for i := range b.Cols {
		cols[i] = b.Cols[i].array(mem, b.Rows)
		fields[i] = arrow.Field{Name: names[i], Type: cols[i].DataType(), Nullable: true}
	}
	rec := array.NewRecord(arrow.NewSchema(fields, nil), cols, int64(b.Rows))
	for _, c := range cols {
		c.Release() // the record holds them
	}
	return rec
}

// columnNames returns a name for each column, see Record.
func (b *Batch) columnNames() []string {
	names := make([]string, len(b.Cols))
	count := make(map[string]int)
	for i := range names {
		names[i] = b.Plan.Cols[i].shortName()
		count[names[i]]++
	}
	for i := range names {
		if s := b.Plan.Cols[i]; count[names[i]] > 1 && !s.Meta && len(s.Path) > 0 {
			names[i] = strings.Join(s.Path, "->")
		}
	}
	return names
}

func (s ColumnSpec) shortName() string {
	name := "*"
	if len(s.Path) > 0 {
		name = s.Path[len(s.Path)-1]
	}
	if s.Meta {
		return "meta(" + name + ")"
	}
	return name
}

// array returns the column as an Arrow array of rows rows.
func (c *Column) array(mem memory.Allocator, rows int) arrow.Array {
	switch c.Kind {
	case Bool:
		return c.borrow(arrow.FixedWidthTypes.Boolean, rows, wordBytes(c.Bits))
	case Int64:
		return c.borrow(arrow.PrimitiveTypes.Int64, rows, arrow.Int64Traits.CastToBytes(c.Ints))
	case Timestamp:
		return c.borrow(arrow.FixedWidthTypes.Timestamp_ms, rows, arrow.Int64Traits.CastToBytes(c.Ints))
	case Float64:
		return c.borrow(arrow.PrimitiveTypes.Float64, rows, arrow.Float64Traits.CastToBytes(c.Floats))
	case String:
		return c.dictionary(rows)
	case Bytes:
		bld := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
		defer bld.Release()
		c.eachValue(rows, bld.AppendNull, func(v Value) { bld.AppendString(v.S) })
		return bld.NewArray()
	case JSON, Variant:
		bld := array.NewStringBuilder(mem)
		defer bld.Release()
		c.eachValue(rows, bld.AppendNull, func(v Value) { bld.Append(v.text()) })
		return bld.NewArray()
	}
	return array.NewNull(rows)
}

// wordBytes returns a bitmap's words as Arrow's bitmap bytes. Arrow and the
// machines that weir runs on are little-endian.
func wordBytes(b Bitmap) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b))), len(b)*8)
}

// borrow returns an array over the column's own memory.
func (c *Column) borrow(t arrow.DataType, rows int, values []byte) arrow.Array {
	data := array.NewData(t, rows, []*memory.Buffer{c.validity(rows), memory.NewBufferBytes(values)}, nil, c.nulls(rows), 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// dictionary returns a text column over its own codes and dictionary.
func (c *Column) dictionary(rows int) arrow.Array {
	offsets := c.Dict.Offsets
	if len(offsets) == 0 {
		offsets = []int32{0}
	}
	text := array.NewData(arrow.BinaryTypes.String, c.Dict.Len(), []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(c.Dict.Data),
	}, nil, 0, 0)
	defer text.Release()
	t := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint32, ValueType: arrow.BinaryTypes.String}
	data := array.NewDataWithDictionary(t, rows, []*memory.Buffer{
		c.validity(rows), memory.NewBufferBytes(arrow.Uint32Traits.CastToBytes(c.Codes)),
	}, c.nulls(rows), 0, text)
	defer data.Release()
	return array.NewDictionaryData(data)
}

// validity returns the column's valid bits; a nil Valid means that no row is.
func (c *Column) validity(rows int) *memory.Buffer {
	if c.Valid == nil {
		return memory.NewBufferBytes(make([]byte, bitutil.BytesForBits(int64(rows))))
	}
	return memory.NewBufferBytes(wordBytes(c.Valid))
}

func (c *Column) nulls(rows int) int { return rows - c.Valid.Count() }

// eachValue calls f or null for each row.
func (c *Column) eachValue(rows int, null func(), f func(Value)) {
	for row := range rows {
		if v := c.anyValue(row); v.IsNull() {
			null()
		} else {
			f(v)
		}
	}
}

// anyValue is Value for columns of computed nested values too.
func (c *Column) anyValue(row int) Value {
	if (c.Kind == JSON || c.Kind == Bytes) && c.Data == nil && c.Valid.Has(row) {
		return c.Vals[row]
	}
	return c.Value(row)
}

// text returns v as JSON text, and a text as itself.
func (v Value) text() string {
	var x any
	switch v.Kind {
	case String:
		return v.S
	case JSON:
		if v.X == nil {
			return v.S
		}
		x = v.X
	case Bool:
		x = v.I != 0
	case Int64, Timestamp:
		x = v.I
	case Float64:
		x = v.F
	case Bytes:
		x = []byte(v.S)
	}
	b, err := json.Marshal(x)
	if err != nil {
		return "" // NaN and the like have no JSON
	}
	return string(b)
}
