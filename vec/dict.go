package vec

import (
	"bytes"
	"hash/maphash"
)

// Dict is the dictionary of one string column in one batch: the distinct
// strings in order of first appearance, in Arrow's layout (Offsets into Data).
// Codes are positions in it. The zero Dict is empty and ready.
type Dict struct {
	Offsets []int32 // len = number of strings + 1, or 0 while empty
	Data    []byte

	seed  maphash.Seed
	table []uint32 // open addressing, code+1, 0 = free
	hash  []uint32 // hash of each code
	last  uint32   // code returned last: values repeat from row to row
}

// Len returns the number of distinct strings.
func (d *Dict) Len() int { return max(len(d.Offsets)-1, 0) }

// Bytes returns string code; it is valid until Reset.
func (d *Dict) Bytes(code uint32) []byte { return d.Data[d.Offsets[code]:d.Offsets[code+1]] }

// Reset empties d and keeps its memory.
func (d *Dict) Reset() {
	if len(d.hash) > 0 {
		clear(d.table)
	}
	d.Offsets, d.Data, d.hash, d.last = d.Offsets[:0], d.Data[:0], d.hash[:0], 0
}

// Add returns the code of s and enters s if it is new; s is copied.
func (d *Dict) Add(s []byte) uint32 {
	if len(d.Offsets) == 0 {
		if d.table == nil {
			d.seed = maphash.MakeSeed()
			d.table = make([]uint32, 64)
		}
		d.Offsets = append(d.Offsets, 0)
	} else if n := d.Len(); n > 0 && bytes.Equal(d.Bytes(d.last), s) {
		return d.last
	}
	h := uint32(maphash.Bytes(d.seed, s))
	mask := uint32(len(d.table) - 1)
	i := h & mask
	for ; d.table[i] != 0; i = (i + 1) & mask {
		code := d.table[i] - 1
		if d.hash[code] == h && bytes.Equal(d.Bytes(code), s) {
			d.last = code
			return code
		}
	}
	code := uint32(len(d.hash))
	d.table[i] = code + 1
	d.hash = append(d.hash, h)
	d.Data = append(d.Data, s...)
	d.Offsets = append(d.Offsets, int32(len(d.Data)))
	d.last = code
	if len(d.hash)*2 > len(d.table) {
		d.grow()
	}
	return code
}

func (d *Dict) grow() {
	d.table = make([]uint32, 2*len(d.table))
	mask := uint32(len(d.table) - 1)
	for code, h := range d.hash {
		i := h & mask
		for ; d.table[i] != 0; i = (i + 1) & mask {
		}
		d.table[i] = uint32(code) + 1
	}
}
