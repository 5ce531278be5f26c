//go:build invariants

package exec

import (
	"fmt"
	"reflect"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// check panics unless the base and the panes of all views are laid out as their
// definitions say. Panes are merged and swapped position by position, so one with
// more or other parts than its definition is a window with wrong rows, or an index
// beyond an end, many batches later.
func (r *ring) check() {
	if r.base.seen > 0 {
		panic("bug: ring " + r.key + ": the base has rows while its layout changes")
	}
	checkPane("the base of "+r.key, r.base, r.def, r.groups.Len())
	for i, v := range r.views {
		name := fmt.Sprintf("view %d of %s", i, r.key)
		v.checkFrom(name)
		for _, ps := range [][]*pane{v.panes, v.free, {v.back, v.acc}} {
			for _, p := range ps {
				if p != nil {
					checkPane(name, p, v.w.def, r.groups.Len())
				}
			}
		}
		if v.flip > len(v.panes) || v.merged > len(v.panes) || v.open && len(v.panes) == 0 {
			panic(fmt.Sprintf("bug: %s: %d panes, flip %d, merged %d, open %v", name, len(v.panes), v.flip, v.merged, v.open))
		}
	}
}

// lent panics if b, which is given back, was given back before, and poisons it.
func (x *Executor) lent(b vec.Bitmap) {
	if cap(b) == 0 {
		return
	}
	for _, o := range x.scratch.bitmaps {
		if cap(o) > 0 && &o[:1][0] == &b[:1][0] {
			panic("bug: a bitmap is given back twice")
		}
	}
	b.Poison()
}

// checkFrom panics unless each aggregate of v is where from says in the base.
func (v *view) checkFrom(name string) {
	def, base := v.w.def, v.ring.def
	if v.from == nil {
		if len(v.ring.views) > 1 || def != base {
			panic("bug: " + name + ": it takes the base as it is, which is not its own")
		}
		return
	}
	if len(v.from) != len(def.Aggs) {
		panic(fmt.Sprintf("bug: %s: %d places of %d aggregates", name, len(v.from), len(def.Aggs)))
	}
	for i, k := range v.from {
		if base.Aggs[k].Text != def.Aggs[i].Text {
			panic(fmt.Sprintf("bug: %s: %q is taken from %q", name, def.Aggs[i].Text, base.Aggs[k].Text))
		}
	}
}

func checkPane(name string, p *pane, def *planner.Window, groups int) {
	if len(p.aggs) != len(def.Aggs) || len(p.cols) != len(def.Rows) {
		panic(fmt.Sprintf("bug: %s: a pane with %d aggregates and %d columns, want %d and %d", name, len(p.aggs), len(p.cols), len(def.Aggs), len(def.Rows)))
	}
	for i, a := range p.aggs {
		if (a == nil) != (def.Aggs[i].Func == "") || a != nil && reflect.TypeOf(a) != reflect.TypeOf(agg.New(&def.Aggs[i])) {
			panic(fmt.Sprintf("bug: %s: aggregate %d is %T, want that of %q", name, i, a, def.Aggs[i].Text))
		}
	}
	for i, c := range p.cols {
		if len(c) != p.n {
			panic(fmt.Sprintf("bug: %s: column %d has %d rows of %d", name, i, len(c), p.n))
		}
	}
	for _, g := range p.order {
		if int(g) >= groups || p.count[g] == 0 {
			panic(fmt.Sprintf("bug: %s: group %d of %d, with no rows", name, g, groups))
		}
	}
}

// checkPaid panics if a rule is owed the text of a fault while its program is left:
// the columns that say why are another batch's from here on.
func (x *Executor) checkPaid() {
	if n := len(x.sending.debts.open); n > 0 {
		panic(fmt.Sprintf("bug: %d rules are owed the text of a fault", n))
	}
}
