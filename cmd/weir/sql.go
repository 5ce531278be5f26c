package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// sqlOptions are the flags of weir sql.
type sqlOptions struct {
	timestamp string        // field with the event time
	late      time.Duration // lateTolerance
	timezone  string
	sendNil   bool
}

func newSQL() *cobra.Command {
	var o sqlOptions
	c := &cobra.Command{
		Use: "sql 'SELECT ...' FILE", Short: "Run a query over a file of messages", Args: cobra.ExactArgs(2),
		Long: "Run a query over a file of JSON messages, one a line or as an array, and print what it sends, a row a line. " +
			"FILE - is standard input. FROM takes any name. Without --timestamp all messages arrive at one moment, and " +
			"windows hold all of them; with it, windows follow that field. The end of the file ends open windows.",
	}
	f := c.Flags()
	f.StringVar(&o.timestamp, "timestamp", "", "field that holds the event time")
	f.DurationVar(&o.late, "late", ruledef.DefaultOptions().LateTolerance, "how long late messages are waited for, with --timestamp")
	f.StringVar(&o.timezone, "timezone", "", "IANA name of the time zone of dates and windows; default: the system's")
	f.BoolVar(&o.sendNil, "send-nil", false, "print expressions that are null as null")
	c.RunE = func(c *cobra.Command, args []string) error {
		in := c.InOrStdin()
		if args[1] != "-" {
			file, err := os.Open(args[1])
			if err != nil {
				return fmt.Errorf("sql: %w", err)
			}
			defer file.Close()
			in = file
		}
		return runSQL(c.Context(), args[0], o, in, c.OutOrStdout())
	}
	return c
}

// anyStream takes every name of FROM for the file.
type anyStream struct{ timestamp string }

// Source says that there is a stream of any name.
func (a anyStream) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name, Timestamp: a.timestamp}, true
}

// query is one query in operation. It belongs to one goroutine.
type query struct {
	loc     *time.Location
	window  *planner.BoundWindow // nil: none
	late    int64                // ms
	field   string               // with the event time; "": none
	stamp   string               // key of its column
	feed    *ingest.Feed
	inbox   *ingest.Inbox
	route   uint32
	x       *exec.Executor
	out     *rowWriter
	startMs int64
	lastMs  int64 // latest event time
	timed   bool  // lastMs is set
}

// runSQL runs a query over the messages of in. Messages and rows that are lost to
// a fault do not stop it; they are the error at the end.
func runSQL(ctx context.Context, text string, o sqlOptions, in io.Reader, out io.Writer) error {
	q, err := newQuery(text, o, bufio.NewWriterSize(out, 64<<10))
	if err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	r := messageReader{feed: q.feed, route: q.route}
	read := make(chan error, 1)
	go func() { read <- r.run(ctx, in) }()
	defer stop()
	bad, err := q.run(ctx, read)
	if err != nil {
		q.feed.Close() // the reader may wait for the executor; for its input, it is left
		return fmt.Errorf("sql: %w", err)
	}
	if err = q.end(); err == nil {
		q.out.flush()
		err = q.out.err
	}
	if err = errors.Join(err, bad, r.fault(), q.fault()); err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	return nil
}

// newQuery compiles text.
func newQuery(text string, o sqlOptions, out *bufio.Writer) (*query, error) {
	q := &query{field: o.timestamp, loc: time.Local, late: o.late.Milliseconds(), startMs: time.Now().UnixMilli(), inbox: ingest.NewInbox()}
	if o.late < 0 {
		return nil, fmt.Errorf("late %v: must not be negative", o.late)
	}
	var err error
	if o.timezone != "" {
		if q.loc, err = time.LoadLocation(o.timezone); err != nil {
			return nil, fmt.Errorf("timezone %q: %w", o.timezone, err)
		}
	}
	sel, err := sql.ParseSelect(text)
	if err != nil {
		return nil, err
	}
	bound, err := planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: anyStream{o.timestamp}, Fold: exec.FoldIn(q.loc)}, "sql", sel, planner.Settings{
		EventTime: o.timestamp != "", LateMs: q.late, SendNil: o.sendNil, RuleStartMs: q.startMs,
	})
	if err != nil {
		return nil, err
	}
	q.window = bound.Window()
	b := planner.NewBuilder()
	b.Add(1, bound.Root, false)
	if q.feed, err = ingest.NewFeed(q.inbox, ingest.Options{Location: q.loc}); err != nil {
		return nil, err
	}
	specs := b.Columns()
	if o.timestamp != "" {
		spec := vec.ColumnSpec{Path: []string{o.timestamp}}
		if q.stamp = spec.Key(); vec.NewPlan(0, specs).Find(q.stamp) < 0 {
			specs = append(specs, spec)
		}
	}
	q.feed.SetPlan(vec.NewPlan(1, specs))
	q.route = q.feed.Route([]uint32{0})
	enc, err := encode.New(map[string]any{"sendSingle": true}, encode.In(q.loc))
	if err != nil {
		return nil, err
	}
	q.out = &rowWriter{enc: enc, out: out}
	q.x = exec.New(exec.Env{Location: q.loc, Started: q.startMs, Now: func() int64 { return q.startMs }}, q.out)
	q.x.SetProgram(0, b.Program(), q.startMs)
	return q, nil
}

// run runs batches until the reader has ended and everything that it read is
// done. bad is why the reader ended before its input; err is why the query did.
func (q *query) run(ctx context.Context, read <-chan error) (bad, err error) {
	for q.out.err == nil {
		select {
		case <-q.inbox.Ready():
			q.batches()
			q.out.flush() // whoever pipes messages in by hand wants to see what they do
		case bad = <-read:
			q.batches()
			return bad, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, q.out.err
}

// batches runs what waits in the inbox.
func (q *query) batches() {
	for {
		f, b := q.inbox.Take()
		if b == nil {
			return
		}
		if i := b.Plan.Find(q.stamp); q.field != "" && i >= 0 {
			for r := range b.Rows {
				q.note(b.Col(i).Value(r))
			}
		}
		q.x.Run(b, q.startMs)
		f.Done(b)
	}
}

// note keeps the latest event time.
func (q *query) note(v vec.Value) {
	var ms int64
	switch v.Kind {
	case vec.Int64, vec.Timestamp:
		ms = v.I
	case vec.Float64:
		if math.IsNaN(v.F) || math.Abs(v.F) > 1<<53 {
			return
		}
		ms = int64(v.F)
	case vec.String:
		var ok bool
		if ms, ok = fn.ParseTime(v.S, q.loc); !ok {
			return
		}
	default:
		return
	}
	if !q.timed || ms > q.lastMs {
		q.lastMs, q.timed = ms, true
	}
}

// end ends the windows that are open, as if time went on without messages, until
// the last of those that hold a message is over.
func (q *query) end() error {
	if q.field == "" {
		if w := q.window; w != nil {
			q.x.Advance(q.startMs + longest(&w.Spec, q.startMs, q.loc))
		}
		return nil
	}
	var past int64
	if q.window != nil {
		past = longest(&q.window.Spec, q.lastMs, q.loc)
	}
	// A message that has nothing but a time moves the watermark. It is not let
	// through itself as long as messages are waited for; if they are not, it is,
	// and lies behind every window that ends; without a window nothing is held.
	if !q.timed || q.late == 0 && past == 0 {
		return nil
	}
	q.feed.Begin(q.startMs)
	mark, err := json.Marshal(map[string]int64{q.field: q.lastMs + past + q.late})
	if err == nil {
		err = q.feed.Push(mark, q.route, nil, ingest.Ack{})
	}
	q.feed.End()
	if err != nil {
		return err
	}
	q.batches()
	return nil
}

// longest is how long after its last message a window can end, in ms.
func longest(s *planner.WindowSpec, last int64, loc *time.Location) int64 {
	var ms int64
	switch s.Kind {
	case sql.TumblingWindow, sql.HoppingWindow:
		ms = s.Length
		if s.Unit == "dd" { // days are as long as the calendar says
			_, a := time.UnixMilli(last).In(loc).Zone()
			_, b := time.UnixMilli(last + ms).In(loc).Zone()
			ms += max(0, int64(a-b)) * 1000
		}
	case sql.SlidingWindow:
		ms = s.Delay
	case sql.SessionWindow:
		ms = s.Interval
	}
	return ms
}

// fault tells of rows that the query lost.
func (q *query) fault() error {
	s := q.x.Stats()
	var errs []error
	if len(s.Faults) > 1 && s.Faults[1] > 0 {
		errs = append(errs, fmt.Errorf("%d rows or windows lost, the last: %s", s.Faults[1], s.Last[1]))
	}
	if late := s.Lost[loss.Late]; late > 0 {
		errs = append(errs, fmt.Errorf("%d messages were later than %v, see --late", late, time.Duration(q.late)*time.Millisecond))
	}
	return errors.Join(errs...)
}

// rowWriter prints what the query sends.
type rowWriter struct {
	enc *encode.Encoder
	out *bufio.Writer
	buf []byte
	err error // of the first write that failed
}

// Send prints one row.
func (w *rowWriter) Send(_ planner.RuleID, p *vec.Projection, row int) error {
	text, sent, err := w.enc.AppendMessage(w.buf[:0], p, row)
	if err != nil {
		return err
	}
	w.buf = text
	if !sent || w.err != nil {
		return nil
	}
	w.buf = append(w.buf, '\n')
	if _, err := w.out.Write(w.buf); err != nil {
		w.failed(err)
	}
	return nil
}

func (w *rowWriter) failed(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("write results: %w", err)
	}
}

// flush hands on what was printed.
func (w *rowWriter) flush() {
	if err := w.out.Flush(); err != nil {
		w.failed(err)
	}
}

// SendRows prints the rows of a window.
func (w *rowWriter) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error {
	var errs []error
	for _, r := range rows {
		if err := w.Send(rule, p, int(r)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Fault is of no interest: the executor counts faults.
func (w *rowWriter) Fault(planner.RuleID, string) {}
