package log

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/sinks"
)

func open(t *testing.T, o Options) sinks.Destination {
	t.Helper()
	target, err := New(o).Open(map[string]any{"anything": 1})
	if err != nil || !target.Volatile || target.DestKey != "log" {
		t.Fatalf("got %+v, %v", target, err)
	}
	d, err := target.Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func logger(b *bytes.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLog(t *testing.T) {
	var b bytes.Buffer
	d := open(t, Options{Logger: logger(&b, slog.LevelInfo), RuleName: func(r uint32) string { return fmt.Sprint("r", r) }})
	n, err := d.Write(context.Background(), []sinks.Message{{Payload: []byte(`[{"a":1}]`), Rule: 4}, {Payload: []byte("x")}})
	want := `level=INFO msg="sink result for rule r4: [{\"a\":1}]"` + "\n" + `level=INFO msg="sink result for rule r0: x"` + "\n"
	if n != 2 || err != nil || b.String() != want {
		t.Errorf("got %d %v %s, want %s", n, err, b.String(), want)
	}
	b.Reset()
	d = open(t, Options{Logger: logger(&b, slog.LevelWarn)})
	if n, err := d.Write(context.Background(), make([]sinks.Message, 3)); n != 3 || err != nil || b.Len() > 0 {
		t.Errorf("below the level: got %d %v %q", n, err, b.String())
	}
}

func TestMaxLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		d := open(t, Options{Logger: logger(&b, slog.LevelInfo), MaxLinesPerSecond: 2})
		for range 2 {
			if _, err := d.Write(t.Context(), make([]sinks.Message, 5)); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.String(), "sink result for"); got != 4 {
			t.Errorf("got %d lines, want 4:\n%s", got, b.String())
		}
		if got := strings.Count(b.String(), "results=3"); got != 2 {
			t.Errorf("what was left out is told %d times, want twice:\n%s", got, b.String())
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	var out bytes.Buffer
	f := New(Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	d := NewDestination(f.o)
	msgs := []sinks.Message{{Payload: []byte(`[{"temperature":81.234}]`), Rule: 17}}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		_, _ = d.Write(context.Background(), msgs)
	}
}
