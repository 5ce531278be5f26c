package ingest

import "unicode/utf8"

// shape is the skeleton of an earlier message: the text between its values. A
// message of the same shape is read by comparing that text and walking the
// values only, which costs a third of walking every key. Nothing is set before
// the whole message has matched, so a shape that does not match leaves nothing
// behind, and the walk by keys, which can read everything, follows.
type shape struct {
	slots []slot
	tail  string // behind the last value
	space bool   // white space in the texts
	high  bool   // bytes beyond ASCII in them
}

// slot is one value of a shape.
type slot struct {
	text  string // between the value before and this one
	node  *node  // nil: nobody wants it
	depth int32
	want  int32 // position among the wanted values
}

const (
	shapes     = 4    // remembered at a time
	shapeSlots = 256  // of the largest shape remembered
	shapeBytes = 4096 // of its text
	// Learning a shape costs learnCost, trying one in vain costs 1, one that
	// matches gives hitCredit back. A stream whose messages are never alike runs out of
	// credit and is left alone for restRows rows.
	startCredit = 128
	learnCost   = 16
	hitCredit   = shapes - 1
	restRows    = 4096
)

// memory is the shapes that a decoder has seen, the last one that matched first.
type memory struct {
	known  []*shape
	credit int
	rest   int   // rows until shapes are tried again
	at     []int // where the wanted values of the message are
}

// tryShapes reads the object at pos by a shape that is known; negative: it has
// none of them.
func (d *Object) tryShapes(pos int) int {
	m := &d.memory
	if m.rest > 0 {
		if m.rest--; m.rest == 0 {
			m.credit = startCredit
		}
		return -1
	}
	for k, sh := range m.known {
		d.s.space, d.s.high = false, false
		end := d.match(sh, pos)
		if end < 0 {
			m.credit--
			continue
		}
		m.credit = min(m.credit+hitCredit, startCredit)
		if k > 0 {
			copy(m.known[1:k+1], m.known[:k])
			m.known[0] = sh
		}
		d.s.space = d.s.space || sh.space
		d.s.high = d.s.high || sh.high
		for i := range sh.slots {
			s := &sh.slots[i]
			if s.node != nil && d.value(s.node, m.at[s.want], int(s.depth)) < 0 {
				return -1 // by keys again, for the fault; the row is refused
			}
		}
		return end
	}
	d.s.space, d.s.high, d.s.fault = false, false, ""
	return -1
}

// match tells whether the object at i has the shape sh: the position behind it,
// or negative. It notes where the wanted values are.
func (d *Object) match(sh *shape, i int) int {
	s, src := &d.s, d.s.src
	d.memory.at = d.memory.at[:0]
	for k := range sh.slots {
		o := &sh.slots[k]
		end := i + len(o.text)
		if end >= len(src) || string(src[i:end]) != o.text {
			return -1
		}
		if o.node != nil {
			d.memory.at = append(d.memory.at, end)
		}
		switch c := src[end]; {
		case c == '"':
			if i = s.str(end + 1); i < 0 {
				return i
			}
			i++
		case c-'0' < 10 || c == '-':
			if i = s.num(end); i < 0 {
				return i
			}
		case d.watch && o.node == nil && (c == '{' || c == '['):
			return -1 // it may have duplicate keys
		default:
			if i = s.skip(end, int(o.depth)); i < 0 {
				return i
			}
		}
	}
	end := i + len(sh.tail)
	if end > len(src) || string(src[i:end]) != sh.tail {
		return -1
	}
	return end
}

// learn remembers the shape of the object at pos, which was read by keys.
func (d *Object) learn(pos, end int) {
	m := &d.memory
	if m.rest > 0 || !d.clean || d.unsure || d.strict {
		return
	}
	if m.credit -= learnCost; m.credit <= 0 {
		m.rest = restRows
		return
	}
	sh := &shape{space: d.s.space, high: d.s.high}
	r := recorder{d: d, sh: sh, from: pos}
	r.object(d.root, pos, 0)
	if r.from < 0 || len(sh.slots) > shapeSlots {
		return
	}
	sh.tail = string(d.s.src[r.from:end])
	if len(m.known) < shapes {
		m.known = append(m.known, nil)
	}
	copy(m.known[1:], m.known)
	m.known[0] = sh
}

// recorder walks an object that is known to be valid and writes down its shape.
type recorder struct {
	d     *Object
	sh    *shape
	from  int // where the text before the next value begins; negative: too large
	bytes int
	want  int32
}

// object walks the object at i; n is nil if nobody wants anything of it.
func (r *recorder) object(n *node, i, depth int) int {
	s := &r.d.s
	for i = s.blank(i + 1); s.src[i] != '}'; {
		start := i + 1
		end := s.str(start)
		var child *node
		if n != nil {
			name := s.src[start:end]
			if s.esc {
				name = unquote(nil, name)
			}
			if e, ok := n.index[string(name)]; ok {
				child = n.entry[e].node
			}
		}
		i = r.value(child, s.blank(s.blank(end+1)+1), depth+1)
		if i = s.blank(i); s.src[i] == ',' {
			i = s.blank(i + 1)
		}
	}
	return i + 1
}

// value walks the value at i: a slot, or the members of an object that is not
// wanted as a whole.
func (r *recorder) value(n *node, i, depth int) int {
	s := &r.d.s
	wanted := n != nil && (len(n.cols) > 0 || n.typ != nil)
	if s.src[i] == '{' && !wanted {
		return r.object(n, i, depth)
	}
	end := s.skip(i, depth)
	if r.from < 0 {
		return end
	}
	if r.bytes += i - r.from; r.bytes > shapeBytes || len(r.sh.slots) > shapeSlots || !utf8.Valid(s.src[r.from:i]) {
		r.from = -1
		return end
	}
	o := slot{text: string(s.src[r.from:i]), depth: int32(depth)}
	if wanted || n != nil && r.d.watch || n != nil && n.index != nil {
		o.node, o.want = n, r.want
		r.want++
	}
	r.sh.slots = append(r.sh.slots, o)
	r.from = end
	return end
}
