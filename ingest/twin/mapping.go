package twin

import (
	"strings"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// rawKeys are keys of KubeEdge's messages that are never taken for properties,
// though a property may have such a name: it is there under twin or data.
var rawKeys = map[string]bool{"event_id": true, "timestamp": true, "twin": true, "data": true, "delta": true}

// mapper makes the mappings of a plan: where in a message each column is found.
type mapper struct {
	d       *decoder
	format  Format
	maps    []ingest.Mapping
	metaCol int // a column of metadata
}

// column adds column i. The message's own path comes first: raw access is plain
// JSON with or without a model.
func (m *mapper) column(i int, c vec.ColumnSpec) {
	d := m.d
	if len(c.Path) == 0 && m.format == Flat {
		d.whole = i
		return
	}
	if len(c.Path) != 1 || m.format == Raw || rawKeys[c.Path[0]] {
		m.maps = append(m.maps, ingest.Mapping{Col: i, Path: c.Path})
		return
	}
	name := c.Path[0]
	for e, n := range envelopeNames {
		if n == name {
			d.envs = append(d.envs, envelopeCol{i, envelope(e)})
		}
	}
	k := len(d.props)
	d.props = append(d.props, prop{col: i, name: name, declared: declaredType(c.Type.Kind)})
	own := ingest.Mapping{Col: i, Path: c.Path}
	if d.props[k].declared != model.Unknown || d.models.HasProperty(name) {
		own.Set = m.value(k, true)
	}
	value, typ, gone := m.value(k, false), m.typ(k), m.gone()
	m.maps = append(m.maps, own,
		ingest.Mapping{Col: i, Path: []string{"twin", name}, Set: gone},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "actual"}, Set: gone},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "actual", "value"}, Set: value},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "metadata", "type"}, Set: typ},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "current"}, Set: gone},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "current", "actual"}, Set: gone},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "current", "actual", "value"}, Set: value},
		ingest.Mapping{Col: i, Path: []string{"twin", name, "current", "metadata", "type"}, Set: typ},
		ingest.Mapping{Col: i, Path: []string{"data", name}, Set: gone},
		ingest.Mapping{Col: i, Path: []string{"data", name, "value"}, Set: value},
		ingest.Mapping{Col: i, Path: []string{"data", name, "metadata", "type"}, Set: typ},
	)
}

// envelope adds what the columns kind and ts, and their metadata, are made of.
func (m *mapper) envelope() {
	d := m.d
	var kind, ts bool
	for _, e := range d.envs {
		kind = kind || e.env == envKind
		ts = ts || e.env == envTS
	}
	// A mapping names a column that is cleared when its key comes twice. These set
	// none: the column is one that ingest.Object sets after them, or one of theirs.
	if ts || d.asked || d.whole >= 0 {
		m.maps = append(m.maps, ingest.Mapping{Col: m.spare(envTS), Path: []string{"timestamp"}, Set: d.setStamp})
	}
	if kind || d.asked || d.whole >= 0 {
		m.maps = append(m.maps, ingest.Mapping{Col: m.spare(envKind), Path: []string{"code"}, Set: d.setCode})
	}
}

// spare returns a column that may be cleared while the message is read.
func (m *mapper) spare(e envelope) int {
	for _, x := range m.d.envs {
		if x.env == e {
			return x.col
		}
	}
	if m.d.whole >= 0 {
		return m.d.whole
	}
	return m.metaCol
}

func declaredType(k vec.Kind) model.Type {
	switch k {
	case vec.Bool:
		return model.Bool
	case vec.Int64:
		return model.Int
	case vec.Float64:
		return model.Float
	case vec.String:
		return model.String
	}
	return model.Unknown
}

type setter = func(w *ingest.Writer, col int, kind vec.Kind, text []byte) error

// value makes the setter of property k's value. The type may come after it, so
// it is kept until the row's end. The column is null until then, which also
// shows whether the value was taken back because its key came again.
func (m *mapper) value(k int, raw bool) setter {
	d := m.d
	return func(w *ingest.Writer, col int, kind vec.Kind, text []byte) error {
		p := &d.props[k]
		if !raw && p.raw {
			return nil
		}
		d.touch(k)
		p.has, p.raw, p.kind = true, raw, kind
		p.off = len(d.text)
		d.text = append(d.text, text...)
		p.end = len(d.text)
		w.Col(col).SetNull(w.Row())
		return nil
	}
}

// gone makes the setter for a twin, or a part of one, that is null: deleted, or
// without a value.
func (m *mapper) gone() setter {
	return func(w *ingest.Writer, col int, kind vec.Kind, _ []byte) error {
		if kind == vec.Null {
			w.Col(col).SetNull(w.Row())
		}
		return nil
	}
}

// typ makes the setter of the type that the message names for property k.
func (m *mapper) typ(k int) setter {
	d := m.d
	return func(_ *ingest.Writer, _ int, kind vec.Kind, text []byte) error {
		if kind == vec.String {
			d.touch(k)
			d.props[k].typ = model.ParseType(string(text))
			d.props[k].deleted = isDeleted(text)
		}
		return nil
	}
}

// isDeleted tells whether a twin's type says that it is gone.
func isDeleted(typ []byte) bool { return len(typ) == 7 && strings.EqualFold(string(typ), "deleted") }

func (d *decoder) touch(k int) {
	if p := &d.props[k]; !p.touched {
		p.touched = true
		d.touched = append(d.touched, int32(k))
	}
}
