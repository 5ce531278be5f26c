package exec_test

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// BenchmarkSliding sends every row the aggregates of the rows before it.
func BenchmarkSliding(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			bl := planner.NewBuilder()
			add(b, bl, 1, fmt.Sprintf("SELECT avg(a) AS m, max(a) AS x, count(*) AS c FROM s GROUP BY SLIDINGWINDOW(ms, %d)", n), false)
			out := &counting{}
			x := exec.New(exec.Env{}, out)
			x.SetProgram(0, bl.Program(), 0)
			in := &vec.Batch{Plan: vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"a"}}}), Cols: make([]vec.Column, 1), Rows: 1, Routes: &vec.Routes{Streams: [][]uint32{{0}}}, Route: make([]uint32, 1), At: make([]int64, 1)}
			in.Clean = in.Clean.Grow(1)
			now := int64(1_000_000)
			row := func() {
				now++
				in.Cols[0].Reset(1)
				in.Cols[0].SetFloat(0, float64(now%97))
				x.Run(in, now)
			}
			for range n {
				row()
			}
			b.ReportAllocs()
			for b.Loop() {
				row()
			}
			if out.n == 0 {
				b.Fatal("nothing came out")
			}
		})
	}
}
