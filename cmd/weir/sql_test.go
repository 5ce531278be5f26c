package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// runTool runs one tool with input on standard input.
func runTool(t *testing.T, tool *cobra.Command, input string, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	tool.SetArgs(args)
	tool.SetIn(strings.NewReader(input))
	tool.SetOut(&out)
	tool.SetErr(io.Discard)
	tool.SilenceUsage, tool.SilenceErrors = true, true
	err = tool.ExecuteContext(t.Context())
	return out.String(), err
}

const sensorLines = `{"id":1,"t":20.5,"dev":"a","ts":1000}
{"id":2,"t":31,"dev":"b","ts":1500}

{"id":3,"t":33.5,"dev":"a","ts":1900}
{"id":4,"dev":"b","ts":2600}
`

func TestSQL(t *testing.T) {
	for _, c := range []struct {
		name, query, input string
		flags              []string
		want               string
	}{
		{"filter", "SELECT id, t * 2 AS d FROM anything WHERE t > 30", sensorLines, nil, `{"d":62,"id":2}` + "\n" + `{"d":67,"id":3}` + "\n"},
		{"star", "SELECT * FROM x WHERE id = 4", sensorLines, nil, `{"id":4,"dev":"b","ts":2600}` + "\n"},
		{"nil", "SELECT id, t + 1 AS d FROM x WHERE id > 3", sensorLines, []string{"--send-nil"}, `{"d":null,"id":4}` + "\n"},
		{"array", "SELECT id FROM x", ` [ {"id":1}, {"id":2},` + "\n" + ` {"id":3} ] `, nil, `{"id":1}` + "\n" + `{"id":2}` + "\n" + `{"id":3}` + "\n"},
		{"empty array", "SELECT id FROM x", "[]", nil, ""},
		{"values over lines", "SELECT a->b AS b FROM x", "{\n \"a\": {\"b\": 1}\n}\n{\"a\":\n{\"b\":2}}\n[{\"a\":{\"b\":3}}]", nil, `{"b":1}` + "\n" + `{"b":2}` + "\n" + `{"b":3}` + "\n"},
		{"array a line", "SELECT id FROM x", `[{"id":1},{"id":2}]` + "\n" + `[{"id":3}]`, nil, `{"id":1}` + "\n" + `{"id":2}` + "\n" + `{"id":3}` + "\n"},
		{"no end of line", "SELECT id FROM x", `{"id":1}` + "\r\n" + `{"id":2}`, nil, `{"id":1}` + "\n" + `{"id":2}` + "\n"},
		{"byte order mark", "SELECT id FROM x", "\xef\xbb\xbf" + `{"id":1}`, nil, `{"id":1}` + "\n"},
		{"nothing", "SELECT id FROM x", " \n", nil, ""},
		{
			"window of all", "SELECT dev, count(*) AS c, max(t) AS m FROM x GROUP BY dev, TUMBLINGWINDOW(ss, 10)", sensorLines, nil,
			`{"c":2,"dev":"a","m":33.5}` + "\n" + `{"c":2,"dev":"b","m":31}` + "\n",
		},
		{
			"event time", "SELECT count(*) AS c, window_end() AS e FROM x GROUP BY TUMBLINGWINDOW(ss, 1)", sensorLines,
			[]string{"--timestamp", "ts", "--timezone", "UTC"},
			`{"c":3,"e":2000}` + "\n" + `{"c":1,"e":3000}` + "\n",
		},
		{
			"event time without waiting", "SELECT count(*) AS c, window_end() AS e FROM x GROUP BY TUMBLINGWINDOW(ss, 1)", sensorLines,
			[]string{"--timestamp", "ts", "--late", "0s", "--timezone", "UTC"},
			`{"c":3,"e":2000}` + "\n" + `{"c":1,"e":3000}` + "\n",
		},
		{
			"windows of days", "SELECT count(*) AS c FROM x GROUP BY TUMBLINGWINDOW(dd, 1)", `{"ts":"2026-03-28T12:00:00Z"}` + "\n" + `{"ts":"2026-10-24T23:00:00Z"}` + "\n" + `{"ts":"2026-10-25T12:00:00Z"}`,
			[]string{"--timestamp", "ts", "--timezone", "Europe/Berlin"},
			"", // see below: only the ends are looked at
		},
		{
			"order of time", "SELECT id FROM x", `{"id":2,"ts":2000}` + "\n" + `{"id":1,"ts":1500}` + "\n" + `{"id":3,"ts":2500}`,
			[]string{"--timestamp", "ts"},
			`{"id":1}` + "\n" + `{"id":2}` + "\n" + `{"id":3}` + "\n",
		},
		{"event time, nothing held", "SELECT id FROM x", `{"id":1,"ts":1}` + "\n" + `{"id":2,"ts":2}`, []string{"--timestamp", "ts", "--late", "0s"}, `{"id":1}` + "\n" + `{"id":2}` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := runTool(t, newSQL(), c.input, append(c.flags, c.query, "-")...)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "windows of days" {
				if first, last := `{"c":1}`+"\n", `{"c":2}`+"\n"; !strings.HasPrefix(got, first) || !strings.HasSuffix(got, last) {
					t.Errorf("got %q, want a window of one message first and one of two last", got)
				}
				return
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSQLFaults(t *testing.T) {
	for _, c := range []struct {
		name, query, input string
		flags              []string
		out, want          string
	}{
		{"syntax", "SELECT id FROM", "", nil, "", "sql: parse: line 1 column"},
		{"no select", "DROP STREAM x", "", nil, "", "expected SELECT"},
		{"function", "SELECT nope(id) FROM x", "", nil, "", "function nope not found"},
		{"timezone", "SELECT id FROM x", "", []string{"--timezone", "Mars/North"}, "", `timezone "Mars/North"`},
		{"late", "SELECT id FROM x", "", []string{"--late", "-1s"}, "", "late -1s: must not be negative"},
		{"bad line", "SELECT id FROM x", `{"id":1}` + "\n" + `{"id":` + "\n" + `{"id":2}`, nil, `{"id":1}` + "\n" + `{"id":2}` + "\n", "1 of 3 messages refused, the last: line 2: json"},
		{"no objects", "SELECT id FROM x", "1\n2\n", nil, "", "2 of 2 messages refused, the last: line 2: json"},
		{"array breaks off", "SELECT id FROM x", `[{"id":1},{"id":2`, nil, `{"id":1}` + "\n", "message 2: unexpected EOF"},
		{"array is no JSON", "SELECT id FROM x", `[{"id":1},}`, nil, `{"id":1}` + "\n", "message 2: invalid character"},
		{"value breaks off", "SELECT id FROM x", "{\n\"id\":1", nil, "", "message 1: unexpected EOF"},
		{"row fault", `SELECT id / "x" AS d FROM x`, `{"id":1}`, nil, "", "1 rows or windows lost, the last: "},
		{"late message", "SELECT id FROM x", `{"id":1,"ts":5000}` + "\n" + `{"id":2,"ts":1000}`, []string{"--timestamp", "ts"}, `{"id":1}` + "\n", "1 messages were later than 1s, see --late"},
		{"no time", "SELECT id FROM x", `{"id":1}`, []string{"--timestamp", "ts"}, "", "row without a valid event time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := runTool(t, newSQL(), c.input, append(c.flags, c.query, "-")...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
			if got != c.out {
				t.Errorf("got %q, want %q", got, c.out)
			}
		})
	}
}

func TestSQLFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.json")
	var b bytes.Buffer
	for i := range 5000 { // more than three batches
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"v":1}`)
	}
	if err := os.WriteFile(path, []byte("["+b.String()+"]\n["+b.String()+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := runTool(t, newSQL(), "", "SELECT sum(v) AS s FROM x GROUP BY TUMBLINGWINDOW(ss, 10)", path)
	if want := `{"s":10000}` + "\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := runTool(t, newSQL(), "", "SELECT 1 FROM x", path+".nope"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v, want a missing file", err)
	}
}

// brokenPipe takes no result.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestSQLEnds(t *testing.T) {
	many := strings.Repeat(sensorLines, 5000)
	if err := runSQL(t.Context(), "SELECT id FROM x", sqlOptions{}, strings.NewReader(many), brokenPipe{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got error %v, want that of the output", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := runSQL(ctx, "SELECT id FROM x", sqlOptions{}, strings.NewReader(many), io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want the cancellation", err)
	}
}
