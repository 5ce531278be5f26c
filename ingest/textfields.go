package ingest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// fields reads rows whose fields are texts with names: the formats delimited and
// urlencoded. Without a schema every field is a string; with one, text is read as
// the declared type, an empty text of a type other than STRING is null, and only
// declared fields exist.
type fields struct {
	cols   map[string]int // top-level fields of the plan
	schema *schema
	strict bool
	whole  int
	metas  []metaCol
	row    []byte   // object of the whole row, while it is built
	seen   []string // names set in this row, for strict validation
}

func (d *fields) init(o *Options, p *vec.Plan) {
	d.cols, d.whole = make(map[string]int), -1
	if o.Schema != nil {
		d.schema, d.strict = newSchema(o), o.Strict
	}
	for i, c := range p.Cols {
		switch {
		case c.Meta:
			d.metas = append(d.metas, newMetaCol(i, c.Path))
		case len(c.Path) == 0:
			d.whole = i
		case len(c.Path) == 1:
			d.cols[c.Path[0]] = i
		}
	}
}

func (d *fields) begin() {
	d.row = append(d.row[:0], '{')
	d.seen = d.seen[:0]
}

// set reads the field name of w's row from text.
func (d *fields) set(w *Writer, name string, text []byte) error {
	col, wanted := d.cols[name]
	if !wanted && d.whole < 0 {
		return nil
	}
	v := vec.Value{Kind: vec.String}
	if d.schema != nil {
		f := d.schema.row.find(name)
		if f == nil {
			return nil
		}
		if d.strict {
			d.seen = append(d.seen, name)
		}
		var err error
		if v, err = d.parse(w, f, text); err != nil {
			return err
		}
	}
	if wanted {
		c := w.Col(col)
		switch v.Kind {
		case vec.String:
			c.SetString(w.row, text)
		case vec.JSON:
			span := w.Side([]byte(v.S))
			c.SetJSON(w.row, w.b.Raw, span, true)
		case vec.Bytes:
			span := w.Side([]byte(v.S))
			c.SetBytes(w.row, w.b.Raw, span)
		default:
			c.Set(w.row, v)
		}
	}
	if d.whole >= 0 {
		d.row = append(appendQuoted(d.row, []byte(name)), ':')
		if v.Kind == vec.String {
			d.row = appendQuoted(d.row, text)
		} else {
			d.row = appendValue(d.row, v)
		}
		d.row = append(d.row, ',')
	}
	return nil
}

// parse reads text as f declares it; a String result stands for text itself.
func (d *fields) parse(w *Writer, f *field, text []byte) (v vec.Value, err error) {
	if len(text) == 0 && f.kind != vec.String {
		return vec.NullValue, nil
	}
	switch f.kind {
	case vec.Int64:
		v.Kind = vec.Int64
		v.I, err = strconv.ParseInt(string(text), 10, 64)
	case vec.Float64:
		var ok bool
		if v, ok = vec.ParseNumber(text); !ok {
			err = errors.New("no number")
		}
	case vec.Bool:
		var b bool
		b, err = strconv.ParseBool(string(text))
		v = vec.BoolValue(b)
	case vec.Timestamp:
		v.Kind = vec.String
		if d.strict {
			ms, ok := d.schema.parseTime(string(text), w.b.At[w.row])
			if !ok {
				err = errors.New("no date")
			}
			v = vec.TimeValue(ms)
		}
	case vec.Bytes:
		var b []byte
		b, err = base64.StdEncoding.DecodeString(string(text))
		v = vec.BytesValue(b)
	case vec.JSON:
		s := scan{src: text}
		open := byte('[')
		if f.isStruct() {
			open = '{'
		}
		if text[0] != open || s.skip(0, 0) != len(text) {
			err = errors.New("no JSON of that type")
		}
		v = vec.JSONValue(string(text))
	default:
		v.Kind = vec.String
	}
	if err != nil {
		return v, fmt.Errorf("field %q: want %s, found %q", f.name, f.kind, text[:min(len(text), 32)])
	}
	return v, nil
}

// end sets what the row's fields do not say: defaults, the whole row, metadata.
func (d *fields) end(w *Writer, m *Meta) error {
	if d.strict {
		for i := range d.schema.row.fields {
			f := &d.schema.row.fields[i]
			col, wanted := d.cols[f.name]
			if !wanted && d.whole < 0 || slices.Contains(d.seen, f.name) {
				continue
			}
			if f.def == nil {
				return fmt.Errorf("field %q: missing", f.name)
			}
			if wanted {
				w.Col(col).Set(w.row, *f.def)
			}
			d.row = append(appendQuoted(d.row, []byte(f.name)), ':')
			d.row = append(appendValue(d.row, *f.def), ',')
		}
	}
	if d.whole >= 0 {
		if n := len(d.row); n > 1 {
			d.row = d.row[:n-1]
		}
		span := w.Side(append(d.row, '}'))
		w.Col(d.whole).SetJSON(w.row, w.b.Raw, span, d.schema != nil)
		w.b.Row[w.row] = span
		w.b.Clean.Set(w.row)
	}
	setMeta(w, d.metas, m)
	return nil
}

// delimited is format delimited: a line of fields. Quotes are characters as any
// other, as in eKuiper; a CSV file is read by its own source.
type delimited struct {
	fields
	sep   []byte
	names []string
}

func newDelimited(o *Options, p *vec.Plan) *delimited {
	d := &delimited{sep: []byte(o.Delimiter)}
	d.init(o, p)
	for i, n := range o.Columns { // the last of equal names counts
		if slices.Contains(o.Columns[i+1:], n) {
			n = ""
		}
		d.names = append(d.names, n)
	}
	return d
}

// name returns the name of field i; "" for one that does not count.
func (d *delimited) name(i int) string {
	for n := len(d.names); n <= i; n++ {
		d.names = append(d.names, "col"+strconv.Itoa(n))
	}
	return d.names[i]
}

// Decode reads the line at pos.
func (d *delimited) Decode(w *Writer, pos int, m *Meta) (int, error) {
	d.begin()
	line := w.Src()[pos:]
	for i := 0; ; i++ {
		text, rest, more := bytes.Cut(line, d.sep)
		if name := d.name(i); name != "" {
			if err := d.set(w, name, text); err != nil {
				return 0, err
			}
		}
		if !more {
			return len(w.Src()), d.end(w, m)
		}
		line = rest
	}
}

// urlEncoded is format urlencoded: a query string. A name that comes several
// times is an array of strings, or its last value where a scalar is declared.
type urlEncoded struct{ fields }

func newURLEncoded(o *Options, p *vec.Plan) *urlEncoded {
	d := new(urlEncoded)
	d.init(o, p)
	return d
}

// Decode reads the query string at pos.
func (d *urlEncoded) Decode(w *Writer, pos int, m *Meta) (int, error) {
	vals, err := url.ParseQuery(string(w.Src()[pos:]))
	if err != nil {
		return 0, fmt.Errorf("urlencoded: %w", err)
	}
	d.begin()
	names := make([]string, 0, len(vals))
	for n := range vals {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		v := vals[n]
		if len(v) > 1 && d.schema == nil {
			d.list(w, n, v)
			continue
		}
		if err := d.set(w, n, []byte(v[len(v)-1])); err != nil {
			return 0, err
		}
	}
	return len(w.Src()), d.end(w, m)
}

// list sets an undeclared field that came several times.
func (d *urlEncoded) list(w *Writer, name string, vals []string) {
	text := []byte{'['}
	for _, v := range vals {
		text = append(appendQuoted(text, []byte(v)), ',')
	}
	text[len(text)-1] = ']'
	if col, ok := d.cols[name]; ok {
		span := w.Side(text)
		w.Col(col).SetJSON(w.row, w.b.Raw, span, false)
	}
	if d.whole >= 0 {
		d.row = append(appendQuoted(d.row, []byte(name)), ':')
		d.row = append(append(d.row, text...), ',')
	}
}

// whole is format binary: the payload is one BYTEA field.
type whole struct {
	name  string
	col   int
	whole int
	metas []metaCol
}

func newBinary(o *Options, p *vec.Plan) *whole {
	d := &whole{name: "self", col: -1, whole: -1}
	if len(o.Schema) == 1 {
		d.name = o.Schema[0].Name
	}
	for i, c := range p.Cols {
		switch {
		case c.Meta:
			d.metas = append(d.metas, newMetaCol(i, c.Path))
		case len(c.Path) == 0:
			d.whole = i
		case len(c.Path) == 1 && c.Path[0] == d.name:
			d.col = i
		}
	}
	return d
}

// Decode takes all text from pos on.
func (d *whole) Decode(w *Writer, pos int, m *Meta) (int, error) {
	end := len(w.Src())
	if d.col >= 0 {
		w.Col(d.col).SetBytes(w.row, w.b.Raw, vec.Span{Off: uint32(pos), End: uint32(end)})
	}
	if d.whole >= 0 {
		row := append(appendQuoted([]byte{'{'}, []byte(d.name)), ':', '"')
		row = base64.StdEncoding.AppendEncode(row, w.Src()[pos:end])
		span := w.Side(append(row, '"', '}'))
		w.Col(d.whole).SetJSON(w.row, w.b.Raw, span, false)
		w.b.Row[w.row] = span
		w.b.Clean.Set(w.row)
	}
	setMeta(w, d.metas, m)
	return end, nil
}
