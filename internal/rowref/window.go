package rowref

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// window is the window that is open.
type window struct {
	count       int64 // rows so far
	begin, end  int64 // of the first window; of the open one
	length, hop int64
	kept        []timed // rows in it, those that WHERE refused included
	slides      []int64 // in event time: rows whose sliding windows fire when all of a release are there
	hopping     bool
}

type timed struct {
	ts   int64
	row  map[string]any
	pass bool // WHERE let it in
}

// open begins the first window at a time; it ends at a multiple of its length,
// or of the time between two, within the next larger unit.
func (w *window) open(ms int64, def *sql.Window) {
	unit := def.UnitMillis()
	within := map[string]int64{"ms": 1000, "ss": 60_000, "mi": 3_600_000, "hh": 86_400_000, "dd": 0}[def.Unit]
	base := int64(0)
	if within > 0 {
		base = ms - ms%within
	}
	w.length, w.hop = def.Length*unit, def.Length*unit
	if w.hopping = def.Kind == sql.HoppingWindow; w.hopping {
		w.hop = def.Interval * unit
	}
	w.begin = ms
	if def.Unit == "dd" {
		w.end = ms - ms%unit + w.hop
		return
	}
	w.end = base + ((ms-base)/w.hop+1)*w.hop
}

// byTime tells whether windows of def end at times, not with rows.
func byTime(def *sql.Window) bool {
	return def.Kind == sql.TumblingWindow || def.Kind == sql.HoppingWindow
}

// start returns where the open window starts; of a hopping one what window_start()
// tells, which is one hop before the end of the one before it.
func (w *window) start() int64 {
	if !w.hopping {
		return max(w.end-w.length, w.begin)
	}
	if start := max(w.end-w.hop, w.begin) - w.hop; start > 0 {
		return start
	}
	return w.end - w.length
}

// rows returns the rows that count.
func (w *window) rows() []map[string]any {
	var out []map[string]any
	for _, k := range w.kept {
		if k.pass && (w.slides == nil || k.ts <= w.end) {
			out = append(out, k.row)
		}
	}
	return out
}

// counts tells whether the FILTER of the window lets a row in.
func (r *Rule) counts(row map[string]any) bool {
	s := scope{r: r, row: row}
	ok, err := s.holds(r.sel.Window.Filter)
	return ok && err == nil
}

// intoWindow puts a row into the open window. By the clock WHERE is before the
// window: a row that it refuses was never there.
func (r *Rule) intoWindow(row map[string]any, ts int64) {
	s := scope{r: r, row: row}
	ok, err := s.holds(r.sel.Where)
	if err != nil {
		r.lose(err)
	}
	def, pass := r.sel.Window, ok && err == nil
	if pass || r.opt.EventTime || !byTime(def) { // where rows end windows WHERE is behind them
		r.win.kept = append(r.win.kept, timed{ts, row, pass})
	}
	switch def.Kind {
	case sql.SlidingWindow:
		if r.opt.EventTime {
			r.win.slides = append(r.win.slides, ts)
			return
		}
		r.slide(ts, def.Length*def.UnitMillis())
	case sql.CountWindow:
		r.counted(ts, def.Length, max(def.Interval, 0))
	}
}

// slide fires with the rows of the last length before ts.
func (r *Rule) slide(ts, length int64) {
	w := &r.win
	w.begin, w.end, w.length = ts-length, ts, length
	w.kept = slices.DeleteFunc(w.kept, func(k timed) bool { return k.ts < w.begin })
	r.fireIfAny()
}

// counted fires with the last length rows after every interval rows.
func (r *Rule) counted(ts, length, interval int64) {
	w := &r.win
	if interval == 0 {
		interval = length
	}
	w.count++
	w.kept = w.kept[max(0, int64(len(w.kept))-length):]
	if w.count%interval != 0 || int64(len(w.kept)) < length {
		return
	}
	w.begin, w.end = w.kept[0].ts, ts
	w.length = ts - w.begin
	r.fireIfAny()
	w.kept = w.kept[min(interval, length):]
}

// fireIfAny fires unless WHERE refused all rows.
func (r *Rule) fireIfAny() {
	if len(r.win.rows()) == 0 {
		return
	}
	if err := r.fire(); err != nil {
		r.lose(err)
	}
}

// closeUntil ends every window that is over at a time.
func (r *Rule) closeUntil(ms int64) {
	w := &r.win
	for ms >= w.end {
		if len(w.rows()) > 0 || len(w.kept) == 0 {
			if err := r.fire(); err != nil {
				r.lose(err)
			}
		}
		w.end += w.hop
		w.kept = slices.DeleteFunc(w.kept, func(k timed) bool { return k.ts < w.end-w.length })
	}
}

// grouped tells whether the rule sends groups, not rows.
func (r *Rule) grouped() bool {
	found := len(r.sel.GroupBy) > 0
	look := func(e sql.Expr) {
		sql.Walk(e, func(e sql.Expr) bool {
			if c, ok := e.(*sql.Call); ok {
				f, ok := fn.Lookup(c.Name)
				found = found || ok && f.Kind == planner.FuncAgg
			}
			return true
		})
	}
	for _, f := range r.sel.Fields {
		look(f.Expr)
	}
	look(r.sel.Having)
	for _, o := range r.sel.OrderBy {
		look(o.Expr)
	}
	return found
}

// fire sends what the open window gives.
func (r *Rule) fire() error {
	scopes, err := r.scopes()
	if err != nil {
		return err
	}
	empty := len(scopes) == 0
	kept := scopes[:0]
	for _, s := range scopes {
		ok, err := s.holds(r.sel.Having)
		if err != nil {
			r.lose(err)
		} else if ok {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 && (!empty || r.grouped()) {
		return nil
	}
	out := make([]map[string]any, len(kept))
	for i, s := range kept {
		if out[i], err = s.project(); err != nil {
			return err
		}
	}
	if out, err = r.order(kept, out); err != nil {
		return err
	}
	if o := r.sel.Offset; o != nil {
		out = out[min(int(*o), len(out)):]
	}
	if l := r.sel.Limit; l != nil {
		if *l == 0 {
			return nil
		}
		out = out[:min(int(*l), len(out))]
	}
	return r.send(out)
}

// scopes returns the rows of the window, or its groups in order of their first
// rows. Aggregates without keys have one group even of nothing.
func (r *Rule) scopes() ([]*scope, error) {
	w := &r.win
	var out []*scope
	if !r.grouped() {
		for _, row := range w.rows() {
			out = append(out, &scope{r: r, row: row, over: true, start: w.start(), ts: w.end})
		}
		return out, nil
	}
	byKey := map[string]*scope{}
	for _, row := range w.rows() {
		rs := scope{r: r, row: row}
		keys, err := rs.list(r.sel.GroupBy...)
		if err != nil {
			r.lose(err)
			continue
		}
		k := keyText(keys)
		if byKey[k] == nil {
			byKey[k] = &scope{r: r, row: row, over: true, start: w.start(), ts: w.end}
			out = append(out, byKey[k])
		}
		byKey[k].group = append(byKey[k].group, row)
	}
	if len(out) == 0 && len(r.sel.GroupBy) == 0 {
		out = append(out, &scope{r: r, over: true, start: w.start(), ts: w.end})
	}
	return out, nil
}

func keyText(keys []any) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%T %#v|", k, k)
	}
	return b.String()
}

// order sorts rows by the keys, null last, and keeps the order of equals.
func (r *Rule) order(scopes []*scope, rows []map[string]any) ([]map[string]any, error) {
	type item struct {
		keys []any
		row  map[string]any
	}
	items := make([]item, len(rows))
	for i, s := range scopes {
		items[i].row = rows[i]
		for _, o := range r.sel.OrderBy {
			v, err := s.eval(o.Expr)
			if err != nil {
				return nil, err
			}
			items[i].keys = append(items[i].keys, v)
		}
	}
	var bad error
	slices.SortStableFunc(items, func(a, b item) int {
		for i, o := range r.sel.OrderBy {
			c, err := orderOf(a.keys[i], b.keys[i], o.Desc)
			if err != nil {
				bad = err
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	out := make([]map[string]any, len(items))
	for i, x := range items {
		out[i] = x.row
	}
	return out, bad
}

func orderOf(a, b any, desc bool) (int, error) {
	switch {
	case a == nil && b == nil:
		return 0, nil
	case a == nil:
		return 1, nil
	case b == nil:
		return -1, nil
	}
	if p, ok := a.(bool); ok {
		if q, ok := b.(bool); ok {
			n := map[bool]int{true: 1}
			c := cmp.Compare(n[p], n[q])
			if desc {
				c = -c
			}
			return c, nil
		}
	}
	less, err := compare(sql.OpLt, a, b)
	if err != nil {
		return 0, err
	}
	more, err := compare(sql.OpGt, a, b)
	switch {
	case less != desc && (less || more):
		return -1, err
	case less || more:
		return 1, err
	}
	return 0, err
}

// aggregate computes an aggregate over the group; without a window over the row.
// Of no rows at all it is null, only collect is a null that is written.
func (s *scope) aggregate(e *sql.Call, f *fn.Func) (any, error) {
	rows := s.group
	if !s.over {
		rows = []map[string]any{s.row}
	}
	if len(rows) == 0 {
		if e.Name == "collect" {
			return written{}, nil
		}
		return nil, nil
	}
	st := f.Agg.New()
	seen := map[string]bool{}
	for _, row := range rows {
		rs := scope{r: s.r, row: row, ts: s.ts, inside: s.inside}
		if e.Filter != nil {
			if ok, err := rs.holds(e.Filter); !ok || err != nil {
				continue
			}
		}
		var args []vec.Value
		for _, a := range e.Args {
			if _, star := a.(*sql.Star); star {
				if e.Name != "count" {
					args = append(args, vec.TreeValue(row))
				}
				continue
			}
			v, err := rs.eval(a)
			if err != nil {
				return nil, err
			}
			args = append(args, rawjson.FromAny(v))
		}
		if e.Distinct {
			k := fmt.Sprint(args)
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		st.Add(args)
	}
	v, err := st.Result(&fn.Ctx{Location: time.UTC})
	return native(v), err
}

// written is a null that is written.
type written struct{}

// MarshalJSON writes null.
func (written) MarshalJSON() ([]byte, error) { return []byte("null"), nil }
