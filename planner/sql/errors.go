package sql

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFaults is how many faults of one statement are listed.
const maxFaults = 20

// Fault is one thing that is wrong with a statement.
type Fault struct {
	At   Pos
	Text string // what was found and what was expected
}

// String returns `line 1 column 8: found "FROM", expected expression`.
func (f Fault) String() string {
	if f.At == (Pos{}) {
		return f.Text
	}
	return fmt.Sprintf("line %d column %d: %s", f.At.Line, f.At.Col, f.Text)
}

// Errors is the error of Parse: all faults that were found, in the order of
// the text. There is at least one.
type Errors struct{ Faults []Fault }

// Error returns one line for each fault.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("parse: ")
		b.WriteString(f.String())
	}
	return b.String()
}

// add notes a fault. A second fault at one place is a consequence of the first.
func (e *Errors) add(at Pos, format string, args ...any) {
	if len(e.Faults) >= maxFaults {
		return
	}
	for _, f := range e.Faults {
		if f.At == at {
			return
		}
	}
	e.Faults = append(e.Faults, Fault{at, fmt.Sprintf(format, args...)})
}

// err returns e as an error, nil if there is no fault.
func (e *Errors) err() error {
	if len(e.Faults) == 0 {
		return nil
	}
	sort.SliceStable(e.Faults, func(i, j int) bool {
		a, b := e.Faults[i].At, e.Faults[j].At
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return e
}

// clip returns s quoted, cut to a length that suits a message, on one line.
func clip(s string) string {
	const most = 40
	if r := []rune(s[:min(len(s), 4*most)]); len(r) > most {
		s = string(r[:most]) + "..."
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if strings.Contains(s, `"`) {
		return "'" + s + "'"
	}
	return `"` + s + `"`
}
