package twin

import (
	"strconv"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/vec"
)

// convert sets the flat columns of the row from the values that its message has.
func (d *decoder) convert(w *ingest.Writer, t *topicInfo) {
	types, row := d.typesOf(t.model), w.Row()
	for _, k := range d.touched {
		p := &d.props[k]
		if !p.has || p.deleted {
			continue
		}
		c := w.Col(p.col)
		if !c.Present.Has(row) || c.Valid.Has(row) {
			continue // taken back, or the message's own key has set it
		}
		typ := p.typ
		if types != nil && types[k] != Unknown {
			typ = types[k]
		}
		if p.declared != Unknown {
			typ = p.declared
		}
		text := d.text[p.off:p.end]
		if !d.set(w, c, p.kind, typ, text) {
			d.bad(w, p.name, typ, text)
		}
	}
}

// typesOf returns what m says about each flat column; nil without a model.
func (d *decoder) typesOf(m *Model) []Type {
	if m == nil {
		return nil
	}
	types, ok := d.types[m]
	if !ok {
		types = make([]Type, len(d.props))
		for i, p := range d.props {
			if x := m.Property(p.name); x != nil {
				types[i] = x.Type
			}
		}
		d.types[m] = types
	}
	return types
}

// set sets the row of c, which is null, to a value of type typ that came as JSON
// of a kind; it tells whether the value is one. Arrays and objects stay JSON
// unless a scalar is due.
func (d *decoder) set(w *ingest.Writer, c *vec.Column, kind vec.Kind, typ Type, text []byte) bool {
	if kind != vec.JSON {
		return typ.setScalar(c, w.Row(), kind, text, d.ints)
	}
	if typ == Int || typ == Float || typ == Bool {
		return false
	}
	span := w.Side(text)
	c.SetSpan(w.Row(), vec.JSON, w.Raw(), span)
	c.Ints64 = d.ints
	return true
}

// setScalar is set for scalars. Numbers and booleans of no known type stay what
// they are; ints makes whole ones int64.
func (t Type) setScalar(c *vec.Column, row int, kind vec.Kind, text []byte, ints bool) bool {
	switch {
	case kind == vec.Null:
		return true
	case kind == vec.Bool:
		return t.setBool(c, row, text)
	case kind == vec.Float64 && t == Unknown:
		return setNumber(c, row, text, ints)
	}
	return t.setText(c, row, text)
}

// setNumber sets a number as a message without a model has it.
func setNumber(c *vec.Column, row int, text []byte, ints bool) bool {
	if ints {
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			c.SetInt(row, i)
			return true
		}
	}
	f, ok := parseFloat(text)
	if ok {
		c.SetFloat(row, f)
	}
	return ok
}

// setBool sets true or false as a value of type t.
func (t Type) setBool(c *vec.Column, row int, text []byte) bool {
	v := text[0] == 't'
	switch t {
	case Unknown, Bool:
		c.SetBool(row, v)
	case Int:
		c.SetInt(row, oneOrZero(v))
	case Float:
		c.SetFloat(row, float64(oneOrZero(v)))
	default:
		c.SetString(row, text)
	}
	return true
}

func oneOrZero(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// bad counts a value that is not of its type: it is null in the row. The device
// and property are kept with it.
func (d *decoder) bad(w *ingest.Writer, property string, typ Type, text []byte) {
	d.scratch = append(d.scratch[:0], d.topic(d.row).DeviceID...)
	d.scratch = append(d.scratch, ' ')
	d.scratch = append(d.scratch, property...)
	d.scratch = append(d.scratch, ": "...)
	d.scratch = append(d.scratch, text...)
	w.BadValue(badReasons[typ], d.scratch)
}

var badReasons = [...]string{
	"twin: value: want a number", "twin: value: want text", "twin: value: want int", "twin: value: want float",
	"twin: value: want boolean", "twin: value: want bytes",
}
