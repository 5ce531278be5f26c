package fn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

func arrayFuncs() []*Func {
	const group = "array"
	return []*Func{
		scalar(group, "array_cardinality(a)", "The number of elements of an array that are not null; 0 for null.",
			`array_cardinality(array_create(1, 2))`, arrayCardinality).seesNulls(),
		scalar(group, "cardinality(a)", "The number of elements of an array; 0 for null and for what is no array.",
			`cardinality(array_create(1, 2))`, cardinality).seesNulls(),
		scalar(group, "array_concat(a, ...)", "The elements of all arrays in a row; null arrays are left out.",
			`array_concat(array_create(1), array_create(2))`, func(_ *Ctx, args []vec.Value) (vec.Value, error) { return concatLists(args) }).seesNulls(),
		scalar(group, "array_create([v, ...])", "An array of the arguments, without nulls; null if nothing is left.", `array_create(1, "x")`, arrayCreate).seesNulls(),
		scalar(group, "array_flatten(a)", "An array in which arrays among the elements are replaced by their elements, one level deep.",
			`array_flatten(array_create(array_create(1, 2), 3))`, arrayFlatten),
		scalar(group, "array_join(a, sep [, null_text])", "The elements as one text with sep between them; nulls are left out, or written as null_text.",
			`array_join(array_create("a", "b"), "-")`, arrayJoin),
		scalar(group, "array_map(function, a)", "An array of the results of a function, named in text, for each element; of nulls, as the function takes them.",
			`array_map("upper", array_create("a", "b"))`, arrayMap).checked(checkMap),
		scalar(group, "array_max(a)", "The largest number or text of an array; nulls are left out.", `array_max(array_create(3, 1))`, extreme(true)),
		scalar(group, "array_min(a)", "The smallest number or text of an array; nulls are left out.", `array_min(array_create(3, 1))`, extreme(false)),
		scalar(group, "array_shuffle(a)", "The elements in a random order.", `array_shuffle(array_create(1))`, arrayShuffle).volatile(),
		scalar(group, "array_sort(a)", "The elements in order of their texts, so 10 comes before 9.", `array_sort(array_create(3, 1, 2))`, arraySort),
		scalar(group, "element_at(a, i)", "Element i, from 0 or, if negative, from the end, of an array, or member i of an object.",
			`element_at(array_create("a", "b"), -1)`, elementAt),
		scalar(group, "kvpair_array_to_obj(a)", `An object of an array of objects {"key": k, "value": v}.`,
			`kvpair_array_to_obj(array_create(object_construct("key", "a", "value", 1)))`, pairsToObject),
		scalar(group, "repeat(v, n)", "An array that holds v n times.", `repeat("x", 3)`, repeatRow).checked(literals(anyLiteral, wantInt)),
		scalar(group, "sequence(start, stop [, step])", "The whole numbers from start to stop.", `sequence(1, 5, 2)`, sequence).checked(literals(wantInt)),
	}
}

func arrayCardinality(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() {
		return integer(0)
	}
	l, err := list(args[0])
	n := int64(0)
	for _, x := range l {
		if x != nil {
			n++
		}
	}
	return vec.IntValue(n), err
}

func cardinality(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if isArray(args[0]) {
		return integer(int64(size(args[0])))
	}
	return integer(0)
}

func concatLists(args []vec.Value) (vec.Value, error) {
	out := []any{}
	for _, a := range args {
		if a.IsNull() {
			continue
		}
		l, err := list(a)
		if err != nil {
			return vec.Value{}, err
		}
		out = append(out, l...)
	}
	return tree(out)
}

func arrayCreate(_ *Ctx, args []vec.Value) (vec.Value, error) {
	out := make([]any, 0, len(args))
	for _, a := range args {
		if !a.IsNull() {
			out = append(out, own(a))
		}
	}
	if len(out) == 0 {
		return null()
	}
	return tree(out)
}

func arrayFlatten(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, 0, len(l))
	for _, x := range l {
		if inner, ok := x.([]any); ok {
			out = append(out, inner...)
		} else {
			out = append(out, x)
		}
	}
	return tree(out)
}

func arrayJoin(c *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	nullText := ""
	for i, a := range args[1:] {
		if a.Kind != vec.String {
			return vec.Value{}, Wrong("a text", a)
		}
		if i == 1 {
			nullText = a.S
		}
	}
	out := make([]string, 0, len(l))
	for _, x := range l {
		if x == nil {
			if nullText != "" {
				out = append(out, nullText)
			}
			continue
		}
		v := rawjson.FromAny(x)
		s, ok := plain(c, v)
		if !ok {
			return vec.Value{}, Wrong("elements that can be written as text", v)
		}
		out = append(out, s)
	}
	return text(strings.Join(out, args[1].S))
}

func checkMap(args []planner.FuncArg) error {
	if args[0].Literal == nil {
		return nil
	}
	if args[0].Literal.Kind != vec.String {
		return expect("string", 0)
	}
	_, err := mapped(args[0].Literal.S)
	return err
}

// mapped finds the function that array_map is to call.
func mapped(name string) (*Func, error) {
	f, ok := Lookup(strings.ToLower(name))
	if !ok {
		return nil, fmt.Errorf("unknown function %q", name)
	}
	if f.Kind != planner.FuncScalar || f.MinArgs > 1 || f.MaxArgs == 0 {
		return nil, fmt.Errorf("function %q cannot be called with one element", name)
	}
	return f, nil
}

func arrayMap(c *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].Kind != vec.String {
		return vec.Value{}, Wrong("the name of a function", args[0])
	}
	f, err := mapped(args[0].S)
	if err != nil {
		return vec.Value{}, err
	}
	l, err := list(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, len(l))
	arg := make([]vec.Value, 1)
	for i, x := range l {
		arg[0] = rawjson.FromAny(x)
		v, err := f.Row(c, arg) // without its null rule: a null is called, too
		if err != nil {
			return vec.Value{}, err
		}
		out[i] = own(v)
	}
	return tree(out)
}

// extreme makes array_max and array_min.
func extreme(max bool) Row {
	return func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		l, err := list(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		var e Extreme
		for _, x := range l {
			e.Add(rawjson.FromAny(x), max)
		}
		return result(e.Result(max))
	}
}

func arrayShuffle(c *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err == nil && c.Rand == nil {
		err = errors.New("no source of random numbers")
	}
	if err != nil {
		return vec.Value{}, err
	}
	l = slices.Clone(l)
	c.Rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	return tree(l)
}

func arraySort(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	type elem struct {
		text string
		x    any
	}
	elems := make([]elem, len(l))
	for i, x := range l {
		elems[i] = elem{string(appendAny(nil, x)), x}
	}
	slices.SortStableFunc(elems, func(a, b elem) int { return strings.Compare(a.text, b.text) })
	out := make([]any, len(l))
	for i, e := range elems {
		out[i] = e.x
	}
	return tree(out)
}

func elementAt(_ *Ctx, args []vec.Value) (vec.Value, error) {
	v := args[0]
	if v.Kind != vec.JSON {
		return vec.Value{}, Wrong("an array or an object", v)
	}
	if !isArray(v) {
		if args[1].Kind != vec.String {
			return vec.Value{}, Wrong("a key", args[1])
		}
		return member(v, args[1].S)
	}
	i, err := whole(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	n := int64(size(v))
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return vec.Value{}, fmt.Errorf("index %d is out of range of an array of %d", i, n)
	}
	if l, ok := v.X.([]any); ok {
		return rawjson.FromAny(l[at]), nil
	}
	raw, ok := rawjson.Index([]byte(v.S), int(at))
	if !ok {
		return null()
	}
	return rawjson.Value(raw, v.Ints), nil
}

// member returns member key of an object, or null.
func member(v vec.Value, key string) (vec.Value, error) {
	if m, ok := v.X.(map[string]any); ok {
		return rawjson.FromAny(m[key]), nil
	}
	raw, ok := rawjson.Get([]byte(v.S), key)
	if !ok {
		return null()
	}
	return rawjson.Value(raw, v.Ints), nil
}

func pairsToObject(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := list(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	out := make(map[string]any, len(l))
	for _, x := range l {
		m, _ := x.(map[string]any)
		value, ok := m["value"]
		key, isText := m["key"].(string)
		if len(m) != 2 || !ok || !isText {
			return vec.Value{}, Wrong(`elements {"key": text, "value": value}`, rawjson.FromAny(x))
		}
		out[key] = value
	}
	return tree(out)
}

func repeatRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	n, err := whole(args[1])
	if err == nil && (n < 0 || n > maxPad) {
		err = fmt.Errorf("cannot repeat %d times", n)
	}
	if err != nil {
		return vec.Value{}, err
	}
	out := make([]any, n)
	x := own(args[0])
	for i := range out {
		out[i] = x
	}
	return tree(out)
}

func sequence(_ *Ctx, args []vec.Value) (vec.Value, error) {
	var n [3]int64
	for i, a := range args {
		var err error
		if n[i], err = whole(a); err != nil {
			return vec.Value{}, err
		}
	}
	start, stop, step := n[0], n[1], n[2]
	if len(args) == 2 {
		step = 1
		if stop < start {
			step = -1
		}
	}
	if step == 0 {
		return vec.Value{}, errors.New("the step of a sequence cannot be 0")
	}
	out := []any{}
	for x := start; step > 0 && x <= stop || step < 0 && x >= stop; x += step {
		if len(out) == maxPad {
			return vec.Value{}, fmt.Errorf("a sequence from %d to %d is too long", start, stop)
		}
		out = append(out, x)
		if step > 0 && x > stop-step || step < 0 && x < stop-step {
			break
		}
	}
	return tree(out)
}
