// Package bench holds the loads that weir is measured with. A load is a Config;
// Run sets it up over REST, feeds it through an MQTT server of its own and
// compares what came out with what had to. `weir bench` and `go test -bench` run
// the same code, so a published figure and a test cannot drift apart.
//
// The engine is a process of its own, pinned to a core where the system can do
// that, or runs inside this one; either way it is spoken to by REST and MQTT
// alone. The server writes encoded packets straight from memory, so that the
// broker costs next to nothing and the back-pressure of TCP shows what the
// engine takes. A witness rule forwards a known share of the messages: nothing
// counts as processed that did not come out again.
package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Shape is what the messages look like.
type Shape string

// The shapes.
const (
	// Flat is one object of four values, 95 bytes.
	Flat Shape = "flat"
	// Twin is a KubeEdge twin update of about 300 bytes.
	Twin Shape = "twin"
	// Mixed is Flat with a humidity that is a whole number, a float, a text, null
	// or missing, in turn.
	Mixed Shape = "mixed"
)

// Kind is what the rules do.
type Kind string

// The kinds of rules.
const (
	Filter  Kind = "filter"  // one comparison with a constant
	Complex Kind = "complex" // three ANDed predicates and two expressions
	Windows Kind = "windows" // one-second tumbling windows by device with HAVING
	Panes   Kind = "panes"   // tumbling windows by device with HAVING: 10 filters, each over 8 lengths
	Hopping Kind = "hopping" // ten-second windows by device every second, with HAVING
	Joins   Kind = "joins"   // every row joined with a lookup table by device
	Types   Kind = "types"   // comparisons and arithmetic over the humidity
	Calls   Kind = "calls"   // functions in WHERE and SELECT
	Manage  Kind = "manage"  // no messages: submit, restart, delete
)

// Config is one load. The zero value of a field is its default.
type Config struct {
	Name string // of the load, for reports
	Doc  string // what it is, in a line

	Rules       int     // beside the witness; default 1
	Kind        Kind    // default Filter
	Shape       Shape   // default Flat
	Distinct    bool    // every rule has a threshold of its own
	Spread      float64 // percent of the values' range that distinct thresholds lie in, from the top; half of it is what a rule selects on average; default 20
	Threshold   float64 // of the witness, and of rules that share one; default 100 - Selectivity
	Selectivity float64 // percent of the messages that Threshold lets through; default 10
	OwnTopics   bool    // every rule reads a stream and topic of its own
	Sink        string  // of the rules: nop (default), log, mqtt or memory
	Devices     int     // default 100

	Rate     float64       // messages a second; 0: as fast as the engine takes them
	Duration time.Duration // of the load; default 10s
	Settle   time.Duration // quiet before the load, for memory; default 2s
	Chunk    int           // messages a write of the server at most; 1 is a write for every message, as real brokers do; default 256
	QoS      byte          // of the source and the witness: 0 or 1
	Linger   time.Duration // property linger of the source; 0: the engine's default
	Parallel int           // clients that submit; default 4
	Seed     uint64        // of the messages; default 1

	Engine Engine
}

// Engine says where the engine of a load runs.
type Engine struct {
	// Command starts it: weir's serve command, to which addresses and the data
	// directory are added. Empty: it runs inside this process.
	Command []string
	// Env is added to the environment of Command.
	Env []string
	// CPUs is the list of CPUs that Command is pinned to, as taskset takes it;
	// empty: it is not pinned. See CanPin.
	CPUs string
	// MemoryLimit is the soft limit of its memory in bytes; 0: none.
	MemoryLimit int64
}

// EnsureDefaults fills the fields that are zero.
func (c *Config) EnsureDefaults() {
	setDefault(&c.Rules, 1)
	setDefault(&c.Kind, Filter)
	setDefault(&c.Shape, Flat)
	setDefault(&c.Spread, 20)
	setDefault(&c.Selectivity, 10)
	setDefault(&c.Threshold, 100-c.Selectivity)
	setDefault(&c.Sink, "nop")
	setDefault(&c.Devices, 100)
	setDefault(&c.Duration, 10*time.Second)
	setDefault(&c.Settle, 2*time.Second)
	setDefault(&c.Chunk, 256)
	setDefault(&c.Parallel, 4)
	setDefault(&c.Seed, 1)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate lists every fault of c, which has its defaults.
func (c *Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("bench: "+format, args...)) }
	switch c.Kind {
	case Filter, Complex, Windows, Panes, Hopping, Joins, Types, Calls, Manage:
	default:
		fault("kind %q: want filter, complex, windows, panes, hopping, joins, types, calls or manage", c.Kind)
	}
	switch c.Shape {
	case Flat, Mixed:
	case Twin:
		if c.Kind != Filter && c.Kind != Manage {
			fault("kind %s reads flat messages, not twin", c.Kind)
		}
	default:
		fault("shape %q: want flat, twin or mixed", c.Shape)
	}
	switch c.Sink {
	case "nop", "log", "mqtt", "memory":
	default:
		fault("sink %q: want nop, log, mqtt or memory", c.Sink)
	}
	if c.OwnTopics && (c.Shape != Flat || c.Kind != Filter) {
		fault("own topics go with flat messages and filters only")
	}
	if c.Rules < 1 || c.Rules > 1_000_000 {
		fault("%d rules: want 1 to 1000000", c.Rules)
	}
	if c.Devices < 1 || c.Devices > 10_000 {
		fault("%d devices: want 1 to 10000", c.Devices)
	}
	if c.Selectivity <= 0 || c.Selectivity >= 100 {
		fault("selectivity %g: want a percentage between 0 and 100", c.Selectivity)
	}
	if c.Spread <= 0 || c.Spread > 100 {
		fault("spread %g: want a percentage above 0, 100 at most", c.Spread)
	}
	if c.Threshold <= 0 {
		fault("threshold %g: must be positive", c.Threshold)
	}
	if c.Rate < 0 || c.Duration < 0 || c.Settle < 0 || c.Linger < 0 {
		fault("rate, duration, settle and linger: must not be negative")
	}
	if c.Chunk < 1 || c.Chunk > 1<<16 {
		fault("%d messages a write: want 1 to 65536", c.Chunk)
	}
	if c.QoS > 1 {
		fault("qos %d: want 0 or 1", c.QoS)
	}
	if c.Parallel < 1 || c.Parallel > 256 {
		fault("%d clients: want 1 to 256", c.Parallel)
	}
	if c.Kind == Manage && len(c.Engine.Command) == 0 {
		fault("kind manage restarts the engine, which must be a process of its own")
	}
	return errors.Join(errs...)
}

// Run runs one load from the start of the engine to its end. ctx ends it early.
func Run(ctx context.Context, c Config) (*Result, error) {
	s, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("bench %s: %w", c.Name, err)
	}
	var res *Result
	if c.Kind == Manage {
		res, err = s.manage(ctx)
	} else {
		res, err = s.measure(ctx)
	}
	if err = errors.Join(err, s.close()); err != nil {
		return nil, fmt.Errorf("bench %s: %w", c.Name, err)
	}
	return res, nil
}
