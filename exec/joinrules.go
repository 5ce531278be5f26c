package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
)

// ruleList is the rules of a join's program, found when they are to be told of
// something.
type ruleList struct {
	of     *planner.Program
	all    []planner.RuleID // each once
	direct []planner.RuleID // those in no window
}

// rules returns the rules of the join of n.
func (n *node) rules() *ruleList {
	l := &n.join.told
	if l.of == n.prog {
		return l
	}
	direct := directRules(n.prog)
	all := slices.Clone(direct)
	for _, w := range n.prog.Windows {
		for _, k := range w.Members {
			all = append(all, k.Rule)
		}
	}
	*l = ruleList{n.prog, unique(all), direct}
	return l
}

func directRules(p *planner.Program) []planner.RuleID {
	var ids []planner.RuleID
	add := func(lists ...[]planner.Entry) {
		for _, es := range lists {
			for _, e := range es {
				ids = append(ids, e.Rule)
			}
		}
	}
	if p.Always != nil {
		add(p.Always.Send, p.Always.Count)
	}
	for _, i := range p.Ranks {
		add(i.Entries)
	}
	for _, i := range p.Equals {
		add(i.TextEntries, i.NumEntries)
	}
	for _, i := range p.Conds {
		add(i.Send, i.Count)
	}
	for _, s := range p.Serials {
		ids = append(ids, s.Rule)
	}
	return unique(ids)
}

func unique(ids []planner.RuleID) []planner.RuleID {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// faultJoin counts a row that every rule of the join of n lost.
func (x *Executor) faultJoin(n *node, text string) {
	for _, r := range n.rules().all {
		x.fault(r, text)
	}
}

// chargeJoin counts rows that every rule of the join of n lost, without telling it.
func (x *Executor) chargeJoin(n *node, rows uint64, text string) {
	for _, r := range n.rules().all {
		x.charge(r, rows, text)
	}
}
