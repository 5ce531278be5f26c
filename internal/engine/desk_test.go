package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/sinks"
)

// desk is the engine's REST interface, where an operator looks.
type desk struct {
	*rig
	url    string
	compat *metrics.Metrics // with eKuiper's series, too few of them
}

// newDesk starts an engine with a stream, and a rule over it, that lose nothing.
func newDesk(t *testing.T, o Options, b metrics.Broker) *desk {
	t.Helper()
	r := newRig(t, o)
	figures, err := metrics.New(r.Engine, "test", metrics.Compat{})
	r.must(err)
	if b != nil {
		r.must(figures.Watch(b))
	}
	compat, err := metrics.New(r.Engine, "test", metrics.Compat{Nodes: true, MaxSeries: len(metrics.NodeFigures)})
	r.must(err)
	server, err := api.New(r.Engine, api.Options{Metrics: figures})
	r.must(err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	d := &desk{rig: r, url: web.URL, compat: compat}
	r.memoryStream("calm", "in/calm")
	out := r.listen("calm")
	r.rule("calm", "SELECT a FROM calm", "calm")
	r.publish("in/calm", `{"a":1}`)
	out.want(`{"a":1}`)
	return d
}

func (d *desk) get(path string) []byte {
	d.t.Helper()
	resp, err := http.Get(d.url + path)
	d.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	d.must(err)
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	return body
}

// moving is a series of docs/operation.md.
var moving = regexp.MustCompile("`((?:weir|kuiper)_[a-z_]+)`")

// Every series that the documents name moves when there is something to tell.
func TestSeriesMove(t *testing.T) {
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Pending: 1})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"}) // which drops nothing
	if err != nil {
		t.Fatal(err)
	}
	wall := newWallClock()
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir(), clock: wall.read}
	leaveBehind(t, o)
	o.Sinks = sinks.Options{MemoryBytes: 16 << 10, MaxBytes: 300 << 10, DropOldest: true}
	d := newDesk(t, o, b)
	t.Cleanup(func() {
		d.close() // the clients first
		d.must(b.Close())
		d.must(plain.Close())
	})
	d.must(d.PutConfKey(api.ConfSources, "mqtt", "mine", map[string]any{"server": "tcp://" + plain.Addr(), "maxPacketBytes": 1024.0}))
	d.must(d.PutConfKey(api.ConfSources, "mqtt", "dead", map[string]any{"server": "tcp://127.0.0.1:1"}))
	d.sql(`CREATE STREAM s (a BIGINT) WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="mine")`)
	d.sql(`CREATE STREAM dead () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="dead")`)
	g := newGate(d.rig) // it answers nobody: what it gets waits, and is dropped
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(func() { d.close(); refuses.Close() })
	d.must(d.CreateRule(d.def("hot", "SELECT a, a / 0 AS b FROM s", toMemory("x"))))
	d.must(d.CreateRule(d.def("slow", "SELECT * FROM calm", g.action(), fmt.Sprintf(`{"rest":{"url":%q,"method":"post"}}`, refuses.URL))))
	d.rule("dead", "SELECT a FROM dead", "x")
	d.connected("hot", "s")
	p := newPublisher(t, plain.Addr())
	for _, text := range []string{`{"a":1}`, `{"a":"x"}`, `{`, `{"a":"` + strings.Repeat("x", 2000) + `"}`} {
		p.publish("in", text)
	}
	for i := range 200 {
		d.publish("in/calm", fmt.Sprintf(`{"a":"%d %s"}`, i, strings.Repeat("x", 4000)))
	}
	deaf := newPublisher(t, b.Addr())
	deaf.write([]byte("\x82\x0a\x00\x01\x00\x05other\x00")) // and never reads
	loud := dialBroker(t, b.Addr())
	loud.write([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03big"))
	loud.read(4)
	d.await("the broker drops messages", func() bool {
		loud.publish("other", strings.Repeat("x", 64<<10))
		return b.Dropped() > 0
	})
	box, err := d.store.Outbox("rest http://nobody") // of a rule that is gone
	d.must(err)
	tx := d.store.Begin()
	d.must(box.Append(tx, 1, []byte("x")))
	d.must(tx.Commit(store.Lazy))
	doc, err := os.ReadFile("../../docs/operation.md")
	d.must(err)
	var names []string
	for _, m := range moving.FindAllStringSubmatch(string(doc), -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	if len(names) < 25 {
		t.Fatalf("docs/operation.md names %d series: %q", len(names), names)
	}
	wall.set(time.Hour)
	d.mayPanic = true
	d.exec.Call(func(*exec.Executor) { panic("bug: of the test") })
	for m := range strings.Lines(string(d.get("/metrics"))) {
		if name, ok := strings.CutPrefix(m, "# HELP "); ok {
			name, _, _ = strings.Cut(name, " ")
			if ours := strings.HasPrefix(name, "weir_") || strings.HasPrefix(name, "kuiper_"); ours && !slices.Contains(names, name) {
				t.Errorf("docs/operation.md does not name %s", name)
			}
		}
	}
	for _, name := range names {
		d.await(name+" moves", func() bool { return d.moves(name) })
	}
	close(g.open) // or the end would wait for it
}

// options creates a rule with options of its own.
func (d *desk) options(id, sql, options string, actions ...string) {
	d.t.Helper()
	def, err := parseRule(fmt.Appendf(nil, `{"id":%q,"sql":%q,"actions":[%s],"options":%s}`, id, sql, strings.Join(actions, ","), options))
	d.must(err)
	d.must(d.CreateRule(def))
}

// leaveBehind runs a process that ends with a message on disk whose rule is gone by
// the next start.
func leaveBehind(t *testing.T, o Options) {
	r := newRig(t, o)
	r.memoryStream("old", "in")
	r.must(r.CreateRule(r.def("gone", "SELECT a FROM old", `{"rest":{"url":"http://127.0.0.1:1/","method":"post"}}`)))
	r.publish("in", `{"a":1}`)
	r.await("it waits", func() bool { return r.status("gone", "sink_rest_0_0_buffer_length") == int64(1) })
	short(r)
	changeRule(t, o, "gone", "", "")
}

// moves tells whether a series of that name, or its sum, is not zero.
func (d *desk) moves(name string) bool {
	d.t.Helper()
	line := regexp.MustCompile(`(?m)^` + name + `(?:_sum)?(?:\{[^}]*\})? -?[0-9.e+-]*[1-9]`)
	var compat bytes.Buffer
	d.must(d.compat.Write(&compat))
	return line.Match(d.get("/metrics")) || line.Match(compat.Bytes())
}
