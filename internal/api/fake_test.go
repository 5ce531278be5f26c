package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/weir-engine/weir/planner/ruledef"
)

// fakeEngine keeps definitions in memory and runs nothing. A rule reads the
// streams after FROM and JOIN.
type fakeEngine struct {
	mu      sync.Mutex
	streams map[string]fakeStream
	rules   map[string]*fakeRule
	confs   map[string]map[string]map[string]any // by kind/type, then key
	conns   map[string]Connection
	schemas map[string]Schema
	keyed   map[string]string
	health  error
	stopped int
}

type fakeStream struct {
	def StreamDef
	sql string
}

type fakeRule struct {
	def    *ruledef.Def
	text   []byte
	status string
}

func newFake() *fakeEngine {
	return &fakeEngine{streams: map[string]fakeStream{}, rules: map[string]*fakeRule{}, confs: map[string]map[string]map[string]any{}, conns: map[string]Connection{}}
}

var (
	fakeDDL    = regexp.MustCompile(`(?i)^(CREATE|SHOW|DESCRIBE|EXPLAIN|DROP)\s+(STREAM|TABLE)S?\s*(\w*)\s*(\(.*\)\s*WITH\s*\(.*\))?$`)
	fakeSource = regexp.MustCompile(`(?i)(?:FROM|JOIN)\s+(\w+)`)
)

func (e *fakeEngine) RuleWarnings(def *ruledef.Def) []string { return def.Warnings }

func (e *fakeEngine) StreamWarnings(sql string) []string {
	if strings.Contains(sql, "KEY=") {
		return []string{"option KEY has no effect: only lookup tables have one"}
	}
	return nil
}

func (e *fakeEngine) ConfWarnings(_ ConfKind, _, _ string, props map[string]any) []string {
	if props["qso"] == nil {
		return nil
	}
	return []string{`unknown property "qso": did you mean "qos"?`}
}

func (e *fakeEngine) ExecStatement(sql string) (st Statement, err error) {
	m := fakeDDL.FindStringSubmatch(sql)
	if m == nil || (strings.EqualFold(m[1], "CREATE") && m[4] == "") {
		return st, &ruledef.Error{Code: ruledef.CodeParser, Text: fmt.Sprintf("parse: line 1 column 1: no statement: %q", sql)}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	st.Name = m[3]
	if strings.EqualFold(m[2], "TABLE") {
		st.Kind = Table
	}
	old, exists := e.streams[st.Name]
	exists = exists && old.def.Kind == st.Kind
	switch strings.ToUpper(m[1]) {
	case "CREATE":
		st.Verb = VerbCreate
		if _, taken := e.streams[st.Name]; taken {
			return st, fmt.Errorf("stream %q: %w", st.Name, ruledef.ErrExists)
		}
		e.streams[st.Name] = fakeStream{fakeDef(st.Kind, st.Name, sql), sql}
	case "SHOW":
		st.Verb = VerbShow
		for _, i := range e.list(st.Kind) {
			st.List = append(st.List, i.Name)
		}
	case "DESCRIBE", "EXPLAIN":
		st.Verb = VerbDescribe
		if m[1][0]|0x20 == 'e' {
			st.Verb = VerbExplain
		}
		if !exists {
			return st, ruledef.ErrNotFound
		}
		st.Def = old.def
	case "DROP":
		st.Verb = VerbDrop
		if !exists {
			return st, ruledef.ErrNotFound
		}
		if e.used(st.Name) {
			return st, ruledef.ErrInUse
		}
		delete(e.streams, st.Name)
	}
	return st, nil
}

// fakeDef gives every stream the same fields.
func fakeDef(kind StreamKind, name, sql string) StreamDef {
	d := StreamDef{Kind: kind, Name: name, Options: []Option{{"DATASOURCE", "x/#"}, {"CONF_KEY", "site1"}, {"SHARED", true}}}
	if strings.Contains(sql, "KIND=\"lookup\"") {
		d.Options = append(d.Options, Option{"KIND", "lookup"})
	}
	if strings.Contains(sql, "()") {
		return d
	}
	d.Fields = []Field{
		{Name: "id", Type: "bigint"},
		{Name: "l", Type: "array", Elem: &Field{Type: "string"}},
		{Name: "s", Type: "struct", Fields: []Field{{Name: "c", Type: "string"}, {Name: "d", Type: "array", Elem: &Field{Type: "struct", Fields: []Field{{Name: "f", Type: "float"}}}}}},
	}
	return d
}

func (e *fakeEngine) list(kind StreamKind) (infos []StreamInfo) {
	for name, s := range e.streams {
		if s.def.Kind == kind {
			infos = append(infos, StreamInfo{Name: name, Type: "mqtt", Format: "json", Lookup: strings.Contains(s.sql, "lookup")})
		}
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Name < infos[j].Name })
	return infos
}

func (e *fakeEngine) used(name string) bool {
	for _, r := range e.rules {
		for _, m := range fakeSource.FindAllStringSubmatch(r.def.SQL, -1) {
			if m[1] == name {
				return true
			}
		}
	}
	return false
}

func (e *fakeEngine) ReplaceStream(kind StreamKind, name, sql string) error {
	m := fakeDDL.FindStringSubmatch(sql)
	if m == nil || m[3] != name {
		return &ruledef.Error{Code: ruledef.CodeStream, Text: "Replace fails: the sql statement must name the same."}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams[name] = fakeStream{fakeDef(kind, name, sql), sql}
	return nil
}

func (e *fakeEngine) DropStream(kind StreamKind, name string) error {
	e.mu.Lock()
	used := e.used(name)
	e.mu.Unlock()
	if used {
		return ruledef.ErrInUse
	}
	_, err := e.ForceDropStream(kind, name)
	return err
}

func (e *fakeEngine) ForceReplaceStream(kind StreamKind, name, sql string) ([]string, error) {
	return []string{"rule broken: column gone"}, e.ReplaceStream(kind, name, sql)
}

func (e *fakeEngine) ForceDropStream(kind StreamKind, name string) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.streams[name]; !ok || s.def.Kind != kind {
		return nil, fmt.Errorf("stream %q: %w", name, ruledef.ErrNotFound)
	}
	delete(e.streams, name)
	return nil, nil
}

func (e *fakeEngine) StreamList(kind StreamKind) []StreamInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list(kind)
}

func (e *fakeEngine) DescribeStream(kind StreamKind, name string) (StreamDef, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.streams[name]
	if !ok || s.def.Kind != kind {
		return s.def, ruledef.ErrNotFound
	}
	return s.def, nil
}

func (e *fakeEngine) StreamSchema(kind StreamKind, name string) ([]Field, error) {
	def, err := e.DescribeStream(kind, name)
	return def.Fields, err
}

func (e *fakeEngine) StreamStatus(kind StreamKind, name string) ([]StatusField, error) {
	if _, err := e.DescribeStream(kind, name); err != nil {
		return nil, err
	}
	return []StatusField{{"records_in_total", uint64(7)}, {"lost", map[string]uint64{"late": 2, "decode": 1}}}, nil
}

func (e *fakeEngine) ValidateRule(def *ruledef.Def) (sources []string, err error) {
	if !strings.HasPrefix(def.SQL, "SELECT ") {
		return nil, &ruledef.Error{Code: ruledef.CodeParser, Text: "line 1 column 1: want SELECT"}
	}
	if len(def.Actions) > 0 && def.Actions[0].Type == "nosink" {
		return nil, &ruledef.Error{Code: ruledef.CodeExecutor, Text: "sink nosink is not defined"}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range fakeSource.FindAllStringSubmatch(def.SQL, -1) {
		if _, ok := e.streams[m[1]]; !ok {
			return nil, ruledef.Errorf(ruledef.CodePlan, "fail to get stream %s, please check if stream is created", m[1])
		}
		sources = append(sources, m[1])
	}
	return sources, nil
}

func (e *fakeEngine) CreateRule(def *ruledef.Def) error {
	if _, err := e.RuleText(def.ID); err == nil {
		return fmt.Errorf("rule %q: %w", def.ID, ruledef.ErrExists)
	}
	return e.put(def)
}

func (e *fakeEngine) CreateRules(defs iter.Seq[*ruledef.Def]) (errs []error) {
	for d := range defs {
		var err error
		if d != nil {
			err = e.CreateRule(d)
		}
		errs = append(errs, err)
	}
	return errs
}

// ReplaceRule keeps the state of a window whose statement stays.
func (e *fakeEngine) ReplaceRule(def *ruledef.Def) (State, error) {
	e.mu.Lock()
	old, ok := e.rules[def.ID]
	e.mu.Unlock()
	state := NoState
	if ok && strings.Contains(old.def.SQL, "WINDOW") {
		state = StateAnew
		if old.def.SQL == def.SQL {
			state = StateKept
		}
	}
	return state, e.put(def)
}

func (e *fakeEngine) put(def *ruledef.Def) error {
	if _, err := e.ValidateRule(def); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old, ok := e.rules[def.ID]; ok {
		if err := ruledef.CheckVersion(def.ID, old.def.Version, def.Version); err != nil {
			return err
		}
	}
	status := "running"
	if !def.Triggered {
		status = "stopped"
	}
	e.rules[def.ID] = &fakeRule{def, append([]byte{}, def.Raw...), status}
	return nil
}

func (e *fakeEngine) rule(id string, do func(r *fakeRule) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.rules[id]
	if !ok {
		return fmt.Errorf("rule %q: %w", id, ruledef.ErrNotFound)
	}
	return do(r)
}

func (e *fakeEngine) setStatus(id, status string) error {
	return e.rule(id, func(r *fakeRule) error { r.status = status; return nil })
}

func (e *fakeEngine) DeleteRuleOutputs(id string) (int64, error) { return 3, e.DeleteRule(id) }

func (e *fakeEngine) DeleteRule(id string) error {
	return e.rule(id, func(*fakeRule) error { delete(e.rules, id); return nil })
}
func (e *fakeEngine) StartRule(id string) error   { return e.setStatus(id, "running") }
func (e *fakeEngine) StopRule(id string) error    { return e.setStatus(id, "stopped") }
func (e *fakeEngine) RestartRule(id string) error { return e.setStatus(id, "running") }

func (e *fakeEngine) RuleText(id string) (text []byte, err error) {
	err = e.rule(id, func(r *fakeRule) error { text = r.text; return nil })
	return text, err
}

func (e *fakeEngine) EditTags(id string, edit func([]string) []string) error {
	return e.rule(id, func(r *fakeRule) (err error) {
		r.def.Tags = edit(r.def.Tags)
		r.text, err = ruledef.Set(r.text, "tags", r.def.Tags)
		return err
	})
}

func (e *fakeEngine) RuleList() (infos []RuleInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, r := range e.rules {
		infos = append(infos, RuleInfo{ID: id, Name: r.def.Name, Status: r.status, Version: r.def.Version, Tags: r.def.Tags})
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].ID < infos[j].ID })
	return infos
}

func (e *fakeEngine) RuleHealth() (list []RuleHealth) {
	for _, r := range e.RuleList() {
		list = append(list, RuleHealth{ID: r.ID, Status: r.Status, LastException: `bad "x"`, Exceptions: 3})
	}
	return list
}

func (e *fakeEngine) RuleStatus(id string) (fields []StatusField, err error) {
	err = e.rule(id, func(r *fakeRule) error {
		fields = []StatusField{{"status", r.status}, {"message", ""}, {"lastStartTimestamp", int64(5)}, {"source_demo_0_records_in_total", uint64(7)}, {"source_demo_0_connection_status", -1}, {"x", 1.5}, {"b", true}}
		return nil
	})
	return fields, err
}

func (e *fakeEngine) ExplainRule(id string) (string, error) {
	return "{\"op\":\"ProjectPlan_0\"}\n", e.rule(id, func(*fakeRule) error { return nil })
}

func (e *fakeEngine) RuleTopo(id string) (Topo, error) {
	return Topo{Sources: []string{"source_demo"}, Edges: []TopoEdge{{"source_demo", []string{"op_2_decoder"}}, {"op_2_decoder", nil}}}, e.rule(id, func(*fakeRule) error { return nil })
}

func (e *fakeEngine) RuleSchema(id string) ([]string, error) {
	return []string{"b", "a"}, e.rule(id, func(*fakeRule) error { return nil })
}

func (e *fakeEngine) PutConfKey(kind ConfKind, typ, key string, props map[string]any) error {
	if typ == "nosuch" {
		return ruledef.Errorf(ruledef.CodeConfig, "source type %q does not exist", typ)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	group := string(kind) + "/" + typ
	if e.confs[group] == nil {
		e.confs[group] = map[string]map[string]any{}
	}
	e.confs[group][key] = props
	return nil
}

func (e *fakeEngine) DeleteConfKey(kind ConfKind, typ, key string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	group := string(kind) + "/" + typ
	if _, ok := e.confs[group][key]; !ok {
		return fmt.Errorf("key %q: %w", key, ruledef.ErrNotFound)
	}
	delete(e.confs[group], key)
	return nil
}

func (e *fakeEngine) ConfKeys(kind ConfKind, typ string) (map[string]map[string]any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.confs[string(kind)+"/"+typ], nil
}

func (e *fakeEngine) PutConnection(c Connection) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.Status = "connecting"
	e.conns[c.ID] = c
	return nil
}

func (e *fakeEngine) DeleteConnection(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id == "used" {
		return fmt.Errorf("connection used is used by rule r1: %w", ruledef.ErrInUse)
	}
	if _, ok := e.conns[id]; !ok {
		return ruledef.ErrNotFound
	}
	delete(e.conns, id)
	return nil
}

func (e *fakeEngine) ConnectionList() []Connection {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []Connection{{ID: "anon", Type: "mqtt", Status: "connected", RefCount: 2}}
	for _, c := range e.conns {
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}

// DefinitionsOf gives the rules and the streams that their texts name.
func (e *fakeEngine) DefinitionsOf(ids []string) (Definitions, error) {
	all, err := e.Definitions()
	part := Definitions{Rules: texts{}, Streams: texts{}}
	for _, id := range ids {
		text, ok := all.Rules[id]
		if !ok {
			return Definitions{}, ruledef.Errorf(ruledef.CodeNotFound, "rule %s is not found", id)
		}
		part.Rules[id] = text
		for name, sql := range all.Streams {
			if strings.Contains(text, "FROM "+name) {
				part.Streams[name] = sql
			}
		}
	}
	return part, err
}

func (e *fakeEngine) Definitions() (Definitions, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := Definitions{Streams: texts{}, Tables: texts{}, Rules: texts{}}
	for name, s := range e.streams {
		if s.def.Kind == Table {
			d.Tables[name] = s.sql
		} else {
			d.Streams[name] = s.sql
		}
	}
	for id, r := range e.rules {
		d.Rules[id] = string(r.text)
	}
	return d, nil
}

func (e *fakeEngine) ImportDefinitions(d Definitions) Definitions {
	errs := Definitions{Streams: texts{}, Tables: texts{}, Rules: texts{}, SourceConfig: texts{}, Schemas: texts{}}
	for name, text := range d.Schemas {
		if err := e.ReplaceSchema(Schema{Type: SchemaProtobuf, Name: name, Content: text}); err != nil {
			errs.Schemas[name] = err.Error()
		}
	}
	for name, sql := range d.Streams {
		if err := e.ReplaceStream(Stream, name, sql); err != nil {
			errs.Streams[name] = err.Error()
		}
	}
	for name, sql := range d.Tables {
		if err := e.ReplaceStream(Table, name, sql); err != nil {
			errs.Tables[name] = err.Error()
		}
	}
	for id, text := range d.Rules {
		def, err := ruledef.ParseFor(id, []byte(text), ruledef.DefaultOptions())
		if err == nil {
			err = e.put(def)
		}
		if err != nil {
			errs.Rules[id] = err.Error()
		}
	}
	for typ, text := range d.SourceConfig {
		var groups map[string]map[string]any
		if err := json.Unmarshal([]byte(text), &groups); err != nil {
			errs.SourceConfig[typ] = err.Error()
		}
		for key, props := range groups {
			if err := e.PutConfKey(ConfSources, typ, key, props); err != nil {
				errs.SourceConfig[typ] = err.Error()
			}
		}
	}
	return errs
}

func (e *fakeEngine) ReplaceDefinitions(d Definitions) Definitions {
	e.mu.Lock()
	e.streams, e.rules = map[string]fakeStream{}, map[string]*fakeRule{}
	e.mu.Unlock()
	return e.ImportDefinitions(d)
}

func (e *fakeEngine) Healthy() error { return e.health }

func (e *fakeEngine) Configure(settings map[string]any) error {
	if settings["logLevel"] == "loud" {
		return errors.New(`logLevel: want debug, info, warn or error, not "loud"`)
	}
	return nil
}

func (e *fakeEngine) Stop() { e.stopped++ }

func (e *fakeEngine) Functions() []FunctionInfo {
	return []FunctionInfo{{Name: "abs", Group: "math", Kind: "scalar", Signature: "abs(x)", Doc: "The absolute value.", Example: "abs(-1)"}}
}
func (e *fakeEngine) SourceTypes() []string { return []string{"file", "mqtt"} }
func (e *fakeEngine) SinkTypes() []string   { return []string{"log", "nop"} }
func (e *fakeEngine) LookupTypes() []string { return []string{"memory"} }

func (e *fakeEngine) PingConnection(_ context.Context, _ ConfKind, typ string, _ map[string]any) error {
	if typ == "dead" {
		return errors.New("dead: connection refused")
	}
	return nil
}

func (e *fakeEngine) CreateSchema(sc Schema) error {
	if _, ok := e.schemas[sc.Name]; ok {
		return ruledef.ErrExists
	}
	return e.ReplaceSchema(sc)
}

func (e *fakeEngine) ReplaceSchema(sc Schema) error {
	if !strings.Contains(sc.Content, "message") {
		return ruledef.Errorf(ruledef.CodeConfig, "schema %s: no message", sc.Name)
	}
	if e.schemas == nil {
		e.schemas = map[string]Schema{}
	}
	e.schemas[sc.Name] = sc
	return nil
}

func (e *fakeEngine) Schema(_, name string) (Schema, error) {
	sc, ok := e.schemas[name]
	if !ok {
		return sc, ruledef.ErrNotFound
	}
	return sc, nil
}

func (e *fakeEngine) SchemaList(string) ([]string, error) {
	return slices.Sorted(maps.Keys(e.schemas)), nil
}

func (e *fakeEngine) DeleteSchema(_, name string) error {
	if _, ok := e.schemas[name]; !ok {
		return ruledef.ErrNotFound
	}
	delete(e.schemas, name)
	return nil
}
