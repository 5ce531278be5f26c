package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-engine/weir/internal/loss"
)

// totals writes the sums of the engine.
type totals struct{ m *Metrics }

var totalFamilies = []totalFamily{
	total("weir_messages_total", "Messages taken from sources.", func(t *Totals) uint64 { return t.Messages }),
	total("weir_rows_total", "Rows decoded from messages.", func(t *Totals) uint64 { return t.Rows }),
	total("weir_payload_bytes_total", "Bytes of payloads taken from sources.", func(t *Totals) uint64 { return t.Bytes }),
	total("weir_decode_errors_total", "Messages that gave no row.", func(t *Totals) uint64 { return t.DecodeErrors }),
	total("weir_batches_total", "Passes over all rules.", func(t *Totals) uint64 { return t.Batches }),
	total("weir_evaluations_total", "Rows times the rules that read them.", func(t *Totals) uint64 { return t.Evaluations }),
	total("weir_outputs_total", "Messages handed to sinks.", func(t *Totals) uint64 { return t.Outputs }),
	total("weir_delivered_total", "Messages that a destination took.", func(t *Totals) uint64 { return t.Delivered }),
	total("weir_failed_total", "Messages that a destination refused for good.", func(t *Totals) uint64 { return t.Lost[loss.Refused] }),
	total("weir_dropped_total", "Messages dropped at a bound that the user set.", func(t *Totals) uint64 { return t.Lost[loss.Dropped] }),
	total("weir_bad_values_total", "Values that are null since they could not be converted.", func(t *Totals) uint64 { return t.BadValues }),
	total("weir_panics_total", "Panics that were contained: faults of weir.", func(t *Totals) uint64 { return t.Panics }),
	total("weir_clock_sets_total", "Times that the clock of the machine was set by more than a second.", func(t *Totals) uint64 { return t.ClockSets }),
	total("weir_epochs_total", "Programs published after changes of rules.", func(t *Totals) uint64 { return t.Epochs }),
	gauge("weir_queued_bytes", "Bytes that wait for destinations.", func(t *Totals) uint64 { return t.QueuedBytes }),
	gauge("weir_left_messages", "Messages on disk for destinations that no rule sends to, which nobody delivers.", func(t *Totals) uint64 { return t.LeftMessages }),
	gauge("weir_left_bytes", "Bytes on disk for destinations that no rule sends to, which nobody delivers.", func(t *Totals) uint64 { return t.LeftBytes }),
}

// lostTotal has a series for each reason, so that a rate can be taken from the
// first loss on.
var lostTotal = prometheus.NewDesc("weir_lost_total", "What ended without being sent, by reason.", []string{"reason"}, nil)

type totalFamily struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(t *Totals) uint64
}

func total(name, help string, value func(t *Totals) uint64) totalFamily {
	return totalFamily{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, value}
}

func gauge(name, help string, value func(t *Totals) uint64) totalFamily {
	return totalFamily{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value}
}

// Describe implements prometheus.Collector.
func (c totals) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range totalFamilies {
		ch <- f.desc
	}
	ch <- lostTotal
}

// Collect implements prometheus.Collector.
func (c totals) Collect(ch chan<- prometheus.Metric) {
	t := c.m.source.Totals()
	if c.m.broker != nil {
		t.Lost[loss.Broker] += uint64(c.m.broker.Dropped())
	}
	for _, f := range totalFamilies {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, float64(f.value(&t)))
	}
	for _, r := range loss.All() {
		ch <- prometheus.MustNewConstMetric(lostTotal, prometheus.CounterValue, float64(t.Lost[r]), r.String())
	}
}

// connections writes the state of each connection.
type connections struct{ source Source }

var (
	connectionStatus  = prometheus.NewDesc("weir_connection_status", "1 connected, 0 connecting, -1 disconnected; the least of several clients of one server.", []string{"kind", "connection"}, nil)
	connectionRetries = prometheus.NewDesc("weir_connection_retries_total", "Attempts to connect after the first.", []string{"kind", "connection"}, nil)
)

// Describe implements prometheus.Collector.
func (c connections) Describe(ch chan<- *prometheus.Desc) {
	ch <- connectionStatus
	ch <- connectionRetries
}

// Collect implements prometheus.Collector.
func (c connections) Collect(ch chan<- prometheus.Metric) {
	type key struct{ kind, name string }
	var order []key
	sums := map[key]ConnectionState{} // several clients of one server are one series
	c.source.EachConnection(func(s ConnectionState) {
		k := key{s.Kind, s.Name}
		sum, known := sums[k]
		if !known {
			order = append(order, k)
			sum.Status = s.Status
		}
		sums[k] = ConnectionState{s.Kind, s.Name, min(sum.Status, s.Status), sum.Retries + s.Retries}
	})
	for _, k := range order {
		s := sums[k]
		ch <- prometheus.MustNewConstMetric(connectionStatus, prometheus.GaugeValue, float64(s.Status), s.Kind, s.Name)
		ch <- prometheus.MustNewConstMetric(connectionRetries, prometheus.CounterValue, float64(s.Retries), s.Kind, s.Name)
	}
}
