package twin

import (
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/vec"
)

// metadata is the metadata of the row that is being decoded: the message's own
// with the envelope added. Its memory is used again for the next row.
//
// Kind and time may depend on the message. So they are written a second time, by
// the setters of the message's members: ingest.Object reads metadata last.
type metadata struct {
	meta     ingest.Meta
	more     ingest.MetaMap
	kind, ts int // where in more.Items they are, if the topic is one of KubeEdge's
}

// of returns m, which may be nil, with what t says added. The result is valid
// until the next call.
func (d *metadata) of(w *ingest.Writer, m *ingest.Meta, t *topicInfo) *ingest.Meta {
	items := d.more.Items[:0]
	if t.Kind != KindNone {
		d.kind = len(items)
		items = append(items, ingest.MetaItem{Key: envelopeNames[envKind], Value: vec.StringValue(t.Kind.String())})
		d.ts = len(items)
		items = append(items, ingest.MetaItem{Key: envelopeNames[envTS], Value: vec.IntValue(w.At())})
	}
	for i := envDevice; i <= envModel; i++ {
		if text := t.envelopeString(i); text != "" {
			items = append(items, ingest.MetaItem{Key: envelopeNames[i], Value: vec.StringValue(text)})
		}
	}
	d.meta = ingest.Meta{}
	if m != nil {
		d.meta = *m
		if m.More != nil {
			items = append(items, m.More.Items...)
		}
	}
	d.more.Items = items
	d.meta.More = &d.more
	return &d.meta
}

// setTS notes the message's own time, ms since 1970.
func (d *metadata) setTS(ms int64) { d.more.Items[d.ts].Value = vec.IntValue(ms) }

// setKind notes what the message turns out to be.
func (d *metadata) setKind(k Kind) { d.more.Items[d.kind].Value = vec.StringValue(k.String()) }

func (t *topicInfo) envelopeString(e envelope) string {
	switch e {
	case envDevice:
		return t.Device
	case envNamespace:
		return t.Namespace
	case envDeviceID:
		return t.DeviceID
	}
	if t.text[envModel] == nil {
		return ""
	}
	return t.model.Name
}
