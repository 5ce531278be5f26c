package twin

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// setFlat sets the whole row to the flat one: the envelope and the properties in
// their types. A message without twins keeps its own members. Where a property
// has the name of an envelope's column it comes later, so it counts.
func (d *decoder) setFlat(w *ingest.Writer, pos, end int, t *topicInfo) {
	raw := w.Src()[pos:end]
	b := append(d.flat[:0], '{')
	if t.Kind != KindNone {
		if t.head == nil {
			t.head = t.members()
		}
		b = append(b, t.head...)
		b = append(b, `"kind":"`...)
		b = append(b, d.kind(t)...)
		b = append(b, `","ts":`...)
		b = strconv.AppendInt(b, d.ts(w), 10)
		b = append(b, ',')
	}
	f := flatRow{d: d, w: w, t: t, out: b}
	if twins, ok := rawjson.Get(raw, "twin"); ok && rawjson.TypeOf(twins) == rawjson.Object {
		rawjson.Members(twins, f.twin)
	} else if data, ok := rawjson.Get(raw, "data"); ok && rawjson.TypeOf(data) == rawjson.Object {
		rawjson.Members(data, f.data)
	} else {
		rawjson.Members(raw, f.own)
	}
	b = f.out
	if n := len(b); b[n-1] == ',' {
		b = b[:n-1]
	}
	d.flat = append(b, '}')
	span := w.Side(d.flat)
	if cap(d.flat) > 1<<20 {
		d.flat = nil
	}
	w.Col(d.whole).SetJSON(w.Row(), w.Raw(), span, d.ints)
}

// members returns what the topic says as members of an object.
func (t *topicInfo) members() []byte {
	b := []byte{}
	for i := envDevice; i <= envModel; i++ {
		text := t.envelopeString(i)
		if text == "" {
			continue
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			panic("bug: a string has no JSON: " + err.Error())
		}
		b = append(b, '"')
		b = append(b, envelopeNames[i]...)
		b = append(b, `":`...)
		b = append(append(b, quoted...), ',')
	}
	return b
}

// flatRow appends properties to a flat row.
type flatRow struct {
	d   *decoder
	w   *ingest.Writer
	t   *topicInfo
	out []byte // the object so far
}

// twin appends the reported value of a twin: of its current state in a document.
func (f *flatRow) twin(key, twin []byte) bool {
	if rawjson.TypeOf(twin) == rawjson.Null {
		f.null(key)
		return true
	}
	if current, ok := rawjson.Get(twin, "current"); ok {
		twin = current
		if rawjson.TypeOf(twin) == rawjson.Null {
			f.null(key)
			return true
		}
	}
	actual, ok := rawjson.Get(twin, "actual")
	if ok && rawjson.TypeOf(actual) == rawjson.Null {
		f.null(key)
		return true
	}
	f.reported(key, twin, actual)
	return true
}

// data appends a property of a data message.
func (f *flatRow) data(key, x []byte) bool {
	if rawjson.TypeOf(x) == rawjson.Null {
		f.null(key)
	} else {
		f.reported(key, x, x)
	}
	return true
}

// reported appends the value in holder, of the type that the model or holder's
// sibling metadata in twin names.
func (f *flatRow) reported(key, twin, holder []byte) {
	value, ok := rawjson.Get(holder, "value")
	if !ok {
		return
	}
	typ := model.Unknown
	if named, ok := rawjson.Get(twin, "metadata", "type"); ok {
		var text []byte
		if text, ok = rawjson.AppendUnquoted(f.d.scratch[:0], named); ok {
			f.d.scratch = text
			if typ = model.ParseType(string(text)); isDeleted(text) {
				f.null(key)
				return
			}
		}
	}
	if typ = f.typeOf(key, typ); typ == model.Unknown && rawjson.TypeOf(value) == rawjson.String && f.d.notes != nil {
		f.d.untyped(f.w, f.t, rawjson.UnescapeKey(key))
	}
	f.value(key, value, typ)
}

// own appends a member of a message without twins.
func (f *flatRow) own(key, value []byte) bool {
	f.value(key, value, f.typeOf(key, model.Unknown))
	return true
}

func (f *flatRow) key(key []byte) {
	f.out = append(f.out, '"')
	f.out = append(f.out, key...)
	f.out = append(f.out, '"', ':')
}

func (f *flatRow) null(key []byte) {
	f.key(key)
	f.out = append(f.out, "null,"...)
}

// typeOf returns the type of the property key; typ is that of its message.
func (f *flatRow) typeOf(key []byte, typ model.Type) model.Type {
	var p *model.Property
	if bytes.IndexByte(key, '\\') < 0 {
		p = f.t.types.Property(string(key))
	} else {
		p = f.t.types.Property(rawjson.UnescapeKey(key))
	}
	if p != nil && p.Type != model.Unknown {
		return p.Type
	}
	return typ
}

func (f *flatRow) value(key, value []byte, typ model.Type) {
	f.key(key)
	out, ok := f.typed(value, typ)
	if !ok {
		f.d.badFlat(f.w, key, typ, value)
		out = append(f.out, "null"...)
	}
	f.out = append(out, ',')
}

// typed appends value, which is JSON, as one of type typ.
func (f *flatRow) typed(value []byte, typ model.Type) ([]byte, bool) {
	kind, text := rawjson.TypeOf(value), value
	if kind == rawjson.Null || typ == model.Unknown {
		return append(f.out, value...), true
	}
	if kind == rawjson.Array || kind == rawjson.Object {
		return append(f.out, value...), typ == model.String || typ == model.Bytes
	}
	if typ == model.String || typ == model.Bytes {
		if kind == rawjson.String {
			return append(f.out, value...), true
		}
		return append(append(append(f.out, '"'), text...), '"'), true
	}
	if kind == rawjson.String {
		var ok bool
		if text, ok = rawjson.AppendUnquoted(f.d.scratch[:0], value); !ok {
			return f.out, false
		}
		f.d.scratch = text
	}
	if kind == rawjson.Bool && typ != model.Bool {
		return strconv.AppendInt(f.out, oneOrZero(text[0] == 't'), 10), true
	}
	switch typ {
	case model.Int:
		i, ok := parseInt(text)
		return strconv.AppendInt(f.out, i, 10), ok
	case model.Float:
		x, ok := vec.ParseNumber(text)
		if x.I != 0 {
			return strconv.AppendInt(f.out, x.I, 10), ok
		}
		return vec.AppendJSONFloat(f.out, x.F), ok
	default:
		v, ok := parseBool(text)
		return strconv.AppendBool(f.out, v), ok
	}
}

// badFlat counts a value of the flat row that is null for its type, unless its
// flat column counts it.
func (d *decoder) badFlat(w *ingest.Writer, key []byte, typ model.Type, value []byte) {
	for _, k := range d.touched {
		if p := &d.props[k]; p.has && rawjson.KeyIs(key, p.name) {
			return
		}
	}
	d.bad(w, rawjson.UnescapeKey(key), typ, value)
}
