package metrics

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/weir-engine/weir/internal/loss"
)

type fakeSource struct {
	rules  []RuleCounters
	nodes  []Node
	stages *Stages
}

func (f *fakeSource) Totals() Totals {
	return Totals{Messages: 7, Evaluations: 9, QueuedBytes: 3, Lost: loss.Counts{loss.Late: 2, loss.Refused: 5, loss.Dropped: 6}}
}

func (f *fakeSource) EachLoss(do func(o Owner, name string, lost loss.Counts)) {
	do(OfConnection, "tcp://a:1883", loss.Counts{loss.Oversized: 1})
	do(OfStream, "b", loss.Counts{loss.Late: 2, loss.Decode: 1})
	do(OfStream, "a\n", loss.Counts{loss.Decode: 3})
	do(OfConnection, "tcp://a:1883", loss.Counts{loss.Oversized: 4})
	do(OfDestination, "rest x", loss.Counts{})
}

func (f *fakeSource) Stages() *Stages { return f.stages }

func (f *fakeSource) EachRule(do func(RuleCounters)) {
	for _, r := range f.rules {
		do(r)
	}
}

func (f *fakeSource) EachNode(do func(Node) bool) {
	for _, n := range f.nodes {
		if !do(n) {
			return
		}
	}
}

func (f *fakeSource) EachConnection(do func(ConnectionState)) {
	do(ConnectionState{"mqtt", "tcp://a:1883", -1, 4})
	do(ConnectionState{"mqtt", "tcp://a:1883", 1, 0})
}

func newMetrics(t testing.TB, rules int) *Metrics {
	t.Helper()
	f := &fakeSource{stages: NewStages()}
	for i := range rules {
		f.rules = append(f.rules, RuleCounters{ID: fmt.Sprintf("r%d", i), Status: RuleStatus(i%3 - 1), In: uint64(i), Out: 2, Exceptions: 3})
	}
	m, err := New(f, "1.2", Compat{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScrape(t *testing.T) {
	m := newMetrics(t, 4)
	m.source.(*fakeSource).rules[3].ID = "a\"\\\n"
	m.source.(*fakeSource).rules[1].Lost = &loss.Counts{loss.Fault: 3}
	m.source.Stages().Observe(StageEvaluate, 30*time.Microsecond)
	m.source.Stages().ObserveRows(1024)
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for _, line := range []string{
		`weir_messages_total 7`, `weir_evaluations_total 9`, `weir_queued_bytes 3`, `weir_build_info{version="1.2"} 1`,
		`weir_connection_status{connection="tcp://a:1883",kind="mqtt"} -1`,
		`weir_stage_seconds_count{stage="evaluate"} 1`, `weir_stage_seconds_count{stage="deliver"} 0`, `weir_failed_total 5`, `weir_dropped_total 6`,
		`weir_connection_retries_total{connection="tcp://a:1883",kind="mqtt"} 4`,
		`weir_lost_total{reason="late"} 2`, `weir_lost_total{reason="decode"} 0`, `weir_rule_lost_total{rule="r1",reason="fault"} 3`,
		`weir_stream_lost_total{stream="a\n",reason="decode"} 3`, `weir_stream_lost_total{stream="b",reason="late"} 2`,
		`weir_connection_lost_total{connection="tcp://a:1883",reason="oversized"} 5`, `weir_batch_rows_sum 1024`,
		`kuiper_source_records_in_total{rule="r2"} 2`, `kuiper_sink_records_in_total{rule="r2"} 2`, `kuiper_op_exceptions_total{rule="r1"} 3`,
		`kuiper_rule_status{rule="r0"} -1`, `kuiper_rule_status{rule="a\"\\\n"} -1`,
		`kuiper_rule_count{status="running"} 1`, `kuiper_rule_count{status="stopped_by_error"} 2`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := families["kuiper_rule_status"].Metric[3].Label[0].GetValue(); got != "a\"\\\n" {
		t.Errorf("label: got %q", got)
	}
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w = httptest.NewRecorder()
	m.ServeHTTP(w, r)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(plain, []byte("weir_messages_total 7")) {
		t.Errorf("gzip: got %d bytes, %v", len(plain), err)
	}
}

func TestObserveAllocates(t *testing.T) {
	s := NewStages()
	if n := testing.AllocsPerRun(100, func() { s.Observe(StageTimers, time.Millisecond); s.ObserveRows(5) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// BenchmarkScrape is a scrape of the figures of n rules.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{1, 8000} {
		for _, zip := range []bool{false, true} {
			b.Run(fmt.Sprintf("rules=%d/gzip=%v", n, zip), func(b *testing.B) {
				m := newMetrics(b, n)
				r := httptest.NewRequest("GET", "/metrics", nil)
				if zip {
					r.Header.Set("Accept-Encoding", "gzip")
				}
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					w.Body = nil
					m.ServeHTTP(w, r)
				}
			})
		}
	}
}

type fakeBroker struct{}

func (fakeBroker) Clients() int   { return 3 }
func (fakeBroker) Dropped() int64 { return 4 }

func TestBroker(t *testing.T) {
	m := newMetrics(t, 0)
	if err := m.Watch(fakeBroker{}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nweir_broker_clients 3\n", "\nweir_broker_dropped_total 4\n", "\nweir_lost_total{reason=\"broker\"} 4\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the scrape", want)
		}
	}
}
