package encode

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// loads are the inputs of the hot path, each of 1,024 rows.
func loads() map[string]*vec.Projection {
	var reports []string
	for i := range vec.MaxRows {
		reports = append(reports, fmt.Sprintf(`{"device":"dev%d","ok":%t,"seq":%d,"temperature":%v}`, i%50, i%2 == 0, i, 20+float64(i%500)/10))
	}
	return map[string]*vec.Projection{
		"float":       input{rows: reports, plain: []string{"temperature"}}.projection(),
		"mixed":       input{rows: reports, plain: []string{"device", "ok", "seq", "temperature"}}.projection(),
		"star":        input{rows: reports, star: true}.projection(),
		"star+alias":  input{rows: reports, star: true, alias: []string{"temperature"}}.projection(),
		"star-except": input{rows: reports, star: true, except: []string{"device"}}.projection(),
	}
}

func TestAllocs(t *testing.T) {
	dst := make([]byte, 0, 1<<20)
	all := make([]int32, vec.MaxRows)
	for i := range all {
		all[i] = int32(i)
	}
	for _, props := range []string{`{}`, `{"sendSingle":true,"omitIfEmpty":true}`, `{"fields":["device","temperature"]}`, `{"excludeFields":["ok"]}`} {
		e := mustNew(t, props)
		for name, p := range loads() {
			row := 0
			if n := testing.AllocsPerRun(100, func() {
				row++
				if _, _, err := e.AppendMessage(dst[:0], p, row); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s %s: got %v allocations a message, want 0", props, name, n)
			}
			if e.Single() {
				continue
			}
			if n := testing.AllocsPerRun(10, func() {
				if _, _, err := e.AppendRows(dst[:0], p, all); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s %s: got %v allocations a window, want 0", props, name, n)
			}
		}
	}
	e := mustNew(t, `{"format":"delimited"}`)
	p := loads()["mixed"]
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := e.AppendMessage(dst[:0], p, 3); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("delimited: got %v allocations a message, want 0", n)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, name := range []string{"float", "mixed", "star", "star+alias", "star-except"} {
		p := loads()[name]
		b.Run("load="+name, func(b *testing.B) {
			e := mustNew(b, `{"sendSingle":true}`)
			dst := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			row, bytes := 0, 0
			for b.Loop() {
				out, _, err := e.AppendMessage(dst[:0], p, row&(vec.MaxRows-1))
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(out)
				row++
			}
			b.SetBytes(int64(bytes / row))
		})
	}
}

func BenchmarkTemplate(b *testing.B) {
	p := loads()["mixed"]
	e := mustNew(b, `{"sendSingle":true,"dataTemplate":"{\"t\":{{.temperature}},\"d\":\"{{.device}}\"}"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.AppendMessage(nil, p, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDynamic(b *testing.B) {
	p := loads()["mixed"]
	d, _, err := CompileDynamic("alarms/{{.device}}")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.EvalRow(p, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFloat(b *testing.B) {
	for name, f := range map[string]float64{"whole": 21, "short": 21.5, "three": 21.375, "long": 21.123456789} {
		b.Run("digits="+name, func(b *testing.B) {
			dst := make([]byte, 0, 64)
			for b.Loop() {
				if _, err := appendFloat(dst, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
