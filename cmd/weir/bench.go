package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/bench"
)

// benchFlags are the flags that change a load; those that are not given leave it
// as it is.
type benchFlags struct {
	rules, devices, chunk, parallel      int
	rate, selectivity, spread, threshold float64
	duration, settle, linger             time.Duration
	sink                                 string
	qos                                  uint8
	distinct                             bool
	seed                                 uint64

	inProcess, noPin, json, list bool
	command, cpus                string
}

func newBench() *cobra.Command {
	var o benchFlags
	c := &cobra.Command{
		Use: "bench [LOAD ...]", Short: "Measure loads on this machine",
		Long: "Measure loads on this machine: each starts an engine of its own, pinned to one CPU where taskset is there, " +
			"feeds it from this process over MQTT and compares what came out with what had to. Without LOAD, all of them; --list names them.",
	}
	f := c.Flags()
	f.IntVar(&o.rules, "rules", 0, "number of rules")
	f.Float64Var(&o.rate, "rate", 0, "messages a second; 0: as fast as the engine takes them")
	f.IntVar(&o.devices, "devices", 0, "number of devices")
	f.Float64Var(&o.selectivity, "selectivity", 0, "percent of the messages that a rule selects")
	f.Float64Var(&o.threshold, "threshold", 0, "constant that rules compare with")
	f.Float64Var(&o.spread, "spread", 0, "percent of the range that different thresholds lie in, from the top")
	f.BoolVar(&o.distinct, "distinct", false, "every rule has a threshold of its own")
	f.DurationVar(&o.duration, "duration", 0, "time that a load lasts")
	f.DurationVar(&o.settle, "settle", 0, "quiet before a load, for memory")
	f.DurationVar(&o.linger, "linger", 0, "latency given up for CPU")
	f.IntVar(&o.chunk, "chunk", 0, "messages a write at most; 1 is what real brokers do")
	f.IntVar(&o.parallel, "parallel", 0, "clients that submit rules")
	f.StringVar(&o.sink, "sink", "", "sink of the rules: nop, log, mqtt or memory")
	f.Uint8Var(&o.qos, "qos", 0, "MQTT quality of service, 0 or 1")
	f.Uint64Var(&o.seed, "seed", 0, "picks the values; equal seeds give equal messages")
	f.StringVar(&o.cpus, "cpus", "0", "CPUs of the engine, as taskset takes them; the rest is for the load")
	f.BoolVar(&o.noPin, "no-pin", false, "pin nothing")
	f.BoolVar(&o.inProcess, "in-process", false, "run the engine inside this process")
	f.StringVar(&o.command, "engine", "", "program of the engine; default: this one")
	f.BoolVar(&o.json, "json", false, "print results as JSON lines")
	f.BoolVar(&o.list, "list", false, "list the loads")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.list {
			return bench.List(c.OutOrStdout())
		}
		loads, err := o.loads(c, args)
		if err != nil {
			return err
		}
		return runLoads(c, loads, &o)
	}
	return c
}

// loads returns the loads that args name, all without names, as the flags change
// them.
func (o *benchFlags) loads(c *cobra.Command, args []string) ([]bench.Config, error) {
	loads := bench.Loads()
	if len(args) > 0 {
		loads = loads[:0]
		for _, name := range args {
			l, err := bench.Load(name)
			if err != nil {
				return nil, err
			}
			loads = append(loads, l)
		}
	}
	engine, err := o.engine()
	if err != nil {
		return nil, err
	}
	var errs []error
	kept := loads[:0]
	for _, l := range loads {
		if o.inProcess && l.Kind == bench.Manage && len(args) == 0 {
			continue // it restarts the engine
		}
		engine.MemoryLimit = l.Engine.MemoryLimit
		l.Engine = engine
		o.change(c, &l)
		check := l
		check.EnsureDefaults()
		if err := check.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("load %s: %w", l.Name, err))
		}
		kept = append(kept, l)
	}
	return kept, errors.Join(errs...)
}

// engine says how engines are started.
func (o *benchFlags) engine() (bench.Engine, error) {
	if o.inProcess {
		return bench.Engine{}, nil
	}
	program := o.command
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return bench.Engine{}, fmt.Errorf("bench: find this program: %w", err)
		}
	}
	e := bench.Engine{Command: []string{program, "serve"}}
	if !o.noPin && bench.CanPin() {
		e.CPUs = o.cpus
	}
	return e, nil
}

// change applies the flags that were given.
func (o *benchFlags) change(c *cobra.Command, l *bench.Config) {
	f := c.Flags()
	set := func(flag string, apply func()) {
		if f.Changed(flag) {
			apply()
		}
	}
	set("rules", func() { l.Rules = o.rules })
	set("rate", func() { l.Rate = o.rate })
	set("devices", func() { l.Devices = o.devices })
	set("selectivity", func() { l.Selectivity = o.selectivity })
	set("threshold", func() { l.Threshold = o.threshold })
	set("spread", func() { l.Spread = o.spread })
	set("distinct", func() { l.Distinct = o.distinct })
	set("duration", func() { l.Duration = o.duration })
	set("settle", func() { l.Settle = o.settle })
	set("linger", func() { l.Linger = o.linger })
	set("chunk", func() { l.Chunk = o.chunk })
	set("parallel", func() { l.Parallel = o.parallel })
	set("sink", func() { l.Sink = o.sink })
	set("qos", func() { l.QoS = o.qos })
	set("seed", func() { l.Seed = o.seed })
}

// runLoads runs one load after the other and prints each result as it comes.
func runLoads(c *cobra.Command, loads []bench.Config, o *benchFlags) error {
	out := c.OutOrStdout()
	where := "engine in this process"
	if !o.inProcess {
		where = "engine on any CPU"
		if !o.noPin && bench.CanPin() {
			where = "engine on CPU " + o.cpus
			if bench.PinSelf(bench.OtherCPUs(o.cpus, runtime.NumCPU())) {
				where += ", load on the others"
			}
		}
	}
	if !o.json {
		fmt.Fprintf(out, "weir %s, %s, %s/%s, %d CPUs, %s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), where)
		bench.Header(out)
	}
	for _, l := range loads {
		res, err := bench.Run(c.Context(), l)
		if err != nil {
			if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
				return nil // interrupted
			}
			return err
		}
		if !o.json {
			res.Write(out)
			continue
		}
		text, err := json.Marshal(struct {
			Load string `json:"load"`
			*bench.Result
		}{l.Name, res})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, string(text))
	}
	return nil
}
