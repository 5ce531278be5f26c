package exec

import (
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// cell is a row of a step, or of a column.
type cell struct{ at, row int32 }

// everyRow is the row of a fault that all rows have.
const everyRow = -1

// answer is what why said last: thousands of rules may ask for one row.
type answer struct {
	of   cell
	text string
}

// argFault says that an operation failed because this step, an operand, did.
type argFault planner.StepID

// Error is not shown to users: why asks the operand.
func (argFault) Error() string { return "an operand failed" }

// keep notes why row failed in s, which cannot be computed again to the same end.
func (m *machine) keep(s planner.StepID, row int, err error) {
	if m.kept == nil {
		m.kept = map[cell]error{}
	}
	m.kept[cell{int32(s), int32(row)}] = err
}

// text says why row was lost.
func (m *machine) text(why because, row int) string {
	if m.failed(why.step, row) {
		return m.why(why.step, row)
	}
	v := m.value(why.step, row)
	if a := why.atom; a != nil && a.Kind != planner.AtomTrue {
		return misfit(a.Op, v, atomConst(a))
	}
	return notCondition(v)
}

func misfit(op planner.Op, a, b vec.Value) string {
	return scalar.OpError{Op: op, A: a, B: b}.Error()
}

func notCondition(v vec.Value) string { return "invalid condition " + fn.Show(v) }

// why returns the text of row's fault in s, which was evaluated for it: what the
// first part that failed says when it is computed again.
func (m *machine) why(s planner.StepID, row int) string {
	of := cell{int32(s), int32(row)}
	if m.answer.text == "" || m.answer.of != of {
		m.answer = answer{of, m.reason(s, row)}
	}
	return m.answer.text
}

func (m *machine) reason(s planner.StepID, row int) string {
	st := &m.prog.Steps[s]
	if st.Op == planner.OpColumn {
		return m.faultOfColumn(st, row)
	}
	for _, r := range [...]int32{int32(row), everyRow} {
		if err, ok := m.kept[cell{int32(s), r}]; ok {
			return err.Error()
		}
	}
	args := make([]vec.Value, len(st.In))
	for i, a := range st.In {
		if !m.evaluated(a) {
			return m.unknown(st)
		}
		if !lazy(st.Node) && m.failed(a, row) {
			return m.reason(a, row)
		}
		args[i] = m.value(a, row)
	}
	var err error
	if st.Op == planner.OpCall {
		_, err = m.callRow(m.live.function(m.x, s), st, row)
	} else {
		_, err = m.scalar(st, args, row)
	}
	if a, ok := err.(argFault); ok {
		return m.reason(planner.StepID(a), row)
	}
	if err == nil {
		return m.unknown(st)
	}
	return err.Error()
}

// unknown is the text of a fault that did not happen again.
func (m *machine) unknown(st *planner.Step) string { return st.Text + " has no value" }

// evaluated tells whether step s was evaluated over the batch.
func (m *machine) evaluated(s planner.StepID) bool {
	mm := &m.memos[s]
	return m.prog.Steps[s].Op == planner.OpConst || mm.gen == m.gen && mm.col != nil
}

func (m *machine) faultOfColumn(st *planner.Step, row int) string {
	if text, ok := m.notes[cell{int32(m.cols[st.Col]), int32(row)}]; ok {
		return text // of an aggregate that a window computed
	}
	return "column " + st.Text + ": a value does not have the declared type"
}

// culprit returns the first step of p that failed in row.
func (m *machine) culprit(p *projection, row int) planner.StepID {
	for i := range p.plan.Fields {
		if s := p.plan.Fields[i].Step; m.failed(s, row) {
			return s
		}
	}
	for _, o := range p.plan.Order {
		if m.failed(o.Step, row) {
			return o.Step
		}
	}
	for _, s := range [...]planner.StepID{p.plan.Star, p.plan.Meta} {
		if s != planner.NoStep && m.failed(s, row) {
			return s
		}
	}
	return p.plan.Spread
}
