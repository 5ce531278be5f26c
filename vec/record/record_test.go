package record

import (
	"math"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/weir-engine/weir/vec"
)

// recordBatch returns a batch with a column of each kind; the first row has all
// values, the second is null and the third missing.
func recordBatch() *vec.Batch {
	specs := []vec.ColumnSpec{
		{Path: []string{"b"}},
		{Path: []string{"i"}},
		{Path: []string{"f"}},
		{Path: []string{"t"}},
		{Path: []string{"twin", "s"}},
		{Path: []string{"other", "s"}},
		{Path: nil},
		{Path: []string{"bin"}},
		{Path: []string{"mixed"}},
		{Path: []string{"none"}},
		{Meta: true, Path: []string{"topic"}},
	}
	b := &vec.Batch{Plan: vec.NewPlan(1, specs), Rows: 3, Cols: make([]vec.Column, len(specs))}
	raw := []byte(`{"a":1}xyz`)
	for i := range b.Cols {
		c := &b.Cols[i]
		c.Reset(3)
		switch i {
		case 0:
			c.SetBool(0, true)
		case 1:
			c.SetInt(0, math.MaxInt64)
		case 2:
			c.SetFloat(0, 1.5)
		case 3:
			c.SetTime(0, 1700000000123)
		case 4, 5, 10:
			c.SetString(0, []byte("größe"))
		case 6:
			c.SetJSON(0, raw, vec.Span{Off: 0, End: 7}, false)
		case 7:
			c.SetBytes(0, raw, vec.Span{Off: 7, End: 10})
		case 8:
			c.SetInt(0, 7)
			c.Set(2, vec.TreeValue([]any{int64(1), "x"}))
		}
		if i != 9 {
			c.SetNull(1)
		}
	}
	return b
}

func TestOf(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := Of(recordBatch(), mem)
	defer rec.Release()
	want := []struct{ name, typ, first, third string }{
		{"b", "bool", "true", "(null)"},
		{"i", "int64", "9223372036854775807", "(null)"},
		{"f", "float64", "1.5", "(null)"},
		{"t", "timestamp[ms, tz=UTC]", "2023-11-14 22:13:20.123Z", "(null)"},
		{"twin->s", "dictionary<values=utf8, indices=uint32, ordered=false>", "größe", "(null)"},
		{"other->s", "dictionary<values=utf8, indices=uint32, ordered=false>", "größe", "(null)"},
		{"*", "utf8", `{"a":1}`, "(null)"},
		{"bin", "binary", "eHl6", "(null)"},
		{"mixed", "utf8", "7", `[1,"x"]`},
		{"none", "null", "(null)", "(null)"},
		{"meta(topic)", "dictionary<values=utf8, indices=uint32, ordered=false>", "größe", "(null)"},
	}
	if rec.NumRows() != 3 || rec.NumCols() != int64(len(want)) {
		t.Fatalf("record has %d rows and %d columns, want 3 and %d", rec.NumRows(), rec.NumCols(), len(want))
	}
	for i, w := range want {
		f, col := rec.Schema().Field(i), rec.Column(i)
		if f.Name != w.name || f.Type.String() != w.typ {
			t.Errorf("column %d: got %s %s, want %s %s", i, f.Name, f.Type, w.name, w.typ)
		}
		if got := col.ValueStr(0); got != w.first {
			t.Errorf("%s: row 0: got %s, want %s", w.name, got, w.first)
		}
		if w.typ != "null" && !col.IsNull(1) {
			t.Errorf("%s: row 1 is not null", w.name)
		}
		if got := col.ValueStr(2); got != w.third {
			t.Errorf("%s: row 2: got %s, want %s", w.name, got, w.third)
		}
	}
}

func TestSharesMemory(t *testing.T) {
	b := recordBatch()
	rec := Of(b, memory.NewGoAllocator())
	defer rec.Release()
	b.Cols[2].Floats[0] = 99
	if got := rec.Column(2).(*array.Float64).Value(0); got != 99 {
		t.Errorf("got %v, want the batch's own memory", got)
	}
	// Slots behind nulls are not looked at, whatever they hold.
	b.Cols[4].Codes[1] = math.MaxUint32
	if got := rec.Column(4).ValueStr(1); got != "(null)" {
		t.Errorf("row 1: got %s, want (null)", got)
	}
}

func TestEmpty(t *testing.T) {
	b := &vec.Batch{Plan: vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"a"}}}), Cols: make([]vec.Column, 1)}
	b.Cols[0].Reset(0)
	b.Cols[0].As(vec.String)
	rec := Of(b, memory.NewGoAllocator())
	defer rec.Release()
	if rec.NumRows() != 0 || rec.Column(0).Len() != 0 {
		t.Errorf("got %d rows, want 0", rec.NumRows())
	}
}
