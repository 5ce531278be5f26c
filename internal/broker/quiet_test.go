package broker

import (
	"bytes"
	"log/slog"
	"testing"
)

// The library logs each connection that ends and each listener that closes as a
// warning, with attributes; only errors are for the user.
func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(quiet{slog.NewTextHandler(&out, nil)})
	for _, l := range []*slog.Logger{log, log.With("listener", "weir"), log.WithGroup("g")} {
		l.Warn("client disconnected")
	}
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", &out)
	}
	log.With("listener", "weir").Error("accept")
	if out.Len() == 0 {
		t.Error("an error was not logged")
	}
}
