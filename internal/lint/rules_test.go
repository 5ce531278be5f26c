package lint

import (
	"fmt"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// faults collects what the rules report.
type faults []string

func (*faults) Helper() {}

func (f *faults) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// Every rule finds what it is there for and leaves alone what it allows.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		path, imports, body string
		want                string // a part of the one fault; empty: none
	}{
		{"sinks/a.go", "", `panic("no queue")`, "bug: ..."},
		{"sinks/a.go", "", `panic("bug: no queue")`, ""},
		{"sinks/a.go", `"fmt"`, `panic(fmt.Sprintf("bug: %d queues", 2))`, ""},
		{"sinks/a.go", "", `panic(err)`, "bug: ..."},
		{"sinks/a_test.go", "", `panic("no queue")`, ""},
		{"sinks/a_test.go", `"time"`, `time.Sleep(1)`, "a channel, a condition"},
		{"exec/a.go", `"time"`, `_ = time.Now()`, "take the time as an argument"},
		{"exec/fn/a.go", `"time"`, `now := time.Now`, "take the time as an argument"},
		{"exec/a.go", `"time"`, `_ = time.Now() // lint:allow clock: the default`, ""},
		{"exec/a.go", `"time"`, `_ = time.Now() // lint:allow sleep: another rule`, "take the time as an argument"},
		{"ingest/a.go", `"time"`, `_ = time.Now()`, ""},
		{"ingest/a.go", `"time"`, `_ = time.Now().UnixMilli()`, ""},
		{"internal/mqttconn/a.go", `"time"`, `_ = time.Now()`, ""},
		{"internal/mqttconn/a.go", `"time"`, `_ = time.Now().UnixMilli()`, "somebody may set it"},
		{"internal/engine/run/a_test.go", `"time"`, `_ = time.Now().UnixMilli()`, ""},
		{"exec/a_test.go", `"time"`, `_ = time.Now()`, ""},
		{"planner/a.go", "", `go f()`, "goroutines are internal/engine's"},
		{"ingest/a.go", "", `go f()`, ""},
		{"vec/a.go", `"log/slog"`, "", "nothing is logged per row"},
		{"vec/a.go", `"os"`, "", "files belong to"},
		{"sinks/a.go", `"log/slog"`, "", ""},
		{"sinks/a.go", "", `_ = err.Error() == "gone"`, "errors.Is"},
		{"sinks/a.go", `"strings"`, `_ = strings.HasPrefix(err.Error(), "gone")`, "errors.Is"},
		{"sinks/a.go", "", `switch err.Error() {}`, "errors.Is"},
		{"sinks/a.go", `"strings"`, `_ = strings.TrimSpace(err.Error())`, ""},
		{"sinks/a_test.go", "", `_ = err.Error() == "gone"`, ""},
		{"sinks/a.go", `"fmt"`, `_ = fmt.Errorf("failed to open: %w", err)`, "start with what failed"},
		{"sinks/a.go", `"context"`, `_ = context.TODO()`, "take ctx"},
		{"sinks/a.go", "", `// TODO: the rest`, "open an issue"},
		{"sinks/a.go", "", "}\n\nfunc init() {", "has an init"},
		{"internal/metrics/a.go", "", "}\n\nfunc init() {", ""},
		{"sinks/a.go", "\"github.com/google/uuid\"\n\"io\"", "", "three groups"},
		{"sinks/a.go", "\"io\"\n\"github.com/google/uuid\"", "", "three groups"},
		{"sinks/a.go", "\"io\"\n\n\"os\"", "", "three groups"},
		{"sinks/a.go", "\"io\"\n\n\"github.com/google/uuid\"\n\n\"github.com/weir-engine/weir/vec\"", "", ""},
	} {
		var got faults
		text := "package a\n\nimport (\n" + c.imports + "\n)\n\nfunc g() {\n" + c.body + "\n}\n"
		s, err := newSource(&got, c.path, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s.check()
		if (c.want == "") != (len(got) == 0) || len(got) > 1 || c.want != "" && !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %s %s: got %q, want %q", c.path, c.imports, c.body, got, c.want)
		}
	}
}

func TestHomeRules(t *testing.T) {
	for _, c := range []struct {
		room, imp string
		as        []string
		want      string
	}{
		{"sinks", "github.com/valyala/fastjson", nil, "use vec/rawjson"},
		{"ingest", "github.com/valyala/fastjson", []string{"tests"}, ""},
		{"sinks", "github.com/cockroachdb/pebble", []string{"tests"}, "key space"},
		{"sinks", "github.com/cockroachdb/pebble/vfs", []string{"tests"}, ""},
		{"sinks", "github.com/cockroachdb/pebble/vfs", nil, "key space"},
		{"vec/record", "github.com/apache/arrow/go/v15/arrow/array", nil, ""},
		{"exec", "example.com/new", nil, "has no home"},
		{"exec", "encoding/json", nil, ""},
		{"exec", "github.com/weir-engine/weir/vec", nil, ""},
	} {
		var got faults
		checkHome(&got, c.room, c.imp, c.as...)
		if (c.want == "") != (len(got) == 0) || c.want != "" && !strings.Contains(got[0], c.want) {
			t.Errorf("%s imports %s: got %q, want %q", c.room, c.imp, got, c.want)
		}
	}
}

// What nobody uses is found over the borders of packages.
func TestUseRules(t *testing.T) {
	for _, c := range []struct {
		name, a, b string // b imports a
		want       string // parts of the faults, in order, with a | between
	}{
		{"called from outside", "func F() {}", "func main() { a.F() }", ""},
		{"called by nobody", "func F() {}", "func main() { _ = a.X(1) }", "F is called by no code but tests"},
		{"by itself alone", "func F() { F() }", "", "F is called by no code but tests"},
		{"from inside", "func F() {}\nfunc g() { F() }", "", ""},
		{"as a value", "func F() {}", "var f = a.F", ""},
		{"excused", "func F() {} // lint:allow unused: the next version calls it", "", ""},
		{"a method", "type T struct{}\nfunc (T) M() {}", "", "T.M is called by no code but tests"},
		{"a method of what is embedded", "type T struct{}\nfunc (T) M() {}", "type u struct{ a.T }\nfunc main() { u{}.M() }", ""},
		{"of a generic type", "type T[K any] struct{}\nfunc (*T[K]) M() {}", "func main() { new(a.T[int]).M() }", ""},
		{"an interface asks for it", "type T struct{}\nfunc (*T) M(X) {}\nfunc (T) Error() string { return \"\" }", "type m interface{ M(a.X) }", ""},
		{"with other arguments", "type T struct{}\nfunc (T) M(int) {}", "type m interface{ M(string) }", "T.M is called by no code but tests"},
		{"read from outside", "type Stats struct{ N int }", "func main() { println(a.Stats{}.N) }", ""},
		{"read from inside", "type Stats struct{ N int }\nvar n = Stats{}.N", "", "Stats.N is read by no other package"},
		{"only written", "type RunStats struct{ N, O int }", "func main() { s := a.RunStats{N: 1}; s.N = 2; s.O++ }", "RunStats.N is read by no other package|RunStats.O is read"},
		{"of another name", "type Sums struct{ N int }\ntype stats struct{ N int }", "", ""},
		{"a counter that is excused", "type Stats struct {\n\tN int // lint:allow unread: for the debugger\n}", "", ""},
	} {
		var got faults
		p := &program{t: &got, set: token.NewFileSet()}
		im := p.importer(importerFunc(func(path string) (*types.Package, error) { return nil, fmt.Errorf("no package %s", path) }))
		for _, u := range [][2]string{{"a", "package a\n\ntype X int\n\n" + c.a}, {"b", "package main\n\nimport \"a\"\n\nvar _ a.X\n\n" + c.b}} {
			if err := p.add(im, u[0], map[string][]byte{u[0] + "/x.go": []byte(u[1])}); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		p.checkStats()
		p.checkCalls()
		want := strings.Split(c.want, "|")
		if c.want == "" {
			want = nil
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
			continue
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", c.name, got[i], want[i])
			}
		}
	}
}
