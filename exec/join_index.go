package exec

import "slices"

// gone is the source of a row that its table has no more.
const gone = -1

// present yields the positions of the rows that are there.
func (s *joinSource) present(yield func(int32) bool) {
	for i := range s.rows {
		if s.rows[i].src != gone && !yield(int32(i)) {
			return
		}
	}
}

// hashIndex finds the rows of a source by key, in the order of their positions: a
// join gives its rows in that order, whatever the keys.
//
// The rows with one key are a chain: ends has its first and last row, next the row
// that follows, of the chain of each row. Every row with a key is in exactly one
// chain, and positions rise along it. A row that is behind its chain's last, as all
// are while an index is made, is added in constant time; one in the middle is a row
// of a table that changed, and walks.
//
// The index of a stream's rows lives for one window or batch. That of a table is as
// large as the table and follows its changes, which follow notes and begin looks at,
// or each of them would cost a look at every row. It is made anew when more rows
// changed than there are, or when half of the chains have no row left, which is the
// only way in which keys that are gone leave the map.
type hashIndex struct {
	valid  bool
	chains map[string]int32 // by key: position in ends
	ends   []chain
	empty  int     // chains without rows
	next   []int32 // by row: the next with the same key, -1: none
	of     []int32 // by row: its chain, -1: it has no key
	stale  []int32 // rows that changed since the index was made
}

// chain is the first and the last row with a key, -1: none.
type chain struct{ head, tail int32 }

// first returns the first row with a key, -1: none.
func (h *hashIndex) first(key []byte) int32 {
	if c, ok := h.chains[string(key)]; ok {
		return h.ends[c].head
	}
	return -1
}

// follow notes rows that changed, of which there are n. If it is long since begin
// was called, which may wait for another table, the index is made anew.
func (h *hashIndex) follow(changed []int32, n int) {
	if h.stale = append(h.stale, changed...); len(h.stale) > n+minDead {
		h.valid, h.stale = false, h.stale[:0]
	}
}

// begin makes room for the rows of s and returns those whose keys are to be set,
// in order. They are valid until the next call.
func (h *hashIndex) begin(s *joinSource) []int32 {
	if h.empty > len(h.ends)/2+minDead {
		h.valid = false
	}
	if !h.valid {
		h.valid = true
		if len(h.chains) > 2*len(s.rows)+minDead {
			h.chains = nil
		}
		clear(h.chains)
		h.ends, h.next, h.of, h.empty = h.ends[:0], h.next[:0], h.of[:0], 0
		h.stale = slices.AppendSeq(h.stale[:0], s.present)
	} else {
		slices.Sort(h.stale)
		h.stale = slices.Compact(h.stale)
	}
	if h.chains == nil {
		h.chains = map[string]int32{}
	}
	for len(h.next) < len(s.rows) {
		h.next, h.of = append(h.next, -1), append(h.of, -1)
	}
	left := h.stale[:0]
	for _, row := range h.stale {
		if s.rows[row].src == gone {
			h.unset(row)
		} else {
			left = append(left, row)
		}
	}
	h.stale = h.stale[:0]
	return left
}

// set gives a row its key.
func (h *hashIndex) set(row int32, key []byte) {
	c, ok := h.chains[string(key)]
	switch {
	case !ok:
		c = int32(len(h.ends))
		h.chains[string(key)] = c
		h.ends = append(h.ends, chain{-1, -1})
		h.empty++
	case h.of[row] == c:
		return
	}
	h.unset(row)
	h.of[row] = c
	e := &h.ends[c]
	switch {
	case e.head < 0:
		h.empty--
		e.head, e.tail = row, row
	case row > e.tail:
		h.next[e.tail] = row
		e.tail = row
	default:
		at := &e.head
		for *at < row {
			at = &h.next[*at]
		}
		h.next[row], *at = *at, row
	}
}

// unset takes a row out of the index.
func (h *hashIndex) unset(row int32) {
	if h.of[row] < 0 {
		return
	}
	e := &h.ends[h.of[row]]
	h.of[row] = -1
	last, at := int32(-1), &e.head
	for *at != row {
		last, at = *at, &h.next[*at]
	}
	*at = h.next[row]
	h.next[row] = -1
	if e.tail == row {
		e.tail = last
	}
	if e.head < 0 {
		h.empty++
	}
}
