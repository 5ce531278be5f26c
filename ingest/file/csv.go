package file

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// csv pushes each record as a JSON object. A faulty record is counted and passed
// over.
func (w *writer) csv(in *bufio.Reader) error {
	o := &w.s.o
	for line := 1; line <= o.IgnoreStartLines; line++ {
		l := lineReader{in: in}
		if _, err := l.next(); err == io.EOF {
			return nil
		} else if err != nil && err != errLong {
			return err
		}
	}
	// A quote that never ends would make the rest of the file one record.
	limit := bounded{r: in}
	r := csv.NewReader(&limit)
	r.Comma, _ = utf8.DecodeRuneInString(o.Delimiter)
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	rows := newRecords(o)
	t := tail{back: o.IgnoreEndLines}
	for header := o.HasHeader; ; {
		limit.left = maxMessageBytes
		record, err := r.Read()
		var bad *csv.ParseError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			w.fault(o.IgnoreStartLines+bad.StartLine, bad.Err)
			continue
		case err != nil:
			return err
		}
		if header {
			header = false
			rows.header(record)
			continue
		}
		payload := t.swap(rows.object(record))
		if payload == nil {
			continue
		}
		if err := w.push(payload); err != nil {
			return err
		}
	}
}

// records makes JSON objects of records.
type records struct {
	o     *Options
	names []string // as JSON, with a colon
	kinds []vec.Kind
	buf   []byte
}

func newRecords(o *Options) *records {
	r := &records{o: o}
	for _, c := range o.Columns {
		r.add(c)
	}
	if o.Columns == nil && !o.HasHeader {
		for _, f := range o.Schema {
			r.add(f.Name)
		}
	}
	return r
}

// header names the columns by the file's first record, unless they have names.
func (r *records) header(record []string) {
	if r.o.Columns != nil {
		return
	}
	for _, c := range record {
		r.add(strings.TrimSpace(c))
	}
}

func (r *records) add(name string) {
	kind := vec.Missing
	for _, f := range r.o.Schema {
		if f.Name == name {
			kind = f.Type.Kind
		}
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		panic("bug: a string has no JSON: " + err.Error())
	}
	r.names = append(r.names, string(quoted)+":")
	r.kinds = append(r.kinds, kind)
}

// object returns record as JSON, valid until the next call. Values without a
// name are called col<number>.
func (r *records) object(record []string) []byte {
	for i := len(r.names); i < len(record); i++ {
		r.add("col" + strconv.Itoa(i))
	}
	b := append(r.buf[:0], '{')
	for i, v := range record {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r.names[i]...)
		b = appendValue(b, r.kinds[i], v)
	}
	r.buf = append(b, '}')
	return r.buf
}

// appendValue appends text as a value of a declared kind. What is not a value of
// the kind stays text, which the decoder then refuses with its own words.
func appendValue(b []byte, k vec.Kind, text string) []byte {
	switch k {
	case vec.Int64, vec.Float64:
		t := strings.TrimSpace(text)
		if v, ok := vec.ParseNumber(t); ok {
			if json.Valid([]byte(t)) {
				return append(b, t...)
			}
			return vec.AppendNumber(b, v) // "+5", ".5", "007"
		} else if t == "" {
			return append(b, "null"...)
		}
	case vec.Bool:
		if v, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text))); err == nil {
			return strconv.AppendBool(b, v)
		}
	}
	return appendText(b, text)
}

// appendText appends text as a JSON string; bytes that are not UTF-8 become the
// replacement character.
func appendText(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range text { // an invalid byte is RuneError here
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
