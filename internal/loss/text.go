package loss

import (
	"fmt"
	"unicode/utf8"
)

// MaxText is how many bytes of the text of a fault are kept: it may quote what came
// from outside, of which every status, log line and message would have a copy.
const MaxText = 1 << 10

// Text returns the text of a fault as it is kept: one that is longer than MaxText is
// cut between two characters, and says how long it was.
func Text(s string) string {
	if len(s) <= MaxText {
		return s
	}
	n := MaxText
	for n > MaxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s... (%d bytes in all)", s[:n], len(s))
}
