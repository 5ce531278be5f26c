package main

import (
	"fmt"
	"time"

	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/internal/engine"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/sinks"
)

// openEngine composes the options of the engine from the settings and opens it.
func openEngine(cfg *config.Config, p process) (runningEngine, error) {
	loc := time.Local
	if cfg.Basic.Timezone != "" {
		var err error
		if loc, err = time.LoadLocation(cfg.Basic.Timezone); err != nil {
			return nil, fmt.Errorf("basic.timezone: %w", err)
		}
	}
	e, err := engine.Open(engine.Options{
		Store: store.Options{Dir: cfg.Data.Dir, Logger: p.log},
		Sinks: sinks.Options{
			MemoryBytes: int64(cfg.Sink.MemoryBytes), MaxBytes: int64(cfg.Sink.MaxBytes), DropOldest: cfg.Sink.AtLimit == "dropOldest",
			RetryMin: cfg.Sink.RetryMin, RetryMax: cfg.Sink.RetryMax,
		},
		Rules: cfg.Rule.Options(), Location: loc, Dir: cfg.Dir, Logger: p.log,
		Confs:  map[string]map[string]map[string]map[string]any{"sources": cfg.Sources, "sinks": cfg.Sinks, "connections": cfg.Connections},
		OnStop: p.stop, SetLevel: p.setLevel, Level: p.level, Debug: cfg.Basic.Debug, OnQuiet: tidy,
		Patrol: cfg.Basic.RulePatrolInterval,
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}
