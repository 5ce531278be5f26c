package encode

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// rowTree returns row as the tree that templates see: whole numbers int64, others
// float64, instants time.Time in loc, nested values []any and map[string]any.
// Nested values that p already holds as trees are shared and must not be written.
func rowTree(p *vec.Projection, row int, loc *time.Location) map[string]any {
	var m map[string]any
	if p.Star != nil && p.Star.Valid.Has(row) {
		if star, ok := rawjson.Tree(cellValue(p.Star, row)).(map[string]any); ok {
			// Tree gives away a tree that the column holds, so it is copied.
			m = maps.Clone(star)
			for _, name := range p.Except {
				delete(m, name)
			}
		}
	}
	if m == nil {
		m = make(map[string]any, len(p.Fields))
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		switch stateOf(p, f, row) {
		case null:
			m[f.Name] = nil
		case value:
			m[f.Name] = cellTree(f.Col, row, loc)
		}
	}
	if p.MetaCol != nil && p.MetaCol.Valid.Has(row) {
		m[metaName] = cellTree(p.MetaCol, row, loc)
	}
	return m
}

func cellTree(c *vec.Column, row int, loc *time.Location) any {
	x := rawjson.Tree(cellValue(c, row))
	if t, ok := x.(time.Time); ok && loc != nil {
		return t.In(loc)
	}
	return x
}

// rowTrees returns rows as the list of trees that templates see.
func rowTrees(p *vec.Projection, rows []int32, loc *time.Location) []map[string]any {
	l := make([]map[string]any, len(rows))
	for i, row := range rows {
		l[i] = rowTree(p, int(row), loc)
	}
	return l
}

// appendTree appends data, an object or a list of objects, after template,
// dataField and fields.
func (e *Encoder) appendTree(dst []byte, data any) ([]byte, error) {
	if e.tmpl != nil {
		out, err := e.tmpl.appendText(dst, data)
		if err != nil {
			return dst, err
		}
		if e.bare {
			return out, nil
		}
		if data, err = rawjson.Parse(out[len(dst):], false); err != nil {
			return dst, fmt.Errorf("dataTemplate: the text is no JSON, but a later step needs its parts: %w", err)
		}
	}
	if e.dataField != "" {
		var err error
		if data, err = e.part(data); err != nil {
			return dst, err
		}
	}
	data, err := e.choose(data)
	if err != nil {
		return dst, err
	}
	switch e.format {
	case Delimited:
		return e.appendTreeLines(dst, data)
	case Protobuf:
		return e.appendProtobuf(dst, data)
	case URLEncoded:
		return e.appendForm(dst, data)
	}
	return appendAny(dst, data)
}

// errNothing says that there is nothing to send.
var errNothing = errors.New("nothing to send")

// part returns the value of dataField, in a list that of its first element. Where the
// key is missing there is nothing to send.
func (e *Encoder) part(data any) (any, error) {
	rows, ok := objects(data)
	if !ok {
		return nil, errNotObject(fmt.Sprintf("dataField %q", e.dataField), data)
	}
	if len(rows) > 0 {
		if v, ok := rows[0][e.dataField]; ok {
			return v, nil
		}
	}
	return nil, errNothing
}

// choose applies fields or excludeFields to an object, or to each of a list.
func (e *Encoder) choose(data any) (any, error) {
	if e.fields == nil && e.exclude == nil {
		return data, nil
	}
	rows, ok := objects(data)
	if !ok {
		name := "fields"
		if e.exclude != nil {
			name = "excludeFields"
		}
		return nil, errNotObject(name, data)
	}
	out := make([]map[string]any, len(rows))
	for i, m := range rows {
		out[i] = e.chooseFrom(m)
	}
	if _, single := data.(map[string]any); single {
		return out[0], nil
	}
	return out, nil
}

func (e *Encoder) chooseFrom(m map[string]any) map[string]any {
	out := make(map[string]any, max(len(e.names), len(m)))
	if e.fields != nil {
		for _, name := range e.names {
			out[name] = m[name]
		}
		return out
	}
	for k, v := range m {
		if _, drop := slices.BinarySearch(e.exclude, k); !drop {
			out[k] = v
		}
	}
	return out
}

// objects returns data as a list of objects.
func objects(data any) (rows []map[string]any, ok bool) {
	switch d := data.(type) {
	case map[string]any:
		return []map[string]any{d}, true
	case []map[string]any:
		return d, true
	case []any:
		rows = make([]map[string]any, len(d))
		for i, x := range d {
			if rows[i], ok = x.(map[string]any); !ok {
				return nil, false
			}
		}
		return rows, true
	}
	return nil, false
}

// errNotObject says that a step needs an object and has got x.
func errNotObject(step string, x any) error {
	kind := "a number"
	switch x.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "a boolean"
	case string:
		kind = "a text"
	case []any:
		kind = "an array with something else in it"
	case []byte, time.Time:
		kind = fmt.Sprintf("%T", x)
	}
	return fmt.Errorf("%s: want an object or an array of objects, got %s", step, kind)
}
