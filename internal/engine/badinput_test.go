package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
)

// Each bad payload is counted and shown; the rows around it, and the neighbour on
// another stream, are as if it had not come.
func TestBadPayloads(t *testing.T) {
	for _, tt := range []struct {
		name, payload   string
		decode, convert uint64 // errors
		sent            string // what the rule makes of it, if anything
	}{
		{"broken JSON", `{"seq":1,`, 1, 0, ""},
		{"no JSON", `hello`, 1, 0, ""},
		{"no object", `17`, 1, 0, ""},
		{"empty", ``, 1, 0, ""},
		{"array with one bad element", `[{"seq":7},3]`, 1, 0, ""},
		{"trailing text", `{"seq":1}{"seq":2}`, 1, 0, ""},
		{"deep nesting", strings.Repeat(`{"a":`, 50000) + `1` + strings.Repeat(`}`, 50000), 1, 0, ""},
		{"deep arrays", `{"seq":` + strings.Repeat(`[`, 100000) + strings.Repeat(`]`, 100000) + `}`, 1, 0, ""},
		{"control characters", "{\"seq\":\"a\x01b\"}", 1, 0, ""},
		{"large", `{"pad":"` + strings.Repeat("x", 10<<20) + `","seq":5}`, 0, 0, `{"seq":5}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.memoryStream("s", "in")
			r.memoryStream("other", "other")
			out, other := r.listen("out"), r.listen("near")
			r.rule("a", "SELECT seq FROM s", "out")
			r.rule("near", "SELECT seq FROM other", "near")
			r.publish("in", `{"seq":1}`, tt.payload, `{"seq":2}`)
			r.publish("other", `{"seq":1}`)
			want := []string{`{"seq":1}`}
			if tt.sent != "" {
				want = append(want, tt.sent)
			}
			out.want(append(want, `{"seq":2}`)...)
			other.want(`{"seq":1}`)
			r.wantStatus("a", "source_s_0_decode_errors_total", tt.decode)
			r.wantStatus("a", "source_s_0_conversion_errors_total", tt.convert)
			r.wantStatus("a", "op_2_decoder_0_exceptions_total", tt.decode+tt.convert)
			r.wantStatus("near", "source_other_0_exceptions_total", 0)
			r.wantStatus("near", "op_2_decoder_0_exceptions_total", 0)
			r.wantStatus("near", "op_2_decoder_0_last_exception", "")
			if last := r.status("a", "source_s_0_last_exception").(string); (last != "") != (tt.decode > 0) || len(last) > 1000 {
				t.Errorf("last exception: got %.1000q", last)
			}
		})
	}
}

// A value of another type than declared loses its row, and so does a missing one
// where the stream is strict. Where nothing is declared it is the expression that
// fails.
func TestBadValues(t *testing.T) {
	r := newRig(t, Options{})
	r.sql(`CREATE STREAM s (seq bigint) WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`)
	r.sql(`CREATE STREAM strict (seq bigint) WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", STRICT_VALIDATION="true")`)
	r.memoryStream("free", "in")
	out, strict, free := r.listen("out"), r.listen("strict"), r.listen("free")
	r.rule("a", "SELECT seq, 1 AS one FROM s", "out")
	r.rule("b", "SELECT seq FROM strict", "strict")
	r.rule("c", "SELECT seq + 1 AS seq FROM free", "free")
	r.publish("in", `{"seq":1}`, `{"seq":"many"}`, `{}`, `{"seq":2}`)
	strict.want(`{"seq":1}`, `{"seq":2}`)
	free.want(`{"seq":2}`, `{}`, `{"seq":3}`)
	out.want(`{"one":1,"seq":1}`, `{"one":1}`, `{"one":1,"seq":2}`)
	r.wantStatus("a", "source_s_0_conversion_errors_total", 1)
	r.wantStatus("b", "op_3_project_0_exceptions_total", 2)
	r.wantStatus("c", "op_3_project_0_exceptions_total", 1)
	if last := r.status("c", "op_3_project_0_last_exception").(string); !strings.Contains(last, "many") {
		t.Errorf("last exception: got %q", last)
	}
}

// Bad definitions are refused, each with its own error, and change nothing.
func TestBadDefinitions(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.sql(`CREATE STREAM typed (a bigint) WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`)
	r.rule("good", "SELECT * FROM s", "out")
	model := filepath.Join(t.TempDir(), "model.json")
	r.must(os.WriteFile(model, []byte(`{"deviceModels": [`), 0o600))
	nop := `{"nop":{}}`
	for _, tt := range []struct{ name, sql, action, part string }{
		{"syntax", "SELECT FROM s WHERE", nop, "column"},
		{"parentheses", "SELECT " + strings.Repeat("(", 100000) + "a" + strings.Repeat(")", 100000) + " FROM s", nop, "deep"},
		{"open parentheses", "SELECT " + strings.Repeat("(", 100000), nop, ""},
		{"unknown stream", "SELECT * FROM nowhere", nop, "nowhere"},
		{"unknown column", "SELECT b FROM typed", nop, `"b"`},
		{"unknown function", "SELECT nofunction(a) FROM s", nop, "nofunction"},
		{"unknown sink", "SELECT * FROM s", `{"nosink":{}}`, "nosink"},
		{"bad property", "SELECT * FROM s", `{"mqtt":{"server":"tcp://127.0.0.1:1"}}`, "topic"},
		{"bad template", "SELECT * FROM s", `{"nop":{"dataTemplate":"{{"}}`, "dataTemplate"},
		{"unknown group", "SELECT * FROM s", `{"mqtt":{"topic":"x","connectionSelector":"none"}}`, "none"},
		{"join", "SELECT * FROM s INNER JOIN typed ON s.a = typed.a GROUP BY TUMBLINGWINDOW(ss, 1)", nop, ""},
	} {
		err := r.CreateRule(r.def("bad", tt.sql, tt.action))
		if tt.name == "join" && err == nil {
			r.must(r.DeleteRule("bad")) // once joins run there is nothing to refuse
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.part) || len(err.Error()) > 210000 {
			t.Errorf("%s: got %.300v", tt.name, err)
		}
	}
	if _, err := parseRule([]byte("rule: yes")); err == nil {
		t.Error("body that is no JSON: no error")
	}
	for _, text := range []string{
		"CREATE STREAM", "CREATE STREAM x (a nothing) WITH (DATASOURCE=\"x\")", "DROP", "nonsense",
		"CREATE STREAM x () WITH (DATASOURCE=\"x\", FORMAT=\"nothing\")", "DROP STREAM nowhere", "DESCRIBE STREAM nowhere",
		"CREATE STREAM s () WITH (DATASOURCE=\"x\")",
	} {
		if _, err := r.ExecStatement(text); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	for part, settings := range map[string]map[string]any{
		"model": {"server": "tcp://127.0.0.1:1", "kubeedgeModelFile": model}, `"square"`: {"server": "tcp://127.0.0.1:1", "kubeedgeFormat": "square"},
	} {
		r.must(r.PutConfKey(api.ConfSources, "mqtt", "twins", settings))
		_, err := r.ExecStatement(`CREATE STREAM twins () WITH (TYPE="mqtt", DATASOURCE="x", FORMAT="json", CONF_KEY="twins")`)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("twins with %v: got %v", settings, err)
		}
	}
	if got := r.statusOf("good"); got != "running" {
		t.Errorf("the good rule is %s", got)
	}
	if got := len(r.RuleList()); got != 1 {
		t.Errorf("got %d rules, want 2", got)
	}
}

// fullFS refuses to write.
type fullFS struct {
	vfs.FS
	full atomic.Bool
}

// GetDiskUsage implements vfs.FS.
func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	u := vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: 1 << 29, UsedBytes: 1 << 29}
	if f.full.Load() {
		u.AvailBytes = 0
	}
	return u, nil
}

func TestFullDisk(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem()}
	r := newRig(t, Options{Store: store.Options{FS: fs, Dir: "data"}})
	r.memoryStream("s", "in")
	r.rule("a", "SELECT seq FROM s", "out")
	fs.full.Store(true)
	out := r.listen("out")
	err := r.CreateRule(r.def("b", "SELECT seq FROM s", toMemory("out")))
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("rule on a full disk: got %v", err)
	}
	if _, err := r.ReplaceRule(r.def("a", "SELECT 1 AS x FROM s", toMemory("out"))); !errors.Is(err, store.ErrFull) {
		t.Errorf("change of a rule on a full disk: got %v", err)
	}
	if got := len(r.RuleList()); got != 1 {
		t.Errorf("got %d rules, want 1", got)
	}
	if r.Healthy() == nil {
		t.Error("a full disk is healthy")
	}
	r.publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)
}

func TestBadDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Store: store.Options{Dir: filepath.Join(file, "data")}})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("directory that cannot be: got %v", err)
	}
}

// A definition in the store that is not good any more does not keep the others
// from running.
func TestBadStore(t *testing.T) {
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.rule("a", "SELECT seq FROM s", "out")
	for i, text := range []string{`{`, `{"id":"other"}`, `{"sql":"SELECT * FROM nowhere","actions":[{"nop":{}}]}`} {
		r.must(r.catalog.Put(kindRule, fmt.Sprintf("bad%d", i), []byte(text)))
	}
	r.must(r.catalog.Put(kindStream, "bad", []byte("CREATE")))
	r.must(r.catalog.Put(kindConf, "bad", []byte("{")))
	r.close()
	r = newRig(t, o)
	if got := r.statusOf("bad2"); got != "stopped by error" {
		t.Errorf("rule without a stream: got %s", got)
	}
	r.sql(`CREATE STREAM nowhere () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`)
	r.must(r.StartRule("bad2"))
	r.must(r.StopRule("bad2")) // it had no stream when it was read
	out := r.listen("out")
	r.publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)
}
