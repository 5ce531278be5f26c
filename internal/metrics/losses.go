package metrics

import (
	"bufio"
	"cmp"
	"slices"
	"strconv"

	"github.com/weir-engine/weir/internal/loss"
)

// writeLosses writes what rules, streams, connections and destinations lost. There
// is a series for each reason that is not zero.
func (m *Metrics) writeLosses(out *bufio.Writer, rules []RuleCounters) {
	name := "weir_rule_lost_total"
	head(out, name, "counter", "What a rule lost, by reason.")
	for i := range rules {
		if r := &rules[i]; r.Lost != nil {
			writeLost(out, name, "rule", r.ID, r.Lost)
		}
	}
	type owner struct {
		kind Owner
		name string
	}
	sums := map[owner]*loss.Counts{} // two connections can have one name
	m.source.EachLoss(func(o Owner, name string, lost loss.Counts) {
		k := owner{o, name}
		if sums[k] == nil {
			sums[k] = new(loss.Counts)
		}
		sums[k].Merge(&lost)
	})
	owners := make([]owner, 0, len(sums))
	for k := range sums {
		owners = append(owners, k)
	}
	slices.SortFunc(owners, func(a, b owner) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	for kind := range ownerCount {
		label := ownerNames[kind]
		name := "weir_" + label + "_lost_total"
		head(out, name, "counter", "What a "+label+" lost, by reason.")
		for _, o := range owners {
			if o.kind == kind {
				writeLost(out, name, label, o.name, sums[o])
			}
		}
	}
}

// writeLost writes the reasons of one owner.
func writeLost(out *bufio.Writer, name, label, value string, lost *loss.Counts) {
	var line []byte
	for _, r := range loss.All() {
		if lost[r] == 0 {
			continue
		}
		line = append(append(line[:0], name...), '{')
		line = appendLabel(append(append(line, label...), `="`...), value)
		line = append(append(append(line, `",reason="`...), r.String()...), `"} `...)
		line = append(strconv.AppendUint(line, lost[r], 10), '\n')
		out.Write(line)
	}
}
