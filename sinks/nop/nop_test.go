package nop

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/log"
)

func TestNop(t *testing.T) {
	var b bytes.Buffer
	f := New(log.Options{Logger: slog.New(slog.NewTextHandler(&b, nil))})
	for _, logs := range []bool{false, true} {
		target, err := f.Open(map[string]any{"log": logs})
		if err != nil {
			t.Fatal(err)
		}
		if target.Discards == logs {
			t.Errorf("log %v: got Discards %v", logs, target.Discards)
		}
		d, err := target.Open(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		n, err := d.Write(context.Background(), []sinks.Message{{Payload: []byte("x")}, {Payload: []byte("y")}})
		if n != 2 || err != nil || d.Close() != nil {
			t.Errorf("got %d %v", n, err)
		}
		if got, want := strings.Count(b.String(), "sink result"), map[bool]int{true: 2}[logs]; got != want {
			t.Errorf("log %v: got %d lines, want %d", logs, got, want)
		}
	}
	a, _ := f.Open(nil)
	c, _ := f.Open(map[string]any{"log": false})
	if a.DestKey != c.DestKey || a.Route != c.Route {
		t.Error("equal properties have different targets")
	}
	if _, err := f.Open(map[string]any{"log": 5}); err == nil || err.Error() != `property "log": want true or false, got 5` {
		t.Errorf("got %v", err)
	}
}
