package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// send makes a call and returns its answer.
func (d *desk) send(method, path string, body any) string {
	d.t.Helper()
	text, err := json.Marshal(body)
	d.must(err)
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader(text))
	d.must(err)
	resp, err := http.DefaultClient.Do(req)
	d.must(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	d.must(err)
	if resp.StatusCode >= 300 {
		d.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return strings.TrimSpace(string(answer))
}

type object = map[string]any

func ruleOf(id string, options object, actions ...object) object {
	return object{"id": id, "sql": "SELECT a FROM calm", "actions": actions, "options": options}
}

// Each option of a rule that has no effect, and one that does not exist, is warned of
// in every answer about the rule, and in no answer about others.
func TestRuleWarnings(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	nop := object{"nop": object{}}
	given := object{
		"isEventTim": true, "debug": true, "logFilename": "a.log", "notifySub": true, "forceExitTimeout": "5s", "qos": 1,
		"checkpointInterval": "1s", "enableSaveStateBeforeStop": true, "concurrency": 4, "bufferLength": 10,
		"planOptimizeStrategy": object{"x": 1}, "experiment": object{"x": 1}, "restartStrategy": object{"attempts": 3},
	}
	first := "Rule r was created successfully."
	for _, name := range slices.Sorted(maps.Keys(given)) {
		full := name
		if name == "restartStrategy" {
			full = "restartStrategy.attempts"
		}
		want := fmt.Sprintf("\nwarning: option %q has no effect: ", full)
		if name == "isEventTim" {
			want = "\nwarning: unknown option \"isEventTim\": did you mean \"isEventTime\"?"
		}
		got := d.send("POST", "/rules", ruleOf("r", object{name: given[name]}, nop))
		if !strings.HasPrefix(got, first+want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		d.send("DELETE", "/rules/r", nil)
	}
	if got := d.send("POST", "/rules", ruleOf("r", object{"qos": 0, "debug": false, "concurrency": 1, "sendError": true}, nop)); got != first {
		t.Errorf("the defaults: got %s", got)
	}
	if got := d.get("/rules/r/status"); bytes.Contains(got, []byte("warnings")) {
		t.Errorf("status without warnings: got %s", got)
	}
	typed := ruleOf("k", nil, nop)
	typed["optoins"] = object{"qos": 1}
	if got := d.send("POST", "/rules", typed); got != "Rule k was created successfully.\nwarning: unknown key \"optoins\": did you mean \"options\"?" {
		t.Errorf("a key that does not exist: got %s", got)
	}
	d.send("PUT", "/rules/r", ruleOf("r", given, nop))
	var status struct{ Warnings []string }
	d.must(json.Unmarshal(d.get("/rules/r/status"), &status))
	if len(status.Warnings) != len(given) {
		t.Errorf("status: got %q", status.Warnings)
	}
	d.must(json.Unmarshal([]byte(d.send("POST", "/rules/validate", ruleOf("v", given, nop))), &status))
	if len(status.Warnings) != len(given) {
		t.Errorf("validate: got %q", status.Warnings)
	}
	got := d.send("POST", "/rules/bulk", []object{ruleOf("a", nil, nop), ruleOf("b", object{"debug": true}, nop)})
	if !strings.HasPrefix(got, `{"created":2,"errors":[],"warnings":[{"index":1,"id":"b","warnings":["option \"debug\" has no effect: `) {
		t.Errorf("bulk: got %s", got)
	}
}

// Properties of sinks, streams, groups and connections are warned of as options are.
func TestPropertyWarnings(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	mqtt := object{"server": "tcp://127.0.0.1:1", "topic": "t"}
	with := func(name string, v any) object {
		out := maps.Clone(mqtt)
		out[name] = v
		return object{"mqtt": out}
	}
	for i, c := range []struct {
		action object
		want   string
	}{
		{with("sendSingel", true), `sink mqtt: unknown property "sendSingel": did you mean "sendSingle"?`},
		{with("retaind", true), `sink mqtt: unknown property "retaind": did you mean "retained"?`},
		{with("protocolVersion", "5"), `sink mqtt: property "protocolVersion": 5 is not supported, connecting as 3.1.1`},
		{with("enableCache", true), `sink mqtt: property "enableCache" has no effect: `},
		{with("concurrency", 2), `sink mqtt: property "concurrency" has no effect: `},
		{with("bufferLength", 2), `sink mqtt: property "bufferLength" has no effect: `},
		{with("runAsync", true), `sink mqtt: property "runAsync" has no effect: `},
		{object{"file": object{"path": "x", "checkInterval": 5}}, `sink file: property "checkInterval" has no effect: `},
		{object{"log": object{"topic": "x"}}, `sink log: unknown property "topic"`},
		{with("SENDSINGLE", "tRUE"), ""},
	} {
		id := fmt.Sprint("p", i)
		rule := ruleOf(id, nil, c.action)
		rule["triggered"] = false
		want := fmt.Sprintf("Rule %s was created successfully.", id)
		if c.want != "" {
			want += "\nwarning: " + c.want
		}
		if got := d.send("POST", "/rules", rule); !strings.HasPrefix(got, want) || c.want == "" && got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, c := range []struct{ with, want string }{
		{`TYPE="memory", KEY="id"`, "option KEY has no effect: only lookup tables have one"},
		{`TYPE="memory", RETAIN_SIZE="5"`, "option RETAIN_SIZE has no effect: only tables that are kept in memory have one"},
		{`TYPE="memory", SCHEMAID="a.b"`, "option SCHEMAID has no effect: it is for FORMAT protobuf"},
		{`TYPE="memory", DELIMITER=";"`, "option DELIMITER has no effect: it is for FORMAT delimited"},
		{`TYPE="memory", STRICT_VALIDATION="true"`, "option STRICT_VALIDATION has no effect: no fields are declared"},
		{`TYPE="mqtt", CONF_KEY="nosuch"`, `option CONF_KEY: source type mqtt has no group of settings "nosuch"`},
		{`TYPE="mqtt", EXTRA="{\"decompression\":\"gzip\"}"`, `property "decompression" has no effect: payloads are taken as they come`},
		{`TYPE="mqtt", EXTRA="{\"bufferLength\":5}"`, `property "bufferLength" has no effect: `},
		{`TYPE="mqtt", EXTRA="{\"kubeedgeVersion\":\"v1beta1\"}"`, `property "kubeedgeVersion" has no effect: `},
		{`TYPE="mqtt", EXTRA="{\"qso\":1}"`, `unknown property "qso": did you mean "qos"?`},
		{`TYPE="file", EXTRA="{\"decompression\":\"gzip\"}"`, ""},
	} {
		text := object{"sql": fmt.Sprintf(`CREATE STREAM w () WITH (DATASOURCE="x", %s)`, c.with)}
		for first, call := range map[string][2]string{"Stream w is created.": {"POST", "/streams"}, "Stream w is replaced.": {"PUT", "/streams/w"}} {
			if call[0] == "PUT" {
				d.send("POST", "/streams", object{"sql": `CREATE STREAM w () WITH (DATASOURCE="x", TYPE="memory")`})
			}
			want := first
			if c.want != "" {
				want += "\nwarning: " + c.want
			}
			if got := d.send(call[0], call[1], text); !strings.HasPrefix(got, want) || c.want == "" && got != want {
				t.Errorf("%s: got %s, want %s", c.with, got, want)
			}
			d.send("DELETE", "/streams/w", nil)
		}
	}
	for _, c := range []struct{ path, want string }{
		{"/metadata/sources/mqtt/confKeys/x", ""}, {"/metadata/sinks/mqtt/confKeys/x", ""}, {"/metadata/connections/mqtt/confKeys/x", ""},
	} {
		want := `warning: unknown property "sever": did you mean "server"?`
		if got := d.send("PUT", c.path, object{"sever": "x"}); got != want {
			t.Errorf("%s: got %s, want %s", c.path, got, want)
		}
		if got := d.send("PUT", c.path, object{"server": "tcp://127.0.0.1:1"}); got != "" {
			t.Errorf("%s: got %s", c.path, got)
		}
	}
	if got := d.send("POST", "/connections", object{"id": "c", "typ": "mqtt", "props": object{"sever": "x"}}); got != "success\nwarning: unknown property \"sever\": did you mean \"server\"?" {
		t.Errorf("connection: got %s", got)
	}
}

// An import warns of what its definitions say in vain.
func TestImportWarnings(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	rule, err := json.Marshal(ruleOf("i", object{"debug": true}, object{"nop": object{"lgo": true}}))
	d.must(err)
	set := object{"streams": object{"w": `CREATE STREAM w () WITH (DATASOURCE="x", TYPE="memory", KEY="id")`}, "tables": object{}, "rules": object{"i": string(rule)}}
	want := []string{
		`stream "w": option KEY has no effect: only lookup tables have one`,
		`rule "i": option "debug" has no effect: `,
		`rule "i": sink nop: unknown property "lgo": did you mean "log"?`,
	}
	check := func(call string, got []string) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: got %q", call, got)
		}
		for i, w := range want {
			if !strings.HasPrefix(got[i], w) {
				t.Errorf("%s: got %s, want %s", call, got[i], w)
			}
		}
	}
	lines := strings.Split(d.send("POST", "/ruleset/import", set), "\nwarning: ")
	if lines[0] != "imported 1 streams, 0 tables and 1 rules" {
		t.Errorf("got %s", lines[0])
	}
	check("ruleset", lines[1:])
	var answer struct{ Warnings []string }
	d.must(json.Unmarshal([]byte(d.send("POST", "/data/import?partial=1", set)), &answer))
	check("data", answer.Warnings)
}

// The start warns of what groups of the configuration file say in vain, and of those
// that nothing can use.
func TestConfWarnings(t *testing.T) {
	var text bytes.Buffer
	e, err := Open(Options{
		Store: store.Options{FS: vfs.NewMem(), ReserveBytes: 1}, Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&text, nil)),
		Confs: map[string]map[string]map[string]map[string]any{
			"sources": {"mqtt": {"a": {"sever": "x"}}, "sim": {"b": {"devices": "many"}}},
			"sinks":   {"rest": {"c": {"timeout": -1}, "d": {"timeout": "5s"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`msg="settings have no effect" kind=sources type=mqtt group=a warning="unknown property \"sever\": did you mean \"server\"?"`,
		`msg="settings cannot be used" kind=sources type=sim group=b err="property \"devices\": want a whole number from 1 to 10000000, got \"many\""`,
		`msg="settings cannot be used" kind=sinks type=rest group=c err="property \"timeout\": must not be negative, got -1"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("got %s, want %s", text.String(), want)
		}
	}
	if strings.Contains(text.String(), "group=d") {
		t.Errorf("got %s", text.String())
	}
}

// TestTables holds what is written about properties: each has a line of
// documentation, numbers have a unit or count something, defaults are values that
// are taken, and no two properties of a type have a name in common.
func TestTables(t *testing.T) {
	typ := newTypes(typeEnv{})
	tables := typ.tables()
	all := map[string]props.Table{"rule options": ruledef.OptionProperties()}
	for kind, m := range map[string]map[string]props.Table{"source": tables.sources, "lookup": tables.lookups, "sink": tables.sinks} {
		for name, table := range m {
			all[kind+" "+name] = table
		}
	}
	if len(all) < 15 {
		t.Fatalf("got %d tables", len(all))
	}
	for name, table := range all {
		checkTable(t, name, table)
	}
}

func checkTable(t *testing.T, where string, table props.Table) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range table {
		at := where + ": " + p.Name
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if seen[strings.ToLower(n)] {
				t.Errorf("%s: %s is there twice", at, n)
			}
			seen[strings.ToLower(n)] = true
		}
		if p.Doc == "" || strings.HasSuffix(p.Doc, ".") || strings.Contains(p.Doc, "\n") {
			t.Errorf("%s: got documentation %q, want a line", at, p.Doc)
		}
		if (p.Kind == props.KindDuration || p.Kind == props.KindBytes) && p.Unit == "" {
			t.Errorf("%s: want the unit of a number", at)
		}
		if low := strings.ToLower(p.Name); (strings.Contains(low, "password") || low == "privatekeyraw") && !p.Secret {
			t.Errorf("%s: want it hidden", at)
		}
		// A default that depends on others is a phrase.
		if def := p.Default(); def != "" && !strings.Contains(def, " ") {
			if err := (props.Table{p}).Read(map[string]any{p.Name: def}).Err(); err != nil || p.Default() != def {
				t.Errorf("%s: default %s is read as %s, %v", at, def, p.Default(), err)
			}
		}
		checkTable(t, at, p.Fields)
	}
}
