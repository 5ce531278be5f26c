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
	def, err := e.stored(id)
	if err != nil {
		def = nil // such as one that an older version took
	}
	e.mu.RLock()
	streams := e.streamsOfLocked(r)
	e.mu.RUnlock()
	rows := e.lostRows(streams)
	lost := func(s *stream) loss.Counts {
		if i := slices.Index(streams, s); i >= 0 {
			return rows[i]
		}
		return loss.Counts{}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	f := fields{seen: map[string]bool{}}
	f.add("status", r.status())
	f.add("message", r.message)
	f.add("lastStartTimestamp", r.startMs)
	f.add("lastStopTimestamp", r.stopMs)
	f.add("nextStartTimestamp", r.nextStartLocked(e.wall()))
	f.sourcesLocked(e, r, counts, joined, names, lost)
	c := r.sum(counts)
	p := e.planOrNoneLocked(def)
	all, arrival := f.operatorsLocked(e, r, p, c)
	f.op("op_"+anyDecoder+"_0_", all, arrival)
	f.op("op_"+anyProject+"_0_", c, arrival)
	for _, k := range r.outputs(counts) {
		f.sink(k, e)
	}
	sum := e.lostByLocked(r, c)
	f.lost("", &sum)
	f.clock(&e.clockSet)
	return f.list, nil
}

// sourcesLocked adds the streams of r; joined is how many rows they have given to its
// joins, lost what the executor lost of them.
func (f *fields) sourcesLocked(e *Engine, r *rule, counts []ruleCounts, joined map[string]uint64, names func(string) string, lost func(*stream) loss.Counts) {
	e.mu.AssertRHeld()
	for _, name := range r.streams {
		in, ok := joined[name]
		for _, p := range r.parts() {
			if !ok && slices.Contains(p.inputs, name) && int(p.num) < len(counts) {
				in, ok = counts[p.num].in, true
			}
		}
		s := e.mu.streams[name]
		key := names(name)
		if s != nil && !s.inline {
			key = e.sourceKeyLocked(s)
		}
		f.source(s, "source_"+key+"_0_", in, lost(s))
	}
}

// planOrNoneLocked is planLocked for a rule that may not be readable.
func (e *Engine) planOrNoneLocked(def *ruledef.Def) *plan {
	e.mu.AssertRHeld()
	if def != nil {
		if p, err := e.planLocked(def); err == nil {
			return p
		}
	}
	return new(plan)
}

// operatorsLocked adds the operators of r under the names of eKuiper's plan. Decoders
// have the figures of their streams, all others those of the rule. It returns those of a
// decoder of all streams, and when the last message came.
func (f *fields) operatorsLocked(e *Engine, r *rule, p *plan, c ruleCounts) (all ruleCounts, arrival int64) {
	e.mu.AssertRHeld()
	all, arrival = e.decodedLocked(r.streams, c.in)
	for _, src := range p.sources {
		own, at := all, arrival
		if len(r.streams) != 1 {
			own, at = e.decodedLocked([]string{src.stream}, c.in)
		}
		for _, op := range src.ops {
			if op == src.decoder {
				f.op("op_"+op+"_0_", own, at)
			} else {
				f.op("op_"+op+"_0_", c, at)
			}
		}
	}
	for _, op := range p.ops {
		f.op("op_"+op+"_0_", c, arrival)
	}
	return all, arrival
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

type fields struct {
	list []api.StatusField
	seen map[string]bool // operators and sources that are there; nil: each comes once
}

// first tells whether what the names begin with prefix is not there yet.
func (f *fields) first(prefix string) bool {
	if f.seen[prefix] {
		return false
	}
	if f.seen != nil {
		f.seen[prefix] = true
	}
	return true
}

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
	if !f.first(prefix) {
		return
	}
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
	if !f.first(prefix) {
		return
	}
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
	f.add(prefix+"last_exception", st.LastBad())
	f.add(prefix+"last_exception_time", st.LastErrorAt)
	f.connection(prefix, conn)
	f.add(prefix+"bytes_in_total", st.Bytes)
	f.add(prefix+"decode_errors_total", st.DecodeErrors)
	f.add(prefix+"conversion_errors_total", st.BadValues)
	if s != nil && s.feed != nil {
		f.add(prefix+"paused", s.feed.exec.Paused())
		lost = s.lostOfLocked(st.DecodeErrors, lost)
		f.lost(prefix, &lost)
		if t := s.feed.twins; t != nil && t.Notes != nil {
			f.add(prefix+"untyped_properties", t.Notes.Texts(func(route uint32) bool { return s.feed.Serves(route, s.num) }))
		}
	}
}

// decodedLocked returns what streams could not decode, as an operator of a rule that
// read so many rows, and when the last message came.
func (e *Engine) decodedLocked(streams []string, in uint64) (c ruleCounts, arrival int64) {
	e.mu.AssertRHeld()
	c = ruleCounts{in: in, matched: in}
	for _, name := range streams {
		s := e.mu.streams[name]
		if s == nil || s.feed == nil {
			continue
		}
		st := s.feed.StreamStats(s.num)
		c.faults += st.DecodeErrors + st.BadValues
		arrival = max(arrival, st.LastArrival)
		if st.LastErrorAt >= c.lastAt {
			c.last, c.lastAt = st.LastBad(), st.LastErrorAt
		}
	}
	return c, arrival
}

// sink adds a sink: what it was given, what was delivered, what waits. All of it is
// the rule's own, but for what has destination in its name.
func (f *fields) sink(o *ruleOutput, e *Engine) {
	prefix := o.prefix
	st := o.sinks[0].queue.Stats() // nodes of a graph have one destination
	var out, failed, retries uint64
	var waiting, delivered int64
	var lost loss.Counts
	var c ruleCounts
	for i := range o.sinks {
		k := &o.sinks[i]
		out, failed = out+e.counters.Delivered(k.num), failed+e.counters.Failed(k.num)
		o.in += e.counters.Told(k.num)
		retries += e.counters.Retries(k.num)
		waiting += e.counters.Waiting(k.num)
		delivered = max(delivered, e.counters.LastDelivered(k.num))
		own := e.counters.Lost(k.num)
		lost.Merge(&own)
		c.newer(e.sinkFault(k))
	}
	if o.sinks[0].discards {
		out = o.in
	}
	f.add(prefix+"records_in_total", o.in)
	f.add(prefix+"records_out_total", out)
	f.add(prefix+"messages_processed_total", o.in)
	f.add(prefix+"process_latency_us", 0)
	f.add(prefix+"buffer_length", waiting)
	f.add(prefix+"last_invocation", delivered)
	f.add(prefix+"exceptions_total", failed)
	f.add(prefix+"last_exception", c.last)
	f.add(prefix+"last_exception_time", c.lastAt)
	f.connection(prefix, st.Connection)
	f.add(prefix+"retries_total", retries)
	f.add(prefix+"dropped_total", lost[loss.Dropped])
	f.lost(prefix, &lost)
	f.add(prefix+"destination_messages", st.Messages)
	f.add(prefix+"destination_bytes", st.Bytes)
	f.add(prefix+"destination_disk_bytes", st.DiskBytes)
	f.add(prefix+"destination_disk_error", st.DiskError)
	f.lost(prefix+"destination_", &st.Lost)
	f.add(prefix+"destination_retries_total", st.Retries)
	f.add(prefix+"destination_last_invocation", st.LastDeliveredMs)
	f.add(prefix+"destination_last_exception", st.LastError)
	f.add(prefix+"destination_last_exception_time", st.LastErrorMs)
}

// RuleHealth returns the state and the faults of all rules: in their rows, in what
// their streams could not decode, and in what their sinks could not send.
func (e *Engine) RuleHealth() []api.RuleHealth {
	counts := e.counts()
	e.mu.RLock()
	defer e.mu.RUnlock()
	bad := e.badStreamsLocked()
	out := make([]api.RuleHealth, 0, len(e.mu.rules))
	for _, r := range e.mu.rules {
		c := r.sum(counts)
		c.faults += e.refusedLocked(r)
		for _, name := range r.streams {
			if st, ok := bad[name]; ok && r.running {
				c.faults += st.DecodeErrors + st.BadValues
				c.newer(st.LastBad(), st.LastErrorAt)
			}
		}
		for _, p := range r.parts() {
			for i := range p.sinks {
				c.newer(e.sinkFault(&p.sinks[i]))
			}
		}
		h := api.RuleHealth{ID: r.id, Status: r.status(), LastException: c.last, Exceptions: int64(c.faults)}
		if r.failed {
			h.LastException = r.message
		}
		out = append(out, h)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// newer makes text the last fault if it is the newest.
func (c *ruleCounts) newer(text string, atMs int64) {
	if text != "" && atMs >= c.lastAt {
		c.last, c.lastAt = text, atMs
	}
}

// badStreamsLocked returns what the streams received that got something bad, by name.
// Each feed is asked once, since thousands of streams may share it.
func (e *Engine) badStreamsLocked() map[string]ingest.Stats {
	e.mu.AssertRHeld()
	byFeed := map[*sharedFeed]map[uint32]ingest.Stats{}
	for _, f := range e.mu.feeds {
		if bad := f.BadStreams(); len(bad) > 0 {
			byFeed[f] = bad
		}
	}
	if len(byFeed) == 0 {
		return nil
	}
	out := map[string]ingest.Stats{}
	for name, s := range e.mu.streams {
		if st, ok := byFeed[s.feed][s.num]; ok {
			out[name] = st
		}
	}
	return out
}

// sinkFault returns why the last message of a sink could not be sent, and when; if
// there is none, why its destination does not take any.
func (e *Engine) sinkFault(k *sinkInfo) (text string, atMs int64) {
	if fl, ok := e.counters.LastFailure(k.num); ok {
		return fl.Text, fl.AtMs
	}
	if e.counters.Waiting(k.num) == 0 {
		return "", 0
	}
	st := k.queue.Stats()
	if c := &st.Connection; c.State == sinks.Disconnected { // it waits for that too, whoever tried
		return c.LastDisconnected, c.LastTryMs
	}
	return "", 0
}
