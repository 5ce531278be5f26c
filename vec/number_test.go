package vec_test

import (
	"math"
	"testing"

	"github.com/weir-engine/weir/vec"
)

func TestWhole(t *testing.T) {
	for _, tt := range []struct {
		f           float64
		part        int64
		fits, whole bool
	}{
		{0, 0, true, true},
		{-2.5, -2, true, false},
		{1 << 53, 1 << 53, true, true},
		{-(1 << 63), math.MinInt64, true, true},
		{1 << 63, 0, false, false},
		{math.Nextafter(-(1 << 63), math.Inf(-1)), 0, false, false},
		{math.Inf(1), 0, false, false},
		{math.NaN(), 0, false, false},
	} {
		if i, ok := vec.WholePart(tt.f); i != tt.part || ok != tt.fits {
			t.Errorf("WholePart(%v): got %d, %v, want %d, %v", tt.f, i, ok, tt.part, tt.fits)
		}
		if _, ok := vec.Whole(tt.f); ok != tt.whole {
			t.Errorf("Whole(%v): got %v, want %v", tt.f, ok, tt.whole)
		}
	}
}

func TestIntFloat(t *testing.T) {
	for _, tt := range []struct {
		i     int64
		f     float64
		cmp   int
		exact bool // i as a float64
	}{
		{3, 3, 0, true},
		{3, 3.5, -1, true},
		{-3, -3.5, 1, true},
		{1<<53 + 1, 1 << 53, 1, false},
		{math.MaxInt64, 1 << 63, -1, false},
		{math.MinInt64, -(1 << 63), 0, true},
		{math.MinInt64, math.Inf(-1), 1, true},
	} {
		if got := vec.CompareIntFloat(tt.i, tt.f); got != tt.cmp {
			t.Errorf("CompareIntFloat(%d, %v): got %d, want %d", tt.i, tt.f, got, tt.cmp)
		}
		if _, ok := vec.ExactFloat(tt.i); ok != tt.exact {
			t.Errorf("ExactFloat(%d): got %v, want %v", tt.i, ok, tt.exact)
		}
	}
}
