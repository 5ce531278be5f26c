package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/ruledef"
)

// Healthy returns nil while the process does its work, and an api.DegradedError
// while it does so with panics.
func (e *Engine) Healthy() error {
	if err := e.ctx.Err(); err != nil {
		return fmt.Errorf("engine is closed")
	}
	if err := e.store.Health(); err != nil {
		return err
	}
	return e.degraded()
}

// Configure changes settings of the running process.
func (e *Engine) Configure(settings map[string]any) error {
	level, set := slog.LevelInfo, false
	for k, v := range settings {
		switch k {
		case "logLevel":
			s, ok := v.(string)
			if !ok || level.UnmarshalText([]byte(s)) != nil {
				return ruledef.Errorf(ruledef.CodeConfig, "logLevel %v: want debug, info, warn or error", v)
			}
			set = true
		case "debug":
			on, ok := v.(bool)
			if !ok {
				return ruledef.Errorf(ruledef.CodeConfig, "debug %v: want true or false", v)
			}
			if on {
				level, set = slog.LevelDebug, true
			}
		case "timezone":
			name, ok := v.(string)
			if !ok {
				return ruledef.Errorf(ruledef.CodeConfig, "timezone %v: want a name such as Europe/Berlin", v)
			}
			if _, err := time.LoadLocation(name); err != nil {
				return ruledef.Errorf(ruledef.CodeConfig, "timezone %q: %w", name, err)
			}
			if name != e.opt.Location.String() {
				return ruledef.Errorf(ruledef.CodeConfig, "timezone changes with a restart only")
			}
		case "consoleLog", "fileLog":
			if _, ok := v.(bool); !ok {
				return ruledef.Errorf(ruledef.CodeConfig, "%s %v: want true or false", k, v)
			}
		default:
			return ruledef.Errorf(ruledef.CodeConfig, "setting %q cannot be changed while running", k)
		}
	}
	if set && e.opt.SetLevel != nil {
		e.opt.SetLevel(level)
	}
	return nil
}

// Stop asks for the end of the process.
func (e *Engine) Stop() { e.opt.OnStop() }

// Functions returns what SQL can call.
func (e *Engine) Functions() []api.FunctionInfo {
	out := []api.FunctionInfo{}
	for _, f := range fn.All() {
		out = append(out, api.FunctionInfo{Name: f.Name, Group: f.Group, Kind: f.Kind.String(), Signature: f.Signature, Doc: f.Doc, Example: f.Example})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// SourceTypes returns what TYPE can name.
func (e *Engine) SourceTypes() []string { return e.types.sources.Names() }

// SinkTypes returns what an action can name.
func (e *Engine) SinkTypes() []string {
	return e.types.sinks.Names()
}

// LookupTypes returns what a lookup table can name.
func (e *Engine) LookupTypes() []string { return e.types.lookups.Names() }

// PingConnection tries to reach what properties describe.
func (e *Engine) PingConnection(ctx context.Context, kind api.ConfKind, typ string, given map[string]any) error {
	typ = strings.ToLower(typ)
	v, _ := props.Get(given, "datasource")
	place, _ := v.(string)
	if t := e.types.lookups[typ]; t.Ping != nil {
		return t.Ping(ctx, lookup.Def{DataSource: place, Props: given})
	}
	if t := e.types.sources[typ]; t.Ping != nil {
		return t.Ping(ctx, source.Def{DataSource: place, Props: given})
	}
	return e.checkConf(confName{string(kind), typ, "ping"}, given)
}
