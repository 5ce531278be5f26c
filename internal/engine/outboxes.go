package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

// destination is what the store keeps of one beside the messages that wait for it:
// enough to deliver them when no rule sends there any more.
type destination struct {
	Type  string         `json:"type"`
	Rule  string         `json:"rule"` // the first that sent there
	Props map[string]any `json:"props"`
}

// labelOf returns the label of an action's destination.
func labelOf(rule, typ string, props map[string]any) func() []byte {
	return func() []byte {
		kept := maps.Clone(props)
		delete(kept, "dataTemplate") // of the encoder
		b, err := json.Marshal(destination{typ, rule, kept})
		if err != nil {
			return nil // a value that JSON has not: what waits is delivered by a rule alone
		}
		return b
	}
}

// outboxID names a destination in paths.
func outboxID(dest string) string {
	sum := sha256.Sum256([]byte(dest))
	return hex.EncodeToString(sum[:6])
}

// maxListed bounds the rules that are named for one destination.
const maxListed = 100

// Outboxes returns what waits for each destination.
func (e *Engine) Outboxes() ([]api.Outbox, error) {
	list, err := e.queues.Waiting()
	if err != nil {
		return nil, err
	}
	waiting := e.waitingOf()
	rules := e.sendersTo(slices.ContainsFunc(list, func(w sinks.Waiting) bool { return w.Uses == 0 }))
	out := make([]api.Outbox, 0, len(list))
	for _, w := range list {
		var d destination
		if w.Label != nil && json.Unmarshal(w.Label, &d) != nil {
			d = destination{}
		}
		typ, _, _ := strings.Cut(w.DestKey, " ")
		ids := rules[w.DestKey]
		slices.Sort(ids)
		o := api.Outbox{
			ID: outboxID(w.DestKey), Destination: w.DestKey, Type: typ, State: api.OutboxUsed, Since: d.Rule,
			Rules: slices.Clone(ids[:min(len(ids), maxListed)]), RulesTotal: len(ids),
			Messages: w.Messages, Bytes: w.Bytes, OldestMs: w.OldestMs, Waiting: waiting[w.DestKey],
		}
		switch {
		case w.Uses > 0:
		case w.Open:
			o.State = api.OutboxDelivering
		default:
			o.State = api.OutboxLeft
		}
		out = append(out, o)
	}
	return out, nil
}

// waitingOf returns how many messages of rules that run wait for each destination, by
// rule.
func (e *Engine) waitingOf() map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for id, r := range e.mu.rules {
		for _, p := range r.parts() {
			for _, k := range p.sinks {
				n := e.counters.Waiting(k.num)
				if n == 0 {
					continue
				}
				of := out[k.queue.DestKey()]
				if of == nil {
					of = map[string]int64{}
					out[k.queue.DestKey()] = of
				}
				if of[id] > 0 || len(of) < maxListed {
					of[id] += n
				}
			}
		}
	}
	return out
}

// sendersTo returns the rules that send to each destination; all of them, if those
// are wanted that do not run.
func (e *Engine) sendersTo(all bool) map[string][]string {
	out := map[string][]string{}
	var idle []string
	e.mu.RLock()
	for id, r := range e.mu.rules {
		if !r.running {
			idle = append(idle, id)
			continue
		}
		for _, p := range r.parts() {
			for _, k := range p.sinks {
				dest := k.queue.DestKey()
				if ids := out[dest]; len(ids) == 0 || ids[len(ids)-1] != id {
					out[dest] = append(ids, id)
				}
			}
		}
	}
	e.mu.RUnlock()
	for _, id := range idle {
		if !all {
			break
		}
		for _, dest := range e.wouldSend(id) {
			out[dest] = append(out[dest], id)
		}
	}
	return out
}

// wouldSend returns the destinations of a rule that does not run.
func (e *Engine) wouldSend(id string) (dests []string) {
	def, err := e.stored(id)
	if err != nil {
		return nil // such as that it was deleted meanwhile
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compileLocked(def)
	if err != nil {
		return nil // its status says so
	}
	for _, p := range c.parts {
		for _, a := range p.actions {
			if !slices.Contains(dests, a.target.DestKey) {
				dests = append(dests, a.target.DestKey)
			}
		}
	}
	return dests
}

// waiting returns what waits for the destination called id.
func (e *Engine) waiting(id string) (sinks.Waiting, error) {
	list, err := e.queues.Waiting()
	if err != nil {
		return sinks.Waiting{}, err
	}
	for _, w := range list {
		if outboxID(w.DestKey) == id {
			return w, nil
		}
	}
	return sinks.Waiting{}, ruledef.ErrNotFound
}

// DeliverOutbox delivers what waits for a destination that nobody uses.
func (e *Engine) DeliverOutbox(id string) error {
	w, err := e.waiting(id)
	if err != nil || w.Open {
		return err // what is open delivers
	}
	return e.deliverLeft(&w)
}

func (e *Engine) deliverLeft(w *sinks.Waiting) error {
	if w.Label == nil {
		return fmt.Errorf("%s: messages of an earlier version of weir, which kept no properties of destinations: a rule that sends there delivers them", w.DestKey)
	}
	var d destination
	if err := json.Unmarshal(w.Label, &d); err != nil {
		return fmt.Errorf("%s: stored properties: %w", w.DestKey, err)
	}
	t, err := e.types.sinks.Open(d.Type, d.Props)
	if err != nil {
		return fmt.Errorf("%s: %w", w.DestKey, err)
	}
	// Another version may name the destination otherwise.
	t.DestKey, t.Label = w.DestKey, func() []byte { return w.Label }
	return e.queues.DeliverLeft(t)
}

// DropOutbox gives up what waits for a destination that nobody uses.
func (e *Engine) DropOutbox(id string) (int64, error) {
	w, err := e.waiting(id)
	if err != nil {
		return 0, err
	}
	n, err := e.queues.Discard(w.DestKey)
	switch {
	case errors.Is(err, sinks.ErrNothing):
		return 0, ruledef.ErrNotFound
	case errors.Is(err, sinks.ErrUsed):
		return 0, fmt.Errorf("%w by rules", ruledef.ErrInUse)
	case err == nil:
		e.log.Info("outputs are given up as a client wanted", "destination", w.DestKey, "messages", n)
	}
	return n, err
}

// takeUpLeft goes on with what an earlier process was delivering for rules that had
// gone, and tells of what else waits without a rule. It runs once, when the rules of
// the store are there.
func (e *Engine) takeUpLeft() {
	left, err := e.queues.Sweep()
	if err != nil {
		e.log.Error("outputs that wait without a rule cannot be listed", "err", err)
		return
	}
	var destinations, messages, bytes int64
	for i := range left {
		w := &left[i]
		if w.Left {
			err := e.deliverLeft(w)
			if err == nil {
				continue
			}
			e.log.Warn("outputs of rules that have gone are not delivered", "destination", w.DestKey, "messages", w.Messages, "err", err)
		}
		destinations++
		messages += w.Messages
		bytes += w.Bytes
	}
	if destinations > 0 {
		e.log.Warn("outputs wait for destinations that no running rule sends to: GET /outboxes lists them, which can be delivered or dropped",
			"destinations", destinations, "messages", messages, "bytes", bytes)
	}
}
