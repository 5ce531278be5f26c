package exec

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// tumbling drives tumbling windows: [start, end), in processing time by the
// clock, in event time by the watermark.
type tumbling struct {
	start, end int64   // the open window; end 0: not begun
	panes      []*pane // cut where rules joined; the first begins at start
	free       *pane
	byClock    bool
	gids       []int32
	pass       []int32
}

// pane is what a part of a window gathered.
type pane struct {
	start int64
	seen  int // rows, those that the condition refused included
	count []int32
	order []int32 // groups in order of appearance
	aggs  []aggregate
	cols  [][]vec.Value // rows, by column of Window.Rows
	n     int           // rows kept
}

func newTumbling(x *Executor, w *window) *tumbling {
	t := &tumbling{byClock: !w.def.Spec.EventTime}
	if t.byClock {
		t.start, t.end = x.now, alignedEnd(x.now, w.def.Spec, x.env.Location)
	}
	return t
}

func (t *tumbling) deadline() int64 {
	if t.byClock {
		return t.end
	}
	return 0
}

func (t *tumbling) pane(w *window, start int64) *pane {
	p := t.free
	t.free = nil
	if p == nil {
		p = &pane{}
	}
	p.start = start
	p.fit(w.def)
	t.panes = append(t.panes, p)
	return p
}

// fit gives the pane the aggregates and columns of def.
func (p *pane) fit(def *planner.Window) {
	for len(p.aggs) < len(def.Aggs) {
		p.aggs = append(p.aggs, nil)
	}
	for i := range def.Aggs {
		if p.aggs[i] == nil && def.Aggs[i].Func != "" {
			p.aggs[i] = newAggregate(&def.Aggs[i])
			p.aggs[i].grow(len(p.count))
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

func (t *tumbling) adopt(w *window, old *planner.Window) {
	panes := t.panes
	if t.free != nil {
		panes = append(panes[:len(panes):len(panes)], t.free)
	}
	for _, p := range panes {
		for i := range p.aggs {
			if i < len(old.Aggs) && (i >= len(w.def.Aggs) || w.def.Aggs[i].Text != old.Aggs[i].Text) {
				p.aggs[i] = nil
			}
		}
		p.fit(w.def)
	}
}

// join cuts the open window for a rule that came.
func (t *tumbling) join(x *Executor, w *window, rule planner.RuleID) {
	n := len(t.panes)
	if n == 0 {
		return
	}
	if last := t.panes[n-1]; last.seen > 0 {
		t.pane(w, x.now)
		n++
	}
	if n > 1 {
		w.joins[rule] = n - 1
	}
}

// feed adds rows; rows of an event-time window come in order of time.
func (t *tumbling) feed(x *Executor, w *window, m *machine, rows []int32) {
	if !w.def.Spec.EventTime {
		t.advance(x, w, x.now)
		t.add(x, w, m, rows)
		return
	}
	at := m.batch.At
	for len(rows) > 0 {
		ts := at[rows[0]]
		if t.end == 0 {
			t.start, t.end = ts, alignedEnd(ts, w.def.Spec, x.env.Location)
		}
		t.advance(x, w, ts)
		i := 1
		for i < len(rows) && at[rows[i]] < t.end {
			i++
		}
		t.add(x, w, m, rows[:i])
		rows = rows[i:]
	}
}

// add puts rows of the open window into its last pane.
func (t *tumbling) add(x *Executor, w *window, m *machine, rows []int32) {
	t.pass = x.passing(w, m, rows, t.pass[:0])
	if !w.def.After {
		rows = t.pass // what WHERE refuses was never there
	}
	if len(rows) == 0 {
		return
	}
	if len(t.panes) == 0 {
		t.pane(w, t.start)
	}
	p := t.panes[len(t.panes)-1]
	if p.seen == 0 && w.def.Spec.EventTime && len(t.panes) > 1 {
		p.start = m.batch.At[rows[0]]
	}
	p.seen += len(rows)
	rows = t.pass
	if len(rows) == 0 {
		return
	}
	if !w.def.Group {
		p.keep(m, w.def, rows)
		return
	}
	t.gids = w.groups.number(m, w.def.Keys, rows, t.gids[:0])
	p.update(x, m, w, rows, t.gids)
}

// update adds rows, whose groups are gids, to every aggregate.
func (p *pane) update(x *Executor, m *machine, w *window, rows, gids []int32) {
	if n := w.groups.n; n > len(p.count) {
		p.count = enlarge(p.count, n+n/2)
		for _, a := range p.aggs {
			if a != nil {
				a.grow(len(p.count))
			}
		}
	}
	for _, g := range gids {
		if p.count[g] == 0 {
			p.order = append(p.order, g)
		}
		p.count[g]++
	}
	for i, a := range p.aggs {
		if a == nil {
			continue
		}
		def := &w.def.Aggs[i]
		if def.Filter == planner.NoStep {
			a.add(m, def, rows, gids)
			continue
		}
		c := m.col(def.Filter, nil)
		var r2, g2 []int32
		for k, r := range rows {
			if c.Kind != vec.Null && c.Value(int(r)).Truth() {
				r2, g2 = append(r2, r), append(g2, gids[k])
			}
		}
		a.add(m, def, r2, g2)
	}
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
			p.cols[i] = append(p.cols[i], m.value(s, int(r)).Clone())
		}
	}
	p.n += len(rows)
}

// advance closes every window that is over at now.
func (t *tumbling) advance(x *Executor, w *window, now int64) {
	empty := 0
	for t.end > 0 && now >= t.end {
		if len(t.panes) == 0 {
			if empty++; empty > maxEmpty {
				skip := (now - t.end) / w.def.Spec.Length
				x.stats.Capped += uint64(skip)
				t.start += skip * w.def.Spec.Length
				t.end += skip * w.def.Spec.Length
				empty = 0
				if now < t.end {
					return
				}
			}
		}
		t.fire(x, w)
		t.start = t.end
		t.end = nextEnd(t.end, w.def.Spec, x.env.Location)
	}
	if !w.def.Spec.EventTime && (x.deadlines == 0 || t.end < x.deadlines) {
		x.deadlines = t.end
	}
}

// fire emits the open window and empties it. A rule that joined while it was
// open gets the panes since then: panes are merged from the last to the first,
// and each rule is served where its first one was added.
func (t *tumbling) fire(x *Executor, w *window) {
	if len(t.panes) == 0 {
		t.pane(w, t.start)
	}
	joins := w.joins
	for k := len(t.panes) - 1; k > 0; k-- {
		late := k
		t.panes[k].send(x, w, t.end, func(r planner.RuleID) bool { return joins[r] == late })
		t.panes[k-1].merge(t.panes[k], w)
	}
	var keep func(planner.RuleID) bool
	if len(joins) > 0 {
		keep = func(r planner.RuleID) bool { return joins[r] == 0 }
	}
	t.panes[0].send(x, w, t.end, keep)
	w.active = len(t.panes[0].order)
	p := t.panes[0]
	p.reset()
	t.free = p
	clear(t.panes)
	t.panes = t.panes[:0]
	if len(joins) > 0 {
		clear(joins)
	}
	if w.groups.shrink(w.active) {
		t.free = nil
	}
}

// send emits what the pane gathered, from its start to the window's end.
func (p *pane) send(x *Executor, w *window, end int64, keep func(planner.RuleID) bool) {
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
	for i, c := range w.def.Cols {
		p.column(x, w, &b.Cols[i], c, n, end)
	}
	x.emit(w, b, keep)
}

// column writes one output column of a pane.
func (p *pane) column(x *Executor, w *window, dst *vec.Column, c planner.WindowCol, n int, end int64) {
	switch c.Kind {
	case planner.WindowStart:
		for r := range n {
			dst.SetInt(r, p.start)
		}
	case planner.WindowEnd:
		for r := range n {
			dst.SetInt(r, end)
		}
	case planner.WindowRow:
		for r := range n {
			dst.Set(r, p.cols[c.Index][r])
		}
	case planner.WindowKey:
		width := len(w.def.Keys)
		for r, g := range p.order {
			dst.Set(r, w.groups.keys[int(g)*width+c.Index])
		}
	case planner.WindowAgg:
		a := p.aggs[c.Index]
		if a == nil {
			return
		}
		for r, g := range p.order {
			a.result(x, dst, r, g)
		}
		if len(p.order) == 0 && w.def.Aggs[c.Index].Func == "collect" {
			dst.Set(0, vec.JSONValue("null"))
		}
	}
}

// merge adds what src, which came later, has to p.
func (p *pane) merge(src *pane, w *window) {
	if len(src.count) > len(p.count) {
		p.count = enlarge(p.count, len(src.count))
		for _, a := range p.aggs {
			if a != nil {
				a.grow(len(p.count))
			}
		}
	}
	for _, g := range src.order {
		if p.count[g] == 0 {
			p.order = append(p.order, g)
		}
		p.count[g] += src.count[g]
	}
	for i, a := range p.aggs {
		if a != nil && src.aggs[i] != nil {
			a.merge(src.aggs[i], src.order)
		}
	}
	for i := range p.cols {
		p.cols[i] = append(p.cols[i], src.cols[i]...)
	}
	p.n += src.n
	p.seen += src.seen
}

// reset empties a pane for the next window.
func (p *pane) reset() {
	for _, a := range p.aggs {
		if a != nil {
			a.reset(p.order)
		}
	}
	for _, g := range p.order {
		p.count[g] = 0
	}
	for i := range p.cols {
		clear(p.cols[i])
		p.cols[i] = p.cols[i][:0]
	}
	p.order, p.n, p.seen = p.order[:0], 0, 0
}
