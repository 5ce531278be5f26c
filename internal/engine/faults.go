package engine

import "github.com/weir-engine/weir/planner"

// listeners lists the running rules of a stream that want to be told of faults.
func (e *Engine) listeners(stream uint32) []planner.RuleID {
	e.mu.RLock()
	defer e.mu.RUnlock()
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
