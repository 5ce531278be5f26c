//go:build !slim

package sql

import (
	"fmt"
	"testing"
)

// BenchmarkParse reads the statement of a typical rule. With memo=hit
// statements differ in their literals, with memo=miss in a column too.
func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"simple/memo=hit", "SELECT temperature FROM source WHERE temperature > %d"},
		{"simple/memo=miss", "SELECT temperature, c%d FROM source WHERE temperature > 20"},
		{"complex/memo=hit", `SELECT deviceId, temperature * 1.8 + 32 AS f, CASE WHEN temperature > 80 THEN "high" ELSE "low" END AS level, avg(x) AS m
			FROM source WHERE deviceId = "d17" AND temperature > %d AND state IN ("on", "idle") GROUP BY deviceId, TUMBLINGWINDOW(ss, 10) HAVING avg(x) > 3`},
		{"complex/memo=miss", `SELECT deviceId, temperature * 1.8 + 32 AS f, CASE WHEN temperature > 80 THEN "high" ELSE "low" END AS level, avg(x) AS m
			FROM source WHERE deviceId = "d17" AND c%d > 20 AND state IN ("on", "idle") GROUP BY deviceId, TUMBLINGWINDOW(ss, 10) HAVING avg(x) > 3`},
	} {
		b.Run(c.name, func(b *testing.B) {
			texts := make([]string, 4*memoSize)
			for i := range texts {
				texts[i] = fmt.Sprintf(c.text, i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := Parse(texts[i%len(texts)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
