package logictest

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// plan is what explain prints: conditions and windows by text, and for each rule
// the texts that it needs, in the order in which they are looked at.
type plan struct {
	names map[planner.RuleID]string
	uses  map[string]map[string]bool // condition -> names of rules
	wins  map[string]map[string]bool
	needs map[string][]need
}

// need is a condition of a rule, several of which one must hold, or a window.
type need struct {
	texts  []string
	window bool
}

func (s *session) explain() string {
	p := plan{names: s.out.names, uses: map[string]map[string]bool{}, wins: map[string]map[string]bool{}, needs: map[string][]need{}}
	for _, e := range s.engines {
		for _, b := range e.builders {
			p.program(b.Program(), nil)
		}
	}
	return p.print()
}

// program notes the rules of prog; above are the windows that it is over.
func (p *plan) program(prog *planner.Program, above []need) {
	enter := func(e planner.Entry, cond string) {
		name := p.names[e.Rule]
		if _, ok := p.needs[name]; !ok {
			p.needs[name] = slices.Clone(above)
			if cond != "" {
				p.needs[name] = append(p.needs[name], need{})
			}
			if e.Rest >= 0 {
				for _, a := range prog.Rests[e.Rest] {
					text := atomText(prog, a)
					p.use(p.uses, text, name)
					p.needs[name] = append(p.needs[name], need{texts: []string{text}})
				}
			}
		}
		if cond != "" {
			at := &p.needs[name][len(above)]
			at.texts = append(at.texts, cond)
			p.use(p.uses, cond, name)
		}
	}
	if prog.Always != nil {
		for _, e := range slices.Concat(prog.Always.Send, prog.Always.Count) {
			enter(e, "")
		}
	}
	for _, x := range prog.Ranks {
		for i, k := range x.Keys {
			for _, e := range x.At(i) {
				enter(e, fmt.Sprintf("%s %s %s", prog.Steps[x.Step].Text, x.Op, number(k)))
			}
		}
	}
	for _, x := range prog.Equals {
		for i, k := range x.Texts {
			for _, e := range x.AtText(i) {
				enter(e, fmt.Sprintf("%s = %q", prog.Steps[x.Step].Text, k))
			}
		}
		for i := range x.Nums {
			for _, e := range x.AtNum(i) {
				enter(e, fmt.Sprintf("%s = %s", prog.Steps[x.Step].Text, vec.NumberText(x.Num(i))))
			}
		}
	}
	for _, x := range prog.Conds {
		for _, e := range slices.Concat(x.Send, x.Count) {
			enter(e, prog.Steps[x.Step].Text)
		}
	}
	for _, w := range prog.Windows {
		p.stage(&w.Stage, above)
	}
	for _, o := range prog.Orders {
		p.stage(&o.Stage, above)
	}
}

// stage notes the rules over a stage. Those over feeds and tables are in the program
// of the join.
func (p *plan) stage(s *planner.Stage, above []need) {
	for _, m := range s.Members {
		p.use(p.wins, s.Text, p.names[m.Rule])
	}
	p.program(s.Out, append(slices.Clone(above), need{texts: []string{s.Text}, window: true}))
}

func (p *plan) use(m map[string]map[string]bool, text, name string) {
	if m[text] == nil {
		m[text] = map[string]bool{}
	}
	m[text][name] = true
}

func atomText(prog *planner.Program, a planner.Atom) string {
	text := prog.Steps[a.Step].Text
	switch a.Kind {
	case planner.AtomNum:
		return fmt.Sprintf("%s %s %s", text, a.Op, number(a.Num))
	case planner.AtomText:
		return fmt.Sprintf("%s %s %q", text, a.Op, a.Text)
	}
	return text
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// print numbers conditions and windows in order of their texts.
func (p *plan) print() string {
	var b strings.Builder
	list := func(prefix string, m map[string]map[string]bool) map[string]string {
		var texts []string
		for t := range m {
			texts = append(texts, t)
		}
		sort.Strings(texts)
		at := map[string]string{}
		for i, t := range texts {
			at[t] = strconv.Itoa(i)
			fmt.Fprintf(&b, "%s%d: %s (rules: %d)\n", prefix, i, t, len(m[t]))
		}
		return at
	}
	wins := list("w", p.wins)
	conds := list("p", p.uses)
	var names []string
	for n := range p.needs {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		var parts []string
		for _, x := range p.needs[n] {
			if x.window {
				parts = append(parts, "w"+wins[x.texts[0]])
				continue
			}
			var or []string
			sort.Strings(x.texts)
			for _, t := range slices.Compact(x.texts) {
				or = append(or, conds[t])
			}
			parts = append(parts, strings.Join(or, "|"))
		}
		if len(parts) == 0 {
			parts = []string{"every row"}
		}
		fmt.Fprintf(&b, "%s = %s\n", n, strings.Join(parts, " & "))
	}
	return b.String()
}
