package exec

import (
	"fmt"
	"math"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// arrow returns v->key; a value that is no object has no keys.
func arrow(v vec.Value, key string) vec.Value {
	if v.Kind != vec.JSON {
		return vec.NullValue
	}
	if v.X != nil {
		if m, ok := v.X.(map[string]any); ok {
			if x, ok := m[key]; ok {
				return rawjson.FromAny(x)
			}
		}
		return vec.NullValue
	}
	raw, ok := rawjson.Get([]byte(v.S), key)
	if !ok {
		return vec.NullValue
	}
	return rawjson.Value(raw, v.Ints)
}

// index returns a[i]; negative positions count from the end. Only a number is a
// position, even of null.
func index(a, i vec.Value) (vec.Value, error) {
	at, ok := place(i)
	if ok && a.IsNull() {
		return vec.NullValue, nil
	}
	list, isList := elements(a)
	if !ok || !isList {
		return vec.Value{}, opError{planner.OpIndex, a.Clone(), i.Clone()}
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at < 0 || at >= int64(len(list)) {
		return vec.Value{}, fmt.Errorf("index out of range: %d of %d", at, len(list))
	}
	return rawjson.FromAny(list[at]), nil
}

// edge is a bound of a slice: open, or a value, which must be a number.
type edge struct {
	v    vec.Value
	open bool
}

// at returns the position of e in an array of n; an open one is at whole.
func (e edge) at(whole, n int64) (int64, bool) {
	if e.open {
		return whole, true
	}
	i, ok := place(e.v)
	if i < 0 {
		i += n
	}
	return i, ok
}

// slice returns a[from:to]. It must begin at an element: behind the last one, and
// in an empty array, there is nothing to slice.
func slice(a vec.Value, from, to edge) (vec.Value, error) {
	if a.IsNull() {
		return vec.NullValue, nil
	}
	list, ok := elements(a)
	if !ok {
		return vec.Value{}, opError{planner.OpSlice, a.Clone(), from.v.Clone()}
	}
	n := int64(len(list))
	lo, ok := from.at(0, n)
	hi, ok2 := to.at(n, n)
	if !ok || !ok2 || lo < 0 || lo >= n || hi > n || lo > hi {
		return vec.Value{}, fmt.Errorf("slice out of range: %s:%s of %d", show(from.v), show(to.v), n)
	}
	return vec.TreeValue(list[lo:hi:hi]), nil
}

// elements returns the elements of an array.
func elements(v vec.Value) ([]any, bool) {
	if v.Kind != vec.JSON {
		return nil, false
	}
	list, ok := rawjson.Tree(v).([]any)
	return list, ok
}

// place returns a number as a position in an array, cut off to a whole one.
func place(v vec.Value) (int64, bool) {
	switch v.Kind {
	case vec.Int64:
		return v.I, true
	case vec.Float64:
		if math.Abs(v.F) < 1<<53 {
			return int64(v.F), true
		}
	}
	return 0, false
}
