package engine

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/planner/ruledef"
)

// What is not said is taken from where eKuiper's shipped settings have it: seen from
// outside, for each type.
func TestShippedDefaults(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Options{Dir: dir})
	for name, text := range map[string]string{"data/a.json": `{"v":"data/a"}`, "b.json": `{"v":"b"}`, "sub/c.json": `{"v":"sub/c"}`, "data/c.json": `{"v":"data/c"}`} {
		path := filepath.Join(dir, name)
		r.must(os.MkdirAll(filepath.Dir(path), 0o755))
		r.must(os.WriteFile(path, []byte(text), 0o644))
	}
	r.must(r.PutConfKey(api.ConfSources, "file", "sub", map[string]any{"path": "sub"}))
	for i, c := range []struct{ with, want string }{
		{`TYPE="file", DATASOURCE="a.json"`, `{"v":"data/a"}`}, // the shipped path
		{`TYPE="file", DATASOURCE="b.json"`, `{"v":"b"}`},      // relative to the directory
		{`TYPE="file", DATASOURCE="c.json", CONF_KEY="sub"`, `{"v":"sub/c"}`},
		{fmt.Sprintf(`TYPE="file", DATASOURCE=%q`, filepath.Join(dir, "b.json")), `{"v":"b"}`},
		{`TYPE="file", DATASOURCE="data/a.json"`, `{"v":"data/a"}`},
		{`TYPE="simulator"`, `{"temperature":22.5,"humidity":75}`},
	} {
		out := r.listen(fmt.Sprint("out", i))
		r.sql(`CREATE STREAM s%d () WITH (%s, FORMAT="json")`, i, c.with)
		r.rule(fmt.Sprint("r", i), fmt.Sprintf("SELECT * FROM s%d", i), fmt.Sprint("out", i))
		if got := out.next(1)[0]; got != c.want {
			t.Errorf("%s: got %s, want %s", c.with, got, c.want)
		}
	}
}

// A file that is not there is an error of the rule that would read it, which is not
// created; the stream may be, and the rule is once the file is there.
func TestMissingFile(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Options{Dir: dir})
	r.sql(`CREATE STREAM s () WITH (TYPE="file", DATASOURCE="late.json", FORMAT="json")`)
	out := r.listen("out")
	def := r.def("r", "SELECT v FROM s", toMemory("out"))
	if err := r.CreateRule(def); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "late.json")+" does not exist") {
		t.Errorf("got %v", err)
	}
	if list := r.RuleList(); len(list) != 0 {
		t.Errorf("there is a rule: %+v", list)
	}
	def.Triggered = false
	r.must(r.CreateRule(def)) // it does not run
	r.must(r.DeleteRule("r"))
	r.must(os.WriteFile(filepath.Join(dir, "late.json"), []byte(`{"v":1}`), 0o644))
	def.Triggered = true
	r.must(r.CreateRule(def))
	out.want(`{"v":1}`)
}

// An MQTT sink that names no server sends to that of the sources' default group, with
// what it takes to connect there, and goes with it; one that names any is left alone.
func TestSinkTakesServerOfSources(t *testing.T) {
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Username: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Username: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{})
	t.Cleanup(func() {
		r.close()
		b.Close()
		second.Close()
	})
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "default", map[string]any{"server": "tcp://" + b.Addr(), "username": "u", "password": "p", "clientid": "mine", "qos": 1}))
	r.memoryStream("m", "in")
	r.mqttStream("back", "up/#")
	back := r.listen("back")
	r.rule("back", "SELECT seq FROM back", "back")
	r.connected("back", "back")
	r.must(r.CreateRule(r.def("up", "SELECT seq FROM m", `{"mqtt":{"topic":"up/1","sendSingle":true}}`)))
	r.publish("in", `{"seq":1}`)
	back.want(`{"seq":1}`)
	r.must(r.CreateRule(r.def("else", "SELECT seq FROM m", `{"mqtt":{"server":"tcp://127.0.0.1:1","topic":"up/2","sendSingle":true}}`)))
	r.publish("in", `{"seq":2}`)
	back.want(`{"seq":2}`)
	r.await("the other waits", func() bool { return r.status("else", "sink_mqtt_0_0_buffer_length") == int64(1) })
	start := r.status("up", "lastStartTimestamp")
	to := func(addr string, qos int) {
		r.must(r.PutConfKey(api.ConfSources, "mqtt", "default", map[string]any{"server": "tcp://" + addr, "username": "u", "password": "p", "qos": qos}))
		r.connected("back", "back")
	}
	to(b.Addr(), 0)
	if r.status("up", "lastStartTimestamp") != start {
		t.Error("what belongs to clients has the sink begin anew")
	}
	to(second.Addr(), 0)
	r.publish("in", `{"seq":3}`)
	back.want(`{"seq":3}`)
	short(r)
}

// What names no server, wherever it could, connects to that of this process; what names
// one is told nothing of it.
func TestServerOfProcess(t *testing.T) {
	own := map[string]any{"server": "ssl://own:8883", "username": "u", "password": "p", "insecureSkipVerify": true}
	r := newRig(t, Options{Servers: map[string]map[string]any{"mqtt": own}})
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plain", map[string]any{"qos": 1}))
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "other", map[string]any{"SERVERS": []any{"ssl://other:8883"}}))
	r.must(r.PutConnection(api.Connection{ID: "c", Type: "mqtt", Props: map[string]any{"server": "ssl://other:8883"}}))
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "named", map[string]any{"connectionSelector": "c"}))
	for i, c := range []struct {
		with string
		own  bool
	}{{"", true}, {`, CONF_KEY="plain"`, true}, {`, CONF_KEY="other"`, false}, {`, CONF_KEY="named"`, false}, {`, EXTRA="{\"server\":\"ssl://other:8883\"}"`, false}} {
		r.sql(`CREATE STREAM s%d () WITH (DATASOURCE="t"%s)`, i, c.with)
		r.mu.RLock()
		given, err := r.propsLocked(r.mu.streams[fmt.Sprint("s", i)])
		r.mu.RUnlock()
		if err != nil || (given["server"] == own["server"]) != c.own || (given["password"] != nil) != c.own || (given["insecureSkipVerify"] != nil) != c.own {
			t.Errorf("%s: got %v, %v", c.with, given, err)
		}
	}
	for i, a := range []map[string]any{{}, {"server": "ssl://other:8883"}, {"connectionSelector": "c"}} {
		r.mu.RLock()
		given, err := r.sinkPropsLocked(ruledef.Action{Type: "mqtt", Props: a})
		r.mu.RUnlock()
		if err != nil || (given["server"] == own["server"]) != (i == 0) || (given["password"] != nil) != (i == 0) {
			t.Errorf("sink %v: got %v, %v", a, given, err)
		}
	}
}

// What of a rest sink may be a template is made for each message, also of what had to
// wait on the way.
func TestRestTemplates(t *testing.T) {
	r := newRig(t, Options{})
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		got <- fmt.Sprintf("%s %s %s %s %s", req.Method, req.URL.Path, req.Header.Get("X-Device"), req.Header.Get("Content-Type"), body)
	}))
	t.Cleanup(func() {
		r.close()
		server.Close()
	})
	r.memoryStream("s", "in")
	r.must(r.CreateRule(r.def("r", "SELECT * FROM s", fmt.Sprintf(
		`{"rest":{"url":"%s/{{.id}}","method":"{{.m}}","bodyType":"{{.b}}","headers":{"X-Device":"{{.id}}/{{.n}}"},"fields":["n"],"sendSingle":true}}`, server.URL))))
	r.publish("in", `{"id":"a","m":"post","b":"json","n":1700000040000}`, `{"id":"b","m":"bad","b":"json","n":1}`, `{"id":"c","m":"put","b":"text","n":2}`)
	for _, want := range []string{`POST /a a/1700000040000 application/json {"n":1700000040000}`, `PUT /c c/2 text/plain {"n":2}`} {
		if text := recv(t, got); text != want {
			t.Errorf("got %s, want %s", text, want)
		}
	}
	r.await("the bad one is refused", func() bool {
		return r.status("r", "sink_rest_0_0_exceptions_total") == uint64(1) && r.status("r", "sink_rest_0_0_records_out_total") == uint64(2)
	})
	if text := r.status("r", "sink_rest_0_0_last_exception").(string); !strings.Contains(text, `method "bad"`) {
		t.Errorf("got %q", text)
	}
}
