package fn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/vec"
)

func convRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	from, err := whole(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	to, err := whole(args[2])
	if err != nil {
		return vec.Value{}, err
	}
	if !isBase(from) || !isBase(to) {
		return null()
	}
	s, err := conv(Text(args[0]), int(from), int(to))
	return vec.StringValue(s), err
}

func isBase(b int64) bool { return b >= 2 && b <= 36 || b <= -2 && b >= -36 }

// conv converts the number at the start of s between bases, as MySQL does: what
// does not begin with a number is 0, negative numbers wrap to unsigned ones, a
// negative base from limits to int64, a negative base to writes the sign.
func conv(s string, from, to int) (string, error) {
	signed, keepSign := from < 0, to < 0
	from, to = max(from, -from), max(to, -to)
	negative, digits := digitsOf(strings.TrimSpace(s), from)
	if digits == "" {
		return "0", nil
	}
	u, err := strconv.ParseUint(digits, from, 64)
	if err != nil {
		return "", fmt.Errorf("%q is out of range", s)
	}
	if signed {
		if negative {
			u = min(u, 1<<63)
		} else {
			u = min(u, math.MaxInt64)
		}
	}
	if negative {
		u = -u
	}
	if keepSign && int64(u) < 0 {
		return "-" + strings.ToUpper(strconv.FormatUint(-u, to)), nil
	}
	return strings.ToUpper(strconv.FormatUint(u, to)), nil
}

// digitsOf returns the sign and the digits of base that s begins with.
func digitsOf(s string, base int) (negative bool, digits string) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	n := 0
	for n < len(s) && digitValue(s[n]) < base {
		n++
	}
	return negative, s[:n]
}

func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return 99
}
