package engine

import (
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
)

// numbers gives out the small numbers by which the executor, the feeds and the
// queues find what is kept of rules, streams and sinks. A number is given again
// only when nobody can find anything by it any more: the executor has taken over
// the programs and actions without it, no row of its stream is left in a feed, no
// message of its sink in a queue. Until then what is freed is late.
type numbers struct {
	ofRule []*rule // by rule number, [0] unused
	ofSink []*rule // the rule of each sink in use, by the number of its counters
	most   uint32  // numbers of streams that were given

	rules   []planner.RuleID
	streams []freedStream
	sinks   []freedSink

	late struct {
		rules   []planner.RuleID
		streams []freedStream
		sinks   []freedSink
	}
}

// freedStream is the number of a stream that is no more, with the feed that it had
// last.
type freedStream struct {
	num  uint32
	feed *ingest.Feed
}

// freedSink is the number of a sink that is no more, with the queue of its messages.
type freedSink struct {
	num   uint32
	queue *sinks.Queue
}

// manyLate is how many freed numbers the executor is asked to let go of at once,
// not with the next batch.
const manyLate = 1024

// rule gives r a number.
func (n *numbers) rule(r *rule) {
	if k := len(n.rules); k > 0 {
		r.num = n.rules[k-1]
		n.rules = n.rules[:k-1]
		n.ofRule[r.num] = r
		return
	}
	r.num = planner.RuleID(len(n.ofRule))
	n.ofRule = append(n.ofRule, r)
}

// freeRule takes the number of r back.
func (n *numbers) freeRule(r *rule) {
	n.ofRule[r.num] = nil
	n.late.rules = append(n.late.rules, r.num)
}

// stream returns a number that no stream has.
func (n *numbers) stream() uint32 {
	if len(n.streams) > 0 {
		if f := n.streams[0]; f.feed == nil || f.feed.Idle() {
			n.streams = n.streams[1:]
			return f.num
		}
	}
	return n.newStream()
}

// newStream is stream without those that were given before.
func (n *numbers) newStream() uint32 {
	n.most++
	return n.most - 1
}

func (n *numbers) freeStream(num uint32, last *ingest.Feed) {
	n.late.streams = append(n.late.streams, freedStream{num, last})
}

// sink returns a number for the counters of a sink of r.
func (n *numbers) sink(r *rule) uint32 {
	for range min(len(n.sinks), 4) { // a queue that is never empty must not hold up the others
		f := n.sinks[0]
		n.sinks = n.sinks[1:]
		if left, _ := f.queue.Backlog(); left <= 0 {
			n.ofSink[f.num] = r
			return f.num
		}
		n.sinks = append(n.sinks, f)
	}
	n.ofSink = append(n.ofSink, r)
	return uint32(len(n.ofSink) - 1)
}

func (n *numbers) freeSink(num uint32, q *sinks.Queue) {
	n.ofSink[num] = nil
	n.late.sinks = append(n.late.sinks, freedSink{num, q})
}

// streamNumLocked returns a number for a stream.
func (e *Engine) streamNumLocked() uint32 {
	e.mu.AssertHeld()
	if e.exec.HasBad() { // they name streams by their numbers
		return e.mu.numbers.newStream()
	}
	return e.mu.numbers.stream()
}

// ruleName returns the id of the rule of a sink by the number of its counters.
func (e *Engine) ruleName(num uint32) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if of := e.mu.numbers.ofSink; int(num) < len(of) && of[num] != nil {
		return of[num].id
	}
	return "?"
}

// many tells whether so much was freed that the executor should let go of it soon.
func (n *numbers) many() bool {
	return len(n.late.rules)+len(n.late.streams)+len(n.late.sinks) >= manyLate
}

// settle makes what was freed free: the executor takes over what changed until now
// before it looks at anything else.
func (n *numbers) settle() {
	l := &n.late
	n.rules = append(n.rules, l.rules...)
	n.streams = append(n.streams, l.streams...)
	n.sinks = append(n.sinks, l.sinks...)
	l.rules, l.streams, l.sinks = l.rules[:0], l.streams[:0], l.sinks[:0]
}
