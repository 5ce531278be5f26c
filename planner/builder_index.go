package planner

import (
	"slices"
	"sort"
	"strings"
)

// enter puts e into the index for pivot.
func (b *Builder) enter(p *placed, pivot *atom, e Entry) {
	switch {
	case pivot == nil:
		p.kind = inAlways
		if b.prog.Always == nil {
			b.prog.Always = &EntryList{}
		}
		b.prog.Always = b.prog.Always.thawed()
		b.prog.Always.add(e, p.count)
		return
	case pivot.equality():
		for i, s := range pivot.texts {
			pivot.texts[i] = strings.Clone(s) // and not the rule's text with it
		}
		p.kind, p.key = inEqual, AtomNum
		if len(pivot.texts) > 0 {
			p.key = AtomText
		}
		switch {
		case pivot.op == OpIn || pivot.wide():
			p.in = &keys{pivot.nums, pivot.texts}
		case p.key == AtomText:
			p.text = pivot.texts[0]
		default:
			p.num = pivot.nums[0].f
		}
		p.step = b.intern(pivot.node)
		b.watch(p.rest, p.step, p.key)
		b.equal(p.step, b.guarded(p.rest)).add(e, pivot.nums, pivot.texts)
	case pivot.comparison():
		p.kind, p.num, p.op = inRank, pivot.nums[0].f, pivot.op
		p.count = p.count && p.rest < 0
		p.step = b.intern(pivot.node)
		b.watch(p.rest, p.step, AtomNum)
		b.rank(p.step, p.op, p.count, b.guarded(p.rest)).add(e, p.num)
	default:
		p.kind = inCond
		p.count = p.count && p.rest < 0
		p.step = b.intern(pivot.node)
		b.cond(p.step).EntryList.add(e, p.count)
	}
}

// addRest stores the conditions that an index leaves to check, the first of which
// stand before the index's own; -1 for none.
func (b *Builder) addRest(rest []*Node, early int) int32 {
	if len(rest) == 0 {
		return -1
	}
	atoms := make([]Atom, len(rest))
	for i, n := range rest {
		a := atomOf(n)
		if a.op == OpIn || a.wide() {
			a = atom{node: n, kind: AtomTrue}
		}
		atoms[i] = Atom{Step: b.intern(a.node), Kind: a.kind, Op: a.op, Early: i < early}
		if a.kind == AtomNum {
			atoms[i].Num = a.nums[0].f
		} else if a.kind == AtomText {
			atoms[i].Text = strings.Clone(a.texts[0])
		}
	}
	if n := len(b.freeRest); n > 0 {
		i := b.freeRest[n-1]
		b.freeRest = b.freeRest[:n-1]
		b.prog.Rests[i] = atoms
		return i
	}
	b.prog.Rests = append(b.prog.Rests, atoms)
	return int32(len(b.prog.Rests) - 1)
}

func (b *Builder) dropRest(i int32) {
	if i < 0 {
		return
	}
	for _, a := range b.prog.Rests[i] {
		b.release(a.Step)
	}
	b.prog.Rests[i] = nil
	b.freeRest = append(b.freeRest, i)
}

// rank returns the writable index of a comparison.
func (b *Builder) rank(step StepID, op Op, count, guarded bool) *RankIndex {
	for i, x := range b.prog.Ranks {
		if x.Step == step && x.Op == op && x.Count == count && x.Guarded == guarded {
			if x.frozen {
				x = x.clone()
				b.prog.Ranks[i] = x
			}
			return x
		}
	}
	x := &RankIndex{Step: step, Op: op, Count: count, Guarded: guarded, Start: []int32{0}}
	b.prog.Ranks = append(b.prog.Ranks, x)
	return x
}

// equal returns the writable index of equalities of step.
func (b *Builder) equal(step StepID, guarded bool) *EqualIndex {
	for i, x := range b.prog.Equals {
		if x.Step == step && x.Guarded == guarded {
			if x.frozen {
				x = x.clone()
				b.prog.Equals[i] = x
			}
			return x
		}
	}
	x := &EqualIndex{Step: step, Guarded: guarded, TextStart: []int32{0}, NumStart: []int32{0}}
	b.prog.Equals = append(b.prog.Equals, x)
	return x
}

// cond returns the writable list of the rules with one condition.
func (b *Builder) cond(step StepID) *CondIndex {
	i := sort.Search(len(b.prog.Conds), func(i int) bool { return b.prog.Conds[i].Step >= step })
	if i < len(b.prog.Conds) && b.prog.Conds[i].Step == step {
		x := b.prog.Conds[i]
		if x.frozen {
			x = &CondIndex{Step: step, EntryList: *x.EntryList.thawed()}
			b.prog.Conds[i] = x
		}
		return x
	}
	x := &CondIndex{Step: step}
	b.prog.Conds = slices.Insert(b.prog.Conds, i, x)
	return x
}
