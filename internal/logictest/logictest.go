// Package logictest runs rule files: plain text that says which rules there are,
// which rows come and what the rules send. Every file is run under many
// executions that must not change a single answer, and so each of them catches
// what the others cannot see:
//
//	share=true    all rules of a stream in one program, share=false each alone
//	reverse=true  rules are added in the opposite order
//	batch=N       rows come in batches of 1, 3, 64, 65 or 1024
//	nulls=high    slots behind rows without a value hold the largest value,
//	nulls=low     or the smallest; never zero
//
// A file is read by datadriven: a command with arguments, lines that belong to
// it, a line of four dashes, and what it prints. An empty line ends the print.
// Lines that begin with # are for the reader. Accept new output with -rewrite;
// it comes from one execution, and the others are checked in the next run.
//
// # Commands
//
// schema [STREAM] [timestamp=FIELD [timeformat=PATTERN]] [strict] [int64] [table [retain=ROWS] [key=FIELD]]
//
// declares a stream, whose fields are the lines, as in CREATE STREAM: a name, a
// type and perhaps the word null. A row in which another field is null or missing
// is a mistake in the file. float64, int64 and bool stand for FLOAT, BIGINT and
// BOOLEAN. Without lines the stream is schemaless, as is every stream that is not
// declared at all. timestamp names the field of event time, strict is
// STRICT_VALIDATION, int64 makes whole numbers of a schemaless stream int64. table
// makes it a table that keeps all rows or the last ROWS, with key a lookup table.
//
// rule NAME [event] [late=MS] [drift=MS] [sendnil] [meta] [count] [faults]
//
// adds a rule, whose text are the lines, or replaces the one with that name. It
// starts with the next command that is not rule: rules in a row start together. A
// rule that is refused prints its faults and is none. event is isEventTime, late
// lateTolerance (0 if not given), drift maxFutureDrift (none if not given), sendnil
// sendNilField, meta sendMetaToSink. Of a rule with count nobody reads what it sends,
// so only stats tells of it. A rule with faults has sendError: what it loses is
// printed among what it sends.
//
// drop NAME
//
// removes a rule.
//
// push [STREAM] [at=MS] [topic=TOPIC] [kind=KIND]
//
// has the payloads, one a line, come to a stream; to the only one if there is
// one. at is the time of the clock and of their arrival; without it the clock
// stays. What the rules send is printed sorted by the name of the rule and then in
// order: a row as an object, the rows of a window as an array. Payloads that do
// not decode are counted. KIND is what a row does to a lookup table.
//
// advance to=MS
//
// sets the clock, which begins at 0, and ends what is over by then.
//
// jump to=MS
//
// has somebody set the clock, forward or back. What is sent for that is printed.
//
// restart [NAME]
//
// stops a rule and starts it again, or all of them with everything they know.
//
// explain
//
// prints the conditions that the running rules have, each once with the number of
// its rules, the windows, and each rule as the conditions that it needs. It is
// checked where rules share.
//
// stats [text]
//
// prints per rule the rows of its stream, the rows or windows that it sent and
// those that it lost by a fault, with text the last fault too; then the work
// since the last stats: searches of indexes and evaluations of steps, one for each
// batch that needs it. The work is checked in the first execution only.
package logictest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Execution is one way to run a file.
type Execution struct {
	Share   bool // all rules of a stream in one program
	Reverse bool // rules are added in the opposite order
	Batch   int  // rows in a batch
	High    bool // slots without a value hold the largest value
}

// String names the execution as the subtest is called.
func (e Execution) String() string {
	nulls := "low"
	if e.High {
		nulls = "high"
	}
	return fmt.Sprintf("share=%v/reverse=%v/batch=%d/nulls=%s", e.Share, e.Reverse, e.Batch, nulls)
}

// BatchSizes are the sizes of batches that files are run with: one row, few, a
// word of bits, one more, and all.
var BatchSizes = []int{1, 3, 64, 65, 1024}

// Executions returns all ways to run a file. Output is accepted from the first.
func Executions() []Execution {
	var out []Execution
	for _, share := range []bool{true, false} {
		for _, reverse := range []bool{false, true} {
			for i := range BatchSizes {
				for _, high := range []bool{true, false} {
					out = append(out, Execution{share, reverse, BatchSizes[len(BatchSizes)-1-i], high})
				}
			}
		}
	}
	return out
}

// Run runs every file of dir whose name ends with .txt, under all executions. It
// stops at the first execution in which a file fails.
func Run(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no rule files in %s", dir)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			if rewriting() {
				runFile(t, path, Executions()[0])
				return
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range Executions() {
				if !t.Run(e.String(), func(t *testing.T) { RunText(t, string(text), e) }) {
					return
				}
			}
		})
	}
}

// RunText runs the text of a file under one execution.
func RunText(t *testing.T, text string, e Execution) {
	t.Helper()
	s := newSession(e)
	datadriven.RunTestFromString(t, text, func(t *testing.T, d *datadriven.TestData) string { return s.command(t, d) })
}

func runFile(t *testing.T, path string, e Execution) {
	t.Helper()
	s := newSession(e)
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.command(t, d) })
}

func rewriting() bool {
	f := flag.Lookup("rewrite")
	return f != nil && f.Value.String() == "true"
}
