package sinks

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Apart says what of a destination may be slow while the rest of it is not: what is
// written together, and then waited for alone.
type Apart uint8

const (
	// Together destinations are slow or fast as a whole.
	Together Apart = iota
	// ByRule destinations write the messages of one rule at a time: each may be slow.
	ByRule
	// ByPlace destinations write the messages of one place at a time, see
	// Message.Place.
	ByPlace
)

// errPlace matches the errors of OfPlace.
var errPlace = errors.New("a place of the destination")

// OfPlace returns an error of Destination.Write with err's text that says: it is the
// place or the content of msgs[n] that fails, others may be delivered. The queue tries
// the rule's messages again by themselves, and goes on with the others.
func OfPlace(err error) error { return placeError{err} }

type placeError struct{ error }

func (e placeError) Unwrap() error        { return e.error }
func (e placeError) Is(target error) bool { return target == errPlace }

const (
	// maxAsides bounds the lanes that are set aside in one queue, and with them what
	// is under way at once. Rules beyond it share them.
	maxAsides = 256
	// asideMemory is what such a lane holds in memory before it writes to disk.
	asideMemory = 64 << 10
	// asideIdle is how long one without messages stays.
	asideIdle = 30 * time.Second
	// asideLog is how long nothing more is logged of rules that are set aside.
	asideLog = time.Minute
	// patience times what writes take otherwise is what one may take, if that is more
	// than Options.Patience.
	patience = 4
)

// asides are the lanes of rules whose messages are slow or fail while those of others
// are delivered. All messages go through the queue's own lanes; a worker that comes to
// one of a rule that was set aside hands it over, so the order of a rule is that of
// Put. A rule comes back when nothing of it is left aside and its last delivery was
// swift.
type asides struct {
	counters *Counters
	some     atomic.Bool

	mu     sync.Mutex // taken under the mu of a lane of the queue, before that of one here
	orders map[order]*lane
	lanes  []*lane
	made   int // lanes, ever
	next   int // of the rules that share lanes
	closed bool
}

// order is what messages are in order by: their rule, whatever numbers it had since it
// was started first, and the action. A number stands for a rule without an owner.
type order struct {
	owner string
	rule  uint32 // NoRule if there is an owner, or nobody knows the rule
	route *Route
}

func (a *asides) order(m *Message) order {
	if owner := a.counters.ownerOf(m.Rule); owner != "" {
		return order{owner, NoRule, m.Route}
	}
	return order{"", m.Rule, m.Route}
}

// find returns where the messages of m's rule are, nil if they are not set aside. The
// caller holds mu.
func (a *asides) find(m *Message) *lane {
	if l := a.orders[a.order(m)]; l != nil {
		return l
	}
	return a.orders[order{"", NoRule, m.Route}] // they may be of m's rule
}

// has tells whether the messages of m's rule are set aside.
func (a *asides) has(m *Message) bool {
	if !a.some.Load() {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.find(m) != nil
}

// follow hands the first messages of msgs over to where others of their rule are
// already, and returns how many that were. A rule that is well again is taken back.
func (a *asides) follow(msgs []Message, disk bool) (n int) {
	if !a.some.Load() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for n < len(msgs) {
		l := a.find(&msgs[n])
		if l == nil || a.takeBack(l) {
			return n
		}
		end := n + 1
		for end < len(msgs) && (sameAction(&msgs[end], &msgs[end-1]) || a.find(&msgs[end]) == l) {
			end++
		}
		l.hand(msgs[n:end], disk)
		n = end
	}
	return n
}

// takeBack ends l if nothing is left there and the last delivery was swift.
func (a *asides) takeBack(l *lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.idle || l.slow.Load() {
		return false
	}
	a.forget(l)
	return true
}

// expire ends l if nothing has come for some time.
func (a *asides) expire(l *lane) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle {
		a.forget(l)
	}
}

// makeRoom ends a lane that has nothing to do, if there is one. The caller holds mu.
func (a *asides) makeRoom() {
	for _, l := range a.lanes {
		l.mu.Lock()
		idle := l.idle
		if idle {
			a.forget(l)
		}
		l.mu.Unlock()
		if idle {
			return
		}
	}
}

// forget ends l, which is idle. The caller holds mu and that of l.
func (a *asides) forget(l *lane) {
	for o, x := range a.orders {
		if x == l {
			delete(a.orders, o)
		}
	}
	for i, x := range a.lanes {
		if x == l {
			a.lanes[i] = a.lanes[len(a.lanes)-1]
			a.lanes[len(a.lanes)-1] = nil
			a.lanes = a.lanes[:len(a.lanes)-1]
			break
		}
	}
	a.some.Store(len(a.lanes) > 0)
	l.closing = true
	l.wakeUp()
}

// all returns the lanes.
func (a *asides) all() []*lane {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*lane(nil), a.lanes...)
}

// close lets no more be set aside, and returns the lanes.
func (a *asides) close() []*lane {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	return a.all()
}

// setAside hands msgs, which are of one rule or one place and not aside yet, over to
// a lane. If that is a new one, it is not started yet: fresh says so. With share false
// only a new one will do.
func (q *Queue) setAside(msgs []Message, disk, share bool) (l *lane, fresh bool, err error) {
	a := &q.asides
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lanes) >= maxAsides {
		a.makeRoom()
	}
	if l = a.find(&msgs[0]); l != nil { // by another lane, which had some of its route meanwhile
		if !share {
			return nil, false, errors.New("the route is set aside")
		}
		l.hand(msgs, disk)
		return l, false, nil
	}
	switch {
	case a.closed:
		return nil, false, errors.New("the queue is closed")
	case len(a.lanes) < maxAsides:
		if l, err = q.newAside(); err != nil {
			return nil, false, err
		}
		a.lanes = append(a.lanes, l)
		fresh = true
	case !share:
		return nil, false, errors.New("too many rules are set aside")
	default:
		a.next++
		l = a.lanes[a.next%len(a.lanes)]
	}
	if a.orders == nil {
		a.orders = make(map[order]*lane)
	}
	for i := range msgs {
		if i == 0 || !sameAction(&msgs[i], &msgs[i-1]) {
			a.orders[a.order(&msgs[i])] = l
		}
	}
	a.some.Store(true)
	l.hand(msgs, disk)
	return l, fresh, nil
}

// newAside makes a lane. Its number was never used, or another that is just ending
// could remove its outbox. The caller holds asides.mu.
func (q *Queue) newAside() (*lane, error) {
	n := q.asides.made
	q.asides.made++
	outbox, err := q.outbox(asideKey(q.target.DestKey, q.gen, n))
	if err != nil {
		return nil, err
	}
	if outbox != nil && q.leaving.Load() {
		if err := outbox.Leave(); err != nil {
			return nil, err
		}
	}
	l := newLane(q, n, outbox, nil)
	l.aside = true
	return l, nil
}

// hand gives l messages that another lane had. What was on disk is on disk again
// before it is taken off there.
func (l *lane) hand(msgs []Message, disk bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	disk = disk && l.outbox != nil
	if disk {
		l.spilling = true
	}
	l.putLocked(msgs)
	if disk {
		l.flushTail()
	}
}
