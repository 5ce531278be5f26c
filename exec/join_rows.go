package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// Bounds of one join: rows that it may give, and pairs that it may look at. A
// condition without an equality over two large windows would keep every other
// rule waiting, or take all memory.
const (
	maxJoined     = 1 << 20
	maxCandidates = 1 << 26
)

const tooManyRows = "join: more than 1,048,576 rows or 67,108,864 pairs in one window: make the window shorter or add an equality to ON"

// tuples are joined rows: for each source so far the row of it, -1 for none.
type tuples struct {
	cols [][]int32
	n    int
}

// width makes t an empty list of rows of n sources.
func (t *tuples) width(n int) {
	t.cols = slices.Grow(t.cols[:0], n)[:n]
	for i := range t.cols {
		t.cols[i] = t.cols[i][:0]
	}
	t.n = 0
}

// joinPair says that row r of the new source goes with joined row l.
type joinPair struct{ l, r int32 }

// joinRows joins the rows of all sources from left to right. ok is false if
// there are too many.
func (j *joiner) joinRows() (t *tuples, ok bool) {
	t, other := &j.a, &j.b
	t.width(1)
	t.cols[0] = slices.AppendSeq(t.cols[0], j.srcs[0].present)
	t.n = len(t.cols[0])
	for k := range j.plan.Steps {
		if !j.match(k, t) {
			return nil, false
		}
		j.combine(k, t, other)
		t, other = other, t
		if t.n > maxJoined {
			return nil, false
		}
	}
	return t, true
}

// match finds the pairs of joined rows and rows of source k+1 that meet the
// condition, in order of the joined rows.
func (j *joiner) match(k int, t *tuples) bool {
	st, src := &j.plan.Steps[k], &j.srcs[k+1]
	f := pairFilter{j: j, k: k, t: t, st: st}
	j.pairs = j.pairs[:0]
	if src.def.External {
		return j.lookUp(&f)
	}
	if len(st.Left.Steps) == 0 {
		for l := range t.n {
			for r := range src.present {
				if !f.add(int32(l), r) {
					return false
				}
			}
		}
		return f.end()
	}
	j.buildIndex(k)
	good := true
	j.keys(&st.Left, t.n, func(c, row int) vec.Value { return j.value(c, t, row) }, func(row int, key []byte, _ func(int) vec.Value) {
		for r := src.index.first(key); good && r >= 0; r = src.index.next[r] {
			good = f.add(int32(row), r)
		}
	})
	return good && f.end()
}

// buildIndex brings the index of source k+1 up to date.
func (j *joiner) buildIndex(k int) {
	st, src := &j.plan.Steps[k], &j.srcs[k+1]
	h := &src.index
	rows := h.begin(src)
	if len(rows) == 0 {
		return
	}
	get := func(c, row int) vec.Value { return j.single(c, src.rows[rows[row]]) }
	done := 0
	j.keys(&st.Right, len(rows), get, func(row int, key []byte, _ func(int) vec.Value) {
		for ; done < row; done++ {
			h.unset(rows[done])
		}
		h.set(rows[row], key)
		done = row + 1
	})
	for _, row := range rows[done:] {
		h.unset(row)
	}
}

// keys evaluates a key over rows whose columns get gives, and calls f for each row
// in which all parts of it have a value; part returns that of part i.
func (j *joiner) keys(k *planner.JoinKey, rows int, get func(c, row int) vec.Value, f func(row int, key []byte, part func(i int) vec.Value)) {
	for from := 0; from < rows; from += vec.MaxRows {
		b := j.fill(&j.cand, k.Cols, min(vec.MaxRows, rows-from), func(c, row int) vec.Value { return get(c, from+row) })
		j.n.identity()
		m := j.x.enter()
		m.begin(j.n, b)
		j.keyFaults(m, k)
		at := 0
		part := func(i int) vec.Value { return m.value(k.Steps[i], at) }
		for row := range b.Rows {
			at = row
			key, ok := j.buf[:0], true
			for _, s := range k.Steps {
				var has bool
				key, has = vec.AppendEqual(key, m.value(s, row))
				ok = ok && has
			}
			j.buf = key
			if ok {
				f(from+row, key, part)
			}
		}
		j.x.leave()
	}
}

// fill makes a batch of that many rows with some columns of the program.
func (j *joiner) fill(b *vec.Batch, cols []int, rows int, get func(c, row int) vec.Value) *vec.Batch {
	j.open(b, rows)
	for _, c := range cols {
		for row := range rows {
			set(&b.Cols[c], row, get(c, row))
		}
	}
	clear(b.At)
	return b
}

// keyFaults computes a key and counts the rows in which a part of it failed, before
// what stands before it in the text refused the row.
func (j *joiner) keyFaults(m *machine, k *planner.JoinKey) {
	keep, lost, other := j.x.bitmap(m.rows), j.x.bitmap(m.rows), j.x.bitmap(m.rows)
	keep.SetAll(m.rows)
	for i, s := range k.Steps {
		c := m.col(s, nil)
		if c.Fault.Any() {
			for _, cond := range k.If[i] {
				m.meeting(cond, keep, other) // the pairs tell of faults in it
			}
			lose(keep, lost, c.Fault)
		}
		if c.Kind == vec.Null {
			clear(keep)
		} else {
			keep.And(c.Valid)
		}
	}
	j.lose(lost, func(row int) string { return m.whyAny(k.Steps, row) })
	j.x.free(keep)
	j.x.free(lost)
	j.x.free(other)
}

// lose counts rows for the rules whose rows are joined; why tells what failed.
func (j *joiner) lose(rows vec.Bitmap, why func(row int) string) {
	last := lastOf(rows)
	if last < 0 {
		return
	}
	if j.job != nil { // it may be joined again
		j.job.faults += uint64(rows.Count())
		j.job.note = why(last)
		return
	}
	j.charge(j.firing, uint64(rows.Count()), why(last))
}

// pairFilter checks what an index leaves of a condition, many pairs at a time.
type pairFilter struct {
	j    *joiner
	k    int
	t    *tuples
	st   *planner.JoinStep
	done int // pairs that were checked
	seen int // candidates
}

// add notes a candidate; false means that there are too many.
func (f *pairFilter) add(l, r int32) bool {
	f.j.pairs = append(f.j.pairs, joinPair{l, r})
	f.seen++
	if len(f.j.pairs)-f.done < vec.MaxRows {
		return true
	}
	return f.end() && f.seen <= maxCandidates
}

// end checks the candidates that were not checked yet.
func (f *pairFilter) end() bool {
	j := f.j
	tail := j.pairs[f.done:]
	if len(f.st.Rest) > 0 && len(tail) > 0 {
		b := j.fill(&j.rest, f.st.RestCols, len(tail), func(c, row int) vec.Value { return f.value(c, tail[row]) })
		j.n.identity()
		m := j.x.enter()
		m.begin(j.n, b)
		keep, lost := j.x.bitmap(b.Rows), j.x.bitmap(b.Rows)
		keep.SetAll(b.Rows)
		for _, s := range f.st.Rest {
			m.meeting(s, keep, lost)
		}
		j.lose(lost, func(row int) string { return m.whyNot(f.st.Rest, row) })
		n := 0
		keep.Each(func(row int) {
			tail[n] = tail[row]
			n++
		})
		j.pairs = j.pairs[:f.done+n]
		j.x.free(keep)
		j.x.free(lost)
		j.x.leave()
	}
	f.done = len(j.pairs)
	return f.done <= maxJoined
}

// value returns column c of a candidate.
func (f *pairFilter) value(c int, p joinPair) vec.Value {
	for _, r := range f.j.refs[c].from {
		var v vec.Value
		if int(r.src) == f.k+1 {
			v = at(f.j.srcs[r.src].rows[p.r].v, r.pos)
		} else {
			v = at(f.j.row(f.t, r.src, int(p.l)), r.pos)
		}
		if v.Kind != vec.Missing {
			return v
		}
	}
	return vec.Value{}
}

// combine makes joined rows of the pairs, and of the rows without a match that
// the join keeps.
func (j *joiner) combine(k int, t, out *tuples) {
	kind, src := j.plan.Steps[k].Kind, &j.srcs[k+1]
	out.width(len(t.cols) + 1)
	emit := func(l, r int32) {
		for i := range t.cols {
			row := int32(-1)
			if l >= 0 {
				row = t.cols[i][l]
			}
			out.cols[i] = append(out.cols[i], row)
		}
		out.cols[k+1] = append(out.cols[k+1], r)
	}
	if kind == sql.RightJoin { // in order of the new source's rows
		slices.SortStableFunc(j.pairs, func(a, b joinPair) int { return int(a.r) - int(b.r) })
		i := 0
		for r := range src.present {
			if i == len(j.pairs) || j.pairs[i].r != r {
				emit(-1, r)
			}
			for ; i < len(j.pairs) && j.pairs[i].r == r; i++ {
				emit(j.pairs[i].l, r)
			}
		}
		out.n = len(out.cols[0])
		return
	}
	i := 0
	for l := range int32(t.n) {
		if keeps := kind == sql.LeftJoin || kind == sql.FullJoin; keeps && (i == len(j.pairs) || j.pairs[i].l != l) {
			emit(l, -1)
		}
		for ; i < len(j.pairs) && j.pairs[i].l == l; i++ {
			emit(l, j.pairs[i].r)
		}
	}
	if kind == sql.FullJoin {
		matched := make(vec.Bitmap, vec.Words(len(src.rows)))
		for _, p := range j.pairs {
			matched.Set(int(p.r))
		}
		for r := range src.present {
			if !matched.Has(int(r)) {
				emit(-1, r)
			}
		}
	}
	out.n = len(out.cols[0])
}
