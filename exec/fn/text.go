package fn

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Text returns v as functions on text see it: strings and bytes as they are,
// numbers in plain digits, null as nothing, arrays
// as [1 2 3], objects as map[a:1 b:2] in order of keys. The text of a string
// borrows v.
func Text(v vec.Value) string {
	switch v.Kind {
	case vec.String, vec.Bytes:
		return v.S
	case vec.Int64, vec.Float64:
		return vec.NumberText(v)
	case vec.Bool:
		return strconv.FormatBool(v.I != 0)
	case vec.Missing, vec.Null:
		return ""
	}
	return string(AppendText(nil, v))
}

// AppendText appends Text(v) to dst.
func AppendText(dst []byte, v vec.Value) []byte {
	switch v.Kind {
	case vec.Int64, vec.Float64:
		return vec.AppendNumber(dst, v)
	case vec.Timestamp:
		return v.Instant(time.UTC).AppendFormat(dst, goTime)
	case vec.JSON:
		return appendAny(dst, rawjson.Tree(v))
	}
	return append(dst, Text(v)...)
}

// goTime is the form of time.Time's String.
const goTime = "2006-01-02 15:04:05.999999999 -0700 MST"

func appendAny(dst []byte, x any) []byte {
	switch x := x.(type) {
	case nil:
		return append(dst, "<nil>"...)
	case string:
		return append(dst, x...)
	case []byte:
		return append(dst, x...)
	case bool:
		return strconv.AppendBool(dst, x)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case vec.Exact:
		return strconv.AppendInt(dst, int64(x), 10)
	case float64:
		return vec.AppendFloat(dst, x)
	case time.Time:
		return x.AppendFormat(dst, goTime)
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendAny(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, "map["...)
		for i, k := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = append(append(dst, k...), ':')
			dst = appendAny(dst, x[k])
		}
		return append(dst, ']')
	}
	return dst
}

// plain returns v as text, as cast to string does; ok is false for nested values.
func plain(c *Ctx, v vec.Value) (s string, ok bool) {
	switch v.Kind {
	case vec.JSON:
		return "", false
	case vec.Timestamp:
		return v.Instant(c.location()).Format(goTime), true
	}
	return Text(v), true
}
