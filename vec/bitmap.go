package vec

import (
	"math/bits"

	"github.com/weir-engine/weir/internal/invariants"
)

// Bitmap is a set of row numbers, one bit a row, 64 rows a word. A nil Bitmap
// is the empty set. Bits at and beyond the number of rows are zero.
type Bitmap []uint64

// Words returns how many words hold rows bits.
func Words(rows int) int { return (rows + 63) >> 6 }

// Grow returns b with exactly the words for rows bits, all zero; it reuses b's
// memory if that is large enough.
func (b Bitmap) Grow(rows int) Bitmap {
	n := Words(rows)
	if cap(b) < n {
		return make(Bitmap, n, max(n, 16))
	}
	b = b[:n]
	clear(b)
	return b
}

// Has tells whether row is in b; b must hold at least row+1 bits or be nil.
func (b Bitmap) Has(row int) bool {
	if b == nil {
		return false
	}
	if invariants.Enabled {
		b.holds(row)
	}
	return b[row>>6]>>(row&63)&1 != 0
}

// Set adds row.
func (b Bitmap) Set(row int) {
	if invariants.Enabled {
		b.holds(row)
	}
	b[row>>6] |= 1 << (row & 63)
}

// Unset removes row.
func (b Bitmap) Unset(row int) {
	if invariants.Enabled {
		b.holds(row)
	}
	b[row>>6] &^= 1 << (row & 63)
}

// SetAll makes b the set of the first rows numbers.
func (b Bitmap) SetAll(rows int) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if r := rows & 63; r != 0 && len(b) > 0 {
		b[len(b)-1] = 1<<r - 1
	}
}

// Count returns the number of rows in b.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Any tells whether b has a row.
func (b Bitmap) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// And keeps in b only the rows that are in o too. Both have the same length.
func (b Bitmap) And(o Bitmap) {
	if invariants.Enabled {
		b.fits(o)
	}
	for i := range b {
		b[i] &= o[i]
	}
}

// Or adds the rows of o, which is as long or nil.
func (b Bitmap) Or(o Bitmap) {
	if invariants.Enabled {
		b.fits(o)
	}
	for i, w := range o {
		b[i] |= w
	}
}

// AndNot removes the rows of o, which is as long or nil.
func (b Bitmap) AndNot(o Bitmap) {
	if invariants.Enabled {
		b.fits(o)
	}
	for i, w := range o {
		b[i] &^= w
	}
}

// Each calls f for the rows of b in ascending order.
func (b Bitmap) Each(f func(row int)) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			f(i<<6 + bits.TrailingZeros64(w))
		}
	}
}
