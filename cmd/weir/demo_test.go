package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The demonstration runs with everything real, shows alarms and figures, and
// leaves nothing behind.
func TestDemo(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	out := &watched{until: regexp.MustCompile(`(?s)alarms/hot .*alarms/hot `), seen: stop}
	code := run(ctx, production(), []string{
		"demo", "--rules", "30", "--devices", "12", "--rate", "20000", "--rest", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0",
	}, out, out)
	text := out.String()
	if code != 0 {
		t.Fatalf("got %d:\n%s", code, text)
	}
	for _, want := range []string{
		`30 rules over 12 simulated devices`, `alarms/hot +\{"device":"sensor-00\d\d","temperature":[89]\d`, `\n[1-9]\d* messages, [1-9]\d* outputs in `,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("got no %s:\n%s", want, text)
		}
	}
	for _, args := range [][]string{{"--rest", "a:b:c"}, {"--mqtt-listen", "a:b:c"}, {"--data", "/dev/null/x"}} {
		if code, _, stderr := weir(t, production(), append([]string{"demo"}, args...)...); code != 1 || !strings.HasPrefix(stderr, "demo: ") {
			t.Errorf("%v: got %d %q", args, code, stderr)
		}
	}
}

// watched is an output that tells when it has seen enough.
type watched struct {
	until *regexp.Regexp
	seen  func()

	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps p.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buf.Write(p)
	if w.until.Match(w.buf.Bytes()) {
		w.seen()
	}
	return n, err
}

// String returns what was written.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.print("a")
	s.status("1/s")
	s.end()
	if got := out.String(); got != "a\n1/s\n" {
		t.Errorf("plain: got %q", got)
	}
	out.Reset()
	s.terminal = true
	s.print("a")
	s.status("1/s")
	s.print("b")
	s.status("2/s")
	s.end()
	if got := out.String(); got != "a\n\r\x1b[K1/s\r\x1b[Kb\n1/s\r\x1b[K2/s\n" {
		t.Errorf("terminal: got %q", got)
	}
	for v, want := range map[float64]string{0: "0", 9999: "9999", 12345: "12.3 k", 1.5e6: "1.50 M", 2.4e9: "2.40 G"} {
		if got := short(v); got != want {
			t.Errorf("short(%v): got %s, want %s", v, got, want)
		}
	}
}

func TestDemoRules(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range demoRules(2000, 7, "tcp://x") {
		if ids[r.ID] {
			t.Errorf("rule %s is there twice", r.ID)
		}
		ids[r.ID] = true
	}
	if len(ids) != 2000 || len(demoRules(0, 7, "tcp://x")) != 10 {
		t.Errorf("got %d rules, want 2000", len(ids))
	}
}
