package encode

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/vec"
)

// Delimited text is values of a row between delimiters, rows apart by line ends, none
// after the last. Columns are the property fields in its own order, else the names of
// the SELECT list in order; where rows bring their own (SELECT *, templates), the keys
// of the first message in order, behind which keys that come later take their places
// and keep them. Null and missing are empty. A value that has a delimiter or a line
// end in it, or begins with a quote, is quoted as in CSV, and for a CSV file any with
// a quote in it; others stand as they are.

// columns are those that the rows of one action brought so far.
type columns struct {
	mu    sync.Mutex
	names []string
	known map[string]struct{}
}

// maxColumns bounds the columns that rows may bring.
const maxColumns = 4096

// take returns the columns with those of rows. With too many none is added, so that the
// next message may bring its own.
func (c *columns) take(rows []map[string]any) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]struct{})
	}
	n := len(c.names)
	for _, m := range rows {
		for k := range m {
			if _, ok := c.known[k]; !ok {
				c.known[k] = struct{}{}
				c.names = append(c.names, k)
			}
		}
	}
	if len(c.names) > maxColumns {
		for _, k := range c.names[n:] {
			delete(c.known, k)
		}
		c.names = slices.Clone(c.names[:n])
		return nil, fmt.Errorf("format delimited: more than %d columns; name those to send in fields", maxColumns)
	}
	slices.Sort(c.names[n:])
	return c.names, nil
}

// Header appends the names of the columns between delimiters, for the first line
// of a file: those of the message that was made last, which has rows of p.
func (e *Encoder) Header(dst []byte, p *vec.Projection) []byte {
	names := e.fields
	switch {
	case names != nil:
	case e.columns != nil:
		e.columns.mu.Lock()
		names = e.columns.names
		e.columns.mu.Unlock()
	default:
		for i := range p.Fields {
			if !e.excluded(p.Fields[i].Name) {
				names = append(names, p.Fields[i].Name)
			}
		}
	}
	for i, name := range names {
		if i > 0 {
			dst = append(dst, e.delimiter...)
		}
		n := len(dst)
		dst = e.quoted(append(dst, lineEnds.Replace(name)...), n)
	}
	return dst
}

// lineEnds makes one line of a name.
var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// quoted puts the cell dst[n:] in quotes where it needs them.
func (e *Encoder) quoted(dst []byte, n int) []byte {
	cell := dst[n:]
	if len(cell) == 0 || cell[0] != '"' && !bytes.ContainsAny(cell, "\r\n") && !(e.csv && bytes.IndexByte(cell, '"') >= 0) && !bytes.Contains(cell, []byte(e.delimiter)) {
		return dst
	}
	text := string(cell)
	dst = append(dst[:n], '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}

// appendLines appends rows as lines.
func (e *Encoder) appendLines(dst []byte, p *vec.Projection, rows []int32) ([]byte, error) {
	if p.Star != nil {
		return e.appendTree(dst, rowTrees(p, rows, e.loc))
	}
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, '\n')
		}
		var err error
		if dst, err = e.appendLine(dst, p, int(row)); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendLine appends one row.
func (e *Encoder) appendLine(dst []byte, p *vec.Projection, row int) ([]byte, error) {
	if p.Star != nil {
		return e.appendTree(dst, rowTree(p, row, e.loc))
	}
	var err error
	if e.fields != nil {
		for i, name := range e.fields {
			if i > 0 {
				dst = append(dst, e.delimiter...)
			}
			if c, _, s := find(p, row, name); s == value {
				if dst, err = e.appendCell(dst, cellValue(c, row)); err != nil {
					return dst, err
				}
			}
		}
		return dst, nil
	}
	n := 0
	for i := range p.Fields {
		f := &p.Fields[i]
		if e.excluded(f.Name) {
			continue
		}
		if n > 0 {
			dst = append(dst, e.delimiter...)
		}
		n++
		if stateOf(p, f, row) == value {
			if dst, err = e.appendCell(dst, cellValue(f.Col, row)); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// cellValue is c.Value for columns of computed nested values too.
func cellValue(c *vec.Column, row int) vec.Value {
	if holdsValues(c) && c.Valid.Has(row) {
		return c.Vals[row]
	}
	return c.Value(row)
}

// appendCell appends a value as a cell of a line.
func (e *Encoder) appendCell(dst []byte, v vec.Value) ([]byte, error) {
	n := len(dst)
	dst, err := appendBare(dst, v, e.loc)
	return e.quoted(dst, n), err
}

// appendBare appends a value as bare text.
func appendBare(dst []byte, v vec.Value, loc *time.Location) ([]byte, error) {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return dst, nil
	case vec.String, vec.Bytes:
		return append(dst, v.S...), nil
	case vec.Float64:
		return vec.AppendNumber(dst, v), nil
	case vec.Timestamp:
		return v.Instant(loc).AppendFormat(dst, time.RFC3339Nano), nil
	}
	return appendValue(dst, v, loc)
}

// appendTreeLines appends an object, or a list of objects, as lines.
func (e *Encoder) appendTreeLines(dst []byte, x any) ([]byte, error) {
	rows, ok := objects(x)
	if !ok {
		return dst, errNotObject("format delimited", x)
	}
	names := e.fields
	if names == nil {
		seen := e.columns
		if seen == nil {
			seen = new(columns)
		}
		var err error
		if names, err = seen.take(rows); err != nil {
			return dst, err
		}
	}
	for i, m := range rows {
		if i > 0 {
			dst = append(dst, '\n')
		}
		for j, name := range names {
			if j > 0 {
				dst = append(dst, e.delimiter...)
			}
			var err error
			n := len(dst)
			if dst, err = appendTreeCell(dst, m[name]); err != nil {
				return dst, err
			}
			dst = e.quoted(dst, n)
		}
	}
	return dst, nil
}

// appendTreeCell appends a value of a tree as bare text.
func appendTreeCell(dst []byte, x any) ([]byte, error) {
	switch x := x.(type) {
	case nil:
		return dst, nil
	case string:
		return append(dst, x...), nil
	case []byte:
		return append(dst, x...), nil
	case float64:
		return vec.AppendFloat(dst, x), nil
	case time.Time:
		return x.AppendFormat(dst, time.RFC3339Nano), nil
	}
	return appendAny(dst, x)
}
