package fn

import (
	"fmt"
	"math"
	"unicode"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// anyNull tells whether an argument is null, missing, or an empty array or object.
func anyNull(args []vec.Value) bool {
	for i := range args {
		switch a := &args[i]; {
		case a.Kind <= vec.Null:
			return true
		case a.Kind == vec.JSON && emptyNested(a):
			return true
		}
	}
	return false
}

func emptyNested(v *vec.Value) bool {
	switch x := v.X.(type) {
	case nil:
		// Raw text: only blanks can stand between the brackets.
		for i := 1; i < len(v.S)-1; i++ {
			if c := v.S[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return false
			}
		}
		return true
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}

// Wrong is the fault of a value that is not of the kind that a function wants. It
// borrows v, and its text is made only if somebody reads it.
func Wrong(want string, v vec.Value) error { return wrongKind{want, v} }

type wrongKind struct {
	want string
	v    vec.Value
}

func (e wrongKind) Error() string { return "want " + e.want + ", got " + Show(e.v) }

// number returns v as a float64; only numbers are.
func number(v vec.Value) (float64, error) {
	switch v.Kind {
	case vec.Float64:
		return v.F, nil
	case vec.Int64:
		return float64(v.I), nil
	}
	return 0, Wrong("a number", v)
}

// whole returns v as an int64; only numbers without a fraction are.
func whole(v vec.Value) (int64, error) {
	if i, ok := v.Whole(); ok {
		return i, nil
	}
	return 0, Wrong("a whole number", v)
}

// list returns the elements of an array.
func list(v vec.Value) ([]any, error) {
	if v.Kind == vec.JSON {
		if l, ok := rawjson.Tree(v).([]any); ok {
			return l, nil
		}
	}
	return nil, Wrong("an array", v)
}

// object returns the members of an object.
func object(v vec.Value) (map[string]any, error) {
	if v.Kind == vec.JSON {
		if m, ok := rawjson.Tree(v).(map[string]any); ok {
			return m, nil
		}
	}
	return nil, Wrong("an object", v)
}

// own returns v as a part of a tree: a Go value with memory of its own.
func own(v vec.Value) any { return rawjson.Tree(v) }

func isRaw(v vec.Value, open byte) bool {
	return v.Kind == vec.JSON && v.X == nil && v.S != "" && v.S[0] == open
}

// text makes a result, as the functions below it do of other types.
func text(s string) (vec.Value, error)   { return vec.StringValue(s), nil }
func integer(i int64) (vec.Value, error) { return vec.IntValue(i), nil }
func truth(b bool) (vec.Value, error)    { return vec.BoolValue(b), nil }
func tree(x any) (vec.Value, error)      { return vec.TreeValue(x), nil }
func null() (vec.Value, error)           { return vec.NullValue, nil }

// float makes a result of f; what is not a number is null.
func float(f float64) (vec.Value, error) {
	if math.IsNaN(f) {
		return vec.NullValue, nil
	}
	return vec.FloatValue(f), nil
}

// refuse is the kinds of literals that a check refuses.
type refuse uint8

const (
	noInt refuse = 1 << iota
	noFloat
	noText
	noBool
)

const (
	wantNumber = noText | noBool
	wantInt    = noFloat | noText | noBool
	wantText   = noInt | noFloat | noBool
	wantBool   = noInt | noFloat | noText
	wantChar   = noFloat | noBool
	wantTime   = noBool // text and milliseconds are times
)

func (r refuse) String() string {
	switch r {
	case wantNumber:
		return "number - float or int"
	case wantInt, wantChar:
		return "int"
	case wantTime:
		return "datetime"
	case wantText:
		return "string"
	}
	return "bool"
}

// kindBit returns the kind of a literal as a bit of refuse.
func kindBit(v *vec.Value) refuse {
	switch v.Kind {
	case vec.Int64:
		return noInt
	case vec.Float64:
		return noFloat
	case vec.String:
		return noText
	case vec.Bool:
		return noBool
	}
	return 0
}

// literals makes a check of which literals each argument may be; the last entry
// holds for all further arguments. The texts are eKuiper's.
func literals(want ...refuse) func([]planner.FuncArg) error {
	return func(args []planner.FuncArg) error {
		for i, a := range args {
			w := want[min(i, len(want)-1)]
			if a.Literal != nil && w&kindBit(a.Literal) != 0 {
				return expect(w.String(), i)
			}
		}
		return nil
	}
}

func expect(what string, i int) error {
	return fmt.Errorf("Expect %s type for parameter %d", what, i+1) //nolint:staticcheck // the text that users of eKuiper know
}

// anyLiteral accepts every literal for its argument.
const anyLiteral refuse = 0

// mustBe makes a check that argument i is a literal of kind k, after those of next.
func mustBe(i int, k vec.Kind, what string, next func([]planner.FuncArg) error) func([]planner.FuncArg) error {
	return func(args []planner.FuncArg) error {
		if i < len(args) && (args[i].Literal == nil || args[i].Literal.Kind != k) {
			return expect(what, i)
		}
		if next != nil {
			return next(args)
		}
		return nil
	}
}

// oneOf makes a check that a literal argument i is one of words.
func oneOf(i int, text string, words []string, next func([]planner.FuncArg) error) func([]planner.FuncArg) error {
	return func(args []planner.FuncArg) error {
		if next != nil {
			if err := next(args); err != nil {
				return err
			}
		}
		if i >= len(args) || args[i].Literal == nil || args[i].Literal.Kind != vec.String {
			return nil
		}
		for _, w := range words {
			if w == args[i].Literal.S {
				return nil
			}
		}
		return fmt.Errorf("%s, got %q", text, args[i].Literal.S)
	}
}

// scalar makes a function of the table. The signature says how many arguments it
// takes: what stands in square brackets may be left out, three dots are any number.
func scalar(group, signature, doc, example string, row Row) *Func {
	f := &Func{Row: row}
	f.Name = nameOf(signature)
	f.Group, f.Signature, f.Doc, f.Example = group, signature, doc, example
	f.MinArgs, f.MaxArgs = arity(signature)
	return f
}

// arity returns how many arguments a signature has at least, and at most; -1: any
// number.
func arity(signature string) (least, most int) {
	optional := 0 // brackets that are open
	inName := false
	for _, c := range signature[len(nameOf(signature)):] {
		switch {
		case c == '[':
			optional++
		case c == ']':
			optional--
		case c == '.':
			return least, -1
		case c == '_' || c == '*' || unicode.IsLetter(c) || unicode.IsDigit(c):
			if !inName {
				most++
				if optional == 0 {
					least++
				}
			}
			inName = true
			continue
		case c == '|' || c == ' ' && inName: // x | * is one argument
			continue
		}
		inName = false
	}
	return least, most
}

// nameOf returns what stands before the bracket.
func nameOf(signature string) string {
	for i := range signature {
		if signature[i] == '(' {
			return signature[:i]
		}
	}
	return signature
}

func (f *Func) checked(check func([]planner.FuncArg) error) *Func {
	f.Check = check
	return f
}

func (f *Func) seesNulls() *Func {
	f.Nulls = NullsSeen
	return f
}

func (f *Func) tellsMissing() *Func {
	f.tells = true
	return f
}

func (f *Func) volatile() *Func {
	f.Volatile = true
	return f
}

func (f *Func) vec(k VecFunc) *Func {
	f.Vec = k
	return f
}

func (f *Func) prepared(p func(Lits) Row) *Func {
	f.prepare = p
	return f
}

func (f *Func) kernels(k func(Lits) VecFunc) *Func {
	f.kernel = k
	return f
}
