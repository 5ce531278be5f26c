package fn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Where the order of an object's members shows in a result, it is that of their
// keys.

func objectFuncs() []*Func {
	const group = "object"
	return []*Func{
		scalar(group, "erase(o, key, ...)", "The object without a member, or without those that an array of keys names.",
			`erase(object_construct("a", 1, "b", 2), "a")`, erase),
		scalar(group, "items(o)", "An array of the members, each as an array of key and value.", `items(object_construct("a", 1))`, items),
		scalar(group, "keys(o)", "An array of the keys.", `keys(object_construct("a", 1, "b", 2))`, keysRow),
		scalar(group, "obj_to_kvpair_array(o)", `An array of the members, each as an object {"key": k, "value": v}.`,
			`obj_to_kvpair_array(object_construct("a", 1))`, objectToPairs),
		scalar(group, "object(keys, values)", "An object of an array of keys and one of values.", `object(array_create("a"), array_create(1))`, objectRow),
		scalar(group, "object_concat(a, b, ...)", "One object of the members of all, of which a later one wins; null objects are left out.",
			`object_concat(object_construct("a", 1), object_construct("a", 2))`, objectConcat).seesNulls(),
		scalar(group, "object_construct([key, value, ...])", "An object of keys and values; null values are kept, null keys left out.",
			`object_construct("a", 1, "b", "x")`, objectConstruct).checked(checkConstruct).seesNulls(),
		scalar(group, "object_pick(o, key, ...)", "The object with only the members named; a.b names a member of a member, an array names several.",
			`object_pick(object_construct("a", 1, "b", 2), "a")`, objectPick).seesNulls(),
		scalar(group, "object_size(o)", "The number of members; 0 for null.", `object_size(object_construct("a", 1))`, objectSize).seesNulls(),
		scalar(group, "values(o)", "An array of the values.", `values(object_construct("a", 1, "b", 2))`, valuesRow),
		scalar(group, "zip(a)", "An object of an array of arrays of key and value.", `zip(array_create(array_create("a", 1)))`, zip),
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func erase(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := maps.Clone(m)
	for _, a := range args[1:] {
		keys, err := keysOf(a)
		if err != nil {
			return vec.Value{}, err
		}
		for _, k := range keys {
			delete(out, k)
		}
	}
	return tree(out)
}

// keysOf returns the keys that an argument of erase names: a text, or an array of
// texts.
func keysOf(v vec.Value) ([]string, error) {
	if v.Kind == vec.String {
		return []string{v.S}, nil
	}
	l, err := list(v)
	if err != nil {
		return nil, Wrong("a key or an array of keys", v)
	}
	keys := make([]string, 0, len(l))
	for _, x := range l {
		keys = append(keys, Text(rawjson.FromAny(x)))
	}
	return keys, nil
}

func items(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, []any{k, m[k]})
	}
	return tree(out)
}

func keysRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, k)
	}
	return tree(out)
}

func valuesRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return tree(out)
}

func objectToPairs(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, map[string]any{"key": k, "value": m[k]})
	}
	return tree(out)
}

func objectRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	keys, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	values, err := list(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	if len(keys) != len(values) {
		return vec.Value{}, fmt.Errorf("%d keys for %d values", len(keys), len(values))
	}
	out := make(map[string]any, len(keys))
	for i, x := range keys {
		k, ok := x.(string)
		if !ok {
			return vec.Value{}, Wrong("keys that are texts", rawjson.FromAny(x))
		}
		out[k] = values[i]
	}
	return tree(out)
}

func zip(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make(map[string]any, len(l))
	for _, x := range l {
		if x == nil {
			continue
		}
		pair, _ := x.([]any)
		if len(pair) != 2 {
			return vec.Value{}, Wrong("elements [key, value]", rawjson.FromAny(x))
		}
		k, ok := pair[0].(string)
		if !ok {
			return vec.Value{}, Wrong("keys that are texts", rawjson.FromAny(pair[0]))
		}
		out[k] = pair[1]
	}
	return tree(out)
}

func objectConcat(_ *Ctx, args []vec.Value) (vec.Value, error) {
	out := make(map[string]any)
	for _, a := range args {
		if a.IsNull() {
			continue
		}
		m, err := object(a)
		if err != nil {
			return vec.Value{}, err
		}
		maps.Copy(out, m)
	}
	return tree(out)
}

func objectConstruct(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if len(args)%2 != 0 {
		return vec.Value{}, errPairs
	}
	out := make(map[string]any, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		switch k := args[i]; k.Kind {
		case vec.String, vec.Bytes:
			out[strings.Clone(k.S)] = own(args[i+1])
		case vec.Missing, vec.Null:
		default:
			return vec.Value{}, Wrong("a key", k)
		}
	}
	return tree(out)
}

var errPairs = errors.New("the args must be key value pairs")

func checkConstruct(args []planner.FuncArg) error {
	if len(args)%2 != 0 {
		return errPairs
	}
	for i := 0; i < len(args); i += 2 {
		if l := args[i].Literal; l != nil && wantText&kindBit(l) != 0 {
			return expect("string", i)
		}
	}
	return nil
}

func objectPick(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return null()
	}
	m, err := object(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make(map[string]any)
	for _, a := range args[1:] {
		if a.IsNull() {
			continue
		}
		if a.Kind == vec.String {
			pick(out, m, strings.Clone(a.S))
			continue
		}
		keys, _ := list(a) // what is no key, there or in an array, picks nothing
		for _, x := range keys {
			if k, ok := x.(string); ok {
				pick(out, m, k)
			}
		}
	}
	return tree(out)
}

// pick copies the member at path from m to out, with the objects around it.
func pick(out, m map[string]any, path string) {
	if v, ok := m[path]; ok {
		out[path] = v
		return
	}
	key, rest, ok := strings.Cut(path, ".")
	if !ok {
		return
	}
	inner, ok := m[key].(map[string]any)
	if !ok {
		return
	}
	sub := make(map[string]any)
	if pick(sub, inner, rest); len(sub) == 0 {
		return
	}
	if have, ok := out[key].(map[string]any); ok {
		// What is there may be a part of the argument, which nobody may change.
		have = maps.Clone(have)
		merge(have, sub)
		sub = have
	}
	out[key] = sub
}

// merge adds the members of from to into, member by member where both have objects.
func merge(into, from map[string]any) {
	for k, v := range from {
		a, ok1 := into[k].(map[string]any)
		b, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			a = maps.Clone(a)
			merge(a, b)
			v = a
		}
		into[k] = v
	}
}

func objectSize(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return integer(0)
	}
	if args[0].Kind != vec.JSON || isArray(args[0]) {
		return vec.Value{}, Wrong("an object", args[0])
	}
	return integer(int64(size(args[0])))
}
