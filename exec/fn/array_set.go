package fn

import (
	"reflect"

	"github.com/weir-engine/weir/vec"
)

// The functions of this file compare elements by kind and value: a number of a
// message is a float and differs from the whole number 3 of the query.

func setFuncs() []*Func {
	const group = "array"
	return []*Func{
		scalar(group, "array_contains(a, v)", "Tells whether v is an element, of the same kind, of the array; false for null.",
			`array_contains(array_create("a", "b"), "a")`, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
				at, err := position(args, false)
				return vec.BoolValue(at >= 0), err
			}).seesNulls(),
		scalar(group, "array_contains_any(a, b)", "Tells whether the arrays have an element in common; false for null.",
			`array_contains_any(array_create(1, 2), array_create(2))`, containsAny).seesNulls(),
		scalar(group, "array_distinct(a)", "The elements without repetitions, in order of first appearance.", `array_distinct(array_create(1, 2, 1))`, distinct),
		scalar(group, "array_except(a, b)", "The distinct elements of a that are not in b.", `array_except(array_create(1, 2), array_create(2))`, except).seesNulls(),
		scalar(group, "array_intersect(a, b)", "The distinct elements that are in both arrays, in b's order.",
			`array_intersect(array_create(1, 2), array_create(2, 3))`, intersect),
		scalar(group, "array_last_position(a, v)", "The position, from 0, of the last element that is v, or -1.",
			`array_last_position(array_create("x", "y", "x"), "x")`, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
				at, err := position(args, true)
				return vec.IntValue(at), err
			}).seesNulls(),
		scalar(group, "array_position(a, v)", "The position, from 0, of the first element that is v, or -1.",
			`array_position(array_create("x", "y"), "y")`, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
				at, err := position(args, false)
				return vec.IntValue(at), err
			}).seesNulls(),
		scalar(group, "array_remove(a, v)", "The elements that are not v.", `array_remove(array_create("a", "b"), "a")`, remove).seesNulls(),
		scalar(group, "array_union(a, b)", "The distinct elements of both arrays; a null array counts as empty.",
			`array_union(array_create(1, 2), array_create(2, 3))`, union).seesNulls(),
	}
}

// same tells whether elements are equal in kind and value.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		return ok && a == s
	case float64:
		f, ok := b.(float64)
		return ok && a == f
	case int64:
		i, ok := b.(int64)
		return ok && a == i
	case bool:
		t, ok := b.(bool)
		return ok && a == t
	}
	return reflect.DeepEqual(a, b)
}

// elems is a set of elements: nested ones are searched one by one.
type elems struct {
	plain  map[any]struct{}
	nested []any
}

// add enters x and tells whether it is new.
func (s *elems) add(x any) bool {
	if s.has(x) {
		return false
	}
	if hashable(x) {
		if s.plain == nil {
			s.plain = make(map[any]struct{})
		}
		s.plain[x] = struct{}{}
	} else {
		s.nested = append(s.nested, x)
	}
	return true
}

func (s *elems) has(x any) bool {
	if hashable(x) {
		_, ok := s.plain[x]
		return ok
	}
	for _, y := range s.nested {
		if same(x, y) {
			return true
		}
	}
	return false
}

func hashable(x any) bool {
	switch x.(type) {
	case []any, map[string]any, []byte:
		return false
	}
	return true
}

// position finds args[1] in the array args[0]; -1 if it is not there.
func position(args []vec.Value, last bool) (int64, error) {
	if args[0].IsNull() {
		return -1, nil
	}
	l, err := list(args[0])
	if err != nil {
		return -1, err
	}
	x, at := own(args[1]), int64(-1)
	for i, e := range l {
		if same(e, x) {
			at = int64(i)
			if !last {
				break
			}
		}
	}
	return at, nil
}

// lists returns both arrays; a null one is empty.
func lists(args []vec.Value) (a, b []any, err error) {
	if !args[0].IsNull() {
		if a, err = list(args[0]); err != nil {
			return nil, nil, err
		}
	}
	if !args[1].IsNull() {
		b, err = list(args[1])
	}
	return a, b, err
}

func containsAny(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return truth(false)
	}
	if args[1].IsNull() {
		return vec.Value{}, Wrong("an array", args[1])
	}
	a, b, err := lists(args)
	if err != nil {
		return vec.Value{}, err
	}
	var set elems
	for _, x := range a {
		set.add(x)
	}
	for _, x := range b {
		if set.has(x) {
			return truth(true)
		}
	}
	return truth(false)
}

func distinct(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	var set elems
	out := make([]any, 0, len(l))
	for _, x := range l {
		if !hashable(x) || set.add(x) {
			out = append(out, x)
		}
	}
	return tree(out)
}

func except(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return null()
	}
	a, b, err := lists(args)
	if err != nil {
		return vec.Value{}, err
	}
	var set elems
	for _, x := range b {
		set.add(x)
	}
	out := []any{}
	for _, x := range a {
		if set.add(x) {
			out = append(out, x)
		}
	}
	return tree(out)
}

func intersect(_ *Ctx, args []vec.Value) (vec.Value, error) {
	a, b, err := lists(args)
	if err != nil {
		return vec.Value{}, err
	}
	var set, taken elems
	for _, x := range a {
		set.add(x)
	}
	out := []any{}
	for _, x := range b {
		if set.has(x) && taken.add(x) {
			out = append(out, x)
		}
	}
	return tree(out)
}

func union(_ *Ctx, args []vec.Value) (vec.Value, error) {
	a, b, err := lists(args)
	if err != nil {
		return vec.Value{}, err
	}
	var set elems
	out := make([]any, 0, len(a)+len(b))
	for _, l := range [][]any{a, b} {
		for _, x := range l {
			if set.add(x) {
				out = append(out, x)
			}
		}
	}
	return tree(out)
}

func remove(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return null()
	}
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	x := own(args[1])
	out := make([]any, 0, len(l))
	for _, e := range l {
		if !same(e, x) {
			out = append(out, e)
		}
	}
	return tree(out)
}
