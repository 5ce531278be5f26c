package exec

import "math"

// End says that no row will come to streams any more, or to the joins among them: rows
// that wait for their time in event time go on, and windows that time ends are sent
// with what they have, each as often as it holds something. A window that counts rows,
// or waits for one, has no end.
func (x *Executor) End(streams []uint32, now int64) Receipt {
	x.now = now
	for _, s := range streams {
		if n := x.live(s); n != nil {
			n.end()
		}
	}
	if len(x.joining.joins) > 0 || len(x.joining.changes) > 0 {
		x.settle()
	}
	x.schedule()
	return x.receipt(0)
}

func (n *live) end() {
	for _, o := range n.orders {
		o.end()
		o.stage.out.end()
	}
	if n.join != nil && n.join.order != nil {
		n.join.endOrder()
	}
	for _, w := range n.windows {
		w.end()
	}
}

// end releases the rows that wait for the watermark.
func (o *eventOrder) end() {
	defer o.x.guardStage(&o.stage, o.x.scratch.depth)
	if n := len(o.rows); n > 0 {
		o.reach(o.rows[n-1].ts)
		o.release()
	}
}

// endOrder does the same for the rows of a join.
func (j *joiner) endOrder() {
	o := j.order
	if n := len(o.rows); n > 0 {
		o.reach(o.rows[n-1].ts)
		j.takeInOrder(nil)
	}
}

// end sends what a window holds.
func (w *window) end() {
	if w.dead {
		return
	}
	defer w.x.guardWindow(w, w.x.scratch.depth)
	if w.view == nil {
		w.kind.(*rowWindow).end()
		return
	}
	if w.view.leads() {
		w.view.ring.end()
	}
}

// end fires the windows of r one after the other: time does not go on for the others.
func (r *ring) end() {
	r.flush()
	for _, v := range r.views {
		for v.holds() {
			v.pass(v.due())
		}
	}
	r.tidy()
}

// holds tells whether rows of v wait for a window to end.
func (v *view) holds() bool {
	for _, p := range v.panes {
		if p.seen > 0 {
			return true
		}
	}
	return false
}

func (r *rowWindow) end() {
	h, ok := r.form.(*hopping)
	if !ok {
		r.form.time(math.MaxInt64)
		return
	}
	for len(r.rows) > 0 {
		h.time(h.due())
	}
}
