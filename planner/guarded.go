package planner

import (
	"cmp"
	"slices"

	"github.com/weir-engine/weir/vec"
)

// A rule whose index takes a condition that does not stand first in the text is
// guarded: rows of which an earlier condition disposes have no fault of the index's
// condition, and rows of which the index's disposes may have one of an earlier. Such
// rules have indexes of their own. Which of their rows were lost is found apart from
// the rows that match, and only in batches that a Watch says may have faults: a batch
// without any costs a look at a few columns, however many rules there are.

// Watch says that conditions cannot fail as long as the values of a step are as they
// should be.
type Watch struct {
	Step StepID
	Want Want
}

// Want is what values have to be.
type Want uint8

// What values may have to be, beside null and missing.
const (
	WantAny Want = iota // they are no faults
	WantNum
	WantText
	WantBool
)

// wantOf returns what an atom wants of its step.
func wantOf(k AtomKind) Want {
	switch k {
	case AtomNum:
		return WantNum
	case AtomText:
		return WantText
	}
	return WantBool
}

// Guarded calls f for each guarded rule: with its conditions, of which the early ones
// stand first, and with what its index compares step with. A rule may come several
// times for one step.
func (p *Program) Guarded(f func(e Entry, pivot Atom)) {
	for _, x := range p.Ranks {
		for i := 0; x.Guarded && i < len(x.Keys); i++ {
			for _, e := range x.At(i) {
				f(e, Atom{Step: x.Step, Kind: AtomNum, Op: x.Op, Num: x.Keys[i]})
			}
		}
	}
	for _, x := range p.Equals {
		for i := 0; x.Guarded && i < len(x.Texts); i++ {
			for _, e := range x.AtText(i) {
				f(e, Atom{Step: x.Step, Kind: AtomText, Op: OpEq, Text: x.Texts[i]})
			}
		}
		for i := 0; x.Guarded && i < len(x.Nums); i++ {
			for _, e := range x.AtNum(i) {
				f(e, Atom{Step: x.Step, Kind: AtomNum, Op: OpEq, Num: x.Nums[i]})
			}
		}
	}
}

// guarded tells whether a rest has conditions from before the index's own.
func (b *Builder) guarded(rest int32) bool { return rest >= 0 && b.prog.Rests[rest][0].Early }

// watch enters what the faults of a rule come from, if it is guarded; its index wants
// step to be of kind.
func (b *Builder) watch(rest int32, step StepID, kind AtomKind) {
	b.eachWatch(rest, step, kind, func(w Watch) {
		if b.watches == nil {
			b.watches = map[Watch]int{}
		}
		b.watches[w]++
	})
}

// unwatch takes back what watch entered.
func (b *Builder) unwatch(rest int32, step StepID, kind AtomKind) {
	b.eachWatch(rest, step, kind, func(w Watch) {
		if b.watches[w]--; b.watches[w] == 0 {
			delete(b.watches, w)
		}
	})
}

func (b *Builder) eachWatch(rest int32, step StepID, kind AtomKind, f func(Watch)) {
	if !b.guarded(rest) {
		return
	}
	b.sources(step, wantOf(kind), f)
	for _, a := range b.prog.Rests[rest] {
		if a.Early {
			b.sources(a.Step, wantOf(a.Kind), f)
		}
	}
}

// watchList returns the watches in order.
func (b *Builder) watchList() []Watch {
	out := make([]Watch, 0, len(b.watches))
	for w := range b.watches {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Watch) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Want, b.Want))
	})
	return out
}

// sources calls f for what decides whether step id is as wanted: the columns that it
// is made of, where its operations cannot fail for values of the right kind, so that
// steps of thousands of rules come down to a few columns; else the step itself.
func (b *Builder) sources(id StepID, want Want, f func(Watch)) {
	s := &b.prog.Steps[id]
	below, ok := s.wants(want)
	if !ok {
		f(Watch{id, want})
		return
	}
	for _, a := range s.In {
		if b.prog.Steps[a].Op != OpConst {
			b.sources(a, below, f)
		}
	}
}

// wants returns what all operands of n, but for the constants, have to be for n to be
// as wanted; not ok: that is not enough.
func (n *Node) wants(want Want) (below Want, ok bool) {
	switch {
	case n.Op == OpAdd || n.Op == OpSub || n.Op == OpMul:
		return WantNum, (want == WantNum || want == WantAny) && n.consts(isNumber) >= 0
	case want == WantNum || want == WantText:
		return 0, false
	case n.Op == OpIsNull:
		return WantAny, true
	case n.Op == OpAnd || n.Op == OpOr || n.Op == OpNot:
		return WantBool, n.consts(func(v vec.Value) bool { return v.Kind == vec.Bool }) >= 0
	case (n.Op.Comparison() || n.Op == OpIn) && n.consts(isNumber) > 0:
		return WantNum, true
	case n.Op.Comparison() || n.Op == OpIn || n.Op == OpLike:
		return WantText, n.consts(func(v vec.Value) bool { return v.Kind == vec.String }) > 0
	}
	return 0, false
}

func isNumber(v vec.Value) bool { return v.Kind.Numeric() }

// consts counts the constants among the operands of n, -1: one is not of a kind.
func (n *Node) consts(kind func(vec.Value) bool) int {
	count := 0
	for _, a := range n.Args {
		switch {
		case a.Op != OpConst:
		case !kind(a.Value):
			return -1
		default:
			count++
		}
	}
	return count
}
