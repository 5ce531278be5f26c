package main

import (
	"fmt"
	"net"
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
		Confs:   map[string]map[string]map[string]map[string]any{"sources": cfg.Sources, "sinks": cfg.Sinks, "connections": cfg.Connections},
		Servers: map[string]map[string]any{"mqtt": embedded(&cfg.MQTT)},
		OnStop:  p.stop, SetLevel: p.setLevel, Level: p.level, Debug: cfg.Basic.Debug, OnQuiet: tidy,
		Patrol: cfg.Basic.RulePatrolInterval,
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// embedded returns the properties of MQTT connections to the broker that this process
// has, nil if it has none.
func embedded(m *config.MQTT) map[string]any {
	addr, err := m.Address()
	if err != nil || addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "0" {
		return nil
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	own := map[string]any{"server": "tcp://" + net.JoinHostPort(host, port)}
	if m.TLS.CertFile != "" {
		own["server"] = "ssl://" + net.JoinHostPort(host, port)
		own["insecureSkipVerify"] = true // it is this process
	}
	if m.Username != "" {
		own["username"], own["password"] = m.Username, m.Password
	}
	return own
}
