package engine

import (
	"fmt"
	"sort"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/api"
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
