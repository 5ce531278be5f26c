package sinks

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
)

// owners know whose messages are by their numbers. A number is of this process; an owner
// is a text, on disk too, that nobody else ever has: what a rule that is deleted leaves
// behind cannot be taken for that of another one of its name.
type owners struct {
	drops atomic.Pointer[map[string]bool] // owners whose messages are given up; nil: none

	earlierMu sync.Mutex
	earlier   []string // by number, from firstEarlier on
	numbers   map[string]uint32
}

// Own says whose the messages with a number are. The text must not change.
func (c *Counters) Own(rule uint32, owner *string) { c.grown(rule)[rule%pageRules].owner.Store(owner) }

// ownerOf returns whose the messages with a number are, "" if that is not known.
func (c *Counters) ownerOf(rule uint32) string {
	if rule == NoRule {
		return ""
	}
	if rule >= firstEarlier {
		c.earlierMu.Lock()
		defer c.earlierMu.Unlock()
		return c.owners.earlier[rule-firstEarlier]
	}
	if p := c.page(rule); p != nil {
		if o := p[rule%pageRules].owner.Load(); o != nil {
			return *o
		}
	}
	return ""
}

// earlierOf returns the number of an owner whose messages an earlier process queued.
func (c *Counters) earlierOf(owner []byte) uint32 {
	if len(owner) == 0 {
		return NoRule
	}
	c.earlierMu.Lock()
	defer c.earlierMu.Unlock()
	n, ok := c.numbers[string(owner)]
	if !ok {
		if c.numbers == nil {
			c.numbers = map[string]uint32{}
		}
		n = firstEarlier + uint32(len(c.owners.earlier))
		c.numbers[string(owner)] = n
		c.owners.earlier = append(c.owners.earlier, string(owner))
	}
	return n
}

// Drop gives up what waits of owners, now and whenever it is read from disk.
func (c *Counters) Drop(owners ...string) {
	c.earlierMu.Lock()
	defer c.earlierMu.Unlock()
	all := map[string]bool{}
	if old := c.drops.Load(); old != nil {
		all = maps.Clone(*old)
	}
	for _, o := range owners {
		all[o] = true
	}
	c.drops.Store(&all)
}

// unwanted returns how many messages in front are of owners that were dropped.
func (c *Counters) unwanted(msgs []Message) (n int) {
	drops := c.drops.Load()
	if drops == nil {
		return 0
	}
	for n < len(msgs) && (n > 0 && msgs[n].Rule == msgs[n-1].Rule || (*drops)[c.ownerOf(msgs[n].Rule)]) {
		n++
	}
	return n
}

// wanted returns the messages before the first that is unwanted; there is one.
func (c *Counters) wanted(msgs []Message) []Message {
	if c.drops.Load() == nil {
		return msgs
	}
	for n := 1; n < len(msgs); n++ {
		if msgs[n].Rule != msgs[n-1].Rule && c.unwanted(msgs[n:n+1]) > 0 {
			return msgs[:n]
		}
	}
	return msgs
}

// leave takes messages that are given up off what waits.
func (c *Counters) leave(msgs []Message) {
	c.runs(msgs, func(n *counter, _ uint32, k int) { n.waiting.Add(-int32(k)) })
}

// Drop gives up what waits of owners, for every destination: also what a process to
// come finds on disk, if it calls Drop again before. The one message that is just being
// written may still arrive, and others that were in the same write may arrive twice.
func (s *Queues) Drop(owners ...string) {
	s.counters.Drop(owners...)
	s.Each(func(q *Queue) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.drop != nil {
			close(q.drop)
			q.drop = nil
		}
		for j := range q.jobs {
			j.interrupt(q.counters)
		}
	})
}

// errDropped is the error of a write that was ended because messages in it are given up.
var errDropped = errors.New("messages of the write are given up")

// job is what a worker writes, one write after the other.
type job struct {
	ctx    context.Context
	cancel context.CancelFunc
	parent context.Context
	mu     sync.Mutex
	msgs   []Message // nil: no write is under way
	cut    bool      // the write was ended
}

// begin notes that l writes msgs.
func (l *lane) begin(msgs []Message) *job {
	j := l.job
	if j == nil {
		j = &job{parent: l.ctx}
		j.ctx, j.cancel = context.WithCancel(l.ctx)
		l.job = j
		l.q.mu.Lock()
		if l.q.jobs == nil {
			l.q.jobs = map[*job]bool{}
		}
		l.q.jobs[j] = true
		l.q.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cut {
		j.cut = false
		j.ctx, j.cancel = context.WithCancel(j.parent)
	}
	j.msgs = msgs
	j.interruptLocked(l.q.counters) // Drop may have come since the lane looked
	return j
}

// end notes that the write is over, and tells whether it was ended.
func (j *job) end() (cut bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.msgs = nil
	return j.cut
}

// interrupt ends the write if something in it is given up.
func (j *job) interrupt(c *Counters) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.interruptLocked(c)
}

func (j *job) interruptLocked(c *Counters) {
	if len(j.msgs) > 0 && !j.cut && (c.unwanted(j.msgs) > 0 || len(c.wanted(j.msgs)) < len(j.msgs)) {
		j.cut = true
		j.cancel()
	}
}

// forgetJob lets go of a worker's job, which may be nil.
func (q *Queue) forgetJob(j *job) {
	if j == nil {
		return
	}
	j.cancel()
	q.mu.Lock()
	delete(q.jobs, j)
	q.mu.Unlock()
}

// dropped returns a channel that is closed when an owner is dropped.
func (q *Queue) dropped() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.drop == nil {
		q.drop = make(chan struct{})
	}
	return q.drop
}
