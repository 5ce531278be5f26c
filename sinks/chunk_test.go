package sinks

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

func FuzzBlock(f *testing.F) {
	var w blockWriter
	other := &Route{Spec: "other"}
	shared := []byte("shared")
	for _, msgs := range [][]Message{
		msgsOf("a"),
		{{Route: testRoute, Payload: shared, Rule: 5}, {Route: other, Payload: shared, Target: "t", Rule: NoRule}, {Route: testRoute}},
	} {
		f.Add(bytes.Clone(w.encode(msgs, 0, nobodys)), len(msgs))
	}
	f.Add([]byte{}, 1)
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 1<<30)
	restore := func(spec []byte) (*Route, error) { return &Route{Spec: string(spec)}, nil }
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		var c chunk
		if c.decode(store.Block{Data: data, Messages: n}, restore, unknown) != nil {
			return
		}
		again := bytes.Clone(w.encode(c.msgs, 0, nobodys))
		var d chunk
		if err := d.decode(store.Block{Data: again, Messages: n}, restore, unknown); err != nil {
			t.Fatal(err)
		}
		for i, m := range c.msgs {
			x := d.msgs[i]
			if m.Route.Spec != x.Route.Spec || m.Target != x.Target || m.Rule != x.Rule || !bytes.Equal(m.Payload, x.Payload) {
				t.Fatalf("message %d: got %+v, want %+v", i, x, m)
			}
		}
	})
}

func TestRoutes(t *testing.T) {
	var r Routes
	a := r.Intern("x", func() *Route { return &Route{Target: "1"} })
	if b := r.Intern("x", func() *Route { return &Route{Target: "2"} }); a != b || a.Spec != "x" || a.Target != "1" {
		t.Error("equal specs are different routes")
	}
	if c := r.Intern("y", func() *Route { return new(Route) }); c == a {
		t.Error("different specs are one route")
	}
}

func TestFailuresAreBounded(t *testing.T) {
	var c Counters
	for i := range uint32(maxFailures + 10) {
		c.Fail(i, loss.Refused, fmt.Errorf("%d", i))
	}
	if len(c.last) > maxFailures || c.Failed(3) != 1 {
		t.Errorf("%d texts are kept", len(c.last))
	}
}

func nobodys(uint32) string { return "" }

func unknown([]byte) uint32 { return NoRule }
