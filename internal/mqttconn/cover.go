package mqttconn

// The cover is the set of filters that the broker is asked for: every topic that
// a subscription wants is in it exactly once, as brokers differ in how often
// they send what several filters of one connection match. So a filter that
// another one covers is left out, and filters that overlap are joined into one
// that covers both; what that brings in addition belongs to nobody and is
// counted. A shared filter is a subscription apart, which only brings its share.

// cover makes the broker be asked for f. A newcomer wants the retained messages
// again that the broker has sent to others before.
func (t *table) cover(f *filter, qos byte, newcomer bool) {
	if f.shared() {
		t.want(f, qos, newcomer)
		return
	}
	if w := t.covering(f); w != nil {
		t.want(w, qos, newcomer)
		return
	}
	g := f
	for o := t.partial(g); o != nil; o = t.partial(g) {
		part := g
		g = t.filter(join(g.match, o.match))
		t.drop(part)
	}
	for _, o := range t.under(g) {
		qos = max(qos, o.wantQoS)
		t.unwant(o)
	}
	t.want(g, qos, newcomer)
}

// uncover ends what only f was asked for.
func (t *table) uncover(f *filter) {
	w := f
	if !f.shared() {
		w = t.covering(f)
	}
	if w == nil || len(w.subs) > 0 {
		return
	}
	t.unwant(w)
	if !wild(w.match) || w.shared() {
		return
	}
	t.split(w)
}

// split covers anew, one by one, what w has covered.
func (t *table) split(w *filter) {
	for _, u := range t.overlapping(w) {
		if len(u.subs) > 0 && !u.shared() && !u.refused && covers(w.match, u.match) {
			t.cover(u, t.qos(u), false)
		}
	}
}

// qos is the highest that a subscription with filter f wants.
func (t *table) qos(f *filter) byte {
	var q byte
	for _, id := range f.subs {
		q = max(q, t.subs[id].qos)
	}
	return q
}

// covering returns the filter of the cover that covers f, nil if there is none.
func (t *table) covering(f *filter) *filter {
	if f.want {
		return f
	}
	var found *filter
	t.tree.coverers(f.match, func(w *filter) {
		if w.want && !w.shared() {
			found = w
		}
	})
	return found
}

// partial returns a filter of the cover that overlaps g without g covering it,
// nil if there is none or the broker refused what would cover both.
func (t *table) partial(g *filter) *filter {
	if !wild(g.match) {
		return nil // what overlaps a topic covers it
	}
	var found *filter
	t.tree.overlapping(g.match, func(o *filter) {
		if o.want && o != g && !o.shared() && !covers(g.match, o.match) && !t.denied[join(g.match, o.match)] {
			found = o
		}
	})
	return found
}

// under returns the filters of the cover that g covers, but for g itself.
func (t *table) under(g *filter) []*filter {
	if !wild(g.match) {
		return nil
	}
	var list []*filter
	for _, o := range t.overlapping(g) {
		if o.want && o != g && !o.shared() && covers(g.match, o.match) {
			list = append(list, o)
		}
	}
	return list
}

func (t *table) want(f *filter, qos byte, newcomer bool) {
	if f.want && qos <= f.wantQoS && !newcomer {
		return
	}
	if f.want && newcomer && (f.sent || f.acked) {
		f.replay = true
	}
	f.want, f.wantQoS = true, max(qos, f.wantQoS)
	t.queue(f)
}

func (t *table) unwant(f *filter) {
	f.want, f.wantQoS, f.replay = false, 0, false
	t.queue(f)
}

func (t *table) queue(f *filter) {
	if !f.queued {
		f.queued = true
		t.dirty = append(t.dirty, f)
	}
}

// refuse notes that the broker does not let us have f. What f covers is asked for
// by itself: the broker may allow that and not the wider filter.
func (t *table) refuse(f *filter) {
	f.acked = false
	if !f.want {
		return
	}
	t.unwant(f)
	f.refused = len(f.subs) > 0
	if t.denied == nil {
		t.denied = make(map[string]bool)
	}
	t.denied[f.match] = true
	if wild(f.match) && !f.shared() {
		t.split(f)
	}
}

// retry makes the broker be asked again for what it refused.
func (t *table) retry() {
	if len(t.denied) == 0 {
		return
	}
	t.denied = nil
	for f := range t.all() {
		if !f.refused {
			continue
		}
		f.refused = false
		for _, id := range f.subs {
			t.subs[id].asked = false
		}
		t.cover(f, t.qos(f), false)
	}
}

// reset makes the broker be asked for the whole cover again: its session is new.
func (t *table) reset() {
	for _, s := range t.subs {
		s.asked, s.stale = false, false
	}
	for f := range t.all() {
		f.sent, f.acked, f.replay, f.sentQoS = false, false, false, 0
		if f.want {
			t.queue(f)
		}
	}
	t.retry()
}

// resume goes on with a session that the broker kept: what was under way when
// the connection broke is asked again.
func (t *table) resume() {
	for f := range t.all() {
		if f.sent {
			f.sent = false
			t.queue(f)
		}
	}
}

// take returns the filters to subscribe to. Once there are none, and none are
// under way, it returns those to unsubscribe from: what replaces a filter is
// there before it goes.
func (t *table) take() (on, off []*filter) {
	rest, busy := t.dirty[:0], false
	for _, f := range t.dirty {
		ask := f.want && (!f.acked || f.sentQoS < f.wantQoS || f.replay)
		switch {
		case f.sent:
			rest, busy = append(rest, f), true
		case ask:
			f.queued = false
			f.sent, f.sentQoS, f.replay = true, f.wantQoS, false
			on = append(on, f)
		case !f.want && f.acked:
			rest = append(rest, f)
		default: // nothing to say any more
			f.queued = false
			t.drop(f)
		}
	}
	clear(t.dirty[len(rest):])
	t.dirty = rest
	if len(on) > 0 || busy {
		t.newcomers(on)
		return on, nil
	}
	off, t.dirty = t.dirty, nil
	for _, f := range off {
		f.queued, f.acked = false, false
		t.drop(f)
	}
	return nil, off
}

// farewell returns what is to be said before the connection ends for good. Brokers take
// packets in their order, so nobody has to wait for the answers.
func (t *table) farewell() (on, off []*filter) {
	taken := func(fs []*filter) {
		for _, f := range fs {
			f.acked = f.acked || f.sent
			f.sent = false
		}
	}
	taken(t.dirty)
	on, off = t.take()
	if len(on) > 0 {
		taken(on)
		_, off = t.take()
	}
	return on, off
}

// newcomers marks for whom the retained messages are that subscribing to on
// replays: for subscriptions that were not asked for before, and for no other
// that on overlaps.
func (t *table) newcomers(on []*filter) {
	var fresh []*sub
	mark := func(id SubID) {
		s := t.subs[id]
		if s.asked {
			s.stale = true
		} else {
			fresh = append(fresh, s)
		}
	}
	for _, w := range on {
		if !wild(w.match) {
			for _, id := range w.subs {
				mark(id)
			}
			continue
		}
		for _, u := range t.overlapping(w) {
			for _, id := range u.subs {
				mark(id)
			}
		}
	}
	for _, s := range fresh {
		s.asked, s.stale = true, false
	}
}
