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
	switch {
	case !ok:
		return vec.Value{}, fmt.Errorf("the index of an array is no position: %w", fn.Wrong("a number", i))
	case !isList:
		return vec.Value{}, fmt.Errorf("no element %s: %w", fn.Text(i), fn.Wrong("an array", a))
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at < 0 || at >= int64(len(list)) {
		return vec.Value{}, fmt.Errorf("index out of range: %s of %d", fn.Text(i), len(list))
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

// edge returns the position of a bound of a slice in an array of n. A bound that is
// null, as one that was left out, is at whole.
func edge(v vec.Value, whole, n int64) (int64, error) {
	if v.IsNull() {
		return whole, nil
	}
	i, ok := arrayIndex(v)
	if !ok {
		return 0, fmt.Errorf("a bound of a slice is no position: %w", fn.Wrong("a number", v))
	}
	if i < 0 {
		i += n
	}
	return i, nil
}

// Slice returns a[from:to]. It must begin at an element: behind the last one, and
// in an empty array, there is nothing to slice.
func Slice(a, from, to vec.Value) (vec.Value, error) {
	if a.IsNull() {
		return vec.NullValue, nil
	}
	list, ok := Elements(a)
	if !ok {
		return vec.Value{}, fmt.Errorf("nothing to slice: %w", fn.Wrong("an array", a))
	}
	n := int64(len(list))
	lo, err := edge(from, 0, n)
	if err != nil {
		return vec.Value{}, err
	}
	hi, err := edge(to, n, n)
	if err != nil {
		return vec.Value{}, err
	}
	if lo < 0 || lo >= n || hi > n || lo > hi {
		return vec.Value{}, fmt.Errorf("slice out of range: %s:%s of %d", bound(from), bound(to), n)
	}
	return vec.TreeValue(list[lo:hi:hi]), nil
}

// bound returns a bound of a slice as it would be written.
func bound(v vec.Value) string {
	if v.IsNull() {
		return ""
	}
	return fn.Text(v)
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
