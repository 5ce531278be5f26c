package fn

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// oneText makes a function from text to text; it takes the text of any value.
func oneText(signature, doc, example string, f func(string) string) *Func {
	return scalar("string", signature, doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		return text(f(Text(args[0])))
	}).checked(literals(wantText))
}

// twoTexts makes a test of two texts, which is false for null.
func twoTexts(signature, doc, example string, f func(s, t string) bool) *Func {
	return scalar("string", signature, doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		if args[0].IsNull() || args[1].IsNull() {
			return truth(false)
		}
		return truth(f(Text(args[0]), Text(args[1])))
	}).checked(literals(wantText)).seesNulls()
}

func stringFuncs() []*Func {
	const group = "string"
	return []*Func{
		scalar(group, "concat(a, ...)", "The texts of all arguments in a row, null as nothing; of nothing but arrays, one array of their elements.",
			`concat("line", "-", "7")`, concatRow).checked(literals(wantText)).seesNulls(),
		twoTexts("endswith(s, t)", "Tells whether the text s ends with t.", `endswith("valve-7", "7")`, strings.HasSuffix),
		scalar(group, "format(x, decimals [, locale])", "A number as text with so many decimals; with a locale, grouped and pointed as there.",
			`format(12332.1, 2, "de_DE")`, formatRow).checked(literals(wantNumber, wantInt, wantText)),
		scalar(group, "indexof(s, t)", "The position, in bytes from 0, of the first t in s, or -1.", `indexof("Hello", "l")`, indexOf).
			checked(literals(wantText)).seesNulls(),
		scalar(group, "length(x)", "The number of characters of a text, of elements of an array or of members of an object; 0 for null.",
			`length("grün")`, lengthRow).seesNulls(),
		oneText("lower(s)", "The text in lower case.", `lower("ABC")`, strings.ToLower),
		scalar(group, "lpad(s, n)", "The text with n blanks before it.", `lpad("x", 2)`, padder(true)).checked(literals(wantText, wantInt)),
		oneText("ltrim(s)", "The text without white space at its start.", `ltrim("  x ")`, func(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) }),
		scalar(group, "numbytes(s)", "The number of bytes of a text; 0 for null.", `numbytes("grün")`, numBytes).checked(literals(wantText)).seesNulls(),
		scalar(group, "regexp_matches(s, re)", "Tells whether a part of the text matches the regular expression (RE2); false for null.",
			`regexp_matches("line7", "[0-9]$")`, regexpMatches).checked(literals(wantText)).seesNulls().prepared(prepareMatches),
		scalar(group, "regexp_replace(s, re, t)", "The text with every match replaced by t, in which $1 is the first group.",
			`regexp_replace("Hello", "l+", "L")`, regexpReplace).checked(literals(wantText)).prepared(prepareReplace),
		scalar(group, "regexp_substr(s, re)", "The first part of the text that matches, or an empty text.", `regexp_substr("a17b", "[0-9]+")`, regexpSubstr).
			checked(literals(wantText)).prepared(prepareSubstr),
		oneText("reverse(s)", "The characters of the text from the last to the first.", `reverse("abc")`, reverse),
		scalar(group, "rpad(s, n)", "The text with n blanks behind it.", `rpad("x", 2)`, padder(false)).checked(literals(wantText, wantInt)),
		oneText("rtrim(s)", "The text without white space at its end.", `rtrim(" x  ")`, func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }),
		scalar(group, "split_value(s, sep, i)", "Part i, from 0, of the text divided at sep; a negative i counts from the end.",
			`split_value("a/b/c", "/", 1)`, splitValue).checked(literals(wantText, wantText, wantInt)),
		twoTexts("startswith(s, t)", "Tells whether the text s starts with t.", `startswith("valve-7", "valve")`, strings.HasPrefix),
		scalar(group, "substring(s, start [, end])", "The bytes of the text from start, from 0, up to and without end.",
			`substring("Hello", 1, 3)`, substring).checked(checkSubstring),
		oneText("trim(s)", "The text without white space at both ends.", `trim("  x ")`, strings.TrimSpace),
		oneText("upper(s)", "The text in upper case.", `upper("abc")`, strings.ToUpper),
	}
}

func concatRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	size, arrays, others := 0, 0, 0
	for _, a := range args {
		switch {
		case isArray(a):
			arrays++
		case !a.IsNull():
			others++
		}
		size += len(a.S) + 8
	}
	if arrays > 0 && others == 0 {
		return concatLists(args)
	}
	b := make([]byte, 0, size)
	for _, a := range args {
		b = AppendText(b, a)
	}
	return text(string(b))
}

func isArray(v vec.Value) bool {
	if v.Kind != vec.JSON {
		return false
	}
	if v.X != nil {
		_, ok := v.X.([]any)
		return ok
	}
	return isRaw(v, '[')
}

func indexOf(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() || args[1].IsNull() {
		return integer(-1)
	}
	return integer(int64(strings.Index(Text(args[0]), Text(args[1]))))
}

func lengthRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	v := args[0]
	if v.Kind == vec.JSON {
		return integer(int64(size(v)))
	}
	return integer(int64(utf8.RuneCountInString(Text(v))))
}

// size returns the number of elements of an array or members of an object.
func size(v vec.Value) int {
	switch x := v.X.(type) {
	case nil:
		return rawjson.Len([]byte(v.S))
	case []any:
		return len(x)
	case map[string]any:
		return len(x)
	}
	return 0
}

func numBytes(_ *Ctx, args []vec.Value) (vec.Value, error) {
	return integer(int64(len(Text(args[0]))))
}

// maxPad bounds what lpad, rpad, repeat and sequence make of one row.
const maxPad = 1 << 20

func padder(left bool) Row {
	return func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		n, err := whole(args[1])
		if err == nil && (n < 0 || n > maxPad) {
			err = fmt.Errorf("cannot pad with %d blanks", n)
		}
		if err != nil {
			return vec.Value{}, err
		}
		blanks := strings.Repeat(" ", int(n))
		if left {
			return text(blanks + Text(args[0]))
		}
		return text(Text(args[0]) + blanks)
	}
}

func reverse(s string) string {
	b := make([]byte, 0, len(s))
	for len(s) > 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		b = append(b, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return string(b)
}

func splitValue(_ *Ctx, args []vec.Value) (vec.Value, error) {
	i, err := whole(args[2])
	if err != nil {
		i = 0 // what is no whole number counts as 0
	}
	s, sep := Text(args[0]), Text(args[1])
	if sep == "" {
		return nthRune(s, i)
	}
	n := int64(strings.Count(s, sep)) + 1
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return vec.Value{}, fmt.Errorf("%d out of index array (size = %d)", i, n)
	}
	for ; at > 0; at-- {
		s = s[strings.Index(s, sep)+len(sep):]
	}
	if end := strings.Index(s, sep); end >= 0 {
		s = s[:end]
	}
	return text(s)
}

// nthRune is split_value without a separator: the text's characters.
func nthRune(s string, i int64) (vec.Value, error) {
	r := []rune(s)
	n := int64(len(r))
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return vec.Value{}, fmt.Errorf("%d out of index array (size = %d)", i, n)
	}
	return text(string(r[at]))
}

func substring(_ *Ctx, args []vec.Value) (vec.Value, error) {
	s := Text(args[0])
	start, err := whole(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	end := max(int64(len(s)), start)
	if len(args) == 3 {
		if end, err = whole(args[2]); err != nil {
			return vec.Value{}, err
		}
	}
	if start < 0 || end < start {
		return vec.Value{}, fmt.Errorf("no part of a text from %d to %d", start, end)
	}
	n := int64(len(s))
	return text(s[min(start, n):min(end, n)])
}

func checkSubstring(args []planner.FuncArg) error {
	if err := literals(wantText, wantInt)(args); err != nil {
		return err
	}
	start := args[1].Literal
	if start == nil {
		return nil
	}
	if start.I < 0 {
		return fmt.Errorf("the start index %s should not be negative", strconv.FormatInt(start.I, 10))
	}
	if len(args) == 3 && args[2].Literal != nil && args[2].Literal.Kind == vec.Int64 && args[2].Literal.I < start.I {
		return fmt.Errorf("the end index %d should not be less than the start index %d", args[2].Literal.I, start.I)
	}
	return nil
}
