package planner

import (
	"slices"

	"github.com/weir-engine/weir/vec"
)

// windowBuilder keeps one window of a program and the builder of the program
// over its output.
type windowBuilder struct {
	up    *Builder // of the window's input
	out   *Builder // over the window's output
	key   string
	win   Window // steps are up's; slices may be shared with published windows
	colAt map[string]int
	free  []int
	dirty bool
	last  *Window
	place *placed // of the rules in the window, in up

	fixed []StepID // steps that belong to the window itself, released with it
	pins  int      // how often it is kept for a rule that comes back
}

// kept is the window of a rule that is being replaced.
type kept struct {
	window *windowBuilder
	member Member
}

// Keep prepares for rule to be removed and added again as another one: if the
// new one has the same window, the rule goes on in it as if nothing had happened.
// The caller calls release when that is done, before the next Program.
func (b *Builder) Keep(rule RuleID) (release func()) {
	p := b.rules[rule]
	if p == nil || p.kind != inWindow {
		return func() {}
	}
	w := p.window
	inner := w.out.Keep(rule)
	w.pins++
	var cols []string
	for text, i := range w.colAt {
		cols = append(cols, text)
		w.win.Cols[i].refs++
	}
	if b.kept == nil {
		b.kept = map[RuleID]kept{}
	}
	i := slices.IndexFunc(w.win.Members, func(j Member) bool { return j.Rule == rule })
	b.kept[rule] = kept{w, w.win.Members[i]}
	return func() {
		delete(b.kept, rule)
		inner()
		b.dirty = true
		b.thaw()
		for _, text := range cols {
			w.dropColumn(text, w.colAt[text])
		}
		w.pins--
		w.end()
	}
}

// windowOf returns the window for rule, which may have been in it already.
func (b *Builder) windowOf(rule RuleID, w *BoundWindow) (*windowBuilder, Member) {
	if k, ok := b.kept[rule]; ok {
		same := *w
		same.Spec.Start = k.window.win.Spec.Start
		if same.text() == k.window.key {
			return k.window, k.member
		}
	}
	return b.window(w), Member{Rule: rule, Epoch: b.prog.Epoch + 1}
}

// window returns the window of b with w's text and makes one if need be.
func (b *Builder) window(w *BoundWindow) *windowBuilder {
	key := w.text()
	if wb := b.windows[key]; wb != nil {
		return wb
	}
	b.origin.windows++
	wb := &windowBuilder{up: b, key: key, colAt: map[string]int{}}
	wb.place = &placed{kind: inWindow, window: wb}
	wb.out = newBuilder(b.origin, wb)
	step := func(n *Node) StepID {
		if n == nil {
			return NoStep
		}
		id := b.intern(n)
		wb.fixed = append(wb.fixed, id)
		return id
	}
	steps := func(ns []*Node) []StepID {
		var out []StepID
		for _, n := range ns {
			out = append(out, step(n))
		}
		return out
	}
	wb.win = Window{
		ID: b.origin.windows, Spec: w.Spec, Text: key, Ring: w.ring(), After: w.After, Group: w.Group,
		Where: steps(w.Where), Guard: steps(w.Guard), Filter: step(w.Filter), When: step(w.When), Emit: step(w.Emit),
		Serial: w.When != nil && w.When.hits, Parts: steps(w.Parts), Time: step(w.Time), Keys: steps(w.Keys),
	}
	if b.windows == nil {
		b.windows = map[string]*windowBuilder{}
	}
	b.windows[key] = wb
	return wb
}

func (w *windowBuilder) add(m Member, bw *BoundWindow, count bool) {
	w.dirty = true
	w.out.Add(m.Rule, bw.Over, count)
	w.win.Members = append(w.win.Members, m) // behind what published windows see
}

func (w *windowBuilder) remove(rule RuleID) {
	w.dirty = true
	w.out.Remove(rule)
	w.win.Members = slices.DeleteFunc(slices.Clone(w.win.Members), func(j Member) bool { return j.Rule == rule })
	w.end()
}

// end drops the window if no rule is in it.
func (w *windowBuilder) end() {
	if w.out.Len() > 0 || w.pins > 0 {
		return
	}
	for _, id := range w.fixed {
		w.up.release(id)
	}
	delete(w.up.windows, w.key)
}

// column returns the position in the window's output of what n stands for.
func (w *windowBuilder) column(n *Node) int {
	if i, ok := w.colAt[n.Text]; ok {
		w.win.Cols[i].refs++
		return i
	}
	w.dirty = true
	c := WindowCol{Kind: n.FromKind, refs: 1}
	from := n.From
	if from == nil { // a column of the window's own input: rows keep it
		c.Kind, from = WindowRow, n
	}
	switch c.Kind {
	case WindowKey:
		c.Index = slices.IndexFunc(w.win.Keys, func(id StepID) bool { return w.up.prog.Steps[id].Text == from.Text })
	case WindowAgg:
		c.Index = w.addAgg(from)
	case WindowRow:
		c.Index = w.addRow(w.up.intern(from))
	}
	i := len(w.win.Cols)
	if k := len(w.free); k > 0 {
		i = w.free[k-1]
		w.free = w.free[:k-1]
		w.win.Cols = slices.Clone(w.win.Cols)
		w.win.Cols[i] = c
	} else {
		w.win.Cols = append(slices.Clip(w.win.Cols), c)
	}
	w.colAt[n.Text] = i
	p := &w.out.prog
	for len(p.Cols) <= i {
		p.Cols = append(p.Cols, vec.ColumnSpec{})
		p.Used = append(p.Used, true)
	}
	p.Used[i] = true
	return i
}

// addAgg enters an aggregate into a free place; places are kept in use by
// columns, so the position of the others never changes.
func (w *windowBuilder) addAgg(n *Node) int {
	args := n.Args
	a := Agg{Func: n.Func.Name, Filter: NoStep, Star: n.Star, Diff: n.Diff, Text: n.Text}
	if n.Part {
		a.Filter = w.up.intern(args[0])
		args = args[1:]
	}
	for _, x := range args {
		a.Args = append(a.Args, w.up.intern(x))
	}
	w.win.Aggs = slices.Clone(w.win.Aggs)
	if i := slices.IndexFunc(w.win.Aggs, func(a Agg) bool { return a.Func == "" }); i >= 0 {
		w.win.Aggs[i] = a
		return i
	}
	w.win.Aggs = append(w.win.Aggs, a)
	return len(w.win.Aggs) - 1
}

func (w *windowBuilder) addRow(id StepID) int {
	w.win.Rows = slices.Clone(w.win.Rows)
	if i := slices.Index(w.win.Rows, NoStep); i >= 0 {
		w.win.Rows[i] = id
		return i
	}
	w.win.Rows = append(w.win.Rows, id)
	return len(w.win.Rows) - 1
}

// dropColumn gives one reference to output column i, which stands for text, back.
func (w *windowBuilder) dropColumn(text string, i int) {
	c := &w.win.Cols[i]
	if c.refs--; c.refs > 0 {
		return
	}
	w.dirty = true
	delete(w.colAt, text)
	w.free = append(w.free, i)
	w.out.prog.Used[i] = false
	switch c.Kind {
	case WindowAgg:
		w.win.Aggs = slices.Clone(w.win.Aggs)
		a := &w.win.Aggs[c.Index]
		for _, id := range a.Args {
			w.up.release(id)
		}
		if a.Filter != NoStep {
			w.up.release(a.Filter)
		}
		*a = Agg{Filter: NoStep}
	case WindowRow:
		w.win.Rows = slices.Clone(w.win.Rows)
		w.up.release(w.win.Rows[c.Index])
		w.win.Rows[c.Index] = NoStep
	}
}

// publish returns the window as it is, the same one if nothing changed.
func (w *windowBuilder) publish() *Window {
	out := w.out.Program()
	if !w.dirty && w.last != nil && w.last.Out == out {
		return w.last
	}
	w.dirty = false
	win := w.win
	win.Cols = slices.Clone(win.Cols)
	win.Out = out
	w.last = &win
	return w.last
}
