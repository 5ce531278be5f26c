package encode

import (
	"maps"
	"slices"
	"time"

	"github.com/weir-engine/weir/vec"
)

// Delimited text is eKuiper's: the values of a row between delimiters, rows apart
// by line ends, none after the last, and nothing is quoted or escaped, so a
// delimiter in a text value stays one. Columns are the property fields in its own
// order, else the names of the SELECT list in order, else (SELECT *) the keys of
// all rows of the message in order. Null and missing are empty.

// Header appends the names of the columns between delimiters, for the first line
// of a file. row is the row whose keys count in a SELECT * without fields.
func (e *Encoder) Header(dst []byte, p *vec.Projection, row int) []byte {
	names := e.fields
	switch {
	case names != nil:
	case p.Star != nil:
		x, _ := e.choose(rowTree(p, row, e.loc)) // cannot fail: it is an object
		names = slices.Sorted(maps.Keys(x.(map[string]any)))
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
		dst = append(dst, name...)
	}
	return dst
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
				if dst, err = appendCell(dst, cellValue(c, row), e.loc); err != nil {
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
			if dst, err = appendCell(dst, cellValue(f.Col, row), e.loc); err != nil {
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

// appendCell appends a value as bare text.
func appendCell(dst []byte, v vec.Value, loc *time.Location) ([]byte, error) {
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
		all := make(map[string]struct{})
		for _, m := range rows {
			for k := range m {
				all[k] = struct{}{}
			}
		}
		names = slices.Sorted(maps.Keys(all))
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
			if dst, err = appendTreeCell(dst, m[name]); err != nil {
				return dst, err
			}
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
