package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
)

// graphFuncs are functions that graphs of tests call.
type graphFuncs struct{}

func (graphFuncs) Lookup(name string) (*planner.FuncSig, bool) {
	kinds := map[string]planner.FuncKind{"avg": planner.FuncAgg, "count": planner.FuncAgg, "sum": planner.FuncAgg, "collect": planner.FuncAgg, "lag": planner.FuncAnalytic, "meta": planner.FuncMeta, "window_end": planner.FuncContext}
	k := kinds[name]
	return &planner.FuncSig{Name: name, Kind: k}, true
}

// graphRule makes a rule whose graph is a chain of operators, one a line as
// "nodeType props", from streams to a log sink.
func graphRule(t *testing.T, sources string, ops ...string) *ruledef.Def {
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
		to := fmt.Sprintf(`"op%d"`, i+1)
		if typ == "switch" {
			to = "[" + to + "]"
		}
		edges = append(edges, fmt.Sprintf(`"op%d":[%s]`, i, to))
	}
	nodes = append(nodes, fmt.Sprintf(`"op%d":{"type":"sink","nodeType":"log","props":{"sendSingle":true}}`, len(ops)))
	return graphOf(t, fmt.Sprintf(`{"nodes":{%s},"topo":{"sources":[%s],"edges":{%s}}}`, strings.Join(nodes, ","), strings.Join(names, ","), strings.Join(edges, ",")))
}

func graphOf(t *testing.T, graph string) *ruledef.Def {
	t.Helper()
	d, err := ruledef.ParseFor("g", []byte(`{"graph":`+graph+`}`), ruledef.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// one returns the only statement of a flow.
func one(t *testing.T, d *ruledef.Def) Query {
	t.Helper()
	f, err := Compile(d, graphFuncs{})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Queries) != 1 {
		t.Fatalf("got %+v, want one statement", f.Queries)
	}
	return f.Queries[0]
}

func TestCompileChain(t *testing.T) {
	const (
		tumbling = `window {"type":"tumblingwindow","unit":"ss","size":1}`
		sliding  = `window {"type":"slidingwindow","unit":"ss","size":2}`
	)
	for _, c := range []struct {
		sources string
		ops     []string
		want    string
	}{
		{"s", nil, "SELECT * FROM s"},
		{"s", []string{`filter {"expr":"a > 1 OR b"}`, `filter {"expr":"c"}`}, "SELECT * FROM s WHERE (a > 1 OR b) AND (c)"},
		{"s", []string{`function {"expr":"log(a) AS l"}`, `filter {"expr":"l > 1"}`, `pick {"fields":["l","b"]}`}, "SELECT log(a) AS l, b FROM s WHERE (l > 1)"},
		{"s", []string{`function {"expr":"log(a)"}`, `pick {"fields":["log AS x"]}`}, "SELECT log(a) AS x FROM s"},
		{"s", []string{`function {"expr":"log(a)"}`, `filter {"expr":"log > 1"}`, `pick {"fields":["b"]}`}, "SELECT b, log(a) AS log INVISIBLE FROM s WHERE (log > 1)"},
		{"s", []string{`function {"expr":"upper(a) AS a"}`}, "SELECT *, upper(a) AS a FROM s"},
		// The name means the column before the node and the result behind it.
		{"s", []string{`filter {"expr":"a = 'x'"}`, `function {"expr":"upper(a) AS a"}`, `filter {"expr":"a = 'X'"}`}, "SELECT *, upper(a) AS a FROM s WHERE (s.a = \"x\") AND (a = \"X\")"},
		{"s", []string{`function {"expr":"f(a) AS a"}`, `function {"expr":"g(a) AS a"}`}, "SELECT *, g(a_2) AS a, f(s.a) AS a_2 INVISIBLE FROM s"},
		{"s", []string{`pick {"fields":["a AS b","b AS a"]}`, `filter {"expr":"a > b"}`}, "SELECT s.a AS b, s.b AS a FROM s WHERE (s.b > s.a)"},
		{"s", []string{`pick {"fields":["a","b + 1"]}`, `pick {"fields":["* EXCEPT(a)","meta(topic)"]}`}, "SELECT b + 1, meta(topic) AS meta FROM s"},
		{"s", []string{`pick {"fields":["* EXCEPT(a)"]}`, `pick {"fields":["* REPLACE(f(b) AS b)"]}`}, "SELECT * EXCEPT(a), f(b) AS b FROM s"},
		{"s", []string{`filter {"expr":"a"}`, `function {"expr":"lag(b) AS l"}`}, "SELECT *, lag(b) OVER (WHEN a) AS l FROM s WHERE (a)"},
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
		{"s", []string{`filter {"expr":"v > 0"}`, sliding}, "SELECT * FROM s GROUP BY SLIDINGWINDOW(ss, 2) FILTER (WHERE (v > 0))"},
		{"s", []string{tumbling, `orderby {"sorts":[{"field":"a"}]}`, `orderby {"sorts":[{"field":"b","order":"desc"}]}`}, "SELECT * FROM s GROUP BY TUMBLINGWINDOW(ss, 1) ORDER BY b DESC, a ASC"},
		{"s", []string{tumbling, `orderby {"sorts":[{"field":"a"}]}`, `groupby {"dimensions":["b"]}`}, "SELECT * FROM s GROUP BY b, TUMBLINGWINDOW(ss, 1) ORDER BY a ASC"},
		{"s", []string{`pick {"fields":["a * 2 AS c"]}`, tumbling, `pick {"fields":["sum(c) AS s"],"isAgg":true}`}, "SELECT sum(c) AS s, a * 2 AS c INVISIBLE FROM s GROUP BY TUMBLINGWINDOW(ss, 1)"},
		{"s", []string{tumbling, `pick {"fields":["a"],"isAgg":true}`}, "SELECT a FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING (count(*) > 0)"},
		{"s", []string{tumbling, `switch {"cases":["count(*) > 1"]}`, `aggfunc {"expr":"sum(a)"}`}, "SELECT *, sum(a) AS sum FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING (count(*) > 1)"},
		// A switch decides over the whole window, whose rows are sent.
		{"s", []string{`filter {"expr":"v > 0"}`, sliding, `switch {"cases":["count(*) > 1 AND v > 2"]}`}, "SELECT * FROM s WHERE (count(*) > 1 AND collect(v)[0] > 2) GROUP BY SLIDINGWINDOW(ss, 2) FILTER (WHERE (v > 0))"},
		{
			"s",
			[]string{`function {"expr":"log(a) AS l"}`, tumbling, `filter {"expr":"b"}`, `switch {"cases":["l > sum(l)"]}`, `switch {"cases":["meta(topic) = \"t\""]}`, `function {"expr":"upper(c) AS u"}`, `filter {"expr":"u = l"}`, `pick {"fields":["u"]}`},
			"SELECT upper(c) AS u, log(a) AS l INVISIBLE FROM s WHERE (b) AND (CASE WHEN (collect(l)[0] > sum(l) AND collect(meta(topic))[0] = \"t\") = TRUE THEN u = l ELSE FALSE END) GROUP BY TUMBLINGWINDOW(ss, 1)",
		},
		{"s", []string{tumbling, `switch {"cases":["a"]}`, `pick {"fields":["sum(a) AS a"]}`}, "SELECT sum(a) AS a FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING (collect(s.a)[0])"},
		{
			"a,b",
			[]string{tumbling, `join {"from":"a","joins":[{"name":"b","type":"left","on":"a.id = b.id"}]}`, `filter {"expr":"a.v > 1"}`},
			"SELECT * FROM a LEFT JOIN b ON a.id = b.id WHERE (a.v > 1) GROUP BY TUMBLINGWINDOW(ss, 1)",
		},
		{
			"a,b", // nodes are good names too
			[]string{tumbling, `join {"from":"src1","joins":[{"name":"src0","type":"inner","on":"a.id = b.id"}]}`, `groupby {"dimensions":["b.x"]}`, `aggfunc {"expr":"count(*) AS n"}`, `pick {"fields":["b.x","n"],"isAgg":true}`},
			"SELECT b.x, count(*) AS n FROM b INNER JOIN a ON a.id = b.id GROUP BY b.x, TUMBLINGWINDOW(ss, 1)",
		},
		// What no join joins stands beside each other.
		{"a,b", []string{tumbling}, "SELECT * FROM a FULL JOIN b ON FALSE GROUP BY TUMBLINGWINDOW(ss, 1)"},
		{
			"a,b,c",
			[]string{sliding, `filter {"expr":"v > 1"}`, `groupby {"dimensions":["dev"]}`, `aggfunc {"expr":"count(*) AS n"}`},
			"SELECT *, count(*) AS n FROM a FULL JOIN b ON FALSE FULL JOIN c ON FALSE WHERE (v > 1) GROUP BY dev, SLIDINGWINDOW(ss, 2)",
		},
	} {
		q := one(t, graphRule(t, c.sources, c.ops...))
		if q.SQL != c.want {
			t.Errorf("got  %s\nwant %s", q.SQL, c.want)
		}
		if len(q.Actions) != 1 || q.Actions[0].Type != "log" || q.Actions[0].Props["sendSingle"] != true {
			t.Errorf("actions: got %+v", q.Actions)
		}
		if _, err := sql.Parse(q.SQL); err != nil {
			t.Errorf("%s: %v", q.SQL, err)
		}
	}
	if q := one(t, graphRule(t, "s", `window {"type":"sessionwindow","unit":"ss","size":5,"interval":1}`, `filter {"expr":"a"}`)); !q.After {
		t.Errorf("a filter behind a window: got %+v", q)
	}
	d := graphRule(t, "s", `filter {"expr":"a"}`, sliding, `filter {"expr":"b"}`)
	d.Options.IsEventTime = true
	if q := one(t, d); q.SQL != "SELECT * FROM s WHERE (b) GROUP BY SLIDINGWINDOW(ss, 2) FILTER (WHERE (a))" {
		t.Errorf("event time: got %s", q.SQL)
	}
}

// branches is a graph with two sources of its own and one that is named, switches
// and sinks that are fed by several.
const branches = `{"nodes":{
	"inp":{"type":"source","nodeType":"mqtt","props":{"datasource":"t","confKey":"c","shared":true,"ui":{"x":1},"schemaName":"f","schemaMessage":"M"}},
	"other":{"type":"source","nodeType":"memory","props":{"DATASOURCE":"u","timestamp_format":"YYYY"}},
	"up":{"type":"operator","nodeType":"function","props":{"expr":"upper(inp.name) AS u"}},
	"sw":{"type":"operator","nodeType":"switch","props":{"cases":["v > 10","v > 5"],"stopAtFirstMatch":true}},
	"win":{"type":"operator","nodeType":"window","props":{"type":"tumblingwindow","unit":"ss","size":1}},
	"join":{"type":"operator","nodeType":"join","props":{"from":"inp","joins":[{"name":"other","type":"left","on":"inp.id = other.id"}]}},
	"odd":{"type":"operator","nodeType":"filter","props":{"expr":"odd"}},
	"a":{"type":"sink","nodeType":"log"},"b":{"type":"sink","nodeType":"log"},"c":{"type":"sink","nodeType":"nop"}},
	"topo":{"sources":["inp","other"],"edges":{"inp":["up"],"up":["sw","a"],"sw":[["a","b"],["win"]],"other":["odd"],"odd":["win"],"win":["join"],"join":["c"]}}}`

func TestCompileBranches(t *testing.T) {
	f, err := Compile(graphOf(t, branches), graphFuncs{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range f.Queries {
		text := q.SQL
		for _, s := range f.Sources {
			text = strings.ReplaceAll(text, "`"+s.Name+"`", "$"+s.Node)
		}
		for _, a := range q.Actions {
			text += " > " + a.Node
		}
		got = append(got, text)
	}
	slices.Sort(got)
	want := []string{
		"SELECT *, upper(inp.name) AS u FROM $inp AS inp > a",
		"SELECT *, upper(inp.name) AS u FROM $inp AS inp LEFT JOIN $other AS other ON inp.id = other.id AND other.odd WHERE (NOT holds(inp.v > 10)) AND (inp.v > 5) GROUP BY TUMBLINGWINDOW(ss, 1) > c",
		"SELECT *, upper(inp.name) AS u FROM $inp AS inp WHERE (v > 10) > a > b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if o := f.Sources[0].Create.Options; o.DataSource != "t" || o.ConfKey != "c" || !o.Shared || o.Type != "mqtt" || o.SchemaID != "f.M" {
		t.Errorf("options: got %+v", o)
	}
	if o := f.Sources[1].Create.Options; o.DataSource != "u" || o.TimestampFormat != "YYYY" || f.Sources[1].Create.Name == f.Sources[0].Create.Name {
		t.Errorf("options: got %+v", o)
	}
	if len(f.Edges) != 10 || f.Edges[0] != (Edge{"inp", "up"}) {
		t.Errorf("edges: got %v", f.Edges)
	}
}

func TestCompileRefusesNodes(t *testing.T) {
	const tumbling, sliding = `window {"type":"tumblingwindow","unit":"ss","size":1}`, `window {"type":"slidingwindow","unit":"ss","size":1}`
	for _, c := range []struct{ op, want string }{
		{`filter {"expr":"a) OR (b"}`, `node "op0": filter: expr`},
		{`filter {"expr":""}`, `node "op0": filter: expr`},
		{`filter {"expr":"a >"}`, `node "op0": filter: expr "a >": `},
		{`filter {"expr":"a GROUP BY b"}`, `node "op0": filter: expr`},
		{`filter {"expr":1}`, `node "op0": filter: props: "expr" must be a string, not number`},
		{`filter []`, `node "op0": filter: props: they must be an object`},
		{`function {"expr":"a + 1"}`, "want the call of a function"},
		{`function {"expr":"f(a), f(b)"}`, "want one expression"},
		{`function {"expr":"f(a) FROM y WHERE b --"}`, `node "op0": function: expr`},
		{`function {"expr":"avg(a)"}`, "comes before a window"},
		{`pick {"fields":[]}`, "want at least one"},
		{`pick {"fields":["a FROM b"]}`, `node "op0": pick: fields`},
		{`pick {"fields":["a"],"isAgg":true}`, "comes before a window"},
		{`window {"type":"statewindow","size":1}`, `type "statewindow": want`},
		{`window {"type":"tumblingwindow","unit":"yy","size":1}`, `unit "yy"`},
		{`window {"type":"tumblingwindow","unit":"ss","size":0}`, "size 0"},
		{`window {"type":"hoppingwindow","unit":"ss","size":5}`, "interval is missing"},
		{`window {"type":"hoppingwindow","unit":"dd","size":9223372036854775807,"interval":1}`, `node "op0": window: size 9223372036854775807, interval 1: too large for a hoppingwindow`},
		{`aggfunc {"expr":"avg(a)"}`, "comes before a window"},
		{`groupby {"dimensions":["a"]}`, "comes before a window"},
		{`orderby {"sorts":[]}`, "want at least one"},
		{`orderby {"sorts":[{"field":"a"}]}`, "comes before a window"},
		{`switch {"cases":[]}`, `node "op0": switch: cases: want at least one`},
		{`switch {"cases":["a",""]}`, `node "op0": switch: cases`},
		{`switch {"cases":"a"}`, `node "op0": switch: props: "cases" must be a list`},
		{`script {"script":""}`, `node "op0": script: scripts are not part of this build`},
		{`nosuch {}`, `node "op0": nosuch: there is no such operator`},
		{`join {"from":"t","joins":[]}`, `from "t": no source`},
		{`join {"from":"s","joins":[{"name":"t","type":"inner"}]}`, `joins: name "t": no source`},
		{`watermark {"emitters":["t"]}`, `emitters: "t"`},
	} {
		wantFault(t, graphRule(t, "s", c.op), c.want)
	}
	for _, c := range []struct {
		sources string
		ops     []string
		want    string
	}{
		{"a,b", []string{`filter {"expr":"x"}`}, `node "op0": filter: takes the rows of one node, not of 2`},
		{"a,b", []string{`watermark {"emitters":["a"]}`}, `node "op1": gets the rows of several sources, which come together in a window`},
		{"a,b", []string{tumbling, `filter {"expr":"x"}`, `join {"from":"a","joins":[{"name":"b","type":"inner"}]}`}, "put it right behind the window"},
		{"a,b,c", []string{tumbling, `join {"from":"a","joins":[{"name":"b","type":"inner"}]}`}, "3 sources, of which 2 are joined"},
		{"s", []string{tumbling, tumbling}, "there is a window already"},
		{"s", []string{tumbling, `groupby {"dimensions":["a"]}`, `groupby {"dimensions":["a"]}`}, "there is a groupby already"},
		{"s", []string{tumbling, `aggfunc {"expr":"count(*)"}`, `groupby {"dimensions":["a"]}`}, "comes after an aggfunc"},
		{"s", []string{`pick {"fields":["a"]}`, `filter {"expr":"b"}`}, `column "b" is not among those that were picked`},
		{"s", []string{sliding, `switch {"cases":["count(*) > 1"]}`, `groupby {"dimensions":["a"]}`}, "comes after a switch"},
		{"s", []string{sliding, `switch {"cases":["count(*) > 1"]}`, `filter {"expr":"a"}`, `aggfunc {"expr":"sum(a)"}`}, "put the filter before the switch"},
		{"s", []string{sliding, `switch {"cases":["count(*) > 1"]}`, `filter {"expr":"a"}`, `switch {"cases":["a"]}`}, "put the filter before both"},
	} {
		wantFault(t, graphRule(t, c.sources, c.ops...), c.want)
	}
}

func wantFault(t *testing.T, d *ruledef.Def, want string) {
	t.Helper()
	f, err := Compile(d, graphFuncs{})
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "Rule g has an invalid graph: ") {
		t.Errorf("%s: got %+v, %v, want %s", d.Graph, f, err, want)
	}
}

func TestCompileRefusesGraphs(t *testing.T) {
	const src, sink, log = `"s":{"type":"source","props":{"sourceName":"s"}}`, `"x":{"type":"sink","nodeType":"log"}`, `{"type":"sink","nodeType":"log"}`
	const filter = `{"type":"operator","nodeType":"filter","props":{"expr":"a"}}`
	topo := func(nodes, edges string) string {
		return `{"nodes":{` + nodes + `},"topo":{"sources":["s"],"edges":{` + edges + `}}}`
	}
	inline := func(props string) string {
		return topo(`"s":{"type":"source","nodeType":"mqtt","props":`+props+`},`+sink, `"s":["x"]`)
	}
	for graph, want := range map[string]string{
		`[]`:                                    "must be an object",
		`{}`:                                    "topo: names no sources",
		`{"nodes":{},"topo":{"sources":["s"]}}`: `topo: source node "s" is not defined`,
		topo(src, ``):                           `node "s": is a source, but no edge leaves it`,
		topo(src, `"s":["x"]`):                  `node "s": has an edge to node "x", which is not defined`,
		topo(src, `"s":[7]`):                    `node "s": its edges must be names of nodes, not 7`,
		topo(src+`,`+sink, `"s":["x"],"t":["x"]`):                                                                          `topo: there are edges of node "t", which is not defined`,
		topo(src+`,`+sink, `"s":["x","x"]`):                                                                                `node "s": has two edges to node "x"`,
		topo(src+`,`+sink, `"s":["x"],"x":["s"]`):                                                                          `node "s": is a source, but node "x" feeds it`,
		topo(src+`,`+sink, `"s":[["x"],["x"]]`):                                                                            `only those of a switch`,
		topo(src+`,"x":null`, `"s":["x"]`):                                                                                 `has an edge to node "x", which is not defined`,
		topo(src+`,"x":{"type":"y"}`, `"s":["x"]`):                                                                         `node "x": type "y": want source, operator or sink`,
		topo(src+`,"x":{"type":"sink"}`, `"s":["x"]`):                                                                      `node "x": nodeType is missing`,
		topo(src+`,`+sink+`,"y":`+log, `"s":["x"]`):                                                                        `node "y": no edge leads to it`,
		topo(src+`,`+sink+`,"y":`+log, `"s":["x"],"x":["y"]`):                                                              `node "x": is a sink, but has edges`,
		topo(src+`,"f":`+filter, `"s":["f"]`):                                                                              `node "f": no edge leaves it`,
		topo(src+`,"f":`+filter+`,"g":`+filter, `"s":["f"],"f":["g"],"g":["f"]`):                                           `node "f": its rows come back to it`,
		topo(`"s":`+filter+`,`+sink, `"s":["x"]`):                                                                          `node "s": is among the sources of topo, but of type "operator"`,
		topo(src+`,"t":{"type":"source","props":{"sourceName":"t"}},`+sink, `"s":["x"],"t":["x"]`):                         `node "t": is a source that topo does not name`,
		topo(`"s":{"type":"source","props":{"sourceName":"s","sourceType":"view"}},`+sink, `"s":["x"]`):                    `node "s": sourceType "view"`,
		topo(`"s":{"type":"source","props":{"sourceName":7}},`+sink, `"s":["x"]`):                                          `node "s": props: "sourceName" must be a string`,
		topo(src+`,"w":{"type":"operator","nodeType":"switch","props":{"cases":["a"]}},`+sink, `"s":["w"],"w":["x"]`):      `node "w": its edges must be lists of nodes, one for each case, not "x"`,
		topo(src+`,"w":{"type":"operator","nodeType":"switch","props":{"cases":["a"]}},`+sink, `"s":["w"],"w":[[],["x"]]`): `node "w": switch: has edges for 2 cases, but only 1 cases`,
		inline(`{"datasource":7}`):                                                                                         `node "s": props: "datasource" must be a text`,
		inline(`{"shared":"yes"}`):                                                                                         `node "s": props: "shared" must be true or false`,
		inline(`{"extra":[]}`):                                                                                             `node "s": props: "extra" must be an object`,
		inline(`{"sourceType":"table"}`):                                                                                   `node "s": sourceName is missing`,
		inline(`{"extra":"no JSON"}`):                                                                                      `node "s": props: `,
		strings.Replace(inline(`{}`), `"nodeType":"mqtt",`, "", 1):                                                         `node "s": nodeType is missing`,
	} {
		wantFault(t, graphOf(t, graph), want)
	}
}

// beforeOf writes the conditions before a join, in order of the sources' names.
func beforeOf(q Query) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(q.Before)) {
		for _, e := range q.Before[name] {
			out = append(out, name+": "+sql.Format(e))
		}
	}
	return strings.Join(out, ", ")
}

// Rows that are left out of one source before the others come to it.
func TestCompileBefore(t *testing.T) {
	const nodes = `{"nodes":{
		"a":{"type":"source","props":{"sourceName":"a"}},"b":{"type":"source","props":{"sourceName":"b"}},
		"f":{"type":"operator","nodeType":"filter","props":{"expr":"v > 1"}},
		"l":{"type":"operator","nodeType":"function","props":{"expr":"log(b.v) AS l"}},"g":{"type":"operator","nodeType":"filter","props":{"expr":"l > 2"}},
		"w":{"type":"operator","nodeType":"window","props":{"type":"%s","unit":"ss","size":5,"interval":%d}},
		"j":{"type":"operator","nodeType":"join","props":{"from":"a","joins":[{"name":"b","type":"%s","on":"a.id = b.id"}]}},
		"x":{"type":"sink","nodeType":"log"}},
		"topo":{"sources":["a","b"],"edges":{"a":["f"],"f":["w"],"b":["l"],"l":["g"],"g":["w"],"w":["j"],"j":["x"]}}}`
	for _, c := range []struct {
		window   string
		interval int
		join     string
		sql      string
		before   string
	}{
		{"tumblingwindow", 0, "inner", "SELECT *, log(b.v) AS l FROM a INNER JOIN b ON a.id = b.id WHERE (a.v > 1) AND (l > 2) GROUP BY TUMBLINGWINDOW(ss, 5)", ""},
		{"tumblingwindow", 0, "full", "SELECT *, log(b.v) AS l FROM a FULL JOIN b ON a.id = b.id GROUP BY TUMBLINGWINDOW(ss, 5)", "a: a.v > 1, b: log(b.v) > 2"},
		{"slidingwindow", 0, "left", "SELECT *, log(b.v) AS l FROM a LEFT JOIN b ON a.id = b.id GROUP BY SLIDINGWINDOW(ss, 5)", "a: a.v > 1, b: log(b.v) > 2"},
		{"sessionwindow", 9, "inner", "SELECT *, log(b.v) AS l FROM a INNER JOIN b ON a.id = b.id GROUP BY SESSIONWINDOW(ss, 5, 9)", "a: a.v > 1, b: log(b.v) > 2"},
	} {
		q := one(t, graphOf(t, fmt.Sprintf(nodes, c.window, c.interval, c.join)))
		if got := beforeOf(q); q.SQL != c.sql || got != c.before {
			t.Errorf("got  %s, before %s\nwant %s, before %s", q.SQL, got, c.sql, c.before)
		}
	}
}

// twoWays is a graph in which the rows of a source come to a window by two ways,
// and those of another one by one.
const twoWays = `{"nodes":{
	"s":{"type":"source","props":{"sourceName":"s"}},"t":{"type":"source","props":{"sourceName":"t"}},
	"f":{"type":"operator","nodeType":"filter","props":{"expr":"s.v > 1"}},
	"sw":{"type":"operator","nodeType":"switch","props":{"cases":["v > 5","w"]}},
	"win":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":3}},
	"n":{"type":"operator","nodeType":"%s","props":%s},
	"x":{"type":"sink","nodeType":"log"}},
	"topo":{"sources":["s"%s],"edges":{"s":["f","sw"],"sw":[["win"],["win"]],"f":["win"],"win":["n"],"n":["x"]%s}}}`

func TestCompileTwoWays(t *testing.T) {
	q := one(t, graphOf(t, fmt.Sprintf(strings.Replace(twoWays, `"t":{"type":"source","props":{"sourceName":"t"}},`, "", 1), "filter", `{"expr":"s.v < 9 AND w"}`, "", "")))
	if want := "SELECT * FROM s FULL JOIN s AS s_2 ON FALSE FULL JOIN s AS s_3 ON FALSE WHERE (v < 9 AND w) GROUP BY COUNTWINDOW(3)"; q.SQL != want {
		t.Errorf("got  %s\nwant %s", q.SQL, want)
	}
	if got, want := beforeOf(q), "s: s.v > 1, s_2: s_2.v > 5, s_3: s_3.w"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	two := func(op, props string) *ruledef.Def {
		return graphOf(t, fmt.Sprintf(twoWays, op, props, `,"t"`, `,"t":["win"]`))
	}
	if q := one(t, two("filter", `{"expr":"v < 9 AND t.w"}`)); !strings.Contains(q.SQL, " FULL JOIN t ON FALSE ") || !strings.Contains(q.SQL, "WHERE (v < 9 AND t.w)") {
		t.Errorf("got %s", q.SQL)
	}
	wantFault(t, two("filter", `{"expr":"s.v < 9"}`), `the rows of source "s" come by two ways: leave it out before "v"`)
	wantFault(t, two("pick", `{"fields":["s.*"]}`), `the rows of source "s" come by two ways: write *`)
	wantFault(t, two("join", `{"from":"s","joins":[{"name":"t","type":"inner"}]}`), `node "n": join: gets the rows of source "s" by two ways`)
}

// What several nodes take from one is theirs: none sees what another makes of it.
func TestCompileFork(t *testing.T) {
	f, err := Compile(graphOf(t, `{"nodes":{
		"a":{"type":"source","props":{"sourceName":"a"}},"b":{"type":"source","props":{"sourceName":"b"}},"c":{"type":"source","props":{"sourceName":"c"}},
		"l":{"type":"operator","nodeType":"function","props":{"expr":"log(v) AS l"}},"f":{"type":"operator","nodeType":"filter","props":{"expr":"l > 2"}},
		"m":{"type":"operator","nodeType":"watermark","props":{}},
		"k":{"type":"operator","nodeType":"function","props":{"expr":"sqrt(v) AS k"}},
		"w1":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":3}},
		"w2":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":4}},
		"j1":{"type":"operator","nodeType":"join","props":{"from":"a","joins":[{"name":"b","type":"inner","on":"a.id = b.id"},{"name":"c","type":"inner","on":"a.id = c.id"}]}},
		"j2":{"type":"operator","nodeType":"join","props":{"from":"a","joins":[{"name":"b","type":"inner","on":"a.id = b.id"},{"name":"c","type":"inner","on":"a.id = c.id"}]}},
		"x1":{"type":"sink","nodeType":"log"},"x2":{"type":"sink","nodeType":"log"}},
		"topo":{"sources":["a","b","c"],"edges":{"a":["l"],"l":["f"],"f":["m"],"b":["m"],"c":["k"],"k":["w1","w2"],"m":["w1","w2"],"w1":["j1"],"w2":["j2"],"j1":["x1"],"j2":["x2"]}}}`), graphFuncs{})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range f.Queries {
		if got, want := beforeOf(q), "a: log(a.v) > 2"; got != want {
			t.Errorf("%s: got %s, want %s", q.SQL, got, want)
		}
	}
	if len(f.Queries) != 2 {
		t.Errorf("got %d statements, want 2", len(f.Queries))
	}
}

// FuzzCompile reads any graph: it is refused, or stands for statements that parse.
func FuzzCompile(f *testing.F) {
	f.Add(branches)
	f.Add(fmt.Sprintf(twoWays, "filter", `{"expr":"v"}`, `,"t"`, `,"t":["win"]`))
	f.Add(`{"nodes":{"s":{"type":"source","props":{"sourceName":"s"}},"w":{"type":"operator","nodeType":"window","props":{"type":"hoppingwindow","unit":"dd","size":9223372036854775807,"interval":1}},"x":{"type":"sink","nodeType":"log"}},"topo":{"sources":["s"],"edges":{"s":["w"],"w":["x"]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		d := ruledef.Def{ID: "g", Graph: []byte(text)}
		flow, err := Compile(&d, graphFuncs{})
		if err != nil {
			return
		}
		for _, q := range flow.Queries {
			if _, err := sql.ParseSelect(q.SQL); err != nil && len(q.SQL) < 10_000 {
				t.Errorf("%s: %s: %v", text, q.SQL, err)
			}
		}
	})
}
