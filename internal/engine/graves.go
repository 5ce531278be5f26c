package engine

import (
	"encoding/json"
	"fmt"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// What a rule has queued may wait longer than the rule lives, over restarts, and
// another rule of its name may come meanwhile. So outputs have an owner that is never
// given twice: the id of the rule, and how many rules of it were deleted before while
// something waited.

// grave is what is kept of the rules of one id that were deleted.
type grave struct {
	Next    int   `json:"next"`              // of the rule that is or comes
	Dropped []int `json:"dropped,omitempty"` // those whose outputs are given up
}

func ownerName(id string, n int) string {
	if n == 0 {
		return id
	}
	return fmt.Sprintf("%s\x00%d", id, n)
}

// ownerLocked returns the owner of what r queues.
func (e *Engine) ownerLocked(r *rule) *string {
	g, ok := e.mu.graves[r.id]
	if !ok {
		return &r.id
	}
	name := ownerName(r.id, g.Next)
	return &name
}

// maybeWaits tells whether something may wait that a rule has queued: of one that does
// not run nobody knows where it sent.
func (e *Engine) maybeWaits(r *rule) bool {
	e.mu.RLock()
	running, here := r.running, backlogOf(r)
	e.mu.RUnlock()
	if running || here {
		return here
	}
	left, _, err := e.queues.Left()
	return err != nil || left > 0 || e.queues.Total().Messages > 0
}

// backlogOf tells whether something waits where a running rule sends.
func backlogOf(r *rule) bool {
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			if n, _ := k.queue.Backlog(); n > 0 {
				return true
			}
		}
	}
	return false
}

// bury notes that the rule called id goes, durably: the next one is another owner.
func (e *Engine) bury(id string, drop bool) error {
	e.mu.RLock()
	g := e.mu.graves[id]
	e.mu.RUnlock()
	if drop {
		g.Dropped = append(append([]int(nil), g.Dropped...), g.Next)
	}
	g.Next++
	text, err := json.Marshal(g)
	if err == nil {
		t := e.store.Begin()
		t.MakesRoom()
		if err = e.catalog.PutIn(t, store.Item{Kind: kindGrave, ID: id, Data: text}); err == nil {
			err = t.Commit(store.Synced)
		} else {
			t.Discard()
		}
	}
	if err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "delete rule %s: %w", id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.graves[id] = g
	return nil
}

// loadGraves reads what is known of deleted rules. Once nothing waits anywhere it is
// forgotten.
func (e *Engine) loadGraves() error {
	_, err := e.queues.Sweep()
	if err != nil {
		return err
	}
	waiting, _, err := e.queues.Left()
	if err != nil {
		return err
	}
	var old []store.Item
	var drops []string
	err = e.catalog.Each(kindGrave, func(id string, data []byte) error {
		var g grave
		switch {
		case waiting == 0:
			old = append(old, store.Item{Kind: kindGrave, ID: id})
		case json.Unmarshal(data, &g) != nil:
			e.log.Error("what is stored of a deleted rule is refused", "rule", id)
		default:
			e.mu.graves[id] = g
			for _, n := range g.Dropped {
				drops = append(drops, ownerName(id, n))
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 && len(drops) == 0 {
		return err
	}
	if len(drops) > 0 {
		e.queues.Drop(drops...)
	}
	return e.catalog.DeleteAll(old)
}

// DeleteRuleOutputs deletes a rule and gives up what waits of it, also what an earlier
// process left. It returns how many messages of this process those are.
func (e *Engine) DeleteRuleOutputs(id string) (messages int64, err error) {
	defer e.ruleLocks.lock(id)()
	e.mu.RLock()
	nums := e.sinksLocked(e.mu.rules[id])
	e.mu.RUnlock()
	owner, err := e.remove(id, true)
	if owner == "" {
		return 0, err
	}
	e.exec.Sync() // what it has collected is queued
	for _, num := range nums {
		messages += e.counters.Waiting(num)
	}
	e.queues.Drop(owner)
	return messages, err
}

// sinksLocked returns the numbers of the sinks of a rule, which may be nil.
func (e *Engine) sinksLocked(r *rule) (nums []uint32) {
	e.mu.AssertRHeld()
	if r == nil {
		return nil
	}
	for _, p := range r.parts() {
		for _, k := range p.sinks {
			nums = append(nums, k.num)
		}
	}
	return nums
}
