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
			Name: s.name, Type: given(s.def, "TYPE", s.typ()), Format: given(s.def, "FORMAT", "json"), Lookup: s.lookup(),
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
	d := api.StreamDef{Kind: kind, Name: name, Options: options(s.def)}
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

// options lists the options that a definition gave, as it wrote them. Those that are
// true or false, and numbers, are such in JSON; as in eKuiper false is not listed.
func options(c *sql.Create) []api.Option {
	var out []api.Option
	for _, o := range c.Given {
		v := any(o.Value)
		switch o.Key {
		case "SHARED", "STRICT_VALIDATION", "TEMP":
			if v = true; strings.EqualFold(o.Value, "false") {
				continue
			}
		case "RETAIN_SIZE":
			v = c.Options.RetainSize
		}
		out = append(out, api.Option{Key: o.Key, Value: v})
	}
	return out
}

// given returns an option as it is written, or def if it is not given.
func given(c *sql.Create, key, def string) string {
	for _, o := range c.Given {
		if o.Key == key && o.Value != "" {
			return o.Value
		}
	}
	return def
}
