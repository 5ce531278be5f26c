package engine

import (
	"sort"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
)

// Totals returns the sums over the life of the process.
func (e *Engine) Totals() metrics.Totals {
	var t metrics.Totals
	e.exec.Call(func(x *exec.Executor) {
		s := x.Stats()
		t.Batches, t.Rows, t.Evaluations, t.Lost = s.Batches, s.Rows, s.Evaluations, s.Lost
	})
	e.mu.RLock()
	in := e.mu.gone
	for _, f := range e.mu.feeds {
		in = sum(in, f.Stats())
	}
	for _, s := range e.mu.streams {
		if r, ok := s.source.(*runner); ok { // what a connection lost it counts itself
			lost := r.Status().Lost
			t.Lost.Merge(&lost)
		}
	}
	e.mu.RUnlock()
	t.Messages, t.Bytes, t.DecodeErrors, t.BadValues = in.Messages, in.Bytes, in.DecodeErrors, in.BadValues
	t.Lost[loss.Decode] += in.DecodeErrors
	out := e.queues.Total()
	t.Outputs, t.Delivered, t.QueuedBytes = out.Received, out.Delivered, uint64(max(out.Bytes, 0))
	own := e.lost.Counts()
	t.Lost.Merge(&out.Lost)
	t.Lost.Merge(&own)
	for _, p := range e.types.pools {
		conns := p.Lost()
		t.Lost.Merge(&conns)
	}
	if messages, bytes, err := e.queues.Left(); err == nil { // an error is one of the store, which /healthz tells
		t.LeftMessages, t.LeftBytes = uint64(messages), uint64(bytes)
	}
	t.Epochs = e.epochs.Load()
	t.Panics, _ = e.panics.Total()
	t.ClockSets = e.clockSet.n.Load()
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
	rules := make([]*rule, 0, len(e.mu.rules))
	for _, r := range e.mu.rules {
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
		c.In, c.Out, c.Exceptions = k.in, k.matched, k.faults+e.refusedLocked(r)
		if lost := e.lostByLocked(r, k); lost != (loss.Counts{}) {
			c.Lost = &lost
		}
		out = append(out, c)
	}
	e.mu.RUnlock()
	for _, c := range out {
		f(c)
	}
}

// refusedLocked returns how many messages of r destinations refused for good.
func (e *Engine) refusedLocked(r *rule) (n uint64) {
	e.mu.AssertRHeld()
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			n += e.counters.Failed(k.num)
		}
	}
	return n
}

// Stages returns the histograms of batches.
func (e *Engine) Stages() *metrics.Stages { return e.stages }

// EachConnection calls f for every connection that is open.
func (e *Engine) EachConnection(f func(c metrics.ConnectionState)) {
	for _, c := range e.connections() {
		f(metrics.ConnectionState{Kind: c.typ, Name: c.Server, Status: int(connState(c.State)), Retries: c.Retries})
	}
}
