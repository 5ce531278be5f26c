package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
)

// ruleList is the cached list of the rules to charge when a row of a join is lost.
type ruleList struct {
	of     *planner.Program
	all    []planner.RuleID // each once
	direct []planner.RuleID // those in no window
}

// rules returns the rules of the join.
func (j *joiner) rules() *ruleList {
	l, p := &j.charged, j.n.prog
	if l.of == p {
		return l
	}
	direct := directRules(p)
	all := slices.Clone(direct)
	for _, w := range p.Windows {
		for _, m := range w.Members {
			all = append(all, m.Rule)
		}
	}
	*l = ruleList{p, unique(all), direct}
	return l
}

func directRules(p *planner.Program) []planner.RuleID {
	var ids []planner.RuleID
	p.EachEntry(func(e planner.Entry, _ ...planner.StepID) { ids = append(ids, e.Rule) })
	return unique(ids)
}

func unique(ids []planner.RuleID) []planner.RuleID {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// fault counts a row that every rule of the join lost.
func (j *joiner) fault(text string) {
	for _, r := range j.rules().all {
		j.x.fault(r, text)
	}
}

// charge counts rows that the rules whose rows are joined lost, without telling them:
// those in window w, or those in none.
func (j *joiner) charge(w *window, rows uint64, text string) {
	if w == nil {
		for _, r := range j.rules().direct {
			j.x.charge(r, rows, text)
		}
		return
	}
	for _, m := range w.base.Members {
		j.x.charge(m.Rule, rows, text)
	}
}
