package ingest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// convert appends the value at i, which is valid JSON, to dst as f declares it:
// only declared fields of structs, in the order of the declaration, compact, and
// every scalar in its declared type. The result is the position behind the
// value, negative after an error.
func (d *Object) convert(dst []byte, f *field, i int) ([]byte, int) {
	s := &d.s
	c := s.src[i]
	switch {
	case c == 'n' && !d.strict:
		return append(dst, "null"...), i + 4
	case f.isStruct() && c == '{':
		return d.convertStruct(dst, f, i)
	case f.elem != nil && c == '[':
		return d.convertArray(dst, f, i)
	}
	end := s.skip(i, 0)
	if end < 0 {
		return dst, end
	}
	number := c == '-' || c-'0' < 10
	switch f.kind {
	case vec.Missing:
		return append(dst, s.src[i:end]...), end
	case vec.Int64:
		if number {
			x := s.number(i)
			if v, ok := x.int(); ok {
				return strconv.AppendInt(dst, v, 10), end
			}
		}
	case vec.Float64:
		if number {
			x := s.number(i)
			dst = append(dst, s.src[i:end]...)
			if x.whole && d.schema.row.ints {
				dst = append(dst, ".0"...) // or it would read as a BIGINT
			}
			return dst, end
		}
	case vec.String:
		if text, ok := d.asText(i, end); ok {
			return appendQuoted(dst, text), end
		}
	case vec.Bool:
		if b, ok := d.asBool(i, end); ok {
			return strconv.AppendBool(dst, b), end
		}
	case vec.Timestamp:
		return d.convertTime(dst, f, i, end)
	case vec.Bytes:
		if c == '"' {
			s.str(i + 1)
			text := d.text(i+1, end-1)
			if _, err := base64.StdEncoding.AppendDecode(nil, text); err == nil {
				return appendQuoted(dst, text), end
			}
		}
	}
	return dst, d.want(f, i)
}

func (d *Object) convertTime(dst []byte, f *field, i, end int) ([]byte, int) {
	s := &d.s
	switch c := s.src[i]; {
	case d.strict:
		if ms, ok := d.asTime(i, end); ok {
			dst = append(dst, '"')
			dst = time.UnixMilli(ms).In(d.schema.loc).AppendFormat(dst, time.RFC3339Nano)
			return append(dst, '"'), end
		}
	case c == '"':
		s.str(i + 1)
		return appendQuoted(dst, d.text(i+1, end-1)), end
	case c == '-' || c-'0' < 10:
		dst = append(dst, s.src[i:end]...)
		if x := s.number(i); x.whole && !d.ints && d.schema.row.ints {
			dst = append(dst, ".0"...)
		}
		return dst, end
	}
	return dst, d.want(f, i)
}

func (d *Object) convertArray(dst []byte, f *field, i int) ([]byte, int) {
	s := &d.s
	dst = append(dst, '[')
	for i = s.blank(i + 1); s.src[i] != ']'; {
		if dst, i = d.convert(dst, f.elem, i); i < 0 {
			return dst, i
		}
		if i = s.blank(i); s.src[i] == ',' {
			dst = append(dst, ',')
			i = s.blank(i + 1)
		}
	}
	return append(dst, ']'), i + 1
}

// convertStruct notes where the declared fields are (the last of equal keys
// counts) and then appends them in order.
func (d *Object) convertStruct(dst []byte, f *field, i int) ([]byte, int) {
	base := len(d.offsets)
	for range f.fields {
		d.offsets = append(d.offsets, -1)
	}
	end := d.findFields(f, d.offsets[base:], i)
	dst = append(dst, '{')
	first := true
	for k := 0; k < len(f.fields) && end >= 0; k++ {
		sub, at := &f.fields[k], d.offsets[base+k]
		if !d.strict && at < 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendQuoted(dst, []byte(sub.name)), ':')
		if at < 0 || d.strict && d.s.src[at] == 'n' {
			if sub.def == nil {
				end = d.s.fail(i, fmt.Sprintf("field %q: missing", sub.name))
				break
			}
			dst = appendValue(dst, *sub.def)
			continue
		}
		var e int
		if dst, e = d.convert(dst, sub, at); e < 0 {
			end = e
		}
	}
	d.offsets = d.offsets[:base]
	return append(dst, '}'), end
}

// findFields walks the object at i and notes in offsets where its declared fields
// are.
func (d *Object) findFields(f *field, offsets []int, i int) int {
	s := &d.s
	for i = s.blank(i + 1); s.src[i] != '}'; {
		end := s.str(i + 1)
		if end < 0 {
			return end
		}
		name := d.text(i+1, end)
		at := s.blank(s.blank(end+1) + 1)
		for k := range f.fields {
			if f.fields[k].name == string(name) {
				offsets[k] = at
			}
		}
		if i = s.skip(at, 0); i < 0 {
			return i
		}
		if i = s.blank(i); s.src[i] == ',' {
			i = s.blank(i + 1)
		}
	}
	return i + 1
}

// appendValue appends a scalar as JSON.
func appendValue(dst []byte, v vec.Value) []byte {
	switch v.Kind {
	case vec.Bool:
		return strconv.AppendBool(dst, v.I != 0)
	case vec.Int64, vec.Timestamp:
		return strconv.AppendInt(dst, v.I, 10)
	case vec.Float64:
		if v.I == 0 {
			return vec.AppendJSONFloat(dst, v.F)
		}
		return strconv.AppendInt(dst, v.I, 10)
	case vec.String:
		return appendQuoted(dst, []byte(v.S))
	case vec.Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.S))
		return append(dst, '"')
	case vec.JSON:
		if v.X == nil && utf8.ValidString(v.S) {
			return append(dst, v.S...)
		}
	}
	return append(dst, "null"...)
}
