package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. It is written as a number, or with KB, MB, GB or their spelling
// with an i; all are powers of 1,024.
type Bytes int64

var units = []struct {
	suffix string
	factor int64
}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}, {"", 1}}

// ParseBytes reads a size.
func ParseBytes(text string) (Bytes, error) {
	t := strings.ToUpper(strings.TrimSpace(text))
	for _, u := range units {
		number, ok := strings.CutSuffix(t, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n > math.MaxInt64/u.factor || n < math.MinInt64/u.factor {
			break
		}
		return Bytes(n * u.factor), nil
	}
	return 0, fmt.Errorf("want a size such as 64MB, not %q", text)
}

// String returns the size in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range []string{"GB", "MB", "KB"} {
		for _, v := range units {
			if v.suffix == u && b != 0 && int64(b)%v.factor == 0 {
				return strconv.FormatInt(int64(b)/v.factor, 10) + u
			}
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
