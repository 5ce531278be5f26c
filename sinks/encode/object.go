package encode

import (
	"cmp"
	"slices"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// metaName is the key of a row's metadata in messages (sendMetaToSink).
const metaName = "__meta"

// state is what a field has to write in a row.
type state uint8

const (
	absent state = iota // nothing
	null
	value
)

// stateOf tells what f has to write in row.
func stateOf(p *vec.Projection, f *vec.OutField, row int) state {
	c := f.Col
	if c.Valid.Has(row) && c.Kind != vec.Null {
		if !holdsValues(c) || c.Vals[row].Kind > vec.Null {
			return value
		}
	}
	if p.SendNil || f.Plain && c.Present.Has(row) {
		return null
	}
	return absent
}

// holdsValues tells whether c's values are in Vals.
func holdsValues(c *vec.Column) bool {
	return c.Kind == vec.Variant || (c.Kind == vec.JSON || c.Kind == vec.Bytes) && c.Data == nil
}

// starText returns the raw text of row's own object. ok is false if there is none
// because the projection has no star or the object is a computed tree.
func starText(p *vec.Projection, row int) (text []byte, ok bool) {
	c := p.Star
	if c == nil || c.Kind != vec.JSON || c.Data == nil || !c.Valid.Has(row) {
		return nil, false
	}
	s := c.Spans[row]
	return c.Data[s.Off:s.End], true
}

// starTree tells whether row's own object is there but not as raw text.
func starTree(p *vec.Projection, row int) bool {
	return p.Star != nil && p.Star.Valid.Has(row) && p.Star.Kind != vec.Null && (p.Star.Kind != vec.JSON || p.Star.Data == nil)
}

// emptyRow tells whether row has nothing to write, which is what omitIfEmpty asks.
func emptyRow(p *vec.Projection, row int) bool {
	for i := range p.Fields {
		if stateOf(p, &p.Fields[i], row) != absent {
			return false
		}
	}
	if p.MetaCol != nil && p.MetaCol.Valid.Has(row) {
		return false
	}
	if starTree(p, row) {
		return len(rowTree(p, row, nil)) == 0
	}
	empty := true
	if text, ok := starText(p, row); ok {
		rawjson.Members(text, func(key, _ []byte) bool {
			empty = listed(p.Except, key)
			return empty
		})
	}
	return empty
}

// listed tells whether the name that raw key text stands for is in names.
func listed(names []string, key []byte) bool {
	for _, name := range names {
		if rawjson.KeyIs(key, name) {
			return true
		}
	}
	return false
}

// excluded tells whether excludeFields drops the field name.
func (e *Encoder) excluded(name string) bool {
	if len(e.exclude) == 0 {
		return false
	}
	_, ok := slices.BinarySearch(e.exclude, name)
	return ok
}

// appendArray appends rows as an array of objects.
func (e *Encoder) appendArray(dst []byte, p *vec.Projection, rows []int32) ([]byte, error) {
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.appendObject(dst, p, int(row)); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendObject appends row as an object.
func (e *Encoder) appendObject(dst []byte, p *vec.Projection, row int) ([]byte, error) {
	switch {
	case starTree(p, row):
		x, err := e.choose(rowTree(p, row, e.loc))
		if err != nil {
			return dst, err
		}
		return appendAny(dst, x)
	case e.names != nil:
		return e.appendChosen(dst, p, row)
	}
	if text, ok := starText(p, row); ok {
		return e.appendStar(dst, p, row, text)
	}
	dst = append(dst, '{')
	dst, err := e.appendFields(dst, len(dst), p, row)
	return append(dst, '}'), err
}

// appendFields appends the members for p.Fields and the metadata; the object's
// members start at dst[start:].
func (e *Encoder) appendFields(dst []byte, start int, p *vec.Projection, row int) ([]byte, error) {
	var err error
	for i := range p.Fields {
		f := &p.Fields[i]
		s := stateOf(p, f, row)
		if s == absent || e.excluded(f.Name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, f.Key...)
		if s == null {
			dst = append(dst, "null"...)
		} else if dst, err = appendColumn(dst, f.Col, row, f.Plain && p.Clean.Has(row), e.loc); err != nil {
			return dst, err
		}
	}
	if p.MetaCol != nil && p.MetaCol.Valid.Has(row) && !e.excluded(metaName) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, `"__meta":`...)
		return appendColumn(dst, p.MetaCol, row, false, e.loc)
	}
	return dst, nil
}

// appendStar appends the row's own object with p's fields over it: the row's
// members in its order, less what is dropped or replaced, and the fields after
// them.
func (e *Encoder) appendStar(dst []byte, p *vec.Projection, row int, text []byte) ([]byte, error) {
	n := len(dst)
	if !p.Clean.Has(row) {
		// The compact text goes behind dst first and is moved over later, which
		// needs no memory of its own.
		var err error
		if dst, err = rawjson.AppendCompact(dst, text); err != nil {
			return dst, err
		}
		text = dst[n:]
	} else if len(p.Fields) == 0 && len(p.Except) == 0 && len(e.exclude) == 0 && p.MetaCol == nil {
		return append(dst, text...), nil
	}
	mark := len(dst)
	dst = append(dst, '{')
	start := len(dst)
	rawjson.Members(text, func(key, val []byte) bool {
		if listed(p.Except, key) || listed(e.exclude, key) || replaced(p, row, key) {
			return true
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, key...)
		dst = append(dst, '"', ':')
		dst = append(dst, val...)
		return true
	})
	dst, err := e.appendFields(dst, start, p, row)
	dst = append(dst, '}')
	if mark > n {
		dst = dst[:n+copy(dst[n:], dst[mark:])]
	}
	return dst, err
}

// replaced tells whether one of p's own members takes the place of key.
func replaced(p *vec.Projection, row int, key []byte) bool {
	for i := range p.Fields {
		if f := &p.Fields[i]; rawjson.KeyIs(key, f.Name) {
			return stateOf(p, f, row) != absent
		}
	}
	return p.MetaCol != nil && rawjson.KeyIs(key, metaName) && p.MetaCol.Valid.Has(row)
}

// appendChosen appends the members that the property fields names, null for those
// that the row does not have.
func (e *Encoder) appendChosen(dst []byte, p *vec.Projection, row int) ([]byte, error) {
	dst = append(dst, '{')
	text, hasStar := starText(p, row)
	for i, name := range e.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e.keys[i]...)
		if c, clean, s := find(p, row, name); s == value {
			var err error
			if dst, err = appendColumn(dst, c, row, clean, e.loc); err != nil {
				return dst, err
			}
			continue
		} else if s == absent && hasStar && !slices.Contains(p.Except, name) {
			raw, ok := rawjson.Get(text, name)
			switch {
			case ok && p.Clean.Has(row):
				dst = append(dst, raw...)
				continue
			case ok:
				var err error
				if dst, err = rawjson.AppendCompact(dst, raw); err != nil {
					return dst, err
				}
				continue
			}
		}
		dst = append(dst, "null"...)
	}
	return append(dst, '}'), nil
}

// find returns the column that p itself has for name, whether raw JSON in it is
// clean, and what it has to write in row.
func find(p *vec.Projection, row int, name string) (c *vec.Column, clean bool, s state) {
	i, ok := slices.BinarySearchFunc(p.Fields, name, func(f vec.OutField, name string) int {
		return cmp.Compare(f.Name, name)
	})
	if ok {
		f := &p.Fields[i]
		return f.Col, f.Plain && p.Clean.Has(row), stateOf(p, f, row)
	}
	if name == metaName && p.MetaCol != nil && p.MetaCol.Valid.Has(row) {
		return p.MetaCol, false, value
	}
	return nil, false, absent
}
