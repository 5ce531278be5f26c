//go:build invariants

package vec

import (
	"math"
	"strings"
	"testing"
)

// broken runs f and returns what it panicked with.
func broken(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
			t.Error("nothing was broken")
		case string:
			text = r
		case error:
			text = r.Error()
		}
	}()
	f()
	return ""
}

// A column in a pool has a value in every row, and none that means anything, and is
// good again after Reset.
func TestPoison(t *testing.T) {
	c := &Column{}
	fill := func() {
		c.Reset(70)
		c.SetString(0, []byte("abc"))
		c.SetString(69, []byte("d"))
	}
	fill()
	codes, dict, valid := c.Codes, c.Dict, c.Valid
	c.Poison()
	if c.Kind != poisoned || codes[0] != math.MaxUint32 || valid.Count() < 40 || !valid.Has(1) {
		t.Errorf("kind %d, code %d, %d rows are valid", c.Kind, codes[0], valid.Count())
	}
	broken(t, func() { _ = dict.Bytes(0) })
	fill()
	if string(c.Dict.Bytes(c.Codes[0])) != "abc" || string(c.Dict.Bytes(c.Codes[69])) != "d" || c.Valid.Count() != 2 || c.Dict.Len() != 2 {
		t.Errorf("after Reset: %q, %d rows are valid", c.Dict.Data, c.Valid.Count())
	}
	for _, set := range []func(){
		func() { c.SetInt(3, 5) }, func() { c.SetFloat(3, 5) }, func() { c.SetBool(3, true) }, func() { c.SetInt(3, 5); c.SetString(4, []byte("x")) },
	} {
		c.Reset(70)
		set()
		vals, ints := c.Vals, c.Ints
		c.Poison()
		if len(vals) > 3 && vals[3].Kind != poisoned || len(ints) > 3 && ints[3] == 5 {
			t.Error("a value is left")
		}
	}
}

// Each assertion fires.
func TestChecks(t *testing.T) {
	b := make(Bitmap, 2)
	batch := func() (*Batch, *Column) {
		x := &Batch{Rows: 3, Cols: make([]Column, 2), Raw: []byte("{}"), Row: make([]Span, 3)}
		c := &x.Cols[0]
		c.Reset(3)
		c.SetString(1, []byte("a"))
		x.Cols[1].Kind = Null
		x.Check()
		return x, c
	}
	for want, f := range map[string]func(){
		"row 128 of a bitmap of 2 words":   func() { b.Has(128) },
		"row -1 of a bitmap":               func() { b.Set(-1) },
		"row 999 of a bitmap":              func() { b.Unset(999) },
		"bitmaps of 2 and of 3 words":      func() { b.And(make(Bitmap, 3)) },
		"bitmaps of 2 and of 1 words":      func() { b.Or(make(Bitmap, 1)) },
		"bitmaps of 2 and of 4 words":      func() { b.AndNot(make(Bitmap, 4)) },
		"has 2 rows, want 3":               func() { x, c := batch(); c.Rows = 2; x.Check() },
		"of kind 219":                      func() { x, c := batch(); c.Poison(); x.Check() },
		"Valid has bits behind its 3 rows": func() { x, c := batch(); c.Valid[0] |= 8; x.Check() },
		"Present has 2 words for 3 rows":   func() { x, c := batch(); c.Present = make(Bitmap, 2); x.Check() },
		"row 2 is valid and not present":   func() { x, c := batch(); c.Valid.Set(2); x.Check() },
		"row 1 is valid and a fault":       func() { x, c := batch(); c.Fault = Bitmap{2}; x.Check() },
		"row 1 has code 7 of 1":            func() { x, c := batch(); c.Codes[1] = 7; x.Check() },
		"row 0 is bytes 1 to 9 of 2":       func() { x, _ := batch(); x.Row[0] = Span{1, 9}; x.Check() },
		"row 1 is bytes 0 to 3 of 2": func() {
			x, c := batch()
			c.Reset(3)
			c.SetJSON(1, x.Raw, Span{0, 2}, false)
			c.Spans[1].End = 3
			x.Check()
		},
		"Clean has bits behind its 3 rows": func() { x, _ := batch(); x.Clean = Bitmap{16}; x.Check() },
		"row 1 has a value of a pool": func() {
			x, c := batch()
			c.Reset(3)
			c.SetInt(1, 5)
			c.SetString(2, []byte("x"))
			c.Vals[1].Kind = poisoned
			x.Check()
		},
		"column 0 of kind 0 has 4 rows": func() { x, c := batch(); c.Reset(4); c.Kind = 0; x.Check() },
	} {
		if got := broken(t, f); !strings.HasPrefix(got, "bug: ") || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	b.Or(nil)
	b.AndNot(nil)
	if Bitmap(nil).Has(5) {
		t.Error("a nil bitmap has a row")
	}
}
