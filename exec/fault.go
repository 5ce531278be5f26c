package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// lostRow is a row that a condition of a rule lost by a fault, for a rule that
// wants to be told. It waits until the rows before it were sent.
type lostRow struct {
	rule planner.RuleID
	row  int32
	text string
}

// teller names a list of rules in an index.
type teller struct {
	index any // *planner.RankIndex, *planner.EqualIndex or *planner.CondIndex
	texts bool
}

// wants tells whether rule asked for its faults.
func (x *Executor) wants(rule planner.RuleID) bool {
	return x.env.Faults != nil && x.env.Faults(rule)
}

// told returns those of es that want to be told of faults. They are looked for
// at the first fault under a program, not at each: there may be thousands.
func (n *node) told(x *Executor, t teller, es []planner.Entry) []planner.Entry {
	if x.env.Faults == nil || len(es) == 0 {
		return nil
	}
	out, known := n.tellers[t]
	if !known {
		for _, e := range es {
			if x.env.Faults(e.Rule) && !slices.ContainsFunc(out, func(o planner.Entry) bool { return o.Rule == e.Rule }) {
				out = append(out, e)
			}
		}
		if n.tellers == nil {
			n.tellers = map[teller][]planner.Entry{}
		}
		n.tellers[t] = out
	}
	return out
}

// tellRows notes for the rules of es that want to know that rows failed in s.
func (x *Executor) tellRows(m *machine, t teller, es []planner.Entry, s planner.StepID, rows vec.Bitmap) {
	for _, e := range m.node.told(x, t, es) {
		rows.Each(func(row int) {
			x.losses = append(x.losses, lostRow{e.Rule, int32(row), m.why(s, row)})
		})
	}
}

// tellRow is tellRows for one row, whose value text complains of.
func (x *Executor) tellRow(m *machine, t teller, es []planner.Entry, row int, text func() string) {
	for _, e := range m.node.told(x, t, es) {
		x.losses = append(x.losses, lostRow{e.Rule, int32(row), text()})
	}
}

// lose counts a row that one rule lost, and notes it if the rule wants to know.
func (x *Executor) lose(rule planner.RuleID, row int, text string) {
	x.charge(rule, 1, text)
	if x.wants(rule) {
		x.losses = append(x.losses, lostRow{rule, int32(row), text})
	}
}

// tellBefore tells the rules of what they lost before row.
func (x *Executor) tellBefore(row int32) {
	i := 0
	for ; i < len(x.losses) && x.losses[i].row < row; i++ {
		x.out.Fault(x.losses[i].rule, x.losses[i].text)
	}
	x.losses = slices.Delete(x.losses, 0, i)
}

// tellAll tells the rules of all that they lost.
func (x *Executor) tellAll() {
	for _, l := range x.losses {
		x.out.Fault(l.rule, l.text)
	}
	clear(x.losses)
	x.losses = x.losses[:0]
}

// inOrder puts what is to be sent and what is to be told in order of rows.
func (x *Executor) inOrder() {
	slices.SortStableFunc(x.losses, func(a, b lostRow) int { return int(a.row) - int(b.row) })
	slices.SortStableFunc(x.pairs, func(a, b pair) int { return int(a.row) - int(b.row) })
}

// why returns the text of row's fault in s, which was evaluated for it: what
// the first part that failed says when it is computed again.
func (m *machine) why(s planner.StepID, row int) string {
	st := &m.prog.Steps[s]
	switch st.Op {
	case planner.OpColumn:
		return m.faultOfColumn(st, row)
	case planner.OpAnalytic, planner.OpAgg, planner.OpSpan, planner.OpNumber:
		return m.note // a state cannot be asked again
	}
	args := make([]vec.Value, len(st.In))
	for i, a := range st.In {
		if mm := &m.memos[a]; m.prog.Steps[a].Op != planner.OpConst && (mm.gen != m.gen || mm.col == nil) {
			return m.note
		}
		if m.failed(a, row) {
			return m.why(a, row)
		}
		args[i] = m.value(a, row)
	}
	var err error
	if st.Op == planner.OpCall {
		_, err = m.callRow(m.node.function(m.x, s), st, row)
	} else {
		_, err = m.scalar(st, args, row)
	}
	if err != nil {
		return err.Error()
	}
	return m.note
}

// whyHere is why for a rule that sends the text, else the last fault of all: one
// bad row must not cost thousands of rules a computation.
func (m *machine) whyHere(s planner.StepID, rule planner.RuleID, row int) string {
	if !m.x.wants(rule) {
		return m.note
	}
	return m.why(s, row)
}

// cellNote is why a window has no value for a cell of what it emits.
type cellNote struct {
	col  *vec.Column
	row  int
	text string
}

func (m *machine) faultOfColumn(st *planner.Step, row int) string {
	if c := m.cols[st.Col]; c >= 0 {
		for _, n := range m.notes {
			if n.row == row && n.col == &m.batch.Cols[c] {
				return n.text
			}
		}
	}
	return "column " + st.Text + ": a value does not have the declared type"
}

// whyNot returns why row of p cannot be sent to rule: the last fault of all, or,
// for a rule that sends the text, the row's own.
func (m *machine) whyNot(p *projection, rule planner.RuleID, row int) string {
	if !m.x.wants(rule) {
		return m.note
	}
	for _, s := range p.steps() {
		if c := m.memos[s].col; c != nil && c.Fault.Has(row) {
			return m.why(s, row)
		}
	}
	return m.note
}

// steps returns what p evaluates.
func (p *projection) steps() []planner.StepID {
	var out []planner.StepID
	for _, f := range p.plan.Fields {
		out = append(out, f.Step)
	}
	for _, o := range p.plan.Order {
		out = append(out, o.Step)
	}
	for _, s := range []planner.StepID{p.plan.Star, p.plan.Meta, p.plan.Spread} {
		if s != planner.NoStep {
			out = append(out, s)
		}
	}
	return out
}

// trailingBit returns the first row of rows, 0 if there is none.
func trailingBit(rows vec.Bitmap) int {
	for i, w := range rows {
		if w != 0 {
			return i<<6 + trailing(w)
		}
	}
	return 0
}
