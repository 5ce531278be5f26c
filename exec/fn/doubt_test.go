package fn

import (
	"slices"
	"testing"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// literalsOf returns the literal arguments of a function's example.
func literalsOf(t *testing.T, f *Func) []*vec.Value {
	sel, err := sql.ParseSelect("SELECT " + f.Example + " FROM s")
	if err != nil {
		return nil // an analytic function's, perhaps
	}
	call, ok := sel.Fields[0].Expr.(*sql.Call)
	if !ok || call.Name != f.Name {
		return nil
	}
	out := make([]*vec.Value, len(call.Args))
	for i, a := range call.Args {
		if l, ok := a.(*sql.Literal); ok {
			out[i] = &l.Value
		}
	}
	return out
}

// nonsense is literals that hardly any function can take.
var nonsense = []vec.Value{
	vec.StringValue("(("), vec.StringValue("$["), vec.StringValue(""), vec.StringValue("nonsense"), vec.StringValue("yyyy'"), vec.IntValue(-1), vec.IntValue(0),
	vec.IntValue(100), vec.FloatValue(1.5), vec.BoolValue(true),
}

// A literal with which a call of a function can only fail is refused, or told of: for
// each function and argument nonsense of all kinds is tried with whatever the other
// arguments may be. What is told of does fail.
func TestDoubts(t *testing.T) {
	told := 0
	for _, f := range All() {
		if f.Kind != planner.FuncScalar || f.Volatile || f.Catches || slices.Contains(seeking, f.Name) {
			continue
		}
		most := f.MaxArgs
		if most < 0 {
			most = f.MinArgs + 1
		}
		for n := max(f.MinArgs, 2); n <= min(most, 3); n++ { // a call of constants alone is computed
			for i := range n {
				for _, v := range nonsense {
					facts := make([]planner.FuncArg, n)
					facts[i].Literal = &v
					if f.Check != nil && f.Check(facts) != nil {
						continue
					}
					doubted := f.Doubt(facts) != nil
					fails := alwaysFails(f, n, i, v)
					switch {
					case doubted && !fails && f.Name != "json_path_exists": // which is false then
						t.Errorf("%s with %s for argument %d is told of, but does not always fail", f.Signature, Show(v), i+1)
					case fails && !doubted:
						t.Errorf("%s with %s for argument %d always fails, and nobody tells", f.Signature, Show(v), i+1)
					case doubted:
						told++
					}
				}
			}
		}
	}
	if told < 100 {
		t.Errorf("%d literals are told of, want more", told)
	}
}

// No literal of a function's example is told of, whichever of its arguments are
// literals.
func TestNoDoubts(t *testing.T) {
	seen := 0
	for _, f := range All() {
		example := literalsOf(t, f)
		if f.Doubt == nil || len(example) < 2 {
			continue
		}
		for set := 1; set < 1<<len(example); set++ {
			facts := make([]planner.FuncArg, len(example))
			for i := range example {
				if set&(1<<i) != 0 {
					facts[i].Literal = example[i]
				}
			}
			seen++
			if err := f.Doubt(facts); err != nil {
				t.Errorf("%s: literals %b of it are told of: %v", f.Example, set, err)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d calls were looked at, want more", seen)
	}
}

// alwaysFails calls f with n arguments, of which the one at place i is v, and the
// others are whatever there is.
func alwaysFails(f *Func, n, i int, v vec.Value) bool {
	args := make([]vec.Value, n)
	var try func(k int) bool
	try = func(k int) bool {
		if k == n {
			_, err := f.Call(&Ctx{Now: func() int64 { return 1 }}, args)
			return err == nil
		}
		if k == i {
			args[k] = v
			return try(k + 1)
		}
		return slices.ContainsFunc(slices.Concat(samples(), nonsense), func(x vec.Value) bool {
			args[k] = x
			return try(k + 1)
		})
	}
	return !try(0)
}
