package vec

import (
	"fmt"
	"testing"
)

// perRow reports the cost of a row.
func perRow(b *testing.B, rows int, f func()) {
	b.ReportAllocs()
	b.SetBytes(int64(rows) * 8)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

var cmpNames = [...]string{Eq: "eq", Ne: "ne", Lt: "lt", Le: "le", Gt: "gt", Ge: "ge"}

func BenchmarkCompareConst(b *testing.B) {
	const rows = MaxRows
	ints, floats, dst := numbers[int64](rows, 1), numbers[float64](rows, 1), Bitmap(nil).Grow(rows)
	for _, op := range []Cmp{Eq, Lt} {
		b.Run(fmt.Sprintf("op=%s/type=int64/rows=%d", cmpNames[op], rows), func(b *testing.B) {
			perRow(b, rows, func() { CompareConst(dst, op, ints, 1) })
		})
		b.Run(fmt.Sprintf("op=%s/type=float64/rows=%d", cmpNames[op], rows), func(b *testing.B) {
			perRow(b, rows, func() { CompareConst(dst, op, floats, 1) })
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	const rows = MaxRows
	x, y, dst := numbers[float64](rows, 1), numbers[float64](rows, 2), Bitmap(nil).Grow(rows)
	b.Run(fmt.Sprintf("op=lt/type=float64/rows=%d", rows), func(b *testing.B) {
		perRow(b, rows, func() { Compare(dst, Lt, x, y) })
	})
}

func BenchmarkArith(b *testing.B) {
	const rows = MaxRows
	x, y, dst := numbers[float64](rows, 1), numbers[float64](rows, 2), make([]float64, rows)
	valid, fault := Bitmap(nil).Grow(rows), Bitmap(nil).Grow(rows)
	b.Run(fmt.Sprintf("op=mul/with=const/rows=%d", rows), func(b *testing.B) {
		perRow(b, rows, func() { ArithConst(dst, Mul, x, 1.5) })
	})
	b.Run(fmt.Sprintf("op=add/with=column/rows=%d", rows), func(b *testing.B) {
		perRow(b, rows, func() { ArithCols(dst, Add, x, y) })
	})
	b.Run(fmt.Sprintf("op=div/with=column/rows=%d", rows), func(b *testing.B) {
		perRow(b, rows, func() {
			valid.SetAll(rows)
			Divide(dst, x, y, valid, fault)
		})
	})
}

func BenchmarkBitmap(b *testing.B) {
	const rows = MaxRows
	x, y := validity(rows, shapes["random"]), validity(rows, shapes["even"])
	list := make([]int32, 0, rows)
	b.Run(fmt.Sprintf("op=and/rows=%d", rows), func(b *testing.B) { perRow(b, rows, func() { x.And(y) }) })
	b.Run(fmt.Sprintf("op=rows/rows=%d", rows), func(b *testing.B) {
		perRow(b, rows, func() { list = list[:0]; y.Each(func(row int) { list = append(list, int32(row)) }) })
	})
}

func BenchmarkDict(b *testing.B) {
	const rows = MaxRows
	for _, distinct := range []int{1, 10, 1000} {
		words := make([][]byte, rows)
		for i := range words {
			words[i] = fmt.Appendf(nil, "device-%04d", i%distinct)
		}
		var d Dict
		b.Run(fmt.Sprintf("distinct=%d/rows=%d", distinct, rows), func(b *testing.B) {
			perRow(b, rows, func() {
				d.Reset()
				for _, w := range words {
					d.Add(w)
				}
			})
		})
	}
}

func BenchmarkGather(b *testing.B) {
	const rows = MaxRows
	var c, g Column
	c.Reset(rows)
	for row := range rows {
		c.SetFloat(row, 1)
	}
	var half []int32
	validity(rows, shapes["even"]).Each(func(row int) { half = append(half, int32(row)) })
	b.Run(fmt.Sprintf("type=float64/rows=%d", len(half)), func(b *testing.B) {
		perRow(b, len(half), func() { g.Gather(&c, half) })
	})
}
