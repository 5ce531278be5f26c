package sinks

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/weir-engine/weir/internal/store"
)

// The outboxes of a destination. The messages of a rule are in one lane while a process
// lives, but not in that of the process before, so what several processes left has to
// come out process by process. Each process that finds something left writes outboxes
// of the next generation: of its lanes, and of what it sets aside. The latter is older
// than all that was left when it was set aside, so the way out is
//
//	what was set aside, the last generation first; then lanes, the first generation
//	first; then what this process queues.
//
// Without anything left the generation is 0, and has the keys of versions without any.

// laneKey is the key of the outbox of a lane.
func laneKey(dest string, n, gen int) string {
	switch {
	case gen > 0:
		return fmt.Sprintf("%s #%d.%d", dest, n, gen)
	case n == 0:
		return dest
	}
	return fmt.Sprintf("%s #%d", dest, n)
}

// asideKey is that of what is set aside.
func asideKey(dest string, gen, n int) string { return fmt.Sprintf("%s ~%d.%d", dest, n, gen) }

// keyForm is what may stand behind the destination.
var keyForm = regexp.MustCompile(`^ ([#~])([0-9]{1,9})(?:\.([0-9]{1,9}))?$`)

// leftBox is an outbox in which something is left.
type leftBox struct {
	box    *store.Outbox
	aside  bool
	n, gen int
}

// parseKey reads the key of an outbox of dest; ok is false if it is none.
func parseKey(dest, key string) (b leftBox, ok bool) {
	tail, ok := strings.CutPrefix(key, dest)
	if !ok || tail == "" {
		return b, ok
	}
	m := keyForm.FindStringSubmatch(tail)
	if m == nil {
		return b, false
	}
	b.aside = m[1] == "~"
	b.n, _ = strconv.Atoi(m[2])
	b.gen, _ = strconv.Atoi(m[3]) // "" is 0
	return b, true
}

// phase is a step on the way out: a lane comes to the next when all are through.
type phase struct {
	lanes atomic.Int32  // that are not
	done  chan struct{} // closed when none is
}

// agedBox is an outbox with the phase in which it is delivered.
type agedBox struct {
	*store.Outbox
	phase int
}

// leftBehind returns what earlier processes left, for each of n lanes in the order of
// delivery, and sets gen and phases.
func (q *Queue) leftBehind(n int) ([][]agedBox, error) {
	older := make([][]agedBox, n)
	if q.st == nil {
		return older, nil
	}
	boxes, err := q.leftBoxes()
	if err != nil || len(boxes) == 0 {
		return older, err
	}
	slices.SortFunc(boxes, func(a, b leftBox) int {
		switch {
		case a.aside && b.aside:
			return cmp.Compare(b.gen, a.gen)
		case a.aside:
			return -1
		case b.aside:
			return 1
		}
		return cmp.Compare(a.gen, b.gen)
	})
	for i, b := range boxes {
		q.gen = max(q.gen, b.gen+1)
		if i == 0 || b.aside != boxes[i-1].aside || !b.aside && b.gen != boxes[i-1].gen {
			p := &phase{done: make(chan struct{})}
			p.lanes.Store(int32(n))
			q.phases = append(q.phases, p)
		}
		to := 0
		if !b.aside {
			to = b.n % n
		}
		older[to] = append(older[to], agedBox{b.box, len(q.phases) - 1})
	}
	return older, nil
}

// leftBoxes opens the outboxes of the destination in which something is left, and
// removes the others.
func (q *Queue) leftBoxes() (boxes []leftBox, err error) {
	keys, err := q.st.OutboxesOf(q.target.DestKey)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		b, ok := parseKey(q.target.DestKey, key)
		if !ok {
			continue // of a destination whose name begins alike
		}
		if b.box, err = q.outbox(key); err != nil {
			return nil, err
		}
		switch messages, _ := b.box.Backlog(); {
		case messages > 0:
			boxes = append(boxes, b)
		case b.gen > 0:
			if err := b.box.Remove(); err != nil {
				return nil, err
			}
		}
	}
	return boxes, nil
}

// reach waits until what is to be delivered before phase p is through in all lanes; p
// beyond the last is what this process queues. It returns false if the lane ends
// before.
func (l *lane) reach(p int) bool {
	if l.aside || len(l.q.phases) == 0 {
		return true
	}
	l.pass(p)
	if p == 0 {
		return true
	}
	select {
	case <-l.q.phases[p-1].done:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// pass notes that the lane is through with the phases before p.
func (l *lane) pass(p int) {
	for !l.aside && l.phase < min(p, len(l.q.phases)) {
		if ph := l.q.phases[l.phase]; ph.lanes.Add(-1) == 0 {
			close(ph.done)
		}
		l.phase++
	}
}
