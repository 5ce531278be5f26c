package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-engine/weir/vec"
)

// sweep is the numbers of rules that a claim about their number is measured with.
var sweep = []int{1, 100, 1000, 8000}

// BenchmarkCore runs messages through decoder and executor, without sockets and
// sinks. An operation is a batch of 1,024 messages.
func BenchmarkCore(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  Config
		step int64 // ms a batch
	}{
		{"filter", Config{Distinct: true}, 1},
		{"equal", Config{}, 1},
		{"twin", Config{Distinct: true, Shape: Twin}, 1},
		{"complex", Config{Kind: Complex}, 1},
		{"windows", Config{Distinct: true, Kind: Windows}, 10},
	} {
		for _, rules := range sweep {
			c.cfg.Rules = rules
			b.Run(fmt.Sprintf("load=%s/rules=%d", c.name, rules), func(b *testing.B) { benchCore(b, c.cfg, c.step, true) })
		}
	}
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"panes", Config{Distinct: true, Kind: Panes, Rules: 8000}},
		{"hopping", Config{Distinct: true, Kind: Hopping, Rules: 100}},
		{"types", Config{Distinct: true, Kind: Types, Shape: Mixed, Rules: 1000}},
		{"calls", Config{Kind: Calls, Rules: 1000}},
	} {
		b.Run(fmt.Sprintf("load=%s/rules=%d", c.name, c.cfg.Rules), func(b *testing.B) { benchCore(b, c.cfg, 10, true) })
	}
	for _, spread := range []float64{0.2, 2, 20} { // half of it is what a rule selects
		cfg := Config{Distinct: true, Rules: 8000, Spread: spread}
		b.Run(fmt.Sprintf("load=sent/rules=8000/selectivity=%g", spread/2), func(b *testing.B) { benchCore(b, cfg, 1, false) })
	}
}

func benchCore(b *testing.B, c Config, step int64, count bool) {
	k := newCore(b, c, count, false)
	k.batch(b, step) // buffers grow to their size
	before := *k.x.Stats()
	sent := k.sent.rows
	b.SetBytes(k.bytes)
	b.ReportAllocs()
	for b.Loop() {
		k.batch(b, step)
	}
	s := k.x.Stats()
	sec := b.Elapsed().Seconds()
	b.ReportMetric(float64(s.Rows-before.Rows)/sec, "rows/s")
	b.ReportMetric(float64(s.Evaluations-before.Evaluations)/sec, "evals/s")
	b.ReportMetric(float64(k.sent.rows-sent)/sec, "outputs/s")
}

// BenchmarkEngine runs messages through a whole engine in this process: REST made
// the rules, the load comes over a socket, the witness forwards 10 % of it. An
// operation is a block of messages; the load side's work is in it.
func BenchmarkEngine(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"shared", Config{Distinct: true}},
		{"twin", Config{Distinct: true, Shape: Twin}},
		{"complex", Config{Kind: Complex}},
		{"windows", Config{Distinct: true, Kind: Windows}},
	} {
		for _, rules := range sweep {
			c.cfg.Rules = rules
			b.Run(fmt.Sprintf("load=%s/rules=%d", c.name, rules), func(b *testing.B) { benchEngine(b, c.cfg) })
		}
	}
}

// block is the number of messages of an operation of BenchmarkEngine.
const block = 16 * vec.MaxRows

func benchEngine(b *testing.B, c Config) {
	s, err := open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			b.Error(err)
		}
	}()
	send := func() (expect int64) {
		for left := block; left > 0; left -= s.cfg.Chunk {
			if err := s.write(min(left, s.cfg.Chunk)); err != nil {
				b.Fatal(err)
			}
		}
		return s.expect
	}
	through := func(want int64) {
		got, err := s.wait(b.Context(), want, 10*time.Second)
		if err != nil || got < want {
			b.Fatalf("%d of %d messages came out: %v", got, want, err)
		}
	}
	through(send()) // connections and buffers are there
	from := s.sent
	last := s.expect
	b.ReportAllocs()
	for b.Loop() {
		// One block is on its way while the one before is waited for: the engine
		// is never idle, and no more is under way at the end.
		now := send()
		through(last)
		last = now
	}
	through(last)
	sec := b.Elapsed().Seconds()
	n := float64(s.sent - from)
	k, err := s.settled(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(n/sec, "rows/s")
	b.ReportMetric(k.evaluations/k.rows*n/sec, "evals/s")
}

// BenchmarkLoad runs every named load for a second against an engine in a process
// of its own, as weir bench does for longer. The time of an operation is that of
// the whole run and says nothing; the metrics do.
func BenchmarkLoad(b *testing.B) {
	apart := separate(b)
	for _, c := range Loads() {
		b.Run("load="+c.Name, func(b *testing.B) {
			apart.MemoryLimit = c.Engine.MemoryLimit
			c.Engine, c.Duration = apart, time.Second
			var r *Result
			for b.Loop() {
				var err error
				if r, err = Run(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			for unit, v := range map[string]float64{
				"rows/s": r.MessagesPerSec, "evals/s": r.EvaluationsPerSec, "outputs/s": r.OutputsPerSec, "delivered": r.Delivered,
				"CPU%": r.CPUPercent, "MB": r.PeakMB, "KB/rule": r.RuleKB, "p50-ms": r.P50Ms, "p99-ms": r.P99Ms,
				"submit-s": r.SubmitSeconds, "bulk-s": r.BulkSeconds, "delete-s": r.DeleteSeconds, "restart-s": r.RestartSeconds,
			} {
				if v > 0 {
					b.ReportMetric(v, unit)
				}
			}
		})
	}
}
