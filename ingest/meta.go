package ingest

import (
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// metaCol is a column of metadata: one key of it, or all of it as an object.
type metaCol struct {
	col int
	key string
	all bool
}

func newMetaCol(col int, path []string) metaCol {
	if len(path) == 0 {
		return metaCol{col: col, all: true}
	}
	return metaCol{col: col, key: path[0]}
}

// Find returns one key of m; ok is false if m does not have it. m may be nil.
func (m *Meta) Find(key string) (v vec.Value, ok bool) {
	if m == nil {
		return v, false
	}
	switch {
	case key == "topic" && m.Topic != "":
		return vec.StringValue(m.Topic), true
	case key == "qos" && m.MQTT:
		return vec.IntValue(int64(m.QoS)), true
	case key == "messageId" && m.MQTT:
		return vec.IntValue(int64(m.MessageID)), true
	}
	if m.More != nil {
		for _, x := range m.More.Items {
			if x.Key == key {
				return x.Value, true
			}
		}
	}
	return v, false
}

// AppendJSON appends all of m as a JSON object. m may be nil.
func (m *Meta) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, '{')
	if m != nil {
		if m.Topic != "" {
			dst = appendQuoted(append(dst, `"topic":`...), []byte(m.Topic))
			dst = append(dst, ',')
		}
		if m.MQTT {
			dst = append(dst, `"qos":`...)
			dst = strconv.AppendInt(dst, int64(m.QoS), 10)
			dst = append(dst, `,"messageId":`...)
			dst = strconv.AppendInt(dst, int64(m.MessageID), 10)
			dst = append(dst, ',')
		}
		if m.More != nil {
			for _, x := range m.More.Items {
				dst = append(appendQuoted(dst, []byte(x.Key)), ':')
				dst = append(appendValue(dst, x.Value), ',')
			}
		}
	}
	if n := len(dst); n > start+1 {
		dst = dst[:n-1]
	}
	return append(dst, '}')
}

// setMeta sets the metadata columns of w's row.
func setMeta(w *Writer, cols []metaCol, m *Meta) {
	for _, k := range cols {
		if k.all {
			off := uint32(len(w.b.Raw))
			w.b.Raw = m.AppendJSON(w.b.Raw)
			w.Col(k.col).SetJSON(w.row, w.b.Raw, vec.Span{Off: off, End: uint32(len(w.b.Raw))}, true)
			continue
		}
		if v, ok := m.Find(k.key); ok {
			w.Col(k.col).Set(w.row, v)
		}
	}
}
