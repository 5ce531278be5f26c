package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func (e *fakeEngine) KeyedStates() map[string]json.RawMessage {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]json.RawMessage{}
	for k, v := range e.keyed {
		out[k] = json.RawMessage(v)
	}
	return out
}

func (e *fakeEngine) KeyedState(key string) (json.RawMessage, bool) {
	v, ok := e.KeyedStates()[key]
	return v, ok
}

func (e *fakeEngine) PutKeyedState(key string, value []byte) error {
	if !json.Valid(value) {
		return errors.New("the value is no JSON")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.keyed == nil {
		e.keyed = map[string]string{}
	}
	e.keyed[key] = string(value)
	return nil
}

func (e *fakeEngine) DeleteKeyedState(key string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.keyed[key]
	delete(e.keyed, key)
	if key == "stuck" {
		return true, errors.New("data directory is full")
	}
	return ok, nil
}

func TestKeyedState(t *testing.T) {
	s := newServer(t, newFake(), Options{MaxBodyBytes: 100})
	runContains(t, s, []step{
		{"GET", "/keyed-state", "", 200, "{}\n"},
		{"PUT", "/keyed-state/hall/1", "5", 200, "Keyed state hall/1 is set."},
		{"PUT", "/keyed-state/a%20%2Fb", `"x"`, 200, "Keyed state a /b is set."},
		{"PUT", "/keyed-state/a", "x", 400, "put keyed state error: the value is no JSON"},
		{"PUT", "/keyed-state/a", strings.Repeat("1", 200), 413, "larger than 100 bytes"},
		{"GET", "/keyed-state/hall/1", "", 200, "5\n"},
		{"GET", "/keyed-state", "", 200, `{"a /b":"x","hall/1":5}` + "\n"},
		{"GET", "/keyed-state/b", "", 404, "get keyed state error: key b is not found"},
		{"DELETE", "/keyed-state/hall/1", "", 200, "Keyed state hall/1 is deleted."},
		{"DELETE", "/keyed-state/hall/1", "", 404, "delete keyed state error: key hall/1 is not found"},
		{"DELETE", "/keyed-state/stuck", "", 400, "delete keyed state error: data directory is full"},
		{"POST", "/keyed-state/a", "5", 405, ""},
	})
}
