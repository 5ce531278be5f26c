// Package nop is the sink that takes everything and keeps nothing: outputs are
// counted, and logged if the action asks for it.
package nop

import (
	"context"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/log"
)

// Factory is the sink type nop.
type Factory struct {
	log   log.Options
	quiet *sinks.Route
	loud  *sinks.Route
}

// New makes the sink type; o is for actions with the property log.
func New(o log.Options) *Factory {
	o.EnsureDefaults()
	return &Factory{log: o, quiet: &sinks.Route{Spec: "nop"}, loud: &sinks.Route{Spec: "nop log"}}
}

// table is the properties of the type; logs is filled.
func table(logs *bool) props.Table {
	return props.Table{props.Flag(logs, "log", "writes outputs to the log")}
}

// Properties describes what can be set.
func (f *Factory) Properties() props.Table { return table(new(bool)) }

// Open checks the property log, a boolean.
func (f *Factory) Open(given map[string]any) (sinks.Target, error) {
	var logs bool
	if err := table(&logs).Read(given).Err(); err != nil {
		return sinks.Target{}, err
	}
	if logs {
		return sinks.Target{
			DestKey: "nop log", Route: f.loud, Volatile: true,
			Open: func(context.Context, int) (sinks.Destination, error) { return log.NewDestination(f.log), nil },
		}, nil
	}
	return sinks.Target{
		DestKey: "nop", Route: f.quiet, Volatile: true, Discards: true,
		Open: func(context.Context, int) (sinks.Destination, error) { return destination{}, nil },
	}, nil
}

type destination struct{}

// Write takes all messages.
func (destination) Write(_ context.Context, msgs []sinks.Message) (int, error) { return len(msgs), nil }

// Close does nothing.
func (destination) Close() error { return nil }
