package engine

import (
	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

// lostByLocked returns what r lost: what the executor counted for its parts, and what
// became of its messages.
func (e *Engine) lostByLocked(r *rule, c ruleCounts) loss.Counts {
	e.mu.AssertRHeld()
	lost := c.losses()
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			of := e.counters.Lost(k.num)
			lost.Merge(&of)
		}
	}
	return lost
}

// losses returns what the executor counted, by reason.
func (c *ruleCounts) losses() (lost loss.Counts) {
	if c.lost != nil {
		lost = *c.lost
	}
	return lost
}

// lostOfLocked returns what the running source of s lost, its feed, which has that many
// messages that did not decode, and what the executor says of its rows.
func (s *stream) lostOfLocked(undecoded uint64, rows loss.Counts) (c loss.Counts) {
	if s.feed == nil {
		return c
	}
	c = s.source.status().Lost
	c[loss.Decode] += undecoded
	c.Merge(&rows)
	return c
}

// lostRows asks the executor which rows of streams had no place in event time.
func (e *Engine) lostRows(streams []*stream) []loss.Counts {
	lost := make([]loss.Counts, len(streams))
	e.exec.Call(func(x *exec.Executor) {
		for i, s := range streams {
			lost[i] = x.StreamLost(s.num)
		}
	})
	return lost
}

// EachLoss calls f for what streams, connections and destinations lost.
func (e *Engine) EachLoss(f func(o metrics.Owner, name string, lost loss.Counts)) {
	e.mu.RLock()
	streams := make([]*stream, 0, len(e.mu.streams))
	for _, s := range e.mu.streams {
		if s.feed != nil {
			streams = append(streams, s)
		}
	}
	e.mu.RUnlock()
	rows := e.lostRows(streams)
	e.mu.RLock()
	lost, bad := make([]loss.Counts, len(streams)), e.badStreamsLocked()
	for i, s := range streams {
		lost[i] = s.lostOfLocked(bad[s.name].DecodeErrors, rows[i])
	}
	e.mu.RUnlock()
	for i, s := range streams {
		f(metrics.OfStream, s.name, lost[i])
	}
	for _, c := range e.connections() {
		f(metrics.OfConnection, c.Server, c.Lost)
	}
	e.queues.Each(func(q *sinks.Queue) { f(metrics.OfDestination, q.DestKey(), q.Stats().Lost) })
}

// StreamStatus returns what is known about the source of a stream or table.
func (e *Engine) StreamStatus(kind api.StreamKind, name string) ([]api.StatusField, error) {
	e.mu.RLock()
	s := e.mu.streams[name]
	e.mu.RUnlock()
	if s == nil || s.inline || s.def.Table != (kind == api.Table) {
		return nil, ruledef.ErrNotFound
	}
	rows := e.lostRows([]*stream{s})
	e.mu.RLock()
	defer e.mu.RUnlock()
	var f fields
	f.source(s, "", s.rowsLocked(), rows[0])
	return f.list, nil
}

// rowsLocked returns how many rows came for s since its source runs.
func (s *stream) rowsLocked() uint64 {
	if s.feed == nil {
		return 0
	}
	return s.feed.StreamStats(s.num).Rows
}
