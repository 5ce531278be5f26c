package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// ErrUsed matches the error of Discard for a destination that is in use.
var ErrUsed = errors.New("destination is used")

// ErrNothing matches the error about a destination for which nothing waits.
var ErrNothing = errors.New("nothing waits for the destination")

// Waiting is what waits for one destination.
type Waiting struct {
	DestKey string
	// Label is the text of Target.Label; nil: it is not known.
	Label []byte
	// Uses is the number of Acquires that were not released. Open says that there
	// is a queue, which delivers also when nobody uses it any more.
	Uses int
	Open bool
	// Left says that the last user has gone, in an earlier process, and what waits
	// was to be delivered all the same.
	Left bool
	// Messages and Bytes are the backlog, OldestMs is when its first message came,
	// 0 if that is not known.
	Messages, Bytes int64
	OldestMs        int64
}

// destLabel is the label of an outbox: the destination, so that a lane is found to
// be one, and the Target's own.
func destLabel(dest string, label []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(dest)))
	return append(append(b, dest...), label...)
}

// splitLabel returns the destination and the Target's label of an outbox. One of an
// earlier version has no label.
func splitLabel(key string, label []byte) (dest string, own []byte) {
	if n, k := binary.Uvarint(label); k > 0 && n <= uint64(len(label)-k) {
		return string(label[k : k+int(n)]), label[k+int(n):]
	}
	if i := max(strings.LastIndex(key, " #"), strings.LastIndex(key, " ~")); i > 0 {
		if _, ok := parseKey(key[:i], key); ok {
			return key[:i], nil
		}
	}
	return key, nil
}

// Waiting returns what waits for each destination, sorted by DestKey, also for those
// that nobody uses since an earlier process ended.
func (s *Queues) Waiting() ([]Waiting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*Waiting{}
	if err := s.stored(all, true); err != nil {
		return nil, err
	}
	for _, r := range s.m {
		if r.q == nil {
			continue // it is being given up
		}
		w := all[r.q.DestKey()]
		if w == nil {
			w = &Waiting{DestKey: r.q.DestKey()}
			all[w.DestKey] = w
		}
		w.Open, w.Uses = true, r.refs
		w.Messages, w.Bytes = r.q.Backlog()
		w.OldestMs = 0
		for _, l := range slices.Concat(r.q.lanes, r.q.asides.all()) {
			w.older(l.oldest())
		}
	}
	out := make([]Waiting, 0, len(all))
	for _, w := range all {
		if w.Messages > 0 || w.Uses > 0 {
			out = append(out, *w)
		}
	}
	slices.SortFunc(out, func(a, b Waiting) int { return strings.Compare(a.DestKey, b.DestKey) })
	return out, nil
}

// older takes the time of another message into account.
func (w *Waiting) older(ms int64) {
	if ms > 0 && (w.OldestMs == 0 || ms < w.OldestMs) {
		w.OldestMs = ms
	}
}

// Left returns the sums of what waits for destinations that have no queue.
func (s *Queues) Left() (messages, bytes int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*Waiting{}
	if err := s.stored(all, false); err != nil {
		return 0, 0, err
	}
	for _, w := range all { // those that have one are listed empty
		messages += w.Messages
		bytes += w.Bytes
	}
	return messages, bytes, nil
}

// stored adds the outboxes of the store, with the time of the oldest message of each
// if times is set. The caller holds mu.
func (s *Queues) stored(all map[string]*Waiting, times bool) error {
	if s.st == nil {
		return nil
	}
	keys, err := s.st.Outboxes()
	if err != nil {
		return err
	}
	for _, key := range keys {
		box, err := s.st.Outbox(key)
		if err != nil {
			return err
		}
		text, left := box.Label()
		dest, label := splitLabel(key, text)
		w := all[dest]
		if w == nil {
			w = &Waiting{DestKey: dest}
			all[dest] = w
		}
		if label != nil {
			w.Label = label
		}
		w.Left = w.Left || left
		if s.m[dest] != nil {
			continue // the queue knows better
		}
		messages, bytes := box.Backlog()
		w.Messages += messages
		w.Bytes += bytes
		if times && messages > 0 {
			w.older(oldestOf(box))
		}
	}
	return nil
}

// oldestOf returns when the first message of an outbox came, 0 if that is not known.
func oldestOf(box *store.Outbox) (ms int64) {
	// A fault shows when the messages are to be delivered.
	_ = box.First(func(data []byte) { _, ms, _ = openBlock(data) })
	return ms
}

// oldest returns when the first message of the lane came, 0 if none waits.
func (l *lane) oldest() (ms int64) {
	if ms = l.busy.Load(); ms > 0 {
		return ms
	}
	ms, box := l.front()
	if box != nil { // which is read without mu: put wants it
		return oldestOf(box)
	}
	return ms
}

// front returns when the first message in memory came, 0 if there is none, and the
// outbox in which one is before it.
func (l *lane) front() (ms int64, box *store.Outbox) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.mem) > 0:
		return l.mem[0].since, nil
	case l.spilling:
		box, _ = l.box()
	}
	if len(l.tail) > 0 {
		ms = l.tail[0].since
	}
	return ms, box
}

// Discard gives up everything that waits for a destination that nobody uses, and
// returns how many messages that were. What a worker is just sending may still
// arrive.
func (s *Queues) Discard(dest string) (messages int64, err error) {
	s.mu.Lock()
	r := s.m[dest]
	switch {
	case s.closed:
		s.mu.Unlock()
		return 0, fmt.Errorf("%s: sinks are closed", dest)
	case r != nil && (r.refs > 0 || r.closing != nil):
		s.mu.Unlock()
		return 0, fmt.Errorf("%s: %w", dest, ErrUsed)
	case r == nil:
		r = &queueRef{}
		s.m[dest] = r
	}
	q := r.q
	r.q, r.closing = nil, make(chan struct{}) // whoever wants the queue waits
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	if q != nil {
		messages = int64(q.discard())
	}
	n, err := s.removeStored(dest)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, dest)
	close(r.closing)
	if q != nil {
		st := q.Stats()
		s.gone.merge(&st)
	}
	s.gone.Lost[loss.Discarded] += uint64(n)
	if messages += n; messages == 0 && err == nil {
		err = fmt.Errorf("%s: %w", dest, ErrNothing)
	}
	return messages, err
}

// discard ends the queue without delivering or saving what waits.
func (q *Queue) discard() (messages uint64) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	forget(q.lanes)
	forget(q.asides.close()) // which took what the others handed over
	lost := q.lost.Counts()
	return lost[loss.Discarded]
}

// forget ends lanes without delivering or saving what waits.
func forget(lanes []*lane) {
	for _, l := range lanes {
		l.forget.Store(true)
		l.cancel()
	}
	for _, l := range lanes {
		<-l.done
	}
}

// giveUp drops everything that waits, on disk too, and counts it.
func (l *lane) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	messages, bytes := int64(0), int64(0)
	for _, box := range l.boxes() {
		m, by := box.Backlog()
		messages, bytes = messages+m, bytes+by
		if err := box.Each(l.counting(l.q.counters.leave)); err != nil {
			l.q.failed(err, 0)
		}
		if err := box.Remove(); err != nil {
			l.q.o.Logger.Error("messages that were given up are still there", "destination", l.q.target.DestKey, "err", err)
		}
	}
	for _, c := range slices.Concat(l.mem, l.tail) {
		messages += int64(len(c.msgs))
		l.q.counters.leave(c.msgs)
		l.memBytes -= c.bytes
		l.q.memBytes.Add(-c.bytes)
	}
	l.mem, l.tail = nil, nil
	l.q.lost.Add(loss.Discarded, uint64(messages))
	l.q.settled(messages, bytes)
}

// removeStored removes the outboxes of a destination that has no queue.
func (s *Queues) removeStored(dest string) (messages int64, err error) {
	if s.st == nil {
		return 0, nil
	}
	keys, err := s.st.Outboxes()
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		box, err := s.st.Outbox(key)
		if err != nil {
			return messages, err
		}
		label, _ := box.Label()
		if d, _ := splitLabel(key, label); d != dest {
			continue
		}
		n, _ := box.Backlog()
		if err := box.Remove(); err != nil {
			return messages, err
		}
		messages += n
	}
	return messages, nil
}

// Sweep removes the outboxes in which nothing is left and that nobody uses: each
// destination that was ever slow has one. It returns what waits for destinations
// without a queue.
func (s *Queues) Sweep() (left []Waiting, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*Waiting{}
	if err := s.stored(all, false); err != nil {
		return nil, err
	}
	for dest, w := range all {
		switch {
		case s.m[dest] != nil:
		case w.Messages > 0:
			left = append(left, *w)
		default:
			if _, err := s.removeStored(dest); err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// DeliverLeft delivers what waits for a destination though nobody uses it, in this
// process and in those that follow, until nothing is left.
func (s *Queues) DeliverLeft(t Target) error {
	q, err := s.Acquire(t)
	if err != nil {
		return err
	}
	q.leave()
	s.Release(q)
	return nil
}

// leave notes that what waits for q is to be delivered, also by a later process.
func (q *Queue) leave() {
	q.leaving.Store(true) // first, or what is set aside meanwhile would not know
	for _, l := range slices.Concat(q.lanes, q.asides.all()) {
		l.mu.Lock()
		boxes := l.boxes()
		l.mu.Unlock()
		for _, box := range boxes {
			if err := box.Leave(); err != nil {
				q.disk(err)
			}
		}
	}
}
