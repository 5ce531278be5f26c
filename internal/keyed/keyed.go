// Package keyed is the state that rules read by a key, with get_keyed_state: set
// points, limits, names, which somebody outside writes and rules must not wait for.
//
// All of it is in memory, so that a read takes a lock for a moment and never touches
// the disk, and in the store, so that it is there after a restart. What is in memory
// is bounded by keys and bytes; a write beyond the bounds is refused. The package
// knows nothing of rules.
package keyed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/vec"
)

// The bounds of what is kept.
const (
	maxKeys  = 65536
	maxBytes = 16 << 20 // of keys and values together
	// of one of each, in bytes
	maxKey   = 1024
	maxValue = 64 << 10
)

// ErrFull matches the error of a write beyond the bounds.
var ErrFull = errors.New("keyed state is full")

// State is the values by their keys. Its methods may be called from any goroutine.
type State struct {
	st store.Keyed

	writing sync.Mutex // held over the write to the store, so that memory follows its order

	mu    sync.RWMutex
	m     map[string]entry
	bytes int
}

// entry is a value as rules and as clients see it.
type entry struct {
	value vec.Value
	text  string
}

// Open reads the state from the store. What cannot be read there is given to bad.
func Open(st store.Keyed, bad func(key string, err error)) (*State, error) {
	s := &State{st: st, m: map[string]entry{}}
	err := st.Each(func(key string, text []byte) error {
		e, err := parse(text)
		if err != nil {
			bad(key, err)
			return nil
		}
		s.m[key] = e
		s.bytes += len(key) + len(e.text)
		return nil
	})
	return s, err
}

// Get returns the value of key. It does no I/O and allocates nothing.
func (s *State) Get(key string) (vec.Value, bool) {
	s.mu.RLock()
	e, ok := s.m[key]
	s.mu.RUnlock()
	return e.value, ok
}

// Text returns the value of key as JSON.
func (s *State) Text(key string) (json.RawMessage, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.m[key]
	return json.RawMessage(e.text), ok
}

// All returns every value as JSON by its key.
func (s *State) All() map[string]json.RawMessage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]json.RawMessage, len(s.m))
	for k, e := range s.m {
		out[k] = json.RawMessage(e.text)
	}
	return out
}

// Put sets the value of key to what text, a number, a text, true or false in JSON,
// says. It is durable, and rules see it, when Put returns.
func (s *State) Put(key string, text []byte) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("keyed state: a key of %d bytes, want 1 to %d", len(key), maxKey)
	}
	e, err := parse(text)
	if err != nil {
		return fmt.Errorf("keyed state %q: %w", key, err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	old, known := s.m[key]
	keys, size := len(s.m), s.bytes+len(key)+len(e.text)
	s.mu.RUnlock()
	if known {
		keys, size = keys-1, size-len(key)-len(old.text)
	}
	if keys >= maxKeys || size > maxBytes {
		return fmt.Errorf("%w: %q would make %d keys of %d bytes, the bounds are %d and %d", ErrFull, key, keys+1, size, maxKeys, maxBytes)
	}
	if err := s.st.Put(key, []byte(e.text)); err != nil {
		return fmt.Errorf("keyed state %q: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[key], s.bytes = e, size
	return nil
}

// Delete removes the value of key and tells whether there was one.
func (s *State) Delete(key string) (bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	old, ok := s.m[key]
	s.mu.RUnlock()
	if !ok {
		return false, nil
	}
	if err := s.st.Delete(key); err != nil {
		return true, fmt.Errorf("keyed state %q: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	s.bytes -= len(key) + len(old.text)
	return true, nil
}

// parse reads a value.
func parse(text []byte) (e entry, err error) {
	if len(text) > maxValue {
		return e, fmt.Errorf("a value of %d bytes, want at most %d", len(text), maxValue)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return e, fmt.Errorf("the value is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("the value is no JSON: something follows it")
	}
	switch v := v.(type) {
	case bool:
		e.value = vec.BoolValue(v)
	case string:
		e.value = vec.StringValue(v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			e.value = vec.IntValue(i)
			break
		}
		f, err := v.Float64()
		if err != nil {
			return e, fmt.Errorf("number %s: %w", v, err)
		}
		e.value = vec.FloatValue(f)
	default:
		return e, fmt.Errorf("the value is %.40q, want a number, a text, true or false", text)
	}
	e.text = string(bytes.TrimSpace(text))
	return e, nil
}
