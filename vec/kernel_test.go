package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// lengths are those around the words of a bitmap.
var lengths = []int{0, 1, 63, 64, 65, 1000}

// shapes say which rows have a value.
var shapes = map[string]func(row int) bool{
	"all": func(int) bool { return true }, "none": func(int) bool { return false },
	"even": func(row int) bool { return row%2 == 0 }, "first": func(row int) bool { return row == 0 },
	"but the last of a word": func(row int) bool { return row&63 != 63 }, "random": func(row int) bool { return uint32(row)*2654435761>>7&3 != 0 },
}

func validity(n int, shape func(int) bool) Bitmap {
	b := Bitmap(nil).Grow(n)
	for i := range n {
		if shape(i) {
			b.Set(i)
		}
	}
	return b
}

// cases calls f for each length and each shape of nulls.
func cases(t *testing.T, f func(t *testing.T, n int, valid Bitmap)) {
	t.Helper()
	for _, n := range lengths {
		for name, shape := range shapes {
			t.Run(fmt.Sprintf("rows=%d/valid=%s", n, name), func(t *testing.T) { f(t, n, validity(n, shape)) })
		}
	}
}

// numbers returns n values of a few kinds, edges among them.
func numbers[T Number](n int, seed uint64) []T {
	r := rand.New(rand.NewPCG(seed, 1))
	edges := []float64{0, 1, -1, 2, 1 << 53, -(1 << 53), math.Copysign(0, -1)}
	if _, ok := any(T(0)).(float64); ok {
		edges = append(edges, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, math.MaxFloat64)
	}
	out := make([]T, n)
	for i := range out {
		if r.IntN(2) == 0 {
			out[i] = T(r.IntN(5) - 2)
		} else {
			out[i] = T(edges[r.IntN(len(edges))])
		}
	}
	return out
}

func cmp[T Number](op Cmp, a, b T) bool {
	return [...]bool{Eq: a == b, Ne: a != b, Lt: a < b, Le: a <= b, Gt: a > b, Ge: a >= b}[op]
}

var cmps = []Cmp{Eq, Ne, Lt, Le, Gt, Ge}

func TestCompare(t *testing.T) {
	t.Run("type=int64", testCompare[int64])
	t.Run("type=float64", testCompare[float64])
}

func testCompare[T Number](t *testing.T) {
	for _, n := range lengths {
		a, b := numbers[T](n, 1), numbers[T](n, 2)
		dst := Bitmap(nil).Grow(n)
		for _, op := range cmps {
			for _, c := range append(numbers[T](20, 3), a[:min(n, 3)]...) {
				CompareConst(dst, op, a, c)
				for i, v := range a {
					if got, want := dst.Has(i), cmp(op, v, c); got != want {
						t.Fatalf("%v op %d %v: got %v, want %v", v, op, c, got, want)
					}
				}
				clean(t, dst, n)
			}
			Compare(dst, op, a, b)
			for i, v := range a {
				if got, want := dst.Has(i), cmp(op, v, b[i]); got != want {
					t.Fatalf("%v op %d %v: got %v, want %v", v, op, b[i], got, want)
				}
			}
			clean(t, dst, n)
		}
		if got := testing.AllocsPerRun(10, func() {
			for _, op := range cmps {
				CompareConst(dst, op, a, 1)
				Compare(dst, op, a, b)
			}
		}); got != 0 {
			t.Errorf("rows=%d: %v allocations", n, got)
		}
	}
}

// clean tells of bits beyond the rows.
func clean(t *testing.T, b Bitmap, rows int) {
	t.Helper()
	if r := rows & 63; len(b) != Words(rows) || r != 0 && b[len(b)-1]>>r != 0 {
		t.Fatalf("%d rows: bits beyond the last, or %d words", rows, len(b))
	}
}

func arith[T Number](op Arith, a, b T) T { return [...]T{Add: a + b, Sub: a - b, Mul: a * b}[op] }

// same is equality in which NaN equals itself.
func same[T Number](a, b T) bool { return a == b || a != a && b != b }

func TestArith(t *testing.T) {
	t.Run("type=int64", testArith[int64])
	t.Run("type=float64", testArith[float64])
}

func testArith[T Number](t *testing.T) {
	for _, n := range lengths {
		a, b, dst := numbers[T](n, 1), numbers[T](n, 2), make([]T, n)
		check := func(what string, want func(i int) T) {
			t.Helper()
			for i, got := range dst {
				if !same(got, want(i)) {
					t.Fatalf("%s: row %d of %d: got %v, want %v", what, i, n, got, want(i))
				}
			}
		}
		for _, op := range []Arith{Add, Sub, Mul} {
			for _, c := range numbers[T](20, 3) {
				ArithConst(dst, op, a, c)
				check("column with constant", func(i int) T { return arith(op, a[i], c) })
				ConstArith(dst, op, c, a)
				check("constant with column", func(i int) T { return arith(op, c, a[i]) })
			}
			ArithCols(dst, op, a, b)
			check("columns", func(i int) T { return arith(op, a[i], b[i]) })
			if got := testing.AllocsPerRun(10, func() {
				ArithConst(dst, op, a, 3)
				ConstArith(dst, op, 3, a)
				ArithCols(dst, op, a, b)
			}); got != 0 {
				t.Errorf("rows=%d: %v allocations", n, got)
			}
			copy(dst, a)
			ArithConst(dst, op, dst, 2) // in place
			check("in place", func(i int) T { return arith(op, a[i], 2) })
		}
	}
}

func TestDivide(t *testing.T) {
	cases(t, func(t *testing.T, n int, valid Bitmap) {
		a, b, dst := numbers[float64](n, 1), numbers[float64](n, 2), make([]float64, n)
		got, fault := append(Bitmap{}, valid...), Bitmap(nil).Grow(n)
		Divide(dst, a, b, got, fault)
		for i := range n {
			has, zero := valid.Has(i), b[i] == 0
			if got.Has(i) != (has && !zero) || fault.Has(i) != (has && zero) {
				t.Fatalf("row %d: %v / %v: valid %v, fault %v", i, a[i], b[i], got.Has(i), fault.Has(i))
			}
			if got.Has(i) && !same(dst[i], a[i]/b[i]) {
				t.Fatalf("row %d: got %v, want %v", i, dst[i], a[i]/b[i])
			}
		}
		if x := testing.AllocsPerRun(5, func() { Divide(dst, a, b, got, fault) }); x != 0 {
			t.Errorf("%v allocations", x)
		}
	})
}

func TestFloats(t *testing.T) {
	for _, n := range lengths {
		a, dst := numbers[int64](n, 1), make([]float64, n)
		Floats(dst, a)
		for i, v := range a {
			if dst[i] != float64(v) {
				t.Fatalf("row %d: got %v, want %d", i, dst[i], v)
			}
		}
	}
}
