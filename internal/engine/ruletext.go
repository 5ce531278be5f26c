package engine

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// stored returns the definition of a rule.
func (e *Engine) stored(id string) (*ruledef.Def, error) {
	text, err := e.RuleText(id)
	if err != nil {
		return nil, err
	}
	return ruledef.ParseFor(id, text, e.opt.Rules)
}

// RuleText returns the text of a rule as it was submitted.
func (e *Engine) RuleText(id string) ([]byte, error) {
	e.mu.RLock()
	r := e.mu.rules[id]
	var temp bool
	var text []byte
	if r != nil {
		temp, text = r.temp, r.text
	}
	e.mu.RUnlock()
	switch {
	case r == nil:
		return nil, ruledef.ErrNotFound
	case temp:
		return text, nil
	}
	text, err := e.catalog.Get(kindRule, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ruledef.ErrNotFound
	}
	return text, err
}

// setTriggered stores whether a rule is to run; other parts of its text stay.
func (e *Engine) setTriggered(id string, on bool) error {
	text, err := e.RuleText(id)
	if err != nil {
		return err
	}
	var m struct {
		Triggered *bool `json:"triggered"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "stored rule %s: %w", id, err)
	}
	if (m.Triggered == nil || *m.Triggered) == on {
		return nil
	}
	return e.rewrite(id, text, "triggered", on)
}

// rewrite changes one key of a rule's text.
func (e *Engine) rewrite(id string, text []byte, key string, value any) error {
	text, err := ruledef.Set(text, key, value)
	if err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "stored rule %s: %w", id, err)
	}
	e.mu.Lock()
	r := e.mu.rules[id]
	temp := r.temp
	if temp {
		r.text = text
	}
	e.mu.Unlock()
	if temp {
		return nil
	}
	return e.catalog.Put(kindRule, id, text)
}

// EditTags replaces the tags of a rule.
func (e *Engine) EditTags(id string, edit func([]string) []string) error {
	defer e.ruleLocks.lock(id)()
	e.mu.RLock()
	r := e.mu.rules[id]
	var tags []string
	if r != nil {
		tags = slices.Clone(r.tags)
	}
	e.mu.RUnlock()
	text, err := e.RuleText(id)
	if err != nil {
		return err
	}
	tags = edit(tags)
	if err := e.rewrite(id, text, "tags", tags); err != nil {
		return err
	}
	e.mu.Lock()
	r.tags = tags
	e.mu.Unlock()
	return nil
}
