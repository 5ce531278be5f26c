package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weir-engine/weir/"

// rooms is the table of ARCHITECTURE.md: what a package may import of ours. A
// name that ends in /... stands for everything below and for the package itself.
// The first entry that fits decides.
var rooms = []struct {
	room string
	may  []string
}{
	{"vec", []string{"internal/invariants"}},
	{"vec/...", []string{"vec", "internal/invariants"}},
	{"planner/sql", []string{"vec"}},
	{"planner/ruledef", []string{"internal/props"}},
	{"planner/graph", []string{"vec", "planner", "planner/sql", "planner/ruledef"}},
	{"planner", []string{"vec/...", "planner/sql"}},
	{"exec/fn", []string{"vec/...", "planner"}},
	{"exec/scalar", []string{"vec/...", "planner", "exec/fn"}},
	{"exec/agg", []string{"vec/...", "planner", "exec/fn"}},
	{"exec/...", []string{"vec/...", "planner", "planner/sql", "exec/...", "internal/invariants", "internal/loss"}},
	{"ingest", []string{"vec/...", "internal/invariants", "internal/loss"}},
	{"ingest/source", []string{"vec/...", "ingest", "internal/loss", "internal/props"}},
	{"ingest/mqtt", []string{"vec/...", "ingest", "ingest/source", "internal/loss", "internal/mqttconn", "internal/props"}},
	{"ingest/memory", []string{"vec/...", "ingest", "ingest/source", "internal/membus", "internal/props"}},
	{"ingest/twin", []string{"vec/...", "ingest", "ingest/source", "ingest/twin/model", "internal/props"}},
	{"ingest/twin/model", nil},
	{"ingest/lookup", []string{"vec/...", "ingest/source", "internal/props"}},
	{"ingest/lookup/file", []string{"vec/...", "ingest", "ingest/source", "ingest/lookup", "ingest/file", "internal/props"}},
	{"ingest/lookup/...", []string{"vec/...", "ingest/source", "ingest/lookup", "internal/props"}},
	{"ingest/...", []string{"vec/...", "ingest", "ingest/source", "internal/props"}},
	{"sinks", []string{"vec/...", "internal/invariants", "internal/loss", "internal/store", "internal/props"}},
	{"sinks/encode", []string{"vec/...", "internal/props"}},
	{"sinks/mqtt", []string{"vec/...", "sinks", "internal/mqttconn", "internal/props"}},
	{"sinks/memory", []string{"vec/...", "sinks", "internal/membus", "internal/props"}},
	{"sinks/nop", []string{"vec/...", "sinks", "sinks/log", "internal/props"}}, // nop is log that says nothing
	{"sinks/...", []string{"vec/...", "sinks", "internal/props"}},
	{"internal/mqttconn", []string{"internal/clock", "internal/invariants", "internal/loss", "internal/props"}},
	{"internal/invariants", nil},
	{"internal/loss", nil},
	{"internal/clock", nil},
	{"internal/props", nil},
	{"internal/broker", nil},
	{"internal/membus", nil},
	{"internal/keyed", []string{"vec/...", "internal/store"}},
	{"internal/store", []string{"internal/invariants"}},
	{"internal/metrics", []string{"internal/loss"}},
	{"internal/api", []string{"planner/ruledef"}},
	{"internal/config", []string{"planner/ruledef", "internal/props"}},
	{"internal/engine/run", []string{"vec", "planner", "exec", "ingest", "sinks", "sinks/encode", "internal/clock", "internal/invariants", "internal/loss", "internal/metrics"}},
	{"internal/engine", []string{
		"vec/...", "planner/...", "exec/...", "ingest/...", "sinks/...", "internal/engine/run",
		"internal/clock", "internal/invariants", "internal/keyed", "internal/loss", "internal/mqttconn", "internal/membus", "internal/props", "internal/store", "internal/metrics", "internal/api",
	}},
	{"internal/rowref", []string{"vec/...", "planner/...", "exec/fn"}}, // not exec: it is what exec is held against
	{"internal/logictest", []string{"vec/...", "planner/...", "exec/...", "ingest", "sinks/encode", "internal/rowref"}},
	{"internal/lint", nil},
	{"internal/conformance", nil},
	{"bench", runs},
	{"cmd/weir", append([]string{"bench"}, runs...)},
}

// runs is what a program may use: all but the packages that only test others.
var runs = []string{
	"vec/...", "planner/...", "exec/...", "ingest/...", "sinks/...", "internal/engine", "internal/api", "internal/config",
	"internal/loss", "internal/metrics", "internal/mqttconn", "internal/broker", "internal/membus", "internal/props", "internal/store",
}

// homes is where a third-party module may be imported. instead is what everybody
// else writes.
var homes = []struct {
	path    string
	in      []string
	instead string
}{
	{"github.com/apache/arrow/go/v15", []string{"vec/record"}, "use the columns of vec; vec/record makes the Arrow record"},
	{"github.com/valyala/fastjson", []string{"vec/rawjson"}, "use vec/rawjson, or the decoder of ingest"},
	{"github.com/pingcap/tidb/pkg/parser", []string{"planner/sql"}, "use the tree of planner/sql"},
	{"github.com/eclipse/paho.mqtt.golang", []string{"internal/mqttconn"}, "use internal/mqttconn"},
	{"github.com/mochi-mqtt/server/v2", []string{"internal/broker"}, "use internal/broker"},
	{"github.com/cockroachdb/pebble", []string{"internal/store"}, "use a key space of internal/store"},
	{"github.com/segmentio/encoding", []string{"sinks/encode"}, "use sinks/encode, or encoding/json where speed does not count"},
	{"github.com/Masterminds/sprig/v3", []string{"sinks/encode"}, "use the templates of sinks/encode"},
	{"github.com/prometheus", []string{"internal/metrics"}, "count in a field of your own and let internal/metrics show it"},
	{"github.com/spf13/cobra", []string{"cmd/weir"}, "take an Options struct; flags are read in cmd/weir"},
	{"github.com/goccy/go-yaml", []string{"internal/config", "ingest/twin/model", "internal/api"}, "take an Options struct; YAML is read in internal/config"},
	{"github.com/klauspost/compress", []string{"exec/fn", "ingest/file", "sinks/encode", "sinks/file"}, "compress where bytes enter or leave: ingest/file, sinks"},
	{"github.com/golang-jwt/jwt/v5", []string{"internal/api"}, "check tokens in internal/api"},
	{"github.com/google/uuid", []string{"exec/fn"}, "take ids as arguments"},
	{"github.com/ohler55/ojg", []string{"exec/fn"}, "use vec/rawjson"},
	{"github.com/robfig/cron/v3", []string{"internal/engine"}, "keep times of rules in internal/engine"},
	{"golang.org/x/text", []string{"exec/fn"}, "keep languages in exec/fn"},
	{"golang.org/x/sys", []string{"cmd/weir", "bench"}, "ask the system in cmd/weir and pass on what it says"},
	{"github.com/bufbuild/protocompile", []string{"vec/protobuf"}, "use vec/protobuf"},
	{"google.golang.org/protobuf", []string{"vec/protobuf"}, "use vec/protobuf"},
	{"modernc.org/sqlite", []string{"ingest/lookup/sqldb"}, "ask databases in ingest/lookup/sqldb"},
	{"github.com/gomodule/redigo", []string{"ingest/lookup/redis"}, "ask Redis in ingest/lookup/redis"},
	// Of tests alone.
	{"github.com/alicebob/miniredis/v2", []string{"tests"}, "use it in tests only"},
	{"go.uber.org/goleak", []string{"tests"}, "use it in TestMain only"},
	{"github.com/cockroachdb/datadriven", []string{"tests", "internal/logictest"}, "use it in tests and in internal/logictest only"},
	{"github.com/valyala/fastjson", []string{"tests"}, "use vec/rawjson"},
	{"github.com/cockroachdb/pebble/vfs", []string{"tests"}, "use a key space of internal/store"},
}

type goPackage struct {
	ImportPath, Doc                    string
	Imports, TestImports, XTestImports []string
}

// room returns the name of the package within the module.
func (p *goPackage) room() string { return strings.TrimPrefix(p.ImportPath, module) }

// packages returns the packages of the module.
func packages(t *testing.T) []*goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Doc,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var list []*goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(goPackage)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// covers tells whether pattern, a name or a name with /..., stands for name.
func covers(pattern, name string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		room := p.room()
		i := slices.IndexFunc(rooms, func(r struct {
			room string
			may  []string
		},
		) bool {
			return covers(r.room, room)
		})
		if i < 0 {
			t.Errorf("%s is in no room: put it into one that there is, or give it a line in internal/lint and in ARCHITECTURE.md", room)
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment: say what it does, what it refuses to do, and its invariants", room)
		}
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module)
			if ok && !slices.ContainsFunc(rooms[i].may, func(m string) bool { return covers(m, ours) }) {
				t.Errorf("%s imports %s, but may import %s: declare the methods that it needs as an interface of its own, and let internal/engine or cmd/weir join the two",
					room, ours, either(rooms[i].may))
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if ours, ok := strings.CutPrefix(imp, module); ok && covers("cmd/...", ours) {
				t.Errorf("a test of %s imports %s: what can be tested from outside belongs into a package of its own", room, ours)
			}
		}
	}
}

func either(list []string) string {
	if len(list) == 0 {
		return "nothing of ours"
	}
	return "only " + strings.Join(list, ", ")
}

func TestHomes(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			checkHome(t, p.room(), imp)
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			checkHome(t, p.room(), imp, "tests")
		}
	}
}

// checkHome checks one import of a room. With as, it has the rights of that too.
func checkHome(t reporter, room, imp string, as ...string) {
	t.Helper()
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") || strings.HasPrefix(imp, module) {
		return
	}
	known := false
	for _, h := range homes {
		if !covers(h.path+"/...", imp) {
			continue
		}
		known = true
		for _, r := range append(as, room) {
			if slices.Contains(h.in, r) {
				return
			}
		}
	}
	if !known {
		t.Errorf("%s imports %s, which has no home: use what there is, or give it one room in internal/lint and a line in ARCHITECTURE.md", room, imp)
		return
	}
	for _, h := range homes {
		if covers(h.path+"/...", imp) {
			t.Errorf("%s imports %s, whose home is %s: %s", room, imp, strings.Join(h.in, ", "), h.instead)
			return
		}
	}
}
