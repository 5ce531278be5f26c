package lint

import (
	"fmt"
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
