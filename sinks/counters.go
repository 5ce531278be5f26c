package sinks

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

// Counters are what sinks did with each rule's messages: flat arrays by the rule's
// number that grow on demand. An engine that counts by action gives actions
// numbers. All methods are safe for concurrent use.
type Counters struct {
	pages atomic.Pointer[[]*counterPage]
	mu    sync.Mutex
	last  map[uint32]Failure
	lost  map[uint32]*loss.Counts // of the few that lost something
	told  map[uint32]uint64       // messages about faults, of the few that want them
	tried map[uint32]uint64       // of the few whose deliveries failed: how often
	owners
}

// Failure is the last message of a rule that a destination refused, or did not take.
type Failure struct {
	Text string
	AtMs int64
}

const (
	pageRules = 1024
	// maxFailures bounds the texts that are kept; the oldest go first.
	maxFailures = 1024
)

type counterPage [pageRules]counter

type counter struct {
	delivered, failed atomic.Uint64
	waiting           atomic.Int32  // messages that this process queued and that are not settled
	last              atomic.Uint32 // when messages were last delivered, in seconds since 1970
	owner             atomic.Pointer[string]
}

// Delivered returns how many messages of the rule were delivered.
func (c *Counters) Delivered(rule uint32) uint64 {
	if p := c.page(rule); p != nil {
		return p[rule%pageRules].delivered.Load()
	}
	return 0
}

// Waiting returns how many messages of the rule wait, what an earlier process left
// not among them.
func (c *Counters) Waiting(rule uint32) int64 {
	if p := c.page(rule); p != nil {
		return max(int64(p[rule%pageRules].waiting.Load()), 0)
	}
	return 0
}

// LastDelivered returns when messages of the rule were last delivered, in Unix ms but
// exact to the second; 0: never.
func (c *Counters) LastDelivered(rule uint32) int64 {
	if p := c.page(rule); p != nil {
		return int64(p[rule%pageRules].last.Load()) * 1000
	}
	return 0
}

// Retries returns how many deliveries of messages of the rule failed and were tried
// again.
func (c *Counters) Retries(rule uint32) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried[rule]
}

// Failed returns how many messages of the rule were refused for good, or could not
// be made.
func (c *Counters) Failed(rule uint32) uint64 {
	if p := c.page(rule); p != nil {
		return p[rule%pageRules].failed.Load()
	}
	return 0
}

// Lost returns what the rule lost: what Failed counts, by reason, and what was
// dropped at the bound of a queue. What an earlier process queued is no rule's.
func (c *Counters) Lost(rule uint32) (n loss.Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lost[rule]; l != nil {
		n = *l
	}
	return n
}

// lose returns where the losses of the rule are counted. The caller holds mu.
func (c *Counters) lose(rule uint32) *loss.Counts {
	l := c.lost[rule]
	if l == nil {
		if c.lost == nil {
			c.lost = make(map[uint32]*loss.Counts)
		}
		l = new(loss.Counts)
		c.lost[rule] = l
	}
	return l
}

// LastFailure returns the rule's last refused message, if one is remembered.
func (c *Counters) LastFailure(rule uint32) (Failure, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.last[rule]
	return f, ok
}

// Reset starts a rule at zero, before its number is used again.
func (c *Counters) Reset(rule uint32) {
	if p := c.page(rule); p != nil {
		n := &p[rule%pageRules]
		n.delivered.Store(0)
		n.failed.Store(0)
		n.waiting.Store(0)
		n.last.Store(0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, rule)
	delete(c.lost, rule)
	delete(c.told, rule)
	delete(c.tried, rule)
}

// Tell counts a message that tells the rule's sink of a fault.
func (c *Counters) Tell(rule uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = make(map[uint32]uint64)
	}
	c.told[rule]++
}

// Told returns how many messages told the rule's sink of faults.
func (c *Counters) Told(rule uint32) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told[rule]
}

func (c *Counters) page(rule uint32) *counterPage {
	pages := c.pages.Load()
	if i := int(rule / pageRules); pages != nil && i < len(*pages) {
		return (*pages)[i]
	}
	return nil
}

// grown returns the rule's page, made if need be.
func (c *Counters) grown(rule uint32) *counterPage {
	if p := c.page(rule); p != nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var pages []*counterPage
	if old := c.pages.Load(); old != nil {
		pages = append(pages, *old...)
	}
	for len(pages) <= int(rule/pageRules) {
		pages = append(pages, new(counterPage))
	}
	c.pages.Store(&pages)
	return pages[rule/pageRules]
}

// runs calls f for each run of messages of one rule.
func (c *Counters) runs(msgs []Message, f func(n *counter, rule uint32, messages int)) {
	for i := 0; i < len(msgs); {
		rule, j := msgs[i].Rule, i+1
		for j < len(msgs) && msgs[j].Rule == rule {
			j++
		}
		if rule < firstEarlier {
			f(&c.grown(rule)[rule%pageRules], rule, j-i)
		}
		i = j
	}
}

// queue counts msgs as waiting.
func (c *Counters) queue(msgs []Message) {
	c.runs(msgs, func(n *counter, _ uint32, k int) { n.waiting.Add(int32(k)) })
}

// deliver counts msgs as delivered, at a time in seconds since 1970.
func (c *Counters) deliver(msgs []Message, now uint32) {
	c.runs(msgs, func(n *counter, _ uint32, k int) {
		n.delivered.Add(uint64(k))
		n.waiting.Add(-int32(k))
		n.last.Store(now)
	})
}

// drop counts msgs as dropped.
func (c *Counters) drop(msgs []Message) {
	c.runs(msgs, func(n *counter, rule uint32, k int) {
		n.waiting.Add(-int32(k))
		c.mu.Lock() // not before: runs may take it for a new page
		defer c.mu.Unlock()
		c.lose(rule)[loss.Dropped] += uint64(k)
	})
}

// undrop takes drop back: a worker had msgs, which are delivered after all.
func (c *Counters) undrop(msgs []Message) {
	c.runs(msgs, func(n *counter, rule uint32, k int) {
		n.waiting.Add(int32(k))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lose(rule)[loss.Dropped] -= uint64(k)
	})
}

// refuse counts a message that waited and was refused for good.
func (c *Counters) refuse(rule uint32, err error) {
	if rule >= firstEarlier {
		return
	}
	c.grown(rule)[rule%pageRules].waiting.Add(-1)
	c.Fail(rule, loss.Refused, err)
}

// Fail counts one message of the rule that will not be sent, and why.
func (c *Counters) Fail(rule uint32, why loss.Reason, err error) {
	if rule >= firstEarlier {
		return
	}
	c.grown(rule)[rule%pageRules].failed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(rule)[why]++
	c.note(rule, err)
}

// retry notes that a message of the rule was not delivered and is tried again.
func (c *Counters) retry(rule uint32, err error) {
	if rule >= firstEarlier {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried == nil {
		c.tried = make(map[uint32]uint64)
	}
	c.tried[rule]++
	c.note(rule, err)
}

// note keeps the text of a failure. The caller holds mu.
func (c *Counters) note(rule uint32, err error) {
	if c.last == nil {
		c.last = make(map[uint32]Failure)
	}
	if _, ok := c.last[rule]; !ok && len(c.last) >= maxFailures {
		oldest, at := rule, int64(1<<62)
		for r, f := range c.last {
			if f.AtMs < at {
				oldest, at = r, f.AtMs
			}
		}
		delete(c.last, oldest)
	}
	c.last[rule] = Failure{loss.Text(err.Error()), time.Now().UnixMilli()}
}
