package vec

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every operation against a slice of booleans.
func TestBitmap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths {
		for range 20 {
			x, y := make([]bool, n), make([]bool, n)
			a, b := Bitmap(nil).Grow(n), Bitmap(nil).Grow(n)
			for i := range n {
				if x[i] = r.IntN(3) == 0; x[i] {
					a.Set(i)
				}
				if y[i] = r.IntN(2) == 0; y[i] {
					b.Set(i)
				}
			}
			if n > 0 {
				i := r.IntN(n)
				a.Unset(i)
				x[i] = false
			}
			compareBits(t, "set", a, x)
			compareBits(t, "and", with(a, func(c Bitmap) { c.And(b) }), each2(x, y, func(p, q bool) bool { return p && q }))
			compareBits(t, "or", with(a, func(c Bitmap) { c.Or(b) }), each2(x, y, func(p, q bool) bool { return p || q }))
			compareBits(t, "and not", with(a, func(c Bitmap) { c.AndNot(b) }), each2(x, y, func(p, q bool) bool { return p && !q }))
			compareBits(t, "or nil", with(a, func(c Bitmap) { c.Or(nil) }), x)
			compareBits(t, "and not nil", with(a, func(c Bitmap) { c.AndNot(nil) }), x)
			compareBits(t, "all", with(a, func(c Bitmap) { c.SetAll(n) }), each2(x, x, func(p, q bool) bool { return true }))
			for _, cut := range []int{0, 1, n / 2, max(n-1, 0), n} {
				compareBits(t, "clear from", with(a, func(c Bitmap) { c.clearFrom(cut) }), from(x, cut, n))
				compareBits(t, "truncate", append(Bitmap{}, a...).truncate(min(cut, n)), x[:min(cut, n)])
				compareBits(t, "extend", append(Bitmap{}, a...).extend(n+cut), append(slices.Clone(x), make([]bool, cut)...))
			}
		}
	}
}

func with(a Bitmap, f func(Bitmap)) Bitmap {
	c := append(Bitmap{}, a...)
	f(c)
	return c
}

func each2(x, y []bool, f func(p, q bool) bool) []bool {
	out := make([]bool, len(x))
	for i := range x {
		out[i] = f(x[i], y[i])
	}
	return out
}

func from(x []bool, cut, n int) []bool {
	out := slices.Clone(x)
	clear(out[min(cut, n):])
	return out
}

// compareBits looks at b in every way that it can be looked at.
func compareBits(t *testing.T, what string, b Bitmap, want []bool) {
	t.Helper()
	clean(t, b, len(want))
	var rows []int32
	for i, w := range want {
		if b.Has(i) != w {
			t.Fatalf("%s: row %d of %d: got %v, want %v", what, i, len(want), b.Has(i), w)
		}
		if w {
			rows = append(rows, int32(i))
		}
	}
	var got []int32
	b.Each(func(row int) { got = append(got, int32(row)) })
	if !slices.Equal(got, rows) || b.Count() != len(rows) || b.Any() != (len(rows) > 0) {
		t.Fatalf("%s: each %v, count %d, any %v; want %v", what, got, b.Count(), b.Any(), rows)
	}
}

func TestBitmapNil(t *testing.T) {
	var b Bitmap
	if b.Has(100) || b.Any() || b.Count() != 0 {
		t.Error("a nil bitmap is not empty")
	}
}

func TestBitmapGrow(t *testing.T) {
	b := Bitmap(nil).Grow(1000)
	b.SetAll(1000)
	first := &b[0]
	for _, n := range lengths {
		b = b.Grow(n)
		clean(t, b, n)
		if b.Any() {
			t.Fatalf("rows=%d: not empty", n)
		}
		b.SetAll(n)
	}
	if b = b[:1]; &b[0] != first {
		t.Error("memory was not kept")
	}
}
