package engine

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
)

// csvCase is how rules write CSV files in one round.
type csvCase struct {
	name  string
	props string // of the sink, beside path and type
	rules []string
}

var csvCases = []csvCase{
	{"a row a message", `"sendSingle":true`, []string{"SELECT * FROM s"}},
	{"a list a message", `"delimiter":";"`, []string{"SELECT * FROM s"}},
	{"windows", `"sendSingle":false`, []string{"SELECT * FROM s GROUP BY COUNTWINDOW(4)"}},
	{"windows, row by row", `"sendSingle":true`, []string{"SELECT * FROM s GROUP BY COUNTWINDOW(4)"}},
	{"batches", `"sendSingle":true,"batchSize":4,"lingerInterval":20`, []string{"SELECT * FROM s"}},
	{"a series", `"sendSingle":true,"rollingNamePattern":"suffix","rollingCount":5`, []string{"SELECT * FROM s"}},
	{"a series of batches", `"batchSize":2,"lingerInterval":20,"rollingNamePattern":"prefix","rollingCount":5`, []string{"SELECT * FROM s"}},
	{"several rules", `"sendSingle":true`, []string{"SELECT * FROM s WHERE a = a", "SELECT c, a AS `x,y` FROM s WHERE isNull(b) AND NOT isNull(a)", "SELECT * FROM s WHERE isNull(a)"}},
	{"several sinks", `"sendSingle":true`, []string{"SELECT * FROM s", "SELECT c, a FROM s"}},
	{"objects", `"sendSingle":true`, []string{"SELECT * EXCEPT (b) FROM s"}},
}

// Values of rows that differ in their columns stand under the right header, whatever
// they are, however rows become messages and messages files, over restarts too, and
// none is lost.
func TestCSVColumns(t *testing.T) {
	for _, c := range csvCases {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(3) {
				runCSV(t, c, rand.New(rand.NewPCG(seed, 9)))
			}
		})
	}
}

func runCSV(t *testing.T, c csvCase, rnd *rand.Rand) {
	t.Helper()
	top := t.TempDir()
	o := Options{Store: store.Options{Dir: filepath.Join(top, "data"), FS: vfs.Default}}
	dir := filepath.Join(top, "data", "files", "out")
	delim := ','
	if strings.Contains(c.props, ";") {
		delim = ';'
	}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	for i, sql := range c.rules {
		more := ""
		if c.name == "several sinks" && i == 1 {
			more = `"fields":["c","zz","a"],`
		}
		r.must(r.CreateRule(r.def(fmt.Sprint("r", i), sql, `{"file":{"path":"out/f.csv","fileType":"csv","format":"delimited","hasHeader":true,`+more+c.props+`}}`)))
	}
	var want []string
	for range 3 { // processes
		for range 8 {
			row := csvRow(rnd)
			want = append(want, c.expect(row)...)
			text, err := json.Marshal(row)
			r.must(err)
			r.publish("in", string(text))
		}
		var got []string
		var err error
		r.await("all rows are written", func() bool {
			got, err = readCSV(dir, delim)
			return len(got) >= len(want)
		})
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("rows are not those that were sent, %v:\n got  %q\n want %q", err, got, want)
		}
		r.close()
		r = newRig(t, o)
	}
}

// csvRow is a row with some of the columns a to e.
func csvRow(rnd *rand.Rand) map[string]any {
	texts := []any{"x", "a,b", "c;d", `say "hi"`, "two\nlines", `"`, int64(1700000040000), 0.00001, true}
	row := map[string]any{"a": texts[rnd.IntN(len(texts))]}
	for _, k := range []string{"b", "c", "d", "e, f"} {
		if rnd.IntN(3) == 0 {
			row[k] = texts[rnd.IntN(len(texts))]
		}
	}
	if rnd.IntN(4) == 0 {
		delete(row, "a")
		row["d"] = "no a"
	}
	return row
}

// expect is what the rules write of a row: its values by name.
func (c csvCase) expect(row map[string]any) []string {
	_, hasA := row["a"]
	_, hasB := row["b"]
	switch c.name {
	case "several rules":
		out := []string{csvText(row)} // of one of the rules with a star
		if few := (map[string]any{"c": row["c"], "x,y": row["a"]}); !hasB && hasA {
			out = append(out, csvText(few))
		}
		return out
	case "several sinks":
		return []string{csvText(row), csvText(map[string]any{"c": row["c"], "a": row["a"]})}
	case "objects":
		few := map[string]any{}
		for k, v := range row {
			if k != "b" {
				few[k] = v
			}
		}
		return []string{csvText(few)}
	}
	return []string{csvText(row)}
}

// csvText is a row as sorted text of its values that are there.
func csvText(row map[string]any) string {
	var parts []string
	for k, v := range row {
		switch v := v.(type) {
		case nil:
			continue
		case float64:
			parts = append(parts, k+"=0.00001")
		default:
			parts = append(parts, fmt.Sprint(k, "=", v))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// readCSV returns the rows of all files of a directory as csvText has them, sorted;
// of a file that is at fault, those before the fault.
func readCSV(dir string, delim rune) (out []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range files {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		in := csv.NewReader(strings.NewReader(string(text))) // refuses rows that have not as many cells as the first
		in.Comma = delim
		head, err := in.Read()
		if err != nil {
			return nil, err
		}
		for {
			rec, err := in.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return out, fmt.Errorf("%s: %w in\n%s", e.Name(), err, text)
			}
			row := map[string]any{}
			for i, v := range rec {
				if v != "" {
					row[head[i]] = v
				}
			}
			out = append(out, csvText(row))
		}
	}
	slices.Sort(out)
	return out, nil
}
