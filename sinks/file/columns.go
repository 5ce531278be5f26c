package file

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The lines of a CSV file with a header stand under it: a message comes with the
// names of its columns, and where they are not those of the file, its values are put
// in the file's order. A message with a column that the file lacks ends the file: of a
// series the next one begins; a single file is set aside with the time in its name.
// The new one has the columns of both.

// maxHeader bounds the header that is read of a file.
const maxHeader = 1 << 20

// titled tells whether files begin with a header.
func (f *form) titled() bool { return f.HeaderFirst || f.Header != "" }

// split returns the header of a message and its lines; the text of a fault, which
// comes instead of a message, has none.
func (f *form) split(payload []byte) (head, lines []byte) {
	if !f.HeaderFirst {
		return []byte(f.Header), payload
	}
	head, lines, ok := bytes.Cut(payload, []byte{'\n'})
	if !ok {
		return nil, payload
	}
	return head, lines
}

// delimiter is what stands between cells; messages of an earlier version do not say it.
func (f *form) delimiter() string {
	if f.Delimiter == "" {
		return ","
	}
	return f.Delimiter
}

// title gives the file its header.
func (o *output) title(cols []string) {
	o.cols, o.head, o.other = cols, strings.Join(cols, o.form.delimiter()), ""
}

// readColumns returns the names in the header that the file begins with; none if it
// cannot be read.
func (o *output) readColumns() []string {
	var in io.Reader = io.NewSectionReader(o.f, 0, o.size)
	switch o.form.Compression {
	case "gzip":
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil
		}
		in = r
	case "zstd":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil
		}
		defer r.Close()
		in = r
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxHeader)).ReadBytes('\n')
	if err != nil {
		return nil
	}
	return cells(bytes.TrimRight(line, "\r\n"), o.form.delimiter())
}

// holds tells whether the file has all columns of a message with form f.
func (o *output) holds(f *form, payload []byte) bool {
	head, _ := f.split(payload)
	if len(head) == 0 || string(head) == o.head || string(head) == o.other {
		return true
	}
	return !slices.ContainsFunc(cells(head, f.delimiter()), func(c string) bool { return !slices.Contains(o.cols, c) })
}

// withColumns returns the file of k with all columns of a message of form f: out, or
// the one that takes its place.
func (d *destination) withColumns(k key, out *output, f *form, payload []byte) (*output, error) {
	if out.holds(f, payload) {
		return out, nil
	}
	head, _ := f.split(payload)
	all := slices.Clone(out.cols)
	for _, c := range cells(head, f.delimiter()) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	switch {
	case out.size == 0:
		out.title(all)
		return out, nil
	case !out.plain: // a pipe has the columns that it began with
		return out, nil
	}
	if err := d.close(k); err != nil {
		return nil, err
	}
	if !f.rolls() {
		if err := d.setAside(k, f); err != nil {
			return nil, err
		}
	}
	next, err := d.output(k, f)
	if err == nil {
		next.title(all)
	}
	return next, err
}

// setAside gives the file of k a name with the time in it.
func (d *destination) setAside(k key, f *form) error {
	at, err := d.locate(k.path, f)
	if err != nil {
		return err
	}
	defer at.close()
	ext := filepath.Ext(at.base)
	for ms := time.Now().UnixMilli(); ; ms++ {
		name := fmt.Sprintf("%s-%d%s", strings.TrimSuffix(at.base, ext), ms, ext)
		if !at.exists(name) {
			return at.rename(at.base, name)
		}
	}
}

// align returns the lines of a message of form f with their cells in the order of the
// file.
func (o *output) align(f *form, payload []byte) []byte {
	head, lines := f.split(payload)
	if len(head) == 0 || string(head) == o.head {
		return lines
	}
	delim := f.delimiter()
	if string(head) != o.other {
		o.other, o.from = string(head), o.from[:0]
		cols := cells(head, delim)
		for _, c := range o.cols {
			o.from = append(o.from, slices.Index(cols, c))
		}
	}
	var out []byte
	row := make([][]byte, 0, len(o.from))
	for more := true; more; {
		row = row[:0]
		for end := false; !end; {
			var cell []byte
			cell, lines, end, more = nextCell(lines, delim)
			row = append(row, cell)
		}
		for i, k := range o.from {
			if i > 0 {
				out = append(out, delim...)
			}
			if k >= 0 && k < len(row) {
				out = append(out, row[k]...)
			}
		}
		if more {
			out = append(out, '\n')
		}
	}
	return out
}

// cells returns the cells of a line as they are written.
func cells(line []byte, delim string) []string {
	var out []string
	for end := false; !end; {
		var cell []byte
		cell, line, end, _ = nextCell(line, delim)
		out = append(out, string(cell))
	}
	return out
}

// nextCell takes the first cell off text, as it is written. end tells that it is the
// last of its line, and more that another line follows.
func nextCell(text []byte, delim string) (cell, rest []byte, end, more bool) {
	i := 0
	if len(text) > 0 && text[0] == '"' {
		for i = 1; i < len(text); i++ {
			if text[i] != '"' {
				continue
			}
			if i+1 == len(text) || text[i+1] != '"' {
				i++
				break
			}
			i++
		}
	}
	for ; i < len(text); i++ {
		if text[i] == '\n' {
			return text[:i], text[i+1:], true, true
		}
		if bytes.HasPrefix(text[i:], []byte(delim)) {
			return text[:i], text[i+len(delim):], false, false
		}
	}
	return text, nil, true, false
}

// quoted returns the name of a column as it is written in a header.
func quoted(name, delim string) string {
	if !strings.Contains(name, delim) && !strings.ContainsAny(name, "\"\r\n") {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
