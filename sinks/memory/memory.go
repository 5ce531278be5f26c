// Package memory is the sink that publishes on the process's own bus, from which
// memory sources feed other rules.
package memory

import (
	"context"
	"errors"

	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/sinks"
)

// Factory is the sink type memory.
type Factory struct {
	bus    *membus.Bus
	routes sinks.Routes
}

// New makes the sink type on a bus.
func New(bus *membus.Bus) *Factory { return &Factory{bus: bus} }

// Open checks the property topic, which may be a template.
func (f *Factory) Open(props map[string]any) (sinks.Target, error) {
	p := sinks.NewProps(props)
	topic := p.Text("topic", "")
	dynamic := sinks.Dynamic(topic)
	if topic == "" {
		p.Fault("property topic is required")
	} else if !dynamic {
		if err := membus.CheckTopic(topic); err != nil {
			p.Fault("property topic: %w", err)
		}
	}
	if err := p.Err(); err != nil {
		return sinks.Target{}, err
	}
	t := sinks.Target{
		DestKey: "memory", Volatile: true,
		Route: f.routes.Intern(topic, func() *sinks.Route { return &sinks.Route{Target: topic} }),
		Open: func(context.Context, int) (sinks.Destination, error) {
			return &destination{bus: f.bus}, nil
		},
	}
	if dynamic {
		t.Dynamic = topic
	}
	return t, nil
}

type destination struct {
	bus      *membus.Bus
	payloads [][]byte
}

// Write publishes runs of messages of one topic together. It waits for subscribers
// that are full.
func (d *destination) Write(ctx context.Context, msgs []sinks.Message) (n int, err error) {
	for n < len(msgs) {
		topic := msgs[n].Place()
		end := n + 1
		for end < len(msgs) && msgs[end].Place() == topic {
			end++
		}
		if err := membus.CheckTopic(topic); err != nil {
			return n, sinks.Refuse(err)
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

// Close does nothing: the bus belongs to the process.
func (d *destination) Close() error { return nil }
