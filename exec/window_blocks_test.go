package exec_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// oneRow is a batch of one row with the columns d and n.
func oneRow(d string, n int64) *vec.Batch {
	b := &vec.Batch{
		Plan: vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"d"}}, {Path: []string{"n"}}}), Cols: make([]vec.Column, 2),
		Rows: 1, Routes: &vec.Routes{Streams: [][]uint32{{0}}}, Route: make([]uint32, 1), At: make([]int64, 1),
	}
	b.Clean = b.Clean.Grow(1)
	b.Cols[0].Reset(1)
	b.Cols[1].Reset(1)
	b.Cols[0].SetString(0, []byte(d))
	b.Cols[1].SetInt(0, n)
	return b
}

// Long windows that fire with every row or two have what a look at all their rows
// gives, though they merge blocks; a WHERE that comes after the window holds in
// them, too.
func TestBlocks(t *testing.T) {
	type row struct {
		d  string
		n  int64
		at int64
	}
	var rows []row
	r := rand.New(rand.NewPCG(5, 5))
	now := int64(1_000_000)
	for range 1500 {
		now += int64(r.IntN(3))
		rows = append(rows, row{fmt.Sprintf("d%d", r.IntN(5)), int64(r.IntN(1000)), now})
	}
	for _, tt := range []struct {
		window string
		of     func(i int) (lo int, fires bool) // the rows of the window that row i ends
	}{
		{"SLIDINGWINDOW(ms, 600)", func(i int) (int, bool) {
			lo := i
			for lo > 0 && rows[lo-1].at >= rows[i].at-600 {
				lo--
			}
			return lo, true
		}},
		{"COUNTWINDOW(300, 7)", func(i int) (int, bool) { return i - 299, i >= 299 && (i+1)%7 == 0 }},
	} {
		t.Run(tt.window, func(t *testing.T) {
			b := planner.NewBuilder()
			add(t, b, 1, "SELECT d, sum(n) AS s, min(n) AS l, max(n) AS m, count(*) AS c, last_value(n, true) AS v, n AS f FROM s WHERE n % 10 != 3 GROUP BY d, "+tt.window, false)
			out := newSent(t)
			x := exec.New(exec.Env{}, out)
			x.SetProgram(0, b.Program(), rows[0].at)
			for i, k := range rows {
				x.Run(oneRow(k.d, k.n), k.at)
				lo, fires := tt.of(i)
				if !fires {
					continue
				}
				type group struct {
					D                string
					S, L, M, C, V, F int64
				}
				var want []*group
				at := map[string]*group{}
				for _, k := range rows[lo : i+1] {
					if k.n%10 == 3 {
						continue
					}
					g := at[k.d]
					if g == nil {
						g = &group{D: k.d, L: k.n, M: k.n, F: k.n}
						at[k.d], want = g, append(want, g)
					}
					g.S, g.L, g.M, g.C, g.V = g.S+k.n, min(g.L, k.n), max(g.M, k.n), g.C+1, k.n
				}
				sent := out.rows[1]
				out.rows[1] = nil
				var got []*group
				if len(sent) > 1 || len(sent) == 1 && json.Unmarshal([]byte(sent[0]), &got) != nil || len(got) != len(want) {
					t.Fatalf("row %d: got %v, want %d groups", i, sent, len(want))
				}
				for j := range want {
					if *got[j] != *want[j] {
						t.Fatalf("row %d, group %d: got %+v, want %+v", i, j, *got[j], *want[j])
					}
				}
			}
		})
	}
}
