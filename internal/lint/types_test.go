package lint

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// noTypes are the packages below ingest and sinks that are no type of source,
// lookup table or sink: what types share, and formats.
var noTypes = []string{"ingest/source", "ingest/lookup", "ingest/twin", "ingest/twin/model", "sinks/encode"}

// registers tells whether a file of the engine is one in which types are
// registered.
func (s *source) registers() bool {
	return path.Dir(s.path) == "internal/engine" && strings.HasPrefix(path.Base(s.path), "types")
}

// registered lists the names under which a file registers types: keys of maps and
// of assignments to them.
func (s *source) registered() (names []string) {
	add := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if name, err := strconv.Unquote(l.Value); err == nil {
				names = append(names, name)
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			add(n.Key)
		case *ast.IndexExpr:
			add(n.Index)
		}
		return true
	})
	return names
}

// checkTypes reports where the engine knows a type, though it should ask the
// registry.
func (s *source) checkTypes(names []string) {
	const instead = "what a type has of its own it says in source.Type, lookup.Type or sinks.Target; types.go registers it"
	for _, imp := range s.file.Imports {
		ours, _ := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
		below := (covers("ingest/...", ours) || covers("sinks/...", ours)) && strings.Contains(ours, "/")
		if below && !slices.Contains(noTypes, ours) || ours == "internal/mqttconn" {
			s.fault("types", imp, "the engine imports the type "+ours, instead)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field: // with its tag
			return n.Tag == nil
		case *ast.BasicLit:
			if name, err := strconv.Unquote(n.Value); err == nil && slices.Contains(names, name) {
				s.fault("types", n, "the engine names the type "+name, instead)
			}
		}
		return true
	})
}

// TestTypes holds that a connector is a package and a line: the engine names types
// of sources, lookup tables and sinks where they are registered and nowhere else.
func TestTypes(t *testing.T) {
	var names []string
	var rest []*source
	sources(t, func(s *source) {
		switch {
		case s.test || !strings.HasPrefix(s.path, "internal/engine/"):
		case s.registers():
			names = append(names, s.registered()...)
		default:
			rest = append(rest, s)
		}
	})
	for _, known := range []string{"mqtt", "memory", "redis", "rest"} {
		if !slices.Contains(names, known) {
			t.Errorf("types.go registers %q, but that is not seen: found %q", known, names)
		}
	}
	for _, s := range rest {
		s.checkTypes(names)
	}
}

// TestTypesRule tests the rule.
func TestTypesRule(t *testing.T) {
	for _, c := range []struct {
		imp, body, want string
	}{
		{"ingest/mqtt", "", "imports the type ingest/mqtt"},
		{"ingest/lookup/redis", "", "imports the type ingest/lookup/redis"},
		{"sinks/nop", "", "imports the type sinks/nop"},
		{"internal/mqttconn", "", "imports the type internal/mqttconn"},
		{"ingest/lookup", "", ""},
		{"sinks", "", ""},
		{"sinks/encode", "", ""},
		{"vec/rawjson", "", ""},
		{"ingest", `_ = s.typ() == "mqtt"`, "names the type mqtt"},
		{"ingest", `switch s.typ() { case "log": }`, "names the type log"},
		{"ingest", `_ = "mqtt broker"`, ""},
	} {
		var got faults
		s, err := newSource(&got, "internal/engine/a.go", []byte("package engine\n\nimport \""+module+c.imp+"\"\n\nfunc g() {\n"+c.body+"\n}\n"))
		if err != nil {
			t.Fatal(err)
		}
		s.checkTypes([]string{"mqtt", "log"})
		if (c.want == "") != (len(got) == 0) || c.want != "" && !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %s: got %q, want %q", c.imp, c.body, got, c.want)
		}
	}
}
