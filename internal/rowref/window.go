package rowref

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
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

// timed is a row of a window.
type timed struct {
	record
	src  int  // of a join: which source it is of
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
func (w *window) rows() []timed {
	var out []timed
	for _, k := range w.kept {
		if k.pass && (w.slides == nil || k.ts <= w.end) {
			out = append(out, k)
		}
	}
	return out
}

// counts tells whether the FILTER of the window lets a row in.
func (r *Rule) counts(rec record) bool {
	s := r.rowScope(rec)
	ok, err := s.holds(r.sel.Window.Filter)
	return ok && err == nil
}

// intoWindow puts a row of a source into the open window. By the clock WHERE is before
// the window: a row that it refuses was never there. Over a join WHERE is behind it.
func (r *Rule) intoWindow(rec record, src int) {
	pass := true
	if len(r.srcs) == 0 {
		s := r.rowScope(rec)
		ok, err := s.passes(r.early)
		if err != nil {
			r.lose(err)
		}
		pass = ok && err == nil
	}
	def := r.sel.Window
	if pass || r.opt.EventTime || !byTime(def) { // where rows end windows WHERE is behind them
		r.win.kept = append(r.win.kept, timed{rec, src, pass})
	}
	switch def.Kind {
	case sql.SlidingWindow:
		if r.opt.EventTime {
			r.win.slides = append(r.win.slides, rec.ts)
			return
		}
		r.slide(rec.ts, def.Length*def.UnitMillis())
	case sql.CountWindow:
		r.counted(rec.ts, def.Length, max(def.Interval, 0))
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
		w.kept = slices.DeleteFunc(w.kept, func(k timed) bool { return k.ts < w.end-w.length })
		if len(w.rows()) > 0 || len(w.kept) == 0 || len(r.srcs) > 0 {
			if err := r.fire(); err != nil {
				r.lose(err)
			}
		}
		w.end += w.hop
	}
}
