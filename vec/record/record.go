// Package record makes Arrow records over the memory of batches. It is a package of
// its own because Arrow and what it brings along take a sixth of a cold build: only
// a program that hands out records pays for them.
package record

import (
	"encoding/json"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/weir-engine/weir/vec"
)

// Of returns b as an Arrow record. Numbers, booleans, instants and text with
// its dictionary are b's own memory, so the record is valid only as long as b;
// raw JSON, bytes and mixed columns are copied with mem as text or binary. Null
// and missing are both null, as are faults. The caller releases the record.
//
// Columns are named by the last key of their path; where that is not unique by
// the whole path, a->b. The whole row is "*", metadata meta(key).
func Of(b *vec.Batch, mem memory.Allocator) arrow.Record {
	names := columnNames(b)
	fields := make([]arrow.Field, len(b.Cols))
	cols := make([]arrow.Array, len(b.Cols))
	for i := range b.Cols {
		cols[i] = arrayOf(&b.Cols[i], mem, b.Rows)
		fields[i] = arrow.Field{Name: names[i], Type: cols[i].DataType(), Nullable: true}
	}
	rec := array.NewRecord(arrow.NewSchema(fields, nil), cols, int64(b.Rows))
	for _, c := range cols {
		c.Release() // the record holds them
	}
	return rec
}

// columnNames returns a name for each column, see Of.
func columnNames(b *vec.Batch) []string {
	names := make([]string, len(b.Cols))
	count := make(map[string]int)
	for i := range names {
		names[i] = shortName(b.Plan.Cols[i])
		count[names[i]]++
	}
	for i := range names {
		if s := b.Plan.Cols[i]; count[names[i]] > 1 && !s.Meta && len(s.Path) > 0 {
			names[i] = strings.Join(s.Path, "->")
		}
	}
	return names
}

func shortName(s vec.ColumnSpec) string {
	name := "*"
	if len(s.Path) > 0 {
		name = s.Path[len(s.Path)-1]
	}
	if s.Meta {
		return "meta(" + name + ")"
	}
	return name
}

// arrayOf returns c as an Arrow array of its first rows.
func arrayOf(c *vec.Column, mem memory.Allocator, rows int) arrow.Array {
	switch c.Kind {
	case vec.Bool:
		return borrow(c, arrow.FixedWidthTypes.Boolean, rows, wordBytes(c.Bits))
	case vec.Int64:
		return borrow(c, arrow.PrimitiveTypes.Int64, rows, arrow.Int64Traits.CastToBytes(c.Ints))
	case vec.Timestamp:
		return borrow(c, arrow.FixedWidthTypes.Timestamp_ms, rows, arrow.Int64Traits.CastToBytes(c.Ints))
	case vec.Float64:
		return borrow(c, arrow.PrimitiveTypes.Float64, rows, arrow.Float64Traits.CastToBytes(c.Floats))
	case vec.String:
		return dictionary(c, rows)
	case vec.Bytes:
		bld := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
		defer bld.Release()
		eachValue(c, rows, bld.AppendNull, func(v vec.Value) { bld.AppendString(v.S) })
		return bld.NewArray()
	case vec.JSON, vec.Variant:
		bld := array.NewStringBuilder(mem)
		defer bld.Release()
		eachValue(c, rows, bld.AppendNull, func(v vec.Value) { bld.Append(text(v)) })
		return bld.NewArray()
	}
	return array.NewNull(rows)
}

// wordBytes returns a bitmap's words as Arrow's bitmap bytes. Arrow and the
// machines that weir runs on are little-endian.
func wordBytes(b vec.Bitmap) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b))), len(b)*8)
}

// borrow returns an array over c's own memory.
func borrow(c *vec.Column, t arrow.DataType, rows int, values []byte) arrow.Array {
	data := array.NewData(t, rows, []*memory.Buffer{validity(c, rows), memory.NewBufferBytes(values)}, nil, nulls(c, rows), 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// dictionary returns a text column over its own codes and dictionary.
func dictionary(c *vec.Column, rows int) arrow.Array {
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
		validity(c, rows), memory.NewBufferBytes(arrow.Uint32Traits.CastToBytes(c.Codes)),
	}, nulls(c, rows), 0, text)
	defer data.Release()
	return array.NewDictionaryData(data)
}

// validity returns the valid bits of c; a nil Valid means that no row is.
func validity(c *vec.Column, rows int) *memory.Buffer {
	if c.Valid == nil {
		return memory.NewBufferBytes(make([]byte, bitutil.BytesForBits(int64(rows))))
	}
	return memory.NewBufferBytes(wordBytes(c.Valid))
}

func nulls(c *vec.Column, rows int) int { return rows - c.Valid.Count() }

// eachValue calls f or null for each row.
func eachValue(c *vec.Column, rows int, null func(), f func(vec.Value)) {
	for row := range rows {
		if v := anyValue(c, row); v.IsNull() {
			null()
		} else {
			f(v)
		}
	}
}

// anyValue is Value for columns of computed nested values too.
func anyValue(c *vec.Column, row int) vec.Value {
	if (c.Kind == vec.JSON || c.Kind == vec.Bytes) && c.Data == nil && c.Valid.Has(row) {
		return c.Vals[row]
	}
	return c.Value(row)
}

// text returns v as JSON text, and a text as itself.
func text(v vec.Value) string {
	var x any
	switch v.Kind {
	case vec.String:
		return v.S
	case vec.JSON:
		if v.X == nil {
			return v.S
		}
		x = v.X
	case vec.Bool:
		x = v.I != 0
	case vec.Int64, vec.Timestamp:
		x = v.I
	case vec.Float64:
		if x = v.F; v.I != 0 {
			x = v.I
		}
	case vec.Bytes:
		x = []byte(v.S)
	}
	b, err := json.Marshal(x)
	if err != nil {
		return "" // NaN and the like have no JSON
	}
	return string(b)
}
