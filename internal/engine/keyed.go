package engine

import "encoding/json"

// KeyedStates returns what get_keyed_state reads, by key.
func (e *Engine) KeyedStates() map[string]json.RawMessage { return e.keyed.All() }

// KeyedState returns one value of it.
func (e *Engine) KeyedState(key string) (json.RawMessage, bool) { return e.keyed.Text(key) }

// PutKeyedState sets one value, durably; rules read it from the next row on.
func (e *Engine) PutKeyedState(key string, value []byte) error { return e.keyed.Put(key, value) }

// DeleteKeyedState removes one value and tells whether there was one.
func (e *Engine) DeleteKeyedState(key string) (bool, error) { return e.keyed.Delete(key) }
