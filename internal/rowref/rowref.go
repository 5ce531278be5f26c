// Package rowref runs a rule one row at a time, straight from the tree of its
// text: slow and plain, so that what it does can be read. It is what the columnar
// executor is checked against; nothing of weir runs on it.
//
// It shares the syntax tree and the function table with the executor, and no
// other code: neither the binder nor a kernel. It knows rules over one stream or a
// join of streams and tables, with or without a tumbling, hopping, sliding or count
// window, in processing and in event time, with everything that may stand in them but
// what is left out:
//
//   - State and session windows, delayed sliding windows and OVER (WHEN ...): what they
//     do is little more than their definition, which rule files hold.
//   - Joins in event time, of declared streams and with stateful calls in a window's
//     conditions; joins whose conditions are all FALSE. Random rules over them are
//     compared with themselves, alone and in batches of other sizes.
//   - Functions that make rows or columns, row_number, and what depends on the clock, on
//     chance, on the message or on the name of the rule.
//
// A row is a map: a key with nil is null, no key is missing. Values are nil, bool,
// int64, float64, string, []any and map[string]any. An error is a fault: the rule
// does not send the row, or the window.
package rowref

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// Options are what a rule has beside its text.
type Options struct {
	// Columns are the declared columns of the stream, nil if it is schemaless.
	Columns []string
	// SendNil is sendNilField.
	SendNil bool
	// EventTime is isEventTime; Timestamp the stream's field with the time and
	// LateMs the rule's lateTolerance.
	EventTime bool
	Timestamp string
	LateMs    int64
	// DriftMs is maxFutureDrift, 0: none.
	DriftMs int64
	// StartMs is the time of the clock at which the rule starts.
	StartMs int64
	// Tables are the tables by name, which the caller fills. What is not in it is a
	// stream.
	Tables map[string]*Table
}

// Rule is a rule with the state of its window. It is for one goroutine.
type Rule struct {
	sel     *sql.Select
	opt     Options
	aliases map[string]sql.Expr
	out     []string
	sent    int64
	faults  int
	texts   []string
	hold    holder
	win     window

	srcs        []source   // of a join; nil: one stream
	overJoin    bool       // aggregates are over what one row is joined with
	early, late []sql.Expr // parts of WHERE without and with aggregates

	rowCalls, aggCalls []*sql.Call // stateful calls over rows, and over aggregates
	states             map[*sql.Call]map[string]fn.AnalyticState
}

// New makes a rule of its text. What the text may hold is checked only as far as
// the syntax goes.
func New(text string, o Options) (*Rule, error) {
	sel, err := sql.ParseSelect(text)
	if err != nil {
		return nil, err
	}
	if err := known(sel); err != nil {
		return nil, err
	}
	r := &Rule{sel: sel, opt: o, aliases: map[string]sql.Expr{}, states: map[*sql.Call]map[string]fn.AnalyticState{}}
	for _, f := range sel.Fields {
		if f.Alias != "" {
			r.aliases[f.Alias] = f.Expr
		}
	}
	r.findCalls()
	for _, e := range conjuncts(sel.Where) {
		if r.aggregates(e) {
			r.late = append(r.late, e)
		} else {
			r.early = append(r.early, e)
		}
	}
	if err := r.findSources(); err != nil {
		return nil, err
	}
	if w := sel.Window; w != nil {
		if w.Delay != 0 || w.When != nil {
			return nil, fmt.Errorf("a delay and WHEN are not known here")
		}
		switch w.Kind {
		case sql.TumblingWindow, sql.HoppingWindow, sql.SlidingWindow, sql.CountWindow:
		default:
			return nil, fmt.Errorf("%s is not known here", w.Kind)
		}
		if !o.EventTime && byTime(w) {
			r.win.open(o.StartMs, w)
		}
	}
	return r, nil
}

// Again returns the rule as it starts anew.
func (r *Rule) Again(now int64) *Rule {
	o := r.opt
	o.StartMs = now
	out, err := New(r.sel.Text, o)
	if err != nil {
		panic("bug: a rule that is one no more: " + r.sel.Text)
	}
	return out
}

// Push has a row of a stream come at a time of the clock.
func (r *Rule) Push(stream string, row map[string]any, now int64) {
	if !r.opt.EventTime {
		r.Advance(now)
	}
	switch {
	case len(r.srcs) > 0:
		r.pushJoined(stream, row, now)
	case stream != r.sel.From.Name:
	case r.opt.EventTime:
		r.order(row, now)
	default:
		r.take(r.seen(row, now))
	}
}

// Advance sets the clock and ends the windows that are over by then.
func (r *Rule) Advance(now int64) {
	if r.sel.Window != nil && !r.opt.EventTime && byTime(r.sel.Window) {
		r.closeUntil(now)
	}
}

// Take returns what the rule sent since the last time: a row as an object, a
// window as an array.
func (r *Rule) Take() []string {
	out := r.out
	r.out = nil
	return out
}

// Faults returns how many rows and windows were lost by a fault.
func (r *Rule) Faults() int { return r.faults }

// Texts returns why each of them was lost.
func (r *Rule) Texts() []string { return r.texts }

// lose counts a row or a window.
func (r *Rule) lose(err error) {
	r.faults++
	r.texts = append(r.texts, err.Error())
}

// take has a row come to the rule, which the stateful calls have seen.
func (r *Rule) take(rec record) {
	if r.sel.Window != nil {
		if r.counts(rec) {
			r.intoWindow(rec, 0)
		}
		return
	}
	if err := r.sendRow(rec); err != nil {
		r.lose(err)
	}
}

// sendRow sends a row as a message of its own, if the rule wants it.
func (r *Rule) sendRow(rec record) error {
	s := r.rowScope(rec)
	r.remember(s, r.aggCalls) // aggregates are over the row
	ok, err := s.passes(slices.Concat(r.early, r.late), r.sel.Having)
	if err != nil || !ok || r.sel.Limit != nil && *r.sel.Limit == 0 {
		return err
	}
	m, err := s.project()
	if err != nil {
		return err
	}
	for _, o := range r.sel.OrderBy { // there is nothing to order, but it can fail
		if _, err := s.eval(o.Expr); err != nil {
			return err
		}
	}
	return r.send(m)
}

// send writes a message.
func (r *Rule) send(message any) error {
	r.sent++
	text, err := json.Marshal(digits(message))
	if err == nil {
		r.out = append(r.out, string(text))
	}
	return err
}

// holder is what event time keeps of a rule's rows.
type holder struct {
	begun bool
	mark  int64
	rows  []held
}

type held struct {
	ts  int64
	row map[string]any
}

// clockSet is 2020: a clock before it was never set, and bounds no event time.
const clockSet = 1_577_836_800_000

// order puts a row of event time in its place, and lets go what the watermark has
// come to. A row that comes when the watermark is there already waits for its
// next advance.
func (r *Rule) order(row map[string]any, now int64) {
	ts, ok := eventTime(row[r.opt.Timestamp])
	if !ok || r.opt.DriftMs > 0 && now >= clockSet && ts > now+r.opt.DriftMs {
		r.lose(fault("no event time"))
		return
	}
	h := &r.hold
	if h.begun && ts < h.mark {
		return
	}
	h.rows = append(h.rows, held{ts, row})
	mark := ts - r.opt.LateMs
	if h.begun && mark <= h.mark {
		return
	}
	h.begun, h.mark = true, mark
	sort.SliceStable(h.rows, func(i, j int) bool { return h.rows[i].ts < h.rows[j].ts })
	n := sort.Search(len(h.rows), func(i int) bool { return h.rows[i].ts > h.mark })
	for _, x := range h.rows[:n] {
		rec := r.seen(x.row, x.ts)
		switch {
		case r.sel.Window == nil:
		case !r.counts(rec):
			continue
		case !byTime(r.sel.Window):
		case r.win.end == 0:
			r.win.open(x.ts, r.sel.Window)
		default:
			r.closeUntil(x.ts)
		}
		r.take(rec)
	}
	h.rows = h.rows[n:]
	for _, ts := range r.win.slides {
		r.slide(ts, r.sel.Window.Length*r.sel.Window.UnitMillis())
	}
	r.win.slides = nil
	if r.sel.Window != nil && r.win.end != 0 && byTime(r.sel.Window) {
		r.closeUntil(h.mark)
	}
}

func eventTime(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), true
	}
	return 0, false
}

// digits is v with whole floats as whole numbers, which are written in all digits.
func digits(v any) any {
	switch v := v.(type) {
	case float64:
		if i, ok := vec.Whole(v); ok && i != 0 {
			return i
		}
	case []map[string]any:
		out := make([]any, len(v))
		for i, m := range v {
			out[i] = digits(m)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = digits(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = digits(x)
		}
		return out
	}
	return v
}
