package sql

import (
	"math"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// WindowKind is the form of a Window.
type WindowKind uint8

// The windows. What is to be known of one for reading it stands in windows.
const (
	TumblingWindow WindowKind = iota
	HoppingWindow
	SlidingWindow
	SessionWindow
	CountWindow
	StateWindow
	DedupTrigger
)

// windows says how each window is called and written. It takes either numbers, from
// least to most of them, behind a unit if it has one, or expressions.
var windows = [...]struct {
	name        string // in lower case
	form        string // for faults
	unit        bool
	least, most int
}{
	TumblingWindow: {name: "tumblingwindow", form: "TUMBLINGWINDOW(unit, length)", unit: true, least: 1, most: 1},
	HoppingWindow:  {name: "hoppingwindow", form: "HOPPINGWINDOW(unit, length, hop)", unit: true, least: 2, most: 2},
	SlidingWindow:  {name: "slidingwindow", form: "SLIDINGWINDOW(unit, length[, delay])", unit: true, least: 1, most: 2},
	SessionWindow:  {name: "sessionwindow", form: "SESSIONWINDOW(unit, longest, gap)", unit: true, least: 2, most: 2},
	CountWindow:    {name: "countwindow", form: "COUNTWINDOW(count[, interval])", least: 1, most: 2},
	StateWindow:    {name: "statewindow", form: "STATEWINDOW(begin, emit) or STATEWINDOW(condition)"},
	DedupTrigger:   {name: "dedup_trigger", form: "DEDUP_TRIGGER(start, end, now, expire)"},
}

// String returns the name in lower case.
func (k WindowKind) String() string { return windows[k].name }

// WindowNamed returns the window that name, in lower case, stands for.
func WindowNamed(name string) (k WindowKind, ok bool) {
	for k := range windows {
		if windows[k].name == name {
			return WindowKind(k), true
		}
	}
	return 0, false
}

// windowList returns the names of all windows, for faults.
func windowList() string {
	var names []string
	for _, w := range windows {
		names = append(names, w.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// windowCall tells whether a call of a window, known or not, comes next.
func (p *parser) windowCall() bool {
	t := p.tok()
	if t.kind != tIdent || p.ahead(1).kind != tLParen {
		return false
	}
	name := strings.ToLower(p.src(t))
	_, ok := WindowNamed(name)
	return ok || strings.HasSuffix(name, "window")
}

// window reads a window with its FILTER and OVER; nil after a fault.
func (p *parser) window() *Window {
	t := p.next()
	name := strings.ToLower(p.src(t))
	k, ok := WindowNamed(name)
	if !ok {
		p.faults.add(t.pos(), "found the unknown window %s, expected %s", clip(p.src(t)), windowList())
		return nil
	}
	w := &Window{At: t.pos(), Kind: k}
	p.next()
	if windows[k].unit && !p.unit(w) {
		return nil
	}
	if windows[k].most > 0 {
		ok = p.windowLengths(w)
	} else {
		ok = p.windowArgs(w)
	}
	if !ok || !p.windowOptions(w) {
		return nil
	}
	return w
}

// unit reads the unit and the comma behind it.
func (p *parser) unit(w *Window) bool {
	form := windows[w.Kind].form
	if p.kw() != kUnit {
		p.expected("dd, hh, mi, ss or ms in " + form)
		return false
	}
	w.Unit = strings.ToLower(p.src(p.next()))
	return p.want(tComma, `"," and the length in `+form)
}

// windowLengths reads the numbers of a window and judges them.
func (p *parser) windowLengths(w *Window) bool {
	form := windows[w.Kind].form
	var n [2]int64
	var at [2]token
	count := 0
	for {
		t := p.tok()
		if t.kind != tNumber {
			p.expected("a whole number in " + form)
			return false
		}
		p.next()
		v, ok := p.number(t, false)
		if !ok {
			return false
		}
		zero := w.Kind == SlidingWindow && (count == 1 || p.kind() == tComma) // a length of nothing with a delay is a window
		if v.Kind != vec.Int64 || v.I == 0 && !zero || v.I > math.MaxInt64/1_000_000/w.UnitMillis() {
			p.expectedAt(t, "a whole number greater than 0, and no more than 292 years, in "+form)
			return false
		}
		at[count], n[count] = t, v.I
		count++
		if count == windows[w.Kind].most || !p.accept(tComma) {
			break
		}
	}
	if count < windows[w.Kind].least {
		p.expected(`"," and another number in ` + form)
		return false
	}
	if !p.want(tRParen, `")" of `+form) {
		return false
	}
	w.Length = n[0]
	switch {
	case w.Kind == SlidingWindow && n[0]+n[1] == 0:
		p.expectedAt(at[0], "a length or a delay greater than 0 in "+form)
		return false
	case w.Kind == SlidingWindow:
		w.Delay = n[1]
	case w.Kind == CountWindow && count == 1:
		w.Interval = w.Length
	case w.Kind == CountWindow && n[1] > n[0]:
		p.expectedAt(at[1], "an interval that is not greater than the count in "+form)
		return false
	default:
		w.Interval = n[1]
	}
	return true
}

// windowArgs reads the expressions of a state window or trigger.
func (p *parser) windowArgs(w *Window) bool {
	form := windows[w.Kind].form
	if p.kind() == tRParen {
		p.expected("arguments of " + form)
		return false
	}
	at := p.tok()
	var ok bool
	if w.Args, ok = p.exprs(); !ok || !p.want(tRParen, `operator, "," or ")"`) {
		return false
	}
	if n := len(w.Args); w.Kind == StateWindow && n > 2 || w.Kind == DedupTrigger && n != 4 {
		p.faults.add(at.pos(), "found an argument list of length %d, expected %s", n, form)
		return false
	}
	return true
}

// windowOptions reads [FILTER (WHERE ...)] [OVER ([WHEN ...] [PARTITION BY ...])].
func (p *parser) windowOptions(w *Window) bool {
	if p.kw() == kFilter {
		if w.Filter = p.filter(); w.Filter == nil {
			return false
		}
	}
	if !p.acceptKw(kOver) {
		return true
	}
	if !p.want(tLParen, `"(" behind OVER`) {
		return false
	}
	if p.acceptKw(kWhen) {
		if w.When = p.expr(); w.When == nil {
			return false
		}
	}
	if p.acceptKw(kPartition) {
		var ok bool
		if w.Partition, ok = p.partition(); !ok {
			return false
		}
	}
	if w.When == nil && w.Partition == nil {
		p.expected("WHEN or PARTITION BY")
		return false
	}
	what := `operator or ")"`
	if p.kw() == kWhen {
		what = "WHEN before PARTITION BY"
	}
	return p.overEnd(what)
}
