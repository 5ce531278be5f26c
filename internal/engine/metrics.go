package engine

import (
	"sort"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
)

// Totals returns the sums over the life of the process.
func (e *Engine) Totals() metrics.Totals {
	var t metrics.Totals
	e.call(func() {
		s := e.x.Stats()
		t.Batches, t.Rows, t.Evaluations = s.Batches, s.Rows, s.Evaluations
	})
	e.mu.RLock()
	in := e.gone
	for _, f := range e.feeds {
		in = sum(in, f.feed.Stats())
	}
	e.mu.RUnlock()
	t.Messages, t.Bytes, t.DecodeErrors = in.Messages, in.Bytes, in.DecodeErrors
	e.queues.Each(func(q *sinks.Queue) {
		s := q.Stats()
		t.Outputs += s.Received
		t.Delivered += s.Delivered
		t.Failed += s.Refused
		t.Dropped += s.Dropped
		t.QueuedBytes += uint64(max(s.Bytes, 0))
	})
	t.Epochs = e.epochs.Load()
	return t
}

func sum(a, b ingest.Stats) ingest.Stats {
	a.Messages += b.Messages
	a.Rows += b.Rows
	a.Bytes += b.Bytes
	a.DecodeErrors += b.DecodeErrors
	a.BadValues += b.BadValues
	return a
}

// EachRule calls f for every rule by id.
func (e *Engine) EachRule(f func(r metrics.RuleCounters)) {
	all := e.counts()
	e.mu.RLock()
	rules := make([]*rule, 0, len(e.rules))
	for _, r := range e.rules {
		rules = append(rules, r)
	}
	out := make([]metrics.RuleCounters, 0, len(rules))
	sort.Slice(rules, func(i, j int) bool { return rules[i].id < rules[j].id })
	for _, r := range rules {
		c := metrics.RuleCounters{ID: r.id, Status: metrics.RuleStopped}
		switch {
		case r.running:
			c.Status = metrics.RuleRunning
		case r.failed:
			c.Status = metrics.RuleFailed
		}
		k := r.sum(all)
		c.In, c.Out, c.Exceptions = k.in, k.matched, k.faults+e.refused(r)
		out = append(out, c)
	}
	e.mu.RUnlock()
	for _, c := range out {
		f(c)
	}
}

// refused returns how many messages of r destinations refused for good.
func (e *Engine) refused(r *rule) (n uint64) {
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			n += e.counters.Failed(k.num)
		}
	}
	return n
}

// EachConnection calls f for every connection to a broker.
func (e *Engine) EachConnection(f func(c metrics.ConnectionState)) {
	for _, c := range e.pool.Conns() {
		st := c.State()
		s := metrics.ConnectionState{Kind: "mqtt", Status: -1}
		for i, server := range c.Options().Servers {
			if i > 0 {
				s.Name += ","
			}
			s.Name += server
		}
		switch {
		case st.Connected:
			s.Status = 1
		case st.Err == nil:
			s.Status = 0
		}
		f(s)
	}
}

var _ planner.Catalog = (*Engine)(nil)
