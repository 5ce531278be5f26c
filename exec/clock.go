package exec

import "github.com/weir-engine/weir/planner"

// Jump says that the clock was set by so many ms, and that it is now. Processing time
// goes on as if nothing had happened: rows keep their ages, and what is said of times
// is said by the new clock. Windows whose ends are round times close the open one at the
// next of the new clock, so that it lasts shorter or longer than its length, by less
// than that; none is lost, sent twice or made up of nothing.
func (x *Executor) Jump(by, now int64) Receipt {
	x.advance(now - by)
	x.now = now
	for _, n := range x.streams {
		if n != nil {
			n.jump(by, now)
		}
	}
	x.jumpHits(by)
	for _, caches := range x.caches {
		for _, c := range caches {
			c.jump(by)
		}
	}
	x.schedule()
	return x.receipt(0)
}

// jumpHits moves the times of the last results, but for rules in event time.
func (x *Executor) jumpHits(by int64) {
	event := map[planner.RuleID]bool{}
	for _, n := range x.streams {
		if n == nil {
			continue
		}
		for _, o := range n.orders {
			for _, m := range o.def.Members {
				event[m.Rule] = true
			}
		}
		for _, w := range n.windows { // over a join
			for _, m := range w.def.Members {
				event[m.Rule] = event[m.Rule] || w.def.Spec.EventTime
			}
		}
	}
	for rule, at := range x.stats.hit {
		if at > 0 && !event[planner.RuleID(rule)] {
			x.stats.hit[rule] += by
		}
	}
}

func (n *live) jump(by, now int64) {
	for _, w := range n.windows {
		if !w.def.Spec.EventTime {
			w.jump(by, now)
		}
	}
	for _, o := range n.orders {
		o.out.jump(by, now)
	}
}

func (w *window) jump(by, now int64) {
	if !w.dead {
		defer w.x.guardWindow(w, w.x.scratch.depth)
		w.kind.jump(by, now)
	}
}

func (v *view) jump(by, now int64) {
	v.hops.jump(by, now, v.spec(), v.zone())
	for _, p := range v.panes {
		p.start += by
	}
}

func (r *rowWindow) jump(by, now int64) {
	r.form.time(now - by) // a part of a hop may be over
	shift(r.rows, by)
	r.form.jump(by, now)
}

func (h *hopping) jump(by, now int64) {
	h.hops.jump(by, now, h.r.spec(), h.r.x.env.Location)
}

func (s *sliding) jump(by, _ int64) {
	for i := range s.due {
		s.due[i] += by
	}
	if len(s.due) > 0 {
		s.at += by
	}
}

func (s *session) jump(by, _ int64) {
	s.start, s.last = s.start+by, s.last+by
	if len(s.r.rows) > 0 {
		s.look()
	}
}

func (c *counting) jump(int64, int64) {}

func (s *state) jump(by, _ int64) {
	for _, rows := range s.open {
		shift(rows, by)
	}
}

func shift(rows []windowRow, by int64) {
	for i := range rows {
		rows[i].ts += by
	}
}

// jump moves the times at which what is kept is out of date.
func (c *lookupCache) jump(by int64) {
	for k, e := range c.entries {
		if e.until != forever {
			e.until += by
			c.entries[k] = e
		}
	}
}
