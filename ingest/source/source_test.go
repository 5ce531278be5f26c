package source

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/weir-engine/weir/ingest"
)

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
