package config

import (
	"fmt"

	"github.com/weir-engine/weir/internal/props"
)

// Bytes is a size. It is written as a number, or with KB, MB, GB or their spelling
// with an i; all are powers of 1,024.
type Bytes int64

// ParseBytes reads a size, as properties have it.
func ParseBytes(text string) (Bytes, error) {
	n, ok := props.Size(text)
	if !ok {
		return 0, fmt.Errorf("want a size such as 64MB, not %q", text)
	}
	return Bytes(n), nil
}

// String returns the size in the largest unit that divides it.
func (b Bytes) String() string { return props.SizeText(int64(b)) }
