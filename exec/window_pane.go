package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// pane is what a part of a window gathered.
type pane struct {
	part   int64 // of the view, see hops
	seen   int   // rows, those that the condition refused included
	admits bool  // rules were admitted with it: they see nothing before it
	start  int64 // when they were
	count  []int32
	order  []int32 // groups in order of appearance
	aggs   []agg.State
	cols   [][]vec.Value        // rows, by column of Window.Rows
	n      int                  // rows kept
	gids   []int32              // scratch of add
	forms  map[int32][]vec.Kind // of the keys of groups that have a null one, as the first row has them
}

// fit gives the pane the aggregates and columns of def.
func (p *pane) fit(def *planner.Window) {
	for len(p.aggs) < len(def.Aggs) {
		p.aggs = append(p.aggs, nil)
	}
	for i := range def.Aggs {
		if p.aggs[i] == nil && def.Aggs[i].Func != "" {
			p.aggs[i] = agg.New(&def.Aggs[i])
			p.aggs[i].Grow(len(p.count))
		}
	}
	for len(p.cols) < len(def.Rows) {
		p.cols = append(p.cols, nil)
	}
	for i := range p.cols {
		for len(p.cols[i]) < p.n {
			p.cols[i] = append(p.cols[i], vec.Value{})
		}
	}
}

// adopt makes a pane that is laid out as old one that is laid out as def. Where
// def is shorter, what lies behind its end goes: panes are merged position by
// position, and the base of a ring becomes a view's pane and back.
func (p *pane) adopt(def, old *planner.Window) {
	for i := range min(len(p.aggs), len(def.Aggs)) {
		if i < len(old.Aggs) && def.Aggs[i].Text != old.Aggs[i].Text {
			p.aggs[i] = nil
		}
	}
	p.aggs = cut(p.aggs, len(def.Aggs))
	p.cols = cut(p.cols, len(def.Rows))
	p.fit(def)
}

// cut returns the first n elements of s, or all; what it takes off is let go.
func cut[T any](s []T, n int) []T {
	if len(s) <= n {
		return s
	}
	clear(s[n:])
	return s[:n]
}

// grow makes room for a number of groups.
func (p *pane) grow(groups int) {
	if groups <= len(p.count) {
		return
	}
	p.count = append(p.count, make([]int32, groups+groups/2-len(p.count))...)
	for _, a := range p.aggs {
		if a != nil {
			a.Grow(len(p.count))
		}
	}
}

// update adds rows, whose groups are gids of all, to every aggregate of def.
func (p *pane) update(m *machine, def *planner.Window, all *agg.Groups, rows, gids []int32) {
	p.grow(all.Len())
	for i, g := range gids {
		if p.count[g] == 0 {
			p.order = append(p.order, g)
			if all.IsNull(g) {
				p.form(m, def, g, int(rows[i]))
			}
		}
		p.count[g]++
	}
	for i := 0; i < len(p.aggs); {
		i = p.updateFrom(m, def, i, rows, gids)
	}
}

// updateFrom is update for the aggregates from position i on. It returns how far it
// came: one that panics is broken from then on, and the others go on.
func (p *pane) updateFrom(m *machine, def *planner.Window, i int, rows, gids []int32) (next int) {
	defer func() {
		if r := recover(); r != nil {
			p.aggs[i] = &agg.Broken{Text: m.x.putAside(nil, r)} // result names the rules
			next = i + 1
		}
	}()
	for ; i < len(p.aggs); i++ {
		a := p.aggs[i]
		if a == nil {
			continue
		}
		d := &def.Aggs[i]
		of, groups := rows, gids
		if d.Filter != planner.NoStep {
			of, groups = m.chosen(d.Filter, rows, gids)
		}
		a.Add(m.input(d.Args), of, groups)
	}
	return i
}

// chosen returns those of rows for which cond, the FILTER of an aggregate, is true,
// and their groups. Both are valid until the next call.
func (m *machine) chosen(cond planner.StepID, rows, gids []int32) (of, groups []int32) {
	of, groups = m.filterRows[:0], m.filterGids[:0]
	if c := m.col(cond, nil); c.Kind != vec.Null {
		for i, r := range rows {
			if c.Value(int(r)).Truth() {
				of, groups = append(of, r), append(groups, gids[i])
			}
		}
	}
	m.filterRows, m.filterGids = of, groups
	return of, groups
}

// add adds rows that meet the conditions of w.
func (p *pane) add(m *machine, w *window, rows []int32) {
	switch {
	case len(rows) == 0:
	case w.def.Group:
		p.gids = w.groups.Number(m.columns(w.def.Keys), rows, p.gids[:0])
		p.update(m, w.def, w.groups, rows, p.gids)
	default:
		p.keep(m, w.def, rows)
	}
}

// form notes which keys of group g are null, and which are missing, in its first
// row: a window writes the ones and leaves out the others.
func (p *pane) form(m *machine, def *planner.Window, g int32, row int) {
	f := make([]vec.Kind, len(def.Keys))
	for i, k := range def.Keys {
		f[i] = m.value(k, row).Kind
	}
	p.setForm(g, f)
}

func (p *pane) setForm(g int32, f []vec.Kind) {
	if p.forms == nil {
		p.forms = map[int32][]vec.Kind{}
	}
	p.forms[g] = f
}

// keep copies the columns that rules need of rows.
func (p *pane) keep(m *machine, def *planner.Window, rows []int32) {
	for i, s := range def.Rows {
		if s == planner.NoStep {
			for range rows {
				p.cols[i] = append(p.cols[i], vec.Value{})
			}
			continue
		}
		m.col(s, nil)
		for _, r := range rows {
			v := m.value(s, int(r)).Clone()
			if m.failed(s, int(r)) {
				v = vec.Value{Kind: faultKind, S: m.why(s, int(r))}
			}
			p.cols[i] = append(p.cols[i], v)
		}
	}
	p.n += len(rows)
}

// merge adds what src, which came later, has to p. from says which aggregate of
// src each of p is; nil: they are the same.
func (p *pane) merge(src *pane, from []int) {
	if len(src.order) > 0 {
		p.grow(len(src.count))
	}
	for _, g := range src.order {
		if p.count[g] == 0 {
			p.order = append(p.order, g)
			if f, ok := src.forms[g]; ok {
				p.setForm(g, f)
			}
		}
		p.count[g] += src.count[g]
	}
	for i := 0; i < len(p.aggs); {
		i = p.mergeFrom(src, from, i)
	}
	for i := range p.cols {
		p.cols[i] = append(p.cols[i], src.cols[i]...)
	}
	p.n += src.n
	p.seen += src.seen
}

// mergeFrom merges the aggregates from position i on, as updateFrom updates them.
func (p *pane) mergeFrom(src *pane, from []int, i int) (next int) {
	defer func() {
		if next > 0 { // it came to the end: a window merges hundreds of panes for a row
			return
		}
		if r := recover(); r != nil {
			p.aggs[i] = &agg.Broken{Text: brokenText(r)}
			next = i + 1
		}
	}()
	aggs := p.aggs
	for j := i; j < len(aggs); j++ {
		i = j // the guard needs it; what it captures is in memory, so the loop counts with j
		k := j
		if from != nil {
			k = from[j]
		}
		to, other := aggs[j], src.aggs[k]
		if to == nil || other == nil {
			continue
		}
		if broken, ok := other.(*agg.Broken); ok {
			aggs[j] = broken
			continue
		}
		to.Merge(other, src.order)
	}
	return len(aggs)
}

// reset empties a pane.
func (p *pane) reset() {
	for _, a := range p.aggs {
		if a != nil {
			a.Reset(p.order)
		}
	}
	for _, g := range p.order {
		p.count[g] = 0
	}
	for i := range p.cols {
		clear(p.cols[i])
		p.cols[i] = p.cols[i][:0]
	}
	clear(p.forms)
	p.order, p.n, p.seen = p.order[:0], 0, 0
}

// renumber gives group g the number ids[g], out of n; -1: nobody has it.
func (p *pane) renumber(ids []int32, n int) {
	count := make([]int32, n)
	for _, g := range p.order {
		count[ids[g]] = p.count[g]
	}
	p.count = count
	for i, g := range p.order {
		p.order[i] = ids[g]
	}
	forms := p.forms
	p.forms = nil
	for g, f := range forms {
		p.setForm(ids[g], f)
	}
	for _, a := range p.aggs {
		if a != nil {
			a.Renumber(ids, n)
		}
	}
}

// send emits what the pane gathered as a window from start to end, to the rules
// that keep chooses.
func (p *pane) send(w *window, start, end int64, keep func(planner.RuleID) bool) {
	n := len(p.order)
	switch {
	case !w.def.Group:
		n = p.n
	case n == 0 && len(w.def.Keys) == 0:
		n = 1 // aggregates of nothing
	}
	if n == 0 && w.def.Group {
		return
	}
	if p.seen > 0 && p.n == 0 && len(p.order) == 0 {
		return // rows came, but the condition refused them all
	}
	b := w.open(n, end)
	clear(w.notes)
	for i, c := range w.def.Cols {
		dst := &b.Cols[i]
		switch c.Kind {
		case planner.ColStart:
			fillInt(dst, n, start)
		case planner.ColEnd:
			fillInt(dst, n, end)
		case planner.ColRow:
			for r := range n {
				v := p.cols[c.Index][r]
				if set(dst, r, v); v.Kind == faultKind {
					w.note(i, r, v.S)
				}
			}
		case planner.ColKey:
			p.key(w, dst, c.Index)
		case planner.ColAgg:
			p.result(w, dst, i)
		}
	}
	w.emit(b, keep)
}

func fillInt(dst *vec.Column, rows int, v int64) {
	for r := range rows {
		dst.SetInt(r, v)
	}
}

// key writes key i of every group.
func (p *pane) key(w *window, dst *vec.Column, i int) {
	for r, g := range p.order {
		v := w.groups.Key(g, i)
		if v.IsNull() {
			v.Kind = p.forms[g][i]
		}
		dst.Set(r, v)
	}
}

// result writes the aggregate of output column col of every group. Of no group at
// all it writes nothing, but for collect, which is null then, as in eKuiper.
func (p *pane) result(w *window, dst *vec.Column, col int) {
	i := w.def.Cols[col].Index
	a := p.aggs[i]
	if a == nil {
		return
	}
	if !p.results(w, dst, col, a) || isBroken(a) {
		w.breakColumn(dst, col, p)
	}
	if len(p.order) == 0 && w.def.Aggs[i].Func == "collect" {
		dst.SetNull(0)
	}
}

// results writes the values of a in order of the groups; false: it panicked.
func (p *pane) results(w *window, dst *vec.Column, col int, a agg.State) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.aggs[w.def.Cols[col].Index] = &agg.Broken{Text: brokenText(r)}
		}
	}()
	for r, g := range p.order {
		if note := a.Result(&w.x.ctx, dst, r, g); note != "" {
			w.note(col, r, note)
		}
	}
	return true
}

func isBroken(a agg.State) bool {
	_, is := a.(*agg.Broken)
	return is
}

// breakColumn makes an output column whose aggregate broke a fault of every row, and
// puts the rules aside that read it.
func (w *window) breakColumn(dst *vec.Column, col int, p *pane) {
	b := p.aggs[w.def.Cols[col].Index].(*agg.Broken)
	dst.Reset(w.batch.Rows)
	for r := range w.batch.Rows {
		dst.SetFault(r)
		w.note(col, r, b.Text)
	}
	rules := w.def.Out.RulesOfColumn(col)
	if slices.ContainsFunc(rules, func(r planner.RuleID) bool { return !w.x.broken.rules[r] }) {
		w.x.putAsideFor(rules, b.Text)
	}
}
