package exec

import (
	"math"
	"slices"
	"sort"

	"github.com/weir-engine/weir/vec"
)

// shelf keeps rows in event time until the watermark has come to them.
type shelf struct {
	mark  int64 // watermark
	begun bool
	rows  []heldRow // in order of time, then arrival
	out   []heldRow // released, in the same order
}

type heldRow struct {
	kept
	before int64 // the watermark before it advanced to release the row
}

func (s *shelf) insert(k kept) {
	i := len(s.rows)
	if i > 0 && s.rows[i-1].ts > k.ts {
		i = sort.Search(i, func(i int) bool { return s.rows[i].ts > k.ts })
	}
	s.rows = slices.Insert(s.rows, i, heldRow{kept: k})
}

// reach advances the watermark, unless it is there, and takes the rows that it
// comes to from those that wait.
func (s *shelf) reach(mark int64) {
	if s.begun && mark <= s.mark {
		return
	}
	before := s.mark
	if !s.begun {
		before = math.MinInt64
	}
	s.begun, s.mark = true, mark
	n := 0
	for n < len(s.rows) && s.rows[n].ts <= mark {
		s.rows[n].before = before
		n++
	}
	s.out = append(s.out, s.rows[:n]...)
	s.rows = slices.Delete(s.rows, 0, n)
}

// send calls f for what was released, in order of time; more tells that others of
// the last row's time follow, which a later advance of the watermark released.
func (s *shelf) send(f func(rows []heldRow, more bool)) {
	for out := s.out; len(out) > 0; {
		n := together(out)
		f(out[:n], n < len(out))
		out = out[n:]
	}
	clear(s.out)
	s.out = s.out[:0]
}

// together returns how many rows in order of time may go on at once: not those of
// one time that different advances of the watermark released.
func together(rows []heldRow) int {
	n := min(len(rows), vec.MaxRows)
	for i := 1; i < n; i++ {
		if a, b := &rows[i-1], &rows[i]; a.ts == b.ts && a.before != b.before {
			return i
		}
	}
	return n
}
