package planner

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Names returns the output columns of the query in the order of its SELECT list.
func (q *Query) Names() []string {
	b := q.Root
	for b.Stage != nil {
		b = b.Stage.rest()
	}
	var out []string
	for _, f := range b.Fields {
		out = append(out, f.Name)
	}
	return out
}

// Explain describes a query as lines of {"op","info"}, the output first, each
// line below what it feeds. b is the builder of the rules that run on the same
// stream, or nil: the lines then say with how many rules each part is shared. If rule
// is one of them, it has q.
func Explain(q *Query, b *Builder, rule RuleID) string {
	var out strings.Builder
	line := 0
	add := func(op, format string, args ...any) {
		info, err := json.Marshal(fmt.Sprintf(format, args...))
		if err != nil {
			panic("bug: text that JSON cannot hold: " + err.Error())
		}
		fmt.Fprintf(&out, "%s{\"op\":\"%s_%d\",\"info\":%s}\n", strings.Repeat("\t", line), op, line, info)
		line++
	}
	explain(q.Root, b, rule, add)
	if q.Join != nil {
		shared := 0
		if b != nil {
			shared = b.Len() - 1
		}
		add("JoinPlan", "%s; shared with %d rules", q.Join.Text, max(shared, 0))
	}
	add("DataSourcePlan", "StreamName: %s", strings.Join(q.Streams, ", "))
	return out.String()
}

func explain(r *Bound, b *Builder, rule RuleID, add func(op, format string, args ...any)) {
	if r.Stage != nil {
		explainStage(r.Stage, b, rule, add)
		return
	}
	var list []string
	for _, f := range r.Fields {
		list = append(list, f.Node.Text+" AS "+quoteName(f.Name))
	}
	if r.Star != nil {
		list = append([]string{"*"}, list...)
	}
	add("ProjectPlan", "Fields:[ %s ]; shared with %d rules", strings.Join(list, ", "), b.sharing(projectionText(r)))
	if len(r.Where) == 0 {
		return
	}
	var conds []string
	for _, n := range r.Where {
		conds = append(conds, n.Text)
	}
	ac := plan(r.Where)
	add("FilterPlan", "Condition:{ %s }; %s", strings.Join(conds, " AND "), b.access(ac.pivot))
}

func explainStage(s BoundStage, b *Builder, rule RuleID, add func(op, format string, args ...any)) {
	var over *Builder
	text, shared := s.text(), 0
	if sb := b.running(rule, s); sb != nil {
		text, over, shared = sb.key, sb.out, max(sb.out.Len()-1, 0)
	}
	explain(s.rest(), over, rule, add)
	op, ring := "WatermarkPlan", ""
	if w, ok := s.(*BoundWindow); ok {
		op = "WindowPlan"
		if n := b.ringed(w.ring()); n > 1 {
			ring = fmt.Sprintf("; rows are gathered once for %d windows", n)
		}
	}
	add(op, "%s; shared with %d rules%s", text, shared, ring)
}

// running returns the stage that rule is in, if that is s, or one as s is; nil: there is
// none.
func (b *Builder) running(rule RuleID, s BoundStage) *stageBuilder {
	if b == nil {
		return nil
	}
	if p := b.rules[rule]; p != nil && p.kind == inStage && p.stage.fits(s) {
		return p.stage
	}
	return b.stages[s.text()]
}

// ringed tells how many windows are on a ring.
func (b *Builder) ringed(ring string) (n int) {
	if b == nil || ring == "" {
		return 0
	}
	for _, s := range b.stages {
		if s.win != nil && s.win.Ring == ring {
			n++
		}
	}
	return n
}

// sharing tells how many other rules have a projection.
func (b *Builder) sharing(text string) int {
	if b == nil {
		return 0
	}
	i, ok := b.projAt[text]
	if !ok {
		return 0
	}
	return max(int(b.projRefs[i])-1, 0)
}

// access describes the index that a condition is found by.
func (b *Builder) access(a *atom) string {
	if a == nil {
		return "every row"
	}
	if b == nil {
		return "not running"
	}
	id, ok := b.stepAt[a.node.Text]
	if !ok {
		return "not running"
	}
	switch {
	case a.equality():
		for _, x := range b.prog.Equals {
			if x.Step == id {
				return fmt.Sprintf("found by equality of %s: index of %d values, %d entries", a.node.Text, len(x.Texts)+len(x.Nums), len(x.TextEntries)+len(x.NumEntries))
			}
		}
	case a.comparison():
		rules, keys := 0, 0
		for _, x := range b.prog.Ranks {
			if x.Step == id && x.Op == a.op {
				rules, keys = rules+len(x.Entries), keys+len(x.Keys)
			}
		}
		return fmt.Sprintf("found by rank of %s %s: index of %d constants, %d rules", a.node.Text, a.op, keys, rules)
	}
	for _, x := range b.prog.Conds {
		if x.Step == id {
			return fmt.Sprintf("evaluated once for %d rules", len(x.Send)+len(x.Count))
		}
	}
	return "not running"
}
