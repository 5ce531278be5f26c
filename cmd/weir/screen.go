package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/internal/mqttconn"
)

// screen prints lines above one line that is replaced, on a terminal; elsewhere
// that one is a line like the others. It may be used from many goroutines.
type screen struct {
	terminal bool

	mu   sync.Mutex
	out  io.Writer
	live string
}

// newScreen returns a screen on out, which is a terminal if it is a device of
// characters.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// clearLine goes to the begin of the line and empties it.
const clearLine = "\r\x1b[K"

func (s *screen) print(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal && s.live != "" {
		fmt.Fprint(s.out, clearLine, line, "\n", s.live)
		return
	}
	fmt.Fprintln(s.out, line)
}

// status replaces the live line.
func (s *screen) status(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal {
		fmt.Fprintln(s.out, line)
		return
	}
	s.live = line
	fmt.Fprint(s.out, clearLine, line)
}

// end leaves the live line as it is and goes on below it.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != "" {
		fmt.Fprintln(s.out)
		s.live = ""
	}
}

// screenLog is a log on a screen: the message and its attributes.
type screenLog struct {
	screen *screen
	attrs  []slog.Attr
}

// Enabled tells whether lines of a level are printed.
func (screenLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle prints one line.
func (l screenLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range l.attrs {
		add(a)
	}
	r.Attrs(add)
	l.screen.print(b.String())
	return nil
}

// WithAttrs returns a log whose lines have attrs.
func (l screenLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.attrs = append(l.attrs[:len(l.attrs):len(l.attrs)], attrs...)
	return l
}

// WithGroup returns the log as it is: the names of attributes are enough here.
func (l screenLog) WithGroup(string) slog.Handler { return l }

// alarmList prints the messages of a connection, a few a second.
type alarmList struct {
	screen *screen
	second int64
	shown  int
	left   int // out since a line was printed
}

// Messages prints alarms. The connection calls it from one goroutine.
func (a *alarmList) Messages(at int64, msgs []mqttconn.Message) {
	if now := at / time.Second.Milliseconds(); now != a.second {
		a.second, a.shown = now, 0
		if a.left > 0 {
			a.screen.print(fmt.Sprintf("... and %d more", a.left))
			a.left = 0
		}
	}
	for i := range msgs {
		if a.shown++; a.shown > demoAlarms {
			a.left++
			continue
		}
		a.screen.print(fmt.Sprintf("%-16s %s", msgs[i].Topic.Name, msgs[i].Payload))
	}
}
