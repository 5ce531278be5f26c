// Package metrics holds the names of what the process counts and writes them in
// the text form that Prometheus scrapes.
//
// Two kinds of figures exist. What is few (stages, connections, totals, the Go
// runtime) is in a registry of the client library. What is many, the counters of
// rules, is never registered: it stays in the engine's flat arrays and is written
// straight into the answer, family by family, so that a scrape of 8,000 rules
// makes no garbage to speak of and takes milliseconds. Nothing here is called per
// row; a stage is observed once per batch.
package metrics

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/weir-engine/weir/internal/loss"
)

// Source is what the engine shows at a scrape. All methods are called from the
// goroutine of the scrape, several scrapes at once.
type Source interface {
	// Totals returns the sums over the life of the process.
	Totals() Totals

	// EachRule calls f for every rule in a stable order, once for a scrape. f must
	// not call the engine.
	EachRule(f func(r RuleCounters))

	// EachNode calls f for every source, operator and sink of every rule, rule by
	// rule in a stable order, until f returns false.
	EachNode(f func(n Node) bool)

	// EachConnection calls f for every connection.
	EachConnection(f func(c ConnectionState))

	// EachLoss calls f for every stream, connection and destination, with what
	// it lost so far.
	EachLoss(f func(o Owner, name string, lost loss.Counts))

	// Stages returns the histograms that the engine feeds, always the same.
	Stages() *Stages
}

// Owner is a kind of what can lose messages beside rules.
type Owner uint8

// The owners.
const (
	OfStream Owner = iota
	OfConnection
	OfDestination
	ownerCount
)

// ownerNames are the labels of owners, and a part of the names of their series.
var ownerNames = [ownerCount]string{"stream", "connection", "destination"}

// Totals are counters of the whole process.
type Totals struct {
	Messages     uint64 // taken from sources
	Rows         uint64 // decoded from them
	Bytes        uint64 // of payloads
	DecodeErrors uint64 // messages that gave no row
	Batches      uint64 // passes over all rules
	Evaluations  uint64 // rows times the rules that read them
	Outputs      uint64 // messages handed to sinks
	Delivered    uint64 // messages that a destination took
	BadValues    uint64 // values that are null since they could not be converted
	Epochs       uint64 // programs published
	Panics       uint64 // faults of weir that were contained
	ClockSets    uint64 // times that the clock of the machine was set by more than a second
	QueuedBytes  uint64 // waiting for destinations, a gauge
	Lost         loss.Counts
	LeftMessages uint64 // waiting for destinations that nobody delivers to, a gauge
	LeftBytes    uint64 // the same in bytes, a gauge
}

// RuleStatus is the state of a rule as a number.
type RuleStatus int8

// The states.
const (
	RuleFailed  RuleStatus = -1
	RuleStopped RuleStatus = 0
	RuleRunning RuleStatus = 1
)

// RuleCounters are the figures of one rule.
type RuleCounters struct {
	ID         string
	Status     RuleStatus
	In         uint64       // rows of its streams
	Out        uint64       // messages to its sinks
	Exceptions uint64       // rows that it could not evaluate, messages that it could not send
	Lost       *loss.Counts // nil: nothing
}

// ConnectionState is one connection to the outside.
type ConnectionState struct {
	Kind    string // source, sink, or both as "mqtt"
	Name    string // the server
	Status  int    // 1 connected, 0 connecting, -1 disconnected
	Retries uint64 // attempts to connect after the first
}

// Metrics is the registry of one process.
type Metrics struct {
	source   Source
	registry *prometheus.Registry
	broker   Broker // nil: none is embedded
	compat   Compat
}

// New returns the metrics of a process whose engine is source.
func New(source Source, version string, compat Compat) (*Metrics, error) {
	m := &Metrics{source: source, registry: prometheus.NewRegistry(), compat: compat}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	for _, c := range []prometheus.Collector{
		source.Stages().seconds, source.Stages().rows, info,
		totals{m},
		connections{source},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Broker is the embedded MQTT broker. Its methods may be called from any goroutine.
type Broker interface {
	Clients() int   // how many are connected
	Dropped() int64 // messages for clients that did not keep up
}

// Watch adds the figures of the embedded broker. It is called once at most, before
// the first scrape.
func (m *Metrics) Watch(b Broker) error {
	m.broker = b
	return errors.Join(
		m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_broker_clients", Help: "Clients of the embedded broker."},
			func() float64 { return float64(b.Clients()) })),
		m.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "weir_broker_dropped_total", Help: "Messages that the embedded broker dropped for clients that did not keep up."},
			func() float64 { return float64(b.Dropped()) })),
	)
}

// ServeHTTP answers a scrape in the text form.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		m.Write(w) // an error is a scraper that went away
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		panic("bug: gzip level: " + err.Error())
	}
	if m.Write(z) == nil {
		z.Close()
	}
}

// Write writes all figures to w.
func (m *Metrics) Write(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 32<<10)
	enc := expfmt.NewEncoder(out, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	var rules []RuleCounters
	m.source.EachRule(func(r RuleCounters) { rules = append(rules, r) })
	m.writeRules(out, rules)
	m.writeLosses(out, rules)
	return out.Flush()
}

// ruleFamily is a series of each rule.
type ruleFamily struct {
	name, kind, help string
	value            func(r *RuleCounters) int64
}

// ruleFigures are the series of each rule. The names are those that dashboards
// for eKuiper read; weir has one series a rule where eKuiper has one for every
// operator of it, unless it is told to write those.
var ruleFigures = []ruleFamily{
	{"kuiper_source_records_in_total", "counter", "Rows that the streams of the rule gave it.", func(r *RuleCounters) int64 { return int64(r.In) }},
	{"kuiper_sink_records_in_total", "counter", "Messages that the rule handed to its sinks.", func(r *RuleCounters) int64 { return int64(r.Out) }},
	{"kuiper_op_exceptions_total", "counter", "Rows that the rule could not evaluate and messages that it could not send.", func(r *RuleCounters) int64 { return int64(r.Exceptions) }},
}

var ruleState = ruleFamily{"kuiper_rule_status", "gauge", "1 running, 0 stopped, -1 stopped by error.", func(r *RuleCounters) int64 { return int64(r.Status) }}

// writeRules writes the series of all rules. bufio keeps the first error, which
// Flush returns.
func (m *Metrics) writeRules(out *bufio.Writer, rules []RuleCounters) {
	if m.compat.Nodes {
		m.writeNodes(out)
	} else {
		for i := range ruleFigures {
			ruleFigures[i].write(out, rules)
		}
	}
	ruleState.write(out, rules)
	var count [3]int64
	for i := range rules {
		count[rules[i].Status+1]++
	}
	head(out, "kuiper_rule_count", "gauge", "Rules by state.")
	for i, name := range []string{"stopped_by_error", "stopped", "running"} {
		out.WriteString(`kuiper_rule_count{status="` + name + `"} ` + strconv.FormatInt(count[i], 10) + "\n")
	}
}

func (f *ruleFamily) write(out *bufio.Writer, rules []RuleCounters) {
	var line []byte
	head(out, f.name, f.kind, f.help)
	for i := range rules {
		line = append(append(line[:0], f.name...), `{rule="`...)
		line = appendLabel(line, rules[i].ID)
		line = append(line, `"} `...)
		line = append(strconv.AppendInt(line, f.value(&rules[i]), 10), '\n')
		out.Write(line)
	}
}

func head(out *bufio.Writer, name, kind, help string) {
	out.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// appendLabel appends the value of a label, escaped.
func appendLabel(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, c)
		}
	}
	return b
}
