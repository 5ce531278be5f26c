//go:build !slim

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/sinks"
)

// spot is where a count is to be found.
type spot struct {
	owner, name string // of the series
	path, key   string // of the status; "": there is none
}

func ofRule(id string) spot { return spot{"rule", id, "/rules/" + id + "/status", "lost"} }

func ofStream(name string) spot { return spot{"stream", name, "/streams/" + name + "/status", "lost"} }

// series returns the value of a series; ok is false if the scrape does not have it.
func (d *desk) series(name string) (v float64, ok bool) {
	d.t.Helper()
	for line := range strings.Lines(string(d.get("/metrics"))) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			d.must(err)
			return v, true
		}
	}
	return 0, false
}

// lost returns the object of losses called key in a status.
func (d *desk) lost(path, key string) map[string]uint64 {
	d.t.Helper()
	var list []map[string]json.RawMessage
	text := d.get(path)
	if !bytes.HasPrefix(text, []byte("[")) {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	d.must(json.Unmarshal(text, &list))
	sum := map[string]uint64{}
	for _, o := range list {
		var lost map[string]uint64
		if raw, ok := o[key]; ok {
			d.must(json.Unmarshal(raw, &lost))
		}
		for k, n := range lost {
			sum[k] += n
		}
	}
	return sum
}

// mqtt starts an embedded broker and a stream s over its topic in.
func (d *desk) mqtt(conf map[string]any) (*publisher, spot) {
	d.t.Helper()
	addr := d.startBroker()
	conf["server"] = "tcp://" + addr
	d.must(d.PutConfKey(api.ConfSources, "mqtt", "mine", conf))
	d.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="mine")`)
	d.rule("hot", "SELECT a FROM s", "out")
	d.connected("hot", "s")
	return newPublisher(d.t, addr), spot{"connection", "tcp://" + addr, "/connections?forceAll=true", "lost"}
}

// eventTime makes a rule over a stream with event time and returns what it sends.
func (d *desk) eventTime(sql string) *listener {
	d.t.Helper()
	d.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TIMESTAMP="ts")`)
	out := d.listen("out")
	d.options("hot", sql, `{"isEventTime":true,"lateTolerance":0}`, toMemory("out"))
	return out
}

// drivenLoss is one of driven; an n of 0 is any number.
type drivenLoss struct {
	reason loss.Reason
	n      uint64
	opt    Options
	drive  func(d *desk) []spot
}

// driven are the reasons that can be brought about from outside: drive loses n,
// and they are found in each of the spots that it returns, and only there.
var driven = []drivenLoss{
	{reason: loss.Oversized, n: 2, drive: func(d *desk) []spot {
		p, conn := d.mqtt(map[string]any{"maxPacketBytes": 1024.0})
		out := d.listen("out")
		for range 2 {
			p.publish("in", `{"a":"`+strings.Repeat("x", 2000)+`"}`)
		}
		p.publish("in", `{"a":1}`)
		out.want(`{"a":1}`)
		if c := d.lost(conn.path, "counters"); c["messages_in"] != 1 || c["connects"] != 1 || c["retries"] != 0 || c["bytes_in"] == 0 {
			d.t.Errorf("counters of the connection: got %v", c)
		}
		return []spot{conn, ofStream("s"), {"", "", "/rules/hot/status", "source_s_0_lost"}}
	}},
	{reason: loss.Unrouted, n: 1, drive: func(d *desk) []spot {
		addr := d.startBroker()
		old := dialBroker(d.t, addr) // an earlier program left its session
		old.write([]byte("\x10\x0e\x00\x04MQTT\x04\x00\x00\x00\x00\x02gw"))
		old.read(4)
		old.write([]byte("\x82\x0a\x00\x01\x00\x05other\x01"))
		old.read(5)
		old.write([]byte("\xe0\x00"))
		d.must(old.conn.Close())
		d.must(d.PutConfKey(api.ConfSources, "mqtt", "mine", map[string]any{"server": "tcp://" + addr, "clientid": "gw", "enableClientSession": true}))
		d.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="mine")`)
		d.rule("hot", "SELECT a FROM s", "out")
		d.connected("hot", "s")
		newPublisher(d.t, addr).publish("other", `{"a":1}`)
		return []spot{{"connection", "tcp://" + addr, "/connections?forceAll=true", "lost"}}
	}},
	{reason: loss.Record, n: 1, drive: func(d *desk) []spot {
		d.must(d.PutConfKey(api.ConfSources, "file", "mine", map[string]any{"fileType": "csv", "hasHeader": true, "interval": "1h"}))
		d.must(os.WriteFile(filepath.Join(d.opt.Dir, "x.csv"), []byte("a,b\n1,c\n2,d\"e\n3,f\n"), 0o600))
		d.sql(`CREATE STREAM s () WITH (TYPE="file", DATASOURCE="x.csv", FORMAT="json", CONF_KEY="mine")`)
		out := d.listen("out")
		d.rule("hot", "SELECT b FROM s", "out")
		out.want(`{"b":"c"}`, `{"b":"f"}`)
		return []spot{ofStream("s"), {"", "", "/rules/hot/status", "source_s_0_lost"}}
	}},
	{reason: loss.Decode, n: 2, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		out := d.listen("out")
		d.rule("hot", "SELECT a FROM s", "out")
		d.publish("in", `{"a":`, `nothing`, `{"a":1}`)
		out.want(`{"a":1}`)
		return []spot{ofStream("s"), {"", "", "/rules/hot/status", "source_s_0_lost"}}
	}},
	{reason: loss.Late, n: 2, drive: func(d *desk) []spot {
		out := d.eventTime("SELECT a FROM s")
		d.rule("beside", "SELECT a FROM s", "beside")
		d.publish("in", `{"ts":5000,"a":1}`, `{"ts":4999,"a":2}`, `{"ts":1,"a":3}`, `{"ts":6000,"a":4}`, `{"ts":7000,"a":5}`)
		out.want(`{"a":1}`, `{"a":4}`)
		return []spot{ofRule("hot"), ofStream("s")}
	}},
	{reason: loss.Untimed, n: 3, drive: func(d *desk) []spot {
		out := d.eventTime("SELECT a FROM s")
		d.rule("beside", "SELECT a FROM s", "beside")
		d.publish("in", `{"ts":1000,"a":1}`, `{"a":2}`, `{"ts":"x","a":3}`, `{"ts":null,"a":4}`, `{"ts":2000,"a":5}`)
		out.want(`{"a":1}`, `{"a":5}`)
		d.wantStatus("hot", "op_3_project_0_exceptions_total", 3)
		d.wantStatus("hot", "op_3_project_0_last_exception", "row without a valid event time: null")
		return []spot{ofRule("hot"), ofStream("s")}
	}},
	{reason: loss.Future, n: 2, drive: func(d *desk) []spot {
		d.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TIMESTAMP="ts")`)
		out := d.listen("out")
		d.options("hot", "SELECT a FROM s", `{"isEventTime":true,"lateTolerance":0,"sendError":true}`, toMemory("out"))
		d.publish("in", `{"ts":1000,"a":1}`, `{"ts":4102444800000,"a":2}`, `{"ts":"2100-01-01T00:00:00Z","a":3}`, `{"ts":2000,"a":4}`)
		out.want(`{"a":1}`)
		for range 2 {
			if text := out.next(1)[0]; !strings.Contains(text, "event time 2100-01-01T00:00:00Z is further ahead of the clock than maxFutureDrift 24h0m0s") {
				d.t.Errorf("fault: got %s", text)
			}
		}
		out.want(`{"a":4}`)
		d.wantStatus("hot", "op_3_project_0_exceptions_total", 2)
		return []spot{ofRule("hot"), ofStream("s")}
	}},
	{reason: loss.Future, n: 1, drive: func(d *desk) []spot { // in a join
		d.sql(`CREATE STREAM other () WITH (TYPE="memory", DATASOURCE="in/other", FORMAT="json", TIMESTAMP="ts")`)
		out := d.eventTime("SELECT s.a FROM s INNER JOIN other ON s.k = other.k GROUP BY TUMBLINGWINDOW(ss, 1)")
		d.publish("in", `{"ts":1000,"k":1,"a":1}`, `{"ts":4102444800000,"k":1,"a":2}`, `{"ts":2000,"k":1,"a":3}`)
		d.await("they came", func() bool { return d.status("hot", "source_s_0_records_in_total") == uint64(2) })
		d.publish("in/other", `{"ts":1500,"k":1}`, `{"ts":2000,"k":1}`)
		out.want(`{"a":1}`)
		return []spot{ofRule("hot"), ofStream("s")}
	}},
	{reason: loss.Late, n: 1, drive: func(d *desk) []spot { // in a join
		d.sql(`CREATE STREAM other () WITH (TYPE="memory", DATASOURCE="in/other", FORMAT="json", TIMESTAMP="ts")`)
		out := d.eventTime("SELECT s.a FROM s INNER JOIN other ON s.k = other.k GROUP BY TUMBLINGWINDOW(ss, 1)")
		second := func(n int) {
			d.publish("in/other", fmt.Sprintf(`{"ts":%d,"k":1}`, n))
			d.await("it came", func() bool { return d.status("hot", "source_other_0_records_in_total") == uint64(n/1000-4) })
			d.publish("in", fmt.Sprintf(`{"ts":%d,"k":1,"a":%d}`, n, n))
		}
		second(5000)
		d.publish("in", `{"ts":4000,"k":1,"a":2}`)
		second(6000)
		second(7000)
		out.want(`{"a":5000}`)
		if got := d.lost("/streams/other/status", "lost"); len(got) != 0 {
			d.t.Errorf("the other stream: got %v, want nothing", got)
		}
		return []spot{ofRule("hot"), ofStream("s")}
	}},
	{reason: loss.Capped, n: 89998, drive: func(d *desk) []spot {
		out := d.eventTime("SELECT count(*) AS n FROM s GROUP BY TUMBLINGWINDOW(ms, 10) HAVING count(*) > 0")
		d.publish("in", `{"ts":5}`, `{"ts":1000005}`, `{"ts":1000015}`, `{"ts":1000025}`)
		out.want(`{"n":1}`, `{"n":1}`)
		return []spot{ofRule("hot")}
	}},
	{reason: loss.Fault, n: 2, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		out := d.listen("out")
		d.rule("hot", "SELECT a + 1 AS b FROM s", "out")
		d.rule("beside", "SELECT a FROM s", "beside")
		d.publish("in", `{"a":"x"}`, `{"a":"y"}`, `{"a":1}`)
		out.want(`{"b":2}`)
		return []spot{ofRule("hot")}
	}},
	{reason: loss.Lookup, n: 2, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		g := newService(d.t.(*testing.T))
		g.fail = http.StatusForbidden
		g.open()
		g.table(d.rig, nil)
		out := d.listen("out")
		d.rule("hot", "SELECT v FROM s LEFT JOIN t ON s.id = t.id", "out")
		d.publish("in", `{"id":1,"v":1}`, `{"id":2,"v":2}`, `{"v":3}`)
		out.want(`{"v":3}`)
		return []spot{ofRule("hot")}
	}},
	{reason: loss.Pairs, n: 1, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		d.memoryStream("other", "in/other")
		out := d.listen("out")
		d.rule("hot", "SELECT count(*) AS n FROM s INNER JOIN other ON s.a < other.a GROUP BY COUNTWINDOW(2100)", "out")
		d.rule("after", "SELECT a FROM s", "out")
		var rows []string
		for i := range 1049 {
			rows = append(rows, fmt.Sprintf(`{"a":%d}`, i-2000))
		}
		d.publish("in", rows...)
		out.next(len(rows))
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"a":%d}`, i)
		}
		d.publish("in/other", append(rows, `{"a":1}`, `{"a":2}`)...)
		return []spot{ofRule("hot")}
	}},
	{reason: loss.Panic, n: 1, drive: func(d *desk) []spot {
		d.mayPanic = true
		d.exec.Call(func(*exec.Executor) { panic("bug: of the test") })
		return nil
	}},
	{reason: loss.Encode, n: 1, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		out := d.listen("out")
		d.must(d.CreateRule(d.def("hot", "SELECT * FROM s", `{"memory":{"topic":"out","sendSingle":true,"dataTemplate":"{{index .l 1}}"}}`)))
		d.publish("in", `{"l":[1]}`, `{"l":[1,2]}`)
		out.want(`2`)
		return []spot{ofRule("hot")}
	}},
	{reason: loss.Refused, n: 2, drive: func(d *desk) []spot {
		g := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
		d.t.Cleanup(func() { d.close(); g.Close() })
		d.memoryStream("s", "in")
		d.must(d.CreateRule(d.def("hot", "SELECT a FROM s", fmt.Sprintf(`{"rest":{"url":%q,"method":"post","sendSingle":true}}`, g.URL))))
		d.publish("in", `{"a":1}`, `{"a":2}`)
		return []spot{ofRule("hot"), {"", "", "/rules/hot/status", "sink_rest_0_0_lost"}}
	}},
	{reason: loss.Dropped, opt: Options{Sinks: sinks.Options{MemoryBytes: 16 << 10, MaxBytes: 300 << 10, DropOldest: true}}, drive: func(d *desk) []spot {
		g := newGate(d.rig)
		d.memoryStream("s", "in")
		d.must(d.CreateRule(d.def("hot", "SELECT a FROM s", g.action())))
		for i := range 200 {
			d.publish("in", fmt.Sprintf(`{"a":"%d %s"}`, i, strings.Repeat("x", 4000)))
		}
		close(g.open)
		d.await("the rest is out", func() bool { return d.status("hot", "sink_rest_0_0_destination_messages") == int64(0) })
		return []spot{ofRule("hot"), {"", "", "/rules/hot/status", "sink_rest_0_0_lost"}}
	}},
	{reason: loss.Unsaved, n: 2, drive: func(d *desk) []spot {
		_, err := d.bus.Subscribe("out", 1) // never read, so it is full after a message
		d.must(err)
		d.memoryStream("s", "in")
		d.rule("hot", "SELECT a FROM s", "out")
		d.publish("in", `{"a":1}`)
		d.await("the first is there", func() bool { return d.status("hot", "sink_memory_0_0_records_out_total") == uint64(1) })
		d.publish("in", `{"a":2}`, `{"a":3}`)
		d.await("the others came", func() bool { return d.status("hot", "sink_memory_0_0_records_in_total") == uint64(3) })
		now, cancel := context.WithCancel(context.Background())
		cancel()
		d.must(d.Close(now))
		return nil
	}},
	{reason: loss.Discarded, n: 2, drive: func(d *desk) []spot {
		d.memoryStream("s", "in")
		d.must(d.CreateRule(d.def("hot", "SELECT a FROM s", `{"rest":{"url":"http://127.0.0.1:1/","method":"post","sendSingle":true}}`)))
		d.publish("in", `{"a":1}`, `{"a":2}`)
		d.await("both wait", func() bool { return d.status("hot", "sink_rest_0_0_buffer_length") == int64(2) })
		d.must(d.DeleteRule("hot"))
		d.await("the rule has let go", func() bool { return d.outbox("127.0.0.1:1").State == api.OutboxDelivering })
		_, err := d.DropOutbox(d.outbox("127.0.0.1:1").ID)
		d.must(err)
		return nil
	}},
}

// elsewhere are the reasons that are brought about by more than a call, and the tests that count
// them.
var elsewhere = map[loss.Reason]string{
	loss.Handler:  "internal/mqttconn: TestHandlerPanics",
	loss.Redecode: "internal/engine/run: TestRedecode",
	loss.Parked:   "exec: TestParkedBound",
	loss.Stored:   "TestStoredRubbish",
	loss.Broker:   "TestBrokerDrops",
	loss.Deleted:  "TestOutputsKeptOrDropped",
}

// Every reason is brought about by some test.
func TestReasonsAreDriven(t *testing.T) {
	for _, r := range loss.All() {
		i := slices.IndexFunc(driven, func(c drivenLoss) bool { return c.reason == r })
		if (i < 0) == (elsewhere[r] == "") {
			t.Errorf("%s: want it driven here, or by a test elsewhere", r)
		}
	}
}

func TestLedger(t *testing.T) {
	for _, c := range driven {
		t.Run(c.reason.String(), func(t *testing.T) {
			d := newDesk(t, c.opt, nil)
			spots := c.drive(d)
			total := fmt.Sprintf("weir_lost_total{reason=%q}", c.reason)
			want := float64(c.n)
			d.await(total+" moves", func() bool {
				n, _ := d.series(total)
				return n > 0 && (c.n == 0 || n >= want)
			})
			n, _ := d.series(total)
			if c.n > 0 && n != want {
				t.Errorf("%s: got %v, want %v", total, n, want)
			}
			for _, s := range spots {
				if s.owner != "" {
					name := fmt.Sprintf("weir_%s_lost_total{%s=%q,reason=%q}", s.owner, s.owner, s.name, c.reason)
					if got, _ := d.series(name); got != n {
						t.Errorf("%s: got %v, want %v", name, got, n)
					}
				}
				if got := d.lost(s.path, s.key); len(got) != 1 || float64(got[c.reason.String()]) != n {
					t.Errorf("GET %s, %s: got %v, want %v for %s alone", s.path, s.key, got, n, c.reason)
				}
			}
			d.innocent()
		})
	}
}

// innocent wants nothing of others told of the rule and stream that lost nothing,
// nor of a rule over the stream whose other rule did.
func (d *desk) innocent() {
	d.t.Helper()
	spots := []spot{ofRule("calm"), ofStream("calm"), {"", "", "/rules/calm/status", "source_calm_0_lost"}}
	if d.statusOf("beside") != "unknown" {
		spots = append(spots, ofRule("beside"))
	}
	for _, s := range spots {
		if got := d.lost(s.path, s.key); len(got) != 0 {
			d.t.Errorf("GET %s, %s: got %v, want nothing", s.path, s.key, got)
		}
	}
	if text := d.get("/metrics"); regexp.MustCompile(`(?m)^weir_(rule|stream)_lost_total\{[a-z]+="(calm|beside)"`).Match(text) {
		d.t.Error("a rule or stream that lost nothing has a series")
	}
}

// A block of the outbox that is none is given up and counted for its destination.
func TestStoredRubbish(t *testing.T) {
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data", ReserveBytes: 1}}
	r := newRig(t, o)
	g := newGate(r)
	close(g.open)
	r.memoryStream("s", "in")
	r.must(r.CreateRule(r.def("hot", "SELECT a FROM s", g.action())))
	var dest string
	r.queues.Each(func(q *sinks.Queue) { dest = q.DestKey() })
	r.close()
	st, err := store.Open(o.Store)
	r.must(err)
	box, err := st.Outbox(dest)
	r.must(err)
	tx := st.Begin()
	r.must(box.Append(tx, 3, []byte("rubbish")))
	r.must(tx.Commit(store.Written))
	r.must(st.Close())
	d := newDesk(t, o, nil)
	d.await("it is counted", func() bool { return d.lost("/rules/hot/status", "sink_rest_0_0_destination_lost")["stored"] == 3 })
	for _, name := range []string{`weir_lost_total{reason="stored"}`, fmt.Sprintf(`weir_destination_lost_total{destination=%q,reason="stored"}`, dest)} {
		if n, _ := d.series(name); n != 3 {
			t.Errorf("%s: got %v, want 3", name, n)
		}
	}
	d.innocent()
}

// A client of the embedded broker that does not read loses messages, and the
// engine says so.
func TestBrokerDrops(t *testing.T) {
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Pending: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	d := newDesk(t, Options{}, b)
	deaf := newPublisher(t, b.Addr())
	deaf.write([]byte("\x82\x0a\x00\x01\x00\x05other\x00"))
	loud := dialBroker(t, b.Addr())
	loud.write([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03big"))
	loud.read(4)
	payload := strings.Repeat("x", 64<<10)
	d.await("messages are dropped", func() bool {
		loud.publish("other", payload)
		return b.Dropped() > 0
	})
	for _, name := range []string{`weir_lost_total{reason="broker"}`, "weir_broker_dropped_total"} {
		if n, _ := d.series(name); n == 0 {
			t.Errorf("%s: got 0", name)
		}
	}
	if n, _ := d.series("weir_broker_clients"); n != 2 {
		t.Errorf("clients: got %v, want 2", n)
	}
	d.innocent()
}
