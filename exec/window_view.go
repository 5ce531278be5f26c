package exec

import (
	"maps"
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// maxFree is how many empty panes a window keeps for later.
const maxFree = 4

// view drives a tumbling or hopping window over a ring: [start, end), in
// processing time by the clock, in event time by the watermark. Its panes are
// cut where a window begins or ends, and where a rule is admitted.
//
// The panes of a window are merged by two stacks, as described in Tangwongsan,
// Hirzel, Schneider: Low-Latency Sliding-Window Aggregation in Worst-Case Constant
// Time, DEBS 2017. Those before flip hold all that came from their start to flip,
// back holds what came since, so that any window is one pane and back.
type view struct {
	ring *ring
	w    *window
	from []int // aggregates of the ring's base; nil: the same

	begin int64 // where the first window begins
	prev  int64 // end of the last window
	end   int64 // of the open window; 0: not begun
	cutAt int64 // where a window begins before end; 0: none does

	panes    []*pane
	open     bool  // the last pane takes rows
	since    int64 // where the next pane begins
	flip     int
	merged   int   // panes up to it are in back
	back     *pane // nil: as empty
	acc      *pane // scratch of fire
	free     []*pane
	admitted map[planner.RuleID]*pane // rules that see no pane before theirs
	active   int                      // groups of the last window
}

func newView(w *window, r *ring) *view {
	v := &view{ring: r, w: w}
	w.groups = &r.groups
	if !w.def.Spec.EventTime {
		v.start(w.x.now)
	}
	return v
}

// leads tells whether v feeds the ring.
func (v *view) leads() bool { return len(v.ring.views) > 0 && v.ring.views[0] == v }

func (v *view) start(now int64) {
	v.begin, v.prev, v.since = now, now, now
	v.end = alignedEnd(now, v.w.def.Spec, v.w.x.env.Location)
	v.cuts()
}

// cuts finds where a later window begins before the open one ends.
func (v *view) cuts() {
	v.cutAt = 0
	s := &v.w.def.Spec
	if s.Kind != sql.HoppingWindow {
		return
	}
	if rest := s.Length % s.Interval; rest > 0 && v.end-rest > v.prev {
		v.cutAt = v.end - rest
	}
}

// due returns when v has something to do.
func (v *view) due() int64 {
	if v.cutAt > 0 {
		return v.cutAt
	}
	return v.end
}

func (v *view) deadline() int64 {
	if v.w.def.Spec.EventTime {
		return 0
	}
	return v.due()
}

func (v *view) feed(m *machine, rows []int32) { v.ring.feed(m, rows) }

// advance is called for every view; the first one's moves the ring.
func (v *view) advance(now int64) {
	if v.leads() {
		v.ring.advance(now)
	}
}

// pass closes every window that is over at now. The ring's base is empty.
func (v *view) pass(now int64) {
	s := &v.w.def.Spec
	hop := s.Length
	if s.Kind == sql.HoppingWindow {
		hop = s.Interval
	}
	for empty := 0; v.end > 0 && now >= v.due(); {
		if v.cutAt > 0 {
			v.cut(v.cutAt)
			v.cutAt = 0
			continue
		}
		if len(v.panes) == 0 || len(v.panes) == 1 && v.panes[0].seen == 0 {
			if empty++; empty > maxEmpty {
				skip := (now - v.end) / hop
				v.w.cap(skip)
				v.prev += skip * hop
				v.end += skip * hop
				v.since = v.prev
				v.cuts()
				empty = 0
				if now < v.end {
					break
				}
			}
		}
		v.fire()
		v.prev = v.end
		v.end = nextEnd(v.end, *s, v.w.x.env.Location)
		v.cut(v.prev)
		v.cuts()
		v.drop(v.opens())
	}
	v.w.x.due(v.deadline())
}

// opens returns where the open window begins.
func (v *view) opens() int64 {
	if s := &v.w.def.Spec; s.Kind == sql.HoppingWindow {
		return max(v.end-s.Length, v.begin)
	}
	return v.prev
}

// push opens a pane that begins at start.
func (v *view) push(start int64) *pane {
	p := v.empty()
	p.start = start
	v.panes = append(v.panes, p)
	v.open = true
	return p
}

// empty returns a pane without rows.
func (v *view) empty() *pane {
	if n := len(v.free); n > 0 {
		p := v.free[n-1]
		v.free = v.free[:n-1]
		return p
	}
	p := &pane{}
	p.fit(v.w.def)
	return p
}

// cut ends the open pane; the next one begins at the same time. An empty one begins anew.
func (v *view) cut(at int64) {
	v.since = at
	if n := len(v.panes) - 1; v.open && v.panes[n].seen == 0 {
		v.panes[n].start = at
		v.flip, v.merged = min(v.flip, n), min(v.merged, n)
		return
	}
	v.open = false
}

// take adds what the ring's base gathered since the last cut.
func (v *view) take(base *pane) {
	if !v.open {
		v.push(v.since)
	}
	p := v.panes[len(v.panes)-1]
	if p.seen > 0 {
		p.merge(base, v.from)
		return
	}
	start := p.start
	if v.w.def.Spec.EventTime && len(v.panes) > 1 {
		start = base.start
	}
	if len(v.ring.views) == 1 {
		*p, *base = *base, *p
		p.admits, base.admits = base.admits, false
	} else {
		p.merge(base, v.from)
	}
	p.start = start
}

// admit cuts the open window for a rule that came.
func (v *view) admit(rule planner.RuleID) {
	n := len(v.panes)
	if n == 0 {
		return
	}
	p := v.panes[n-1]
	if !v.open || p.seen > 0 {
		p = v.push(v.w.x.now)
		n++
	}
	if n > 1 {
		if v.admitted == nil {
			v.admitted = map[planner.RuleID]*pane{}
		}
		v.admitted[rule], p.admits = p, true
	}
}

func (v *view) adopt(old *planner.Window) {
	for _, ps := range [][]*pane{v.panes, v.free, {v.back, v.acc}} {
		for _, p := range ps {
			if p != nil {
				p.adopt(v.w.def, old)
			}
		}
	}
}

// fire emits the open window. A rule that came later gets the panes since then.
func (v *view) fire() {
	start, n := v.opens(), len(v.panes)
	if n == 0 {
		v.push(start)
		n = 1
	}
	if v.flip == 0 || slices.ContainsFunc(v.panes[v.flip:], func(p *pane) bool { return p.admits }) {
		v.turn()
	}
	for ; v.merged < n; v.merged++ {
		if v.back == nil {
			v.back = v.empty()
		}
		v.back.merge(v.panes[v.merged], nil)
	}
	for i := n - 1; i > 0; i-- {
		if p := v.panes[i]; p.admits {
			v.whole(p).send(v.w, v.starts(p.start), v.end, func(r planner.RuleID) bool { return v.admitted[r] == p })
		}
	}
	var keep func(planner.RuleID) bool
	if len(v.admitted) > 0 {
		keep = func(r planner.RuleID) bool { return v.admitted[r] == nil }
	}
	p := v.whole(v.panes[0])
	p.send(v.w, v.starts(start), v.end, keep)
	v.active = len(p.order)
}

// starts returns what window_start() tells of the open window, for rules that
// see it from begin on.
func (v *view) starts(begin int64) int64 {
	if s := v.w.def.Spec; s.Kind == sql.HoppingWindow {
		return hopStart(s, begin, v.end)
	}
	return begin
}

// turn makes every pane hold all that came from its start on. No rows may come
// to the last one any more.
func (v *view) turn() {
	n := len(v.panes)
	for i := n - 2; i >= v.flip; i-- {
		v.panes[i].merge(v.panes[i+1], nil)
	}
	if v.flip < n {
		for _, p := range v.panes[:v.flip] {
			p.merge(v.panes[v.flip], nil)
		}
	}
	v.flip, v.merged = n, n
	if v.back != nil {
		v.back.reset()
	}
}

// whole returns what came from the start of p, which is before flip.
func (v *view) whole(p *pane) *pane {
	if v.flip == len(v.panes) {
		return p
	}
	if v.acc == nil {
		v.acc = v.empty()
	}
	v.acc.reset()
	v.acc.merge(p, nil)
	v.acc.merge(v.back, nil)
	return v.acc
}

// drop forgets the panes before start.
func (v *view) drop(start int64) {
	n := 0
	for n < len(v.panes) && v.panes[n].start < start {
		p := v.panes[n]
		v.settle(p)
		p.reset()
		if len(v.free) < maxFree {
			v.free = append(v.free, p)
		}
		n++
	}
	v.panes = slices.Delete(v.panes, 0, n)
	v.flip, v.merged = max(v.flip-n, 0), max(v.merged-n, 0)
	if len(v.panes) > 0 {
		v.settle(v.panes[0])
	} else {
		v.open = false
	}
}

// settle makes the rules that were admitted at p like those that were there before.
func (v *view) settle(p *pane) {
	if p.admits {
		p.admits = false
		maps.DeleteFunc(v.admitted, func(_ planner.RuleID, at *pane) bool { return at == p })
	}
}
