package exec

import (
	"math"

	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// machine evaluates the steps of one program over one batch, each at most once
// for a row. Results live until the next begin. Columns come from a pool that
// all programs of an Executor share, for a batch of one row passes through
// thousands of programs.
type machine struct {
	x     *Executor
	live  *live
	prog  *planner.Program
	batch *vec.Batch
	cols  []int // Program.Cols -> Batch.Cols, -1: the batch lacks it
	rows  int
	words int

	gen        uint32
	memos      []memo
	memories   *memories // that stateful steps are evaluated with
	projs      []projection
	pool       []*vec.Column
	used       int
	args       []vec.Value
	inputs     []*vec.Column // of an aggregate or of a key
	reasons    reasons
	notes      map[cell]string // why values of batch are faults, by column, where a window computed it
	rowsBuf    []int32
	filterRows []int32 // rows that the FILTER of an aggregate lets through, see chosen
	filterGids []int32 // their groups
	oneMessage bool    // a rule's rows are delivered as one message, at the end

	guards guards

	kept   map[cell]error // of steps that cannot be asked again why they failed
	answer answer
}

type memo struct {
	gen  uint32
	all  bool // every row is done
	slow bool // computed row by row: a kernel must not overwrite it
	col  *vec.Column
	done vec.Bitmap
}

// begin turns to another program or batch.
func (m *machine) begin(n *live, b *vec.Batch) {
	p := n.prog
	m.live, m.prog, m.batch, m.cols = n, p, b, n.cols
	m.memories = &n.memories
	m.rows, m.words = b.Rows, vec.Words(b.Rows)
	m.gen++
	m.oneMessage = false
	m.notes, m.answer = nil, answer{}
	clear(m.kept)
	for _, c := range m.pool[:m.used] {
		c.Poison()
	}
	m.used = 0
	if len(m.memos) < len(p.Steps) {
		m.memos = append(m.memos, make([]memo, len(p.Steps)-len(m.memos))...)
	}
}

// get takes a column from the pool: all rows missing.
func (m *machine) get() *vec.Column {
	if m.used == len(m.pool) {
		m.pool = append(m.pool, &vec.Column{})
	}
	c := m.pool[m.used]
	m.used++
	c.Reset(m.rows)
	return c
}

// missing is the column of a field that no row has.
var missing = &vec.Column{Kind: vec.Null}

// col returns the result of step s; rows outside want need not be in it. A nil
// want means all rows.
func (m *machine) col(s planner.StepID, want vec.Bitmap) *vec.Column {
	mm := &m.memos[s]
	if mm.gen != m.gen {
		mm.gen, mm.all, mm.slow = m.gen, false, false
		mm.done = mm.done.Grow(m.rows)
		mm.col = nil
	} else if mm.all || mm.col != nil && want != nil && covers(mm.done, want) {
		return mm.col
	}
	st := &m.prog.Steps[s]
	switch st.Op {
	case planner.OpColumn:
		mm.all = true
		if i := m.cols[st.Col]; i >= 0 {
			mm.col = &m.batch.Cols[i]
		} else {
			mm.col = missing
		}
		return mm.col
	case planner.OpConst:
		c := m.get()
		for row := range m.rows {
			c.Set(row, st.Value)
		}
		mm.all, mm.col = true, c
		return c
	}
	m.compute(s, st, mm, want)
	return mm.col
}

// compute makes the column of a step of any operation.
func (m *machine) compute(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	if text, bad := m.x.broken.steps[st.Node]; bad {
		m.failAll(s, mm, text)
		return
	}
	defer func() {
		if r := recover(); r != nil {
			m.breakStep(s, mm, r)
		}
	}()
	m.x.stats.Steps++
	switch st.Op {
	case planner.OpCall:
		m.call(s, st, mm, want)
	case planner.OpAnalytic:
		m.analytic(s, st, mm, want)
	case planner.OpSpan:
		m.span(s, st, mm)
	case planner.OpNumber:
		m.ones(mm)
	case planner.OpCase, planner.OpSwitch, planner.OpAgg:
		m.lift(s, st, mm, want)
	default:
		if !mm.slow && m.kernel(st, mm, want) {
			m.computed(st, mm, want)
		} else {
			m.instead(s, st, mm, want)
		}
	}
}

func covers(done, want vec.Bitmap) bool {
	for i, w := range want {
		if w&^done[i] != 0 {
			return false
		}
	}
	return true
}

// isConst returns the constant that step s is.
func (m *machine) isConst(s planner.StepID) (vec.Value, bool) {
	st := &m.prog.Steps[s]
	return st.Value, st.Op == planner.OpConst
}

// value returns row's value of s, which was evaluated for it.
func (m *machine) value(s planner.StepID, row int) vec.Value {
	if st := &m.prog.Steps[s]; st.Op == planner.OpConst {
		return st.Value
	}
	return m.memos[s].col.Value(row)
}

// instead computes a step row by row because its kernel cannot. If it could for
// the rows that were wanted before, what it made of them is gone from the column,
// which others hold already: they are computed again, too.
func (m *machine) instead(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	if mm.slow || !mm.done.Any() {
		m.lift(s, st, mm, want)
		return
	}
	if want == nil {
		clear(mm.done)
		m.lift(s, st, mm, nil)
		return
	}
	all := m.x.bitmap(m.rows)
	all.Or(mm.done)
	all.Or(want)
	clear(mm.done)
	m.lift(s, st, mm, all)
	m.x.free(all)
}

// lift computes a step row by row, for the rows of want that are not done.
func (m *machine) lift(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	if mm.col == nil {
		mm.col = m.get()
	}
	mm.slow = true
	out := mm.col
	todo := m.x.bitmap(m.rows)
	defer m.x.free(todo)
	if want == nil {
		todo.SetAll(m.rows)
		mm.all = true
	} else {
		todo.Or(want)
	}
	todo.AndNot(mm.done)
	mm.done.Or(todo)
	for _, a := range st.In {
		if m.prog.Steps[a].Op == planner.OpConst {
			continue
		}
		// A branch that is not taken may fault; lazily evaluated operations look
		// at the faults that concern them.
		if c := m.col(a, todo); c.Fault != nil && !lazy(st.Node) {
			m.spread(out, todo, c.Fault)
		}
	}
	if st.Op == planner.OpCall {
		f := m.live.function(m.x, s)
		todo.Each(func(row int) {
			v, err := m.callRow(f, st, row)
			m.put(out, row, v, err)
			if err != nil && st.Func.Volatile {
				m.keep(s, row, err)
			}
		})
		return
	}
	args := m.arguments(len(st.In))
	todo.Each(func(row int) {
		for i, a := range st.In {
			args[i] = m.value(a, row)
		}
		v, err := m.scalar(st, args, row)
		m.put(out, row, v, err)
	})
}

// spread marks the rows of rows that have a fault as failed, and takes them out
// of rows.
func (m *machine) spread(out *vec.Column, rows, fault vec.Bitmap) {
	for i := range rows {
		if w := rows[i] & fault[i]; w != 0 {
			if out.Fault == nil {
				out.Fault = make(vec.Bitmap, m.words)
			}
			out.Fault[i] |= w
			rows[i] &^= w
		}
	}
}

// lazy tells whether n does not fail just because an argument did.
func lazy(n *planner.Node) bool {
	switch n.Op {
	case planner.OpAnd, planner.OpOr, planner.OpCase, planner.OpSwitch:
		return true
	}
	return n.Op == planner.OpCall && n.Func.Catches || n.Op == planner.OpAgg && n.Part
}

func (m *machine) arguments(n int) []vec.Value {
	if cap(m.args) < n {
		m.args = make([]vec.Value, n)
	}
	return m.args[:n:n]
}

// put writes the result of one row.
func (m *machine) put(out *vec.Column, row int, v vec.Value, err error) {
	switch {
	case err != nil:
		out.SetFault(row)
	case v.Kind == vec.Float64 && math.IsNaN(v.F):
		out.SetNull(row) // as in eKuiper, a result that is no number is null
	case v.Kind == vec.Missing:
		out.SetNull(row)
	default:
		out.Set(row, v)
	}
}

// failed tells whether step s, which was evaluated for row, failed in it.
func (m *machine) failed(s planner.StepID, row int) bool {
	if m.prog.Steps[s].Op == planner.OpConst {
		return false
	}
	return m.memos[s].col.Fault.Has(row)
}

// scalar computes one row of any operation but calls.
func (m *machine) scalar(st *planner.Step, a []vec.Value, row int) (vec.Value, error) {
	switch st.Op {
	case planner.OpAnd, planner.OpOr:
		if m.failed(st.In[0], row) {
			return vec.Value{}, argFault(st.In[0])
		}
		if m.failed(st.In[1], row) && a[0].Kind == vec.Bool && a[0].Truth() == (st.Op == planner.OpAnd) {
			return vec.Value{}, argFault(st.In[1])
		}
	case planner.OpCase, planner.OpSwitch:
		return m.branch(st, a, row)
	case planner.OpAgg:
		return m.single(st, a, row)
	}
	return operation(st.Node, a, m.x.env.Location)
}

// escapeOf returns the escape of a LIKE with operands a.
func escapeOf(a []vec.Value) rune {
	if len(a) < 3 {
		return scalar.DefaultEscape
	}
	return scalar.Escape(a[2])
}

// sparse is the part of the rows up to which a function is computed row by row
// rather than by its kernel, which computes all.
const sparse = 64
