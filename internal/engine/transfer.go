package engine

import (
	"encoding/json"
	"sort"
	"strings"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

// Definitions returns everything that is defined.
func (e *Engine) Definitions() (api.Definitions, error) {
	d := newDefinitions()
	e.mu.RLock()
	for name, s := range e.mu.streams {
		if s.inline {
			continue
		}
		if s.def.Table {
			d.Tables[name] = s.def.Text
		} else {
			d.Streams[name] = s.def.Text
		}
	}
	groups := map[string]map[string]map[string]any{}
	for n, props := range e.mu.confs {
		k := n.kind + "/" + n.typ
		if groups[k] == nil {
			groups[k] = map[string]map[string]any{}
		}
		groups[k][n.key] = props
	}
	var ids []string
	for id := range e.mu.rules {
		ids = append(ids, id)
	}
	e.mu.RUnlock()
	if err := e.exportSchemas(d.Schemas); err != nil {
		return d.Definitions, ruledef.Errorf(ruledef.CodeIO, "read schemas: %w", err)
	}
	for k, g := range groups {
		text, err := json.Marshal(g)
		if err != nil {
			return d.Definitions, ruledef.Errorf(ruledef.CodeConfig, "settings %s: %w", k, err)
		}
		kind, typ, _ := strings.Cut(k, "/")
		d.conf(kind)[typ] = string(text)
	}
	for _, id := range ids {
		text, err := e.RuleText(id)
		if err != nil {
			continue // deleted meanwhile
		}
		d.Rules[id] = string(text)
	}
	return d.Definitions, nil
}

type definitions struct{ api.Definitions }

func newDefinitions() definitions {
	return definitions{api.Definitions{
		Streams: map[string]string{}, Tables: map[string]string{}, Rules: map[string]string{},
		SourceConfig: map[string]string{}, SinkConfig: map[string]string{}, ConnectionConfig: map[string]string{},
		Schemas: map[string]string{},
	}}
}

func (d *definitions) conf(kind string) map[string]string {
	switch kind {
	case "sinks":
		return d.SinkConfig
	case "connections":
		return d.ConnectionConfig
	}
	return d.SourceConfig
}

// ImportDefinitions creates or replaces what d holds.
func (e *Engine) ImportDefinitions(d api.Definitions) api.Definitions {
	bad := newDefinitions()
	replaced := func(id string) bool { return d.Rules[id] != "" } // by what fits the new definitions
	for kind, texts := range map[string]map[string]string{"sources": d.SourceConfig, "sinks": d.SinkConfig, "connections": d.ConnectionConfig} {
		for typ, text := range texts {
			if err := e.importConf(kind, typ, text, replaced); err != nil {
				bad.conf(kind)[typ] = err.Error()
			}
		}
	}
	e.importSchemas(d.Schemas, bad.Schemas)
	for _, name := range sorted(d.Streams) {
		if err := e.replaceStream(api.Stream, name, d.Streams[name], replaced); err != nil {
			bad.Streams[name] = err.Error()
		}
	}
	for _, name := range sorted(d.Tables) {
		if err := e.replaceStream(api.Table, name, d.Tables[name], replaced); err != nil {
			bad.Tables[name] = err.Error()
		}
	}
	e.importRules(d.Rules, &bad)
	e.freed()
	return bad.Definitions
}

func (e *Engine) importConf(kind, typ, text string, replaced func(id string) bool) error {
	var groups map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "settings of %s: %w", typ, err)
	}
	for key, props := range groups {
		if err := e.putConfKey(api.ConfKind(kind), typ, key, props, replaced); err != nil {
			return err
		}
	}
	return nil
}

// importRules creates the rules that are new with one commit and replaces the
// others. A rule that cannot run stays listed, with the reason.
func (e *Engine) importRules(texts map[string]string, bad *definitions) {
	var fresh []string
	for _, id := range sorted(texts) {
		e.mu.RLock()
		known := e.mu.rules[id] != nil
		e.mu.RUnlock()
		if !known {
			fresh = append(fresh, id)
			continue
		}
		def, err := ruledef.ParseFor(id, []byte(texts[id]), e.opt.Rules)
		if err == nil {
			_, err = e.ReplaceRule(def)
		}
		if err != nil {
			bad.Rules[id] = err.Error()
		}
	}
	errs := e.CreateRules(func(yield func(*ruledef.Def) bool) {
		for _, id := range fresh {
			def, err := ruledef.ParseFor(id, []byte(texts[id]), e.opt.Rules)
			if err != nil {
				bad.Rules[id] = err.Error()
			}
			if !yield(def) {
				return
			}
		}
	})
	for i, err := range errs {
		if err != nil {
			bad.Rules[fresh[i]] = err.Error()
		}
	}
}

// ReplaceDefinitions deletes everything and imports d.
func (e *Engine) ReplaceDefinitions(d api.Definitions) api.Definitions {
	e.mu.RLock()
	var rules []string
	for id := range e.mu.rules {
		rules = append(rules, id)
	}
	e.mu.RUnlock()
	for _, id := range rules {
		if err := e.DeleteRule(id); err != nil {
			e.log.Warn("rule is not deleted before the import", "rule", id, "err", err)
		}
	}
	for _, kind := range []api.StreamKind{api.Stream, api.Table} {
		for _, s := range e.StreamList(kind) {
			if _, err := e.drop(kind, s.Name, true); err != nil {
				e.log.Warn("definition is not dropped before the import", "name", s.Name, "err", err)
			}
		}
	}
	e.dropSchemas()
	e.dropConfs()
	return e.ImportDefinitions(d)
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
