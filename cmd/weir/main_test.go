package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(asWeir) != "" {
		main() // a process of weir for a test, see startWeir
	}
	goleak.VerifyTestMain(m)
}

// weir runs one command line and returns its exit status and outputs.
func weir(t *testing.T, w wiring, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), w, args, &out, &errs)
	return code, out.String(), errs.String()
}

// answer is what the fake engine says to one call.
type answer struct {
	status int
	text   string
}

// restServer answers calls from a table and keeps what was asked.
type restServer struct {
	*httptest.Server
	answers map[string]answer // by "METHOD path"
	calls   []string          // "METHOD path body"
	token   string
}

func newREST(t *testing.T, answers map[string]answer) *restServer {
	t.Helper()
	s := &restServer{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.calls = append(s.calls, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		s.token = r.Header.Get("Authorization")
		a, ok := s.answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(a.status)
		io.WriteString(w, a.text)
	}))
	t.Cleanup(s.Close)
	return s
}

const demoDef = `{"Name":"demo","StreamFields":[{"FieldType":"bigint","Name":"id"},{"FieldType":{"Type":"struct","Fields":[{"FieldType":"string","Name":"c"},{"FieldType":{"Type":"array","ElementType":"float"},"Name":"d"}]},"Name":"s"}],"Options":{"datasource":"/cs","confKey":"x","shared":true},"StreamType":0,"Statement":null}`

func TestClient(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ruleFile := write("rule.json", `{"sql":"SELECT * FROM demo","actions":[{"log":{}}]}`)
	streamFile := write("stream.sql", `demo () WITH (DATASOURCE="x")`)
	wholeFile := write("whole.sql", "CREATE STREAM demo () WITH ()\n")
	setFile := write("set.json", `{"streams":{}}`)
	export := filepath.Join(dir, "out.json")
	s := newREST(t, map[string]answer{
		"POST /streams":                {201, "Stream demo is created."},
		"POST /tables":                 {400, `{"error":3000,"message":"Stream command error: Drop table fails: table t is not found."}` + "\n"},
		"GET /streams":                 {200, `["a","demo"]`},
		"GET /tables":                  {200, "[]"},
		"GET /streams/demo":            {200, demoDef},
		"GET /streams/no":              {400, `{"error":3000,"message":"describe stream error: Describe stream fails, no is not found."}`},
		"POST /rules":                  {201, "x\nwarning: y"},
		"GET /rules":                   {200, `[{"id":"r1","status":"running"}]`},
		"GET /rules/r1":                {200, `{"id":"r1","sql":"SELECT a FROM demo","actions":[{"log":{}}],"options":{"qos":1,"restartStrategy":{"attempts":2}}}`},
		"GET /rules/r1/status":         {200, `{"status":"running","b":1,"a":2}`},
		"GET /rules/r1/topo":           {200, `{"sources":[]}`},
		"GET /rules/r1/explain":        {200, "{\"op\":\"x\"}\n"},
		"POST /rules/r1/start":         {200, "Rule r1 was started"},
		"POST /rules/r1/stop":          {200, "Rule r1 was stopped."},
		"POST /rules/r1/restart":       {200, "Rule r1 was restarted"},
		"DELETE /rules/r1":             {200, "Rule r1 is dropped."},
		"POST /rules/validate":         {422, "invalid rule json: Missing rule id."},
		"POST /ruleset/import":         {200, "imported 1 streams, 0 tables and 0 rules"},
		"POST /ruleset/export":         {200, `{"streams":{"a":"x","b":"y"},"tables":{},"rules":{"r":"{}"}}`},
		"POST /data/import?partial=1&": {200, `{"ErrorMsg":""}`},
		"GET /data/export":             {200, `{"streams":{},"tables":{},"rules":{}}`},
		"POST /data/export":            {200, `{"streams":{"a":"x"},"tables":{},"rules":{"r":"{}"}}`},
		"GET /data/import/status":      {200, "{}"},
		"GET /outboxes":                {200, `[{"id":"a1","destination":"mqtt tcp://x ab","state":"used","rules":["r1"],"rulesTotal":1,"messages":0,"bytes":0},{"id":"b2","destination":"rest http://y","state":"left","rules":[],"firstRule":"gone","messages":3,"bytes":90}]`},
		"POST /outboxes/b2/deliver":    {200, "Outbox b2 is being delivered."},
		"DELETE /outboxes/b2":          {200, `{"dropped":3}`},
	})
	tests := []struct {
		args   string // separated by " | "
		code   int
		stdout string
		stderr string // contained in it
		call   string // the last call, if given
	}{
		{"create | stream | demo | (id BIGINT) WITH (DATASOURCE=\"x\")", 0, "Stream demo is created.\n", "", `POST /streams {"sql":"CREATE STREAM demo (id BIGINT) WITH (DATASOURCE=\"x\")"}`},
		{"create | stream | -f | " + streamFile, 0, "Stream demo is created.\n", "", `POST /streams {"sql":"CREATE STREAM demo () WITH (DATASOURCE=\"x\")"}`},
		{"create | stream | -f | " + wholeFile, 0, "Stream demo is created.\n", "", `POST /streams {"sql":"CREATE STREAM demo () WITH ()"}`},
		{"create | stream", 1, "", "create stream: want a name", ""},
		{"create | stream | -f | /no/such/file", 1, "", "create stream: open /no/such/file", ""},
		{"drop | stream | demo", 0, "Stream demo is created.\n", "", `POST /streams {"sql":"DROP STREAM demo"}`},
		{"drop | table | t", 1, "", "Stream command error: Drop table fails: table t is not found.\n", `POST /tables {"sql":"DROP TABLE t"}`},
		{"show | streams", 0, "a\ndemo\n", "Connecting to 127.0.0.1:", ""},
		{"show | tables", 0, "No table definitions are found.\n", "", ""},
		{"describe | stream | demo", 0, "Fields\n" + strings.Repeat("-", 80) + "\nid\tbigint\ns\tstruct(c string, d array(float))\n\nDATASOURCE: /cs\nCONF_KEY: x\nSHARED: true\n", "", ""},
		{"describe | stream | demo | -json", 0, `{"Fields":[{"Name":"id","Type":"bigint"},{"Name":"s","Type":"struct(c string, d array(float))"}],"Options":{"CONF_KEY:":"x","DATASOURCE:":"/cs","SHARED:":"true"}}` + "\n", "", ""},
		{"describe | stream | no", 1, "", "Describe stream fails, no is not found.", ""},
		{"create | rule | r1 | -f | " + ruleFile, 0, "Rule r1 was created successfully, please use 'weir getstatus rule r1' command to get rule status.\nwarning: y\n", "", `POST /rules {"sql":"SELECT * FROM demo","actions":[{"log":{}}],"id":"r1"}`},
		{`create | rule | {"id":"r2"}`, 0, "Rule r2 was created successfully, please use 'weir getstatus rule r2' command to get rule status.\nwarning: y\n", "", `POST /rules {"id":"r2"}`},
		{`create | rule | r3 | {"id":"r2"}`, 1, "", `create rule: the rule is called "r2" in its text, not "r3"`, ""},
		{`create | rule | r3 | {bad`, 1, "", `create rule: the rule is not JSON`, ""},
		{`create | rule | {}`, 1, "", `want a name`, ""},
		{`create | rule | r3`, 1, "", `want the JSON of the rule`, ""},
		{"show | rules", 0, "[\n  {\n    \"id\": \"r1\",\n    \"status\": \"running\"\n  }\n]\n", "", ""},
		{"getstatus | rule | r1", 0, "{\n  \"status\": \"running\",\n  \"b\": 1,\n  \"a\": 2\n}\n", "", ""},
		{"getstatus | import", 0, "{}\n", "", ""},
		{"gettopo | rule | r1", 0, "{\n  \"sources\": []\n}\n", "", ""},
		{"explain | rule | r1", 0, "{\"op\":\"x\"}\n", "", ""},
		{"start | rule | r1", 0, "Rule r1 was started\n", "", ""},
		{"stop | rule | r1", 0, "Rule r1 was stopped.\n", "", ""},
		{"restart | rule | r1", 0, "Rule r1 was restarted.\n", "", ""},
		{"start | rule | no", 1, "", "404 page not found\n", ""},
		{"drop | rule | r1", 0, "Rule r1 is dropped.\n", "", ""},
		{`validate | rule | {"id":"x"}`, 1, "", "invalid rule json: Missing rule id.\n", ""},
		{"import | ruleset | -f | " + setFile, 0, "imported 1 streams, 0 tables and 0 rules\n", "", `POST /ruleset/import {"content":"{\"streams\":{}}"}`},
		{"import | ruleset", 1, "", "import ruleset: want -f FILE", ""},
		{"import | data | -f | " + setFile + " | -p | true", 0, "{\n  \"ErrorMsg\": \"\"\n}\n", "", ""},
		{"import | data | -f | " + setFile + " | -p | maybe", 1, "", "flag -p: want true or false", ""},
		{"export | ruleset | " + export, 0, "exported 2 streams, 0 tables and 1 rules\n", "", ""},
		{"export | data | " + export, 0, "exported 0 streams, 0 tables and 0 rules\n", "", "GET /data/export"},
		{`export | data | ` + export + ` | -r | ["r"]`, 0, "exported 1 streams, 0 tables and 1 rules\n", "", `POST /data/export ["r"]`},
		{"outboxes", 0, "ID  STATE  MESSAGES  BYTES  OLDEST  RULES   DESTINATION\na1  used   0         0      -       r1      mqtt tcp://x ab\nb2  left   3         90     -       (gone)  rest http://y\n", "", ""},
		{"outboxes | deliver | b2", 0, "Outbox b2 is being delivered.\n", "", ""},
		{"outboxes | drop | b2", 0, `{"dropped":3}` + "\n", "", ""},
		{"create", 1, "", "create: say what: stream, table, rule", ""},
		{"nosuch", 1, "", `unknown command "nosuch"`, ""},
		{"show | plugins", 1, "", `unknown command "plugins"`, ""},
		{"version", 0, "1.2.3" + suffix + "\n", "", ""},
	}
	version = "1.2.3"
	for _, tt := range tests {
		args := strings.Split(tt.args, " | ")
		if tt.args != "version" && tt.args != "nosuch" && tt.args != "create" && tt.args != "show | plugins" {
			args = append(args, "--server", s.URL)
		}
		s.calls = nil
		code, stdout, stderr := weir(t, wiring{}, args...)
		if code != tt.code || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%s\n got %d %q %q\nwant %d %q %q", tt.args, code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
		}
		if tt.call != "" && (len(s.calls) == 0 || s.calls[len(s.calls)-1] != tt.call) {
			t.Errorf("%s\n called %q\n want %q", tt.args, s.calls, tt.call)
		}
	}
}

func TestDescribeRule(t *testing.T) {
	s := newREST(t, map[string]answer{"GET /rules/r1": {200, `{"id":"r1","sql":"SELECT a FROM demo","actions":[{"log":{}}],"options":{"qos":1,"restartStrategy":{"attempts":2}}}`}})
	code, stdout, stderr := weir(t, wiring{}, "describe", "rule", "r1", "--server", s.URL, "--token", "secret")
	if code != 0 {
		t.Fatalf("got %d %s", code, stderr)
	}
	for _, want := range []string{`"lateTolerance": "1s"`, `"checkpointInterval": "5m0s"`, `"qos": 1`, `"attempts": 2`, `"sql": "SELECT a FROM demo"`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s\nwant %s", stdout, want)
		}
	}
	if s.token != "secret" {
		t.Errorf("token: got %q", s.token)
	}
	if code, _, stderr := weir(t, wiring{}, "show", "rules", "--server", "http://127.0.0.1:1"); code != 1 || !strings.Contains(stderr, "call the engine: ") {
		t.Errorf("no engine: got %d %s", code, stderr)
	}
	if code, _, stderr := weir(t, wiring{}, "show", "rules", "--server", "::"); code != 1 || !strings.Contains(stderr, "want http://host:port") {
		t.Errorf("bad address: got %d %s", code, stderr)
	}
}

func TestConfigCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("basic:\n  restPort: 9100\n  consoleLog: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := weir(t, wiring{}, "config", "check", file)
	if code != 0 || stdout != "the settings are good\n" || !strings.Contains(stderr, "basic.consoleLog has no effect") {
		t.Errorf("got %d %q %q", code, stdout, stderr)
	}
	_, stdout, _ = weir(t, wiring{}, "config", "check", file, "--list", "--data", "d", "--rest", "9200")
	for _, want := range []string{"basic.restPort = 9200 (flag --rest)\n", "basic.restIp = 127.0.0.1 (flag --rest)\n", "data.dir = d (flag --data)\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s\nwant %s", stdout, want)
		}
	}
	if err := os.WriteFile(file, []byte("basic:\n  restPrt: 9100\nx: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = weir(t, wiring{}, "config", "check", "--config", file)
	if code != 1 || strings.Count(stderr, "unknown key") != 2 || !strings.Contains(stderr, "line 2") {
		t.Errorf("got %d %q", code, stderr)
	}
}

func TestFunctions(t *testing.T) {
	code, stdout, _ := weir(t, production(), "functions")
	if n := strings.Count(stdout, "\n"); code != 0 || n < 180 || !strings.Contains(stdout, "abs(") {
		t.Errorf("got %d, %d lines", code, n)
	}
	code, stdout, _ = weir(t, production(), "functions", "abs")
	if code != 0 || strings.Count(stdout, "\n") != 2 {
		t.Errorf("one: got %d %q", code, stdout)
	}
	if code, _, stderr := weir(t, production(), "functions", "nosuch"); code != 1 || !strings.Contains(stderr, `no function "nosuch"`) {
		t.Errorf("unknown: got %d %q", code, stderr)
	}
}
