package scalar

import (
	"fmt"
	"math"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Arrow returns v->key; a value that is no object has no keys.
func Arrow(v vec.Value, key string) vec.Value {
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

// Index returns a[i]; negative positions count from the end. Only a number is a
// position, even of null.
func Index(a, i vec.Value) (vec.Value, error) {
	at, ok := arrayIndex(i)
	if ok && a.IsNull() {
		return vec.NullValue, nil
	}
	list, isList := Elements(a)
	if !ok || !isList {
		return vec.Value{}, OpError{planner.OpIndex, a, i}
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at < 0 || at >= int64(len(list)) {
		return vec.Value{}, fmt.Errorf("index out of range: %d of %d", at, len(list))
	}
	return rawjson.FromAny(list[at]), nil
}

// InArray decides x IN an array.
func InArray(x, list vec.Value, not bool, loc *time.Location) (vec.Value, error) {
	if x.IsNull() {
		return vec.BoolValue(false), nil
	}
	if list.IsNull() && x.Kind != vec.JSON {
		return vec.BoolValue(not), nil
	}
	es, ok := Elements(list)
	if !ok {
		return vec.Value{}, OpError{planner.OpIn, x, list}
	}
	vs := make([]vec.Value, len(es))
	for i, e := range es {
		vs[i] = rawjson.FromAny(e)
	}
	return In(x, vs, not, loc)
}

// Edge is a bound of a slice: open, or a value, which must be a number.
type Edge struct {
	Value vec.Value
	Open  bool
}

// at returns the position of e in an array of n; an open one is at whole.
func (e Edge) at(whole, n int64) (int64, bool) {
	if e.Open {
		return whole, true
	}
	i, ok := arrayIndex(e.Value)
	if i < 0 {
		i += n
	}
	return i, ok
}

// Slice returns a[from:to]. It must begin at an element: behind the last one, and
// in an empty array, there is nothing to slice.
func Slice(a vec.Value, from, to Edge) (vec.Value, error) {
	if a.IsNull() {
		return vec.NullValue, nil
	}
	list, ok := Elements(a)
	if !ok {
		return vec.Value{}, OpError{planner.OpSlice, a, from.Value}
	}
	n := int64(len(list))
	lo, ok := from.at(0, n)
	hi, ok2 := to.at(n, n)
	if !ok || !ok2 || lo < 0 || lo >= n || hi > n || lo > hi {
		return vec.Value{}, fmt.Errorf("slice out of range: %s:%s of %d", fn.Show(from.Value), fn.Show(to.Value), n)
	}
	return vec.TreeValue(list[lo:hi:hi]), nil
}

// Elements returns the elements of an array.
func Elements(v vec.Value) ([]any, bool) {
	if v.Kind != vec.JSON {
		return nil, false
	}
	list, ok := rawjson.Tree(v).([]any)
	return list, ok
}

// arrayIndex returns a number as a position in an array, cut off to a whole one.
func arrayIndex(v vec.Value) (int64, bool) {
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
