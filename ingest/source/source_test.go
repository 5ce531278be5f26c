package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/ingest"
)

func TestProps(t *testing.T) {
	p := NewProps(map[string]any{
		"path": "/tmp", "Interval": 1500.0, "send": "2s", "ms": "250", "flag": "TRUE", "on": true,
		"n": json.Number("3"), "list": []any{"a", "b"}, "rate": 0.5,
	})
	if got := p.String("PATH", ""); got != "/tmp" {
		t.Errorf("String: got %q", got)
	}
	if got := p.String("none", "def"); got != "def" {
		t.Errorf("default: got %q", got)
	}
	for key, want := range map[string]time.Duration{"interval": 1500 * time.Millisecond, "send": 2 * time.Second, "ms": 250 * time.Millisecond, "none": 7} {
		if got := p.Duration(key, 7); got != want {
			t.Errorf("Duration(%q): got %v, want %v", key, got, want)
		}
	}
	if !p.Bool("flag", false) || !p.Bool("on", false) || !p.Bool("none", true) {
		t.Error("Bool: got false")
	}
	if got := p.Int("n", 0, 0, 5); got != 3 {
		t.Errorf("Int: got %d", got)
	}
	if got := p.Float("rate", 0, 0, 1); got != 0.5 {
		t.Errorf("Float: got %v", got)
	}
	if got := p.Strings("list"); strings.Join(got, ",") != "a,b" {
		t.Errorf("Strings: got %q", got)
	}
	if err := p.Err(); err != nil {
		t.Errorf("Err: got %v", err)
	}
}

func TestPropsFaults(t *testing.T) {
	p := NewProps(map[string]any{"s": 1, "b": "maybe", "n": 1.5, "d": "-5s", "d2": "soon", "l": []any{1}, "f": "x"})
	p.String("s", "")
	p.Bool("b", false)
	p.Int("n", 0, 0, 9)
	p.Duration("d", 0)
	p.Duration("d2", 0)
	p.Strings("l")
	p.Float("f", 0, 0, 1)
	want := `property "s": want a text, found 1
property "b": want true or false, found "maybe"
property "n": want a whole number from 0 to 9, found 1.5
property "d": want milliseconds or a duration like "10s", found "-5s"
property "d2": want milliseconds or a duration like "10s", found "soon"
property "l": want a list of texts, found 1 in it
property "f": want a number from 0 to 1, found "x"`
	if err := p.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestTracker(t *testing.T) {
	var tr Tracker
	step := func(want State, errs uint64, last string) {
		t.Helper()
		if s := tr.Status(); s.State != want || s.Errors != errs || s.LastError != last {
			t.Errorf("got %s %d %q, want %s %d %q", s.State, s.Errors, s.LastError, want, errs, last)
		}
	}
	step(Idle, 0, "")
	tr.Start()
	tr.Fault(errors.New("line 7"))
	step(Running, 1, "line 7")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.End(ctx, context.Canceled); err != nil {
		t.Errorf("stopped: got %v, want nil", err)
	}
	step(Stopped, 1, "line 7")
	tr.Start()
	if err := tr.End(t.Context(), fmt.Errorf("push: %w", ingest.ErrClosed)); err != nil {
		t.Errorf("closed: got %v, want nil", err)
	}
	step(Stopped, 1, "line 7")
	tr.Start()
	if err := tr.End(t.Context(), nil); err != nil {
		t.Errorf("eof: got %v", err)
	}
	step(EOF, 1, "line 7")
	if err := tr.End(t.Context(), errors.New("gone")); err == nil {
		t.Error("failed: got nil")
	}
	step(Failed, 1, "gone")
}
