package fn

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

// maxShown bounds what Show tells of a value, in bytes.
const maxShown = 64

// maxDigits is the length up to which Show writes a float in plain digits.
const maxDigits = 32

// Show returns v as the texts of faults name a value: with its type, as eKuiper
// does, and shortened. The result has memory of its own.
func Show(v vec.Value) string {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return "null"
	case vec.String:
		return "string(" + shorten(v.S) + ")"
	case vec.Int64:
		return "int64(" + strconv.FormatInt(v.I, 10) + ")"
	case vec.Float64:
		s := vec.NumberText(v)
		if len(s) > maxDigits {
			s = strconv.FormatFloat(v.F, 'g', -1, 64)
		}
		return "float64(" + s + ")"
	case vec.Bool:
		return "bool(" + strconv.FormatBool(v.I != 0) + ")"
	case vec.JSON:
		if v.X == nil {
			return shorten(v.S)
		}
		b, err := json.Marshal(v.X) // a tree of its own shape, which JSON can write
		if err != nil {
			return v.Kind.String()
		}
		return shorten(string(b))
	case vec.Timestamp:
		return "datetime(" + Text(v) + ")"
	}
	return v.Kind.String()
}

// shorten returns a copy of s that is not much longer than maxShown.
func shorten(s string) string {
	if len(s) <= maxShown {
		return strings.Clone(s)
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
