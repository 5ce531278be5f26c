package engine

import (
	"cmp"
	"slices"

	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/vec"
)

// StreamSchema returns the columns of a definition: those that it declares, or else
// the properties of its device models and what running rules read, by name.
func (e *Engine) StreamSchema(kind api.StreamKind, name string) ([]api.Field, error) {
	e.mu.RLock()
	s := e.mu.streams[name]
	if s == nil || s.inline || s.def.Table != (kind == api.Table) {
		e.mu.RUnlock()
		return nil, ruledef.ErrNotFound
	}
	declared := s.fields()
	var read []vec.ColumnSpec
	if s.builder != nil {
		read = s.builder.Columns()
	}
	given, err := e.propsLocked(s)
	e.mu.RUnlock()
	root := api.Field{Fields: []api.Field{}}
	if declared != nil {
		for _, f := range declared {
			root.Fields = append(root.Fields, describe(f.Name, f.Type))
		}
		return root.Fields, nil
	}
	if o, isTwin, bad := twin.ParseProps(given, e.models.Load); err == nil && bad == nil && isTwin {
		for name, t := range o.Columns() {
			root.Fields = append(root.Fields, modelled(name, t))
		}
	}
	for _, c := range read {
		if !c.Meta {
			enterField(&root, c.Path, c.Type)
		}
	}
	slices.SortFunc(root.Fields, func(a, b api.Field) int { return cmp.Compare(a.Name, b.Name) })
	return root.Fields, nil
}

// modelled is a property of a device model as a column.
func modelled(name string, t model.Type) api.Field {
	kinds := map[model.Type]vec.Kind{model.Int: vec.Int64, model.Float: vec.Float64, model.Bool: vec.Bool, model.String: vec.String, model.Bytes: vec.String}
	if k, ok := kinds[t]; ok {
		return describe(name, vec.Type{Kind: k})
	}
	return api.Field{Name: name}
}

// enterField adds what path leads to in f, of type t if that is not the zero one.
func enterField(f *api.Field, path []string, t vec.Type) {
	if len(path) == 0 {
		return
	}
	i := slices.IndexFunc(f.Fields, func(x api.Field) bool { return x.Name == path[0] })
	if i < 0 {
		i = len(f.Fields)
		f.Fields = append(f.Fields, api.Field{Name: path[0]})
	}
	at := &f.Fields[i]
	switch {
	case len(path) > 1:
		at.Type = "struct"
		enterField(at, path[1:], t)
	case at.Type == "" && t.Kind != vec.Missing:
		*at = describe(at.Name, t)
	}
}
