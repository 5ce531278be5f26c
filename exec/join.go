package exec

import (
	"math"
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// joiner is what a join's program does before its rules. Feeds in the programs
// of the streams hand rows to it, which wait until the batch has been run, so
// that rows of several streams come in the order in which they arrived. Then
// they go through the windows of the program, or each is joined alone.
type joiner struct {
	x    *Executor
	n    *live // the program of the join
	plan *planner.JoinPlan
	srcs []joinSource
	refs []joinColumn // by column of the program

	num      uint32 // of the join
	charged  ruleList
	external bool   // a store is asked for rows of some source
	jobs     []*job // what waits for rows of a store, oldest first
	job      *job   // that is being joined
	parked   int    // rows of jobs

	firing   *window  // whose rows are joined; nil: those of the rules without one
	memories memories // of stateful steps over rows that are not joined

	pending []pendingRow
	head    int        // of pending
	keeps   bool       // rows outlive the batch
	order   *joinOrder // event time; nil: rows are joined as they come

	union   []windowRow // rows that are taken from pending
	passing []windowRow // those that meet the conditions of their sources
	running []windowRow // rows that windows are being fed
	pass    []int32     // joined rows that meet the condition of a window
	fed     vec.Batch
	cand    vec.Batch // rows whose keys are evaluated
	rest    vec.Batch // pairs whose conditions are evaluated
	out     vec.Batch
	none    vec.Plan
	a, b    tuples
	pairs   []joinPair
	events  []int32
	buf     []byte
	missed  *missed
}

// joinSource is one source of a join.
type joinSource struct {
	def   *planner.JoinSource
	need  []vec.ColumnSpec // what is kept of a row
	at    map[string]int   // by key
	rows  []windowRow      // that are joined now
	own   []windowRow      // rows of a window
	table *table
	seen  uint64 // version of the table that rows shows
	index hashIndex
	in    uint64 // rows so far
}

// joinColumn says where a column of the program takes its value from: the first
// of from that has one, or all of them merged.
type joinColumn struct {
	used, merged bool
	from         []joinRef
}

// joinRef is one value of a source's rows; name is its key in a merged row, or
// "" for a row as a whole.
type joinRef struct {
	src, pos int32
	name     string
}

// pendingRow is a row that waits for the end of the batch; order is its position
// there.
type pendingRow struct {
	windowRow
	order int32
}

// adoptJoin makes p the program of a join.
func (x *Executor) adoptJoin(num uint32, n *live, p *planner.Program) {
	j := n.join
	if j == nil {
		j = &joiner{x: x, n: n, plan: p.Join, num: num}
		for i := range p.Join.Sources {
			j.external = j.external || p.Join.Sources[i].External
			j.srcs = append(j.srcs, joinSource{def: &p.Join.Sources[i], at: map[string]int{}})
		}
		if p.Join.EventTime {
			j.order = newJoinOrder(p.Join)
		}
		n.join, n.over = j, true
	}
	j.plan = p.Join
	j.keeps = j.external || j.order != nil || len(p.Windows) > 0
	j.refs = make([]joinColumn, len(p.Cols))
	for i, c := range p.Cols {
		if !p.Used[i] {
			continue
		}
		j.refs[i] = joinColumn{used: true, merged: len(c.Path) == 0}
		for s := range j.srcs {
			src := &j.srcs[s]
			src.def = &p.Join.Sources[s]
			src.def.Needs(c, func(need vec.ColumnSpec) {
				ref := joinRef{src: int32(s), pos: src.position(need)}
				if len(c.Path) == 0 && len(need.Path) > 0 {
					ref.name = need.Path[0]
				}
				j.refs[i].from = append(j.refs[i].from, ref)
			})
		}
	}
}

// position returns where a row's values hold c.
func (s *joinSource) position(c vec.ColumnSpec) int32 {
	k := c.Key()
	i, ok := s.at[k]
	if !ok {
		i = len(s.need)
		s.at[k] = i
		s.need = append(s.need, c)
		s.seen = 0
	}
	return int32(i)
}

// settle runs the rows that joins were given and the changes of tables, in the
// order in which they came.
func (x *Executor) settle() {
	for _, c := range x.joining.changes {
		for _, n := range x.joining.joins {
			x.joinUpTo(n, c.order)
		}
		c.table.apply(c)
	}
	for _, n := range x.joining.joins {
		x.joinUpTo(n, math.MaxInt32)
	}
	x.forgetJoins()
}

// joinUpTo runs the rows of a join that came before order, unless it broke.
func (x *Executor) joinUpTo(n *live, order int32) {
	if j := n.join; x.live(j.num) == n {
		defer x.guardProgram(j.num, n.prog, x.scratch.depth)
		j.upTo(order)
	}
}

// forgetJoins drops what waits for settle.
func (x *Executor) forgetJoins() {
	for _, n := range x.joining.joins {
		clear(n.join.pending)
		n.join.pending, n.join.head = n.join.pending[:0], 0
	}
	clear(x.joining.changes)
	x.joining.joins, x.joining.changes = x.joining.joins[:0], x.joining.changes[:0]
}

// origin returns the position of a row in the batch that Run was given.
func (x *Executor) origin(row int32) int32 {
	if x.joining.origin != nil {
		return x.joining.origin[row]
	}
	return row
}

// take notes a row of source s for the end of the batch.
func (j *joiner) take(row pendingRow) {
	if len(j.pending) == 0 {
		j.x.joining.joins = append(j.x.joining.joins, j.n)
	}
	if j.crowded() {
		j.x.waiting.crowd(j.num)
	}
	j.srcs[row.src].in++
	j.pending = append(j.pending, row)
}

// upTo runs the pending rows that came before order.
func (j *joiner) upTo(order int32) {
	if j.head == 0 {
		slices.SortStableFunc(j.pending, func(a, b pendingRow) int {
			if a.order != b.order {
				return int(a.order - b.order)
			}
			return int(a.src - b.src)
		})
	}
	j.union = j.union[:0]
	for j.head < len(j.pending) && j.pending[j.head].order < order {
		j.union = append(j.union, j.pending[j.head].windowRow)
		j.head++
	}
	if len(j.union) == 0 {
		return
	}
	if j.order == nil {
		for part := range slices.Chunk(j.union, vec.MaxRows) {
			j.run(part)
		}
		return
	}
	j.takeInOrder(j.union)
}

// takeInOrder takes rows in event time, and runs those that the watermark has come to.
func (j *joiner) takeInOrder(rows []windowRow) {
	j.order.take(j, rows, func(rows []windowRow, more bool) {
		j.run(rows)
		if more {
			j.n.watermark(rows[len(rows)-1].ts)
		}
	})
	if j.order.begun {
		j.n.watermark(j.order.mark)
	}
}

// run takes rows through the windows of the program, and joins each alone for
// the rules that have none.
func (j *joiner) run(rows []windowRow) {
	j.n.in += uint64(len(rows))
	j.x.stats.Evaluations += uint64(len(rows)) * uint64(j.n.prog.Rules)
	if j.plan.Before != nil {
		if rows = j.passed(rows); len(rows) == 0 {
			return
		}
	}
	if len(j.n.windows) > 0 {
		j.running = rows
		m := j.x.enter()
		m.begin(j.n, j.alone(rows))
		m.memories = &j.memories
		for _, w := range j.n.windows {
			m.remember(w.recalled().single)
		}
		for _, w := range j.n.windows {
			w.feed(m)
		}
		j.x.leave()
	}
	if j.n.direct() {
		j.joinEach(rows)
	}
}

// alone makes a batch of rows that are not joined.
func (j *joiner) alone(rows []windowRow) *vec.Batch {
	b := j.open(&j.fed, len(rows))
	for c := range j.refs {
		if !j.refs[c].used {
			continue
		}
		for r, k := range rows {
			set(&b.Cols[c], r, j.single(c, k))
		}
	}
	for r, k := range rows {
		b.At[r] = k.ts
	}
	j.n.identity()
	return b
}

// direct tells whether n has rules that are in no window.
func (n *live) direct() bool {
	p := n.prog
	return p.Always != nil && len(p.Always.Send)+len(p.Always.Count) > 0 ||
		len(p.Ranks)+len(p.Equals)+len(p.Conds)+len(p.Serials) > 0
}

// open makes b an empty batch, of that many rows, with the program's columns.
func (j *joiner) open(b *vec.Batch, rows int) *vec.Batch {
	if len(b.Cols) < len(j.refs) {
		b.Cols = append(b.Cols, make([]vec.Column, len(j.refs)-len(b.Cols))...)
	}
	for i := range j.refs {
		b.Cols[i].Reset(rows)
	}
	b.Plan, b.Rows = &j.none, rows
	b.At = slices.Grow(b.At[:0], rows)[:rows]
	b.Clean = b.Clean.Grow(rows)
	return b
}

// single returns the value of column c for a row that is not joined.
func (j *joiner) single(c int, k windowRow) vec.Value {
	ref := &j.refs[c]
	if ref.merged {
		return j.merge(ref, func(src int32) []vec.Value {
			if src == k.src {
				return k.v
			}
			return nil
		})
	}
	for _, r := range ref.from {
		if r.src == k.src {
			return at(k.v, r.pos)
		}
	}
	return vec.Value{}
}

// at returns value i of a row; rows lack what was not asked for when they came.
func at(v []vec.Value, i int32) vec.Value {
	if int(i) < len(v) {
		return v[i]
	}
	return vec.Value{}
}

// value returns the value of column c for a joined row.
func (j *joiner) value(c int, t *tuples, row int) vec.Value {
	ref := &j.refs[c]
	if ref.merged {
		return j.merge(ref, func(src int32) []vec.Value { return j.row(t, src, row) })
	}
	for _, r := range ref.from {
		if v := at(j.row(t, r.src, row), r.pos); v.Kind != vec.Missing {
			return v
		}
	}
	return vec.Value{}
}

// row returns the values of source src in a joined row, nil: it has none.
func (j *joiner) row(t *tuples, src int32, row int) []vec.Value {
	if int(src) >= len(t.cols) {
		return nil
	}
	i := t.cols[src][row]
	if i < 0 {
		return nil
	}
	return j.srcs[src].rows[i].v
}

// merge makes one object of the rows of all sources. Of members that are called
// alike the first is taken. A row that is alone stays as it is.
func (j *joiner) merge(ref *joinColumn, row func(src int32) []vec.Value) vec.Value {
	var alone vec.Value
	var out map[string]any
	for _, r := range ref.from {
		v := at(row(r.src), r.pos)
		switch {
		case v.Kind == vec.Missing:
		case v.Kind == faultKind:
			return wrong
		case r.name == "" && alone.Kind == vec.Missing && out == nil:
			alone = v
		default:
			if out == nil {
				out = overlay(rawjson.Tree(alone), nil)
				alone = vec.Value{}
			}
			if r.name == "" {
				add, _ := rawjson.Tree(v).(map[string]any)
				for k, e := range add {
					put(out, k, e)
				}
			} else {
				put(out, r.name, rawjson.Tree(v))
			}
		}
	}
	if out != nil {
		return vec.TreeValue(out)
	}
	return alone
}

// put sets a member that is not there.
func put(m map[string]any, key string, v any) {
	if _, ok := m[key]; !ok {
		m[key] = v
	}
}

// JoinRows returns the rows that each stream and table of a join has given, by
// name; nil if num is no join's.
func (x *Executor) JoinRows(num uint32) map[string]uint64 {
	n := x.live(num)
	if n == nil || n.join == nil {
		return nil
	}
	out := map[string]uint64{}
	for i := range n.join.srcs {
		s := &n.join.srcs[i]
		out[s.def.Stream] = s.in
		if t := x.tableOf(s.def); t != nil && !s.def.External {
			out[s.def.Stream] = t.taken
		}
	}
	return out
}
