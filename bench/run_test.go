package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// short makes a load that a test can afford.
func short(c Config) Config {
	c.Duration, c.Settle = 150*time.Millisecond, time.Millisecond
	return c
}

func TestRun(t *testing.T) {
	apart := separate(t)
	for _, c := range []Config{
		{Name: "filter", Rules: 20, Distinct: true},
		{Name: "twin", Shape: Twin},
		{Name: "windows", Rules: 5, Kind: Windows},
		{Name: "panes", Rules: 160, Kind: Panes, Distinct: true},
		{Name: "hopping", Rules: 5, Kind: Hopping, Distinct: true},
		{Name: "joins", Rules: 5, Kind: Joins, Distinct: true},
		{Name: "types", Rules: 50, Kind: Types, Distinct: true, Shape: Mixed},
		{Name: "calls", Rules: 50, Kind: Calls},
		{Name: "complex", Rules: 50, Kind: Complex},
		{Name: "rate", Rate: 2000},
		{Name: "qos1", Rate: 2000, QoS: 1, Chunk: 1},
		{Name: "own topics", Rules: 50, OwnTopics: true, Threshold: 20, Sink: "log", Rate: 2000, Linger: 5 * time.Millisecond},
		{Name: "all sent", Rules: 10, Distinct: true, Spread: 1, Sink: "mqtt", Rate: 2000},
		{Name: "memory", Sink: "memory", Rate: 2000},
		{Name: "process", Rules: 10, Engine: apart},
	} {
		t.Run(c.Name, func(t *testing.T) {
			r, err := Run(t.Context(), short(c))
			if err != nil {
				t.Fatal(err)
			}
			fed := c.Kind == Joins // rows of the table are rows, too
			if r.Sent == 0 || r.Processed != r.Sent && !fed || r.Got != r.Expected || r.Delivered != 1 {
				t.Errorf("sent %d, processed %d, expected %d, got %d (%g): want everything through", r.Sent, r.Processed, r.Expected, r.Got, r.Delivered)
			}
			want := float64(r.Config.Rules + 1)
			if c.OwnTopics {
				want = 1
			}
			if got := r.EvaluationsPerSec / r.MessagesPerSec; math.Abs(got-want) > 1e-6 && !fed {
				t.Errorf("got %g evaluations a message, want %g", got, want)
			}
			if c.Rate > 0 && c.Shape != Twin && !c.OwnTopics && (r.P50Ms <= 0 || r.P99Ms < r.P50Ms || r.MaxMs < r.P99Ms) {
				t.Errorf("latencies %g, %g, %g ms are not in order", r.P50Ms, r.P99Ms, r.MaxMs)
			}
		})
	}
}

func TestRunManage(t *testing.T) {
	c := short(Config{Rules: 50, Distinct: true, Kind: Manage, Engine: separate(t)})
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]float64{"submit": r.SubmitSeconds, "bulk": r.BulkSeconds, "delete": r.DeleteSeconds, "restart": r.RestartSeconds} {
		if s <= 0 {
			t.Errorf("%s took %g s, want a time", what, s)
		}
	}
}

// TestRunEnds: whatever goes wrong, nothing is left behind.
func TestRunEnds(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		cfg  Config
		want string
	}{
		{"bad config", t.Context(), Config{Name: "x", Sink: "kafka", QoS: 2, Shape: "csv"}, `sink "kafka"`},
		{"canceled", canceled, Config{}, "context canceled"},
		{"no program", t.Context(), Config{Engine: Engine{Command: []string{"/nonexistent/weir"}}}, "start engine"},
		{"program fails", t.Context(), Config{Engine: Engine{Command: []string{os.Args[0], "-test.run=^$", "--"}, Env: []string{engineEnv + "="}}}, "the engine ended before it answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Run(c.ctx, short(c.cfg))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
	_, err := Run(t.Context(), Config{Sink: "kafka", QoS: 2, Shape: "csv", Chunk: -1, Devices: -1, Kind: Manage})
	for _, want := range []string{"kafka", "qos 2", "csv", "-1 messages", "-1 devices", "process of its own"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one that lists %q too", err, want)
		}
	}
}

// TestEngineEnds: an engine that dies under the load is the error, not a hang.
func TestEngineEnds(t *testing.T) {
	s, err := open(t.Context(), short(Config{Engine: separate(t)}))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := s.engine.(*process)
	if !ok {
		t.Fatalf("engine is %T, want a process", s.engine)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	s.cfg.Duration = time.Hour
	if _, err = s.measure(t.Context()); err == nil || !strings.Contains(err.Error(), "the engine ended under the load") {
		t.Errorf("got error %v, want the end of the engine", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestLoads(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Loads() {
		if c.Doc == "" || seen[c.Name] {
			t.Errorf("load %q has no text, or is there twice", c.Name)
		}
		seen[c.Name] = true
		if c.Kind == Manage {
			c.Engine.Command = []string{"weir"}
		}
		c.EnsureDefaults()
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if got, err := Load(c.Name); err != nil || got.Doc != c.Doc {
			t.Errorf("Load(%q): %v, %v", c.Name, got, err)
		}
	}
	if _, err := Load("nope"); err == nil || !strings.Contains(err.Error(), "article") {
		t.Errorf("got error %v, want one that names the loads", err)
	}
	var b bytes.Buffer
	if err := List(&b); err != nil || strings.Count(b.String(), "\n") != len(seen) {
		t.Errorf("list of %d loads: %v\n%s", len(seen), err, b.String())
	}
}

// TestSelectivity: as many messages pass as the load says, whatever the threshold.
func TestSelectivity(t *testing.T) {
	for _, c := range []Config{{}, {Selectivity: 50}, {Threshold: 20}, {Shape: Twin, Selectivity: 1}, {OwnTopics: true, Rules: 7, Threshold: 20}} {
		c.EnsureDefaults()
		pass := 0
		for _, m := range c.messages(20_000, 0) {
			if m.passes {
				pass++
			}
		}
		if got := float64(pass) / 200; math.Abs(got-c.Selectivity) > 1 {
			t.Errorf("threshold %g: %.2f %% pass, want %g %%", c.Threshold, got, c.Selectivity)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []Config{{}, {Shape: Twin}} {
		c.EnsureDefaults()
		for _, m := range c.messages(100, 0) {
			p := m.packet[len(m.packet)-payloadLen(m.packet, m.topic):]
			if !json.Valid(p) {
				t.Fatalf("not JSON: %s", p)
			}
			if m.stamp == 0 {
				continue
			}
			putStamp(m.packet[m.stamp:], 1_234_567_890_123_456_789)
			if ns, ok := stampOf(p); !ok || ns != 1_234_567_890_123_456_789 || !json.Valid(p) {
				t.Fatalf("stamp %d, %v in %s", ns, ok, p)
			}
		}
	}
	if _, ok := stampOf([]byte(`{"temperature":1}`)); ok {
		t.Error("a message without ts has a stamp")
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if p50, p99, top := l.quantiles(); p50 != 0 || p99 != 0 || top != 0 {
		t.Errorf("nothing: got %g, %g, %g, want 0", p50, p99, top)
	}
	for i := range 100 {
		l.add(int64(100-i) * 1e6)
	}
	if p50, p99, top := l.quantiles(); p50 != 50 || p99 != 99 || top != 100 {
		t.Errorf("got %g, %g, %g ms, want 50, 99, 100", p50, p99, top)
	}
	for range maxLatencies {
		l.add(1)
	}
	if len(l.ns) > maxLatencies {
		t.Errorf("%d times are kept, want %d at most", len(l.ns), maxLatencies)
	}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	Header(&b)
	c := Config{Name: "shared"}
	c.EnsureDefaults()
	(&Result{Config: c, MessagesPerSec: 2_345_678, EvaluationsPerSec: 18.7e9, OutputsPerSec: 12345, Delivered: 1, CPUPercent: 98.76, IdleMB: 45.2, PeakMB: 51.9, RuleKB: 1.234, P50Ms: 0.2, P99Ms: 0.5}).Write(&b)
	c.Kind = Manage
	(&Result{Config: c, SubmitSeconds: 1.5, BulkSeconds: 0.25, DeleteSeconds: 2, RestartSeconds: 0.125}).Write(&b)
	for _, want := range []string{"msg/s", "2.35M", "18.7G", "12.3k", "1.0000", "98.8", "45 / 52", "1.23", "0.20 / 0.50", "bulk 0.25 s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestCPUs(t *testing.T) {
	for list, want := range map[string]string{"0": "1,2,3", "0-1": "2,3", "1, 3": "0,2", "0-3": "", "x": "0,1,2,3", "3-1": "0,1,2,3"} {
		if got := OtherCPUs(list, 4); got != want {
			t.Errorf("others than %q: got %q, want %q", list, got, want)
		}
	}
}

func TestEnds(t *testing.T) {
	var e ends
	for range 1000 {
		if _, err := e.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	e.Write([]byte("last words\n"))
	if text := e.text(); !strings.HasPrefix(text, "0123") || !strings.HasSuffix(text, "last words") || len(text) > 3*endBytes {
		t.Errorf("got %d bytes: %q", len(text), text)
	}
}
