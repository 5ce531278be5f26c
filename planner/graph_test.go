package planner

import (
	"fmt"
	"strings"
	"testing"
)

// graphRule makes a rule whose graph is a chain of operators, one a line as
// "nodeType props", from streams to a log sink.
func graphRule(t *testing.T, sources string, ops ...string) *RuleDef {
	t.Helper()
	var nodes, edges, names []string
	for i, s := range strings.Split(sources, ",") {
		nodes = append(nodes, fmt.Sprintf(`"src%d":{"type":"source","nodeType":"mqtt","props":{"sourceType":"stream","sourceName":%q}}`, i, s))
		edges = append(edges, fmt.Sprintf(`"src%d":["op0"]`, i))
		names = append(names, fmt.Sprintf(`"src%d"`, i))
	}
	for i, op := range ops {
		typ, props, _ := strings.Cut(op, " ")
		nodes = append(nodes, fmt.Sprintf(`"op%d":{"type":"operator","nodeType":%q,"props":%s,"ui":{"x":1}}`, i, typ, props))
		edges = append(edges, fmt.Sprintf(`"op%d":["op%d"]`, i, i+1))
	}
	nodes = append(nodes, fmt.Sprintf(`"op%d":{"type":"sink","nodeType":"log","props":{"sendSingle":true}}`, len(ops)))
	return graphOf(t, fmt.Sprintf(`{"nodes":{%s},"topo":{"sources":[%s],"edges":{%s}}}`, strings.Join(nodes, ","), strings.Join(names, ","), strings.Join(edges, ",")))
}

func graphOf(t *testing.T, graph string) *RuleDef {
	t.Helper()
	d, err := ParseRule([]byte(`{"id":"g","graph":` + graph + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFlatten(t *testing.T) {
	for _, c := range []struct {
		sources string
		ops     []string
		want    string
	}{
		{"s", nil, "SELECT * FROM s"},
		{"s", []string{`filter {"expr":"a > 1 OR b"}`, `filter {"expr":"c"}`}, "SELECT * FROM s WHERE (a > 1 OR b) AND (c)"},
		{"s", []string{`function {"expr":"log(a) AS l"}`, `filter {"expr":"l > 1"}`, `pick {"fields":["l","b"]}`}, "SELECT log(a) AS l, b FROM s WHERE (l > 1)"},
		{"s", []string{`function {"expr":"log(a)"}`, `pick {"fields":["log AS x"]}`}, "SELECT log AS x, log(a) AS `log` INVISIBLE FROM s"},
		{"s", []string{`function {"expr":"upper(a) AS a"}`}, "SELECT *, upper(a) AS a FROM s"},
		{
			"s",
			[]string{
				`watermark {"emitters":["s"]}`, `filter {"expr":"v > 0"}`, `window {"type":"hoppingwindow","unit":"ss","size":10,"interval":5}`,
				`groupby {"dimensions":["dev"]}`, `aggfunc {"expr":"avg(v) AS m"}`, `filter {"expr":"m > 5"}`, `orderby {"sorts":[{"field":"m","desc":true},{"field":"dev"}]}`, `pick {"fields":["dev","m"],"isAgg":true}`,
			},
			"SELECT dev, avg(v) AS m FROM s WHERE (v > 0) GROUP BY dev, HOPPINGWINDOW(ss, 10, 5) HAVING (m > 5) ORDER BY m DESC, dev ASC",
		},
		{"s", []string{`window {"type":"countwindow","size":4}`, `aggfunc {"expr":"count(*) AS n"}`}, "SELECT *, count(*) AS n FROM s GROUP BY COUNTWINDOW(4)"},
		{
			"s",
			[]string{`filter {"expr":"v > 0"}`, `window {"type":"countwindow","size":4,"interval":2}`, `filter {"expr":"w"}`},
			"SELECT * FROM s WHERE (w) GROUP BY COUNTWINDOW(4, 2) FILTER (WHERE (v > 0))",
		},
		{"s", []string{`window {"type":"sessionwindow","unit":"MI","size":5,"interval":9}`}, "SELECT * FROM s GROUP BY SESSIONWINDOW(mi, 5, 9)"},
		{
			"a,b",
			[]string{`window {"type":"tumblingwindow","unit":"ss","size":1}`, `join {"from":"a","joins":[{"name":"b","type":"left","on":"a.id = b.id"}]}`, `filter {"expr":"a.v > 1"}`},
			"SELECT * FROM a LEFT JOIN b ON (a.id = b.id) WHERE (a.v > 1) GROUP BY TUMBLINGWINDOW(ss, 1)",
		},
	} {
		d, err := graphRule(t, c.sources, c.ops...).Flatten()
		if err != nil {
			t.Errorf("%v: %v", c.ops, err)
			continue
		}
		if d.SQL != c.want {
			t.Errorf("got  %s\nwant %s", d.SQL, c.want)
		}
		if len(d.Actions) != 1 || d.Actions[0].Type != "log" || d.Actions[0].Props["sendSingle"] != true {
			t.Errorf("actions: got %+v", d.Actions)
		}
	}
}

func TestFlattenSinks(t *testing.T) {
	d, err := graphOf(t, `{"nodes":{"s":{"type":"source","props":{"sourceName":"demo"}},"f":{"type":"operator","nodeType":"filter","props":{"expr":"a"}},
		"x":{"type":"sink","nodeType":"log","props":null},"y":{"type":"sink","nodeType":"mqtt","props":{"topic":"t"}}},
		"topo":{"sources":["s"],"edges":{"s":["f"],"f":["x","y"]}}}`).Flatten()
	if err != nil || len(d.Actions) != 2 || d.Actions[1].Type != "mqtt" || d.Actions[1].Index != 1 || d.Actions[1].Props["topic"] != "t" || d.Actions[0].Props == nil {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestFlattenRefuses(t *testing.T) {
	for _, c := range []struct{ op, want string }{
		{`filter {"expr":"a) OR (b"}`, `node "op0": filter: expr`},
		{`filter {"expr":""}`, `node "op0": filter: expr`},
		{`filter {"expr":"a GROUP BY b"}`, `node "op0": filter: expr`},
		{`filter {"expr":1}`, `node "op0": filter: props`},
		{`function {"expr":"a + 1"}`, "want the call of a function"},
		{`function {"expr":"f(a), f(b)"}`, "want one expression"},
		{`function {"expr":"f(a) FROM y WHERE b --"}`, `node "op0": function: expr`},
		{`pick {"fields":[]}`, "want at least one"},
		{`pick {"fields":["a FROM b"]}`, `node "op0": pick: fields`},
		{`window {"type":"statewindow","size":1}`, `unknown window type "statewindow"`},
		{`window {"type":"tumblingwindow","unit":"yy","size":1}`, `unit "yy"`},
		{`window {"type":"tumblingwindow","unit":"ss","size":0}`, "size 0"},
		{`window {"type":"hoppingwindow","unit":"ss","size":5}`, "interval is missing"},
		{`aggfunc {"expr":"avg(a)"}`, "comes before a window"},
		{`groupby {"dimensions":["a"]}`, "comes before a window"},
		{`orderby {"sorts":[]}`, "want at least one"},
		{`switch {"cases":["a"]}`, `node "op0": switch: rows that go several ways are not supported`},
		{`script {"script":""}`, "scripts are not supported"},
		{`nosuch {}`, `node "op0": nosuch: there is no such operator`},
		{`join {"from":"t","joins":[]}`, `from "t": no source`},
	} {
		if d, err := graphRule(t, "s", c.op).Flatten(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Rule g has an invalid graph: ") {
			t.Errorf("%s: got %+v, %v, want %s", c.op, d, err, c.want)
		}
	}
	const src, sink = `"s":{"type":"source","props":{"sourceName":"s"}}`, `"x":{"type":"sink","nodeType":"log"}`
	for graph, want := range map[string]string{
		`[]`:                                    "must be an object",
		`{}`:                                    "topo names no sources",
		`{"nodes":{},"topo":{"sources":["s"]}}`: "source node \"s\" is not defined",
		`{"nodes":{` + src + `},"topo":{"sources":["s"],"edges":{}}}`:                                                                                     "no edge leaves",
		`{"nodes":{` + src + `},"topo":{"sources":["s"],"edges":{"s":["x"]}}}`:                                                                            `edge to node "x", which is not defined`,
		`{"nodes":{` + src + `,"x":null},"topo":{"sources":["s"],"edges":{"s":["x"]}}}`:                                                                   `edge to node "x", which is not defined`,
		`{"nodes":{` + src + `,` + sink + `},"topo":{"sources":["s"],"edges":{"s":[["x"]]}}}`:                                                             "go to lists of nodes",
		`{"nodes":{` + src + `,` + sink + `},"topo":{"sources":["s"],"edges":{"s":["x"],"x":["s"]}}}`:                                                     "is a sink and feeds others",
		`{"nodes":{` + src + `,` + sink + `,"y":{"type":"sink","nodeType":"log"}},"topo":{"sources":["s"],"edges":{"s":["x"]}}}`:                          `node "y": is not on the way`,
		`{"nodes":{"s":{"type":"source","props":{"datasource":"t"}},` + sink + `},"topo":{"sources":["s"],"edges":{"s":["x"]}}}`:                          "name it in sourceName",
		`{"nodes":{"s":{"type":"source","props":{"sourceName":"s WHERE 1"}},` + sink + `},"topo":{"sources":["s"],"edges":{"s":["x"]}}}`:                  "not the name of a stream",
		`{"nodes":{` + src + `,"f":{"type":"operator","nodeType":"filter","props":{"expr":"a"}}},"topo":{"sources":["s"],"edges":{"s":["f"],"f":["f"]}}}`: `node "f": follows itself`,
	} {
		if _, err := graphOf(t, graph).Flatten(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", graph, err, want)
		}
	}
	if _, err := graphRule(t, "a,b", `filter {"expr":"x"}`).Flatten(); err == nil || !strings.Contains(err.Error(), "before the sources are joined") {
		t.Errorf("two sources: got %v", err)
	}
	if _, err := graphRule(t, "s", `window {"type":"slidingwindow","unit":"ss","size":2}`, `filter {"expr":"x"}`).Flatten(); err == nil || !strings.Contains(err.Error(), "put it before") {
		t.Errorf("filter after a sliding window: got %v", err)
	}
}

// In event time WHERE runs after the window.
func TestFlattenEventTime(t *testing.T) {
	d := graphRule(t, "s", `filter {"expr":"a"}`, `window {"type":"slidingwindow","unit":"ss","size":2}`, `filter {"expr":"b"}`)
	d.Options.IsEventTime = true
	d, err := d.Flatten()
	if want := "SELECT * FROM s WHERE (b) GROUP BY SLIDINGWINDOW(ss, 2) FILTER (WHERE (a))"; err != nil || d.SQL != want {
		t.Errorf("got %+v, %v, want %s", d, err, want)
	}
}
