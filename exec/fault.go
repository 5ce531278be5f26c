package exec

import (
	"math"
	"slices"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// A fault is a bit of the column of the step that failed, and costs no more: what
// went wrong is found by computing the step again, for those who ask. A rule that
// sends its faults asks for the text of each of its rows. Of the others only the
// text of the last row that a rule lost is kept, so it is owed until the batch has
// been run. No text is handed on from one step, row or rule to the next.

// faultKind is the kind of what stands for a fault among values that are kept; S may
// say why it is one.
const faultKind vec.Kind = math.MaxUint8

// wrong is a value that does not have the declared type, in a row that waits to be
// joined. Rules that read it lose what the row is joined to, the others do not see it.
var wrong = vec.Value{Kind: faultKind}

// set makes v the value of a row of a column.
func set(c *vec.Column, row int, v vec.Value) {
	if v.Kind == faultKind {
		c.SetFault(row)
		return
	}
	c.Set(row, v)
}

// lostRow is a row that a condition of a rule lost by a fault, for a rule that
// wants to be told. It waits until the rows before it were sent.
type lostRow struct {
	rule planner.RuleID
	row  int32
	text string
}

// indexRules names the rules of an index, or those of a stage.
type indexRules struct {
	index any  // *planner.RankIndex, *planner.EqualIndex, *planner.CondIndex or *planner.Stage
	texts bool // of an EqualIndex: those that compare with texts
}

// listener is a rule that wants to be told of the faults of its index, and the
// constant that it compares with there.
type listener struct {
	rule  planner.RuleID
	konst vec.Value
}

// wants tells whether rule asked for its faults.
func (x *Executor) wants(rule planner.RuleID) bool {
	return x.env.Faults != nil && x.env.Faults(rule)
}

// faultRules returns the rules of t that want to be told of faults. They are looked for
// at the first fault under a program, not at each: there may be thousands.
func (n *live) faultRules(x *Executor, t indexRules) []listener {
	if x.env.Faults == nil {
		return nil
	}
	out, known := n.listeners[t]
	if !known {
		t.each(func(es []planner.Entry, konst vec.Value) {
			for _, e := range es {
				if x.env.Faults(e.Rule) && !slices.ContainsFunc(out, func(o listener) bool { return o.rule == e.Rule }) {
					out = append(out, listener{e.Rule, konst})
				}
			}
		})
		if n.listeners == nil {
			n.listeners = map[indexRules][]listener{}
		}
		n.listeners[t] = out
	}
	return out
}

// each calls f for the rules of t by the constant that they compare with.
func (t indexRules) each(f func(es []planner.Entry, konst vec.Value)) {
	switch i := t.index.(type) {
	case *planner.RankIndex:
		for k, key := range i.Keys {
			f(i.At(k), planner.ConstOf(key))
		}
	case *planner.EqualIndex:
		if !t.texts {
			for k := range i.Nums {
				f(i.AtNum(k), i.Num(k))
			}
			return
		}
		for k, text := range i.Texts {
			f(i.AtText(k), vec.StringValue(text))
		}
	case *planner.CondIndex:
		f(i.Send, vec.Value{})
	case *planner.Stage:
		f(entries(i.Members), vec.Value{})
	}
}

// tellRows notes for the rules of t that want to know that rows failed in s.
func (x *Executor) tellRows(m *machine, t indexRules, s planner.StepID, rows vec.Bitmap) {
	if to := m.live.faultRules(x, t); len(to) > 0 {
		rows.Each(func(row int) { x.tell(to, row, m.why(s, row)) })
	}
}

func (x *Executor) tell(to []listener, row int, text string) {
	for _, l := range to {
		x.sending.losses = append(x.sending.losses, lostRow{l.rule, int32(row), text})
	}
}

// tellMisfit notes for the rules of t that want to know that the value of a row
// cannot be compared with their constants.
func (x *Executor) tellMisfit(m *machine, t indexRules, op planner.Op, row int, v vec.Value) {
	for _, l := range m.live.faultRules(x, t) {
		x.sending.losses = append(x.sending.losses, lostRow{l.rule, int32(row), misfit(op, v, l.konst)})
	}
}

// tellBefore tells the rules of what they lost before row.
func (x *Executor) tellBefore(row int32) {
	i := 0
	for ; i < len(x.sending.losses) && x.sending.losses[i].row < row; i++ {
		x.out.Fault(x.sending.losses[i].rule, x.sending.losses[i].text)
	}
	x.sending.losses = slices.Delete(x.sending.losses, 0, i)
}

// tellAll tells the rules of all that they lost.
func (x *Executor) tellAll() {
	for _, l := range x.sending.losses {
		x.out.Fault(l.rule, l.text)
	}
	clear(x.sending.losses)
	x.sending.losses = x.sending.losses[:0]
}

// inOrder puts what is to be sent and what is to be told in order of rows.
func (x *Executor) inOrder() {
	slices.SortStableFunc(x.sending.losses, func(a, b lostRow) int { return int(a.row) - int(b.row) })
	slices.SortStableFunc(x.sending.pairs, func(a, b pair) int { return int(a.row) - int(b.row) })
}

// because is what a row was lost by.
type because struct {
	step planner.StepID
	atom *planner.Atom // that cannot look at the step's value; nil: the step failed, or is no condition
}

// lose counts a row that one rule lost, and notes it if the rule wants to know.
func (x *Executor) lose(m *machine, rule planner.RuleID, row int, why because) {
	x.count(rule, 1)
	x.sending.debts.owe(rule, row, why)
	if x.wants(rule) {
		x.sending.losses = append(x.sending.losses, lostRow{rule, int32(row), m.text(why, row)})
	}
}

// loseNow is lose for a row whose turn it is: a rule that wants to know is told.
func (x *Executor) loseNow(m *machine, rule planner.RuleID, row int, why because) {
	x.count(rule, 1)
	x.sending.debts.owe(rule, row, why)
	if x.wants(rule) {
		x.out.Fault(rule, m.text(why, row))
	}
}

// loseAll counts n rows for every rule of es, of which row is the last.
func (x *Executor) loseAll(es []planner.Entry, n uint64, row int, why because) {
	for _, e := range es {
		x.count(e.Rule, n)
		x.sending.debts.owe(e.Rule, row, why)
	}
}

// count counts rows that rule lost.
func (x *Executor) count(rule planner.RuleID, rows uint64) {
	x.stats.Faults[rule] += rows
	x.stats.Lost[loss.Fault] += rows
}

// debts are the texts that rules are owed, of the last row that each lost since
// they were paid. They are found once for a rule, however many rows it lost.
type debts struct {
	by   []debt // by rule; as long as the rules that ever lost a row need
	open []planner.RuleID
}

type debt struct {
	because
	row  int32
	open bool
}

func (d *debts) owe(rule planner.RuleID, row int, why because) {
	if int(rule) >= len(d.by) {
		d.by = append(d.by, make([]debt, int(rule)+1-len(d.by))...)
	}
	o := &d.by[rule]
	if !o.open {
		d.open = append(d.open, rule)
	} else if int(o.row) > row {
		return
	}
	*o = debt{why, int32(row), true}
}

// pay gives the rules the texts that they are owed, before m goes on to another
// batch.
func (x *Executor) pay(m *machine) {
	for _, rule := range x.sending.debts.open {
		o := &x.sending.debts.by[rule]
		x.stats.note(rule, m.text(o.because, int(o.row)), x.now)
		*o = debt{}
	}
	x.sending.debts.open = x.sending.debts.open[:0]
}

// cancel forgets what is owed.
func (d *debts) cancel() {
	for _, rule := range d.open {
		d.by[rule] = debt{}
	}
	d.open = d.open[:0]
}

// blame is why rows were lost that are counted for all rules of an index at once:
// the text of the last, or the value of it that their constants do not go with.
type blame struct {
	at   int64 // ms since 1970
	text string
	v    vec.Value
}

// blame is for a row of s that failed, or whose value is of the wrong kind.
func (m *machine) blame(s planner.StepID, row int) blame {
	if m.failed(s, row) {
		return blame{at: m.x.now, text: m.why(s, row)}
	}
	return blame{at: m.x.now, v: m.value(s, row).Clone()}
}

// chargeIndex counts n rows for each rule of t, a rule that stands in several
// places once.
func (x *Executor) chargeIndex(t indexRules, op planner.Op, n uint64, b *blame) {
	var seen map[planner.RuleID]bool
	if _, several := t.index.(*planner.EqualIndex); several {
		seen = map[planner.RuleID]bool{}
	}
	t.each(func(es []planner.Entry, konst vec.Value) {
		text := b.text
		for _, e := range es {
			if seen[e.Rule] {
				continue
			}
			if seen != nil {
				seen[e.Rule] = true
			}
			x.count(e.Rule, n)
			if b.at < x.stats.LastAt[e.Rule] {
				continue
			}
			if text == "" {
				text = misfit(op, b.v, konst)
			}
			x.stats.note(e.Rule, text, b.at)
		}
	})
}

// lastOf returns the last of rows, -1 if there is none.
func lastOf(rows vec.Bitmap) int {
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i] != 0 {
			return i<<6 + leading(rows[i])
		}
	}
	return -1
}
