//go:build invariants

package sinks

import (
	"strings"
	"testing"
)

// A payload is rubbish once its chunk goes back to be used anew.
func TestChunkIsPoisoned(t *testing.T) {
	c := newChunk(4, 64)
	c.add(&Message{Route: testRoute, Payload: []byte("text")})
	lent := c.msgs[0].Payload
	c.reset()
	if strings.Contains(string(lent), "text") {
		t.Errorf("a payload of a chunk that was given back is %q", lent)
	}
	if !c.add(&Message{Route: testRoute, Payload: []byte("next")}) || string(c.msgs[0].Payload) != "next" {
		t.Errorf("the next payload is %q", c.msgs[0].Payload)
	}
}
