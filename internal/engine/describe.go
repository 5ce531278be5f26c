package engine

import (
	"sort"
	"strings"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// StreamList returns the definitions of a kind.
func (e *Engine) StreamList(kind api.StreamKind) []api.StreamInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := []api.StreamInfo{}
	for _, s := range e.mu.streams {
		if s.inline || s.def.Table != (kind == api.Table) {
			continue
		}
		out = append(out, api.StreamInfo{
			Name: s.name, Type: s.typ(), Format: or(s.def.Options.Format, "json"), Lookup: s.lookup(),
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// typ returns the source type.
func (s *stream) typ() string {
	if s.def.Table {
		return strings.ToLower(or(s.def.Options.Type, tableType))
	}
	return strings.ToLower(or(s.def.Options.Type, streamType))
}

// DescribeStream returns one definition.
func (e *Engine) DescribeStream(kind api.StreamKind, name string) (api.StreamDef, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.mu.streams[name]
	if s == nil || s.inline || s.def.Table != (kind == api.Table) {
		return api.StreamDef{}, ruledef.ErrNotFound
	}
	d := api.StreamDef{Kind: kind, Name: name, Options: options(&s.def.Options)}
	for _, f := range s.def.Fields {
		d.Fields = append(d.Fields, describe(f.Name, f.Type))
	}
	return d, nil
}

func describe(name string, t vec.Type) api.Field {
	f := api.Field{Name: name, Type: t.Kind.String()}
	switch {
	case t.Array():
		f.Type = "array"
		el := describe("", *t.Elem)
		f.Elem = &el
	case t.Kind == vec.JSON:
		f.Type = "struct"
		for _, x := range t.Fields {
			f.Fields = append(f.Fields, describe(x.Name, x.Type))
		}
	}
	return f
}

// options lists the options that a definition gave.
func options(o *sql.StreamOptions) []api.Option {
	var out []api.Option
	text := func(key, v string) {
		if v != "" {
			out = append(out, api.Option{Key: key, Value: v})
		}
	}
	flag := func(key string, v bool) {
		if v {
			out = append(out, api.Option{Key: key, Value: true})
		}
	}
	text("DATASOURCE", o.DataSource)
	text("TYPE", o.Type)
	text("FORMAT", o.Format)
	text("CONF_KEY", o.ConfKey)
	text("KEY", o.Key)
	text("SCHEMAID", o.SchemaID)
	flag("STRICT_VALIDATION", o.StrictValidation)
	text("TIMESTAMP", o.Timestamp)
	text("TIMESTAMP_FORMAT", o.TimestampFormat)
	flag("SHARED", o.Shared)
	text("KIND", o.Kind)
	if o.RetainSize > 0 {
		out = append(out, api.Option{Key: "RETAIN_SIZE", Value: o.RetainSize})
	}
	text("DELIMITER", o.Delimiter)
	text("VERSION", o.Version)
	flag("TEMP", o.Temp)
	return out
}
