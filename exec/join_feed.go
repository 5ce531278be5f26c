package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// feeder hands rows of a stream to a join.
type feeder struct {
	stage
	def     *planner.JoinFeed
	located *planner.JoinFeed // that srcs is of
	to      *joiner
	needs   int
	srcs    []fedSource
	steps   []planner.StepID // of all srcs
	must    []planner.StepID // those of them that say which rows go together: a row in which one failed never was
	slab    []vec.Value      // values of rows that do not outlive the batch
}

// fedSource is a source of the join that reads the stream.
type fedSource struct {
	src   int32
	steps []planner.StepID // by position in joinSource.need, NoStep: not there
}

// locate finds the steps for what the join wants of the stream.
func (f *feeder) locate(j *joiner) {
	needs := 0
	for i := range j.srcs {
		needs += len(j.srcs[i].need)
	}
	if f.located == f.def && f.to == j && f.needs == needs {
		return
	}
	f.located, f.to, f.needs = f.def, j, needs
	f.srcs, f.steps, f.must = f.srcs[:0], f.steps[:0], f.must[:0]
	deciding := j.deciding()
	for i := range j.srcs {
		s := &j.srcs[i]
		if s.def.Stream != f.def.Stream {
			continue
		}
		fs := fedSource{src: int32(i), steps: make([]planner.StepID, len(s.need))}
		for k, c := range s.need {
			fs.steps[k] = f.stepFor(c.Key())
			if fs.steps[k] == planner.NoStep {
				continue
			}
			f.steps = append(f.steps, fs.steps[k])
			if deciding[joinRef{src: int32(i), pos: int32(k)}] {
				f.must = append(f.must, fs.steps[k])
			}
		}
		f.srcs = append(f.srcs, fs)
	}
}

// deciding returns the values that the conditions of the join look at.
func (j *joiner) deciding() map[joinRef]bool {
	out := map[joinRef]bool{}
	look := func(cols []int) {
		for _, c := range cols {
			for _, r := range j.refs[c].from {
				out[joinRef{src: r.src, pos: r.pos}] = true
			}
		}
	}
	for i := range j.plan.Steps {
		s := &j.plan.Steps[i]
		look(s.Left.Cols)
		look(s.Right.Cols)
		look(s.RestCols)
	}
	for _, cols := range j.plan.BeforeCols {
		look(cols)
	}
	return out
}

// stepFor returns the step of the column with key.
func (f *feeder) stepFor(key string) planner.StepID {
	for _, id := range f.def.Rows {
		if id == planner.NoStep {
			continue
		}
		if n := f.in.prog.Steps[id].Node; n.Op == planner.OpColumn && n.Col.Key() == key {
			return id
		}
	}
	return planner.NoStep
}

func (f *feeder) feed(m *machine) {
	x, n := f.x, f.x.live(f.def.Join)
	if n == nil || n.join == nil {
		return
	}
	f.locate(n.join)
	for _, s := range f.steps {
		m.col(s, nil)
	}
	bad := m.anyFault(f.must)
	want := f.wanted(m)
	f.slab = f.slab[:0]
	for row := range m.rows {
		if bad.Has(row) {
			f.fault(m.whyAny(f.must, row))
			continue
		}
		if want != nil && !want.Has(row) {
			for _, s := range f.srcs {
				n.join.srcs[s.src].in++
			}
			continue
		}
		ts := x.now
		if f.def.Time != planner.NoStep {
			t, odd, ok := m.timeOf(f.def.Time, row, f.def.DriftMs)
			if !ok {
				f.untimed(odd)
				continue
			}
			ts = t
		}
		for _, s := range f.srcs {
			v := f.values(m, s.steps, row, n.join.keeps)
			n.join.take(pendingRow{windowRow{ts: ts, v: v, src: s.src}, x.origin(int32(row))})
		}
	}
	if bad != nil {
		x.free(bad)
	}
	if want != nil {
		x.free(want)
	}
}

// values returns the values of a row, in memory of their own if keep is set.
func (f *feeder) values(m *machine, steps []planner.StepID, row int, keep bool) []vec.Value {
	var out []vec.Value
	if keep {
		out = make([]vec.Value, 0, len(steps))
	} else {
		f.slab = slices.Grow(f.slab, len(steps))
		out = f.slab[len(f.slab):len(f.slab):cap(f.slab)]
	}
	for _, id := range steps {
		v := vec.Value{}
		if id != planner.NoStep {
			if v = m.value(id, row); m.failed(id, row) {
				v = wrong
			}
		}
		if keep {
			v = v.Clone()
		}
		out = append(out, v)
	}
	if !keep {
		f.slab = f.slab[:len(f.slab)+len(out)]
	}
	return out[:len(out):len(out)]
}
