package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// memory is what one stateful call remembers, by PARTITION BY value.
type memory struct {
	fn    *fn.Analytic // nil: changed_cols
	parts map[string]remembering
}

// remembering is the state of one partition: the function's, or changed_cols'.
type remembering struct {
	state fn.AnalyticState
	cols  *fn.ChangedCols
}

// memories are those of the stateful steps of a program, by what they compute.
// Whoever evaluates the steps over rows of his own needs memories of his own: the
// windows of a join each join their rows themselves, and so do its rules without
// one. A step that they have in common must not see what the others saw.
type memories map[*planner.Node]*memory

// of returns the memory of step st, which begins with the step.
func (ms *memories) of(st *planner.Step) *memory {
	if *ms == nil {
		*ms = memories{}
	}
	mem := (*ms)[st.Node]
	if mem == nil {
		f, _ := fn.Lookup(st.Func.Name)
		mem = &memory{fn: f.Analytic, parts: map[string]remembering{}}
		(*ms)[st.Node] = mem
	}
	return mem
}

// keep forgets the memories of steps that p does not have.
func (ms *memories) keep(p *planner.Program) {
	if len(*ms) == 0 {
		return
	}
	kept := memories{}
	for _, s := range p.Analytics {
		if mem := (*ms)[p.Steps[s].Node]; mem != nil {
			kept[p.Steps[s].Node] = mem
		}
	}
	*ms = kept
}

// remember has stateful steps see every row of m's batch, whether a rule wants it or
// not. Those that count what their rule sent before do so when it is their turn.
func (m *machine) remember(steps []planner.StepID) {
	for _, s := range steps {
		if !m.prog.Steps[s].Counts() {
			m.col(s, nil)
		}
	}
}

// rememberFor is remember for a message of a window, to the rules that keep chooses:
// the others' calls, which are not theirs, do not see it. Whose a call is is found once
// for a program, and kept as long as there are rules that see less than others.
func (m *machine) rememberFor(keep func(planner.RuleID) bool) {
	n := m.live
	if keep == nil {
		n.stateful = nil
	} else if n.stateful == nil && len(m.prog.Analytics) > 0 {
		n.stateful = m.prog.RulesOfStateful()
	}
	for _, s := range m.prog.Analytics {
		if keep != nil && !slices.ContainsFunc(n.stateful[s], keep) {
			m.memos[s] = memo{gen: m.gen, all: true, col: missing, done: m.memos[s].done}
			continue
		}
		m.col(s, nil)
	}
}

// recalls are the stateful steps that a window over a join needs, by the rows that
// they see.
type recalls struct {
	of             *planner.Window
	single, joined []planner.StepID
}

// recalled returns the recalls of w.
func (w *window) recalled() *recalls {
	d := w.def
	if w.recalls != nil && w.recalls.of == d {
		return w.recalls
	}
	r := &recalls{of: d}
	w.recalls = r
	r.single = w.in.prog.StatefulIn(append(slices.Clone(d.Parts), d.Filter, d.When, d.Emit)...)
	joined := slices.Concat(d.Where, d.Keys, d.Rows)
	for _, a := range d.Aggs {
		if a.Func != "" {
			joined = append(append(joined, a.Args...), a.Filter)
		}
	}
	r.joined = w.in.prog.StatefulIn(joined...)
	return r
}

// analytic computes a stateful step over all rows, in their order. One that counts what
// its rule sent before is computed for the rows of want, which is the next one.
func (m *machine) analytic(s planner.StepID, st *planner.Step, mm *memo, want vec.Bitmap) {
	if !st.Counts() {
		want = nil
	}
	if mm.col == nil {
		mm.col = m.get()
	}
	out := mm.col
	mm.all = want == nil
	mem := m.memories.of(st)
	failed := m.anyFaultIn(st.In, want) // computes them too
	if failed != nil {
		defer m.x.free(failed)
	}
	end := len(st.In) - st.After // of the others only the fault matters
	n := end - st.Keys
	args := make([]vec.Value, n)
	var key []byte
	for row := range m.rows {
		if want != nil && (!want.Has(row) || mm.done.Has(row)) {
			continue
		}
		if mm.done.Set(row); failed.Has(row) {
			out.SetFault(row)
			continue
		}
		for i := range args {
			args[i] = m.value(st.In[i], row)
		}
		key = key[:0]
		for _, a := range st.In[n:end] {
			key = agg.AppendKey(key, m.value(a, row))
		}
		part, ok := mem.parts[string(key)]
		if !ok {
			if mem.fn != nil {
				part.state = mem.fn.New()
			} else {
				part.cols = &fn.ChangedCols{}
			}
			mem.parts[string(key)] = part
		}
		update, call := true, args
		if st.When {
			// Only a boolean that is false stops the state: null and a number do not.
			w := args[n-1]
			update, call = w.Kind != vec.Bool || w.Truth(), args[:n-1]
		}
		var v vec.Value
		var err error
		if part.cols != nil {
			v, err = changed(part.cols, st, call)
		} else {
			v, err = part.state.Apply(&m.x.ctx, call, update)
		}
		m.put(out, row, v, err)
		if err != nil {
			m.keep(s, row, err)
		}
	}
}

// changed returns the object of the columns that changed_cols(prefix,
// ignoreNull, ...) sends.
func changed(c *fn.ChangedCols, st *planner.Step, args []vec.Value) (vec.Value, error) {
	if args[0].Kind != vec.String || args[1].Kind != vec.Bool {
		return vec.Value{}, scalar.OpError{Op: st.Op, A: args[0], B: args[1]}
	}
	ignore := args[1].Truth()
	out := map[string]any{}
	for i, v := range args[2:] {
		name := st.Names[i]
		if name != "" {
			if c.Changed(i, v, ignore) {
				out[args[0].S+name] = rawjson.Tree(v)
			}
			continue
		}
		row, _ := rawjson.Tree(v).(map[string]any)
		for k, e := range row {
			if c.ChangedName(k, rawjson.FromAny(e), ignore) {
				out[args[0].S+k] = e
			}
		}
	}
	return vec.TreeValue(out), nil
}
