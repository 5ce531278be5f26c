package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/weir-engine/weir/internal/loss"
)

// scrape returns what a scrape of m gives.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	var out bytes.Buffer
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestNaming holds everything that a scrape can have, all figures on, to Prometheus'
// rules for names. Names of eKuiper are its own.
func TestNaming(t *testing.T) {
	for _, compat := range []bool{false, true} {
		m := newMetrics(t, 4)
		m.compat.Nodes = compat
		f := m.source.(*fakeSource)
		f.nodes = []Node{{Rule: "r0", Kind: "source", Op: "demo"}, {Rule: "r0", Kind: "op", Op: "2_filter"}, {Rule: "r0", Kind: "sink", Op: "log_0"}}
		f.rules[1].Lost = &loss.Counts{loss.Fault: 3}
		if err := m.Watch(fakeBroker{}); err != nil {
			t.Fatal(err)
		}
		text := scrape(t, m)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if !strings.HasPrefix(p.Metric, "kuiper_") {
				t.Errorf("compat %v: %s: %s", compat, p.Metric, p.Text)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if name, ok := strings.CutPrefix(line, "# HELP "); ok && len(strings.Fields(name)) < 2 {
				t.Errorf("compat %v: no help in %q", compat, line)
			}
		}
	}
}

func TestCompat(t *testing.T) {
	m := newMetrics(t, 1)
	m.compat.Nodes = true
	m.source.(*fakeSource).nodes = []Node{
		{"a\"", "source", "conn/t", [len(NodeFigures)]int64{1, 2, 3, 4, 0, 6, -1}},
		{"a\"", "op", "2_filter", [len(NodeFigures)]int64{1, 2, 3, 4, 0, 6, 0}},
		{"a\"", "sink", "mqtt_0", [len(NodeFigures)]int64{1, 2, 3, 4, 0, 6, 1}},
	}
	text := scrape(t, m)
	for _, line := range []string{
		`kuiper_source_records_in_total{rule="a\"",type="source",op="conn/t",op_instance="0"} 1`,
		`kuiper_source_connection_status{rule="a\"",type="source",op="conn/t",op_instance="0"} -1`,
		`kuiper_op_records_out_total{rule="a\"",type="op",op="2_filter",op_instance="0"} 2`,
		`kuiper_op_exceptions_total{rule="a\"",type="op",op="2_filter",op_instance="0"} 4`,
		`kuiper_sink_messages_processed_total{rule="a\"",type="sink",op="mqtt_0",op_instance="0"} 3`,
		`kuiper_sink_buffer_length{rule="a\"",type="sink",op="mqtt_0",op_instance="0"} 6`,
		`kuiper_sink_process_latency_us{rule="a\"",type="sink",op="mqtt_0",op_instance="0"} 0`,
		`kuiper_rule_status{rule="r0"} -1`, `weir_compat_series_full 0`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(text, "kuiper_op_connection_status") || strings.Contains(text, `kuiper_source_records_in_total{rule="r0"}`) {
		t.Error("got series that eKuiper has not")
	}
	for _, line := range strings.Split(scrape(t, newMetrics(t, 1)), "\n") {
		if strings.Contains(line, "op_instance") || strings.Contains(line, "weir_compat") {
			t.Errorf("without the option: got %s", line)
		}
	}
}

// TestCompatIsBounded has more nodes than series may be written.
func TestCompatIsBounded(t *testing.T) {
	for limit := 1; limit < 200; limit += 7 {
		m := newMetrics(t, 1)
		m.compat = Compat{Nodes: true, MaxSeries: limit}
		f := m.source.(*fakeSource)
		for i := range 10 {
			for _, kind := range nodeKinds {
				f.nodes = append(f.nodes, Node{Rule: fmt.Sprintf("n%d", i), Kind: kind, Op: "x"})
			}
		}
		text := scrape(t, m)
		if n := strings.Count(text, "op_instance="); n > limit {
			t.Errorf("limit %d: got %d series", limit, n)
		}
		rules := min(limit/len(NodeFigures)/len(nodeKinds), 10)
		for i := range 10 {
			n := strings.Count(text, fmt.Sprintf(`_records_in_total{rule="n%d"`, i))
			if want := map[bool]int{true: len(nodeKinds)}[i < rules]; n != want {
				t.Errorf("limit %d: got %d nodes of rule %d, want %d", limit, n, i, want)
			}
		}
		full := "weir_compat_series_full 1\n"
		if rules == 10 {
			full = "weir_compat_series_full 0\n"
		}
		if !strings.Contains(text, full) {
			t.Errorf("limit %d: no %s", limit, full)
		}
	}
}
