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
}

// Failure is the last message of a rule that a destination refused.
type Failure struct {
	Text string
	AtMs int64
}

const (
	pageRules = 1024
	// maxFailures bounds the texts that are kept; the oldest go first.
	maxFailures = 1024
)

type counterPage [pageRules]struct{ delivered, failed atomic.Uint64 }

// Delivered returns how many messages of the rule were delivered.
func (c *Counters) Delivered(rule uint32) uint64 {
	if p := c.page(rule); p != nil {
		return p[rule%pageRules].delivered.Load()
	}
	return 0
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
// dropped at the bound of a queue while it was in memory. Whose the messages on
// disk are is not known.
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
		p[rule%pageRules].delivered.Store(0)
		p[rule%pageRules].failed.Store(0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, rule)
	delete(c.lost, rule)
	delete(c.told, rule)
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

// deliver counts msgs as delivered, a run of one rule at a time.
func (c *Counters) deliver(msgs []Message) {
	for i := 0; i < len(msgs); {
		rule, j := msgs[i].Rule, i+1
		for j < len(msgs) && msgs[j].Rule == rule {
			j++
		}
		if rule != NoRule {
			c.grown(rule)[rule%pageRules].delivered.Add(uint64(j - i))
		}
		i = j
	}
}

// drop counts msgs as dropped.
func (c *Counters) drop(msgs []Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range msgs {
		if r := msgs[i].Rule; r != NoRule {
			c.lose(r)[loss.Dropped]++
		}
	}
}

// Fail counts one message of the rule that will not be sent, and why.
func (c *Counters) Fail(rule uint32, why loss.Reason, err error) {
	if rule == NoRule {
		return
	}
	c.grown(rule)[rule%pageRules].failed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(rule)[why]++
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
	c.last[rule] = Failure{err.Error(), time.Now().UnixMilli()}
}
