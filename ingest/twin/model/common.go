package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxDisputes bounds the warnings about properties on which models disagree.
const maxDisputes = 20

// Common returns the model of devices that stand in no file: a property has the
// type on which all models that have it agree. One on which they do not has the
// type Unknown. It is nil for no models.
func (m *Models) Common() *Model {
	if m == nil {
		return nil
	}
	return m.common
}

// agreed makes the common model. Each spelling of a property is asked for by
// itself, since each model answers by spelling first.
func (m *Models) agreed() *Model {
	common := &Model{byName: map[string]int{}}
	for _, folded := range slices.Sorted(maps.Keys(m.props)) {
		spellings := map[string]bool{folded: true}
		for _, x := range m.props[folded] {
			for _, p := range x.Properties {
				if strings.ToLower(p.Name) == folded {
					spellings[p.Name] = true
				}
			}
		}
		for name := range spellings {
			common.byName[name] = len(common.Properties)
			common.Properties = append(common.Properties, Property{Name: name, Type: agreement(m.props[folded], name)})
		}
	}
	return common
}

// agreement returns the type that all of models give to the property name, if they
// give one.
func agreement(models []*Model, name string) Type {
	typ := Unknown
	for _, x := range models {
		switch p := x.Property(name); {
		case p == nil || p.Type == Unknown: // a property without a type agrees with all
		case typ == Unknown:
			typ = p.Type
		case typ != p.Type:
			return Unknown
		}
	}
	return typ
}

// Names returns the properties of all models as the first that has one spells it,
// sorted.
func (m *Models) Names() []string {
	if m == nil {
		return nil
	}
	var out []string
	for folded, models := range m.props {
		out = append(out, models[0].Property(folded).Name)
	}
	slices.Sort(out)
	return out
}

// Disputes tells of each property on which models disagree, up to a bound.
func (m *Models) Disputes() []string {
	var out []string
	for _, name := range m.Names() {
		if m.common.Property(name).Type != Unknown {
			continue
		}
		if len(out) == maxDisputes {
			return append(out, "device model: there are more properties on which models disagree")
		}
		out = append(out, fmt.Sprintf("device model: property %q is %s; it stays text for devices that are in none of the files", name, m.sides(name)))
	}
	return out
}

// sides says which type a property has in the first model that gives it one.
func (m *Models) sides(name string) string {
	var out []string
	seen := map[Type]bool{}
	for _, x := range m.props[strings.ToLower(name)] {
		if t := x.Property(name).Type; !seen[t] {
			seen[t] = true
			out = append(out, fmt.Sprintf("%s in model %q", t, x.Name))
		}
	}
	return strings.Join(out, ", ")
}
