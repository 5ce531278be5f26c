package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
)

// selection gathers what some rules need, and what that needs.
type selection struct {
	e      *Engine
	all    api.Definitions
	out    definitions
	groups map[confName]bool
	confs  map[confName]map[string]any
}

// DefinitionsOf returns rules and all that they need: streams and tables, groups of
// settings, connections and schemas.
func (e *Engine) DefinitionsOf(ids []string) (api.Definitions, error) {
	all, err := e.Definitions()
	if err != nil {
		return all, err
	}
	s := &selection{e: e, all: all, out: newDefinitions(), groups: map[confName]bool{}, confs: map[confName]map[string]any{}}
	e.mu.RLock()
	for n, group := range e.mu.confs {
		s.confs[n] = group // a group is replaced as a whole
	}
	e.mu.RUnlock()
	for _, id := range ids {
		text, ok := all.Rules[id]
		if !ok {
			return api.Definitions{}, ruledef.Errorf(ruledef.CodeNotFound, "rule %s is not found", id)
		}
		if err := s.rule(id, text); err != nil {
			return api.Definitions{}, fmt.Errorf("rule %s: %w", id, err)
		}
	}
	return s.definitions()
}

func (s *selection) rule(id, text string) error {
	s.out.Rules[id] = text
	def, err := ruledef.ParseFor(id, []byte(text), s.e.opt.Rules)
	if err != nil {
		return err
	}
	flow, err := graph.Compile(def, fn.Set{})
	if err != nil {
		return err
	}
	for _, src := range flow.Sources {
		if src.Create != nil {
			s.options(src.Create)
		} else {
			s.source(src.Name)
		}
	}
	for _, q := range flow.Queries {
		st, err := sql.Parse(q.SQL)
		if err != nil {
			return err
		}
		if sel, ok := st.(*sql.Select); ok {
			s.source(sel.From.Name)
			for _, j := range sel.Joins {
				s.source(j.Name)
			}
		}
		for _, a := range q.Actions {
			s.settings("sinks", a.Type, a.Props)
			if v, _ := props.Get(a.Props, "resourceId"); v != nil {
				s.group("sinks", a.Type, v)
			}
		}
	}
	return nil
}

// source adds the stream or table called name, if there is one.
func (s *selection) source(name string) {
	text, ok := s.all.Streams[name]
	if ok {
		s.out.Streams[name] = text
	} else if text, ok = s.all.Tables[name]; ok {
		s.out.Tables[name] = text
	}
	if st, err := sql.Parse(text); ok && err == nil {
		if c, isCreate := st.(*sql.Create); isCreate {
			s.options(c)
		}
	}
}

// options adds what the options of a stream or table name.
func (s *selection) options(c *sql.Create) {
	typ := (&stream{def: c}).typ()
	s.group("sources", typ, "default")
	s.group("sources", typ, c.Options.ConfKey)
	s.settings("sources", typ, c.Options.Extra)
	s.schema(c.Options.SchemaID)
}

// group adds a group of settings, if there is one, and what it names.
func (s *selection) group(kind, typ string, key any) {
	name, _ := key.(string)
	n := confName{kind, strings.ToLower(typ), strings.ToLower(name)}
	if s.confs[n] == nil || s.groups[n] {
		return
	}
	s.groups[n] = true
	s.settings(kind, typ, s.confs[n])
}

// settings adds what properties name.
func (s *selection) settings(kind, typ string, given map[string]any) {
	if v, ok := props.Get(given, "connectionSelector"); ok {
		s.group("connections", typ, v)
	}
	if v, ok := props.Get(given, "schemaId"); ok && kind == "sinks" {
		id, _ := v.(string)
		s.schema(id)
	}
}

// schema adds the schema of a message type, and those that it imports.
func (s *selection) schema(id string) {
	name, _, _ := strings.Cut(id, ".")
	const prefix = "protobuf_"
	text, ok := s.all.Schemas[prefix+name]
	if _, have := s.out.Schemas[prefix+name]; !ok || have {
		return
	}
	s.out.Schemas[prefix+name] = text
	for _, key := range sorted(s.all.Schemas) {
		if other := strings.TrimPrefix(key, prefix); other != name && s.e.schemas.imports(name, other) {
			s.schema(other)
		}
	}
}

func (s *selection) definitions() (api.Definitions, error) {
	types := map[string]map[string]map[string]map[string]any{} // by kind, type and key
	for n := range s.groups {
		if types[n.kind] == nil {
			types[n.kind] = map[string]map[string]map[string]any{}
		}
		if types[n.kind][n.typ] == nil {
			types[n.kind][n.typ] = map[string]map[string]any{}
		}
		types[n.kind][n.typ][n.key] = s.confs[n]
	}
	for kind, groups := range types {
		for typ, group := range groups {
			text, err := json.Marshal(group)
			if err != nil {
				return api.Definitions{}, ruledef.Errorf(ruledef.CodeConfig, "settings %s/%s: %w", kind, typ, err)
			}
			s.out.conf(kind)[typ] = string(text)
		}
	}
	return s.out.Definitions, nil
}
