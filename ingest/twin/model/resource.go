package model

import "strings"

// document reads one document of a model file in any of its forms.
func (b *builder) document(n *node) {
	switch {
	case n.kind == nullNode:
	case n.kind == listNode:
		for _, x := range n.items {
			b.document(x)
		}
	case n.kind != mapNode:
		b.fault(n, "want an object, found %s", n.kind)
	case n.get("deviceModels") != nil || n.get("deviceInstances") != nil:
		b.profile(n)
	case n.get("kind") != nil:
		b.resource(n)
	default:
		b.fault(n, "want deviceModels, or a resource with kind DeviceModel or Device")
	}
}

// profile reads deviceProfile.json and eKuiper's short form of it.
func (b *builder) profile(n *node) {
	for _, m := range b.list(n, "deviceModels") {
		b.model(m, "", b.name(m, "deviceModels"), m, "dataType")
	}
	for _, d := range b.list(n, "deviceInstances") {
		name := b.text(d, "name")
		id := b.text(d, "id")
		if name == "" {
			name = id
		}
		if name == "" {
			b.fault(d, "deviceInstances: want id or name")
			continue
		}
		b.addDevice(d, "", name, id, b.text(d, "model"))
	}
}

// resource reads a Kubernetes resource. Kinds that are not ours are passed
// over: files for kubectl hold all sorts.
func (b *builder) resource(n *node) {
	kind := b.text(n, "kind")
	switch {
	case strings.EqualFold(kind, "List"), strings.EqualFold(kind, "DeviceModelList"), strings.EqualFold(kind, "DeviceList"):
		for _, x := range b.list(n, "items") {
			if x.get("kind") == nil { // a typed list leaves it out
				x.fields = append(x.fields, field{"kind", &node{line: x.line, col: x.col, text: strings.TrimSuffix(kind, "List")}})
			}
			b.document(x)
		}
	case strings.EqualFold(kind, "DeviceModel"):
		meta, spec := b.object(n, "metadata"), b.object(n, "spec")
		if meta != nil && spec != nil {
			b.model(n, b.namespace(meta), b.name(meta, "metadata"), spec, "type")
		}
	case strings.EqualFold(kind, "Device"):
		meta, spec := b.object(n, "metadata"), b.object(n, "spec")
		if meta != nil && spec != nil {
			if name := b.name(meta, "metadata"); name != "" {
				b.addDevice(n, b.namespace(meta), name, "", b.text(spec.get("deviceModelRef"), "name"))
			}
		}
	}
}

// namespace returns the namespace of a resource; kubectl's default is "default".
func (b *builder) namespace(meta *node) string {
	if ns := b.text(meta, "namespace"); ns != "" {
		return ns
	}
	return "default"
}

func (b *builder) addDevice(at *node, namespace, name, id, model string) {
	if model == "" {
		model = name // nothing refers to a model: try one of the device's name
	}
	b.devices = append(b.devices, device{
		namespace: b.intern(namespace), name: name, id: id,
		modelNamespace: b.intern(namespace), model: b.intern(model), position: b.position(at),
	})
}

// model reads a model whose properties, with their type under typeKey, are in
// spec. One of the same name in a later place replaces it.
func (b *builder) model(at *node, namespace, name string, spec *node, typeKey string) {
	if name == "" {
		return // reported
	}
	m := &Model{Namespace: namespace, Name: name}
	for _, p := range b.list(spec, "properties") {
		if prop, ok := b.property(p, name, typeKey); ok {
			m.Properties = append(m.Properties, prop)
		}
	}
	for i, x := range b.models {
		if x.Name == name && x.Namespace == namespace {
			b.models[i] = m
			return
		}
	}
	b.models = append(b.models, m)
}

// property reads one property. Its type is a name, or (until v1alpha2) an
// object whose one key is the name and whose value holds the other facts.
func (b *builder) property(p *node, model, typeKey string) (Property, bool) {
	if p.kind != mapNode {
		b.fault(p, "model %q: properties: want an object, found %s", model, p.kind)
		return Property{}, false
	}
	out := Property{Name: b.intern(b.text(p, "name")), Type: String}
	if out.Name == "" {
		b.fault(p, "model %q: properties: want name", model)
		return Property{}, false
	}
	facts, typ := p, p.get(typeKey)
	if typ == nil {
		typ = p.get("type") // people mix the forms
	}
	if typ == nil {
		typ = p.get("dataType")
	}
	if typ != nil {
		name := typ.text
		if typ.kind == mapNode && len(typ.fields) > 0 {
			name, facts = typ.fields[0].key, typ.fields[0].val
		}
		if typ.kind == listNode || len(typ.fields) > 1 {
			b.fault(typ, "model %q: property %q: want one type, found %s", model, out.Name, typ.kind)
			return Property{}, false
		}
		if out.Type = ParseType(name); out.Type == Unknown && name != "" {
			b.fault(typ, "model %q: property %q: unknown type %q (want int, float, double, string, boolean, bytes or stream)", model, out.Name, name)
			return Property{}, false
		} else if name == "" {
			out.Type = String
		}
	}
	out.Unit = b.intern(b.text(facts, "unit"))
	out.Min, out.Max = b.text(facts, "minimum"), b.text(facts, "maximum")
	return out, true
}

// text returns the scalar under key, or "".
func (b *builder) text(n *node, key string) string {
	v := n.get(key)
	if v == nil {
		return ""
	}
	if v.kind != scalarNode {
		b.fault(v, "%s: want a text, found %s", key, v.kind)
		return ""
	}
	return v.text
}

// name is text for a name that must be there.
func (b *builder) name(n *node, what string) string {
	if n.kind != mapNode {
		b.fault(n, "%s: want an object, found %s", what, n.kind)
		return ""
	}
	v := n.get("name")
	if v == nil || v.kind == scalarNode && v.text == "" {
		b.fault(n, "%s: want name", what)
		return ""
	}
	return b.text(n, "name")
}

// list returns the items under key; none if there is no such key.
func (b *builder) list(n *node, key string) []*node {
	v := n.get(key)
	if v == nil {
		return nil
	}
	if v.kind != listNode {
		b.fault(v, "%s: want a list, found %s", key, v.kind)
	}
	return v.items
}

func (b *builder) object(n *node, key string) *node {
	v := n.get(key)
	if v == nil {
		b.fault(n, "%s: want %s", b.text(n, "kind"), key)
		return nil
	}
	if v.kind != mapNode {
		b.fault(v, "%s: want an object, found %s", key, v.kind)
		return nil
	}
	return v
}
