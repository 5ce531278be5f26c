package exec

import (
	"math"
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
)

// ring gathers the rows of all windows that differ in nothing but their lengths:
// same rows, filter, conditions and groups. A row is added once, to the base
// pane; at every point where one of the windows is cut, the base is merged into
// all of them.
//
// What always holds: the base has the aggregates of all windows, in the places that
// each view's from names (nil: the ring has one view, and base and panes have the
// same places, so that they are swapped instead of merged); the base is empty when a
// pane begins or ends, when a window fires, and when definitions change, which is why
// whoever does one of these calls flush before; group numbers are the ring's, the same
// in the base and in all panes. Builds with the tag invariants check the places.
//
// So eighty windows over one stream cost one look at each row, and a merge of what
// came since where one of them is cut: rows are what there is most of.
type ring struct {
	x     *Executor
	key   string
	views []*view           // the first one's definition stands for the others'
	defs  []*planner.Window // of views
	def   *planner.Window
	base  *pane
	gids  []int32
	pass  []int32

	groups agg.Groups
}

// ringOf returns the ring of one of the windows that def's rows are gathered by,
// or a new one.
func ringOf(x *Executor, def *planner.Window, windows ...[]*window) *ring {
	for _, ws := range windows {
		for _, w := range ws {
			if v := w.view; v != nil && !w.dead && v.ring.key == def.Ring {
				return v.ring
			}
		}
	}
	return &ring{x: x, key: def.Ring, base: &pane{}}
}

// rings calls f for every ring of n.
func (n *live) rings(f func(*ring)) {
	for _, w := range n.windows {
		if v := w.view; v != nil && !w.dead && v.leads() {
			f(v.ring)
		}
	}
}

// regroup makes views those of n that are on r. The base is empty.
func (r *ring) regroup(n *live) {
	same, was := true, len(r.views)
	r.views = r.views[:0]
	for _, w := range n.windows {
		if v := w.view; v != nil && v.ring == r {
			i := len(r.views)
			r.views = append(r.views, v)
			if i == len(r.defs) {
				r.defs = append(r.defs, nil)
			}
			same = same && i < was && r.defs[i] == w.def
			r.defs[i] = w.def
		}
	}
	if same && len(r.views) == was {
		return
	}
	clear(r.defs[len(r.views):])
	r.defs = r.defs[:len(r.views)]
	old := r.def
	r.def = r.union()
	if old != nil {
		r.base.adopt(r.def, old)
	}
	r.base.fit(r.def)
	r.check()
}

// union returns the definition of the base: the first view's with the aggregates
// and the rules of all.
func (r *ring) union() *planner.Window {
	first := r.views[0].w.def
	r.views[0].from = nil
	if len(r.views) == 1 {
		return first
	}
	def := *first
	def.Aggs, def.Members = slices.Clone(def.Aggs), nil
	at := map[string]int{}
	for i, a := range def.Aggs {
		at[a.Text] = i
	}
	rules := 0
	for _, d := range r.defs {
		rules += len(d.Members)
	}
	def.Members = make([]planner.Member, 0, rules)
	for _, v := range r.views {
		def.Members = append(def.Members, v.w.def.Members...)
		v.from = make([]int, 0, len(v.w.def.Aggs)) // not nil, even if there are none
		for _, a := range v.w.def.Aggs {
			i, ok := at[a.Text]
			if !ok {
				i = len(def.Aggs)
				at[a.Text] = i
				def.Aggs = append(def.Aggs, a)
			}
			v.from = append(v.from, i)
		}
	}
	return &def
}

// feed adds rows; rows of event-time windows come in order of time.
func (r *ring) feed(m *machine, rows []int32) {
	if !r.def.Spec.EventTime {
		r.advance(r.x.now)
		r.add(m, rows)
		return
	}
	at := m.batch.At
	for len(rows) > 0 {
		ts := at[rows[0]]
		next := r.advance(ts)
		for _, v := range r.views {
			if v.end == 0 || v.outside != nil {
				r.flush()
				v.arrive(ts)
				next = min(next, v.due())
			}
		}
		i := 1
		for i < len(rows) && at[rows[i]] < next {
			i++
		}
		r.add(m, rows[:i])
		rows = rows[i:]
	}
}

// advance closes and cuts all that is due at now, and returns when the next is.
func (r *ring) advance(now int64) int64 {
	next := int64(math.MaxInt64)
	for _, v := range r.views {
		if v.end == 0 {
			continue
		}
		if now >= v.due() {
			r.flush()
			v.pass(now)
		}
		next = min(next, v.due())
	}
	r.tidy()
	return next
}

// add puts rows into the base.
func (r *ring) add(m *machine, rows []int32) {
	r.pass = r.x.passing(r.def, m, rows, r.pass[:0])
	if !r.def.After {
		rows = r.pass // what WHERE refuses was never there
	}
	if len(rows) == 0 {
		return
	}
	r.base.seen += len(rows)
	rows = r.pass
	switch {
	case len(rows) == 0:
	case !r.def.Group:
		r.base.keep(m, r.def, rows)
	default:
		r.gids = r.groups.Number(m.columns(r.def.Keys), rows, r.gids[:0])
		r.base.update(m, r.def, &r.groups, rows, r.gids)
	}
}

// flush hands what the base has to the views.
func (r *ring) flush() {
	if r.base.seen == 0 {
		return
	}
	for _, v := range r.views {
		v.take(r.base)
	}
	r.base.reset()
}

// maxIdle is how many groups may be kept that no pane has.
const maxIdle = 1024

// tidy forgets the groups that no pane has if they are most of them: keys that
// come and go must not fill the memory.
func (r *ring) tidy() {
	active := 0
	for _, v := range r.views {
		active = max(active, v.active)
	}
	if r.base.seen > 0 || r.groups.Len()-active <= maxIdle || active*2 > r.groups.Len() {
		return
	}
	used := make([]int32, r.groups.Len())
	n := int32(0)
	for _, v := range r.views {
		for _, p := range v.panes {
			for _, g := range p.order {
				if used[g] == 0 {
					n++
					used[g] = n
				}
			}
		}
	}
	if int(n)*2 > r.groups.Len() {
		for _, v := range r.views { // not before the next window ends
			v.active = r.groups.Len()
		}
		return
	}
	for g := range used {
		used[g]--
	}
	r.groups.Renumber(used, int(n))
	r.base = &pane{}
	r.base.fit(r.def)
	for _, v := range r.views {
		v.free, v.acc = nil, nil
		for _, p := range v.panes {
			p.renumber(used, int(n))
		}
		if v.flip == 0 { // the next firing makes it anew; it may have groups of panes that are gone
			v.back = nil
		}
		if v.back != nil {
			v.back.renumber(used, int(n))
		}
	}
}
