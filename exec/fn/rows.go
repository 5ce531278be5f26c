package fn

import (
	"errors"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// rowFuncs are the functions whose arguments or results are not values of one row:
// the binder and the executor do their work, the table says that they exist and
// what they take.
func rowFuncs() []*Func {
	special := func(kind planner.FuncKind, group, signature, doc, example string, row Row) *Func {
		f := scalar(group, signature, doc, example, row).seesNulls()
		f.Kind = kind
		return f
	}
	changed := special(planner.FuncMultiCol, "multi-column", "changed_cols(prefix, ignore_null, x, ...)",
		"A column, named prefix and the argument's name, for each argument that differs from its last value; * stands for all columns.",
		`changed_cols("c_", true, a, b)`, nil).checked(literals(wantText, wantBool, anyLiteral))
	changed.AllowStar = true
	meta := special(planner.FuncMeta, "other", "meta(key)",
		"Metadata of the message: topic, qos, messageId ...; key->sub for nested, * for all, null if there is none.", `meta(topic)`, first)
	meta.AllowStar = true
	return []*Func{
		changed,
		meta,
		special(planner.FuncMeta, "other", "mqtt(key)", "The MQTT topic or messageid of the message.", `mqtt(topic)`, first),
		special(planner.FuncSRF, "set-returning", "extract(o)", "A column for each member of the object, in place of columns of the same name; without a member an error.", `extract(object_construct("a", 1))`, extractRow),
		special(planner.FuncSRF, "set-returning", "unnest(a)", "A row for each element of the array: the members of an object as columns, anything else as column unnest, or as the alias says; they are sent in place of columns of the same name.",
			`unnest(array_create(1, 2))`, unnestRow),
		special(planner.FuncWindow, "window", "row_number()",
			"The number of the row, from 1, among those that are sent together, before ORDER BY; with OVER (PARTITION BY ... ORDER BY ...) in a partition and an order.", `row_number()`, nil),
	}
}

// Unnest returns the elements that unnest makes rows of: what is no array, or has
// no element, is a fault.
func Unnest(v vec.Value) ([]any, error) {
	l, err := list(v)
	if err == nil && len(l) == 0 {
		err = errors.New("unnest: the array has no element")
	}
	return l, err
}

func unnestRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	l, err := Unnest(args[0])
	return vec.TreeValue(l), err
}

// Extract returns the members that extract makes columns of: what is no object, or
// has no member, is a fault.
func Extract(v vec.Value) (map[string]any, error) {
	m, err := object(v)
	if err == nil && len(m) == 0 {
		err = errors.New("extract: the object has no member")
	}
	return m, err
}

func extractRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	m, err := Extract(args[0])
	return vec.TreeValue(m), err
}
