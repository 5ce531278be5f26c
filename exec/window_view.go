package exec

import (
	"maps"
	"slices"
	"time"

	"github.com/weir-engine/weir/planner"
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
	hops

	panes    []*pane
	open     bool // the last pane takes rows
	flip     int
	merged   int   // panes up to it are in back
	back     *pane // nil: as empty
	acc      *pane // scratch of fire
	free     []*pane
	admitted map[planner.RuleID]*pane // rules that see no pane before theirs
	outside  *pane                    // in event time: of the rules that have seen no row yet; nil: there are none
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

func (v *view) spec() *planner.WindowSpec { return &v.w.def.Spec }

func (v *view) zone() *time.Location { return v.w.x.env.Location }

func (v *view) start(now int64) { v.hops.start(now, v.spec(), v.zone()) }

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
	for empty := 0; v.end > 0 && now >= v.due(); {
		if v.cutAt > 0 {
			v.divided()
			v.nextPart()
			continue
		}
		if len(v.panes) == 0 || len(v.panes) == 1 && v.panes[0].seen == 0 {
			if empty++; empty > maxEmpty {
				v.w.cap(v.skip(now, v.spec(), v.zone()))
				empty = 0
				continue
			}
		}
		v.fire()
		v.next(v.spec(), v.zone())
		v.nextPart()
	}
	v.w.x.due(v.deadline())
}

// push opens a pane of the open part.
func (v *view) push() *pane {
	p := v.empty()
	p.part = v.part
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

// nextPart ends the open pane, as another part begins, and forgets what no window holds.
func (v *view) nextPart() {
	if n := len(v.panes) - 1; v.open && v.panes[n].seen == 0 {
		v.panes[n].part = v.part
		v.flip, v.merged = min(v.flip, n), min(v.merged, n)
	} else {
		v.open = false
	}
	v.drop(v.oldest(v.spec()))
}

// take adds what the ring's base gathered since the last cut.
func (v *view) take(base *pane) {
	if !v.open {
		v.push()
	}
	p := v.panes[len(v.panes)-1]
	if p.seen > 0 || len(v.ring.views) > 1 {
		p.merge(base, v.from)
		return
	}
	*p, *base = *base, *p
	p.part, p.start, p.admits = base.part, base.start, base.admits
	base.part, base.start, base.admits = 0, 0, false
}

// enter has rule enter the window: in event time with its first row, as it would
// alone.
func (v *view) enter(rule planner.RuleID) {
	switch {
	case !v.spec().EventTime:
		v.admit(rule, v.w.x.now)
	case v.end > 0:
		if v.outside == nil {
			v.outside = &pane{}
		}
		v.see(rule, v.outside)
	}
}

// arrive says that a row at ts is the first one of rules that wait for it, or of all.
func (v *view) arrive(ts int64) {
	if v.end == 0 {
		v.start(ts)
		return
	}
	for rule, p := range v.admitted {
		if p == v.outside {
			delete(v.admitted, rule)
			v.admit(rule, ts)
		}
	}
	v.outside = nil
}

// admit has rule see nothing that came before at. The ring's base is empty.
func (v *view) admit(rule planner.RuleID, at int64) {
	n := len(v.panes)
	if n == 0 && at == v.prev {
		return // the window begins with it
	}
	if p := v.last(); !v.open || p.seen > 0 || !p.admits || p.start != at && v.tellsStart() {
		v.push()
	}
	p := v.last()
	if !p.admits {
		p.start, p.admits = at, true
	}
	v.see(rule, p)
}

// see has rule see the window from pane p on.
func (v *view) see(rule planner.RuleID, p *pane) {
	if v.admitted == nil {
		v.admitted = map[planner.RuleID]*pane{}
	}
	v.admitted[rule] = p
}

// last returns the pane that was opened last; nil: there is none.
func (v *view) last() *pane {
	if n := len(v.panes); n > 0 {
		return v.panes[n-1]
	}
	return nil
}

// tellsStart tells whether a rule of the window reads window_start().
func (v *view) tellsStart() bool {
	return slices.ContainsFunc(v.w.def.Cols, func(c planner.StageCol) bool { return c.Kind == planner.ColStart })
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
	if len(v.panes) == 0 {
		v.push()
	}
	n := len(v.panes)
	if v.flip == 0 || slices.ContainsFunc(v.panes[v.flip:], func(p *pane) bool { return p.admits }) {
		v.turn()
	}
	for ; v.merged < n; v.merged++ {
		if v.back == nil {
			v.back = v.empty()
		}
		v.back.merge(v.panes[v.merged], nil)
	}
	for _, p := range slices.Backward(v.panes) {
		if p.admits {
			v.send(p, p.start, func(r planner.RuleID) bool { return v.admitted[r] == p })
		}
	}
	var keep func(planner.RuleID) bool
	if len(v.admitted) > 0 {
		keep = func(r planner.RuleID) bool { return v.admitted[r] == nil }
	}
	v.send(v.panes[0], v.prev, keep)
	v.active = len(v.panes[0].order)
}

// send emits what came from the start of p on to the rules that keep chooses, who
// see the window from a time on.
func (v *view) send(p *pane, from int64, keep func(planner.RuleID) bool) {
	v.whole(p).send(v.w, v.starts(from, v.spec(), v.zone()), v.end, keep)
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

// drop forgets the panes of parts before the first. Rules whose first window is the open
// one, which is shorter than its hop, enter it anew: it tells them when they came.
func (v *view) drop(first int64) {
	var early []entered
	n := 0
	for n < len(v.panes) && v.panes[n].part < first {
		p := v.panes[n]
		if p.admits && p.start > v.prev {
			early = append(early, v.enteredAt(p)...)
		}
		v.settle(p)
		p.reset()
		if len(v.free) < maxFree {
			v.free = append(v.free, p)
		}
		n++
	}
	v.panes = slices.Delete(v.panes, 0, n)
	v.flip, v.merged = max(v.flip-n, 0), max(v.merged-n, 0)
	if len(v.panes) == 0 {
		v.open = false
	} else if v.prev >= v.panes[0].start {
		v.settle(v.panes[0])
	}
	for _, e := range early {
		v.admit(e.rule, e.at)
	}
}

// entered is when a rule entered the window.
type entered struct {
	rule planner.RuleID
	at   int64
}

// enteredAt returns the rules that see the window from pane p on.
func (v *view) enteredAt(p *pane) (rules []entered) {
	for rule, at := range v.admitted {
		if at == p {
			rules = append(rules, entered{rule, p.start})
		}
	}
	return rules
}

// settle makes the rules that were admitted at p like those that were there before.
func (v *view) settle(p *pane) {
	if p.admits {
		p.admits = false
		maps.DeleteFunc(v.admitted, func(_ planner.RuleID, at *pane) bool { return at == p })
	}
}
