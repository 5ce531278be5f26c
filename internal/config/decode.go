package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
)

// fault is one thing that is wrong with the settings.
type fault struct {
	at, text string
}

func (f fault) Error() string { return f.at + ": " + f.text }

// decoder fills a Config from a tree and collects what is wrong.
type decoder struct {
	faults   []fault
	warnings []string
	origins  map[string]string
}

func (d *decoder) fail(n *node, format string, args ...any) {
	d.faults = append(d.faults, fault{n.at, fmt.Sprintf(format, args...)})
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
	groupsType   = reflect.TypeFor[Groups]()
)

// decode sets v from n. path is the name of v.
func (d *decoder) decode(n *node, v reflect.Value, path string) {
	if n.kind == nullNode {
		return // a key without a value leaves the default
	}
	if v.Type() == groupsType {
		d.groups(n, v.Interface().(Groups), path)
		return
	}
	if v.Kind() == reflect.Struct {
		d.section(n, v, path)
		return
	}
	if n.kind != scalarNode {
		d.fail(n, "%s: want %s, not %s", path, typeName(v.Type()), n.what())
		return
	}
	if err := setScalar(n, v); err != nil {
		d.fail(n, "%s: %v", path, err)
		return
	}
	d.origins[path] = n.at
}

// section decodes a mapping into a struct.
func (d *decoder) section(n *node, v reflect.Value, path string) {
	if n.kind != mappingNode {
		d.fail(n, "%s: want a section, not %s", path, n.what())
		return
	}
	for _, e := range n.keys {
		name := join(path, e.name)
		field, spelled := fieldOf(v.Type(), e.name)
		switch {
		case field >= 0:
			d.decode(e.node, v.Field(field), join(path, spelled))
		case isIgnored(name):
			d.warnings = append(d.warnings, fmt.Sprintf("%s: %s has no effect in weir", e.node.at, name))
		default:
			d.faults = append(d.faults, fault{e.node.at, name + ": unknown key" + props.Hint(e.name, keysOf(v.Type()))})
		}
	}
}

// join adds a name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldOf finds a field by its key, in any case: the environment has only one.
func fieldOf(t reflect.Type, key string) (index int, spelled string) {
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("key"); k != "" && k != "-" && strings.EqualFold(k, key) {
			return i, k
		}
	}
	return -1, ""
}

func isIgnored(path string) bool {
	for _, p := range ignored {
		if below, ok := strings.CutSuffix(p, "*"); ok && len(path) > len(below) && strings.EqualFold(path[:len(below)], below) || strings.EqualFold(p, path) {
			return true
		}
	}
	return false
}

// keysOf lists the keys of t.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("key"); k != "" && k != "-" {
			keys = append(keys, k)
		}
	}
	return keys
}

// typeName is what a value of type t is called in errors.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 10s"
	case t == bytesType:
		return "a size such as 64MB"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	default:
		return "text"
	}
}

// setScalar sets v, of a type that Config has, from a scalar.
func setScalar(n *node, v reflect.Value) error {
	wrong := fmt.Errorf("want %s, not %s", typeName(v.Type()), n.what())
	value := n.value
	switch {
	case v.Type() == durationType:
		dur, ok := props.Span(value)
		if !ok {
			return wrong
		}
		v.SetInt(int64(dur))
	case v.Type() == bytesType:
		b, err := ParseBytes(fmt.Sprint(value))
		if _, float := value.(float64); err != nil || float {
			return wrong
		}
		v.SetInt(int64(b))
	case v.Kind() == reflect.Bool:
		if s, ok := value.(string); ok && n.text {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return wrong
			}
			value = b
		}
		b, ok := value.(bool)
		if !ok {
			return wrong
		}
		v.SetBool(b)
	case v.Kind() == reflect.Int:
		i, ok := whole(value, n.text)
		if !ok {
			return wrong
		}
		v.SetInt(i)
	case v.Kind() == reflect.String:
		s, ok := value.(string)
		if !ok {
			// An unquoted number where text is wanted is what was meant.
			s = fmt.Sprint(value)
		}
		v.SetString(s)
	default:
		panic("bug: config field of type " + v.Type().String())
	}
	return nil
}

// whole reads an integer, from text too if that is allowed.
func whole(v any, text bool) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case uint64:
		return int64(x), x <= math.MaxInt64
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64)
		return i, text && err == nil
	default:
		return 0, false
	}
}

// groups decodes settings of types that config does not know.
func (d *decoder) groups(n *node, into Groups, path string) {
	if n.kind != mappingNode {
		d.fail(n, "%s: want a section by type, not %s", path, n.what())
		return
	}
	for _, typ := range n.keys {
		if typ.node.kind == nullNode {
			continue
		}
		if typ.node.kind != mappingNode {
			d.fail(typ.node, "%s.%s: want a section by group, not %s", path, typ.name, typ.node.what())
			continue
		}
		for _, group := range typ.node.keys {
			d.group(group, into, path, strings.ToLower(typ.name))
		}
	}
}

func (d *decoder) group(e entry, into Groups, path, typ string) {
	if e.node.kind != mappingNode && e.node.kind != nullNode {
		d.fail(e.node, "%s.%s.%s: want a group of settings, not %s", path, typ, e.name, e.node.what())
		return
	}
	props := map[string]any{}
	for _, p := range e.node.keys {
		props[p.name] = free(p.node)
		d.origins[strings.Join([]string{path, typ, strings.ToLower(e.name), p.name}, ".")] = p.node.at
	}
	if into[typ] == nil {
		into[typ] = map[string]map[string]any{}
	}
	into[typ][strings.ToLower(e.name)] = props
}

// free returns the value of a node whose type nobody declared.
func free(n *node) any {
	switch n.kind {
	case nullNode:
		return nil
	case listNode:
		list := make([]any, len(n.list))
		for i, c := range n.list {
			list[i] = free(c)
		}
		return list
	case mappingNode:
		m := make(map[string]any, len(n.keys))
		for _, e := range n.keys {
			m[e.name] = free(e.node)
		}
		return m
	}
	// What comes from the environment stays text, as which numbers and booleans are
	// taken too: a password may be 0123.
	if u, ok := n.value.(uint64); ok && u <= math.MaxInt64 {
		return int64(u)
	}
	return n.value
}
