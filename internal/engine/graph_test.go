package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

const graphRule = `{"id":"g","graph":{"nodes":{
	"src":{"type":"source","nodeType":"memory","props":{"sourceType":"stream","sourceName":"s"}},
	"hot":{"type":"operator","nodeType":"filter","props":{"expr":"v > 1"}},
	"up":{"type":"operator","nodeType":"function","props":{"expr":"upper(name)"}},
	"win":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":2}},
	"sum":{"type":"operator","nodeType":"aggfunc","props":{"expr":"sum(v) AS total"}},
	"out":{"type":"operator","nodeType":"pick","props":{"fields":["upper","total"],"isAgg":true}},
	"one":{"type":"sink","nodeType":"memory","props":{"topic":"one","sendSingle":true}},
	"two":{"type":"sink","nodeType":"memory","props":{"topic":"two"}}},
	"topo":{"sources":["src"],"edges":{"src":["hot"],"hot":["up"],"up":["win"],"win":["sum"],"sum":["out"],"out":["one","two"]}}}}`

func TestGraphRule(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	one, two := r.listen("one"), r.listen("two")
	def, err := parseRule([]byte(graphRule))
	r.must(err)
	r.must(r.CreateRule(def))
	r.publish("in", `{"v":1,"name":"a"}`, `{"v":2,"name":"b"}`, `{"v":3,"name":"c"}`)
	one.want(`{"total":5,"upper":"B"}`)
	two.want(`[{"total":5,"upper":"B"}]`)
	if text, err := r.RuleText("g"); err != nil || string(text) != graphRule {
		t.Errorf("stored text: got %s, %v", text, err)
	}
	r.must(r.RestartRule("g"))
	r.publish("in", `{"v":4,"name":"d"}`, `{"v":5,"name":"e"}`)
	one.want(`{"total":9,"upper":"D"}`)
}

// A graph with streams of its own, a switch, branches and a sink that several
// feed.
const branchRule = `{"id":"g","graph":{"nodes":{
	"src":{"type":"source","nodeType":"memory","props":{"datasource":"in","format":"json"}},
	"sw":{"type":"operator","nodeType":"switch","props":{"cases":["v > 10","v > 5"],"stopAtFirstMatch":true}},
	"low":{"type":"operator","nodeType":"filter","props":{"expr":"src.v < 3"}},
	"mark":{"type":"operator","nodeType":"function","props":{"expr":"concat(\"low\", \"\") AS mark"}},
	"hot":{"type":"sink","nodeType":"memory","props":{"topic":"hot","sendSingle":true}},
	"warm":{"type":"sink","nodeType":"memory","props":{"topic":"warm","sendSingle":true}},
	"all":{"type":"sink","nodeType":"memory","props":{"topic":"all","sendSingle":true}}},
	"topo":{"sources":["src"],"edges":{"src":["sw","low"],"sw":[["hot"],["warm","all"]],"low":["mark"],"mark":["all"]}}}}`

func TestGraphBranches(t *testing.T) {
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	hot, warm, both := r.listen("hot"), r.listen("warm"), r.listen("all")
	def, err := parseRule([]byte(branchRule))
	r.must(err)
	if got, err := r.ValidateRule(def); err != nil || !slices.Equal(got, []string{"src"}) {
		t.Errorf("validate: got %v, %v", got, err)
	}
	r.must(r.CreateRule(def))
	send := func() {
		t.Helper()
		r.publish("in", `{"v":11}`, `{"v":7}`, `{"v":1}`, `{"w":1}`)
		hot.want(`{"v":11}`)
		warm.want(`{"v":7}`)
		got := both.next(2) // of two statements
		slices.Sort(got)
		if want := []string{`{"v":1,"mark":"low"}`, `{"v":7}`}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	send()
	r.await("deliveries are counted", func() bool { return r.status("g", "sink_all_0_records_out_total") == uint64(2) })
	for key, want := range map[string]any{
		"status": "running", "source_src_0_records_in_total": 4, "op_3_project_0_records_in_total": 4, "op_3_project_0_records_out_total": 3,
		"sink_hot_0_records_in_total": 1, "sink_all_0_records_in_total": 2,
	} {
		r.wantStatus("g", key, want)
	}
	topo, err := r.RuleTopo("g")
	r.must(err)
	if got := jsonOf(t, topo); !strings.Contains(got, "source_src") || !strings.Contains(got, "op_sw") || !strings.Contains(got, "sink_hot") {
		t.Errorf("topology: got %s", got)
	}
	text, err := r.ExplainRule("g")
	r.must(err)
	if strings.Count(text, "StreamName: src") != 3 || strings.Contains(text, "graph:") {
		t.Errorf("explain: got %s", text)
	}
	if list := r.StreamList(api.Stream); len(list) != 0 {
		t.Errorf("the graph's own stream is listed: %v", list)
	}
	all, err := r.Definitions()
	r.must(err)
	if len(all.Streams) != 0 || all.Rules["g"] != branchRule {
		t.Errorf("export: got %s", jsonOf(t, all))
	}
	r.must(r.RestartRule("g"))
	send()
	r.wantStatus("g", "op_3_project_0_records_out_total", 3)
	r.close()

	r = newRig(t, o)
	hot, warm, both = r.listen("hot"), r.listen("warm"), r.listen("all")
	send()
	n := newRig(t, Options{})
	if bad := n.ImportDefinitions(all); jsonOf(t, bad) != jsonOf(t, newDefinitions().Definitions) {
		t.Errorf("faults of a good import: %s", jsonOf(t, bad))
	}
	hot, warm, both = n.listen("hot"), n.listen("warm"), n.listen("all")
	r = n
	send()
}

// An update goes over to what the new graph has; the streams of the old one go.
func TestGraphUpdate(t *testing.T) {
	r := newRig(t, Options{})
	hot, both := r.listen("hot"), r.listen("all")
	def, err := parseRule([]byte(branchRule))
	r.must(err)
	r.must(r.CreateRule(def))
	twin := strings.Replace(branchRule, `"id":"g"`, `"id":"twin"`, 1)
	other, err := parseRule([]byte(strings.ReplaceAll(twin, `"topic":"`, `"topic":"twin/`)))
	r.must(err)
	r.must(r.CreateRule(other))
	if n := len(r.mu.streams); n != 1 {
		t.Errorf("two rules with equal nodes: got %d streams, want 1", n)
	}
	next, err := parseRule([]byte(strings.Replace(strings.Replace(branchRule, `"datasource":"in"`, `"datasource":"next"`, 1), "v > 10", "v > 20", 1)))
	r.must(err)
	r.replace(next)
	r.publish("in", `{"v":100}`)
	r.publish("next", `{"v":15}`, `{"v":21}`)
	hot.want(`{"v":21}`)
	both.want(`{"v":15}`)
	r.must(r.StopRule("g"))
	r.wantStatus("g", "status", "stopped")
	r.must(r.DeleteRule("g"))
	r.must(r.DeleteRule("twin"))
	if len(r.mu.streams) != 0 || len(r.mu.users) != 0 || slices.ContainsFunc(r.mu.numbers.ofRule, func(x *rule) bool { return x != nil }) {
		t.Errorf("after the rules: %d streams, rules %v", len(r.mu.streams), r.mu.numbers.ofRule)
	}
	// A rule over one statement takes the place of one over three, and back.
	r.must(r.CreateRule(def))
	r.memoryStream("s", "in")
	r.replace(r.def("g", "SELECT v FROM s", toMemory("hot")))
	r.publish("in", `{"v":1,"w":2}`)
	hot.want(`{"v":1}`)
	r.replace(def)
	r.publish("in", `{"v":12,"w":2}`)
	hot.want(`{"v":12,"w":2}`)
}

// Filters before and behind a window that its rows end are two things: a row that
// the second one drops still ends a window.
func TestGraphFilters(t *testing.T) {
	r := newRig(t, Options{})
	def, err := parseRule([]byte(`{"id":"f","graph":{"nodes":{
		"src":{"type":"source","nodeType":"memory","props":{"datasource":"in"}},
		"pos":{"type":"operator","nodeType":"filter","props":{"expr":"v > 0"}},
		"win":{"type":"operator","nodeType":"window","props":{"type":"slidingwindow","unit":"hh","size":1}},
		"odd":{"type":"operator","nodeType":"filter","props":{"expr":"v % 2 = 1"}},
		"many":{"type":"operator","nodeType":"switch","props":{"cases":["n > 1","n = 1"]}},
		"count":{"type":"operator","nodeType":"aggfunc","props":{"expr":"count(*) AS n"}},
		"pick":{"type":"operator","nodeType":"pick","props":{"fields":["n"],"isAgg":true}},
		"rows":{"type":"sink","nodeType":"memory","props":{"topic":"rows"}},
		"some":{"type":"sink","nodeType":"memory","props":{"topic":"some"}},
		"one":{"type":"sink","nodeType":"memory","props":{"topic":"one","fields":["n"]}}},
		"topo":{"sources":["src"],"edges":{"src":["pos"],"pos":["win"],"win":["odd"],"odd":["rows","count"],"count":["many"],"many":[["pick"],["one"]],"pick":["some"]}}}}`))
	r.must(err)
	r.must(r.CreateRule(def))
	rows, one, some := r.listen("rows"), r.listen("one"), r.listen("some")
	r.publish("in", `{"v":1}`, `{"v":2}`, `{"v":-1}`, `{"v":3}`)
	rows.want(`[{"v":1}]`, `[{"v":1}]`, `[{"v":1},{"v":3}]`)
	one.want(`[{"n":1}]`, `[{"n":1}]`)
	some.want(`[{"n":2}]`)
}

func TestGraphJoin(t *testing.T) {
	r := newRig(t, Options{})
	r.sql(`CREATE TABLE tab () WITH (TYPE="memory", DATASOURCE="rows", KIND="lookup", KEY="id", FORMAT="json")`)
	def, err := parseRule([]byte(`{"id":"j","graph":{"nodes":{
		"left":{"type":"source","nodeType":"memory","props":{"datasource":"in"}},
		"tab":{"type":"source","nodeType":"memory","props":{"sourceType":"table","sourceName":"tab"}},
		"pos":{"type":"operator","nodeType":"filter","props":{"expr":"v > 0"}},
		"join":{"type":"operator","nodeType":"join","props":{"from":"left","joins":[{"name":"tab","type":"inner","on":"` + "`left`" + `.id = tab.id"}]}},
		"pick":{"type":"operator","nodeType":"pick","props":{"fields":["v","tab.name"]}},
		"log":{"type":"sink","nodeType":"nop"},
		"out":{"type":"sink","nodeType":"memory","props":{"topic":"out","sendSingle":true}}},
		"topo":{"sources":["left","tab"],"edges":{"left":["pos","log"],"pos":["join"],"tab":["join"],"join":["pick"],"pick":["out"]}}}}`))
	r.must(err)
	r.must(r.CreateRule(def))
	out := r.listen("out")
	r.publish("rows", `{"id":1,"name":"one"}`)
	r.await("the table has its row", func() bool { return r.status("j", "source_tab_0_records_in_total") == uint64(1) })
	r.publish("in", `{"id":1,"v":0}`, `{"id":1,"v":5}`, `{"id":2,"v":6}`)
	out.want(`{"name":"one","v":5}`)
	r.wantStatus("j", "source_left_0_records_in_total", 3)
	if err := r.DropStream(api.Table, "tab"); !errors.Is(err, ruledef.ErrInUse) {
		t.Errorf("drop of a table in use: got %v", err)
	}
}

// A rule whose graph names a group of settings begins anew when that changes.
func TestGraphSettings(t *testing.T) {
	r := newRig(t, Options{})
	r.must(r.PutConfKey(api.ConfSinks, "memory", "place", map[string]any{"topic": "one"}))
	def, err := parseRule([]byte(strings.Replace(branchRule, `"topic":"hot"`, `"resourceId":"place"`, 1)))
	r.must(err)
	r.must(r.CreateRule(def))
	first, second := r.listen("one"), r.listen("two")
	r.publish("in", `{"v":11}`)
	first.want(`{"v":11}`)
	r.must(r.PutConfKey(api.ConfSinks, "memory", "place", map[string]any{"topic": "two"}))
	r.publish("in", `{"v":12}`)
	second.want(`{"v":12}`)
}

func TestGraphRefuses(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.sql(`CREATE STREAM typed (a bigint) WITH (TYPE="memory", DATASOURCE="x", FORMAT="json")`)
	named := func(typ, source string) string {
		return strings.Replace(branchRule, `"nodeType":"memory","props":{"datasource":"in","format":"json"}`, `"nodeType":"`+typ+`","props":`+source, 1)
	}
	for text, want := range map[string]string{
		named("memory", `{"sourceName":"nowhere"}`):                   `node "src": fail to get stream nowhere`,
		named("mqtt", `{"sourceName":"s"}`):                           `node "src": source type mqtt does not match the stream type memory`,
		named("memory", `{"sourceName":"s","sourceType":"table"}`):    `node "src": stream s is not a table`,
		named("modbus", `{"datasource":"x"}`):                         `node "src": source type modbus is not supported`,
		named("memory", `{"datasource":"x","format":"morse"}`):        `node "src": props: format morse is unknown`,
		named("memory", `{"sourceName":"typed"}`):                     `the way to "hot", as a statement SELECT`,
		strings.Replace(branchRule, `"topic":"warm"`, `"topic":7`, 1): `node "warm": `,
		strings.Replace(branchRule, `"nodeType":"memory","props":{"topic":"hot"`, `"nodeType":"pigeon","props":{"topic":"hot"`, 1): `node "hot": `,
		strings.Replace(branchRule, "v > 5", "nosuch(v)", 1):                                                                       `node "sw": switch: cases: "nosuch(v)": there is no function "nosuch"`,
	} {
		def, err := parseRule([]byte(text))
		r.must(err)
		if _, err := r.ValidateRule(def); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		if err := r.CreateRule(def); err == nil {
			t.Errorf("%s: created", text)
		}
	}
}

// A case that fails is counted, and the next ones are asked.
func TestGraphSwitchFault(t *testing.T) {
	r := newRig(t, Options{})
	def, err := parseRule([]byte(`{"id":"w","graph":{"nodes":{
		"src":{"type":"source","nodeType":"memory","props":{"datasource":"in"}},
		"sw":{"type":"operator","nodeType":"switch","props":{"cases":["v / d > 1","b","v > 2"],"stopAtFirstMatch":true}},
		"a":{"type":"sink","nodeType":"memory","props":{"topic":"a","sendSingle":true}},
		"b":{"type":"sink","nodeType":"memory","props":{"topic":"b","sendSingle":true}},
		"c":{"type":"sink","nodeType":"memory","props":{"topic":"c","sendSingle":true}}},
		"topo":{"sources":["src"],"edges":{"src":["sw"],"sw":[["a"],["b"],["c"]]}}}}`))
	r.must(err)
	r.must(r.CreateRule(def))
	a, b, c := r.listen("a"), r.listen("b"), r.listen("c")
	r.publish("in", `{"d":2,"v":4}`, `{"d":0,"v":5}`, `{"b":true,"d":0,"v":5}`, `{"b":7,"d":9,"v":6}`)
	a.want(`{"d":2,"v":4}`)
	b.want(`{"b":true,"d":0,"v":5}`)
	c.want(`{"d":0,"v":5}`, `{"b":7,"d":9,"v":6}`)
	// v / d fails for two rows, and for one b is no condition: each counts once.
	r.await("faults are counted", func() bool { return r.status("w", "op_3_project_0_exceptions_total") == uint64(3) })
}

// Rows are left out before those of the other source come to them, and come to a
// window by several ways; what no join joins stands beside each other.
func TestGraphWays(t *testing.T) {
	r := newRig(t, Options{})
	def, err := parseRule([]byte(`{"id":"w","graph":{"nodes":{
		"l":{"type":"source","nodeType":"memory","props":{"datasource":"l"}},
		"r":{"type":"source","nodeType":"memory","props":{"datasource":"r"}},
		"pos":{"type":"operator","nodeType":"filter","props":{"expr":"10 / v > 0"}},
		"two":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":2}},
		"full":{"type":"operator","nodeType":"join","props":{"from":"l","joins":[{"name":"r","type":"full","on":"l.id = r.id"}]}},
		"all":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":3}},
		"sum":{"type":"operator","nodeType":"aggfunc","props":{"expr":"sum(v) AS s"}},
		"pick":{"type":"operator","nodeType":"pick","props":{"fields":["s"],"isAgg":true}},
		"joined":{"type":"sink","nodeType":"memory","props":{"topic":"joined"}},
		"rows":{"type":"sink","nodeType":"memory","props":{"topic":"rows"}},
		"sums":{"type":"sink","nodeType":"memory","props":{"topic":"sums"}}},
		"topo":{"sources":["l","r"],"edges":{"l":["pos","all"],"pos":["two","all"],"r":["two"],
			"two":["full"],"full":["joined"],"all":["rows","sum"],"sum":["pick"],"pick":["sums"]}}}}`))
	r.must(err)
	r.must(r.CreateRule(def))
	joined, rows, sums := r.listen("joined"), r.listen("rows"), r.listen("sums")
	r.publish("l", `{"id":1,"v":0}`, `{"id":2,"v":-3}`, `{"id":3,"v":5}`)
	r.publish("r", `{"id":3,"w":7}`)
	joined.want(`[{"id":3,"v":5,"w":7}]`)
	rows.want(`[{"id":1,"v":0},{"id":2,"v":-3},{"id":3,"v":5}]`)
	sums.want(`[{"s":2}]`)
	// 10 / 0 fails once in each of the three statements.
	r.await("faults are counted", func() bool { return r.status("w", "op_3_project_0_exceptions_total") == uint64(3) })
	r.publish("l", `{"id":4,"v":1}`, `{"id":5,"v":2}`)
	rows.want(`[{"id":3,"v":5},{"id":4,"v":1},{"id":4,"v":1}]`)
	joined.want(`[{"id":4,"v":1},{"id":5,"v":2}]`)
	text, err := r.ExplainRule("w")
	r.must(err)
	if !strings.Contains(text, "FULL JOIN") || !strings.Contains(text, "WHERE ") {
		t.Errorf("explain: got %s", text)
	}
}

// A switch behind a window sends all of the window's rows one way.
func TestGraphWholeWindow(t *testing.T) {
	r := newRig(t, Options{})
	def, err := parseRule([]byte(`{"id":"w","graph":{"nodes":{
		"src":{"type":"source","nodeType":"memory","props":{"datasource":"in"}},
		"win":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":2}},
		"sw":{"type":"operator","nodeType":"switch","props":{"cases":["avg(v) > 5","k = \"a\"","count(*) > 0"],"stopAtFirstMatch":true}},
		"big":{"type":"operator","nodeType":"filter","props":{"expr":"v > 6"}},
		"hot":{"type":"sink","nodeType":"memory","props":{"topic":"hot"}},
		"some":{"type":"sink","nodeType":"memory","props":{"topic":"some"}},
		"a":{"type":"sink","nodeType":"memory","props":{"topic":"a"}},
		"rest":{"type":"sink","nodeType":"memory","props":{"topic":"rest"}}},
		"topo":{"sources":["src"],"edges":{"src":["win"],"win":["sw"],"sw":[["hot","big"],["a"],["rest"]],"big":["some"]}}}}`))
	r.must(err)
	r.must(r.CreateRule(def))
	hot, some, a, rest := r.listen("hot"), r.listen("some"), r.listen("a"), r.listen("rest")
	r.publish("in", `{"v":4}`, `{"v":7}`, `{"k":"a","v":1}`, `{"k":"b","v":2}`, `{"v":3}`, `{"k":"a","v":4}`, `{"k":"a","v":"x"}`, `{"k":"a","v":1}`)
	hot.want(`[{"v":4},{"v":7}]`)
	some.want(`[{"v":7}]`)
	a.want(`[{"k":"a","v":1},{"k":"b","v":2}]`, `[{"k":"a","v":"x"},{"k":"a","v":1}]`)
	rest.want(`[{"v":3},{"k":"a","v":4}]`)
}
