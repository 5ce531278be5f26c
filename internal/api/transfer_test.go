package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// content wraps a text as the body of an import.
func content(text string) string {
	b, _ := json.Marshal(importBody{Content: text})
	return string(b)
}

func file(name string) string {
	b, _ := json.Marshal(importBody{File: name})
	return string(b)
}

const (
	demoSQL   = `CREATE STREAM demo (id BIGINT) WITH (DATASOURCE=\"x\")`
	rulesetOK = `{"streams":{"demo":"` + demoSQL + `"},"tables":{},"rules":{"r1":"{\"sql\":\"SELECT id FROM demo\",\"actions\":[{\"nop\":{}}]}"}}`
	emptyData = `{"streams":{},"tables":{},"rules":{},"nativePlugins":{},"portablePlugins":{},"sourceConfig":{},"sinkConfig":{},"connectionConfig":{},"Service":{},"Schema":{},"uploads":{},"scripts":{}}`
)

func TestRuleset(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	run(t, s, []step{
		{"POST", "/ruleset/export", "", 200, `{"streams":{},"tables":{},"rules":{}}` + "\n"},
		{"POST", "/ruleset/import", content(rulesetOK), 200, "imported 1 streams, 0 tables and 1 rules"},
		{"POST", "/ruleset/import", rulesetOK, 200, "imported 1 streams, 0 tables and 1 rules"},
		{"POST", "/ruleset/export", "", 200, rulesetOK + "\n"},
		{"GET", "/rules/r1", "", 200, `{"sql":"SELECT id FROM demo","actions":[{"nop":{}}]}`},
		{
			"POST", "/ruleset/import", content(`{"streams":{"x":"bad"},"rules":{"y":"{","z":"{}"}}`), 400,
			errorBody(1000, `import ruleset error: imported 0 streams, 0 tables and 0 rules; not imported: stream "x": Replace fails: the sql statement must name the same.; `+
				`rule "y": Parse rule { error : unexpected end of JSON input.; rule "z": Rule z has neither sql nor graph.`),
		},
		{"POST", "/ruleset/import", content("{"), 400, errorBody(1000, "import ruleset error: invalid import file: unexpected end of JSON input")},
		{"POST", "/ruleset/import", "{}", 400, errorBody(1000, "Invalid body: must specify content or file")},
		{"POST", "/ruleset/import", "{", 400, "*"},
		{"POST", "/ruleset/import", `{"content":"{}","file":"x"}`, 400, "*"},
	})
}

func TestData(t *testing.T) {
	e := newFake()
	s := newServer(t, e, Options{})
	run(t, s, []step{
		{"GET", "/data/export", "", 200, emptyData + "\n"},
		{"POST", "/streams", `{"sql":"CREATE STREAM other () WITH ()"}`, 201, "*"},
		{"POST", "/data/import?partial=1", content(rulesetOK), 200, `{"ErrorMsg":"","ConfigResponse":` + emptyData + "}\n"},
		{"GET", "/streams", "", 200, `["demo","other"]` + "\n"},
		{"POST", "/data/import", content(rulesetOK), 200, `{"ErrorMsg":"","ConfigResponse":` + emptyData + "}\n"},
		{"GET", "/streams", "", 200, `["demo"]` + "\n"},
		{"POST", "/streams", `{"sql":"CREATE STREAM other () WITH ()"}`, 201, "*"},
		{"POST", "/data/export", `["r1"]`, 200, strings.Replace(emptyData, `"streams":{},"tables":{},"rules":{}`, strings.Trim(rulesetOK, "{}")+"}", 1) + "\n"},
		{"POST", "/data/export", `["nope"]`, 400, errorBody(1002, "export data error: rule nope is not found")},
		{"POST", "/data/export", `{`, 400, "*"},
		{
			"POST", "/data/import?stop=1&partial=1", content(`{"streams":{"x":"bad"},"sourceConfig":{"mqtt":"{\"site\":{\"server\":\"tcp://a\"}}","nosuch":"{\"k\":{}}"},"Schema":{"s":"x"}}`), 400,
			errorBody(1000, strings.NewReplacer(`"streams":{}`, `"streams":{"x":"Replace fails: the sql statement must name the same."}`,
				`"sourceConfig":{}`, `"sourceConfig":{"nosuch":"source type \"nosuch\" does not exist"}`, `"Schema":{}`, `"Schema":{"s":"schema s: no message"}`).Replace(emptyData)),
		},
		{"GET", "/metadata/sources/mqtt/confKeys/site", "", 200, `{"server":"tcp://a"}` + "\n"},
		{"GET", "/data/import/status", "", 200, "*"},
		{"POST", "/data/import", content("[]"), 400, "*"},
		{"GET", "/v2/data/export", "", 200, `{"streams":{"demo":{"sql":"` + demoSQL + `"},"other":{"sql":"CREATE STREAM other () WITH ()"}},"tables":{},"rules":{"r1":{"sql":"SELECT id FROM demo","actions":[{"nop":{}}]}}}` + "\n"},
		{"POST", "/v2/data/import", content(`{"streams":{"v2":{"sql":"CREATE STREAM v2 () WITH ()"}},"rules":{"r9":{"sql":"SELECT a FROM v2","actions":[{"log":{}}]}}}`), 200, "success"},
		{"GET", "/rules/r9", "", 200, "*"},
		{"POST", "/v2/data/import", content("streams:\n  x: 1\n"), 400, "*"},
		{"POST", "/v2/data/import", content(`{"rules":{"r9":{}}}`), 400, errorBody(1000, `import data error: rule "r9": Rule r9 has neither sql nor graph.`)},
	})
	if e.stopped != 1 {
		t.Errorf("stopped: got %d, want 1", e.stopped)
	}
}

func TestImportFile(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write := func(path string) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(rulesetOK), 0o600); err != nil {
			t.Fatal(err)
		}
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	inside, outside := write(filepath.Join(dir, "in.json")), write(filepath.Join(other, "out.json"))
	if err := os.Symlink(filepath.Join(other, "out.json"), filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/set.json" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(rulesetOK))
	}))
	defer web.Close()
	ok := "imported 1 streams, 0 tables and 1 rules"
	run(t, newServer(t, newFake(), Options{DataDir: dir}), []step{
		{"POST", "/ruleset/import", file(inside), 200, ok},
		{"POST", "/ruleset/import", file(outside), 400, "*"},
		{"POST", "/ruleset/import", file("file://" + dir + "/../x"), 400, "*"},
		{"POST", "/ruleset/import", file("file://" + dir + "/link.json"), 400, "*"},
		{"POST", "/ruleset/import", file("file://" + dir), 400, "*"},
		{"POST", "/ruleset/import", file(web.URL + "/set.json"), 400, "*"},
		{"POST", "/ruleset/import", file("ftp://x/y"), 400, errorBody(1000, `Invalid body: file "ftp://x/y": want file://, http:// or https://`)},
	})
	run(t, newServer(t, newFake(), Options{}), []step{{"POST", "/ruleset/import", file(inside), 400, "*"}})
	run(t, newServer(t, newFake(), Options{AllowExternalFiles: true, AllowPrivateNet: true}), []step{
		{"POST", "/ruleset/import", file(outside), 200, ok},
		{"POST", "/ruleset/import", file(web.URL + "/set.json"), 200, ok},
		{"POST", "/ruleset/import", file(web.URL + "/none.json"), 400, "*"},
	})
	run(t, newServer(t, newFake(), Options{DataDir: dir, MaxBulkBytes: 120}), []step{
		{"POST", "/ruleset/import", file(inside), 400, "*"},
	})
}

func TestMetadata(t *testing.T) {
	e := newFake()
	s := newServer(t, e, Options{})
	run(t, s, []step{
		{"PUT", "/metadata/sources/mqtt/confKeys/Demo", `{"server":"tcp://a:1883","password":"geheim","oauth":{"access":{"token":"t"}}}`, 200, ""},
		{"GET", "/metadata/sources/mqtt/confKeys", "", 200, `{"demo":{"oauth":{"access":{"token":"******"}},"password":"******","server":"tcp://a:1883"}}` + "\n"},
		{"GET", "/metadata/sources/yaml/mqtt", "", 200, "*"},
		{"GET", "/metadata/sources/mqtt/confKeys/demo", "", 200, `{"oauth":{"access":{"token":"******"}},"password":"******","server":"tcp://a:1883"}` + "\n"},
		{"GET", "/metadata/sources/mqtt/confKeys/no", "", 404, errorBody(1002, "conf key error: source mqtt has no key no")},
		{"PUT", "/metadata/sources/mqtt/confKeys/demo", `{"server":"tcp://b:1883","password":"******","oauth":{"access":{"token":"******"}}}`, 200, ""},
		{"PUT", "/metadata/sources/nosuch/confKeys/demo", `{}`, 400, errorBody(5000, `conf key error: source type "nosuch" does not exist`)},
		{"PUT", "/metadata/sources/mqtt/confKeys/demo", `[]`, 400, "*"},
		{"PUT", "/metadata/sources/mqtt/confKeys/demo", `null`, 400, "*"},
		{"PUT", "/metadata/sinks/mqtt/confKeys/s", `{"server":"x"}`, 200, ""},
		{"PUT", "/metadata/connections/mqtt/confKeys/c", `{"server":"x"}`, 200, ""},
		{"DELETE", "/metadata/sinks/mqtt/confKeys/s", "", 200, ""},
		{"DELETE", "/metadata/sinks/mqtt/confKeys/s", "", 400, errorBody(5000, `conf key error: key "s": not found`)},
		{"GET", "/metadata/sources", "", 200, `[{"name":"file"},{"name":"mqtt"}]` + "\n"},
		{"GET", "/metadata/sources?kind=lookup", "", 200, `[{"name":"memory"}]` + "\n"},
		{"GET", "/metadata/sinks", "", 200, `[{"name":"log"},{"name":"nop"}]` + "\n"},
		{"GET", "/metadata/connections", "", 200, `[{"name":"mqtt"}]` + "\n"},
		{"GET", "/metadata/functions", "", 200, "*"},
		{"POST", "/metadata/sources/connection/mqtt", `{}`, 200, ""},
		{"POST", "/metadata/lookups/connection/redis", `{}`, 200, ""},
		{"POST", "/metadata/sinks/connection/dead", `{}`, 400, errorBody(1000, "dead: connection refused")},
		{"POST", "/metadata/sources/yaml/mqtt", "", 405, ""},
		{"GET", "/metadata/sources/a/b", "", 404, "404 page not found\n"},
	})
	got := e.confs["sources/mqtt"]["demo"]
	if got["server"] != "tcp://b:1883" || got["password"] != "geheim" || got["oauth"].(map[string]any)["access"].(map[string]any)["token"] != "t" {
		t.Errorf("after a masked update: got %v", got)
	}
}

func TestConnections(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	c1 := `{"id":"c1","typ":"mqtt","props":{"server":"tcp://a"},"isNamed":true,"status":"connecting","err":""}`
	anon := `{"id":"anon","typ":"mqtt","props":{},"isNamed":false,"status":"connected","err":"","refCount":2}`
	run(t, s, []step{
		{"GET", "/connections", "", 200, "[]\n"},
		{"POST", "/connections", `{"id":"c1","typ":"mqtt","props":{"server":"tcp://a"}}`, 201, "success"},
		{"POST", "/connections", `{"id":"c1","typ":"mqtt","props":{}}`, 400, errorBody(1000, "connection error: connection c1 already been created")},
		{"POST", "/connections", `{"typ":"mqtt"}`, 400, "*"},
		{"POST", "/connections", `{"id":"c2"}`, 400, "*"},
		{"GET", "/connections", "", 200, "[" + c1 + "]\n"},
		{"GET", "/connections?forceAll=true", "", 200, "[" + anon + "," + c1 + "]\n"},
		{"GET", "/connections/c1", "", 200, c1 + "\n"},
		{"GET", "/connections/nope", "", 400, "*"},
		{"PUT", "/connections/c1", `{"typ":"mqtt","props":{}}`, 200, "success"},
		{"PUT", "/connections/c1", `{"id":"c2","typ":"mqtt"}`, 400, "*"},
		{"DELETE", "/connections/c1", "", 200, "success"},
		{"DELETE", "/connections/c1", "", 200, "success"},
		{"DELETE", "/connections/used", "", 400, errorBody(1000, "delete connection error: connection used is used by rule r1: in use")},
	})
}

func TestBatch(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	q := func(method, path, body string) string {
		b, _ := json.Marshal(batchRequest{method, path, body})
		return string(b)
	}
	body := "[" + strings.Join([]string{
		q("POST", "/streams", createDemo), q("post", "/rules", ruleR1), q("GET", "/rules/r1", ""), q("GET", "/rules/nope", ""), q("DELETE", "/ping", ""), q("GET", "/no", ""),
		q("POST", "/batch/req", "[]"), q("GET", "ping", ""), q("B A D", "/ping", ""), q("GET", "http://%zz", ""),
	}, ",") + "]"
	w := call(s, "POST", "/batch/req", body)
	var got []batchResponse
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("got %d %s: %v", w.Code, w.Body, err)
	}
	want := []batchResponse{
		{201, "Stream demo is created.", ""},
		{201, "Rule r1 was created successfully.", ""},
		{200, ruleR1, ""},
		{404, errorBody(1002, "Describe rule error: Rule nope is not found."), "Describe rule error: Rule nope is not found."},
		{405, "", ""},
		{404, "404 page not found\n", "404 page not found"},
		{400, "", "batch: /batch/req cannot be part of a batch"},
		{400, "", `batch: the path must begin with a slash, not be "ping"`},
	}
	for i, g := range got {
		if i < len(want) && g != want[i] {
			t.Errorf("response %d: got %+v, want %+v", i, g, want[i])
		}
		if i >= len(want) && (g.Code != 400 || g.Error == "") {
			t.Errorf("response %d: got %+v, want a 400", i, g)
		}
	}
	run(t, s, []step{
		{"POST", "/batch/req", "{}", 400, "*"},
		{"POST", "/batch/req", "[" + strings.Repeat("{},", maxBatchRequests) + "{}]", 400, "*"},
	})
}
