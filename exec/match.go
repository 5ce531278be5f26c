package exec

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// pair says that a rule selected a row.
type pair struct {
	planner.Entry
	row int32
}

// maxPairs bounds the pairs that wait for delivery where each is a message of its
// own: 8,000 rules over a full batch could select eight million. It also bounds
// what is kept of the memory for those of a window, which go out together.
const maxPairs = 1 << 16

// match finds, for every rule of n, the rows that it selects. Rows of rules that
// send are noted as pairs; of the others only the number.
func (x *Executor) match(n *live, m *machine) {
	p := n.prog
	x.stats.Lookups += uint64(len(p.Ranks) + len(p.Equals) + len(p.Conds))
	for part := 0; part >= 0; {
		part = x.matchFrom(n, m, part)
	}
}

// matchFrom is match from a part of the program on: the rules without a condition,
// then one index after the other. It returns the next part to do, -1 at the end.
func (x *Executor) matchFrom(n *live, m *machine, part int) (next int) {
	p := n.prog
	ranks, equals := 1, 1+len(p.Ranks)
	conds := equals + len(p.Equals)
	defer func() {
		if r := recover(); r != nil {
			x.putAside(p.RulesOfPart(part), r)
			next = part + 1
		}
	}()
	for ; part <= conds+len(p.Conds); part++ {
		switch {
		case part == conds+len(p.Conds):
			x.loseGuarded(m)
		case part >= conds:
			x.matchCond(m, p.Conds[part-conds])
		case part >= equals:
			x.matchEqual(m, p.Equals[part-equals], &n.equals[part-equals])
		case part >= ranks:
			x.matchRank(m, p.Ranks[part-ranks], &n.ranks[part-ranks])
		case p.Always != nil:
			x.matchAlways(m, p.Always)
		}
	}
	return -1
}

func (x *Executor) matchAlways(m *machine, l *planner.EntryList) {
	for _, e := range l.Count {
		x.stats.Matched[e.Rule] += uint64(m.rows)
	}
	for row := range m.rows {
		x.choose(m, l.Send, row)
	}
}

// choose notes that the rules of es select row, if the rest of their
// conditions holds.
func (x *Executor) choose(m *machine, es []planner.Entry, row int) {
	for _, e := range es {
		if e.Rest < 0 || x.holdsRest(m, e, row) {
			x.sending.pairs = append(x.sending.pairs, pair{e, int32(row)})
		}
	}
	if len(x.sending.pairs) > maxPairs && !m.oneMessage {
		x.deliver(m)
	}
}

// matchRank looks every row's value up in the sorted constants: the rules that
// it satisfies are a prefix. The work is that of the rows and of the rules that
// matched, however many there are.
func (x *Executor) matchRank(m *machine, r *planner.RankIndex, c *rankCount) {
	col := m.col(r.Step, nil)
	last := -1 // of the rows that are lost
	if f := col.Fault; f != nil && f.Any() && !r.Guarded {
		c.faults += uint64(f.Count())
		last = lastOf(f)
		x.tellRows(m, indexRules{index: r}, r.Step, f)
	}
	switch col.Kind {
	case vec.Null:
	case vec.Float64:
		for i, w := range col.Valid {
			for ; w != 0; w &= w - 1 {
				row := i<<6 + trailing(w)
				if k := rank(r, col.Floats[row]); k > 0 {
					x.ranked(m, r, c, k, row)
				}
			}
		}
	default:
		last = max(last, x.rankValues(m, r, c, col))
	}
	if last >= 0 {
		c.last = m.blame(r.Step, last)
	}
}

// rankValues is matchRank for a column that is not of floats. It returns the last
// row whose value is no number, -1 if there is none.
func (x *Executor) rankValues(m *machine, r *planner.RankIndex, c *rankCount, col *vec.Column) (last int) {
	last = -1
	for i, w := range col.Valid {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			k := 0
			switch v := col.Value(row); v.Kind {
			case vec.Int64, vec.Timestamp:
				k = rankInt(r, v.I)
			case vec.Float64:
				if v.I != 0 {
					k = rankInt(r, v.I)
				} else {
					k = rank(r, v.F)
				}
			default:
				if !r.Guarded {
					x.tellMisfit(m, indexRules{index: r}, r.Op, row, v)
					c.faults++
					last = row
				}
			}
			if k > 0 {
				x.ranked(m, r, c, k, row)
			}
		}
	}
	return last
}

func (x *Executor) ranked(m *machine, r *planner.RankIndex, c *rankCount, k, row int) {
	if r.Count {
		c.hits[k]++
		return
	}
	x.choose(m, r.Entries[:r.Start[k]], row)
}

// rank returns how many of r's constants v satisfies.
func rank(r *planner.RankIndex, v float64) int {
	keys := r.Keys
	lo, n := 0, len(keys)
	switch r.Op {
	case planner.OpGt:
		for n > 0 {
			h := n >> 1
			if keys[lo+h] < v {
				lo += h + 1
				n -= h + 1
			} else {
				n = h
			}
		}
	case planner.OpGe:
		for n > 0 {
			h := n >> 1
			if keys[lo+h] <= v {
				lo += h + 1
				n -= h + 1
			} else {
				n = h
			}
		}
	case planner.OpLt:
		for n > 0 {
			h := n >> 1
			if keys[lo+h] > v {
				lo += h + 1
				n -= h + 1
			} else {
				n = h
			}
		}
	case planner.OpLe:
		for n > 0 {
			h := n >> 1
			if keys[lo+h] >= v {
				lo += h + 1
				n -= h + 1
			} else {
				n = h
			}
		}
	}
	return lo
}

// rankInt is rank for a whole number, exact beyond 2^53.
func rankInt(r *planner.RankIndex, v int64) int {
	if v > -1<<53 && v < 1<<53 {
		return rank(r, float64(v))
	}
	k := 0
	for k < len(r.Keys) && holdsInt(r.Op, v, r.Keys[k]) {
		k++
	}
	return k
}

func holdsInt(op planner.Op, v int64, c float64) bool {
	d := vec.CompareIntFloat(v, c)
	switch op {
	case planner.OpGt:
		return d > 0
	case planner.OpGe:
		return d >= 0
	case planner.OpLt:
		return d < 0
	case planner.OpLe:
		return d <= 0
	case planner.OpEq:
		return d == 0
	}
	return d != 0
}

// lastRows are the last rows that the rules of an EqualIndex lost, those that
// compare with texts and those that compare with numbers; -1: none.
type lastRows struct{ text, num int }

// matchEqual finds the rules by the value that they want: texts once per
// distinct text of the batch, numbers by search.
func (x *Executor) matchEqual(m *machine, e *planner.EqualIndex, c *equalCount) {
	col := m.col(e.Step, nil)
	last := lastRows{-1, -1}
	if f := col.Fault; f != nil && f.Any() && !e.Guarded {
		n := uint64(f.Count())
		c.textFaults, c.numFaults = c.textFaults+n, c.numFaults+n
		last = lastRows{lastOf(f), lastOf(f)}
		x.tellRows(m, indexRules{e, true}, e.Step, f)
		x.tellRows(m, indexRules{e, false}, e.Step, f)
	}
	switch col.Kind {
	case vec.Null:
	case vec.String:
		x.matchTexts(m, e, c, col, &last)
	default:
		x.equalValues(m, e, c, col, &last)
	}
	if last.text >= 0 && len(e.Texts) > 0 {
		c.lastText = m.blame(e.Step, last.text)
	}
	if last.num >= 0 && len(e.Nums) > 0 {
		c.lastNum = m.blame(e.Step, last.num)
	}
}

// equalValues is matchEqual for a column that is not of texts.
func (x *Executor) equalValues(m *machine, e *planner.EqualIndex, c *equalCount, col *vec.Column, last *lastRows) {
	for i, w := range col.Valid {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			v := col.Value(row)
			number := v.Kind.Numeric() || v.Kind == vec.Timestamp
			switch {
			case v.Kind == vec.String:
				if k := e.FindText(v.S); k >= 0 {
					x.choose(m, e.AtText(k), row)
				}
			case number:
				if k := e.FindNum(nearest(v)); k >= 0 {
					x.choose(m, e.AtNum(k), row)
				}
			}
			if e.Guarded {
				continue
			}
			if v.Kind != vec.String && len(e.Texts) > 0 {
				c.textFaults++
				last.text = max(last.text, row)
				x.tellMisfit(m, indexRules{e, true}, planner.OpEq, row, v)
			}
			if !number && len(e.Nums) > 0 {
				c.numFaults++
				last.num = max(last.num, row)
				x.tellMisfit(m, indexRules{e, false}, planner.OpEq, row, v)
			}
		}
	}
}

// nearest returns the float64 nearest to a number and, where that is another, the whole
// number that it is.
func nearest(v vec.Value) (f float64, wide int64) {
	if v.Kind == vec.Float64 {
		return v.F, v.I
	}
	if f, ok := vec.ExactFloat(v.I); ok {
		return f, 0
	}
	return float64(v.I), v.I
}

func (x *Executor) matchTexts(m *machine, e *planner.EqualIndex, c *equalCount, col *vec.Column, last *lastRows) {
	if n := uint64(col.Valid.Count()); len(e.NumEntries) > 0 && n > 0 && !e.Guarded {
		c.numFaults += n
		last.num = max(last.num, lastOf(col.Valid))
		if to := m.live.faultRules(x, indexRules{e, false}); len(to) > 0 {
			col.Valid.Each(func(row int) { x.tellMisfit(m, indexRules{e, false}, planner.OpEq, row, col.Value(row)) })
		}
	}
	if len(e.TextEntries) == 0 {
		return
	}
	n := col.Dict.Len()
	at := resize(x.sending.codes, n)
	x.sending.codes = at
	for code := range n {
		at[code] = int32(e.FindText(col.Dict.View(uint32(code))))
	}
	for i, w := range col.Valid {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			if k := at[col.Codes[row]]; k >= 0 {
				x.choose(m, e.AtText(int(k)), row)
			}
		}
	}
}

func (x *Executor) matchCond(m *machine, c *planner.CondIndex) {
	col := m.col(c.Step, nil)
	why := because{step: c.Step}
	if f := col.Fault; f != nil && f.Any() {
		n, last := uint64(f.Count()), lastOf(f)
		x.loseAll(c.Send, n, last, why)
		x.loseAll(c.Count, n, last, why)
		x.tellRows(m, indexRules{index: c}, c.Step, f)
	}
	switch col.Kind {
	case vec.Bool:
	case vec.Null:
		return
	default: // a condition must be true or false
		for i, w := range col.Valid {
			for ; w != 0; w &= w - 1 {
				row := i<<6 + trailing(w)
				if v := col.Value(row); v.Truth() {
					x.condHolds(m, c, row)
				} else if v.Kind != vec.Bool {
					x.loseAll(c.Send, 1, row, why)
					x.loseAll(c.Count, 1, row, why)
					if to := m.live.faultRules(x, indexRules{index: c}); len(to) > 0 {
						x.tell(to, row, notCondition(v))
					}
				}
			}
		}
		return
	}
	for i, w := range col.Valid {
		for w &= col.Bits[i]; w != 0; w &= w - 1 {
			x.condHolds(m, c, i<<6+trailing(w))
		}
	}
}

func (x *Executor) condHolds(m *machine, c *planner.CondIndex, row int) {
	for _, e := range c.Count {
		x.stats.Matched[e.Rule]++
	}
	x.choose(m, c.Send, row)
}
