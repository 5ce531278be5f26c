package logictest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
)

// session is one run of a file.
type session struct {
	ex      Execution
	now     int64
	streams map[string]*stream
	rules   map[string]*rule
	pending []*rule
	next    planner.RuleID
	engines []*engine // one, or one for each rule
	out     *collector

	joins int // that were made

	broken []string // panics that were contained

	lookups, steps uint64 // at the last stats
}

// engine is an executor and what it runs.
type engine struct {
	x        *exec.Executor
	builders map[*stream]*planner.Builder
	joins    map[string]*stream // that began since the last publish, by text
}

func newSession(e Execution) *session {
	return &session{ex: e, streams: map[string]*stream{}, rules: map[string]*rule{}, next: 1}
}

// prepare makes what a session needs beside itself.
func (s *session) prepare() error {
	out, err := newCollector()
	if err != nil {
		return err
	}
	s.out = out
	return nil
}

// command runs one command and returns what it prints.
func (s *session) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	if s.out == nil {
		if err := s.prepare(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := s.run(d)
	if err != nil {
		d.Fatalf(t, "%s: %v", d.Cmd, err)
	}
	return text
}

// contained notes the panics of a call.
func (s *session) contained(r exec.Receipt) {
	for _, b := range r.Broken {
		s.broken = append(s.broken, b.Text+"\n"+string(b.Stack))
	}
}

// run runs one command. A panic that the executor contained is an error all the same.
func (s *session) run(d *datadriven.TestData) (string, error) {
	text, err := s.do(d)
	if len(s.broken) > 0 {
		err = errors.Join(err, errors.New(strings.Join(s.broken, "\n")))
	}
	return text, err
}

func (s *session) do(d *datadriven.TestData) (string, error) {
	a, err := argsOf(d)
	if err != nil {
		return "", err
	}
	switch d.Cmd {
	case "schema":
		return "", s.schema(a, d.Input)
	case "rule":
		return s.rule(a, d.Input)
	}
	if err := s.start(); err != nil {
		return "", err
	}
	switch d.Cmd {
	case "drop":
		return "", s.drop(a.name)
	case "push":
		return s.push(a, d.Input)
	case "advance":
		return s.advance(a)
	case "jump":
		return s.jump(a)
	case "restart":
		return "", s.restart(a.name)
	case "explain":
		if !s.ex.Share {
			return d.Expected, nil
		}
		return s.explain(), nil
	case "stats":
		return s.stats(a, d), nil
	}
	return "", fmt.Errorf("want schema, rule, drop, push, advance, jump, restart, explain or stats")
}

func (s *session) advance(a args) (string, error) {
	to, err := a.ms("to", s.now)
	if err != nil {
		return "", err
	}
	err = s.clock(to)
	return s.out.print(), err
}

// jump has somebody set the clock.
func (s *session) jump(a args) (string, error) {
	to, err := a.ms("to", s.now)
	if err != nil {
		return "", err
	}
	for _, e := range s.engines {
		s.contained(e.x.Jump(to-s.now, to))
	}
	s.now = to
	return s.out.print(), nil
}

// maxDeadlines is how many windows may end in one command: a clock that jumps by
// years is a mistake in a file, and would fill the memory with what they print.
const maxDeadlines = 100_000

// clock goes to a time and ends on the way what is over, each when it is.
func (s *session) clock(to int64) error {
	if to < s.now {
		return fmt.Errorf("time %d: the clock is at %d already", to, s.now)
	}
	for _, e := range s.engines {
		for last, n := int64(-1), 0; ; n++ {
			if n == maxDeadlines {
				return fmt.Errorf("time %d: more than %d windows end on the way: set the clock before there are rules", to, n)
			}
			d := e.x.Deadline()
			if d == 0 || d > to {
				break
			}
			if d <= last {
				return fmt.Errorf("time %d: the deadline stays at %d", d, last)
			}
			last = d
			s.now = max(s.now, d)
			s.contained(e.x.Advance(d))
		}
	}
	s.now = to
	for _, e := range s.engines {
		s.contained(e.x.Advance(to))
	}
	return nil
}

// push has payloads come to a stream.
func (s *session) push(a args, input string) (string, error) {
	st, err := s.target(a.name)
	if err != nil {
		return "", err
	}
	at, err := a.ms("at", s.now)
	if err != nil {
		return "", err
	}
	if err := s.clock(at); err != nil {
		return "", err
	}
	bad, err := st.push(s, input, a)
	return s.out.print() + bad, err
}

// stats prints the counters of the rules, and in the first execution the work.
func (s *session) stats(a args, d *datadriven.TestData) string {
	text := ""
	for _, name := range s.names() {
		r := s.rules[name]
		st := r.eng.x.Stats()
		n := func(c []uint64) uint64 {
			if int(r.id) < len(c) {
				return c[r.id]
			}
			return 0
		}
		text += fmt.Sprintf("%s rows=%d matched=%d faults=%d", name, n(st.In), n(st.Matched), n(st.Faults))
		if a.flags["text"] && n(st.Faults) > 0 {
			text += " last: " + st.Last[r.id]
		}
		text += "\n"
	}
	if s.ex != Executions()[0] {
		return text + workLine(d.Expected)
	}
	var lookups, steps uint64
	for _, e := range s.engines {
		lookups, steps = lookups+e.x.Stats().Lookups, steps+e.x.Stats().Steps
	}
	text += fmt.Sprintf("work: %d lookups, %d steps\n", lookups-s.lookups, steps-s.steps)
	s.lookups, s.steps = lookups, steps
	return text
}
