package ingest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/timefmt"
)

// schema is the declared fields of a stream, as the decoder reads them.
type schema struct {
	row     field            // the row, a struct of the declared fields
	pattern *timefmt.Pattern // nil: any usual form
	loc     *time.Location
}

// field is a declared field or element.
type field struct {
	name   string
	kind   vec.Kind // Missing: any
	elem   *field   // of an array
	fields []field  // of a struct
	def    *vec.Value
	ints   bool // its text holds BIGINTs: whole numbers in it are int64
}

func newSchema(o *Options) *schema {
	s := &schema{loc: o.Location}
	if o.TimestampFormat != "" {
		s.pattern, _ = timefmt.Compile(o.TimestampFormat) // Validate saw it
	}
	s.row = newField(vec.Field{Type: vec.Type{Kind: vec.JSON, Fields: o.Schema}})
	return s
}

func newField(v vec.Field) field {
	f := field{name: v.Name, kind: v.Type.Kind, def: v.Default, ints: v.Type.Kind == vec.Int64}
	if v.Type.Elem != nil {
		e := newField(vec.Field{Name: v.Name, Type: *v.Type.Elem})
		f.elem, f.ints = &e, e.ints
	}
	for _, m := range v.Type.Fields {
		sub := newField(m)
		f.fields = append(f.fields, sub)
		f.ints = f.ints || sub.ints
	}
	return f
}

func (f *field) find(name string) *field {
	for i := range f.fields {
		if f.fields[i].name == name {
			return &f.fields[i]
		}
	}
	return nil
}

func (f *field) isStruct() bool { return f.kind == vec.JSON && f.elem == nil }

// want refuses the value at i.
func (d *Object) want(f *field, i int) int {
	kind := f.kind.String()
	if f.kind == vec.JSON {
		kind = "struct"
		if f.elem != nil {
			kind = "array"
		}
	}
	return d.s.fail(i, fmt.Sprintf("field %q: want %s", f.name, kind))
}

// missing sets n's columns for a field that a strict schema wants and the
// message does not have; false if there is no default.
func (d *Object) missing(n *node) bool {
	if n.typ.def == nil {
		return false
	}
	for _, t := range n.cols {
		d.w.Col(t.col).Set(d.w.row, *n.typ.def)
	}
	return true
}

// declared walks the value at i of a declared field that is wanted. A value
// that its type refuses costs the rules that read the field the row, and nobody
// else: the field's columns are at fault there.
func (d *Object) declared(n *node, i, depth int) int {
	end := d.typed(n, i, depth)
	if end >= 0 || d.w.whole {
		return end
	}
	reason := d.fault()
	d.s.fault, d.err = "", nil
	if end = d.s.skip(i, depth); end >= 0 { // else it is no JSON at all
		d.refuse(n, reason.Error(), d.s.src[i:end])
	}
	return end
}

// refuse puts the columns of n, and of what is below it, at fault.
func (d *Object) refuse(n *node, reason string, text []byte) {
	d.w.BadValue(reason, text)
	d.setFaults(n)
}

func (d *Object) setFaults(n *node) {
	for _, t := range n.cols {
		d.w.Clear(t.col)
		d.w.Col(t.col).SetFault(d.w.row)
	}
	for i := range n.entry {
		if sub := n.entry[i].node; sub != nil {
			d.setFaults(sub)
		}
	}
}

// typed walks the value at i of a declared field that is wanted.
func (d *Object) typed(n *node, i, depth int) int {
	s, f := &d.s, n.typ
	if i >= len(s.src) {
		return s.fail(i, "end of message, want value")
	}
	c := s.src[i]
	if c == 'n' {
		end := s.word(i)
		switch {
		case end < 0:
		case d.strict && !d.missing(n):
			return d.want(f, i)
		case !d.strict:
			d.setWord(n, i, end)
		}
		return end
	}
	if f.kind == vec.JSON {
		return d.typedNested(n, i, depth)
	}
	if (f.kind == vec.Int64 || f.kind == vec.Float64) && (c == '-' || c-'0' < 10) {
		return d.typedNumber(n, i)
	}
	end := s.skip(i, depth)
	if end < 0 {
		return end
	}
	for _, t := range n.cols {
		if !d.typedScalar(f, d.w.Col(t.col), i, end) {
			return -1
		}
	}
	return end
}

// typedNumber reads the number at i into BIGINT or FLOAT columns.
func (d *Object) typedNumber(n *node, i int) int {
	x := d.s.number(i)
	if x.end < 0 {
		return x.end
	}
	if n.typ.kind == vec.Float64 {
		for _, t := range n.cols {
			d.s.setNumber(d.w.Col(t.col), d.w.row, i, &x)
		}
		return x.end
	}
	v, ok := x.int()
	if !ok {
		return d.want(n.typ, i)
	}
	for _, t := range n.cols {
		d.w.Col(t.col).SetInt(d.w.row, v)
	}
	return x.end
}

// typedScalar sets c from the value at i, which ends at end, as f declares it.
func (d *Object) typedScalar(f *field, c *vec.Column, i, end int) bool {
	s, row := &d.s, d.w.row
	switch f.kind {
	case vec.String:
		if text, ok := d.asText(i, end); ok {
			c.SetString(row, text)
			return true
		}
	case vec.Bool:
		if b, ok := d.asBool(i, end); ok {
			c.SetBool(row, b)
			return true
		}
	case vec.Timestamp:
		return d.typedTime(f, c, i, end)
	case vec.Bytes:
		if s.src[i] == '"' {
			s.str(i + 1)
			if b, err := base64.StdEncoding.AppendDecode(d.out[:0], d.text(i+1, end-1)); err == nil {
				d.out = b
				span := d.w.Side(b)
				c.SetBytes(row, d.w.b.Raw, span)
				return true
			}
		}
	}
	return d.want(f, i) >= 0
}

// asText is the text of a string, or a number in plain digits.
func (d *Object) asText(i, end int) ([]byte, bool) {
	s := &d.s
	switch c := s.src[i]; {
	case c == '"':
		s.str(i + 1)
		return d.text(i+1, end-1), true
	case c == '-' || c-'0' < 10:
		x := s.number(i)
		if x.whole {
			return s.src[i:end], true
		}
		d.buf = vec.AppendFloat(d.buf[:0], s.float(i, &x))
		return d.buf, true
	}
	return nil, false
}

// asBool is true, false, a number (zero is false), or a string that spells one.
func (d *Object) asBool(i, end int) (val, ok bool) {
	s := &d.s
	switch c := s.src[i]; {
	case c == 't' || c == 'f':
		return c == 't', true
	case c == '"':
		s.str(i + 1)
		b, err := strconv.ParseBool(string(d.text(i+1, end-1)))
		return b, err == nil
	case c == '-' || c-'0' < 10:
		x := s.number(i)
		return s.float(i, &x) != 0, true
	}
	return false, false
}

// typedTime sets a DATETIME: as it came without strict validation, an instant
// with it.
func (d *Object) typedTime(f *field, c *vec.Column, i, end int) bool {
	s, row := &d.s, d.w.row
	switch k := s.src[i]; {
	case d.strict:
		ms, ok := d.asTime(i, end)
		if !ok {
			return d.want(f, i) >= 0
		}
		c.SetTime(row, ms)
	case k == '"':
		s.str(i + 1)
		c.SetString(row, d.text(i+1, end-1))
	case k == '-' || k-'0' < 10:
		x := s.number(i)
		if v, ok := x.int(); ok && d.ints {
			c.SetInt(row, v)
		} else {
			s.setNumber(c, row, i, &x)
		}
	default:
		return d.want(f, i) >= 0
	}
	return true
}

// asTime is an instant in ms: a number, or text in the stream's format.
func (d *Object) asTime(i, end int) (int64, bool) {
	s := &d.s
	switch c := s.src[i]; {
	case c == '"':
		s.str(i + 1)
		return d.schema.parseTime(string(d.text(i+1, end-1)), d.w.b.At[d.w.row])
	case c == '-' || c-'0' < 10:
		x := s.number(i)
		if v, ok := x.int(); ok {
			return v, true
		}
		v := s.float(i, &x)
		return int64(v), v > -1<<62 && v < 1<<62
	}
	return 0, false
}

// parseTime reads text in the stream's format; what it lacks of the date is that
// of now.
func (s *schema) parseTime(text string, now int64) (int64, bool) {
	if s.pattern != nil {
		t, err := s.pattern.Parse(text, s.loc, now)
		return t.UnixMilli(), err == nil
	}
	t, ok := timefmt.Parse(text, s.loc, now)
	return t.UnixMilli(), ok
}

// typedNested walks an array or struct field.
func (d *Object) typedNested(n *node, i, depth int) int {
	s, f := &d.s, n.typ
	end := s.skip(i, depth)
	if end < 0 {
		return end
	}
	if s.src[i] == '"' && d.strict && f.isStruct() {
		if !d.structText(n, i, end, depth) {
			return -1
		}
		return end
	}
	if f.isStruct() != (s.src[i] == '{') || !f.isStruct() && s.src[i] != '[' {
		return d.want(f, i)
	}
	if !d.fill(n, i, depth) {
		return -1
	}
	return end
}

// structText reads a struct that came as a string of JSON text. The text is put
// behind the messages, so that positions in it are like any other.
func (d *Object) structText(n *node, i, end, depth int) bool {
	s := &d.s
	s.str(i + 1)
	span := d.w.Side(d.text(i+1, end-1))
	outer := s.src
	s.src = d.w.b.Raw[:span.End]
	at := s.blank(int(span.Off))
	ok := false
	if at < len(s.src) && s.src[at] == '{' {
		if e := s.skip(at, depth); e >= 0 && s.blank(e) == len(s.src) {
			ok = d.fill(n, at, depth)
		}
	}
	fault := s.fault
	s.src = outer
	if !ok {
		s.fault = ""
		if fault == "" {
			fault = fmt.Sprintf("field %q: want struct", n.typ.name)
		}
		s.fail(i, fault)
	}
	return ok
}

// fill sets the columns of the nested value at i, which is valid JSON of the
// right kind, and those of its members.
func (d *Object) fill(n *node, i, depth int) bool {
	if n.index != nil {
		if d.object(n, i, depth) < 0 {
			return false
		}
	}
	for _, t := range n.cols {
		out, end := d.convert(d.out[:0], n.typ, i)
		d.out = out
		if end < 0 {
			return false
		}
		span := d.w.Side(out)
		d.w.Col(t.col).SetJSON(d.w.row, d.w.b.Raw, span, n.typ.ints)
	}
	return true
}

// typedWhole sets the column of the whole row to an object of its declared
// fields. The row's text becomes that object.
func (d *Object) typedWhole(pos int) bool {
	out, end := d.convert(d.out[:0], &d.schema.row, pos)
	d.out = out
	if end < 0 {
		return false
	}
	w := d.w
	span := w.Side(out)
	w.Col(int(d.whole)).SetJSON(w.row, w.b.Raw, span, d.schema.row.ints)
	w.b.Row[w.row] = span
	w.b.Clean.Set(w.row)
	return true
}
