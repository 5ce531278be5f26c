package loss

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	long := strings.Repeat("a", MaxText)
	for in, want := range map[string]string{
		"":                             "",
		long:                           long,
		long + "b":                     long + "... (1025 bytes in all)",
		long[:MaxText-1] + "äb":        long[:MaxText-1] + "... (1026 bytes in all)",
		long[:MaxText-2] + "ä":         long[:MaxText-2] + "ä",
		strings.Repeat("\xff", 5000):   strings.Repeat("\xff", MaxText) + "... (5000 bytes in all)",
		strings.Repeat("\x80", 500000): strings.Repeat("\x80", MaxText-utf8.UTFMax) + "... (500000 bytes in all)",
	} {
		if got := Text(in); got != want {
			t.Errorf("%.10q of %d bytes: got %d bytes, ...%q", in, len(in), len(got), got[max(len(got)-40, 0):])
		}
	}
}
