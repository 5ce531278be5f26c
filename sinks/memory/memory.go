// Package memory is the sink that publishes on the process's own bus, from which
// memory sources feed other rules.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Factory is the sink type memory.
type Factory struct {
	bus    *membus.Bus
	routes sinks.Routes
}

// New makes the sink type on a bus.
func New(bus *membus.Bus) *Factory { return &Factory{bus: bus} }

// settings is what users set of an action.
type settings struct{ topic, kind, key string }

func (s *settings) table() props.Table {
	return props.Table{
		props.Text(&s.topic, "topic", "the topic that rows are published on; may be a template").Required(),
		props.Text(&s.kind, "rowkindField", "the field that says what a row does to a lookup table: insert, update, upsert or delete"),
		props.Text(&s.key, "keyField", "the field by which that table keeps the row; needed with rowkindField"),
	}
}

// Properties describes what can be set.
func (f *Factory) Properties() props.Table { return new(settings).table() }

// Open checks the properties of an action.
func (f *Factory) Open(given map[string]any) (sinks.Target, error) {
	var s settings
	faults := s.table().Read(given)
	topic, kind := s.topic, s.kind
	dynamic := sinks.Dynamic(topic)
	if topic != "" && !dynamic {
		if err := membus.CheckTopic(topic); err != nil {
			faults.Add("topic", "%w", err)
		}
	}
	if kind != "" && s.key == "" {
		faults.Add("keyField", "is required with rowkindField")
	}
	if err := faults.Err(); err != nil {
		return sinks.Target{}, err
	}
	spec := topic
	if kind != "" {
		spec += "\x00" + kind
	}
	t := sinks.Target{
		DestKey: "memory", Volatile: true, Apart: sinks.ByPlace,
		Route: f.routes.Intern(spec, func() *sinks.Route { return &sinks.Route{Target: topic, Options: kindField(kind)} }),
		Open: func(context.Context, int) (sinks.Destination, error) {
			return &destination{bus: f.bus}, nil
		},
	}
	if dynamic {
		t.Dynamic = topic
	}
	return t, nil
}

// kindField is the field of a row that names its kind; "": none does.
type kindField string

// rowKinds are what a row can do to a table.
var rowKinds = []string{"insert", "update", "upsert", "delete"}

type destination struct {
	bus      *membus.Bus
	payloads [][]byte
}

// Write publishes runs of messages of one topic together. It waits for subscribers
// that are full.
func (d *destination) Write(ctx context.Context, msgs []sinks.Message) (n int, err error) {
	for n < len(msgs) {
		topic, route := msgs[n].Place(), msgs[n].Route
		end := n + 1
		for end < len(msgs) && msgs[end].Place() == topic && msgs[end].Route == route {
			end++
		}
		if err := membus.CheckTopic(topic); err != nil {
			return n, sinks.Refuse(err)
		}
		if field, _ := route.Options.(kindField); field != "" {
			if err := d.rows(ctx, topic, string(field), msgs[n].Payload); err != nil {
				return n, err
			}
			n++
			continue
		}
		d.payloads = d.payloads[:0]
		for i := n; i < end; i++ {
			d.payloads = append(d.payloads, msgs[i].Payload)
		}
		err := d.bus.Publish(ctx, topic, d.payloads)
		clear(d.payloads)
		if err != nil {
			if ctx.Err() != nil {
				err = errors.Join(ctx.Err(), err)
			}
			return n, err
		}
		n = end
	}
	return n, nil
}

// rows publishes the rows of one payload, each as its kind says. If it fails
// midway, what went out goes out again: a table keeps the same rows after it.
func (d *destination) rows(ctx context.Context, topic, field string, payload []byte) error {
	if _, err := rawjson.Valid(payload); err != nil {
		return sinks.Refuse(fmt.Errorf("row for topic %q: %w", topic, err))
	}
	d.payloads = d.payloads[:0]
	if rawjson.TypeOf(payload) == rawjson.Array {
		rawjson.Each(payload, func(row []byte) bool {
			d.payloads = append(d.payloads, row)
			return true
		})
	} else {
		d.payloads = append(d.payloads, payload)
	}
	defer func() { clear(d.payloads) }()
	kinds := make([]string, len(d.payloads))
	for i, row := range d.payloads {
		kinds[i] = "insert"
		raw, ok := rawjson.Get(row, field)
		if !ok {
			continue
		}
		k := slices.Index(rowKinds, rawjson.Value(raw, false).S)
		if k < 0 {
			return sinks.Refuse(fmt.Errorf("row kind %s in field %q: want insert, update, upsert or delete", raw, field))
		}
		kinds[i] = rowKinds[k]
	}
	for i := range kinds {
		if err := d.bus.PublishKind(ctx, topic, kinds[i], d.payloads[i:i+1]); err != nil {
			if ctx.Err() != nil {
				err = errors.Join(ctx.Err(), err)
			}
			return err
		}
	}
	return nil
}

// Close does nothing: the bus belongs to the process.
func (d *destination) Close() error { return nil }
