package sinks

import (
	"errors"
	"fmt"
	"testing"

	"github.com/weir-engine/weir/internal/store"
)

func TestQueues(t *testing.T) {
	g := new(gate)
	s := NewQueues(Options{Logger: quiet}, mustStore(t, store.Options{}), nil)
	a, err := s.Acquire(g.target())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Acquire(g.target()); err != nil || b != a {
		t.Fatalf("got another queue for the same destination: %v", err)
	}
	a.Put(msgsOf("a"))
	s.Release(a)
	s.Release(a)
	s.wg.Wait()
	if len(s.m) != 0 || g.closes != 1 || fmt.Sprint(g.take()) != "[a]" {
		t.Errorf("%d queues are left, closed %d times", len(s.m), g.closes)
	}
	g.set(errors.New("down"))
	c, err := s.Acquire(g.target())
	if err != nil {
		t.Fatal(err)
	}
	c.Put(msgsOf("b"))
	s.Release(c)
	if d, err := s.Acquire(g.target()); err != nil || d != c {
		t.Errorf("a queue with a backlog was not taken up again: %v", err)
	}
	s.Release(c)
	s.Close(done())
	if _, err := s.Acquire(g.target()); err == nil {
		t.Error("acquired after close")
	}
}

func TestRegistry(t *testing.T) {
	_, err := Registry{}.Open("nosink", nil)
	if err == nil || err.Error() != "sink nosink is not defined" {
		t.Errorf("got %v", err)
	}
}
