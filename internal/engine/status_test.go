package engine

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/metrics"
)

// keysOf lists the nodes in the status of a rule: what stands before _records_in_total.
func (r *rig) keysOf(id string) []string {
	r.t.Helper()
	fields, err := r.RuleStatus(id)
	r.must(err)
	var out []string
	seen := map[string]bool{}
	for _, f := range fields {
		if seen[f.Key] {
			r.t.Fatalf("status of %s has %s twice", id, f.Key)
		}
		seen[f.Key] = true
		if node, ok := strings.CutSuffix(f.Key, "_records_in_total"); ok {
			out = append(out, node)
		}
	}
	return out
}

// TestOperatorNames compares the nodes of a status with those of eKuiper's plan.
func TestOperatorNames(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.must(r.PutConnection(api.Connection{ID: "conn1", Type: "mqtt", Props: map[string]any{"server": "tcp://" + addr}, Named: true}))
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "shared", map[string]any{"connectionSelector": "conn1"}))
	r.memoryStream("m", "in")
	r.memoryStream("m2", "in2")
	r.mqttStream("q", "q/t")
	r.sql(`CREATE STREAM sel () WITH (TYPE="mqtt", DATASOURCE="a/b", CONF_KEY="shared")`)
	r.sql(`CREATE STREAM sh () WITH (TYPE="mqtt", DATASOURCE="a/c", SHARED="TRUE")`)
	r.sql(`CREATE STREAM ev (ts BIGINT, a BIGINT) WITH (TYPE="mqtt", DATASOURCE="a/d", TIMESTAMP="ts")`)
	r.sql(`CREATE TABLE scan () WITH (TYPE="memory", DATASOURCE="tab")`)
	r.sql(`CREATE TABLE look () WITH (TYPE="memory", DATASOURCE="tab2", KIND="lookup", KEY="id")`)
	for i, c := range []struct {
		sql, want string
		event     bool
	}{
		{"SELECT a FROM m", "source_m_0 op_2_project_0", false},
		{"SELECT a FROM m WHERE a > 1", "source_m_0 op_2_filter_0 op_3_project_0", false},
		{"SELECT count(*) AS c FROM m GROUP BY COUNTWINDOW(2)", "source_m_0 op_2_window_0 op_3_project_0", false},
		{
			"SELECT count(*) AS c FROM m WHERE a > 1 GROUP BY b, TUMBLINGWINDOW(ss, 10) HAVING count(*) > 1 ORDER BY c",
			"source_m_0 op_2_filter_0 op_3_window_0 op_4_aggregate_0 op_5_having_0 op_6_order_0 op_7_project_0", false,
		},
		{"SELECT count(*) AS c FROM m WHERE a > 1 GROUP BY SLIDINGWINDOW(ss, 10)", "source_m_0 op_2_window_0 op_3_filter_0 op_4_project_0", false},
		{"SELECT lag(a) AS l FROM m WHERE a > 1", "source_m_0 op_2_analytic_0 op_3_filter_0 op_4_project_0", false},
		{"SELECT a FROM q WHERE a > 1", "source_q_0 op_2_decoder_0 op_3_filter_0 op_4_project_0", false},
		{"SELECT a FROM sel", "source_conn1/a/b_0 op_2_emitter_0 op_3_decoder_0 op_4_project_0", false},
		{"SELECT a FROM sh WHERE a > 1", "source_sh_0 op_sh_2_decoder_0 op_3_filter_0 op_4_project_0", false},
		{"SELECT count(*) AS c FROM ev GROUP BY TUMBLINGWINDOW(ss, 10)", "source_ev_0 op_2_decoder_0 op_3_preprocessor_0 op_4_watermark_0 op_5_window_0 op_6_project_0", true},
		{"SELECT m.a FROM m INNER JOIN q ON m.a = q.a GROUP BY TUMBLINGWINDOW(ss, 10)", "source_m_0 source_q_0 op_3_decoder_0 op_4_window_0 op_5_join_0 op_6_project_0", false},
		{"SELECT m.a FROM m INNER JOIN scan ON m.a = scan.a", "source_m_0 source_scan_0 op_3_join_aligner_0 op_4_join_0 op_5_project_0", false},
		{"SELECT m.a FROM m INNER JOIN look ON m.a = look.id WHERE m.a > 1", "source_m_0 op_look_0 op_3_filter_0 op_4_project_0", false},
	} {
		id := fmt.Sprintf("r%d", i)
		d := r.def(id, c.sql, `{"memory":{"topic":"x"}}`)
		d.Options.IsEventTime = c.event
		text := strings.Replace(string(d.Raw), `"actions"`, fmt.Sprintf(`"options":{"isEventTime":%v},"actions"`, c.event), 1)
		d, err := parseRule([]byte(text))
		r.must(err)
		r.must(r.CreateRule(d))
		got := r.keysOf(id)
		for _, want := range append(strings.Fields(c.want), "op_2_decoder_0", "op_3_project_0", "sink_memory_0_0") {
			if !slices.Contains(got, want) {
				t.Errorf("%s:\n got %s\nwant %s in it", c.sql, strings.Join(got, " "), want)
			}
		}
		for _, node := range got {
			if strings.HasPrefix(node, "op_") && !strings.Contains(c.want+" op_2_decoder_0 op_3_project_0", node) {
				t.Errorf("%s: got %s, which eKuiper has not", c.sql, node)
			}
		}
		topo, err := r.RuleTopo(id)
		r.must(err)
		if s := strings.Fields(c.want)[0]; topo.Sources[0]+"_0" != s {
			t.Errorf("%s: topo begins with %v, want %s", c.sql, topo.Sources, s)
		}
		if last := topo.Edges[len(topo.Edges)-1]; fmt.Sprint(last.To) != "[sink_memory_0]" {
			t.Errorf("%s: topo ends with %v", c.sql, last)
		}
	}
}

// TestStatusAfterStop drives a rule through a random life and compares the figures of
// its sink with a count of what it was to send since it started.
func TestStatusAfterStop(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("a", "SELECT a FROM s", "out")
	others := r.listen("others")
	r.rule("other", "SELECT a FROM s", "others")
	rng := rand.New(rand.NewPCG(1, 2))
	running, sent, other := true, 0, 0
	for step := range 120 {
		switch rng.IntN(6) {
		case 0:
			r.must(r.StopRule("a"))
			running = false
		case 1:
			r.must(r.StartRule("a"))
			if !running {
				sent = 0
			}
			running = true
		case 2:
			r.must(r.RestartRule("a"))
			running, sent = true, 0
		case 3: // others come and go, and take numbers
			r.must(r.DeleteRule("other"))
			r.rule("other", "SELECT a FROM s", "others")
			other = 0
		default:
			r.publish("in", fmt.Sprintf(`{"a":%d}`, step))
			others.want(fmt.Sprintf(`{"a":%d}`, step)) // it has gone through
			other++
			if running {
				out.want(fmt.Sprintf(`{"a":%d}`, step))
				sent++
			}
		}
		for _, key := range []string{"sink_memory_0_0_records_in_total", "sink_memory_0_0_records_out_total"} {
			for id, want := range map[string]int{"a": sent, "other": other} {
				r.await(fmt.Sprintf("step %d: %s of %s is %d", step, key, id, want), func() bool { return fmt.Sprint(r.status(id, key)) == fmt.Sprint(want) })
			}
		}
	}
}

// TestConnectionStates has sources and sinks whose broker is not there, and is.
func TestConnectionStates(t *testing.T) {
	r := newRig(t, Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	dead := ln.Addr().String()
	t.Cleanup(func() { _ = ln.Close() }) // it accepts and says nothing: connecting
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	r.must(refused.Close())
	addr := r.startBroker()
	for _, c := range []struct {
		name, server string
		want         int
	}{{"silent", dead, 0}, {"down", refused.Addr().String(), -1}, {"up", addr, 1}} {
		r.must(r.PutConnection(api.Connection{ID: c.name, Type: "mqtt", Props: map[string]any{"server": "tcp://" + c.server}, Named: true}))
		r.must(r.PutConfKey(api.ConfSources, "mqtt", c.name, map[string]any{"connectionSelector": c.name}))
		r.sql(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE="t", CONF_KEY=%q)`, c.name, c.name)
		r.must(r.CreateRule(r.def(c.name, "SELECT * FROM "+c.name, fmt.Sprintf(`{"mqtt":{"server":"tcp://%s","topic":"x"}}`, c.server))))
		for _, key := range []string{"source_" + c.name + "/t_0_connection_status", "sink_mqtt_0_0_connection_status"} {
			r.await(fmt.Sprintf("%s: %s is %d", c.name, key, c.want), func() bool { return fmt.Sprint(r.status(c.name, key)) == fmt.Sprint(c.want) })
		}
	}
}

// TestHealthSeesAll has faults in decoders, rows and sinks in the status of all rules.
func TestHealthSeesAll(t *testing.T) {
	r := newRig(t, Options{})
	no := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", http.StatusBadRequest) }))
	t.Cleanup(no.Close)
	r.memoryStream("s", "in")
	r.memoryStream("u", "in2")
	r.rule("decode", "SELECT a FROM u", "x")
	r.rule("row", "SELECT 1 / a AS q FROM s", "x")
	r.must(r.CreateRule(r.def("send", "SELECT a FROM s", fmt.Sprintf(`{"rest":{"url":%q,"sendSingle":true}}`, no.URL))))
	r.rule("good", "SELECT a FROM s", "x")
	r.publish("in2", `{bad`)
	r.publish("in", `{"a":0}`)
	health := func(id string) api.RuleHealth {
		for _, h := range r.RuleHealth() {
			if h.ID == id {
				return h
			}
		}
		t.Fatalf("no rule %s", id)
		return api.RuleHealth{}
	}
	for id, want := range map[string]string{"decode": "{bad", "row": "divi", "send": "no such thing"} {
		r.await(id+" has its fault", func() bool {
			h := health(id)
			return h.Exceptions == 1 && strings.Contains(h.LastException, want)
		})
	}
	if h := health("good"); h.Exceptions != 0 || h.LastException != "" {
		t.Errorf("a rule without a fault: got %+v", h)
	}
}

// TestSendErrorIsCounted has what sendError sends in the figures of the sink, with the
// text of the status.
func TestSendErrorIsCounted(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	d := r.def("a", "SELECT 10 / a AS q FROM s", toMemory("out"), `{"nop":{}}`)
	d.Options.SendError = true
	r.must(r.CreateRule(d))
	n := r.def("n", "SELECT 10 / a AS q FROM s", `{"nop":{}}`)
	n.Options.SendError = true
	r.must(r.CreateRule(n))
	r.publish("in", `{"a":5}`)
	out.want(`{"q":2}`)
	r.publish("in", `{"a":0}`)
	r.wantStatus("a", "op_2_project_0_last_exception", out.next(1)[0])
	r.publish("in", `{"a":`)
	text := out.next(1)[0]
	r.wantStatus("a", "op_2_decoder_0_last_exception", text)
	for _, sink := range []string{"sink_memory_0_0_", "sink_nop_1_0_"} {
		for _, key := range []string{"records_in_total", "records_out_total", "messages_processed_total"} {
			r.await(sink+key, func() bool { return fmt.Sprint(r.status("a", sink+key)) == "3" })
		}
	}
	r.wantStatus("n", "sink_nop_0_0_records_in_total", 3)
}

// TestNodes has the series of nodes equal to what the status of each rule says.
func TestNodes(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("a", "SELECT a FROM s WHERE a > 1", "out")
	r.rule("b", "SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(1)", "none")
	for round := range 3 {
		r.publish("in", fmt.Sprintf(`{"a":%d}`, 2+round))
		out.next(1)
		r.exec.Sync()
		seen := map[string]int{}
		r.EachNode(func(n metrics.Node) bool {
			seen[n.Rule]++
			for i, f := range metrics.NodeFigures {
				if n.Kind == "op" && f.Name == "connection_status" || n.Kind == "sink" {
					continue // a sink is still at it
				}
				r.wantStatus(n.Rule, n.Kind+"_"+n.Op+"_0_"+f.Name, n.Values[i])
			}
			return true
		})
		if want := map[string]int{"a": 4, "b": 4}; fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Fatalf("round %d: got nodes %v, want %v", round, seen, want)
		}
		if round == 1 { // another plan under the same name
			d := r.def("b", "SELECT a FROM s WHERE a < 0 GROUP BY a, COUNTWINDOW(1)", toMemory("none"))
			r.replace(d)
			r.replace(r.def("b", "SELECT a FROM s WHERE a < 0", toMemory("none")))
		}
	}
	r.must(r.StopRule("a"))
	n := 0
	r.EachNode(func(metrics.Node) bool { n++; return false })
	if n != 1 {
		t.Errorf("got %d nodes after the end, want 1", n)
	}
}

// TestNodesOfNamesakes has a rule come in the place of one that was deleted.
func TestNodesOfNamesakes(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	for _, c := range []struct{ sql, op string }{
		{"SELECT a FROM s WHERE a > 1", "2_filter"},
		{"SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(2)", "2_window"},
	} {
		r.rule("a", c.sql, "out")
		var ops []string
		r.EachNode(func(n metrics.Node) bool {
			ops = append(ops, n.Op)
			return true
		})
		if !slices.Contains(ops, c.op) {
			t.Errorf("%s: got %q, want %s among them", c.sql, ops, c.op)
		}
		r.must(r.DeleteRule("a"))
	}
}
