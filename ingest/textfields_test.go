package ingest

import (
	"testing"

	"github.com/weir-engine/weir/vec"
)

func TestDelimited(t *testing.T) {
	in, f := mustFeed(t, Options{Format: "DELIMITED", Delimiter: ";"}, paths("col0", "col1", "col2", ""))
	check(t, "schemaless", push(t, in, f, "1;abc", "x;\"a;b\"\r\n", "5;", "1\n\n2;\"two\"\n", "", `"open`),
		`col0="1" col1="abc" ={"col0":"1","col1":"abc"}`,
		`col0="x" col1="\"a" col2="b\"" ={"col0":"x","col1":"\"a","col2":"b\""}`,
		`col0="5" col1="" ={"col0":"5","col1":""}`,
		`col0="1" ={"col0":"1"}`,
		`col0="2" col1="\"two\"" ={"col0":"2","col1":"\"two\""}`,
		`col0="\"open" ={"col0":"\"open"}`)
	if s := f.Stats(); s.DecodeErrors != 1 {
		t.Errorf("got %d decode errors (%s), want 1", s.DecodeErrors, s.LastError)
	}

	in, f = mustFeed(t, Options{Format: "delimited", Delimiter: ";", Columns: []string{"col1", "id"}}, paths("col0", "col1", "col2", ""))
	check(t, "named by a header", push(t, in, f, "1;abc"), `col1="1" ={"col1":"1","id":"abc"}`)

	schema := []vec.Field{of("id", vec.Int64), of("s", vec.String), of("f", vec.Float64), of("b", vec.Bool)}
	in, f = mustFeed(t, Options{Format: "delimited", Schema: schema}, typedPlan(schema, vec.ColumnSpec{}))
	check(t, "declared", push(t, in, f, "1,abc,2.5,true,more", "2,,,", "3", "x", "1,1,1.x"),
		`id=1i s="abc" f=2.5 b=true ={"id":1,"s":"abc","f":2.5,"b":true}i`,
		`id=2i s="" f=null b=null ={"id":2,"s":"","f":null,"b":null}i`, `id=3i ={"id":3}i`)

	schema = []vec.Field{of("id", vec.Int64), withDefault(of("s", vec.String), vec.StringValue("none")), of("t", vec.Timestamp)}
	in, f = mustFeed(t, Options{Format: "delimited", Schema: schema, Columns: []string{"t", "id"}, Strict: true}, typedPlan(schema))
	check(t, "strict", push(t, in, f, "2024-02-29T12:30:45Z,1", "2024-02-29T12:30:45Z", "x,1"), `id=1i s="none" t=1709209845000ms`)
}

func TestURLEncoded(t *testing.T) {
	in, f := mustFeed(t, Options{Format: "urlencoded"}, paths("a", "b", ""))
	check(t, "schemaless", push(t, in, f, "a=1&b=x%20y", "a=1&a=2&c=", "a=%zz"),
		`a="1" b="x y" ={"a":"1","b":"x y"}`, `a=["1","2"] ={"a":["1","2"],"c":""}`)
	schema := []vec.Field{of("a", vec.Int64), array("l", vec.Type{Kind: vec.Int64}), of("y", vec.Bytes)}
	in, f = mustFeed(t, Options{Format: "urlencoded", Schema: schema}, typedPlan(schema))
	check(t, "declared", push(t, in, f, "a=5&b=x&l=[1]&y=QUI%3D", "a=x", "l={}", "a=1&a=2", "y=_"), `a=5i l=[1]i y=bytes("AB")`, `a=2i`)
}

func TestBinary(t *testing.T) {
	in, f := mustFeed(t, Options{Format: "binary"}, paths("self", "other", ""))
	check(t, "self", push(t, in, f, "hello raw", "", "\x00\xff"), `self=bytes("hello raw") ={"self":"aGVsbG8gcmF3"}`, `self=bytes("") ={"self":""}`, `self=bytes("\x00\xff") ={"self":"AP8="}`)
	in, f = mustFeed(t, Options{Format: "binary", Schema: []vec.Field{of("img", vec.Bytes)}}, paths("img"))
	check(t, "declared", push(t, in, f, "x"), `img=bytes("x")`)
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{
		{Format: "protobuf"},
		{Format: "nonsense"},
		{Format: "binary", Schema: []vec.Field{of("a", vec.Int64)}},
		{Format: "delimited", Delimiter: "\n"},
		{Format: "delimited", NewDecoder: func(*vec.Plan) (Decoder, error) { return nil, nil }},
	} {
		if _, err := NewFeed(NewInbox(), o); err == nil {
			t.Errorf("%+v: taken, want an error", o)
		}
	}
}
