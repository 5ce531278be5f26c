package sql

import (
	"os"
	"strings"
	"testing"
)

// FuzzParse looks for texts that panic, that TiDB's parser sees differently, or
// that Format spoils.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/conformance.txt")
	if err != nil {
		f.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if i%4 == 0 {
			f.Add(line[2:])
		}
	}
	for _, s := range []string{
		"SELECT DISTINCT *, x.* FROM a/+/# AS x FULL JOIN b ON x.i = b.i WHERE NOT a <> -1e3 || 's' IS NOT NULL LIMIT 1 OFFSET 2;",
		"SELECT * EXCEPT(a) REPLACE(b AS c), CAST(a AS bigint), l[-1:], l[], lag(a) OVER (PARTITION BY k WHEN a > 2 ORDER BY b DESC) AS l INVISIBLE FROM s",
		"SELECT count(DISTINCT a) FILTER (WHERE b LIKE '%x' ESCAPE '!') FROM s GROUP BY k, COUNTWINDOW(5, 2) FILTER (WHERE a) OVER (WHEN b) ORDER BY a DESC b",
		"SELECT \"\\u00e9\\n\", `温度`, CASE a WHEN 1 THEN .5 ELSE 1. END FROM s -- end",
		`CREATE TABLE t (a BIGINT DEFAULT -1, b STRUCT(c ARRAY(STRING),),) WITH (KIND="lookup", EXTRA="{\"a\":1}", SHARED=TRUE,);`,
		"DROP STREAM `a b`", "EXPLAIN TABLE t", "SELECT 'a\xff' /*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		st, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "bug:") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if s, ok := st.(*Select); ok {
			checkSelect(t, s)
		}
	})
}
