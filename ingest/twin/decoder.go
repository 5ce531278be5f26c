// Package twin reads what KubeEdge says about devices: topics, and the messages in
// which twins are reported. Device models are package model's.
//
// Its decoder rides on the one pass of ingest.Object. Raw columns are what the
// message holds, as for any JSON; beside them each property is a flat column of
// its own name, found wherever the kind of message keeps the reported value, and
// converted from text to the type that the device model or the message names.
// What cannot be converted is null and counted; nothing else of the row is lost.
package twin

import (
	"strings"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// maxTopics bounds the topics whose device and kind are remembered.
const maxTopics = 1 << 16

// Format says which columns a stream of twins has.
type Format uint8

// The formats. In all of them metadata has device, namespace, device_id, model,
// kind and ts.
const (
	Both Format = iota // raw columns, flat ones, and the envelope's; a raw one wins
	Flat               // as Both, and SELECT * gives the flat row
	Raw                // raw columns only
)

// Options configures a decoder. Decoders of equal options and streams alike may
// share a feed.
type Options struct {
	// Models types the properties; nil leaves it to the messages.
	Models *model.Models
	// Format says which columns there are; default Both.
	Format Format
	// Strict leaves the properties of devices that stand in no file without a
	// type; else they have that on which the models agree.
	Strict bool
	// Notes are told what stays text; nil: nobody asks.
	Notes *Notes
}

// New returns what makes a feed's decoders: the value for NewDecoder in the
// feed's options, of which UseInt64 is read from feed.
func New(o Options, feed ingest.Options) func(*vec.Plan) (ingest.Decoder, error) {
	feed.Schema, feed.NewDecoder = nil, nil
	return func(p *vec.Plan) (ingest.Decoder, error) { return newDecoder(o, &feed, p) }
}

// decoder decodes the messages of one plan.
type decoder struct {
	models *model.Models
	common *model.Model // of devices that stand in no file
	strict bool
	notes  *Notes
	ints   bool
	inner  *ingest.Object
	props  []prop
	envs   []envelopeCol
	asked  bool // the plan has metadata columns
	whole  int  // the column that holds the flat row, or -1
	asks   bool // what the topic says matters to some column

	topics map[string]*topicInfo
	types  map[*model.Model][]model.Type // of props, by model
	name   string                        // the topic of the last row, and what it says
	last   *topicInfo

	// Of the row that is being decoded:
	row     string  // its topic
	touched []int32 // props that the message has
	text    []byte  // copies of their values
	flat    []byte  // the flat row
	scratch []byte
	stamp   int64 // timestamp, ms since 1970; 0: none
	refused bool  // the message has an error code
	meta    metadata
}

// prop is a flat column.
type prop struct {
	col      int
	name     string
	declared model.Type // by the stream's schema

	kind     vec.Kind   // of the value: Null, Bool, Float64 (any number), String, JSON
	off, end int        // in text
	typ      model.Type // by the message's metadata
	has      bool
	deleted  bool
	touched  bool
	raw      bool // from the message's own key, which wins over a twin
}

// topicInfo is what a topic says about its messages.
type topicInfo struct {
	Topic
	name  string       // of the device
	model *model.Model // that a file names for the device
	types *model.Model // what types its properties: model, or the common one
	told  []string     // properties that the notes have
	text  [5][]byte    // of envelope: device, namespace, device_id, model, kind
	head  []byte       // the same as members of an object, but for kind
}

// noTopic stands for any topic while no column asks.
var noTopic topicInfo

// envelope is a column beside the properties.
type envelope uint8

const (
	envDevice envelope = iota
	envNamespace
	envDeviceID
	envModel
	envKind
	envTS
)

var envelopeNames = [...]string{"device", "namespace", "device_id", "model", "kind", "ts"}

type envelopeCol struct {
	col int
	env envelope
}

func newDecoder(o Options, feed *ingest.Options, p *vec.Plan) (ingest.Decoder, error) {
	d := &decoder{models: o.Models, strict: o.Strict, notes: o.Notes, ints: feed.UseInt64, whole: -1, topics: map[string]*topicInfo{}, types: map[*model.Model][]model.Type{}}
	if !o.Strict {
		d.common = o.Models.Common()
	}
	m := mapper{d: d, format: o.Format}
	for i, c := range p.Cols {
		if c.Meta {
			d.asked, m.metaCol = true, i
			continue
		}
		m.column(i, c)
	}
	if len(p.Cols) > 0 {
		m.envelope()
	}
	d.asks = d.models != nil || len(d.envs) > 0 || d.asked || d.whole >= 0
	inner, err := ingest.NewObject(feed, p, m.maps)
	if err != nil {
		return nil, err
	}
	d.inner = inner
	return d, nil
}

// Decode implements ingest.Decoder.
func (d *decoder) Decode(w *ingest.Writer, pos int, m *ingest.Meta) (int, error) {
	for _, i := range d.touched {
		d.props[i].reset()
	}
	d.touched, d.text, d.stamp, d.refused = d.touched[:0], d.text[:0], 0, false
	d.row = ""
	if m != nil {
		d.row = m.Topic
	}
	t := &noTopic
	if d.asks {
		t = d.topic(d.row)
	}
	if d.asked {
		m = d.meta.of(w, m, t)
	}
	end, err := d.inner.Decode(w, pos, m)
	if err != nil {
		return end, err
	}
	if len(d.touched) > 0 {
		d.convert(w, t)
	}
	for _, e := range d.envs {
		d.setEnvelope(w, e, t)
	}
	if d.whole >= 0 {
		d.setFlat(w, pos, end, t)
	}
	return end, nil
}

func (p *prop) reset() {
	p.has, p.deleted, p.touched, p.raw, p.typ = false, false, false, false, model.Unknown
}

// topic returns what topic says, remembered.
func (d *decoder) topic(topic string) *topicInfo {
	if d.last != nil && d.name == topic {
		return d.last
	}
	t := d.topics[topic]
	if t == nil {
		if len(d.topics) >= maxTopics {
			clear(d.topics)
		}
		t = newTopicInfo(d.models, topic)
		if t.types = t.model; t.model == nil && t.name != "" {
			t.types = d.common
		}
		d.topics[topic] = t
	}
	d.name, d.last = topic, t
	return t
}

func newTopicInfo(models *model.Models, topic string) *topicInfo {
	t := &topicInfo{Topic: ParseTopic(topic)}
	device := t.Device
	if t.Kind == KindNone {
		// The fourth level is the device in eKuiper's reading of any topic.
		if levels := strings.SplitN(topic, "/", 5); len(levels) > 3 {
			device = levels[3]
		}
	}
	t.name, t.model = device, models.Device(t.Namespace, device)
	t.text = [...][]byte{[]byte(t.Device), []byte(t.Namespace), []byte(t.DeviceID), nil, []byte(t.Kind.String())}
	if t.model != nil && t.Kind != KindNone {
		t.text[envModel] = []byte(t.model.Name)
	}
	return t
}

// kind is t's kind, or error for an answer that refuses.
func (d *decoder) kind(t *topicInfo) []byte {
	if d.refused && t.Kind != KindNone {
		return errorKind
	}
	return t.text[envKind]
}

var errorKind = []byte(KindError.String())

// ts is the message's time, or that of its arrival.
func (d *decoder) ts(w *ingest.Writer) int64 {
	if d.stamp != 0 {
		return d.stamp
	}
	return w.At()
}

func (d *decoder) setEnvelope(w *ingest.Writer, e envelopeCol, t *topicInfo) {
	if e.env == envTS {
		if c := w.Col(e.col); !c.Present.Has(w.Row()) {
			c.SetInt(w.Row(), d.ts(w))
		}
		return
	}
	text := t.text[e.env]
	if e.env == envKind {
		text = d.kind(t)
	}
	if len(text) == 0 {
		return
	}
	if c := w.Col(e.col); !c.Present.Has(w.Row()) {
		c.SetString(w.Row(), text)
	}
}

// setStamp takes the message's timestamp: a number, or a text of one, of
// seconds, milli-, micro- or nanoseconds.
func (d *decoder) setStamp(_ *ingest.Writer, _ int, kind vec.Kind, text []byte) error {
	if kind != vec.Float64 && kind != vec.String {
		return nil
	}
	n, ok := parseInt(text)
	if !ok {
		var v vec.Value
		if v, ok = vec.ParseNumber(text); ok {
			n, ok = v.WholePart()
		}
	}
	if !ok || n <= 0 {
		return nil
	}
	switch {
	case n < 1e11:
		n *= 1e3
	case n < 1e14:
	case n < 1e17:
		n /= 1e3
	default:
		n /= 1e6
	}
	d.stamp = n
	if d.asked && d.last.Kind != KindNone {
		d.meta.setTS(n)
	}
	return nil
}

// setCode notes that the message is an error's.
func (d *decoder) setCode(_ *ingest.Writer, _ int, kind vec.Kind, _ []byte) error {
	if kind != vec.Float64 {
		return nil
	}
	switch d.last.Kind {
	case KindResult, KindGet, KindState, KindMembership:
		d.refused = true
		if d.asked {
			d.meta.setKind(KindError)
		}
	}
	return nil
}
