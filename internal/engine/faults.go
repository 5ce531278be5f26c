package engine

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

// badMessage is told by feeds of what did not decode.
func (e *Engine) badMessage(streams []uint32, reason string) {
	b := &e.bad
	if b.wanted.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) < maxBad {
		b.list = append(b.list, badMessage{streams, reason})
		b.some.Store(true)
		signal(e.nudge)
	}
}

// tellFaults sends the text of what did not decode to the sinks of the rules
// that asked for it. It runs on the executor goroutine.
func (e *Engine) tellFaults() {
	if !e.bad.some.Load() {
		return
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	e.bad.some.Store(false) // under the lock: see streamNum
	e.bad.mu.Lock()
	list := e.bad.list
	e.bad.list = nil
	e.bad.mu.Unlock()
	for _, m := range list {
		for _, s := range m.streams {
			for _, num := range e.faultRulesLocked(s) {
				e.out.Fault(num, m.reason)
			}
		}
	}
}

// faultRulesLocked lists the running rules of a stream that want to be told of
// faults.
func (e *Engine) faultRulesLocked(stream uint32) []planner.RuleID {
	var out []planner.RuleID
	for _, r := range e.mu.numbers.ofRule {
		if r == nil || !r.running || !r.wantsFaults {
			continue
		}
		for _, name := range r.inputs {
			if s := e.mu.streams[name]; s != nil && s.num == stream {
				out = append(out, r.num)
			}
		}
	}
	return out
}
