package sinks

import (
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

// Each way to count may be the first that meets a number, for which there is no page yet.
func TestCountersGrow(t *testing.T) {
	for name, count := range map[string]func(*Counters, []Message){
		"queue":   (*Counters).queue,
		"deliver": func(c *Counters, msgs []Message) { c.deliver(msgs, 1) },
		"drop":    (*Counters).drop,
		"undrop":  (*Counters).undrop,
		"leave":   (*Counters).leave,
		"refuse":  func(c *Counters, msgs []Message) { c.refuse(msgs[0].Rule, errBlock) },
		"retry":   func(c *Counters, msgs []Message) { c.retry(msgs[0].Rule, errBlock) },
		"Own":     func(c *Counters, msgs []Message) { c.Own(msgs[0].Rule, new(string)) },
	} {
		end := make(chan struct{})
		go func() {
			count(new(Counters), []Message{{Rule: 3 * pageRules}})
			close(end)
		}()
		select {
		case <-end:
		case <-time.After(10 * time.Second):
			t.Errorf("%s waits for itself", name)
		}
	}
}

// What is dropped is counted for the rules that it was of, and taken back for each.
func TestCountDropped(t *testing.T) {
	var c Counters
	msgs := []Message{{Rule: 1}, {Rule: 1}, {Rule: 5 * pageRules}, {Rule: 1}, {Rule: firstEarlier}, {Rule: NoRule}}
	check := func(what string, lost, waiting [2]int64) {
		t.Helper()
		for i, rule := range []uint32{1, 5 * pageRules} {
			if n := c.Lost(rule); int64(n[loss.Dropped]) != lost[i] || c.Waiting(rule) != waiting[i] {
				t.Errorf("%s, rule %d: got %d dropped and %d waiting, want %d and %d", what, rule, n[loss.Dropped], c.Waiting(rule), lost[i], waiting[i])
			}
		}
	}
	c.queue(msgs)
	check("queued", [2]int64{}, [2]int64{3, 1})
	c.drop(msgs)
	check("dropped", [2]int64{3, 1}, [2]int64{})
	c.undrop(msgs[1:3])
	check("taken back", [2]int64{2, 0}, [2]int64{1, 1})
}
