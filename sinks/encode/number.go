package encode

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Templates see numbers as float64 and int64, so that every function of theirs works
// with them, and show them in plain digits: what an action writes goes through textFunc,
// and so do the arguments of functions that make texts of values.

// textFunc is the name of the function that the actions of a template end with.
const textFunc = "__text"

// textNode returns the command that textFunc is at the end of a pipeline.
func textNode() *parse.CommandNode {
	trees, err := parse.Parse(textFunc, "{{0 | "+textFunc+"}}", "{{", "}}", own)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return trees[textFunc].Root.Nodes[0].(*parse.ActionNode).Pipe.Cmds[1]
}

// float is a float64 that fmt shows in plain digits where no form is asked for.
type float float64

// String returns f in plain digits.
func (f float) String() string { return string(vec.AppendFloat(nil, float64(f))) }

// Format implements fmt.Formatter. A whole number may be shown as one, too.
func (f float) Format(s fmt.State, verb rune) {
	_, precise := s.Precision()
	switch i, whole := vec.Whole(float64(f)); {
	case (verb == 'v' || verb == 's') && !precise:
		io.WriteString(s, padded(s, f.String()))
	case whole && strings.ContainsRune("dcoOU", verb):
		fmt.Fprintf(s, fmt.FormatString(s, verb), i)
	case verb == 's':
		fmt.Fprintf(s, fmt.FormatString(s, verb), f.String())
	default:
		fmt.Fprintf(s, fmt.FormatString(s, verb), float64(f))
	}
}

// whole is an int64 that fmt shows in the forms of floats, too.
type whole int64

// String returns i in digits.
func (i whole) String() string { return strconv.FormatInt(int64(i), 10) }

// Format implements fmt.Formatter.
func (i whole) Format(s fmt.State, verb rune) {
	switch verb {
	case 'e', 'E', 'f', 'F', 'g', 'G':
		fmt.Fprintf(s, fmt.FormatString(s, verb), float64(i))
	case 's':
		fmt.Fprintf(s, fmt.FormatString(s, verb), i.String())
	default:
		fmt.Fprintf(s, fmt.FormatString(s, verb), int64(i))
	}
}

// padded returns a number's text as wide, and with the sign, that s asks for.
func padded(s fmt.State, text string) string {
	if s.Flag('+') && text[0] != '-' && text[0] != '+' {
		text = "+" + text
	}
	width, _ := s.Width()
	fill := strings.Repeat(" ", max(width-len(text), 0))
	if s.Flag('-') {
		return text + fill
	}
	return fill + text
}

// shown returns x with numbers that fmt shows as templates want it.
func shown(x any) any {
	switch x := x.(type) {
	case float64:
		return float(x)
	case int64:
		return whole(x)
	case int: // as templates write numbers
		return whole(x)
	case []any:
		return shownAll(x)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[k] = shown(v)
		}
		return out
	case []map[string]any:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = shown(v)
		}
		return out
	}
	return x
}

func shownAll(list []any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = shown(x)
	}
	return out
}

// inInts returns a tree of which whole numbers beyond 2^53 are int64; a tree without
// any is returned itself.
func inInts(x any) any {
	if !hasExact(x) {
		return x
	}
	switch x := x.(type) {
	case vec.Exact:
		return int64(x)
	case []any:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = inInts(v)
		}
		return out
	case []map[string]any:
		out := make([]map[string]any, len(x))
		for i, v := range x {
			out[i], _ = inInts(v).(map[string]any)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[k] = inInts(v)
		}
		return out
	}
	return x
}

func hasExact(x any) bool {
	switch x := x.(type) {
	case vec.Exact:
		return true
	case []any:
		return slices.ContainsFunc(x, hasExact)
	case []map[string]any:
		return slices.ContainsFunc(x, func(m map[string]any) bool { return hasExact(m) })
	case map[string]any:
		for _, v := range x {
			if hasExact(v) {
				return true
			}
		}
	}
	return false
}

// addNumbers puts into m the functions that make texts of values, and those that
// compare them, whole numbers and floats with each other too.
func addNumbers(m template.FuncMap) {
	m[textFunc] = func(x any) any {
		switch x.(type) {
		case float64, []any, map[string]any, []map[string]any:
			return shown(x)
		}
		return x
	}
	m["print"] = func(args ...any) string { return fmt.Sprint(shownAll(args)...) }
	m["println"] = func(args ...any) string { return fmt.Sprintln(shownAll(args)...) }
	m["printf"] = func(form string, args ...any) string { return fmt.Sprintf(form, shownAll(args)...) }
	for name, f := range map[string]func(...any) string{"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper} {
		m[name] = func(args ...any) string { return f(shownAll(args)...) }
	}
	for name, f := range m {
		switch f := f.(type) {
		case func(...any) string: // cat, quote, squote
			if name == "cat" || strings.HasSuffix(name, "quote") {
				m[name] = func(args ...any) string { return f(shownAll(args)...) }
			}
		case func(any) string:
			if name == "toString" {
				m[name] = func(x any) string { return f(shown(x)) }
			}
		case func(any) []string: // toStrings, sortAlpha
			m[name] = func(x any) []string { return f(shown(x)) }
		case func(string, any) string:
			if name == "join" {
				m[name] = func(sep string, x any) string { return f(sep, shown(x)) }
			}
		}
	}
	m["eq"] = equal
	m["ne"] = func(a, b any) (bool, error) {
		same, err := equal(a, b)
		return !same, err
	}
	m["lt"] = ordered(func(c int) bool { return c < 0 })
	m["le"] = ordered(func(c int) bool { return c <= 0 })
	m["gt"] = ordered(func(c int) bool { return c > 0 })
	m["ge"] = ordered(func(c int) bool { return c >= 0 })
}

var errCompare = errors.New("incompatible types for comparison")

// equal is the template function eq: it tells whether a is equal to one of others.
func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("missing argument for comparison")
	}
	x, number := numberOf(a)
	for _, b := range others {
		y, both := numberOf(b)
		same := false
		switch {
		case number && both:
			same = vec.CompareNumbers(x, y) == 0
		case a == nil || b == nil:
			same = a == nil && b == nil
		case number || both || reflect.TypeOf(a) != reflect.TypeOf(b):
			return false, errCompare
		case !reflect.TypeOf(a).Comparable():
			return false, fmt.Errorf("values of type %T cannot be compared", a)
		default:
			same = a == b
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

// ordered makes the template functions lt, le, gt and ge.
func ordered(holds func(c int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		x, number := numberOf(a)
		y, both := numberOf(b)
		if number && both {
			return holds(vec.CompareNumbers(x, y)), nil
		}
		s, isText := a.(string)
		t, isText2 := b.(string)
		if !isText || !isText2 {
			return false, errCompare
		}
		return holds(strings.Compare(s, t)), nil
	}
}

// numberOf returns a Go number of any type.
func numberOf(x any) (vec.Value, bool) {
	n := rawjson.FromAny(x)
	return n, n.Kind.Numeric()
}
