package exec

import (
	"math"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
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
func (x *Executor) match(n *node, m *machine) {
	p := n.prog
	x.stats.Lookups += uint64(len(p.Ranks) + len(p.Equals) + len(p.Conds))
	if p.Always != nil {
		x.matchAlways(m, p.Always)
	}
	for i, r := range p.Ranks {
		x.matchRank(m, r, &n.ranks[i])
	}
	for i, e := range p.Equals {
		x.matchEqual(m, e, &n.equals[i])
	}
	for _, c := range p.Conds {
		x.matchCond(m, c)
	}
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
			x.pairs = append(x.pairs, pair{e, int32(row)})
		}
	}
	if len(x.pairs) > maxPairs && !m.together {
		x.deliver(m)
	}
}

// matchRank looks every row's value up in the sorted constants: the rules that
// it satisfies are a prefix. The work is that of the rows and of the rules that
// matched, however many there are.
func (x *Executor) matchRank(m *machine, r *planner.RankIndex, c *rankCount) {
	col := m.col(r.Step, nil)
	if f := col.Fault; f != nil && f.Any() {
		c.faults += uint64(f.Count())
		c.note = m.note
		x.tellRows(m, teller{index: r}, r.Entries, r.Step, f)
	}
	switch col.Kind {
	case vec.Null:
		return
	case vec.Float64:
		for i, w := range col.Valid {
			for ; w != 0; w &= w - 1 {
				row := i<<6 + trailing(w)
				if k := rank(r, col.Floats[row]); k > 0 {
					x.ranked(m, r, c, k, row)
				}
			}
		}
		return
	}
	for i, w := range col.Valid {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			k, ok := 0, false
			switch v := col.Value(row); v.Kind {
			case vec.Int64, vec.Timestamp:
				k, ok = rankInt(r, v.I), true
			case vec.Float64:
				k, ok = rank(r, v.F), true
			}
			if !ok {
				text := func() string {
					return scalar.OpError{Op: r.Op, A: col.Value(row), B: vec.FloatValue(r.Keys[0])}.Error()
				}
				x.tellRow(m, teller{index: r}, r.Entries, row, text)
				if c.faults++; c.faults == 1 || c.note == "" {
					c.note = text()
				}
			} else if k > 0 {
				x.ranked(m, r, c, k, row)
			}
		}
	}
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

// matchEqual finds the rules by the value that they want: texts once per
// distinct text of the batch, numbers by search.
func (x *Executor) matchEqual(m *machine, e *planner.EqualIndex, c *equalCount) {
	col := m.col(e.Step, nil)
	if f := col.Fault; f != nil && f.Any() {
		n := uint64(f.Count())
		c.textFaults, c.numFaults, c.note = c.textFaults+n, c.numFaults+n, m.note
		x.tellRows(m, teller{e, true}, e.TextEntries, e.Step, f)
		x.tellRows(m, teller{e, false}, e.NumEntries, e.Step, f)
	}
	switch col.Kind {
	case vec.Null:
		return
	case vec.String:
		x.matchTexts(m, e, c, col)
		return
	}
	for i, w := range col.Valid {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			v := col.Value(row)
			switch {
			case v.Kind == vec.String:
				if k := e.FindText(v.S); k >= 0 {
					x.choose(m, e.AtText(k), row)
				}
				x.wrongKind(m, e, c, false, row, v)
			case v.Kind.Numeric() || v.Kind == vec.Timestamp:
				f := v.F
				if v.Kind != vec.Float64 {
					var ok bool
					if f, ok = vec.ExactFloat(v.I); !ok {
						f = math.NaN()
					}
				}
				if k := e.FindNum(f); k >= 0 {
					x.choose(m, e.AtNum(k), row)
				}
				x.wrongKind(m, e, c, true, row, v)
			default:
				x.wrongKind(m, e, c, false, row, v)
				x.wrongKind(m, e, c, true, row, v)
			}
		}
	}
}

// wrongKind counts a value that the constants of e, texts or numbers, cannot be
// compared with.
func (x *Executor) wrongKind(m *machine, e *planner.EqualIndex, c *equalCount, texts bool, row int, v vec.Value) {
	es, n := e.NumEntries, &c.numFaults
	if texts {
		es, n = e.TextEntries, &c.textFaults
	}
	if len(es) == 0 {
		return
	}
	text := func() string {
		if texts {
			return scalar.OpError{Op: planner.OpEq, A: v, B: vec.StringValue(e.Texts[0])}.Error()
		}
		return scalar.OpError{Op: planner.OpEq, A: v, B: vec.FloatValue(e.Nums[0])}.Error()
	}
	x.tellRow(m, teller{e, texts}, es, row, text)
	if *n++; c.note == "" { // once, not for each of a thousand rows
		c.note = text()
	}
}

func (x *Executor) matchTexts(m *machine, e *planner.EqualIndex, c *equalCount, col *vec.Column) {
	if n := uint64(col.Valid.Count()); len(e.NumEntries) > 0 && n > 0 {
		c.numFaults += n
		c.note = "invalid operation string = number"
		if told := m.node.told(x, teller{e, false}, e.NumEntries); len(told) > 0 {
			col.Valid.Each(func(row int) {
				text := func() string {
					return scalar.OpError{Op: planner.OpEq, A: col.Value(row), B: vec.FloatValue(e.Nums[0])}.Error()
				}
				x.tellRow(m, teller{e, false}, e.NumEntries, row, text)
			})
		}
	}
	if len(e.TextEntries) == 0 {
		return
	}
	n := col.Dict.Len()
	at := resize(x.codes, n)
	x.codes = at
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
	if f := col.Fault; f != nil && f.Any() {
		n := uint64(f.Count())
		x.faultAll(c.Send, n, m.note)
		x.faultAll(c.Count, n, m.note)
		x.tellRows(m, teller{index: c}, c.Send, c.Step, f)
	}
	switch col.Kind {
	case vec.Bool:
	case vec.Null:
		return
	default: // a condition must be true or false
		for i, w := range col.Valid {
			for ; w != 0; w &= w - 1 {
				row := i<<6 + trailing(w)
				if v := col.Value(row); v.Kind != vec.Bool {
					note := "invalid condition " + fn.Show(v)
					x.faultAll(c.Send, 1, note)
					x.faultAll(c.Count, 1, note)
					x.tellRow(m, teller{index: c}, c.Send, row, func() string { return note })
				} else if v.Truth() {
					x.condHolds(m, c, row)
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

// holdsRest checks the conditions that the index of an entry left.
func (x *Executor) holdsRest(m *machine, e planner.Entry, row int) bool {
	atoms := m.prog.Rests[e.Rest]
	for i := range atoms {
		a := &atoms[i]
		col := m.col(a.Step, nil)
		if !col.Valid.Has(row) {
			if col.Fault.Has(row) {
				x.lose(e.Rule, row, m.whyHere(a.Step, e.Rule, row))
			}
			return false
		}
		ok, good := holdsAtom(a, col, row)
		if !good {
			x.lose(e.Rule, row, scalar.OpError{Op: a.Op, A: col.Value(row), B: atomConst(a)}.Error())
		}
		if !ok {
			return false
		}
	}
	return true
}

// holdsAtom decides a condition for a row that has a value; good is false if the
// value is of a kind that the condition cannot look at.
func holdsAtom(a *planner.Atom, col *vec.Column, row int) (ok, good bool) {
	switch {
	case a.Kind == planner.AtomNum && col.Kind == vec.Float64:
		return holds(cmpOps[a.Op], col.Floats[row], a.Num), true
	case a.Kind == planner.AtomText && col.Kind == vec.String:
		return col.Dict.View(col.Codes[row]) == a.Text, true
	case a.Kind == planner.AtomTrue && col.Kind == vec.Bool:
		return col.Bits.Has(row), true
	}
	v := col.Value(row)
	switch {
	case a.Kind == planner.AtomNum && (v.Kind == vec.Int64 || v.Kind == vec.Timestamp):
		return holdsInt(a.Op, v.I, a.Num), true
	case a.Kind == planner.AtomNum && v.Kind == vec.Float64:
		return holds(cmpOps[a.Op], v.F, a.Num), true
	case a.Kind == planner.AtomText && v.Kind == vec.String:
		return v.S == a.Text, true
	case a.Kind == planner.AtomTrue && v.Kind == vec.Bool:
		return v.I != 0, true
	}
	return false, false
}

// atomConst returns what an atom compares with, for the text of a fault.
func atomConst(a *planner.Atom) vec.Value {
	switch a.Kind {
	case planner.AtomNum:
		return vec.FloatValue(a.Num)
	case planner.AtomText:
		return vec.StringValue(a.Text)
	}
	return vec.NullValue
}
