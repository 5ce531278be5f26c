package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
)

// blockRows is how many rows of a window are aggregated once, for all windows
// that they are in.
const blockRows = 64

// blocks are panes of blockRows rows each of a window that fires with nearly the
// same rows again and again: a firing merges those that lie in it and replays only
// the rows at its ends. The n-th block has the rows from n*blockRows on, counted
// from the first that ever came.
type blocks struct {
	on    bool // the aggregates can be merged without keeping rows
	first int  // number of the window's first row
	at    int  // number of panes[0]
	panes []*pane
	free  []*pane
	aggs  []planner.Agg
}

// adopt looks at the aggregates of def; it tells whether they are others than
// before.
func (b *blocks) adopt(def *planner.Window) bool {
	b.on = def.Group
	for _, a := range def.Aggs {
		if f, ok := fn.Lookup(a.Func); a.Func != "" && a.Func != "first" && (a.Diff || !ok || !f.Parts) {
			b.on = false
		}
	}
	same := slices.EqualFunc(b.aggs, def.Aggs, func(x, y planner.Agg) bool { return x.Text == y.Text })
	b.aggs = def.Aggs
	return !same
}

// clear forgets all blocks: they are computed anew when they are wanted.
func (b *blocks) clear() { b.panes, b.free, b.at = nil, nil, b.first/blockRows }

// forget says that the window's first n rows are gone.
func (b *blocks) forget(n int) {
	b.first += n
	gone := min(b.first/blockRows-b.at, len(b.panes))
	for i := range max(gone, 0) {
		if p := b.panes[i]; p != nil {
			p.reset()
			b.free = append(b.free, p)
		}
	}
	if gone > 0 {
		b.panes = slices.Delete(b.panes, 0, gone)
		b.at += gone
	}
	if len(b.panes) == 0 {
		b.at = b.first / blockRows
	}
}

// merge adds the rows from lo to hi, counted from the window's first, to p.
func (r *rowWindow) merge(p *pane, lo, hi int) {
	b := &r.parts
	from, to := (b.first+lo+blockRows-1)/blockRows, (b.first+hi)/blockRows
	r.gather(p, r.rows[lo:from*blockRows-b.first])
	for n := from; n < to; n++ {
		for len(b.panes) <= n-b.at {
			b.panes = append(b.panes, nil)
		}
		at := &b.panes[n-b.at]
		if *at == nil {
			*at = &pane{}
			if k := len(b.free); k > 0 {
				*at, b.free = b.free[k-1], b.free[:k-1]
			}
			(*at).fit(r.w.def)
			i := n*blockRows - b.first
			r.gather(*at, r.rows[i:i+blockRows])
		}
		p.merge(*at, nil)
	}
	r.gather(p, r.rows[to*blockRows-b.first:hi])
}
