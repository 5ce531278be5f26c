package engine

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
)

// conf sets a group of settings.
func (r *rig) conf(typ, key string, props map[string]any) {
	r.t.Helper()
	r.must(r.PutConfKey(api.ConfSources, typ, key, props))
}

func TestLookupFile(t *testing.T) {
	r := newRig(t, Options{})
	write := func(name, text string) {
		tmp := filepath.Join(r.opt.Dir, name+".tmp")
		r.must(os.WriteFile(tmp, []byte(text), 0o600))
		r.must(os.Rename(tmp, filepath.Join(r.opt.Dir, name)))
	}
	write("names.json", `[{"id":1,"name":"pump"},{"id":2,"name":"old"},{"id":2,"name":"valve"}]`)
	write("low.csv", "id,low\n1,5\n2,7\n")
	r.memoryStream("s", "in/s")
	r.conf("file", "often", map[string]any{"interval": 1})
	r.conf("file", "csv", map[string]any{"fileType": "csv", "hasHeader": true})
	r.sql(`CREATE TABLE names () WITH (DATASOURCE="names.json", CONF_KEY="often", KIND="lookup", KEY="id")`)
	r.sql(`CREATE TABLE low (id BIGINT, low FLOAT) WITH (TYPE="file", DATASOURCE="low.csv", CONF_KEY="csv", KIND="lookup")`)
	out := r.listen("out")
	r.rule("j", "SELECT v, name, low FROM s LEFT JOIN names ON s.id = names.id LEFT JOIN low ON s.id = low.id", "out")
	r.publish("in/s", `{"id":1,"v":1}`, `{"id":2,"v":2}`, `{"id":3,"v":3}`)
	out.want(`{"low":5,"name":"pump","v":1}`, `{"low":7,"name":"valve","v":2}`, `{"v":3}`)
	write("names.json", `[{"id":3,"name":"fan, new"}]`)
	r.await("the file is read again", func() bool {
		r.publish("in/s", `{"id":3,"v":4}`)
		return out.next(1)[0] == `{"name":"fan, new","v":4}`
	})
}

// service is a web service that answers what it is told to, when it is let.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // paths of requests
	pass  chan struct{}
	fail  int // status to answer with; 0: rows
}

// newService makes a service that answers a row for each name in its path, but none
// for "none". It is closed until open is called.
func newService(t *testing.T) *service {
	g := &service{pass: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := strings.TrimPrefix(req.URL.Path, "/")
		g.mu.Lock()
		g.asked = append(g.asked, name)
		pass, fail := g.pass, g.fail
		g.mu.Unlock()
		select {
		case <-pass:
		case <-req.Context().Done():
			return
		}
		switch {
		case fail != 0:
			http.Error(w, "out of order", fail)
		case name == "none":
			http.NotFound(w, req)
		default:
			fmt.Fprintf(w, `{"name":"row %s"}`, name)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *service) open() { close(g.pass) }

func (g *service) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func (g *service) table(r *rig, more map[string]any) {
	r.t.Helper()
	props := map[string]any{"url": g.URL + "/{{.id}}"}
	for k, v := range more {
		props[k] = v
	}
	r.conf("httppull", "gate", props)
	r.sql(`CREATE TABLE t () WITH (TYPE="httppull", DATASOURCE="", CONF_KEY="gate", KIND="lookup")`)
}

// idle tells whether the batches of a stream are given back.
func (r *rig) idle(stream string) bool {
	r.exec.Sync()
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.streams[stream].feed.Idle()
}

// A slow service delays its own rule only. Rows that wait keep their order, and
// their batches are not given back before they are through.
func TestLookupSlow(t *testing.T) {
	r := newRig(t, Options{})
	g := newService(t)
	r.memoryStream("s", "in/s")
	g.table(r, map[string]any{"timeout": "1m"})
	joined, other := r.listen("joined"), r.listen("other")
	r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "joined")
	r.rule("o", "SELECT v FROM s", "other")
	for i := range 5 { // a batch each
		r.publish("in/s", fmt.Sprintf(`{"id":"%d","v":%d}`, i, i), fmt.Sprintf(`{"v":%d}`, i))
		other.want(fmt.Sprintf(`{"v":%d}`, i), fmt.Sprintf(`{"v":%d}`, i))
	}
	if n := parked(r); n != 5 || r.idle("s") {
		t.Errorf("got %d rows that wait, want 5 in batches that are not given back", n)
	}
	r.wantStatus("j", "op_3_project_0_records_out_total", 0)
	g.open()
	for i := range 5 {
		joined.want(fmt.Sprintf(`{"name":"row %d","v":%d}`, i, i), fmt.Sprintf(`{"v":%d}`, i))
	}
	r.await("batches are given back", func() bool { return r.idle("s") })
}

// When enough waits, the stream is read no further; other streams are.
func TestLookupCrowded(t *testing.T) {
	r := newRig(t, Options{})
	g := newService(t)
	r.memoryStream("s", "in/s")
	r.memoryStream("u", "in/u")
	g.table(r, map[string]any{"timeout": "1m"})
	joined, same, other := r.listen("joined"), r.listen("same"), r.listen("other")
	r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "joined")
	r.rule("same", "SELECT v FROM s", "same")
	r.rule("o", "SELECT v FROM u", "other")
	n := 0
	for r.status("j", "source_s_0_paused") != true {
		r.publish("in/s", fmt.Sprintf(`{"id":"%d","v":%d}`, n, n))
		same.want(fmt.Sprintf(`{"v":%d}`, n))
		n++
		r.exec.Sync() // the batch is finished
	}
	if n != 16 {
		t.Errorf("got %d batches before the stream was paused, want 16", n)
	}
	r.publish("in/s", fmt.Sprintf(`{"id":"%d","v":%d}`, n, n))
	r.publish("in/u", `{"v":1}`)
	other.want(`{"v":1}`)
	g.open()
	for i := range n + 1 {
		joined.want(fmt.Sprintf(`{"name":"row %d","v":%d}`, i, i))
	}
	same.want(fmt.Sprintf(`{"v":%d}`, n))
	r.await("the stream goes on", func() bool { return r.status("j", "source_s_0_paused") == false })
}

// A service that fails is asked again until the time is over; then its rows are
// exceptions, also of a LEFT JOIN, and later ones go on.
func TestLookupUnreachable(t *testing.T) {
	r := newRig(t, Options{})
	g := newService(t)
	g.fail = http.StatusServiceUnavailable
	g.open()
	r.memoryStream("s", "in/s")
	g.table(r, map[string]any{"timeout": "200ms"})
	out := r.listen("out")
	r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "out")
	r.publish("in/s", `{"id":"a","v":1}`, `{"v":2}`)
	out.want(`{"v":2}`)
	r.wantStatus("j", "op_3_project_0_exceptions_total", 1)
	got := fmt.Sprint(r.status("j", "op_3_project_0_last_exception"))
	if !strings.Contains(got, "no answer within 200ms: httppull: GET "+g.URL+"/a: 503 Service Unavailable: out of order") {
		t.Errorf("last exception: got %s", got)
	}
	if g.requests() < 2 {
		t.Errorf("asked %d times, want more", g.requests())
	}
	g.mu.Lock()
	g.fail = 0
	g.mu.Unlock()
	r.publish("in/s", `{"id":"b","v":3}`, `{"id":"none","v":4}`)
	out.want(`{"name":"row b","v":3}`, `{"v":4}`)
}

// What was found is asked for once, and with cacheMissingKey what was not found.
func TestLookupCached(t *testing.T) {
	for _, missing := range []bool{false, true} {
		r := newRig(t, Options{})
		g := newService(t)
		g.open()
		r.memoryStream("s", "in/s")
		g.table(r, map[string]any{"lookup": map[string]any{"cache": true, "cacheTtl": "1h", "cacheMissingKey": missing}})
		out := r.listen("out")
		r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "out")
		for v := range 3 {
			r.publish("in/s", fmt.Sprintf(`{"id":"a","v":%d}`, v), fmt.Sprintf(`{"id":"none","v":%d}`, v))
			out.want(fmt.Sprintf(`{"name":"row a","v":%d}`, v), fmt.Sprintf(`{"v":%d}`, v))
		}
		want := 4
		if missing {
			want = 2
		}
		if n := g.requests(); n != want {
			t.Errorf("cacheMissingKey %v: got %d requests, want %d", missing, n, want)
		}
		// Other settings end the cache.
		g.table2(r)
		r.publish("in/s", `{"id":"a","v":9}`)
		out.want(`{"name":"row a","v":9}`)
		if n := g.requests(); n != want+1 {
			t.Errorf("cacheMissingKey %v: got %d requests after other settings, want %d", missing, n, want+1)
		}
	}
}

func (g *service) table2(r *rig) {
	r.conf("httppull", "gate", map[string]any{"url": g.URL + "/{{.id}}"})
}

// A rule that goes leaves nothing behind of what waits for it, whether alone or
// with its table.
func TestLookupDropped(t *testing.T) {
	for name, end := range map[string]func(r *rig){
		"delete": func(r *rig) { r.must(r.DeleteRule("j")) },
		"stop":   func(r *rig) { r.must(r.StopRule("j")) },
		"table":  func(r *rig) { _, err := r.ForceDropStream(api.Table, "t"); r.must(err) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{})
			g := newService(t)
			r.memoryStream("s", "in/s")
			g.table(r, map[string]any{"timeout": "1h"})
			other := r.listen("other")
			r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "joined")
			r.rule("o", "SELECT v FROM s", "other")
			for v := range 16 {
				r.publish("in/s", fmt.Sprintf(`{"id":"a","v":%d}`, v))
				other.want(fmt.Sprintf(`{"v":%d}`, v))
			}
			end(r)
			r.await("batches are given back", func() bool { return r.idle("s") })
			r.publish("in/s", `{"v":100}`)
			other.want(`{"v":100}`)
			if n := parked(r); n != 0 {
				t.Errorf("got %d jobs, want 0", n)
			}
		})
	}
}

func parked(r *rig) (n int) {
	r.exec.Call(func(x *exec.Executor) { n = x.Stats().Parked })
	return n
}

// Rows that wait when the engine closes are sent if the service answers in time.
func TestLookupClose(t *testing.T) {
	r := newRig(t, Options{})
	g := newService(t)
	r.memoryStream("s", "in/s")
	g.table(r, map[string]any{"timeout": "1m"})
	out := r.listen("out")
	other := r.listen("other")
	r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "out")
	r.rule("o", "SELECT v FROM s", "other")
	r.publish("in/s", `{"id":"a","v":1}`)
	other.want(`{"v":1}`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.close()
	}()
	r.await("the engine closes", func() bool {
		r.mu.RLock()
		defer r.mu.RUnlock()
		return r.mu.closing
	})
	g.open()
	recv(t, done)
	out.want(`{"name":"row a","v":1}`)
}

// A window is joined when its rows' keys are known; one of whose keys fails is
// lost as a whole.
func TestLookupWindow(t *testing.T) {
	r := newRig(t, Options{})
	g := newService(t)
	g.open()
	r.memoryStream("s", "in/s")
	g.table(r, map[string]any{"timeout": "100ms"})
	out := r.listen("out")
	r.rule("j", "SELECT count(*) AS n, collect(name) AS names FROM s INNER JOIN t ON s.id = t.id GROUP BY COUNTWINDOW(3)", "out")
	r.publish("in/s", `{"id":"a"}`, `{"id":"none"}`, `{"id":"b"}`)
	out.want(`{"n":2,"names":["row a","row b"]}`)
	g.mu.Lock()
	g.fail = http.StatusForbidden
	g.mu.Unlock()
	r.publish("in/s", `{"id":"a"}`, `{"id":"b"}`, `{"v":1}`)
	r.await("the window is lost", func() bool { return fmt.Sprint(r.status("j", "op_3_project_0_exceptions_total")) == "1" })
	g.mu.Lock()
	g.fail = 0
	g.mu.Unlock()
	r.publish("in/s", `{"id":"c"}`, `{"id":"c"}`, `{"v":1}`)
	out.want(`{"n":2,"names":["row c","row c"]}`)
}

// refused is a statement, or a part of one, and what is said against it.
type refused struct{ sql, want string }

// refuse runs statements that must be refused. No answer shows a secret.
func (r *rig) refuse(list ...refused) {
	r.t.Helper()
	for _, c := range list {
		_, err := r.ExecStatement(c.sql)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			r.t.Errorf("%s: got %v, want %s", c.sql, err, c.want)
		}
	}
}

func TestLookupRefused(t *testing.T) {
	newRig(t, Options{}).refuse([]refused{
		{`CREATE TABLE t () WITH (TYPE="mqtt", DATASOURCE="x", KIND="lookup")`, "source type mqtt is none of a lookup table: want file, httppull, memory"},
		{`CREATE TABLE t () WITH (TYPE="httppull", DATASOURCE="", KIND="lookup", EXTRA="{\"url\":\"gopher://x\"}")`, `property "url": "gopher://x": want http://host`},
		{`CREATE TABLE t () WITH (TYPE="file", DATASOURCE="x", FORMAT="delimited", KIND="lookup")`, "format delimited is not supported yet for lookup tables in files"},
		{`CREATE TABLE t () WITH (TYPE="file", DATASOURCE="x", KIND="lookup", EXTRA="{\"lookup\":{\"cacheTtl\":\"long\"}}")`, `property "lookup.cacheTtl": want a duration`},
	}...)
}

// pinged is a store and whether it can be reached.
type pinged struct {
	typ   string
	props map[string]any
	good  bool
}

// ping tries to reach stores.
func (r *rig) ping(list ...pinged) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range list {
		if err := r.PingConnection(ctx, api.ConfSources, c.typ, c.props); (err == nil) != c.good {
			r.t.Errorf("%s %v: got %v", c.typ, c.props, err)
		}
	}
}

func TestLookupPing(t *testing.T) {
	g := newService(t)
	g.open()
	newRig(t, Options{}).ping([]pinged{
		{"httppull", map[string]any{"url": g.URL + "/x"}, true},
		{"httppull", map[string]any{"url": g.URL + "/{{.id}}"}, true},
		{"httppull", map[string]any{"url": "http://127.0.0.1:1/{{.id}}"}, false},
	}...)
}
