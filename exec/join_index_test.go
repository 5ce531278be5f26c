package exec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// An index that follows changes finds what a look at all rows finds, in their order,
// however many rows come, go and change their keys.
func TestHashIndexFollows(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		s := &joinSource{}
		keys := map[int32]string{} // of rows that have one
		h := &s.index
		for round := range 60 {
			var changed []int32
			for range rnd.IntN(30) {
				row := int32(rnd.IntN(len(s.rows) + 1))
				if int(row) == len(s.rows) {
					s.rows = append(s.rows, windowRow{})
				}
				s.rows[row].src = 0
				delete(keys, row)
				switch rnd.IntN(6) {
				case 0:
					s.rows[row].src = gone
				case 1: // a row without a key
				default:
					keys[row] = fmt.Sprint(rnd.IntN(12 + round)) // old ones run dry
				}
				changed = append(changed, row)
			}
			if h.valid {
				h.follow(changed, len(s.rows))
			}
			if rnd.IntN(4) == 0 {
				continue // nobody asks now
			}
			for _, row := range h.begin(s) {
				if k, ok := keys[row]; ok {
					h.set(row, []byte(k))
				} else {
					h.unset(row)
				}
			}
			checkIndex(t, h, keys, 12+round)
		}
	}
}

func checkIndex(t *testing.T, h *hashIndex, keys map[int32]string, distinct int) {
	t.Helper()
	want := map[string][]int32{}
	for row, k := range keys {
		want[k] = append(want[k], row)
	}
	for i := range distinct {
		k := fmt.Sprint(i)
		var got []int32
		for r := h.first([]byte(k)); r >= 0; r = h.next[r] {
			got = append(got, r)
		}
		slices.Sort(want[k])
		if !slices.Equal(got, want[k]) {
			t.Fatalf("key %s: rows %v, want %v", k, got, want[k])
		}
	}
}
