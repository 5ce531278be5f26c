package ingest

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec"
)

func of(name string, kind vec.Kind) vec.Field {
	return vec.Field{Name: name, Type: vec.Type{Kind: kind}}
}

func array(name string, elem vec.Type) vec.Field {
	return vec.Field{Name: name, Type: vec.Type{Kind: vec.JSON, Elem: &elem}}
}

func object(name string, fields ...vec.Field) vec.Field {
	return vec.Field{Name: name, Type: vec.Type{Kind: vec.JSON, Fields: fields}}
}

func withDefault(f vec.Field, v vec.Value) vec.Field {
	f.Default = &v
	return f
}

// good drops the rows in which a declared type refused a value: those columns
// are at fault, and rules that read them lose the row.
func good(rows []string) []string {
	return slices.DeleteFunc(rows, func(r string) bool { return strings.Contains(r, "=fault") })
}

// The values of column a, tried one by one; what is refused is a fault.
const tried = `1 -1.9 "12" "abc" "" true null [1] {"x":1} missing 1.0 1e2 -0 9223372036854775807 9223372036854775808 "true" "QUI="`

func TestTyped(t *testing.T) {
	for _, c := range []struct {
		name   string
		field  vec.Field
		strict bool
		want   string
	}{
		{"bigint", of("a", vec.Int64), false, `1=1i null=null missing= -0=0i 9223372036854775807=9223372036854775807i`},
		{"bigint strict", of("a", vec.Int64), true, `1=1i -0=0i 9223372036854775807=9223372036854775807i`},
		{"float", of("a", vec.Float64), false, `1=1 -1.9=-1.9 null=null missing= 1.0=1 1e2=100 -0=-0 9223372036854775807=9223372036854775807 9223372036854775808=9.223372036854776e+18`},
		{"float strict", of("a", vec.Float64), true, `1=1 -1.9=-1.9 1.0=1 1e2=100 -0=-0 9223372036854775807=9223372036854775807 9223372036854775808=9.223372036854776e+18`},
		{"string", of("a", vec.String), false, `1="1" -1.9="-1.9" "12"="12" "abc"="abc" ""="" null=null missing= 1.0="1" 1e2="100" -0="-0" 9223372036854775807="9223372036854775807" 9223372036854775808="9223372036854775808" "true"="true" "QUI="="QUI="`},
		{"boolean", of("a", vec.Bool), false, `1=true -1.9=true true=true null=null missing= 1.0=true 1e2=true -0=false 9223372036854775807=true 9223372036854775808=true "true"=true`},
		{"boolean strict", of("a", vec.Bool), true, `1=true -1.9=true true=true 1.0=true 1e2=true -0=false 9223372036854775807=true 9223372036854775808=true "true"=true`},
		{"datetime", of("a", vec.Timestamp), false, `1=1 -1.9=-1.9 "12"="12" "abc"="abc" ""="" null=null missing= 1.0=1 1e2=100 -0=-0 9223372036854775807=9223372036854775807 9223372036854775808=9.223372036854776e+18 "true"="true" "QUI="="QUI="`},
		{"bytea", of("a", vec.Bytes), false, `"abc"= ""=bytes("") null=null missing= "true"=bytes("\xb6\xbb\x9e") "QUI="=bytes("AB")`},
		{"array", array("a", vec.Type{Kind: vec.Int64}), false, `null=null [1]=[1]i missing=`},
		{"array strict", array("a", vec.Type{Kind: vec.Int64}), true, `[1]=[1]i`},
		{"struct", object("a", of("x", vec.String)), false, `null=null {"x":1}={"x":"1"} missing=`},
		{"default", withDefault(of("a", vec.Int64), vec.IntValue(7)), true, `1=1i null=7i missing=7i -0=0i 9223372036854775807=9223372036854775807i`},
		{"default without strict", withDefault(of("a", vec.Int64), vec.IntValue(7)), false, `1=1i null=null missing= -0=0i 9223372036854775807=9223372036854775807i`},
	} {
		schema := []vec.Field{c.field}
		in, f := mustFeed(t, Options{Schema: schema, Strict: c.strict}, typedPlan(schema))
		var got []string
		for _, v := range strings.Fields(tried) {
			msg := `{"other":1,"a":` + v + `}`
			if v == "missing" {
				msg = `{"other":1}`
			}
			for _, row := range good(push(t, in, f, msg)) {
				got = append(got, v+"="+strings.TrimPrefix(row, "a="))
			}
		}
		check(t, c.name, got, strings.Fields(strings.Replace(c.want, `"abc"= ""=bytes`, `""=bytes`, 1))...)
	}
}

func TestTypedNested(t *testing.T) {
	long := object("s", of("name", vec.String), of("num", vec.Int64), of("f", vec.Float64), array("l", vec.Type{Kind: vec.Bool}), object("in", of("b", vec.Bytes)))
	for _, c := range []struct {
		name, payload string
		schema        []vec.Field
		strict        bool
		want          []string
	}{
		{"only declared members", `{"s":{"more":true,"num":1,"name":"x"}}`, []vec.Field{long}, false, []string{`s={"name":"x","num":1}i`}},
		{
			"members are converted", `{"s":{"name":5,"f":2,"l":[1,null,"false"],"in":{"b":"QUI=","c":{}}}}`,
			[]vec.Field{long},
			false,
			[]string{`s={"name":"5","f":2.0,"l":[true,null,false],"in":{"b":"QUI="}}i`},
		},
		{"last member counts", `{"s":{"num":1,"num":2}}`, []vec.Field{long}, false, []string{`s={"num":2}i`}},
		{"bad member", `{"s":{"num":"x"}}`, []vec.Field{long}, false, nil},
		{"bad bytes", `{"s":{"in":{"b":"_"}}}`, []vec.Field{long}, false, nil},
		{"floats only", `{"s":[{"f":1},{"f":2.50}]}`, []vec.Field{array("s", vec.Type{Kind: vec.JSON, Fields: []vec.Field{of("f", vec.Float64)}})}, false, []string{`s=[{"f":1},{"f":2.50}]`}},
		{"bad element", `{"s":[1,2.5]}`, []vec.Field{array("s", vec.Type{Kind: vec.Int64})}, true, nil},
		{"empty array", `{"s":[ ]}`, []vec.Field{array("s", vec.Type{Kind: vec.Int64})}, true, []string{`s=[]i`}},
		{"array as text", `{"s":"[1,2]"}`, []vec.Field{array("s", vec.Type{Kind: vec.Int64})}, true, nil},
		{"struct as text", `{"s":"{\"n\":1}"}`, []vec.Field{object("s", of("n", vec.Int64))}, true, []string{`s={"n":1}i`}},
		{"struct as text, bad", `{"s":"{\"n\":1"}`, []vec.Field{object("s", of("n", vec.Int64))}, true, nil},
		{"struct as text, more", `{"s":"{\"n\":1}}"}`, []vec.Field{object("s", of("n", vec.Int64))}, true, nil},
		{"struct as text, not strict", `{"s":"{\"n\":1}"}`, []vec.Field{object("s", of("n", vec.Int64))}, false, nil},
		{"missing member", `{"s":{}}`, []vec.Field{object("s", of("n", vec.Int64))}, true, nil},
		{"default member", `{"s":{}}`, []vec.Field{object("s", withDefault(of("n", vec.String), vec.StringValue("none")))}, true, []string{`s={"n":"none"}`}},
	} {
		in, f := mustFeed(t, Options{Schema: c.schema, Strict: c.strict}, typedPlan(c.schema))
		check(t, c.name, good(push(t, in, f, c.payload)), c.want...)
		if s := f.Stats(); s.BadValues != uint64(1-len(c.want)) || s.DecodeErrors != 0 {
			t.Errorf("%s: got %d bad values (%s)", c.name, s.BadValues, s.LastError)
		}
	}
}

func TestTypedPaths(t *testing.T) {
	schema := []vec.Field{object("s", of("num", vec.Int64), object("in", of("x", vec.Float64))), of("a", vec.Int64)}
	p := paths("s/num", "s/in/x", "undeclared", "s/undeclared")
	in, f := mustFeed(t, Options{Schema: schema}, p)
	check(t, "members", good(push(t, in, f, `{"s":{"num":5,"in":{"x":1},"undeclared":1},"undeclared":2}`, `{"s":null}`, `{"s":{"num":5.5}}`, `{"s":5}`, `{"a":"not wanted"}`, `{"s":{"num":1},"s":{}}`)),
		`s/num=5i s/in/x=1`, `s/num=null`[:0], ``, ``)

	in, f = mustFeed(t, Options{Schema: schema, Strict: true}, p)
	check(t, "strict members", good(push(t, in, f, `{"s":{"num":5,"in":{"x":1}}}`, `{"s":{"num":5,"in":{}}}`, `{"s":{"num":5}}`, `{}`, `{"s":"{\"num\":6,\"in\":{\"x\":2}}"}`)),
		`s/num=5i s/in/x=1`, `s/num=6i s/in/x=2`)
}

func TestTypedWholeRow(t *testing.T) {
	schema := []vec.Field{of("a", vec.Int64), of("s", vec.String), of("t", vec.Timestamp), withDefault(of("d", vec.Bool), vec.BoolValue(true))}
	p := vec.NewPlan(1, []vec.ColumnSpec{{}, {Path: []string{"a"}}})
	in, f := mustFeed(t, Options{Schema: schema}, p)
	check(t, "declared fields", good(push(t, in, f, `{"more":1, "s":2, "a":1}`, `{"b":2,"t":null}`, `{"a":1,"t":7,"s":"\u00e4"}`, `{"s":true}`)),
		`={"a":1,"s":"2"}i a=1i`, `={"t":null}i`, `={"a":1,"s":"ä","t":7.0}i a=1i`)
	in, f = mustFeed(t, Options{Schema: schema, Strict: true}, p)
	f.Begin(1)
	if err := f.Push([]byte(`{"a":1,"s":"x","t":"2024-02-29T12:30:45Z"}`), f.Route(nil), nil, Ack{}); err != nil {
		t.Fatal(err)
	}
	f.End()
	_, b := in.Take()
	if b == nil {
		t.Fatal(f.Stats().LastError)
	}
	want := `{"a":1,"s":"x","t":"2024-02-29T12:30:45Z","d":true}`
	if got := string(b.Raw[b.Row[0].Off:b.Row[0].End]); got != want || !b.Clean.Has(0) {
		t.Errorf("got row %s, clean %v, want %s", got, b.Clean.Has(0), want)
	}
}

func TestStrictTime(t *testing.T) {
	schema := []vec.Field{of("a", vec.Timestamp)}
	in, f := mustFeed(t, Options{Schema: schema, Strict: true, TimestampFormat: "dd/MM/yyyy HH:mm:ss"}, typedPlan(schema))
	check(t, "pattern", good(push(t, in, f, `{"a":"29/02/2024 12:30:45"}`, `{"a":"x"}`, `{"a":1700000000000}`, `{"a":true}`)), `a=1709209845000ms`, `a=1700000000000ms`)
	in, f = mustFeed(t, Options{Schema: schema, Strict: true}, typedPlan(schema))
	check(t, "any form", good(push(t, in, f, `{"a":"2024-02-29T12:30:45Z"}`, `{"a":"2024-02-29"}`, `{"a":"x"}`, `{"a":1e300}`)), `a=1709209845000ms`, `a=1709164800000ms`)
}

// A bad element of an array takes back its earlier elements, also when they
// would not fit into one batch.
func TestTypedArrayWholeOrNot(t *testing.T) {
	schema := []vec.Field{of("a", vec.Int64)}
	for _, n := range []int{1, 100, vec.MaxRows, 3*vec.MaxRows + 5} {
		in, f := mustFeed(t, Options{Schema: schema}, typedPlan(schema))
		good := strings.Repeat(`{"a":5},`, n)
		got := push(t, in, f, `{"a":1}`, `[`+good+`{"a":5.5}]`, `{"a":2}`)
		check(t, "bad last element", got, "a=1i", "a=2i")
		if got := push(t, in, f, `{"a":1}`, `[`+good+`{"a":5}]`); len(got) != n+2 {
			t.Errorf("got %d rows, want %d", len(got), n+2)
		}
		if s := f.Stats(); s.Messages != 5 || s.DecodeErrors != 1 || s.Rows != uint64(2+n+2) {
			t.Errorf("got %+v", s)
		}
	}
}
