package lint

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxDirect is the number of modules that go.mod may require by itself. One more has
// a home, a line in ARCHITECTURE.md, and is weighed: "Weight of the build" in
// BENCHMARKS.md.
const maxDirect = 25

// link says which binaries link a module.
type link struct {
	module     string
	full, slim bool
}

// links is what the two binaries link of the modules that go.mod requires by itself,
// and of heavy ones that others bring along. A module has to be in it.
var links = []link{
	{"github.com/Masterminds/sprig/v3", true, true},
	{"github.com/bufbuild/protocompile", true, true},
	{"github.com/cockroachdb/pebble", true, true},
	{"github.com/eclipse/paho.mqtt.golang", true, true},
	{"github.com/goccy/go-yaml", true, true},
	{"github.com/golang-jwt/jwt/v5", true, true},
	{"github.com/google/uuid", true, true},
	{"github.com/klauspost/compress", true, true},
	{"github.com/mochi-mqtt/server/v2", true, true},
	{"github.com/ohler55/ojg", true, true},
	{"github.com/prometheus/client_golang", true, true},
	{"github.com/prometheus/common", true, true},
	{"github.com/robfig/cron/v3", true, true},
	{"github.com/segmentio/encoding", true, true},
	{"github.com/spf13/cobra", true, true},
	{"github.com/valyala/fastjson", true, true},
	{"golang.org/x/sys", true, true},
	{"google.golang.org/protobuf", true, true},
	// Databases.
	{"github.com/gomodule/redigo", true, false},
	{"modernc.org/sqlite", true, false},
	{"modernc.org/libc", true, false},
	// The second opinion on statements: see planner/sql.
	{"github.com/pingcap/tidb/pkg/parser", true, false},
	{"go.uber.org/zap", true, false},
	// What nobody has a use for but tests.
	{"github.com/alicebob/miniredis/v2", false, false},
	{"github.com/cockroachdb/datadriven", false, false},
	{"go.uber.org/goleak", false, false},
	// Arrow, until records leave the process, and what it brings along.
	{"github.com/apache/arrow/go/v15", false, false},
	{"github.com/goccy/go-json", false, false},
	{"github.com/google/flatbuffers", false, false},
}

// goList returns what go list says of packages, one a line, without repetitions.
func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	list := strings.Fields(string(out))
	slices.Sort(list)
	return slices.Compact(list)
}

// direct returns the modules that go.mod requires by itself.
func direct(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\t?(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(text), -1) {
		if m[2] == "" {
			list = append(list, m[1])
		}
	}
	return list
}

func TestModules(t *testing.T) {
	list := direct(t)
	if len(list) != maxDirect {
		t.Errorf("go.mod requires %d modules by itself, want %d: weigh what came (BENCHMARKS.md), or lower maxDirect", len(list), maxDirect)
	}
	for _, m := range list {
		if !slices.ContainsFunc(links, func(l link) bool { return l.module == m }) {
			t.Errorf("%s is not in the table of what the binaries link", m)
		}
	}
}

func TestLinks(t *testing.T) {
	const format = `{{with .Module}}{{.Path}}{{end}}`
	full, slim := goList(t, format, "-deps", "./cmd/weir"), goList(t, format, "-deps", "-tags", "slim", "./cmd/weir")
	for _, l := range links {
		if got := slices.Contains(full, l.module); got != l.full {
			t.Errorf("bin/weir links %s: %v, want %v", l.module, got, l.full)
		}
		if got := slices.Contains(slim, l.module); got != l.slim {
			t.Errorf("bin/weir-slim links %s: %v, want %v", l.module, got, l.slim)
		}
	}
	for _, tags := range []string{"", "slim"} {
		deps := goList(t, "{{.ImportPath}}", "-deps", "-tags", tags, "./cmd/weir")
		if !slices.Contains(deps, "time/tzdata") {
			t.Errorf("tags %q: time zones are not in the binary: import time/tzdata in cmd/weir", tags)
		}
		for _, p := range deps {
			if slices.Contains([]string{module + "internal/rowref", module + "internal/logictest", module + "vec/record"}, p) {
				t.Errorf("tags %q: cmd/weir links %s, which is for tests", tags, p)
			}
		}
	}
}

// TestParserLinks holds that what decodes, encodes, sends and speaks REST builds without
// a SQL parser: who works on it waits for none.
func TestParserLinks(t *testing.T) {
	rooms := []string{"./vec/...", "./ingest/...", "./sinks/...", "./internal/api", "./internal/config", "./internal/metrics", "./internal/mqttconn", "./internal/store", "./planner/ruledef"}
	for _, p := range goList(t, "{{.ImportPath}}", append([]string{"-deps"}, rooms...)...) {
		if strings.HasPrefix(p, "github.com/pingcap/") || p == module+"planner/sql" {
			t.Errorf("one of %s compiles %s", strings.Join(rooms, ", "), p)
		}
	}
}
