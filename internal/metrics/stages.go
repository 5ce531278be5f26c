package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stage is a part of the way of a batch.
type Stage uint8

// The stages.
const (
	StageEvaluate Stage = iota // one pass over all rules, with the encoding of what they send
	StageTimers                // windows and batches of outputs that ended by the clock
	StageDeliver               // a write to a destination
	stageCount
)

var stageNames = [stageCount]string{"evaluate", "timers", "deliver"}

// String returns the name of s in the label.
func (s Stage) String() string { return stageNames[s] }

// Stages are the histograms of the way of batches. Its methods may be called from
// any goroutine; they are for once a batch, not for rows.
type Stages struct {
	seconds *prometheus.HistogramVec
	stages  [stageCount]prometheus.Observer
	rows    prometheus.Histogram
}

// NewStages returns empty histograms.
func NewStages() *Stages {
	s := &Stages{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_stage_seconds", Help: "Time that a batch took in a stage.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 2, 20), // 10 us to 5 s
		}, []string{"stage"}),
		rows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_batch_rows", Help: "Rows of a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
	}
	for i := range stageCount {
		s.stages[i] = s.seconds.WithLabelValues(i.String())
	}
	return s
}

// Observe adds the time that one batch took in a stage.
func (s *Stages) Observe(st Stage, d time.Duration) { s.stages[st].Observe(d.Seconds()) }

// ObserveRows adds the rows of one batch.
func (s *Stages) ObserveRows(n int) { s.rows.Observe(float64(n)) }
