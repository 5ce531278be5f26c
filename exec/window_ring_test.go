package exec_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Keys that come and go do not fill the memory, and keep what the windows have of
// them when groups are renumbered.
func TestGroupsThatGo(t *testing.T) {
	const keys, seconds = 3000, 60
	b := planner.NewBuilder()
	add(t, b, 1, "SELECT d, sum(n) AS s, max(n) AS m, min(n) AS l, count(*) AS c, last_value(n, true) AS v FROM s GROUP BY d, HOPPINGWINDOW(ss, 3, 2)", false)
	add(t, b, 2, "SELECT count(*) AS c FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1)", false)
	out := newSent(t)
	x := exec.New(exec.Env{}, out)
	x.SetProgram(0, b.Program(), 0)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early uint64
	plan := vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"d"}}, {Path: []string{"n"}}})
	in := &vec.Batch{Plan: plan, Cols: make([]vec.Column, 2), Routes: &vec.Routes{Streams: [][]uint32{{0}}}}
	in.Route, in.At = make([]uint32, vec.MaxRows), make([]int64, vec.MaxRows)
	for sec := range int64(seconds) {
		for from := 0; from < keys; from += vec.MaxRows {
			rows := min(vec.MaxRows, keys-from)
			in.Rows = rows
			in.Clean = in.Clean.Grow(rows)
			for i := range in.Cols {
				in.Cols[i].Reset(rows)
			}
			for i := range rows { // every key lives for two seconds
				in.Cols[0].SetString(i, []byte(fmt.Sprintf("key-%d-%d", sec/2, from+i)))
				in.Cols[1].SetInt(i, sec*10+1)
			}
			x.Run(in, sec*1000+100)
		}
		x.Advance(sec*1000 + 1000)
		if end := sec + 1; end%2 == 0 {
			checkGroups(t, out.rows[1], end, keys)
			out.rows[1] = nil
		}
		if got := len(out.rows[2]); got != 1 {
			t.Fatalf("second %d: %d messages of the short window, want 1", sec, got)
		}
		out.rows[2] = nil
		if sec == seconds/2-1 {
			early = heap()
		}
	}
	if late := heap(); late > early*5/4 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
	runtime.KeepAlive(x)
}

// checkGroups looks at the message of the window of three seconds that ends at
// end: keys of its last two seconds have two rows, those of the one before one.
func checkGroups(t *testing.T, got []string, end int64, keys int) {
	t.Helper()
	var rows []struct {
		D             string
		S, M, L, C, V int64
	}
	if len(got) != 1 || json.Unmarshal([]byte(got[0]), &rows) != nil {
		t.Fatalf("window that ends at %d: %d messages, want 1", end, len(got))
	}
	want := 2 * keys
	if end == 2 {
		want = keys
	}
	if len(rows) != want {
		t.Fatalf("window that ends at %d: %d groups, want %d", end, len(rows), want)
	}
	for _, r := range rows {
		last, first := (end-1)*10+1, (end-2)*10+1
		count := int64(2)
		if r.M < first { // the second before
			last, first, count = (end-3)*10+1, (end-3)*10+1, 1
		}
		sum := first + last
		if count == 1 {
			sum = first
		}
		if r.S != sum || r.M != last || r.L != first || r.C != count || r.V != last {
			t.Fatalf("window that ends at %d: got %+v, want %d values from %d to %d", end, r, count, first, last)
		}
	}
}
