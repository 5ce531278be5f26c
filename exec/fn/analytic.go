package fn

import (
	"fmt"
	"reflect"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Analytic is an analytic function: it sees every row, before WHERE, and remembers.
type Analytic struct {
	// New makes the state of one call for one PARTITION BY value.
	New func() AnalyticState
}

// AnalyticState is what an analytic function remembers.
type AnalyticState interface {
	// Apply takes the arguments of the next row and returns the function's value
	// for it. update is false where OVER (WHEN ...) does not hold: the state then
	// stays as it is. args are borrowed: what is kept is copied. The result is valid
	// until the next call. An error is a fault of the row, which leaves no trace in
	// the state.
	Apply(c *Ctx, args []vec.Value, update bool) (vec.Value, error)
}

// analytic makes an analytic function of the table.
func analytic(signature, doc, example string, state func() AnalyticState) *Func {
	f := scalar("analytic", signature, doc, example, nil).seesNulls()
	f.Kind, f.Analytic = planner.FuncAnalytic, &Analytic{New: state}
	return f
}

func analyticFuncs() []*Func {
	const acc = "acc_%s(x [, on_begin, on_reset])"
	running := func(name, what string, state func() accumulator) *Func {
		doc := what + " of the rows so far; with conditions, from a row where on_begin holds to one where on_reset holds."
		return analytic(fmt.Sprintf(acc, name), doc, "acc_"+name+"(a)", func() AnalyticState { return &accState{acc: state()} }).checked(checkAcc)
	}
	return []*Func{
		running("avg", "The average", func() accumulator { return new(accAvg) }),
		running("count", "The number of values that are not null", func() accumulator { return new(accCount) }),
		running("max", "The largest number", func() accumulator { return &accExtreme{sign: 1} }),
		running("min", "The smallest number", func() accumulator { return &accExtreme{sign: -1} }),
		running("sum", "The sum", func() accumulator { return new(accSum) }),
		analytic("changed_col(ignore_null, x)", "The value if it differs from the last one, else null.", "changed_col(true, a)",
			func() AnalyticState { return new(changedState) }).checked(literals(wantBool, anyLiteral)),
		analytic("had_changed(ignore_null, x, ...)", "Tells whether one of the values differs from its last one; * stands for the row.", "had_changed(true, a)",
			func() AnalyticState { return new(hadState) }).checked(literals(wantBool, anyLiteral)).star(),
		analytic("lag(x [, offset [, default [, ignore_null]]])", "The value some rows (1) before, default (null) if there is none; nulls (true) do not count as rows.", "lag(a)",
			func() AnalyticState { return new(lagState) }).checked(checkLag),
		analytic("latest(x [, default])", "The last value that is not null, this row's included, or default (null).", "latest(a, 0)",
			func() AnalyticState { return new(latestState) }),
	}
}

// equal tells whether two values are the same in kind and value.
func equal(a, b vec.Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case vec.Float64:
		return a.F == b.F && a.I == b.I
	case vec.String, vec.Bytes:
		return a.S == b.S
	case vec.JSON:
		if a.X == nil && b.X == nil && a.S == b.S && a.Ints == b.Ints {
			return true
		}
		return reflect.DeepEqual(rawjson.Tree(a), rawjson.Tree(b))
	}
	return a.I == b.I
}

func flag(v vec.Value) (bool, error) {
	if v.Kind != vec.Bool {
		return false, Wrong("true or false", v)
	}
	return v.I != 0, nil
}

// changedState is changed_col.
type changedState struct {
	last vec.Value
}

func (s *changedState) Apply(_ *Ctx, args []vec.Value, update bool) (vec.Value, error) {
	ignoreNull, err := flag(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if !update || ignoreNull && args[1].IsNull() || equal(s.last, args[1]) {
		return null()
	}
	s.last = args[1].Clone()
	return s.last, nil
}

// hadState is had_changed.
type hadState struct {
	last []vec.Value
}

func (s *hadState) Apply(_ *Ctx, args []vec.Value, update bool) (vec.Value, error) {
	if !update {
		return truth(false)
	}
	ignoreNull, err := flag(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if s.last == nil {
		s.last = make([]vec.Value, len(args)-1)
	}
	changed := false
	for i, v := range args[1:] {
		if ignoreNull && v.IsNull() || equal(s.last[i], v) {
			continue
		}
		s.last[i] = v.Clone()
		changed = true
	}
	return truth(changed)
}

// ChangedCols is what changed_cols remembers. The zero value is ready.
type ChangedCols struct {
	last  []vec.Value
	named map[string]vec.Value
}

// Changed tells whether argument i differs from its last value, and remembers v
// then. With ignoreNull, null never differs.
func (s *ChangedCols) Changed(i int, v vec.Value, ignoreNull bool) bool {
	for len(s.last) <= i {
		s.last = append(s.last, vec.Value{})
	}
	if ignoreNull && v.IsNull() || equal(s.last[i], v) {
		return false
	}
	s.last[i] = v.Clone()
	return true
}

// ChangedName is Changed for a column that * brings, by its name.
func (s *ChangedCols) ChangedName(name string, v vec.Value, ignoreNull bool) bool {
	if ignoreNull && v.IsNull() || equal(s.named[name], v) {
		return false
	}
	if s.named == nil {
		s.named = make(map[string]vec.Value)
	}
	s.named[string([]byte(name))] = v.Clone()
	return true
}

// latestState is latest.
type latestState struct {
	last vec.Value
}

func (s *latestState) Apply(_ *Ctx, args []vec.Value, update bool) (vec.Value, error) {
	switch {
	case update && !args[0].IsNull():
		s.last = args[0].Clone()
	case s.last.IsNull() && len(args) == 2:
		return args[1], nil
	case s.last.IsNull():
		return null()
	}
	return s.last, nil
}
