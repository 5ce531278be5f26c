package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
)

// Setting is one key that a flag sets.
type Setting struct {
	Path  string // data.dir
	Value string
	From  string // the flag, as the user types it
}

// Load reads the file, the environment (as os.Environ returns it) and the settings
// of flags, in rising order of precedence. An empty file name means that there is
// none. The error lists every fault, a line each.
func Load(file string, environ []string, flags []Setting) (*Config, error) {
	root := &node{kind: mappingNode, at: "line 1"}
	dir := ""
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if root, err = parseTree(text); err != nil {
			return nil, fmt.Errorf("config %s: %w", file, err)
		}
		dir = filepath.Dir(file)
	}
	c, err := build(root, environ, flags)
	if err != nil {
		if file != "" {
			return nil, prefixed("config "+file, err)
		}
		return nil, prefixed("config", err)
	}
	c.Dir = dir
	for path, name := range map[string]*string{
		"data.dir": &c.Data.Dir, "basic.mgmtDir": &c.Basic.MgmtDir,
		"basic.restTls.certfile": &c.Basic.RestTLS.CertFile, "basic.restTls.keyfile": &c.Basic.RestTLS.KeyFile,
		"mqtt.tls.certfile": &c.MQTT.TLS.CertFile, "mqtt.tls.keyfile": &c.MQTT.TLS.KeyFile,
	} {
		if strings.HasPrefix(c.origins[path], "line ") { // flags and variables mean the working directory
			*name = c.Path(*name)
		}
	}
	return c, nil
}

// prefixed puts prefix before every line of err.
func prefixed(prefix string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = prefix + ": " + l
	}
	return errors.New(strings.Join(lines, "\n"))
}

// build makes a Config of a tree and what overrides it.
func build(root *node, environ []string, flags []Setting) (*Config, error) {
	var errs []error
	warnings, envErrs := applyEnviron(root, environ)
	errs = append(errs, envErrs...)
	for _, f := range flags {
		if err := root.set(strings.Split(f.Path, "."), "flag "+f.From, f.Value); err != nil {
			errs = append(errs, err)
		}
	}
	c := Defaults()
	d := decoder{origins: map[string]string{}}
	d.decode(root, reflect.ValueOf(c).Elem(), "")
	c.origins = d.origins
	for _, f := range d.faults {
		errs = append(errs, f)
	}
	if len(d.faults) == 0 { // else half of the values are not what was meant
		for _, f := range c.check() {
			errs = append(errs, f)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.Warnings = append(append(warnings, d.warnings...), c.Rule.warnings()...)
	return c, nil
}

// applyEnviron puts variables into the tree: WEIR__SECTION__KEY,
// KUIPER__SECTION__KEY of an existing deployment (what weir does not know there
// is ignored with a warning), and MQTT_SOURCE__GROUP__KEY for groups of settings.
func applyEnviron(root *node, environ []string) (warnings []string, errs []error) {
	sorted := append([]string(nil), environ...)
	sort.Strings(sorted) // KUIPER__ before WEIR__, which wins
	for _, v := range sorted {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			continue
		}
		path := strings.Split(name, "__")
		if len(path) < 2 {
			continue
		}
		at := "environment " + name
		head := strings.ToUpper(path[0])
		typ, isSource := strings.CutSuffix(head, "_SOURCE")
		switch {
		case head == "WEIR":
			path = path[1:]
		case head == "KUIPER":
			path = path[1:]
			if !known(path) {
				warnings = append(warnings, fmt.Sprintf("%s: has no effect in weir", at))
				continue
			}
		case isSource && len(path) == 3:
			path = []string{"sources", strings.ToLower(typ), path[1], path[2]}
		default:
			continue
		}
		if len(path) == 4 && isGroups(path[0]) {
			path[1], path[2], path[3] = strings.ToLower(path[1]), strings.ToLower(path[2]), property(path[3])
		}
		if err := root.set(path, at, value); err != nil {
			errs = append(errs, err)
		}
	}
	return warnings, errs
}

// known tells whether a path names a key of Config.
func known(path []string) bool {
	t := reflect.TypeFor[Config]()
	for _, name := range path {
		if t.Kind() != reflect.Struct {
			return false
		}
		i, _ := fieldOf(t, name)
		if i < 0 {
			return false
		}
		t = t.Field(i).Type
		if t == groupsType {
			return len(path) == 4
		}
	}
	return t.Kind() != reflect.Struct
}

func isGroups(section string) bool {
	i, _ := fieldOf(reflect.TypeFor[Config](), section)
	return i >= 0 && reflect.TypeFor[Config]().Field(i).Type == groupsType
}

// properties are the settings of sources and sinks that are not all in lower
// case: variables have no case of their own.
var properties = []string{
	"protocolVersion", "certificationPath", "privateKeyPath", "rootCaPath", "certificationRaw", "privateKeyRaw", "rootCARaw",
	"insecureSkipVerify", "tlsMinVersion", "renegotiationSupport", "connectionSelector", "enableClientSession", "eofMessage", "bufferLength",
	"kubeedgeVersion", "kubeedgeModelFile", "kubeedgeFormat", "useInt64ForWholeNumber", "keepAlive", "bodyType", "responseType",
	"fileType", "sendInterval", "actionAfterRead", "moveTo", "hasHeader", "ignoreStartLines", "ignoreEndLines", "payloadField", "payloadFormat",
}

// property returns the spelling of a setting that a variable names.
func property(name string) string {
	for _, p := range properties {
		if strings.EqualFold(p, name) {
			return p
		}
	}
	return strings.ToLower(name)
}
