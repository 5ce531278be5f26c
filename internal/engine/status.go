package engine

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

// ruleCounts is what the executor counted for a rule.
type ruleCounts struct {
	in, matched, faults uint64
	last                string
	lastAt              int64
	lost                *loss.Counts // nil: nothing
}

func countsOf(s *exec.Stats, i int) ruleCounts {
	c := ruleCounts{in: s.In[i], matched: s.Matched[i], faults: s.Faults[i], last: s.Last[i], lastAt: s.LastAt[i]}
	if lost, ok := s.LostBy(planner.RuleID(i)); ok {
		c.lost = &lost
	}
	return c
}

// sum returns what was counted for all parts of r; counts has what was for each
// number. Messages that several parts read are counted once.
func (r *rule) sum(counts []ruleCounts) (c ruleCounts) {
	var seen []string
	for _, p := range r.parts() {
		if int(p.num) >= len(counts) {
			continue
		}
		k := counts[p.num]
		c.matched, c.faults = c.matched+k.matched, c.faults+k.faults
		if k.lost != nil {
			sum := c.losses()
			sum.Merge(k.lost)
			c.lost = &sum
		}
		if k.lastAt >= c.lastAt {
			c.last, c.lastAt = k.last, k.lastAt
		}
		if len(p.inputs) == 0 || !slices.Contains(seen, p.inputs[0]) {
			c.in += k.in
			seen = append(seen, p.inputs[:min(1, len(p.inputs))]...)
		}
	}
	return c
}

// counts asks the executor for the counters of all rules by number.
func (e *Engine) counts() (all []ruleCounts) {
	e.exec.Call(func(x *exec.Executor) {
		s := x.Stats()
		all = make([]ruleCounts, len(s.In))
		for i := range all {
			all[i] = countsOf(s, i)
		}
	})
	return all
}

// partCounts asks the executor for the counters of the parts of a rule, and for
// the rows that streams have given to their joins.
func (e *Engine) partCounts(r *rule) (counts []ruleCounts, joined map[string]uint64) {
	e.mu.RLock()
	var nums []planner.RuleID
	var joins []uint32
	most := planner.RuleID(0)
	for _, p := range r.parts() {
		nums = append(nums, p.num)
		most = max(most, p.num)
		if p.join != nil {
			joins = append(joins, p.join.num)
		}
	}
	e.mu.RUnlock()
	counts = make([]ruleCounts, most+1)
	e.exec.Call(func(x *exec.Executor) {
		s := x.Stats()
		for _, n := range nums {
			if int(n) < len(s.In) {
				counts[n] = countsOf(s, int(n))
			}
		}
		for _, j := range joins {
			if joined == nil {
				joined = map[string]uint64{}
			}
			maps.Copy(joined, x.JoinRows(j))
		}
	})
	return counts, joined
}

// RuleStatus returns everything that is known about the run of a rule.
func (e *Engine) RuleStatus(id string) ([]api.StatusField, error) {
	e.mu.RLock()
	r := e.mu.rules[id]
	e.mu.RUnlock()
	if r == nil {
		return nil, ruledef.ErrNotFound
	}
	counts, joined := e.partCounts(r)
	names := e.flowNames(r)
	e.mu.RLock()
	streams := e.streamsOfLocked(r)
	e.mu.RUnlock()
	rows := e.lostRows(streams)
	e.mu.RLock()
	defer e.mu.RUnlock()
	c := r.sum(counts)
	var f fields
	f.add("status", r.status())
	f.add("message", r.message)
	f.add("lastStartTimestamp", r.startMs)
	f.add("lastStopTimestamp", r.stopMs)
	f.add("nextStartTimestamp", r.nextStartLocked())
	for _, name := range r.streams {
		in, ok := joined[name]
		for _, p := range r.parts() {
			if !ok && slices.Contains(p.inputs, name) && int(p.num) < len(counts) {
				in, ok = counts[p.num].in, true
			}
		}
		s := e.mu.streams[name]
		var l loss.Counts
		if i := slices.Index(streams, s); i >= 0 {
			l = rows[i]
		}
		f.source(s, "source_"+names(name)+"_0_", in, l)
	}
	arrival := f.decoder(e, r, c.in)
	f.op("op_3_project_0_", c, arrival)
	for _, k := range r.outputs(counts) {
		f.sink(k, e)
	}
	lost := e.lostByLocked(r, c)
	f.lost("", &lost)
	return f.list, nil
}

// streamsOfLocked returns the streams that r reads and that are there.
func (e *Engine) streamsOfLocked(r *rule) (out []*stream) {
	e.mu.AssertRHeld()
	for _, name := range r.streams {
		if s := e.mu.streams[name]; s != nil {
			out = append(out, s)
		}
	}
	return out
}

// flowNames returns a function that calls the streams of a rule as its user knows
// them.
func (e *Engine) flowNames(r *rule) func(string) string {
	e.mu.RLock()
	inline := slices.ContainsFunc(r.streams, func(name string) bool { return e.mu.streams[name] == nil || e.mu.streams[name].inline })
	e.mu.RUnlock()
	if inline {
		if def, err := e.stored(r.id); err == nil {
			if flow, err := graph.Compile(def, fn.Set{}); err == nil {
				return flow.Named
			}
		}
	}
	return func(name string) string { return name }
}

// ruleOutput is a sink in the status of a rule. A node of a graph that several
// statements feed has a sink for each of them.
type ruleOutput struct {
	prefix string
	sinks  []sinkInfo
	in     uint64
}

// outputs lists the sinks of r by their names in its status.
func (r *rule) outputs(counts []ruleCounts) []*ruleOutput {
	var out []*ruleOutput
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			name := k.prefix()
			i := slices.IndexFunc(out, func(o *ruleOutput) bool { return k.node != "" && o.prefix == name })
			if i < 0 {
				i = len(out)
				out = append(out, &ruleOutput{prefix: name})
			}
			out[i].sinks = append(out[i].sinks, k)
			if int(p.num) < len(counts) {
				out[i].in += counts[p.num].matched
			}
		}
	}
	return out
}

// prefix returns what the names of a sink's counters begin with.
func (k *sinkInfo) prefix() string {
	if k.node != "" {
		return "sink_" + k.node + "_0_"
	}
	return fmt.Sprintf("sink_%s_%d_0_", k.typ, k.index)
}

type fields struct{ list []api.StatusField }

func (f *fields) add(key string, v any) { f.list = append(f.list, api.StatusField{Key: key, Value: v}) }

// lost adds what was lost, by reason: an object without those that are zero.
func (f *fields) lost(prefix string, c *loss.Counts) {
	named := c.Named()
	if named == nil {
		named = map[string]uint64{}
	}
	f.add(prefix+"lost", named)
}

// op adds the counters that every node of a rule has; arrival is when the last
// message came.
func (f *fields) op(prefix string, c ruleCounts, arrival int64) {
	f.add(prefix+"records_in_total", c.in)
	f.add(prefix+"records_out_total", c.matched)
	f.add(prefix+"messages_processed_total", c.in)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", 0)
	f.add(prefix+"last_invocation", arrival)
	f.add(prefix+"exceptions_total", c.faults)
	f.add(prefix+"last_exception", c.last)
	f.add(prefix+"last_exception_time", c.lastAt)
}

func (f *fields) connection(prefix string, c sinks.ConnStatus) {
	f.add(prefix+"connection_status", int(c.State))
	f.add(prefix+"connection_last_connected_time", c.LastConnectedMs)
	f.add(prefix+"connection_last_disconnected_time", c.LastDisconnectedMs)
	f.add(prefix+"connection_last_disconnected_message", c.LastDisconnected)
	f.add(prefix+"connection_last_try_time", c.LastTryMs)
}

// source adds a stream under names that begin with prefix: what it got, what did not
// decode and whether data can come at all.
func (f *fields) source(s *stream, prefix string, in uint64, lost loss.Counts) {
	var st ingest.Stats
	conn := sinks.ConnStatus{State: sinks.Disconnected, LastDisconnected: "stream does not run"}
	if s != nil && s.feed != nil {
		st = s.feed.StreamStats(s.num)
		conn = connStatus(s.source.status())
	} else if s != nil && s.err != "" {
		conn.LastDisconnected = s.err
	}
	f.add(prefix+"records_in_total", in)
	f.add(prefix+"records_out_total", in)
	f.add(prefix+"messages_processed_total", st.Messages)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", 0)
	f.add(prefix+"last_invocation", st.LastArrival)
	f.add(prefix+"exceptions_total", st.DecodeErrors+st.BadValues)
	f.add(prefix+"last_exception", lastBad(&st))
	f.add(prefix+"last_exception_time", st.LastErrorAt)
	f.connection(prefix, conn)
	f.add(prefix+"bytes_in_total", st.Bytes)
	f.add(prefix+"decode_errors_total", st.DecodeErrors)
	f.add(prefix+"conversion_errors_total", st.BadValues)
	if s != nil && s.feed != nil {
		f.add(prefix+"paused", s.feed.exec.Paused())
		lost = s.lostOfLocked(lost)
		f.lost(prefix, &lost)
		if t := s.feed.twins; t != nil && t.Notes != nil {
			f.add(prefix+"untyped_properties", t.Notes.Texts(func(route uint32) bool { return s.feed.Serves(route, s.num) }))
		}
	}
}

// decoder adds what the streams of r could not decode: there users of
// eKuiper look for it. It returns when the last message came.
func (f *fields) decoder(e *Engine, r *rule, in uint64) (arrival int64) {
	var bad uint64
	var last ingest.Stats
	for _, name := range r.streams {
		if s := e.mu.streams[name]; s != nil && s.feed != nil {
			st := s.feed.StreamStats(s.num)
			bad += st.DecodeErrors + st.BadValues
			arrival = max(arrival, st.LastArrival)
			if st.LastErrorAt >= last.LastErrorAt {
				last = st
			}
		}
	}
	f.op("op_2_decoder_0_", ruleCounts{in: in, matched: in, faults: bad, last: lastBad(&last), lastAt: last.LastErrorAt}, arrival)
	return arrival
}

// lastBad returns why the last message was bad, and its beginning.
func lastBad(st *ingest.Stats) string {
	if st.LastPayload == "" {
		return st.LastError
	}
	return st.LastError + ": " + st.LastPayload
}

// sink adds a sink: what it was given, what was delivered, what waits.
func (f *fields) sink(o *ruleOutput, e *Engine) {
	prefix := o.prefix
	st := o.sinks[0].queue.Stats() // nodes of a graph have one destination
	var out, failed uint64
	last, at := "", int64(0)
	for _, k := range o.sinks {
		out, failed = out+e.counters.Delivered(k.num), failed+e.counters.Failed(k.num)
		if fl, ok := e.counters.LastFailure(k.num); ok && fl.AtMs >= at {
			last, at = fl.Text, fl.AtMs
		}
	}
	if at == 0 && st.LastError != "" {
		last, at = st.LastError, st.LastErrorMs
	}
	if o.sinks[0].discards {
		out = o.in
	}
	f.add(prefix+"records_in_total", o.in)
	f.add(prefix+"records_out_total", out)
	f.add(prefix+"messages_processed_total", o.in)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", st.Messages)
	f.add(prefix+"last_invocation", st.LastDeliveredMs)
	f.add(prefix+"exceptions_total", failed)
	f.add(prefix+"last_exception", last)
	f.add(prefix+"last_exception_time", at)
	f.connection(prefix, st.Connection)
	f.add(prefix+"buffer_bytes", st.Bytes)
	f.add(prefix+"buffer_disk_bytes", st.DiskBytes)
	f.add(prefix+"buffer_disk_error", st.DiskError)
	f.add(prefix+"retries_total", st.Retries)
	f.add(prefix+"dropped_total", st.Lost[loss.Dropped])
	f.lost(prefix, &st.Lost)
}

// RuleHealth returns the state and the faults of all rules.
func (e *Engine) RuleHealth() []api.RuleHealth {
	counts := e.counts()
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]api.RuleHealth, 0, len(e.mu.rules))
	for _, r := range e.mu.rules {
		c := r.sum(counts)
		h := api.RuleHealth{ID: r.id, Status: r.status(), LastException: c.last, Exceptions: int64(c.faults + e.refusedLocked(r))}
		if r.failed {
			h.LastException = r.message
		}
		out = append(out, h)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}
