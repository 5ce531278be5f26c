package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newServer(t testing.TB, e *fakeEngine, o Options) *Server {
	t.Helper()
	s, err := New(e, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func call(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// errorBody is the body of an error.
func errorBody(code int, message string) string {
	text, _ := json.Marshal(message)
	text = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text)))
	return fmt.Sprintf("{\"error\":%d,\"message\":%s}\n", code, text)
}

// step is one call and its answer. An empty want is an empty body, "*" any.
type step struct {
	method, path, body string
	status             int
	want               string
}

func run(t *testing.T, h http.Handler, steps []step) {
	t.Helper()
	for i, st := range steps {
		w := call(h, st.method, st.path, st.body)
		if got := w.Body.String(); w.Code != st.status || (st.want != "*" && got != st.want) {
			t.Errorf("step %d: %s %s %s\n got %d %s\nwant %d %s", i, st.method, st.path, cut(st.body, 200), w.Code, cut(got, 600), st.status, cut(st.want, 600))
		}
		if w.Code >= 400 && strings.HasPrefix(w.Body.String(), "{\"error\"") && w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("step %d: %s %s: error has Content-Type %q", i, st.method, st.path, w.Header().Get("Content-Type"))
		}
	}
}

// runContains is run for answers of which want is a part.
func runContains(t *testing.T, h http.Handler, steps []step) {
	t.Helper()
	for i, st := range steps {
		w := call(h, st.method, st.path, st.body)
		if got := w.Body.String(); w.Code != st.status || !strings.Contains(got, st.want) {
			t.Errorf("step %d: %s %s %s: got %d %s, want %d %s", i, st.method, st.path, cut(st.body, 200), w.Code, cut(got, 600), st.status, st.want)
		}
	}
}

const (
	createDemo = `{"sql":"CREATE STREAM demo (id BIGINT) WITH (DATASOURCE=\"x\")"}`
	ruleR1     = `{"id":"r1","sql":"SELECT id FROM demo WHERE id > 5","actions":[{"nop":{}}],"tags":["a","b"]}`
	ruleR2     = `{"id":"r2","sql":"SELECT id FROM demo","actions":[{"nop":{}}],"triggered":false,"tags":["a"]}`
)

func TestSystem(t *testing.T) {
	e := newFake()
	s := newServer(t, e, Options{Version: "1.2.3", Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "m 1\n") }), Pprof: true})
	run(t, s, []step{
		{"GET", "/", "", 200, "*"},
		{"POST", "/", "", 200, "*"},
		{"GET", "/ping", "", 200, ""},
		{"HEAD", "/ping", "", 200, ""},
		{"DELETE", "/ping", "", 405, ""},
		{"PATCH", "/rules", "{}", 405, ""},
		{"PUT", "/streams", "{}", 405, ""},
		{"GET", "/nosuchpath", "", 404, "404 page not found\n"},
		{"GET", "/rules/", "", 404, "404 page not found\n"},
		{"GET", "/rules/a/b", "", 404, "404 page not found\n"},
		{"GET", "/healthz", "", 200, "{\"status\":\"ok\"}\n"},
		{"GET", "/metrics", "", 200, "m 1\n"},
		{"GET", "/debug/pprof/cmdline", "", 200, "*"},
		{"PATCH", "/configs", `{"logLevel":"debug"}`, 204, ""},
		{"PATCH", "/configs", `{"logLevel":"loud"}`, 400, errorBody(1000, `update configs error: logLevel: want debug, info, warn or error, not "loud"`)},
		{"PATCH", "/configs", `[]`, 400, "*"},
		{"GET", "/functions", "", 200, `[{"name":"abs","group":"math","kind":"scalar","signature":"abs(x)","doc":"The absolute value.","example":"abs(-1)"}]` + "\n"},
	})
	var info map[string]any
	if err := json.Unmarshal(call(s, "GET", "/", "").Body.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	if _, ok := info["memoryUsed"].(string); !ok || info["version"] != "1.2.3" || !strings.HasSuffix(info["cpuUsage"].(string), "%") || info["upTimeSeconds"].(float64) > 60 {
		t.Errorf("info: got %v", info)
	}
	e.health = &DegradedError{Reason: "3 panics"}
	run(t, s, []step{{"GET", "/healthz", "", 200, `{"reason":"3 panics","status":"degraded"}` + "\n"}})
	e.health = errors.New("the executor does not answer")
	run(t, s, []step{
		{"GET", "/healthz", "", 503, `{"reason":"the executor does not answer","status":"unhealthy"}` + "\n"},
		{"POST", "/stop", "", 200, "stop success"},
		{"GET", "/stop", "", 200, "stop success"},
	})
	if e.stopped != 2 {
		t.Errorf("stopped: got %d, want 2", e.stopped)
	}
	bare := newServer(t, e, Options{})
	run(t, bare, []step{{"GET", "/metrics", "", 404, "404 page not found\n"}, {"GET", "/debug/pprof/", "", 404, "404 page not found\n"}})
}

func TestStreams(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	run(t, s, []step{
		{"GET", "/streams", "", 200, "[]\n"},
		{"POST", "/streams", createDemo, 201, "Stream demo is created."},
		{"POST", "/streams", createDemo, 400, errorBody(3000, "Stream command error: Create stream fails: Item demo already exists.")},
		{"POST", "/streams", `{"sql":"CREATE STREAM ("}`, 400, errorBody(2001, `Stream command error: parse: line 1 column 1: no statement: "CREATE STREAM ("`)},
		{"POST", "/streams", `{"sql":""}`, 400, errorBody(1000, "Stream command error: the body has no sql")},
		{"POST", "/streams", `{bad`, 400, errorBody(1000, "Invalid body: invalid character 'b' looking for beginning of object key string")},
		{"POST", "/streams", `[]`, 400, "*"},
		{"POST", "/streams", `{"sql":"CREATE STREAM a () WITH (TYPE=\"mqtt\")"}`, 201, "Stream a is created."},
		{"POST", "/tables", `{"sql":"CREATE TABLE t (id BIGINT) WITH (KIND=\"lookup\")"}`, 201, "Table t is created."},
		{"POST", "/tables", `{"sql":"CREATE TABLE scan (id BIGINT) WITH (KIND=\"scan\")"}`, 201, "Table scan is created."},
		{"GET", "/streams", "", 200, `["a","demo"]` + "\n"},
		{"GET", "/tables", "", 200, `["scan","t"]` + "\n"},
		{"GET", "/tables?kind=lookup", "", 200, `["t"]` + "\n"},
		{"GET", "/tables?kind=scan", "", 200, `["scan"]` + "\n"},
		{"GET", "/tables?kind=x", "", 400, "*"},
		{"GET", "/streamdetails", "", 200, `[{"name":"a","type":"mqtt","format":"json"},{"name":"demo","type":"mqtt","format":"json"}]` + "\n"},
		{"GET", "/tabledetails", "", 200, `[{"name":"scan","type":"mqtt","format":"json"},{"name":"t","type":"mqtt","format":"json"}]` + "\n"},
		{"GET", "/streams/demo", "", 200, `{"Name":"demo","StreamFields":[{"FieldType":"bigint","Name":"id"},{"FieldType":{"Type":"array","ElementType":"string"},"Name":"l"},` +
			`{"FieldType":{"Type":"struct","Fields":[{"FieldType":"string","Name":"c"},{"FieldType":{"Type":"array","ElementType":{"Type":"struct","Fields":[{"FieldType":"float","Name":"f"}]}},"Name":"d"}]},"Name":"s"}],` +
			`"Options":{"datasource":"x/#","confKey":"site1","shared":true},"StreamType":0,"Statement":null}` + "\n"},
		{"GET", "/streams/a", "", 200, `{"Name":"a","StreamFields":null,"Options":{"datasource":"x/#","confKey":"site1","shared":true},"StreamType":0,"Statement":null}` + "\n"},
		{"GET", "/tables/t", "", 200, "*"},
		{"GET", "/streams/nope", "", 400, errorBody(3000, "describe stream error: Describe stream fails, nope is not found.")},
		{"GET", "/tables/nope", "", 400, errorBody(3000, "describe table error: Describe table fails, nope is not found.")},
		{"GET", "/streams/t", "", 400, "*"},
		{"GET", "/streams/demo/schema", "", 200, `{"id":{"index":0,"type":"bigint"},"l":{"index":0,"items":{"index":0,"type":"string"},"type":"array"},` +
			`"s":{"index":0,"properties":{"c":{"index":0,"type":"string"},"d":{"index":0,"items":{"index":0,"properties":{"f":{"index":0,"type":"float"}},"type":"struct"},"type":"array"}},"type":"struct"}}` + "\n"},
		{"GET", "/streams/a/schema", "", 200, "{}\n"},
		{"GET", "/streams/nope/schema", "", 400, "*"},
		{"GET", "/streams/demo/status", "", 200, `{"records_in_total":7,"lost":{"decode":1,"late":2}}` + "\n"},
		{"GET", "/tables/demo/status", "", 404, "*"},
		{"PUT", "/streams/demo", `{"sql":"CREATE STREAM demo () WITH ()"}`, 200, "Stream demo is replaced."},
		{"PUT", "/streams/demo", `{"sql":"CREATE STREAM other () WITH ()"}`, 400, errorBody(3000, "Stream command error: Replace fails: the sql statement must name the same.")},
		{"POST", "/streams", `{"sql":"SHOW STREAMS"}`, 201, "a\ndemo"},
		{"POST", "/streams", `{"sql":"DESCRIBE STREAM a"}`, 201, "Fields\n" + strings.Repeat("-", 80) + "\n\nDATASOURCE: x/#\nCONF_KEY: site1\nSHARED: true\n"},
		{"POST", "/streams", `{"sql":"DESCRIBE STREAM nope"}`, 400, errorBody(3000, "Stream command error: Describe stream fails, nope is not found.")},
		{"POST", "/streams", `{"sql":"EXPLAIN STREAM a"}`, 201, "TO BE SUPPORTED"},
		{"POST", "/streams", `{"sql":"EXPLAIN STREAM nope"}`, 400, "*"},
		{"POST", "/streams", `{"sql":"DROP STREAM nope"}`, 400, errorBody(3000, "Stream command error: Drop stream fails: stream nope is not found.")},
		{"POST", "/rules", ruleR1, 201, "*"},
		{"PUT", "/streams/demo?force=true", `{"sql":"CREATE STREAM demo () WITH (DATASOURCE=\"x\")"}`, 200, "Stream demo is replaced. Rules have stopped: rule broken: column gone."},
		{"DELETE", "/streams/demo", "", 400, errorBody(1000, "stream demo has been referenced by other rules")},
		{"POST", "/streams", `{"sql":"DROP STREAM demo"}`, 400, errorBody(3000, "Stream command error: Drop stream fails: stream demo has been referenced by other rules")},
		{"DELETE", "/streams/demo?force=true", "", 200, "Stream demo is dropped."},
		{"DELETE", "/streams/nope", "", 404, errorBody(1002, "delete stream error: stream nope is not found")},
		{"DELETE", "/tables/nope", "", 404, errorBody(1002, "delete table error: table nope is not found")},
		{"DELETE", "/tables/t", "", 200, "Table t is dropped."},
		{"POST", "/tables", `{"sql":"DROP TABLE scan"}`, 201, "Table scan is dropped."},
		{"POST", "/tables", `{"sql":"SHOW TABLES"}`, 201, "No table definitions are found."},
	})
}

func TestRules(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	run(t, s, []step{
		{"POST", "/streams", createDemo, 201, "*"},
		{"GET", "/rules", "", 200, "[]\n"},
		{"POST", "/rules", ruleR2, 201, "Rule r2 was created successfully."},
		{"POST", "/rules", ruleR1, 201, "Rule r1 was created successfully."},
		{"POST", "/rules", ruleR1, 400, errorBody(1000, "rule r1 already exists")},
		{"POST", "/rules", "{bad", 400, errorBody(4000, "invalid rule json: Parse rule {bad error : invalid character 'b' looking for beginning of object key string.")},
		{"POST", "/rules", "[]", 400, "*"},
		{"POST", "/rules", "{}", 400, errorBody(4000, "invalid rule json: Missing rule id.")},
		{"POST", "/rules", `{"id":"x","sql":"SELECT id FROM demo"}`, 400, errorBody(4000, "invalid rule json: Missing rule actions.")},
		{"POST", "/rules", `{"id":"x","sql":"SELECT","actions":[{"nop":{}}]}`, 400, errorBody(2001, "invalid rule json: Parse SQL SELECT error: line 1 column 1: want SELECT.")},
		{"POST", "/rules", `{"id":"x","sql":"SELECT a FROM no","actions":[{"nop":{}}]}`, 400, errorBody(2101, "fail to get stream no, please check if stream is created")},
		{"POST", "/rules", `{"id":"x","sql":"SELECT a FROM demo","actions":[{"nosink":{}}]}`, 400, errorBody(2201, "sink nosink is not defined")},
		{"GET", "/rules", "", 200, `[{"id":"r1","name":"r1","status":"running","tags":["a","b"],"trace":false,"version":""},{"id":"r2","name":"r2","status":"stopped","tags":["a"],"trace":false,"version":""}]` + "\n"},
		{"GET", "/rules/r1", "", 200, ruleR1},
		{"GET", "/rules/nope", "", 404, errorBody(1002, "Describe rule error: Rule nope is not found.")},
		{"GET", "/rules/nope/status", "", 404, errorBody(1002, "get rule status error: Rule nope is not found")},
		{"GET", "/rules/r1/status", "", 200, `{"status":"running","message":"","lastStartTimestamp":5,"source_demo_0_records_in_total":7,"source_demo_0_connection_status":-1,"x":1.5,"b":true}` + "\n"},
		{"GET", "/v2/rules/r1/status", "", 200, "*"},
		{"GET", "/rules/status/all", "", 200, `{"r1":{"status":"running","last_exception":"bad \"x\"","exceptions_total":3},"r2":{"status":"stopped","last_exception":"bad \"x\"","exceptions_total":3}}` + "\n"},
		{"POST", "/rules/r1/stop", "", 200, "Rule r1 was stopped."},
		{"POST", "/rules/r1/start", "", 200, "Rule r1 was started"},
		{"POST", "/rules/r1/restart", "", 200, "Rule r1 was restarted"},
		{"POST", "/rules/nope/start", "", 404, errorBody(1002, "start rule error: Rule nope is not found in registry, please check if it is created")},
		{"POST", "/rules/nope/stop", "", 404, errorBody(1002, "stop rule error: Rule nope is not found in registry, please check if it is created")},
		{"POST", "/rules/nope/restart", "", 404, "*"},
		{"GET", "/rules/r1/start", "", 405, ""},
		{"GET", "/rules/r1/explain", "", 200, "{\"op\":\"ProjectPlan_0\"}\n"},
		{"GET", "/rules/nope/explain", "", 404, "*"},
		{"GET", "/rules/r1/topo", "", 200, `{"sources":["source_demo"],"edges":{"source_demo":["op_2_decoder"],"op_2_decoder":[]}}` + "\n"},
		{"GET", "/rules/nope/topo", "", 404, "*"},
		{"GET", "/rules/r1/schema", "", 200, `{"b":{"hasIndex":true,"index":0},"a":{"hasIndex":true,"index":1}}` + "\n"},
		{"GET", "/rules/nope/schema", "", 404, "*"},
		{"PUT", "/rules/r1", `{"sql":"SELECT id FROM demo","actions":[{"nop":{}}],"version":"1"}`, 200, "Rule r1 was updated successfully."},
		{"PUT", "/rules/r1", `{"sql":"SELECT id FROM demo","actions":[{"nop":{}}],"version":"1"}`, 400, errorBody(1000, "rule r1 already exists with version (1), new version (1) is lower")},
		{"PUT", "/rules/r1", `{"id":"r9","sql":"SELECT id FROM demo","actions":[{"nop":{}}]}`, 400, errorBody(4000, "Invalid rule json: RuleId is not consistent with rule id.")},
		{"PUT", "/rules/new", ruleFor("new"), 200, "Rule new was updated successfully."},
		{"PUT", "/rules/w", `{"sql":"SELECT id FROM demo GROUP BY COUNTWINDOW(3)","actions":[{"nop":{}}]}`, 200, "Rule w was updated successfully."},
		{"PUT", "/rules/w", `{"sql":"SELECT id FROM demo GROUP BY COUNTWINDOW(3)","actions":[{"nop":{}}]}`, 200, "Rule w was updated successfully.\nIt goes on with what it has gathered."},
		{"PUT", "/rules/w", `{"sql":"SELECT id, a FROM demo GROUP BY COUNTWINDOW(3)","actions":[{"nop":{}}]}`, 200, "Rule w was updated successfully.\nIt begins anew: what it has gathered is not all that it needs."},
		{"DELETE", "/rules/w?outputs=burn", "", 400, errorBody(1000, `Delete rule error: outputs "burn": want keep (what waits is delivered) or drop`)},
		{"DELETE", "/rules/w?outputs=drop", "", 200, "Rule w is dropped. 3 of its outputs waited and are given up."},
		{"PUT", "/rules/r2", `{"sql":"SELECT a FROM no","actions":[{"nop":{}}]}`, 400, "*"},
		{"POST", "/rules/validate", ruleR1, 200, `{"sources":["demo"],"valid":true}` + "\n"},
		{"POST", "/rules/validate", "{}", 422, "invalid rule json: Missing rule id."},
		{"POST", "/rules/validate", `{"id":"x","sql":"SELECT","actions":[{"nop":{}}]}`, 422, "invalid rule json: Parse SQL SELECT error: line 1 column 1: want SELECT."},
		{"POST", "/rules/validate", `{"id":"x","sql":"SELECT a FROM no","actions":[{"nop":{}}]}`, 422, "invalid rule json: fail to get stream no, please check if stream is created"},
		{"DELETE", "/rules/r1", "", 200, "Rule r1 is dropped."},
		{"DELETE", "/rules/r1", "", 400, errorBody(1000, "Delete rule error: rule r1 not found")},
	})
}

func ruleFor(id string) string {
	return fmt.Sprintf(`{"id":%q,"sql":"SELECT id FROM demo","actions":[{"nop":{}}]}`, id)
}

func TestBulk(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	run(t, s, []step{
		{"POST", "/streams", createDemo, 201, "*"},
		{"POST", "/rules/bulk", "[" + ruleR1 + "," + ruleR2 + "]", 201, `{"created":2,"errors":[]}` + "\n"},
		{
			"POST", "/rules/bulk", "[" + ruleFor("c") + ",{}," + ruleR1 + ",5]", 200,
			`{"created":1,"errors":[{"index":1,"id":"","error":"invalid rule json: Missing rule id."},{"index":2,"id":"r1","error":"rule r1 already exists"},` +
				`{"index":3,"id":"","error":"invalid rule json: Parse rule 5 error : the rule must be an object, not number."}]}` + "\n",
		},
		{"POST", "/rules/bulk", "{}", 400, "*"},
		{"POST", "/rules/bulk", "[]", 201, `{"created":0,"errors":[]}` + "\n"},
		{"GET", "/rules/bulk", "", 405, ""},
	})
}

func TestTags(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	run(t, s, []step{
		{"POST", "/streams", createDemo, 201, "*"},
		{"POST", "/rules", ruleR1, 201, "*"},
		{"POST", "/rules", ruleR2, 201, "*"},
		{"GET", "/rules/tags/match", `{"tags":["a"]}`, 200, `{"rules":["r1","r2"]}` + "\n"},
		{"GET", "/rules/tags/match", `{"tags":["a","b"]}`, 200, `{"rules":["r1"]}` + "\n"},
		{"GET", "/rules/tags/match", `{"tags":[]}`, 200, `{"rules":[]}` + "\n"},
		{"PATCH", "/rules/r2/tags", `{"tags":["b","a"]}`, 200, ""},
		{"GET", "/rules/tags/match", `{"tags":["b"]}`, 200, `{"rules":["r1","r2"]}` + "\n"},
		{"DELETE", "/rules/r2/tags", `{"tags":["a"]}`, 200, ""},
		{"GET", "/rules/r2", "", 200, strings.Replace(ruleR2, `"tags":["a"]`, `"tags":["b"]`, 1)},
		{"PUT", "/rules/r2/tags", `{"tags":["z","z"]}`, 200, ""},
		{"GET", "/rules/r2", "", 200, strings.Replace(ruleR2, `"tags":["a"]`, `"tags":["z"]`, 1)},
		{"PUT", "/rules/nope/tags", `{"tags":["z"]}`, 404, "*"},
		{"PUT", "/rules/r2/tags", `x`, 400, "*"},
		{"POST", "/rules/bulkstart", `{"tags":["z"]}`, 200, `[{"ruleId":"r2","success":true}]` + "\n"},
		{"GET", "/rules/r2/status", "", 200, "*"},
		{"POST", "/rules/bulkstop", `{"tags":["nope"]}`, 200, "[]\n"},
		{"POST", "/rules/bulkstop", `{}`, 200, "[]\n"},
	})
}

func TestUnsupported(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	for _, u := range unsupported {
		for _, p := range u.paths {
			p = strings.NewReplacer("{id}", "x", "{type}", "mqtt").Replace(p)
			if w := call(s, "POST", p, "{}"); w.Code != 501 || !strings.Contains(w.Body.String(), "not supported by weir") {
				t.Errorf("POST %s: got %d %s", p, w.Code, w.Body)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	s := newServer(t, newFake(), Options{MaxBodyBytes: 100, MaxBulkBytes: 200})
	big := `{"sql":"` + strings.Repeat("x", 300) + `"}`
	run(t, s, []step{
		{"POST", "/streams", big, 413, errorBody(1000, "Invalid body: the body is larger than 100 bytes")},
		{"POST", "/rules", big, 413, errorBody(1000, "Invalid body: the body is larger than 100 bytes")},
		{"POST", "/rules/bulk", big, 413, errorBody(1000, "Invalid body: the body is larger than 200 bytes")},
		{"POST", "/data/import", big, 413, "*"},
		{"POST", "/rules", strings.Repeat("[", 90), 400, "*"},
	})
	if _, err := New(newFake(), Options{MaxBodyBytes: -1, IdleTimeout: -time.Second}); err == nil || strings.Count(err.Error(), "negative") != 2 {
		t.Errorf("negative options: got %v, want two faults", err)
	}
}

func TestCORS(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	ask := func(h http.Handler, method string, header map[string]string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/rules", nil)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := ask(s, "GET", map[string]string{"Origin": "http://a"}); w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Code != 200 {
		t.Errorf("simple: got %d %v", w.Code, w.Header())
	}
	if w := ask(s, "OPTIONS", map[string]string{"Origin": "http://a", "Access-Control-Request-Method": "PUT"}); w.Code != 200 || w.Header().Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("preflight: got %d %v", w.Code, w.Header())
	}
	if w := ask(s, "OPTIONS", map[string]string{"Origin": "http://a", "Access-Control-Request-Method": "PATCH"}); w.Code != 405 {
		t.Errorf("preflight of PATCH: got %d", w.Code)
	}
	if w := ask(s, "OPTIONS", nil); w.Code != 405 {
		t.Errorf("OPTIONS: got %d", w.Code)
	}
	if w := ask(newServer(t, newFake(), Options{NoCORS: true}), "GET", map[string]string{"Origin": "http://a"}); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without CORS: got %v", w.Header())
	}
}

// A panic while a call is answered is an answer, and is told of.
func TestPanicInCall(t *testing.T) {
	var told []string
	s := newServer(t, nil, Options{OnPanic: func(what string, value any) { told = append(told, fmt.Sprint(what, ": ", value)) }})
	w := call(s, "GET", "/rules", "")
	if body := w.Body.String(); w.Code != 500 || !strings.Contains(body, "GET /rules: a fault of weir: ") {
		t.Errorf("got %d %s", w.Code, body)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "a call is given up: ") {
		t.Errorf("told of %q", told)
	}
}
