package run

import (
	"sync"
	"sync/atomic"

	"github.com/weir-engine/weir/planner"
)

// badMessages are messages that did not decode and that rules with sendError
// want to be told of, in the order in which they came.
type badMessages struct {
	wanted atomic.Int64 // rules with sendError
	some   atomic.Bool
	mu     sync.Mutex
	list   []badMessage
}

type badMessage struct {
	streams []uint32
	reason  string
}

// maxBad bounds what waits for the executor: a source that sends nothing but
// rubbish must not fill the memory. What is beyond it is counted like any other.
const maxBad = 1024

// WantBad counts rules that want to be told of messages that did not decode.
func (r *Runner) WantBad(n int64) { r.bad.wanted.Add(n) }

// Bad is told by feeds of what did not decode.
func (r *Runner) Bad(streams []uint32, reason string) {
	b := &r.bad
	if b.wanted.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) < maxBad {
		b.list = append(b.list, badMessage{streams, reason})
		b.some.Store(true)
		signal(r.nudge)
	}
}

// HasBad tells whether there are messages that rules were not told of yet. They name
// streams by their numbers.
func (r *Runner) HasBad() bool { return r.bad.some.Load() }

// tellFaults sends the text of what did not decode to the sinks of the rules
// that asked for it.
func (r *Runner) tellFaults() {
	if !r.bad.some.Load() {
		return
	}
	r.bad.mu.Lock()
	list := r.bad.list
	r.bad.list = nil
	r.bad.mu.Unlock()
	rules := map[uint32][]planner.RuleID{} // to ask for them takes a look at every rule
	for _, m := range list {
		for _, s := range m.streams {
			of, asked := rules[s]
			if !asked {
				of = r.o.Listeners(s)
				rules[s] = of
			}
			for _, rule := range of {
				r.out.Fault(rule, m.reason)
			}
		}
	}
	r.bad.mu.Lock()
	defer r.bad.mu.Unlock()
	r.bad.some.Store(len(r.bad.list) > 0) // not before: see HasBad
}
