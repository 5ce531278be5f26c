package vec

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

var raw = []byte(`{"a":[1,2]}binary`)

// sample returns a value of each kind that a column takes, and how it is set.
var samples = []struct {
	v   Value
	set func(c *Column, row int)
}{
	{BoolValue(true), func(c *Column, row int) { c.SetBool(row, true) }},
	{BoolValue(false), func(c *Column, row int) { c.SetBool(row, false) }},
	{IntValue(1 << 60), func(c *Column, row int) { c.SetInt(row, 1<<60) }},
	{FloatValue(2.5), func(c *Column, row int) { c.SetFloat(row, 2.5) }},
	{Value{Kind: Float64, F: 1 << 53, I: 1<<53 + 1}, func(c *Column, row int) { c.SetExact(row, 1<<53+1) }},
	{FloatValue(1 << 53), func(c *Column, row int) { c.SetExact(row, 1<<53) }},
	{TimeValue(1700000000123), func(c *Column, row int) { c.SetTime(row, 1700000000123) }},
	{StringValue("größe"), func(c *Column, row int) { c.SetString(row, []byte("größe")) }},
	{StringValue(""), func(c *Column, row int) { c.SetString(row, nil) }},
	{Value{Kind: JSON, S: `{"a":[1,2]}`}, func(c *Column, row int) { c.SetJSON(row, raw, Span{0, 11}, false) }},
	{Value{Kind: JSON, S: `{"a":[1,2]}`, Ints: true}, func(c *Column, row int) { c.SetJSON(row, raw, Span{0, 11}, true) }},
	{Value{Kind: Bytes, S: "binary"}, func(c *Column, row int) { c.SetBytes(row, raw, Span{11, 17}) }},
	{TreeValue([]any{"x"}), func(c *Column, row int) { c.Set(row, TreeValue([]any{"x"})) }},
	{NullValue, func(c *Column, row int) { c.SetNull(row) }},
	{Value{}, func(*Column, int) {}},
}

// model is what a column should hold.
type model struct {
	vals  []Value
	fault []bool
}

func (m *model) check(t *testing.T, c *Column, what string) {
	t.Helper()
	if c.Rows != len(m.vals) {
		t.Fatalf("%s: %d rows, want %d", what, c.Rows, len(m.vals))
	}
	clean(t, c.Present, c.Rows)
	clean(t, c.Valid, c.Rows)
	for row, want := range m.vals {
		if c.Fault.Has(row) != m.fault[row] {
			t.Fatalf("%s: row %d: fault %v", what, row, c.Fault.Has(row))
		}
		if m.fault[row] {
			if c.Valid.Has(row) {
				t.Fatalf("%s: row %d: a fault that is valid", what, row)
			}
			continue
		}
		got := c.Value(row)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: row %d of kind %v: got %+v, want %+v", what, row, c.Kind, got, want)
		}
		if c.Valid.Has(row) && !c.Present.Has(row) {
			t.Fatalf("%s: row %d is valid and missing", what, row)
		}
	}
}

// Random columns of one kind or of several, through every operation that a
// column has, against a slice of values.
func TestColumn(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var c, o Column
	for round := range 4000 {
		n := lengths[r.IntN(5)]
		mixed := r.IntN(3) == 0
		one := r.IntN(len(samples) - 2)
		m := &model{make([]Value, n), make([]bool, n)}
		c.Reset(n)
		for row := range n {
			k := one
			switch {
			case r.IntN(4) == 0:
				k = len(samples) - 1 - r.IntN(2)
			case mixed && r.IntN(3) == 0:
				k = r.IntN(len(samples))
			}
			s := samples[k]
			m.vals[row] = s.v
			if r.IntN(2) == 0 {
				s.set(&c, row)
			} else {
				c.Set(row, s.v)
			}
		}
		what := fmt.Sprintf("round %d", round)
		m.check(t, &c, what)
		for row := range n {
			if r.IntN(40) == 0 {
				c.SetFault(row)
				m.fault[row] = true
			}
		}
		m.check(t, &c, what+" with faults")

		rows := make([]int32, 0, n)
		g := &model{}
		for row := range n {
			if r.IntN(2) == 0 {
				rows = append(rows, int32(row))
				g.vals, g.fault = append(g.vals, m.vals[row]), append(g.fault, m.fault[row])
			}
		}
		o.Gather(&c, rows)
		g.check(t, &o, what+" gathered")

		longer := n + r.IntN(70)
		c.Extend(longer)
		m.vals = append(m.vals, make([]Value, longer-n)...)
		m.fault = append(m.fault, make([]bool, longer-n)...)
		m.check(t, &c, what+" extended")
		cut := r.IntN(longer + 1)
		c.ClearFrom(cut)
		clear(m.vals[cut:])
		clear(m.fault[cut:])
		m.check(t, &c, what+" cleared")
		c.Truncate(cut)
		m.vals, m.fault = m.vals[:cut], m.fault[:cut]
		m.check(t, &c, what+" truncated")
	}
}

// A column with a nil Present holds no nulls but missing rows.
func TestColumnWithoutPresent(t *testing.T) {
	c := Column{Kind: Int64, Rows: 2, Valid: Bitmap{1}, Ints: []int64{5, 6}}
	if got := c.Value(1); got.Kind != Missing {
		t.Errorf("got %v, want missing", got.Kind)
	}
	var g Column
	g.Gather(&c, []int32{1, 0})
	if g.Value(0).Kind != Missing || g.Value(1).I != 5 {
		t.Errorf("gathered: got %+v, %+v", g.Value(0), g.Value(1))
	}
}

func TestColumnAllocs(t *testing.T) {
	words := [][]byte{[]byte("a"), []byte("bb"), []byte("ccc")}
	rows := make([]int32, 500)
	for i := range rows {
		rows[i] = int32(i * 2)
	}
	var c, g Column
	for name, set := range map[string]func(row int){
		"bool": func(row int) { c.SetBool(row, row%3 == 0) }, "int": func(row int) { c.SetInt(row, int64(row)) },
		"float": func(row int) { c.SetFloat(row, 1.5) }, "time": func(row int) { c.SetTime(row, 5) },
		"string": func(row int) { c.SetString(row, words[row%3]) }, "json": func(row int) { c.SetJSON(row, raw, Span{0, 11}, false) },
		"null": func(row int) { c.SetNull(row) }, "missing": func(int) {},
	} {
		if n := testing.AllocsPerRun(10, func() {
			c.Reset(1000)
			for row := range 1000 {
				if row%7 != 0 {
					set(row)
				}
			}
			g.Gather(&c, rows)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestValue(t *testing.T) {
	b := []byte("text")
	v := Value{Kind: String, S: view(b)}
	c := v.Clone()
	b[0] = 'x'
	if c.S != "text" || v.S != "xext" {
		t.Errorf("got %q of %q, want a copy", c.S, v.S)
	}
	for _, tt := range []struct {
		v  Value
		f  float64
		ok bool
	}{{IntValue(3), 3, true}, {FloatValue(2.5), 2.5, true}, {StringValue("3"), 0, false}, {NullValue, 0, false}, {TimeValue(3), 0, false}} {
		if f, ok := tt.v.Float(); f != tt.f || ok != tt.ok {
			t.Errorf("%+v: got %v, %v", tt.v, f, ok)
		}
	}
	if !NullValue.IsNull() || !(Value{}).IsNull() || IntValue(0).IsNull() || !BoolValue(true).Truth() || BoolValue(false).Truth() || IntValue(1).Truth() {
		t.Error("null or truth")
	}
}

func TestPlan(t *testing.T) {
	specs := []ColumnSpec{
		{Path: []string{"a"}},
		{Path: []string{"a", "b"}},
		{Path: []string{"ab"}},
		{},
		{Meta: true},
		{Meta: true, Path: []string{"a"}},
		{Path: []string{""}},
		{Path: []string{"a->b"}},
	}
	p := NewPlan(3, specs)
	for i, s := range specs {
		if got := p.Find(s.Key()); got != i {
			t.Errorf("%v: got %d, want %d", s, got, i)
		}
	}
	typed := ColumnSpec{Path: []string{"a"}, Type: Type{Kind: Int64}}
	if got := p.Find(typed.Key()); got != 0 {
		t.Errorf("a typed column: got %d, want 0", got)
	}
	if got := p.Find((ColumnSpec{Path: []string{"zz"}}).Key()); got != -1 {
		t.Errorf("a column that is not there: got %d", got)
	}
}

func TestKind(t *testing.T) {
	for k, want := range map[Kind]string{Missing: "missing", Int64: "bigint", Variant: "variant", 200: "invalid"} {
		if k.String() != want {
			t.Errorf("got %s, want %s", k, want)
		}
	}
	list := Type{Kind: JSON, Elem: &Type{Kind: Int64}}
	if !list.Array() || (Type{Kind: JSON}).Array() || !Int64.Numeric() || Timestamp.Numeric() {
		t.Error("array or numeric")
	}
}
