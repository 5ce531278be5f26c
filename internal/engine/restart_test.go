package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// An engine on the store of another one runs what that one ran.
func TestRestart(t *testing.T) {
	const rules = 8000
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.sql(`CREATE STREAM gone () WITH (TYPE="memory", DATASOURCE="x", FORMAT="json", TEMP="true")`)
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"server": "tcp://10.0.0.1:1883"}))
	defs := make([]*ruledef.Def, rules)
	for i := range defs {
		defs[i] = r.def(fmt.Sprintf("r%04d", i), fmt.Sprintf("SELECT seq FROM s WHERE seq > %d", i), toMemory("out"))
	}
	start := time.Now()
	for i, err := range r.CreateRules(slices.Values(defs)) {
		if err != nil {
			t.Fatalf("rule %d: %v", i, err)
		}
	}
	created := time.Since(start)
	r.must(r.StopRule("r0001"))
	r.must(r.EditTags("r0002", func([]string) []string { return []string{"hall"} }))
	text := r.def("temporary", "SELECT * FROM s", toMemory("out"))
	text.Temp = true
	r.must(r.CreateRule(text))
	before, err := r.Definitions()
	r.must(err)
	r.close()

	start = time.Now()
	r = newRig(t, o)
	t.Logf("%d rules: created in %v, running again after %v", rules, created, time.Since(start))
	list := r.RuleList()
	if len(list) != rules {
		t.Fatalf("got %d rules, want %d", len(list), rules)
	}
	for _, i := range list {
		want := "running"
		if i.ID == "r0001" {
			want = "stopped"
		}
		if i.Status != want {
			t.Errorf("%s: got %s, want %s", i.ID, i.Status, want)
		}
	}
	if got := list[2].Tags; len(got) != 1 || got[0] != "hall" {
		t.Errorf("tags: got %v", got)
	}
	delete(before.Rules, "temporary")
	delete(before.Streams, "gone")
	after, err := r.Definitions()
	r.must(err)
	if jsonOf(t, after) != jsonOf(t, before) {
		t.Error("definitions differ after the restart")
	}
	out := r.listen("out")
	r.publish("in", `{"seq":3}`)
	out.want(`{"seq":3}`, `{"seq":3}`) // r0000 and r0002
}

func TestTransfer(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.sql(`CREATE TABLE tab (a bigint) WITH (TYPE="file", DATASOURCE="x.json", FORMAT="json")`)
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"server": "tcp://10.0.0.1:1883"}))
	r.must(r.PutConfKey(api.ConfSinks, "mqtt", "up", map[string]any{"server": "tcp://10.0.0.1:1883"}))
	r.must(r.PutConnection(api.Connection{ID: "c1", Type: "mqtt", Props: map[string]any{"server": "tcp://10.0.0.2:1883"}}))
	r.rule("a", "SELECT seq FROM s", "out")
	r.rule("b", "SELECT seq FROM s WHERE seq > 7", "out")
	r.must(r.StopRule("b"))
	all, err := r.Definitions()
	r.must(err)

	for _, full := range []bool{true, false} {
		n := newRig(t, Options{})
		n.memoryStream("s", "elsewhere")
		n.rule("a", "SELECT * FROM s", "wrong")
		n.rule("mine", "SELECT * FROM s", "mine")
		if full {
			n.must(n.PutConfKey(api.ConfSinks, "mqtt", "mine", map[string]any{"server": "tcp://10.0.0.3:1883"}))
		}
		var bad api.Definitions
		if full {
			bad = n.ReplaceDefinitions(all)
		} else {
			bad = n.ImportDefinitions(all)
			n.must(n.DeleteRule("mine"))
		}
		if got := jsonOf(t, bad); got != jsonOf(t, newDefinitions().Definitions) {
			t.Errorf("faults of a good import: %s", got)
		}
		got, err := n.Definitions()
		n.must(err)
		if jsonOf(t, got) != jsonOf(t, all) {
			t.Errorf("got %s\nwant %s", jsonOf(t, got), jsonOf(t, all))
		}
		out := n.listen("out")
		n.publish("in", `{"seq":9}`)
		out.want(`{"seq":9}`)
	}
	d := newDefinitions()
	d.Streams["bad"] = "CREATE STREAM"
	d.Rules["r"] = `{"id":"r","sql":"SELECT * FROM nowhere","actions":[{"nop":{}}]}`
	d.Rules["broken"] = `{`
	d.SourceConfig["mqtt"] = `[]`
	bad := r.ImportDefinitions(d.Definitions)
	if bad.Streams["bad"] == "" || bad.Rules["r"] == "" || bad.Rules["broken"] == "" || bad.SourceConfig["mqtt"] == "" {
		t.Errorf("faults of a bad import: %s", jsonOf(t, bad))
	}
}

// An import that replaces everything deletes the groups of the store, and those of
// the configuration file are again as the file has them.
func TestReplaceSettings(t *testing.T) {
	file := map[string]map[string]map[string]map[string]any{"sinks": {"mqtt": {"site": {"server": "tcp://10.0.0.1:1883"}}}}
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir(), Confs: file}
	r := newRig(t, o)
	r.must(r.PutConfKey(api.ConfSinks, "mqtt", "site", map[string]any{"server": "tcp://10.0.0.2:1883"}))
	r.must(r.PutConfKey(api.ConfSinks, "mqtt", "mine", map[string]any{"server": "tcp://10.0.0.3:1883"}))
	r.ReplaceDefinitions(newDefinitions().Definitions)
	for range 2 {
		got, err := r.ConfKeys(api.ConfSinks, "mqtt")
		r.must(err)
		if want := `{"site":{"server":"tcp://10.0.0.1:1883"}}`; jsonOf(t, got) != want {
			t.Errorf("got %s, want %s", jsonOf(t, got), want)
		}
		r.close()
		r = newRig(t, o)
	}
}

// A rule can tell when the process started.
func TestStartOfProcess(t *testing.T) {
	before := time.Now().UnixMilli()
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.rule("start", `SELECT props("et") AS et FROM s`, "out")
	out := r.listen("out")
	r.publish("in", `{"a":1}`)
	var got struct{ ET int64 }
	if text := out.next(1)[0]; json.Unmarshal([]byte(text), &got) != nil || got.ET < before || got.ET > time.Now().UnixMilli() {
		t.Errorf("got %s, want a time since %d", text, before)
	}
}
