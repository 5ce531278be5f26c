package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner"
)

// runningEngine is what serve runs. It works from the moment it was opened.
//
// Close ends it in order: sources stop, what was read is delivered or stored, the
// store is closed. Sinks have until ctx ends. It is called once, after REST has
// ended; no other method is called from then on.
type runningEngine interface {
	api.Engine
	metrics.Source
	NotePanic(what string, value any)
	Close(ctx context.Context) error
}

// process is what an engine may ask of the process around it.
type process struct {
	log      *slog.Logger
	stop     func()           // begins the end of the process; may be called often
	setLevel func(slog.Level) // of log
	level    slog.Level       // that the settings ask for, debug aside
}

// wiring is what the commands are made of, so that tests can put other parts in.
type wiring struct {
	// open makes the engine of a process and starts it. Without open there is no
	// serve.
	open func(cfg *config.Config, p process) (runningEngine, error)

	// functions lists what SQL can call.
	functions func() []planner.FuncSig

	// tools are the commands that need an engine of their own.
	tools []*cobra.Command
}

// production returns the parts of the real program.
func production() wiring {
	return wiring{open: openEngine, functions: allFunctions, tools: []*cobra.Command{newBench(), newSQL()}}
}

// allFunctions returns what SQL can call, in the order of the function table.
func allFunctions() []planner.FuncSig {
	all := fn.All()
	sigs := make([]planner.FuncSig, len(all))
	for i, f := range all {
		sigs[i] = f.FuncSig
	}
	return sigs
}
