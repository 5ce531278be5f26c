package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Nothing is accepted in silence that has no effect: what a definition says beside
// what weir reads, and what it says in vain, is told in the answer to the call. The
// definition is taken all the same, since rule sets of eKuiper have such things.

// typeTables is the properties of all types by name, each with what every type of
// its kind has. Nothing is read into the tables, so that all goroutines share them.
type typeTables struct{ sources, lookups, sinks map[string]props.Table }

func (t *types) tables() typeTables {
	out := typeTables{map[string]props.Table{}, map[string]props.Table{}, map[string]props.Table{}}
	for name, typ := range t.sources {
		out.sources[name] = propertiesOf(typ.Properties).And(twin.Properties(), feedTable(new(bool)))
	}
	for name, typ := range t.lookups {
		out.lookups[name] = propertiesOf(typ.Properties).And(lookup.Properties(), feedTable(new(bool)))
	}
	for name, typ := range t.sinks {
		out.sinks[name] = sinkProperties(typ)
	}
	return out
}

// sinkProperties makes a fresh table of all that can be said of a sink.
func sinkProperties(f sinks.Factory) props.Table {
	return f.Properties().And(encode.Properties(), sinkTable())
}

// propertiesOf makes a fresh table of a type, which may have none.
func propertiesOf(f func() props.Table) props.Table {
	if f == nil {
		return nil
	}
	return f()
}

// group returns what can stand in a group of settings of a type.
func (t *typeTables) group(kind, typ string) props.Table {
	switch kind {
	case "sinks":
		return t.sinks[typ]
	case "sources":
		return t.sources[typ].And(t.lookups[typ])
	}
	return t.sources[typ].And(t.lookups[typ], t.sinks[typ])
}

// sinkTable is the properties of every sink beside those of its type and of the
// encoding, with eKuiper's defaults.
func sinkTable() props.Table {
	const (
		kept   = "outputs always wait for a slow destination, in memory and then on disk"
		worker = "a destination has its own workers, which all rules share"
		bounds = kept + "; the section sink of the configuration bounds them"
		repeat = "a delivery is repeated until it succeeds; the section sink of the configuration says how often"
	)
	whole := func(def int64, name, doc, why string) props.Prop {
		return props.Whole(&def, name, 0, math.MaxInt64, doc).Ignored(why)
	}
	return props.Table{
		props.Text(new(string), "connectionSelector", "the named connection whose settings are used"),
		props.Text(new(string), "resourceId", "the group of settings that is used"),
		props.Flag(new(bool), "enableCache", "keeps what cannot be delivered").Ignored(kept),
		whole(1024, "memoryCacheThreshold", "messages that wait in memory", bounds),
		whole(1024000, "maxDiskCache", "messages that wait on disk", bounds),
		whole(256, "bufferPageSize", "messages that go to disk together", bounds),
		props.Duration(new(time.Duration), "resendInterval", "the time between two messages that had to wait").Ignored(repeat),
		props.Flag(new(bool), "cleanCacheAtStop", "gives up what waits when the rule stops").Ignored(kept),
		props.Flag(new(bool), "resendAlterQueue", "sends what waited beside what is new").Ignored("messages keep their order"),
		whole(0, "resendPriority", "which goes first: what waited or what is new", "messages keep their order"),
		props.Text(new(string), "resendIndicatorField", "the field that marks what waited").Ignored("messages are sent as they were"),
		props.Text(new(string), "resendDestination", "where what waited goes").Ignored("messages go where they were to go"),
		whole(1, "concurrency", "workers of the sink", worker),
		whole(1024, "bufferLength", "messages that wait for the sink", bounds),
		props.Flag(new(bool), "runAsync", "does not wait for deliveries").Ignored(worker),
		props.Duration(new(time.Duration), "retryInterval", "the time from one attempt to the next").Ignored(repeat),
		whole(0, "retryCount", "how often a delivery is tried again", repeat),
	}
}

// RuleWarnings lists what a rule says in vain: in its keys, its options, its sinks
// and the sources of its graph; and what its statements can only lose rows by, unless
// Doubts asks for that.
func (e *Engine) RuleWarnings(def *ruledef.Def) []string {
	out := append(ruledef.KeyWarnings(rawjson.Keys(def.Raw)), def.Warnings...)
	flow, err := graph.Compile(def, fn.Set{})
	if err != nil {
		return out // which its creation has told
	}
	for i := range flow.Sources {
		if c := flow.Sources[i].Create; c != nil {
			out = append(out, under("node", flow.Sources[i].Node, e.createWarnings(c))...)
		}
	}
	for _, q := range flow.Queries {
		for _, a := range q.Actions {
			list := propertyWarnings(a.Props, e.tables.sinks[a.Type])
			if a.Node != "" {
				out = append(out, under("node", a.Node, list)...)
			} else {
				out = append(out, under("sink", a.Type, list)...)
			}
		}
	}
	if def.Doubts != nil { // who checks the rule tells of them
		return out
	}
	return append(out, e.doubts(def, flow)...)
}

// doubts lists what the statements of a rule can only lose rows by, see
// planner.Query.
func (e *Engine) doubts(def *ruledef.Def, flow *graph.Flow) (out []string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	c := &compiled{def: def, flow: flow}
	defer func() { // a constant that panics: its creation tells it
		if r := recover(); r != nil {
			out = nil
		}
	}()
	if e.flowSourcesLocked(c) != nil {
		return nil
	}
	for i := range flow.Queries {
		q := &flow.Queries[i]
		st, err := sql.Parse(q.SQL)
		sel, ok := st.(*sql.Select)
		if err != nil || !ok {
			return nil
		}
		env := planner.Env{Funcs: fn.Set{}, Catalog: catalog{e, c.inline}, Fold: e.foldLocked(), Compute: exec.ComputeIn(e.mu.zone)}
		bound, err := planner.Bind(env, def.ID, sel, planner.Settings{After: q.After, Before: q.Before, EventTime: def.Options.IsEventTime})
		if err != nil {
			return nil
		}
		out = append(out, c.doubts(q, bound)...)
	}
	return out
}

// under says where the things are that a list warns of.
func under(what, name string, list []string) []string {
	for i, text := range list {
		list[i] = fmt.Sprintf("%s %s: %s", what, name, text)
	}
	return list
}

// StreamWarnings lists what a statement says in vain that creates a stream or a
// table; other statements say nothing in vain.
func (e *Engine) StreamWarnings(text string) []string {
	st, err := sql.Parse(text)
	if err != nil {
		return nil
	}
	if c, ok := st.(*sql.Create); ok {
		return e.createWarnings(c)
	}
	return nil
}

func (e *Engine) createWarnings(c *sql.Create) []string {
	s := &stream{name: c.Name, def: c}
	o := &c.Options
	var out []string
	for _, v := range []struct {
		key    string
		inVain bool
		why    string
	}{
		{"KEY", o.Key != "" && !s.lookup(), "only lookup tables have one"},
		{"RETAIN_SIZE", o.RetainSize > 0 && (!c.Table || s.lookup()), "only tables that are kept in memory have one"},
		{"SCHEMAID", o.SchemaID != "" && o.Format != "protobuf", "it is for FORMAT protobuf"},
		{"DELIMITER", o.Delimiter != "" && o.Format != "delimited", "it is for FORMAT delimited"},
		{"STRICT_VALIDATION", o.StrictValidation && c.Fields == nil && o.Format != "protobuf", "no fields are declared"},
	} {
		if v.inVain {
			out = append(out, fmt.Sprintf("option %s has no effect: %s", v.key, v.why))
		}
	}
	if k := strings.ToLower(o.ConfKey); k != "" && k != "default" && !e.hasConf(confName{"sources", s.typ(), k}) {
		out = append(out, fmt.Sprintf("option CONF_KEY: source type %s has no group of settings %q", s.typ(), o.ConfKey))
	}
	table := e.tables.sources[s.typ()]
	if s.lookup() {
		table = e.tables.lookups[s.typ()]
	}
	return append(append(out, propertyWarnings(o.Extra, table)...), append(e.modelWarnings(s), e.streamClientWarnings(s)...)...)
}

// modelWarnings tells what is odd in the device models that the settings of s name.
func (e *Engine) modelWarnings(s *stream) []string {
	e.mu.RLock()
	given, err := e.propsLocked(s)
	e.mu.RUnlock()
	if err != nil {
		return nil // the rules of s tell it
	}
	return twin.Warnings(given, e.models.Load)
}

func (e *Engine) hasConf(n confName) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.confLocked(n) != nil
}

// ConfWarnings lists what a group of settings says in vain.
func (e *Engine) ConfWarnings(kind api.ConfKind, typ, key string, given map[string]any) []string {
	out := propertyWarnings(given, e.tables.group(string(kind), strings.ToLower(typ)))
	if kind == api.ConfSources {
		out = append(out, twin.Warnings(given, e.models.Load)...)
	}
	return append(out, e.groupClientWarnings(confName{string(kind), strings.ToLower(typ), strings.ToLower(key)}, given)...)
}

// propertyWarnings lists what properties of a type say in vain. A type that there is
// not has no table, and is refused by name.
func propertyWarnings(given map[string]any, t props.Table) []string {
	if t == nil {
		return nil
	}
	return props.Warnings("property", given, t)
}

// warnConfs logs what the groups of the configuration file say in vain, and those
// that nothing can use.
func (e *Engine) warnConfs() {
	for kind, types := range e.opt.Confs {
		for typ, groups := range types {
			for _, key := range slices.Sorted(maps.Keys(groups)) {
				for _, text := range e.ConfWarnings(api.ConfKind(kind), typ, key, groups[key]) {
					e.log.Warn("settings have no effect", "kind", kind, "type", typ, "group", key, "warning", text)
				}
				if err := e.checkConf(confName{kind, strings.ToLower(typ), key}, groups[key]); err != nil {
					e.log.Warn("settings cannot be used", "kind", kind, "type", typ, "group", key, "err", err)
				}
			}
		}
	}
}
