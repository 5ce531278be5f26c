// Package log is the sink that writes outputs as lines of the process's log. It
// formats nothing while the log does not want lines of its level, and can be
// bounded in lines a second: what is left out is counted in the log itself.
package log

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
)

// Options are what all log sinks of a process share.
type Options struct {
	// Logger is written to, at level info. Default slog.Default().
	Logger *slog.Logger
	// RuleName returns the id of the rule with a number. Default: the number.
	RuleName func(rule uint32) string
	// MaxLinesPerSecond bounds the lines. Default 0: no bound.
	MaxLinesPerSecond int
}

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.RuleName == nil {
		o.RuleName = func(rule uint32) string { return fmt.Sprint(rule) }
	}
}

// Factory is the sink type log.
type Factory struct {
	o     Options
	route *sinks.Route
}

// New makes the sink type.
func New(o Options) *Factory {
	o.EnsureDefaults()
	return &Factory{o: o, route: &sinks.Route{Spec: "log"}}
}

// Properties is empty: there is nothing to set.
func (f *Factory) Properties() props.Table { return nil }

// Open returns the one destination of all log sinks, which have no properties.
func (f *Factory) Open(map[string]any) (sinks.Target, error) {
	return sinks.Target{
		DestKey: "log", Route: f.route, Volatile: true,
		Open: func(context.Context, int) (sinks.Destination, error) { return NewDestination(f.o), nil },
	}, nil
}

// Destination writes to the log.
type Destination struct {
	o       Options
	line    []byte
	second  int64
	lines   int
	skipped int
}

// NewDestination opens a destination of o, which has its defaults.
func NewDestination(o Options) *Destination { return &Destination{o: o} }

// Write logs each message.
func (d *Destination) Write(ctx context.Context, msgs []sinks.Message) (int, error) {
	if !d.o.Logger.Enabled(ctx, slog.LevelInfo) {
		return len(msgs), nil
	}
	for i := range msgs {
		if !d.allowed() {
			continue
		}
		m := &msgs[i]
		d.line = append(d.line[:0], "sink result for rule "...)
		d.line = append(d.line, d.o.RuleName(m.Rule)...)
		d.line = append(d.line, ": "...)
		d.line = append(d.line, m.Payload...)
		d.o.Logger.LogAttrs(ctx, slog.LevelInfo, string(d.line))
	}
	return len(msgs), nil
}

// allowed counts a line against the bound.
func (d *Destination) allowed() bool {
	if d.o.MaxLinesPerSecond <= 0 {
		return true
	}
	if now := time.Now().Unix(); now != d.second {
		d.report()
		d.second, d.lines = now, 0
	}
	if d.lines++; d.lines <= d.o.MaxLinesPerSecond {
		return true
	}
	d.skipped++
	return false
}

func (d *Destination) report() {
	if d.skipped > 0 {
		d.o.Logger.Info("sink results were left out of the log", "results", d.skipped, "linesPerSecond", d.o.MaxLinesPerSecond)
		d.skipped = 0
	}
}

// Close tells what was left out last.
func (d *Destination) Close() error {
	d.report()
	return nil
}
