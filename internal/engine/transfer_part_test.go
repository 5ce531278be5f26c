package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// listed names all that is in a set of definitions.
func listed(t *testing.T, d api.Definitions) (out []string) {
	t.Helper()
	for what, m := range map[string]map[string]string{"stream": d.Streams, "table": d.Tables, "rule": d.Rules, "schema": d.Schemas} {
		for name := range m {
			out = append(out, what+" "+name)
		}
	}
	for kind, m := range map[string]map[string]string{"sources": d.SourceConfig, "sinks": d.SinkConfig, "connections": d.ConnectionConfig} {
		for typ, text := range m {
			var groups map[string]any
			if err := json.Unmarshal([]byte(text), &groups); err != nil {
				t.Fatal(err)
			}
			for key := range groups {
				out = append(out, kind+" "+typ+" "+key)
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestExportOfRules exports some of many rules: the part is what a plain list of uses
// says, and an empty engine that imports it runs the rules.
func TestExportOfRules(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker() // and the default group
	schema := func(name, text string) { r.must(r.CreateSchema(schemaOf(name, text))) }
	schema("base", `syntax = "proto3"; message Base { int64 id = 1; }`)
	schema("mid", `syntax = "proto3"; import "base.proto"; message Mid { Base b = 1; }`)
	schema("top", `syntax = "proto3"; import "mid.proto"; message Top { Mid m = 1; int64 a = 2; }`)
	schema("other", `syntax = "proto3"; message Other { int64 a = 1; }`)
	needs := map[string][]string{
		"schema protobuf_mid": {"schema protobuf_base"}, "schema protobuf_top": {"schema protobuf_mid"},
	}
	for i := range 4 {
		conn := fmt.Sprintf("conn%d", i)
		r.must(r.PutConnection(api.Connection{ID: conn, Type: "mqtt", Props: map[string]any{"server": "tcp://" + addr}, Named: true}))
		r.must(r.PutConfKey(api.ConfSources, "mqtt", fmt.Sprintf("src%d", i), map[string]any{"connectionSelector": conn, "qos": 0.0}))
		r.must(r.PutConfKey(api.ConfSinks, "mqtt", fmt.Sprintf("snk%d", i), map[string]any{"ConnectionSelector": conn, "topic": "x"}))
		r.must(r.PutConfKey(api.ConfSinks, "memory", fmt.Sprintf("proto%d", i), map[string]any{"format": "protobuf", "schemaId": []string{"top.Top", "mid.Mid", "base.Base", "other.Other"}[i]}))
		needs[fmt.Sprintf("sources mqtt src%d", i)] = []string{"connections mqtt " + conn}
		needs[fmt.Sprintf("sinks mqtt snk%d", i)] = []string{"connections mqtt " + conn}
		needs[fmt.Sprintf("sinks memory proto%d", i)] = []string{"schema protobuf_" + []string{"top", "mid", "base", "other"}[i]}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 6 {
		k := rng.IntN(4)
		name := fmt.Sprintf("s%d", i)
		switch i % 3 {
		case 0:
			r.sql(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE="t", CONF_KEY="SRC%d")`, name, k)
			needs["stream "+name] = []string{"sources mqtt default", fmt.Sprintf("sources mqtt src%d", k)}
		case 1:
			r.sql(`CREATE STREAM %s () WITH (DATASOURCE="t", EXTRA="{\"connectionSelector\":\"conn%d\"}")`, name, k)
			needs["stream "+name] = []string{"sources mqtt default", fmt.Sprintf("connections mqtt conn%d", k)}
		default:
			r.sql(`CREATE STREAM %s () WITH (TYPE="memory", DATASOURCE="t", FORMAT="protobuf", SCHEMAID="top.Top")`, name)
			needs["stream "+name] = []string{"schema protobuf_top"}
		}
	}
	r.sql(`CREATE TABLE tab () WITH (TYPE="memory", DATASOURCE="tab", KIND="lookup", KEY="a")`)
	var ids []string
	for i := range 24 {
		id, s, k := fmt.Sprintf("r%d", i), fmt.Sprintf("s%d", rng.IntN(6)), rng.IntN(4)
		uses := []string{"stream " + s}
		text := "SELECT " + s + ".a FROM " + s
		if rng.IntN(3) == 0 {
			text += " INNER JOIN tab ON " + s + ".a = tab.a"
			uses = append(uses, "table tab")
		}
		action := `{"nop":{}}`
		switch rng.IntN(4) {
		case 0:
			action = fmt.Sprintf(`{"mqtt":{"resourceId":"Snk%d"}}`, k)
			uses = append(uses, fmt.Sprintf("sinks mqtt snk%d", k))
		case 1:
			action = fmt.Sprintf(`{"mqtt":{"connectionSelector":"conn%d","topic":"y"}}`, k)
			uses = append(uses, fmt.Sprintf("connections mqtt conn%d", k))
		case 2:
			action = fmt.Sprintf(`{"memory":{"resourceId":"proto%d","topic":"z"}}`, k)
			uses = append(uses, fmt.Sprintf("sinks memory proto%d", k))
		}
		r.must(r.CreateRule(r.def(id, text, action)))
		needs["rule "+id] = uses
		ids = append(ids, id)
	}
	for range 40 {
		rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		some := ids[:1+rng.IntN(4)]
		want := map[string]bool{}
		var follow func(what string)
		follow = func(what string) {
			if !want[what] {
				want[what] = true
				for _, next := range needs[what] {
					follow(next)
				}
			}
		}
		for _, id := range some {
			follow("rule " + id)
		}
		d, err := r.DefinitionsOf(some)
		r.must(err)
		got := listed(t, d)
		for _, what := range got {
			if !want[what] {
				t.Errorf("%v: got %s, which they do not use", some, what)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%v: got %v, want %v", some, got, want)
		}
		n := newRig(t, Options{})
		if bad := listed(t, n.ImportDefinitions(d)); bad != nil {
			t.Fatalf("%v: the import refuses %v", some, bad)
		}
		for _, id := range some {
			if s := n.statusOf(id); s != "running" {
				t.Errorf("%s is %s after the import: %v", id, s, n.status(id, "message"))
			}
		}
		n.close()
	}
	if _, err := r.DefinitionsOf([]string{"nope"}); err == nil || !strings.Contains(err.Error(), "rule nope is not found") {
		t.Errorf("unknown rule: got %v", err)
	}
}

// TestSettingsOfSinks has rules begin anew when a group or a connection changes that
// their sinks name, directly or by way of a group, in any case of letters.
func TestSettingsOfSinks(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.memoryStream("s", "in")
	conn := func(qos float64) api.Connection {
		return api.Connection{ID: "conn", Type: "mqtt", Props: map[string]any{"server": "tcp://" + addr, "qos": qos}, Named: true}
	}
	r.must(r.PutConnection(conn(0)))
	r.must(r.PutConfKey(api.ConfSinks, "mqtt", "group", map[string]any{"CONNECTIONSELECTOR": "Conn", "topic": "x"}))
	r.must(r.PutConfKey(api.ConfSinks, "mqtt", "bare", map[string]any{"server": "tcp://" + addr, "topic": "x"}))
	for id, action := range map[string]string{
		"direct": `{"mqtt":{"ConnectionSelector":"CONN","topic":"y"}}`, "by group": `{"mqtt":{"ResourceId":"Group"}}`, "bare": `{"mqtt":{"resourceId":"bare"}}`,
		"both": `{"mqtt":{"resourceId":"group","connectionSelector":"conn"}}`, "none": `{"nop":{}}`,
	} {
		r.must(r.CreateRule(r.def(strings.ReplaceAll(id, " ", "_"), "SELECT * FROM s", action)))
	}
	runs := func() map[string]uint64 {
		out := map[string]uint64{}
		for id, x := range r.mu.rules {
			out[id] = x.run
		}
		return out
	}
	for _, c := range []struct {
		what string
		do   func() error
		want map[string]bool
	}{
		{"connection", func() error { return r.PutConnection(conn(1)) }, map[string]bool{"direct": true, "by_group": true, "both": true}},
		{"the same again", func() error { return r.PutConnection(conn(1)) }, nil},
		{"group", func() error {
			return r.PutConfKey(api.ConfSinks, "mqtt", "GROUP", map[string]any{"connectionSelector": "conn", "topic": "z"})
		}, map[string]bool{"by_group": true, "both": true}},
	} {
		before := runs()
		r.must(c.do())
		for id, run := range runs() {
			if (run != before[id]) != c.want[id] {
				t.Errorf("%s: rule %s began anew: %v", c.what, id, run != before[id])
			}
			if s := r.statusOf(id); s != "running" {
				t.Errorf("%s: rule %s is %s", c.what, id, s)
			}
		}
	}
}
