package logictest

import (
	"fmt"

	"github.com/cockroachdb/datadriven"
)

// Runner runs the commands of a rule file one by one, without a file: for tests
// that make their commands up. See the package comment for what there is.
type Runner struct{ s *session }

// NewRunner returns a Runner without streams and rules.
func NewRunner(e Execution) (*Runner, error) {
	s := newSession(e)
	return &Runner{s}, s.prepare()
}

// Command runs one command: its first line, and the lines below it. It returns
// what the command prints.
func (r *Runner) Command(line, input string) (string, error) {
	cmd, args, err := datadriven.ParseLine(line)
	if err != nil {
		return "", err
	}
	text, err := r.s.run(&datadriven.TestData{Cmd: cmd, CmdArgs: args, Input: input})
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return text, nil
}
