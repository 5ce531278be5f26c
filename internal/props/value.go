package props

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// blank tells whether a value says nothing: no text, false, an empty object or list.
func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// scalar reads a text that may be written as a number.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), !math.IsNaN(v) && !math.IsInf(v, 0)
	case int, int64, uint64, json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}

// flag reads true or false.
func flag(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(v)))
		return b, err == nil
	}
	return false, false
}

// whole reads a whole number.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<63
	case json.Number:
		return wholeText(string(v))
	case string:
		return wholeText(strings.TrimSpace(v))
	}
	return 0, false
}

// wholeText reads a whole number of its digits, or in a form such as 1e3 or 5.0.
func wholeText(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if !decimal(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<63
}

// number reads a number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		return number(string(v))
	case string:
		s := strings.TrimSpace(v)
		if !decimal(s) {
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	return 0, false
}

// decimal tells whether s has only characters of decimal numbers: strconv takes
// names such as inf, and digits to other bases, too.
func decimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.eE+-") == ""
}

// duration reads a span of time in nanoseconds: a number of unit, or a text with
// units of its own. An empty text is no time.
func duration(v any, unit time.Duration) (int64, bool) {
	if n, ok := whole(v); ok {
		if n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
			return 0, false
		}
		return n * int64(unit), true
	}
	if f, ok := number(v); ok {
		f *= float64(unit)
		return int64(f), math.Abs(f) < 1<<63
	}
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	if s = strings.TrimSpace(s); s == "" {
		return 0, true
	}
	d, err := time.ParseDuration(s)
	return int64(d), err == nil
}

// units are the names of sizes, all powers of 1,024, the longer before the shorter.
var units = []struct {
	suffix string
	factor int64
}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}}

// Size reads a number of bytes, as all properties have it.
func Size(v any) (int64, bool) {
	if n, ok := whole(v); ok {
		return n, true
	}
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, ok := wholeText(strings.TrimSpace(digits))
		if !ok || n > math.MaxInt64/u.factor || n < math.MinInt64/u.factor {
			return 0, false
		}
		return n * u.factor, true
	}
	return 0, false
}

// SizeText writes a size in the largest unit that divides it.
func SizeText(n int64) string {
	for _, u := range []struct {
		name   string
		factor int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// list reads a list of texts. A text is a list of one, or the text of a JSON array;
// an empty one is an empty list.
func list(v any) ([]string, bool) {
	switch v := v.(type) {
	case []string:
		return append([]string(nil), v...), true
	case []any:
		var out []string // none of an empty list
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return nil, true
		}
		if s[0] != '[' {
			return []string{v}, true
		}
		var out []any
		if json.Unmarshal([]byte(s), &out) != nil {
			return nil, false
		}
		return list(out)
	}
	return nil, false
}

// object reads an object. A text is that of a JSON object; an empty one is an
// empty object.
func object(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case map[string]string:
		m := make(map[string]any, len(v))
		for k, s := range v {
			m[k] = s
		}
		return m, true
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, true
		}
		var m map[string]any
		err := json.Unmarshal([]byte(v), &m)
		return m, err == nil && m != nil
	}
	return nil, false
}

// headers reads texts by name, in the order of the names. Numbers and flags are
// taken as they are written.
func headers(v any) ([]Header, bool) {
	m, ok := object(v)
	if !ok {
		return nil, false
	}
	var out []Header
	for k, v := range m {
		s, ok := scalar(v)
		if b, is := v.(bool); is {
			s, ok = strconv.FormatBool(b), true
		}
		if !ok {
			return nil, false
		}
		out = append(out, Header{k, s})
	}
	slices.SortFunc(out, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return out, true
}
