package twin

import (
	"strconv"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// convert sets the flat columns of the row from the values that its message has.
func (d *decoder) convert(w *ingest.Writer, t *topicInfo) {
	types, row := d.typesOf(t.types), w.Row()
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
		if types != nil && types[k] != model.Unknown {
			typ = types[k]
		}
		if p.declared != model.Unknown {
			typ = p.declared
		}
		if typ == model.Unknown && p.kind == vec.String {
			d.untyped(w, t, p.name)
		}
		text := d.text[p.off:p.end]
		if !d.set(w, c, p.kind, typ, text) {
			d.bad(w, p.name, typ, text)
		}
	}
}

// typesOf returns what m says about each flat column; nil without a model.
func (d *decoder) typesOf(m *model.Model) []model.Type {
	if m == nil {
		return nil
	}
	types, ok := d.types[m]
	if !ok {
		types = make([]model.Type, len(d.props))
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
func (d *decoder) set(w *ingest.Writer, c *vec.Column, kind vec.Kind, typ model.Type, text []byte) bool {
	if kind != vec.JSON {
		return setScalar(typ, c, w.Row(), kind, text, d.ints)
	}
	if typ == model.Int || typ == model.Float || typ == model.Bool {
		return false
	}
	span := w.Side(text)
	c.SetJSON(w.Row(), w.Raw(), span, d.ints)
	return true
}

// setScalar is set for scalars. Numbers and booleans of no known type stay what
// they are; ints makes whole ones int64.
func setScalar(t model.Type, c *vec.Column, row int, kind vec.Kind, text []byte, ints bool) bool {
	switch {
	case kind == vec.Null:
		return true
	case kind == vec.Bool:
		return setBool(t, c, row, text)
	case kind == vec.Float64 && t == model.Unknown:
		return setNumber(c, row, text, ints)
	}
	return setText(t, c, row, text)
}

// setNumber sets a number as a message without a model has it.
func setNumber(c *vec.Column, row int, text []byte, ints bool) bool {
	if ints {
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			c.SetInt(row, i)
			return true
		}
	}
	return setFloat(c, row, text)
}

// setBool sets true or false as a value of type t.
func setBool(t model.Type, c *vec.Column, row int, text []byte) bool {
	v := text[0] == 't'
	switch t {
	case model.Unknown, model.Bool:
		c.SetBool(row, v)
	case model.Int:
		c.SetInt(row, oneOrZero(v))
	case model.Float:
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
func (d *decoder) bad(w *ingest.Writer, property string, typ model.Type, text []byte) {
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
