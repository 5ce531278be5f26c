package vec

import (
	"math"

	"github.com/weir-engine/weir/internal/invariants"
)

// poisoned is the kind of a column and of a value that went back to a pool: no
// switch over kinds knows it.
const poisoned Kind = 0xDB

// Poison fills a column that goes back to a pool with rubbish, in builds with the tag
// invariants: every row has a value, and none that means anything. The column is
// good again after Reset. Data and a Dict that are not the column's own are left.
func (c *Column) Poison() {
	if !invariants.Enabled {
		return
	}
	c.Kind, c.Rows, c.Fault, c.Data = poisoned, math.MinInt32, nil, nil
	for _, b := range []Bitmap{c.Present, c.Valid, c.Bits} {
		b.Poison()
	}
	invariants.Fill(c.Ints, math.MinInt64+0xDB)
	invariants.Fill(c.Floats, math.NaN())
	invariants.Fill(c.Codes, math.MaxUint32)
	invariants.Fill(c.Spans, Span{math.MaxUint32, 0})
	invariants.Fill(c.Vals, Value{Kind: poisoned})
	if d := c.ownDict; d != nil { // the table is Reset's
		invariants.Fill(d.Offsets, math.MinInt32)
		invariants.Bytes(d.Data)
	}
}

// Poison fills a bitmap that goes back to a pool with rubbish, in builds with the tag
// invariants.
func (b Bitmap) Poison() { invariants.Fill(b, 0xDBDBDBDBDBDBDBDB) }

// Check panics, in builds with the tag invariants, unless the columns of a batch
// that is sealed are as their comments say.
func (b *Batch) Check() {
	if !invariants.Enabled {
		return
	}
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Kind != Null || c.Rows != 0 {
			c.check(i, b.Rows)
		}
	}
	if b.Clean != nil {
		b.Clean.check("Clean", b.Rows)
	}
	for row, s := range b.Row {
		if s.Off > s.End || int(s.End) > len(b.Raw) {
			invariants.Fail("row %d is bytes %d to %d of %d", row, s.Off, s.End, len(b.Raw))
		}
	}
}

func (c *Column) check(i, rows int) {
	if c.Rows != rows || c.Kind == poisoned {
		invariants.Fail("column %d of kind %d has %d rows, want %d", i, c.Kind, c.Rows, rows)
	}
	for name, b := range map[string]Bitmap{"Present": c.Present, "Valid": c.Valid, "Fault": c.Fault} {
		if b != nil {
			b.check(name, rows)
		}
	}
	c.Valid.Each(func(row int) {
		switch {
		case c.Present != nil && !c.Present.Has(row):
			invariants.Fail("column %d: row %d is valid and not present", i, row)
		case c.Fault.Has(row):
			invariants.Fail("column %d: row %d is valid and a fault", i, row)
		case c.Kind == String && int(c.Codes[row]) >= c.Dict.Len():
			invariants.Fail("column %d: row %d has code %d of %d", i, row, c.Codes[row], c.Dict.Len())
		case (c.Kind == JSON || c.Kind == Bytes) && c.Data != nil && (c.Spans[row].Off > c.Spans[row].End || int(c.Spans[row].End) > len(c.Data)):
			invariants.Fail("column %d: row %d is bytes %d to %d of %d", i, row, c.Spans[row].Off, c.Spans[row].End, len(c.Data))
		case c.Kind == Variant && c.Vals[row].Kind == poisoned:
			invariants.Fail("column %d: row %d has a value of a pool", i, row)
		}
	})
}

// check panics unless b is a set of the first rows numbers, in as many words as those
// need.
func (b Bitmap) check(name string, rows int) {
	if len(b) != Words(rows) {
		invariants.Fail("%s has %d words for %d rows", name, len(b), rows)
	}
	if r := rows & 63; r != 0 && b[len(b)-1]>>r != 0 {
		invariants.Fail("%s has bits behind its %d rows", name, rows)
	}
}

// holds panics unless row has a bit in b. It is called in builds with the tag
// invariants, as fits is.
func (b Bitmap) holds(row int) {
	if row < 0 || row>>6 >= len(b) {
		invariants.Fail("row %d of a bitmap of %d words", row, len(b))
	}
}

// fits panics unless o is as long as b, or nil.
func (b Bitmap) fits(o Bitmap) {
	if o != nil && len(b) != len(o) {
		invariants.Fail("bitmaps of %d and of %d words", len(b), len(o))
	}
}
