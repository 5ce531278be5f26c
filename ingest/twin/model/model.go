// Package model reads device models of KubeEdge, in any of the forms that their
// files have: what a property's type is, and which device has which model. Files
// are read once, whole; a fault in one refuses all, with its place. It knows no
// messages.
package model

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxModelBytes bounds one model file. A ConfigMap holds 1 MiB; a dump of ten
// thousand devices by kubectl has about 15.
const maxModelBytes = 64 << 20

// Property is one property of a device model.
type Property struct {
	Name string
	Type Type
	Unit string
	Min  string // as written; "" for none
	Max  string
}

// Model lists the properties that devices of one kind have.
type Model struct {
	Namespace  string // "" in files that know no namespaces
	Name       string
	Properties []Property

	// Missing says that a device names this model and no file has it: it has no
	// properties.
	Missing bool

	byName map[string]int // exact and lower-case names -> Properties
}

// Property returns the property called name: with this very name, or else in
// another case. It returns nil if there is none; a nil model has none.
func (m *Model) Property(name string) *Property {
	if m == nil {
		return nil
	}
	i, ok := m.byName[name]
	if !ok {
		if i, ok = m.byName[strings.ToLower(name)]; !ok {
			return nil
		}
	}
	return &m.Properties[i]
}

func (m *Model) index() {
	m.byName = make(map[string]int, len(m.Properties))
	for i := len(m.Properties) - 1; i >= 0; i-- {
		m.byName[strings.ToLower(m.Properties[i].Name)] = i
	}
	for i, p := range m.Properties {
		m.byName[p.Name] = i
	}
}

// Models is what one or several model files say about devices. It is immutable
// and safe for concurrent use.
type Models struct {
	// Models are all models, in the order of the files.
	Models []*Model
	// Warnings tell what is odd in the files but no reason to refuse them, such
	// as a device whose model is missing: its properties stay text.
	Warnings []string

	devices map[string]*Model // exact: "ns/name", "name", instance id
	folded  map[string]*Model // the same in lower case, and models by name
	common  *Model
	props   map[string][]*Model // those that have a property, by its lower-case name
}

// HasProperty tells whether some model has the property name, in any case.
func (m *Models) HasProperty(name string) bool {
	return m != nil && m.props[strings.ToLower(name)] != nil
}

// Device returns the model of a device by what its topic says, or nil if no
// file knows it. Exact names win over names in another case.
func (m *Models) Device(namespace, name string) *Model {
	if m == nil || name == "" {
		return nil
	}
	id := name
	if namespace != "" {
		id = namespace + "/" + name
	}
	for _, key := range [...]string{id, name} {
		if d, ok := m.devices[key]; ok {
			return d
		}
	}
	for _, key := range [...]string{id, name} {
		if d, ok := m.folded[strings.ToLower(key)]; ok {
			return d
		}
	}
	return nil
}

// Load reads a model file, or all .json, .yaml and .yml files of a directory.
// A relative path is one below dir. The error names every fault with its file
// and place.
func Load(path, dir string) (*Models, error) {
	if path == "" {
		return nil, errors.New("device model: no file given")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("device model: %w", err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = modelFiles(path); err != nil {
			return nil, fmt.Errorf("device model: %w", err)
		}
	}
	b := newBuilder()
	for _, f := range files {
		data, err := readModel(f)
		if err != nil {
			b.errs = append(b.errs, err)
			continue
		}
		b.file(filepath.Base(f), data)
	}
	return b.build(path)
}

// modelFiles lists the files of a directory by name. ConfigMap volumes hold
// links beside hidden directories, whose names begin with two dots.
func modelFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch strings.ToLower(filepath.Ext(path)) {
		case ".json", ".yaml", ".yml":
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && e.Name()[0] != '.' {
				files = append(files, path)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%q has no .json, .yaml or .yml file", dir)
	}
	return files, nil
}

func readModel(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxModelBytes {
		return nil, fmt.Errorf("%q: %d bytes are more than the limit of %d", path, info.Size(), maxModelBytes)
	}
	return os.ReadFile(path)
}

// builder collects models and devices of all files before it ties them
// together: a device may stand before its model, or in another file.
type builder struct {
	models  []*Model
	devices []device
	errs    []error
	source  string
	texts   map[string]string
}

type device struct {
	namespace, name, id string
	modelNamespace      string
	model               string
	position            string
}

func newBuilder() *builder { return &builder{texts: map[string]string{}} }

// intern keeps one copy of a text: a file repeats few names very often.
func (b *builder) intern(s string) string {
	if t, ok := b.texts[s]; ok {
		return t
	}
	s = strings.Clone(s)
	b.texts[s] = s
	return s
}

func (b *builder) fault(n *node, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%s: %s", b.position(n), fmt.Sprintf(format, args...)))
}

func (b *builder) position(n *node) string {
	return fmt.Sprintf("%s:%d:%d", b.source, n.line, n.col)
}

func (b *builder) file(name string, data []byte) {
	b.source = name
	if len(bytes.TrimSpace(data)) == 0 {
		b.errs = append(b.errs, fmt.Errorf("%s: file is empty", name))
		return
	}
	docs, err := parseNodes(data)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("%s:%w", name, err))
		return
	}
	for _, d := range docs {
		b.document(d)
	}
}

// build ties devices to models.
func (b *builder) build(path string) (*Models, error) {
	if len(b.errs) > 0 {
		return nil, fmt.Errorf("device model: %w", errors.Join(b.errs...))
	}
	if len(b.models) == 0 {
		return nil, fmt.Errorf("device model: %s: has no device model (want deviceModels, or resources of kind DeviceModel)", path)
	}
	m := &Models{Models: b.models, devices: map[string]*Model{}, folded: map[string]*Model{}, props: map[string][]*Model{}}
	byName := map[string]*Model{}
	for _, x := range slices.Backward(b.models) {
		x.index()
		byName[x.Name] = x
		// Without devices a model's name is the device's: eKuiper's short form.
		m.folded[strings.ToLower(x.Name)] = x
	}
	for _, x := range b.models {
		byName[x.Namespace+"/"+x.Name] = x
		for _, p := range x.Properties {
			name := strings.ToLower(p.Name)
			if have := m.props[name]; len(have) == 0 || have[len(have)-1] != x {
				m.props[name] = append(have, x)
			}
		}
	}
	m.common = m.agreed()
	var orphans []device
	for _, d := range b.devices {
		x := byName[d.modelNamespace+"/"+d.model]
		if x == nil {
			x = byName[d.model]
		}
		if x == nil {
			m.Warnings = append(m.Warnings, fmt.Sprintf("%s: device %q: model %q is in none of the files; its properties stay text", d.position, d.name, d.model))
			orphans = append(orphans, d)
			continue
		}
		m.add(d, x)
	}
	for _, d := range orphans {
		if m.Device(d.namespace, d.name) == nil {
			m.add(d, &Model{Namespace: d.modelNamespace, Name: d.model, Missing: true})
		}
	}
	return m, nil
}

// add enters d under every name that a topic may call it. The full names of
// two devices differ; a short one that several have belongs to the first.
func (m *Models) add(d device, x *Model) {
	put := func(to map[string]*Model, key string, force bool) {
		if _, taken := to[key]; key != "" && (!taken || force) {
			to[key] = x
		}
	}
	if d.namespace != "" {
		full := d.namespace + "/" + d.name
		put(m.devices, full, true)
		put(m.folded, strings.ToLower(full), true)
	}
	put(m.devices, d.id, true)
	put(m.devices, d.name, false)
	put(m.folded, strings.ToLower(d.id), false)
	put(m.folded, strings.ToLower(d.name), true)
}
