package agg_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// failed explains the faults of a test's rows.
type failed struct{}

// Why implements agg.Explainer.
func (failed) Why(arg int, row int32) string {
	return fmt.Sprintf("argument %d of row %d failed", arg, row)
}

// value is a random argument; ok is false for one that failed.
func value(r *rand.Rand, kinds int) (v vec.Value, ok bool) {
	switch r.IntN(kinds) {
	case 0, 1:
		return vec.FloatValue(float64(r.IntN(7)) / 2), true
	case 2:
		return vec.NullValue, true
	case 3:
		return vec.Value{}, true
	case 4, 5:
		return vec.IntValue(int64(r.IntN(5))), true
	case 6:
		return vec.StringValue(string(rune('a' + r.IntN(3)))), true
	case 7:
		return vec.TimeValue(int64(r.IntN(3))), true
	case 8:
		return vec.FloatValue(1e300), true
	case 9:
		return vec.BoolValue(true), true
	}
	return vec.Value{}, false
}

// run adds rows, cut into parts that are merged, and shows each group's result.
func run(a *planner.Agg, col *vec.Column, gids []int32, groups int, parts []int) []string {
	var states []agg.State
	for i := range len(parts) - 1 {
		s := agg.New(a)
		s.Grow(groups)
		var rows []int32
		for row := parts[i]; row < parts[i+1]; row++ {
			rows = append(rows, int32(row))
		}
		s.Add(agg.Input{Args: []*vec.Column{col}, Why: failed{}}, rows, gids[parts[i]:parts[i+1]])
		states = append(states, s)
	}
	all := make([]int32, groups)
	for g := range all {
		all[g] = int32(g)
	}
	for i := len(states) - 2; i >= 0; i-- {
		states[i].Merge(states[i+1], all)
	}
	return show(states[0], groups)
}

func show(s agg.State, groups int) []string {
	var dst vec.Column
	dst.Reset(groups)
	var out []string
	for g := range groups {
		if note := s.Result(&fn.Ctx{}, &dst, g, int32(g)); note != "" {
			out = append(out, "fault: "+note)
		} else {
			out = append(out, fn.Show(dst.Value(g)))
		}
	}
	return out
}

// However rows are cut into parts, an aggregate has the same result and the same
// fault, and those that the function table's state has of the rows one by one.
func TestParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 4000 {
		name := []string{"count", "sum", "avg", "min", "max", "stddev", "collect"}[r.IntN(7)]
		a := &planner.Agg{Func: name, Args: make([]planner.StepID, 1), Diff: r.IntN(5) == 0}
		kinds, rows, groups := 2+r.IntN(10), 1+r.IntN(20), 1+r.IntN(3)
		if r.IntN(3) == 0 {
			kinds = 6
		}
		var col vec.Column
		col.Reset(rows)
		gids, whole := make([]int32, rows), make([]bool, groups)
		for row := range rows {
			gids[row] = int32(r.IntN(groups))
			v, ok := value(r, kinds)
			if ok {
				col.Set(row, v)
			} else {
				col.SetFault(row)
				whole[gids[row]] = true
			}
		}
		want := run(a, &col, gids, groups, []int{0, rows})
		parts := []int{0}
		for row := 1; row < rows; row++ {
			if r.IntN(4) == 0 {
				parts = append(parts, row)
			}
		}
		if got := run(a, &col, gids, groups, append(parts, rows)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("case %d: %s(%v) cut at %v: got %q, want %q", i, name, a.Diff, parts, got, want)
		}
		f, _ := fn.Lookup(name)
		for g := range groups {
			if whole[g] || a.Diff {
				continue
			}
			st, n := f.Agg.New(), 0
			for row := range rows {
				if int(gids[row]) == g {
					st.Add([]vec.Value{col.Value(row)})
					n++
				}
			}
			v, err := st.Result(&fn.Ctx{})
			one := fn.Show(v)
			if err != nil {
				one = "fault: " + err.Error()
			}
			if n > 0 && one != want[g] {
				t.Fatalf("case %d: %s of group %d: got %q, row by row %q", i, name, g, want[g], one)
			}
		}
	}
}

// Groups that are forgotten leave the others as they were.
func TestRenumber(t *testing.T) {
	for _, name := range []string{"count", "sum", "min", "first", "stddev"} {
		a := &planner.Agg{Func: name, Args: make([]planner.StepID, 1)}
		s := agg.New(a)
		s.Grow(3)
		var col vec.Column
		col.Reset(4)
		col.SetFloat(0, 1)
		col.SetFloat(1, 2)
		col.SetFloat(2, 4)
		col.SetFault(3)
		s.Add(agg.Input{Args: []*vec.Column{&col}, Why: failed{}}, []int32{0, 1, 2, 3}, []int32{0, 1, 2, 2})
		before := show(s, 3)
		s.Renumber([]int32{-1, 1, 0}, 2)
		if after := show(s, 2); after[0] != before[2] || after[1] != before[1] {
			t.Errorf("%s: got %q, before %q", name, after, before)
		}
		s.Reset([]int32{0})
		s.Grow(2)
		if after := show(s, 2); after[0] == before[2] || after[1] != before[1] {
			t.Errorf("%s: after Reset got %q, before %q", name, after, before)
		}
	}
}

func TestGroups(t *testing.T) {
	var a, b vec.Column
	a.Reset(5)
	b.Reset(5)
	for row, text := range []string{"x", "y", "x", "x", "y"} {
		a.SetString(row, []byte(text))
		if row != 3 {
			b.SetInt(row, int64(row%2))
		}
	}
	rows := []int32{0, 1, 2, 3, 4}
	var one, two agg.Groups
	if got := one.Number([]*vec.Column{&a}, rows, nil); fmt.Sprint(got) != "[0 1 0 0 1]" {
		t.Errorf("one key: got %v", got)
	}
	keys := []*vec.Column{&a, &b}
	if got := two.Number(keys, rows, nil); fmt.Sprint(got) != "[0 1 0 2 3]" {
		t.Errorf("two keys: got %v", got)
	}
	if two.IsNull(0) || !two.IsNull(2) || two.Len() != 4 {
		t.Errorf("nulls: got %v, %v of %d", two.IsNull(0), two.IsNull(2), two.Len())
	}
	two.Renumber([]int32{-1, 0, 1, -1}, 2)
	if two.Len() != 2 || !two.IsNull(1) || two.Key(0, 0).S != "y" || two.Key(0, 1).I != 1 {
		t.Errorf("renumbered: got %d groups, key %v %v", two.Len(), two.Key(0, 0), two.Key(0, 1))
	}
	if got := two.Number(keys, rows, nil); fmt.Sprint(got) != "[2 0 2 1 3]" {
		t.Errorf("after renumbering: got %v", got)
	}
}
