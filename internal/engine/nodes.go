package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
)

// plans remembers the plans of running rules between two scrapes, since a plan is read
// from the text of its rule.
type plans struct {
	mu   sync.Mutex
	last map[*rule]rememberedPlan // not by id, which may be another rule's since
}

type rememberedPlan struct {
	run, epoch uint64
	plan       *plan
}

// EachNode calls f for every source, operator and sink of the rules by id, until it
// returns false. A node that is there twice is given once.
func (e *Engine) EachNode(f func(n metrics.Node) bool) {
	counts := e.counts()
	e.mu.RLock()
	ids := slices.Sorted(maps.Keys(e.mu.rules))
	e.mu.RUnlock()
	e.plans.mu.Lock()
	defer e.plans.mu.Unlock()
	next := map[*rule]rememberedPlan{}
	defer func() { e.plans.last = next }()
	for _, id := range ids {
		for _, n := range e.nodes(id, counts, next) {
			if !f(n) {
				return
			}
		}
	}
}

// nodes returns the nodes of a rule. plans.mu is held, so that next can be filled.
func (e *Engine) nodes(id string, counts []ruleCounts, next map[*rule]rememberedPlan) []metrics.Node {
	e.mu.RLock()
	r := e.mu.rules[id]
	var known rememberedPlan
	if r != nil && r.running {
		known = e.plans.last[r]
		if known.run != r.run || known.epoch != e.mu.epoch {
			known = rememberedPlan{run: r.run, epoch: e.mu.epoch}
		}
	}
	e.mu.RUnlock()
	if r == nil {
		return nil
	}
	names := e.flowNames(r)
	if known.plan == nil {
		def, err := e.stored(id)
		if err != nil {
			def = nil // such as one that was deleted meanwhile
		}
		e.mu.RLock()
		known.plan = e.planOrNoneLocked(def)
		e.mu.RUnlock()
	}
	if known.run != 0 {
		next[r] = known
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	list := fields{seen: map[string]bool{}}
	list.sourcesLocked(e, r, counts, nil, names, func(*stream) loss.Counts { return loss.Counts{} })
	list.operatorsLocked(e, r, known.plan, r.sum(counts))
	for _, k := range r.outputs(counts) {
		list.sink(k, e)
	}
	return list.nodes(id)
}

// nodes reads the figures of nodes out of the status of a rule: its keys are a kind, a
// name, an instance and a figure.
func (f *fields) nodes(rule string) []metrics.Node {
	var out []metrics.Node
	at := map[string]int{}
	for _, x := range f.list {
		for i, figure := range metrics.NodeFigures {
			node, ok := strings.CutSuffix(x.Key, "_0_"+figure.Name)
			if !ok {
				continue
			}
			k, known := at[node]
			if !known {
				kind, name, _ := strings.Cut(node, "_")
				k = len(out)
				at[node] = k
				out = append(out, metrics.Node{Rule: rule, Kind: kind, Op: name})
			}
			out[k].Values[i] = number(x.Value)
		}
	}
	return out
}

// number is a figure of a status.
func number(v any) int64 {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(n)
	}
	return 0
}
