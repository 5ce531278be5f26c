package ingest

import (
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// value walks the value at i of a key that is wanted or watched, and sets the
// columns that take it.
func (d *Object) value(n *node, i, depth int) int {
	if n.typ != nil {
		return d.declared(n, i, depth)
	}
	s := &d.s
	if i >= len(s.src) {
		return s.fail(i, "end of message, want value")
	}
	switch c := s.src[i]; {
	case c == '"':
		end := s.str(i + 1)
		if end < 0 {
			return end
		}
		if len(n.cols) > 0 && !d.setString(n, i+1, end) {
			return -1
		}
		return end + 1
	case c == '{' || c == '[':
		end := -1
		switch {
		case c == '{' && (d.watch || n.index != nil):
			end = d.object(n, i, depth)
		case c == '[' && d.watch:
			end = d.array(n, i, depth)
		default:
			end = s.nested(i, depth)
		}
		if end >= 0 && len(n.cols) > 0 && !d.setJSON(n, i, end) {
			return -1
		}
		return end
	case c == '-' || c-'0' < 10:
		if len(n.cols) == 0 {
			return s.num(i)
		}
		return d.setNumber(n, i)
	default:
		end := s.word(i)
		if end >= 0 && len(n.cols) > 0 && !d.setWord(n, i, end) {
			return -1
		}
		return end
	}
}

// setNumber reads the number at i into n's columns.
func (d *Object) setNumber(n *node, i int) int {
	x := d.s.number(i)
	if x.end < 0 {
		return x.end
	}
	w := d.w
	whole := false
	var whole64 int64
	if d.ints && x.whole {
		// A whole number beyond int64 is a float, as without the option.
		whole64, whole = x.int()
	}
	for _, t := range n.cols {
		switch c := &w.b.Cols[t.col]; {
		case t.set != nil:
			if !d.custom(t, vec.Float64, d.s.src[i:x.end]) {
				return -1
			}
		case whole:
			w.Col(t.col).SetInt(w.row, whole64)
		case c.Kind == vec.Float64 && x.m <= 1<<53:
			c.Floats[w.row] = d.s.float(i, &x)
			c.Present.Set(w.row)
			c.Valid.Set(w.row)
		default:
			d.s.setNumber(w.Col(t.col), w.row, i, &x)
		}
	}
	return x.end
}

// text returns the string between its quotes at start and end, unescaped; it is
// valid until the next call.
func (d *Object) text(start, end int) []byte {
	raw := d.s.src[start:end]
	if !d.s.esc && (!d.s.high || utf8.Valid(raw)) {
		return raw
	}
	d.buf = unquote(d.buf[:0], raw)
	return d.buf
}

func (d *Object) setString(n *node, start, end int) bool {
	text := d.text(start, end)
	for _, t := range n.cols {
		if t.set != nil {
			if !d.custom(t, vec.String, text) {
				return false
			}
			continue
		}
		d.w.Col(t.col).SetString(d.w.row, text)
	}
	return true
}

func (d *Object) setWord(n *node, i, end int) bool {
	kind := vec.Bool
	if d.s.src[i] == 'n' {
		kind = vec.Null
	}
	for _, t := range n.cols {
		switch {
		case t.set != nil:
			if !d.custom(t, kind, d.s.src[i:end]) {
				return false
			}
		case kind == vec.Null:
			d.w.Col(t.col).SetNull(d.w.row)
		default:
			d.w.Col(t.col).SetBool(d.w.row, d.s.src[i] == 't')
		}
	}
	return true
}

func (d *Object) setJSON(n *node, i, end int) bool {
	w := d.w
	for _, t := range n.cols {
		if t.set != nil {
			if !d.custom(t, vec.JSON, d.s.src[i:end]) {
				return false
			}
			continue
		}
		w.Col(t.col).SetJSON(w.row, w.b.Raw, vec.Span{Off: uint32(i), End: uint32(end)}, d.ints)
	}
	return true
}

// custom hands a value to a mapping's own setter.
func (d *Object) custom(t target, kind vec.Kind, text []byte) bool {
	if err := t.set(d.w, t.col, kind, text); err != nil {
		d.err = err
		return false
	}
	return true
}
