package engine

import (
	"fmt"
	"sort"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
)

// ruleCounts is what the executor counted for a rule.
type ruleCounts struct {
	in, matched, faults uint64
	last                string
}

// counts asks the executor for the counters of a rule.
func (e *Engine) counts(num planner.RuleID) (c ruleCounts) {
	e.call(func() {
		s := e.x.Stats()
		if int(num) < len(s.In) {
			c = ruleCounts{s.In[num], s.Matched[num], s.Faults[num], s.Last[num]}
		}
	})
	return c
}

// RuleStatus returns everything that is known about the run of a rule.
func (e *Engine) RuleStatus(id string) ([]api.StatusField, error) {
	e.mu.RLock()
	r := e.rules[id]
	e.mu.RUnlock()
	if r == nil {
		return nil, planner.ErrNotFound
	}
	c, joined := e.counts(r.num), e.joinRows(r)
	e.mu.RLock()
	defer e.mu.RUnlock()
	var f fields
	f.add("status", r.status())
	f.add("message", r.message)
	f.add("lastStartTimestamp", r.startMs)
	f.add("lastStopTimestamp", r.stopMs)
	f.add("nextStartTimestamp", r.nextStart())
	for i, name := range r.streams {
		in := c.in
		if n, ok := joined[name]; ok {
			in = n
		}
		f.source(e.streams[name], name, in, i)
	}
	f.op("op_2_decoder_0_", c.in, c.in, 0, "")
	f.op("op_3_project_0_", c.in, c.matched, c.faults, c.last)
	for _, k := range r.sinks {
		f.sink(k, e, r, c)
	}
	return f.list, nil
}

type fields struct{ list []api.StatusField }

func (f *fields) add(key string, v any) { f.list = append(f.list, api.StatusField{Key: key, Value: v}) }

// op adds the counters that every node of a rule has.
func (f *fields) op(prefix string, in, out, faults uint64, last string) {
	f.add(prefix+"records_in_total", in)
	f.add(prefix+"records_out_total", out)
	f.add(prefix+"messages_processed_total", in)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", 0)
	f.add(prefix+"last_invocation", 0)
	f.add(prefix+"exceptions_total", faults)
	f.add(prefix+"last_exception", last)
	f.add(prefix+"last_exception_time", 0)
}

func (f *fields) connection(prefix string, status int, connected, disconnected, try int64, why string) {
	f.add(prefix+"connection_status", status)
	f.add(prefix+"connection_last_connected_time", connected)
	f.add(prefix+"connection_last_disconnected_time", disconnected)
	f.add(prefix+"connection_last_disconnected_message", why)
	f.add(prefix+"connection_last_try_time", try)
}

// source adds a stream: what it got, what did not decode and whether data can
// come at all.
func (f *fields) source(s *stream, name string, in uint64, _ int) {
	prefix := "source_" + name + "_0_"
	var st ingest.Stats
	state, why := -1, "stream does not run"
	if s != nil && s.feed != nil {
		st = s.feed.feed.StreamStats(s.num)
		state, why = s.source.state()
	} else if s != nil && s.err != "" {
		why = s.err
	}
	bad := st.LastError
	if st.LastPayload != "" {
		bad += ": " + st.LastPayload
	}
	f.add(prefix+"records_in_total", in)
	f.add(prefix+"records_out_total", in)
	f.add(prefix+"messages_processed_total", st.Messages)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", 0)
	f.add(prefix+"last_invocation", st.LastArrival)
	f.add(prefix+"exceptions_total", st.DecodeErrors+st.BadValues)
	f.add(prefix+"last_exception", bad)
	f.add(prefix+"last_exception_time", st.LastErrorAt)
	f.connection(prefix, state, 0, 0, 0, why)
	f.add(prefix+"bytes_in_total", st.Bytes)
	f.add(prefix+"decode_errors_total", st.DecodeErrors)
	f.add(prefix+"conversion_errors_total", st.BadValues)
	if s != nil && s.feed != nil {
		f.add(prefix+"paused", s.feed.pauses > 0)
	}
}

// sink adds a sink: what it was given, what was delivered, what waits.
func (f *fields) sink(k sinkInfo, e *Engine, r *rule, c ruleCounts) {
	prefix := fmt.Sprintf("sink_%s_%d_0_", k.typ, k.index)
	st := k.queue.Stats()
	out, failed := e.counters.Delivered(k.num), e.counters.Failed(k.num)
	last, at := "", int64(0)
	if fl, ok := e.counters.LastFailure(k.num); ok {
		last, at = fl.Text, fl.AtMs
	} else if st.LastError != "" {
		last, at = st.LastError, st.LastErrorMs
	}
	if k.typ == "nop" {
		out = c.matched
	}
	f.add(prefix+"records_in_total", c.matched)
	f.add(prefix+"records_out_total", out)
	f.add(prefix+"messages_processed_total", c.matched)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", st.Messages)
	f.add(prefix+"last_invocation", st.LastDeliveredMs)
	f.add(prefix+"exceptions_total", failed)
	f.add(prefix+"last_exception", last)
	f.add(prefix+"last_exception_time", at)
	state := 0
	switch st.Connection.State {
	case sinks.Connected:
		state = 1
	case sinks.Disconnected:
		state = -1
	}
	f.connection(prefix, state, st.Connection.LastConnectedMs, st.Connection.LastDisconnectedMs, st.Connection.LastTryMs, st.Connection.LastDisconnected)
	f.add(prefix+"buffer_bytes", st.Bytes)
	f.add(prefix+"buffer_disk_bytes", st.DiskBytes)
	f.add(prefix+"retries_total", st.Retries)
	f.add(prefix+"dropped_total", st.Dropped)
}

// RuleHealth returns the state and the faults of all rules.
func (e *Engine) RuleHealth() []api.RuleHealth {
	faults := map[planner.RuleID]ruleCounts{}
	e.call(func() {
		s := e.x.Stats()
		for i, n := range s.Faults {
			if n > 0 {
				faults[planner.RuleID(i)] = ruleCounts{faults: n, last: s.Last[i]}
			}
		}
	})
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]api.RuleHealth, 0, len(e.rules))
	for _, r := range e.rules {
		c := faults[r.num]
		h := api.RuleHealth{ID: r.id, Status: r.status(), LastException: c.last, Exceptions: int64(c.faults + e.refused(r))}
		if r.failed {
			h.LastException = r.message
		}
		out = append(out, h)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// RuleTopo returns the graph of a rule.
func (e *Engine) RuleTopo(id string) (api.Topo, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	r := e.rules[id]
	if r == nil {
		return api.Topo{}, planner.ErrNotFound
	}
	var t api.Topo
	for _, name := range r.streams {
		t.Sources = append(t.Sources, "source_"+name)
		t.Edges = append(t.Edges, api.TopoEdge{From: "source_" + name, To: []string{"op_2_decoder"}})
	}
	t.Edges = append(t.Edges, api.TopoEdge{From: "op_2_decoder", To: []string{"op_3_project"}})
	last := api.TopoEdge{From: "op_3_project"}
	for _, k := range r.sinks {
		last.To = append(last.To, fmt.Sprintf("sink_%s_%d", k.typ, k.index))
	}
	t.Edges = append(t.Edges, last)
	return t, nil
}

// RuleSchema returns the names of the columns that a rule sends.
func (e *Engine) RuleSchema(id string) ([]string, error) {
	def, err := e.stored(id)
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compile(def, 0)
	if err != nil {
		return nil, err
	}
	return c.query.Names(), nil
}

// ExplainRule returns the plan of a rule and what it shares with others.
func (e *Engine) ExplainRule(id string) (string, error) {
	def, err := e.stored(id)
	if err != nil {
		return "", err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compile(def, 0)
	if err != nil {
		return "", err
	}
	s := e.streams[c.query.Streams[0]]
	if c.query.Join != nil {
		s = nil
		if r := e.rules[id]; r != nil {
			s = r.join
		}
	}
	var b *planner.Builder
	if s != nil {
		b = s.builder
	}
	return planner.Explain(c.query, b), nil
}
