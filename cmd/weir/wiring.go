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

// engine is what serve runs.
//
// Run works until ctx ends or Stop was called, then ends in order (what was read
// is delivered or stored) and returns. It is called once. The other methods may
// be called before it and until it has returned.
type engine interface {
	api.Engine
	metrics.Source
	Run(ctx context.Context) error
}

// wiring is what the commands are made of, so that tests can put other parts in.
type wiring struct {
	// open makes the engine of a process: the store is open and the definitions
	// are loaded when it returns, but nothing runs. Without it there is no serve.
	open func(cfg *config.Config, log *slog.Logger) (engine, error)

	// functions lists what SQL can call.
	functions func() []planner.FuncSig

	// tools are the commands that need an engine of their own.
	tools []*cobra.Command
}

// production returns the parts of the real program.
func production() wiring {
	return wiring{functions: allFunctions}
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
