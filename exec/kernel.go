package exec

import (
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// kernel computes a step over whole columns if their kinds allow it; it tells
// whether they did. Rows outside want may hold anything afterwards.
func (m *machine) kernel(st *planner.Step, mm *memo, want vec.Bitmap) bool {
	var in [3]operand
	if len(st.In) > len(in) && st.Op != planner.OpIn {
		return false
	}
	for i, s := range st.In[:min(len(st.In), 3)] {
		if v, ok := m.isConst(s); ok {
			in[i].value, in[i].konst = v, true
			continue
		}
		in[i].col = m.col(s, want)
	}
	if mm.col == nil {
		mm.col = m.get()
	} else {
		mm.col.Reset(m.rows)
	}
	out := mm.col
	switch {
	case st.Op.Comparison():
		return m.compareKernel(st.Op, in[0], in[1], out)
	case st.Op == planner.OpAdd || st.Op == planner.OpSub || st.Op == planner.OpMul || st.Op == planner.OpDiv:
		return m.arithKernel(st.Op, in[0], in[1], out)
	case st.Op == planner.OpAnd || st.Op == planner.OpOr:
		return m.logicKernel(st.Op, in[0], in[1], out)
	case st.Op == planner.OpNot && in[0].col != nil && in[0].col.Kind == vec.Bool:
		out.As(vec.Bool)
		copy(out.Valid, in[0].col.Valid)
		out.Bits.Or(out.Valid)
		out.Bits.AndNot(in[0].col.Bits)
		m.faults(out, in[0].col.Fault)
		return true
	case st.Op == planner.OpIsNull && in[0].col != nil:
		out.As(vec.Bool)
		out.Valid.SetAll(m.rows)
		if c := in[0].col; st.Not {
			out.Bits.Or(c.Valid)
		} else {
			out.Bits.SetAll(m.rows)
			out.Bits.AndNot(c.Valid)
		}
		m.faults(out, in[0].col.Fault)
		return true
	case st.Op == planner.OpLike && in[0].col != nil && in[0].col.Kind == vec.String && in[1].konst && in[1].value.Kind == vec.String && (len(st.In) == 2 || in[2].konst):
		esc := rune(scalar.DefaultEscape)
		if len(st.In) == 3 {
			esc = scalar.Escape(in[2].value)
		}
		m.perText(in[0].col, out, func(s string) bool { return scalar.Like(s, in[1].value.S, esc) }, st.Not)
		return true
	case st.Op == planner.OpIn:
		return m.inKernel(st, in[0], out)
	}
	return false
}

// operand is an argument of a kernel: a column or a constant.
type operand struct {
	col   *vec.Column
	value vec.Value
	konst bool
}

func (o operand) kind() vec.Kind {
	if o.konst {
		return o.value.Kind
	}
	return o.col.Kind
}

// faults adds rows that failed below to out.
func (m *machine) faults(out *vec.Column, fault vec.Bitmap) {
	if fault == nil {
		return
	}
	if out.Fault == nil {
		out.Fault = make(vec.Bitmap, m.words)
	}
	out.Fault.Or(fault)
	out.Valid.AndNot(fault)
}

// bothValid sets out.Valid to the rows in which a and b have values.
func bothValid(out *vec.Column, a, b operand) {
	switch {
	case a.konst:
		copy(out.Valid, b.col.Valid)
	case b.konst:
		copy(out.Valid, a.col.Valid)
	default:
		copy(out.Valid, a.col.Valid)
		out.Valid.And(b.col.Valid)
	}
}

var cmpOps = [...]vec.Cmp{
	planner.OpEq: vec.Eq, planner.OpNe: vec.Ne, planner.OpLt: vec.Lt,
	planner.OpLe: vec.Le, planner.OpGt: vec.Gt, planner.OpGe: vec.Ge,
}

func flipOp(op vec.Cmp) vec.Cmp {
	switch op {
	case vec.Lt:
		return vec.Gt
	case vec.Le:
		return vec.Ge
	case vec.Gt:
		return vec.Lt
	case vec.Ge:
		return vec.Le
	}
	return op
}

// compareKernel compares columns of one numeric kind, or texts with a constant.
// A comparison with null is false, so every row without a fault is valid.
func (m *machine) compareKernel(op planner.Op, a, b operand, out *vec.Column) bool {
	ka, kb := a.kind(), b.kind()
	if ka == vec.Null || kb == vec.Null && !mayNest(ka) { // no row has a value
		out.As(vec.Bool)
		out.Valid.SetAll(m.rows)
		m.operandFaults(out, a, b)
		return true
	}
	o := cmpOps[op]
	if a.konst {
		a, b, ka, kb, o = b, a, kb, ka, flipOp(o)
	}
	if a.konst {
		return false
	}
	switch {
	case ka == vec.Float64 && b.konst && kb.Numeric():
		f, _ := b.value.Float()
		if kb == vec.Int64 {
			var ok bool
			if f, ok = vec.ExactFloat(b.value.I); !ok {
				return false
			}
		}
		out.As(vec.Bool)
		vec.CompareConst(out.Bits, o, a.col.Floats, f)
	case ka == vec.Int64 && b.konst && kb == vec.Int64:
		out.As(vec.Bool)
		vec.CompareConst(out.Bits, o, a.col.Ints, b.value.I)
	case ka == vec.Float64 && !b.konst && kb == vec.Float64:
		out.As(vec.Bool)
		vec.Compare(out.Bits, o, a.col.Floats, b.col.Floats)
	case ka == vec.Int64 && !b.konst && kb == vec.Int64:
		out.As(vec.Bool)
		vec.Compare(out.Bits, o, a.col.Ints, b.col.Ints)
	case ka == vec.String && b.konst && kb == vec.String:
		c := b.value.S
		m.perText(a.col, out, func(s string) bool { return holds(o, s, c) }, false)
		return true
	default:
		return false
	}
	bothValid(out, a, b)
	out.Bits.And(out.Valid)
	out.Valid.SetAll(m.rows)
	m.operandFaults(out, a, b)
	return true
}

func (m *machine) operandFaults(out *vec.Column, a, b operand) {
	for _, o := range []operand{a, b} {
		if !o.konst {
			m.faults(out, o.col.Fault)
		}
	}
}

func holds[T string | float64](op vec.Cmp, a, b T) bool {
	switch op {
	case vec.Eq:
		return a == b
	case vec.Ne:
		return a != b
	case vec.Lt:
		return a < b
	case vec.Le:
		return a <= b
	case vec.Gt:
		return a > b
	}
	return a >= b
}

// perText decides a condition once per distinct text. Null rows are false.
func (m *machine) perText(c *vec.Column, out *vec.Column, f func(string) bool, not bool) {
	n := c.Dict.Len()
	codes := m.x.bitmap(n)
	for code := range n {
		if f(c.Dict.View(uint32(code))) != not {
			codes.Set(code)
		}
	}
	out.As(vec.Bool)
	for i := range out.Bits {
		for w := c.Valid[i]; w != 0; w &= w - 1 {
			row := i<<6 + trailing(w)
			if codes.Has(int(c.Codes[row])) {
				out.Bits.Set(row)
			}
		}
	}
	m.x.free(codes)
	out.Valid.SetAll(m.rows)
	m.faults(out, c.Fault)
}

// logicKernel computes AND and OR of boolean columns. A null on the left gives
// false, and a fault on the right counts only where the left does not decide.
func (m *machine) logicKernel(op planner.Op, a, b operand, out *vec.Column) bool {
	if a.konst || b.konst || a.col.Kind != vec.Bool || b.col.Kind != vec.Bool {
		return false
	}
	out.As(vec.Bool)
	out.Valid.SetAll(m.rows)
	for i := range out.Bits {
		l, r := a.col.Bits[i]&a.col.Valid[i], b.col.Bits[i]&b.col.Valid[i]
		if op == planner.OpAnd {
			out.Bits[i] = l & r
		} else {
			out.Bits[i] = l | r&a.col.Valid[i]
		}
	}
	m.faults(out, a.col.Fault)
	if f := b.col.Fault; f != nil {
		open := m.x.bitmap(m.rows)
		for i := range open {
			l := a.col.Bits[i] & a.col.Valid[i]
			if op == planner.OpOr {
				l = a.col.Valid[i] &^ a.col.Bits[i]
			}
			open[i] = f[i] & l
		}
		m.faults(out, open)
		m.x.free(open)
	}
	out.Bits.And(out.Valid)
	return true
}

// arithKernel computes + - * / of numeric columns and constants.
func (m *machine) arithKernel(op planner.Op, a, b operand, out *vec.Column) bool {
	ka, kb := a.kind(), b.kind()
	if ka == vec.Null || kb == vec.Null && !mayNest(ka) {
		m.operandFaults(out, a, b)
		return true // null for every row
	}
	if !ka.Numeric() || !kb.Numeric() || a.konst && b.konst {
		return false
	}
	if ka == vec.Int64 && kb == vec.Int64 {
		if op == planner.OpDiv {
			return false
		}
		out.As(vec.Int64)
		arithInto(out.Ints, op, a, b, func(o operand) ([]int64, int64) {
			if o.konst {
				return nil, o.value.I
			}
			return o.col.Ints, 0
		})
	} else {
		out.As(vec.Float64)
		floats := func(o operand) ([]float64, float64) {
			if o.konst {
				f, _ := o.value.Float()
				return nil, f
			}
			if o.col.Kind == vec.Float64 {
				return o.col.Floats, 0
			}
			tmp := m.get()
			tmp.As(vec.Float64)
			vec.Floats(tmp.Floats, o.col.Ints)
			return tmp.Floats, 0
		}
		if op == planner.OpDiv {
			m.divide(a, b, out, floats)
			m.operandFaults(out, a, b)
			return true
		}
		arithInto(out.Floats, op, a, b, floats)
	}
	bothValid(out, a, b)
	m.operandFaults(out, a, b)
	return true
}

func arithInto[T vec.Number](dst []T, op planner.Op, a, b operand, get func(operand) ([]T, T)) {
	o := [...]vec.Arith{planner.OpAdd: vec.Add, planner.OpSub: vec.Sub, planner.OpMul: vec.Mul}[op]
	x, c := get(a)
	y, d := get(b)
	switch {
	case x == nil:
		vec.ConstArith(dst, o, c, y)
	case y == nil:
		vec.ArithConst(dst, o, x, d)
	default:
		vec.ArithCols(dst, o, x, y)
	}
}

// divide computes a / b for floats; a zero divisor is a fault.
func (m *machine) divide(a, b operand, out *vec.Column, floats func(operand) ([]float64, float64)) {
	x, c := floats(a)
	y, d := floats(b)
	fill := func(f float64) []float64 {
		tmp := m.get()
		tmp.As(vec.Float64)
		for i := range tmp.Floats {
			tmp.Floats[i] = f
		}
		return tmp.Floats
	}
	if x == nil {
		x = fill(c)
	}
	if y == nil {
		y = fill(d)
	}
	bothValid(out, a, b)
	fault := m.x.bitmap(m.rows)
	vec.Divide(out.Floats, x, y, out.Valid, fault)
	if fault.Any() {
		m.faults(out, fault)
	}
	m.x.free(fault)
}

// inKernel decides IN with constants: numbers against a column of floats, texts
// once per distinct text.
func (m *machine) inKernel(st *planner.Step, x operand, out *vec.Column) bool {
	if x.konst {
		return false
	}
	for _, s := range st.In[1:] {
		v, ok := m.isConst(s)
		if !ok || x.col.Kind != vec.Null && v.Kind != x.col.Kind && !(x.col.Kind == vec.Float64 && v.Kind == vec.Int64) {
			return false
		}
		if _, exact := vec.ExactFloat(v.I); v.Kind == vec.Int64 && x.col.Kind == vec.Float64 && !exact {
			return false // no float is equal to it
		}
	}
	switch x.col.Kind {
	case vec.Null:
		out.As(vec.Bool)
		out.Valid.SetAll(m.rows)
		m.faults(out, x.col.Fault)
		return true
	case vec.String:
		m.perText(x.col, out, func(s string) bool {
			for _, id := range st.In[1:] {
				if m.prog.Steps[id].Value.S == s {
					return true
				}
			}
			return false
		}, st.Not)
		return true
	case vec.Float64:
		out.As(vec.Bool)
		one := m.x.bitmap(m.rows)
		for _, id := range st.In[1:] {
			f, _ := m.prog.Steps[id].Value.Float()
			vec.CompareConst(one, vec.Eq, x.col.Floats, f)
			out.Bits.Or(one)
		}
		m.x.free(one)
		if st.Not {
			for i := range out.Bits {
				out.Bits[i] = ^out.Bits[i]
			}
		}
		out.Bits.And(x.col.Valid)
		out.Valid.SetAll(m.rows)
		m.faults(out, x.col.Fault)
		return true
	}
	return false
}

// mayNest tells whether a column of kind k may hold arrays or objects, which have
// no operators, not even with null.
func mayNest(k vec.Kind) bool { return k == vec.JSON || k == vec.Variant }
