package encode

import (
	"errors"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec/protobuf"
	"github.com/weir-engine/weir/vec/rawjson"
)

// plant returns an Option with the message plant.Point, and a reader of it.
func plant(t *testing.T) (Option, *protobuf.Reader) {
	t.Helper()
	f, err := protobuf.Compile("plant.proto", `syntax = "proto3"; message Point { int32 id = 1; string name = 2; repeated double v = 3; Part part = 4; }
		message Part { bool on = 1; }`, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Message("Point")
	if err != nil {
		t.Fatal(err)
	}
	return Messages(func(id string) (*protobuf.Message, error) {
		if id != "plant.Point" {
			return nil, errors.New("no " + id)
		}
		return m, nil
	}), m.NewReader()
}

func TestProtobuf(t *testing.T) {
	const rest = `"format":"protobuf","schemaId":"plant.Point"`
	for _, c := range []struct{ props, row, want string }{
		{`{` + rest + `}`, `{"id":5,"name":"a","v":[1,2.5],"part":{"on":true},"more":1}`, `{"id":5,"name":"a","v":[1,2.5],"part":{"on":true}}`},
		{`{` + rest + `,"sendSingle":true}`, `{"id":null,"name":"ü"}`, `{"id":0,"name":"ü","v":[],"part":null}`},
		{`{` + rest + `,"excludeFields":["name"]}`, `{"id":5,"name":"a"}`, `{"id":5,"name":"","v":[],"part":null}`},
		{`{` + rest + `,"fields":["name"]}`, `{"id":5,"name":"a"}`, `{"id":0,"name":"a","v":[],"part":null}`},
		{`{` + rest + `,"dataTemplate":"{\"id\":{{(index . 0).n}}}"}`, `{"n":7}`, `{"id":7,"name":"","v":[],"part":null}`},
		{`{` + rest + `,"sendSingle":true,"dataTemplate":"{\"id\":{{.n}}}"}`, `{"n":7}`, `{"id":7,"name":"","v":[],"part":null}`},
		{`{` + rest + `,"sendSingle":true,"dataField":"d"}`, `{"d":{"id":2}}`, `{"id":2,"name":"","v":[],"part":null}`},
	} {
		opt, r := plant(t)
		e, err := New(propsOf(t, c.props), opt)
		if err != nil {
			t.Fatal(err)
		}
		p := input{rows: []string{c.row}, star: true}.projection()
		out, sent, err := e.AppendMessage([]byte("x"), p, 0)
		if err != nil || !sent {
			t.Errorf("%s: got %v, %v", c.props, sent, err)
			continue
		}
		if got, err := r.AppendJSON(nil, out[1:]); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.props, got, err, c.want)
		}
	}
}

func TestProtobufMisfits(t *testing.T) {
	const rest = `"format":"protobuf","schemaId":"plant.Point"`
	for _, c := range []struct{ props, row, want string }{
		{`{` + rest + `}`, `{"id":"five"}`, `protobuf: message Point: field "id": want a whole number (int32), got "five"`},
		{`{` + rest + `}`, `{"id":3000000000}`, `field "id": 3000000000 does not fit into int32`},
		{`{` + rest + `}`, `{"part":{"on":1}}`, `field "part": field "on": want a boolean, got 1`},
		{`{` + rest + `,"dataField":"id"}`, `{"id":1}`, `format protobuf: want an object or an array of objects, got a number`},
		{`{` + rest + `,"dataTemplate":"[]"}`, `{"id":1}`, `format protobuf: want one object a message, got 0`},
	} {
		opt, _ := plant(t)
		e, err := New(propsOf(t, c.props), opt)
		if err != nil {
			t.Fatal(err)
		}
		p := input{rows: []string{c.row}, star: true}.projection()
		if out, _, err := e.AppendMessage([]byte("x"), p, 0); err == nil || !strings.Contains(err.Error(), c.want) || string(out) != "x" {
			t.Errorf("%s of %s: got %s, %v, want %s", c.props, c.row, out, err, c.want)
		}
	}
	opt, _ := plant(t)
	if _, err := New(propsOf(t, `{"format":"protobuf","schemaId":"plant.Pint"}`), opt); err == nil || err.Error() != "format protobuf: no plant.Pint" {
		t.Errorf("unknown type: got %v", err)
	}
}

// Types that are called alike are not the same.
func TestProtobufKey(t *testing.T) {
	props := propsOf(t, `{"format":"protobuf","schemaId":"plant.Point"}`)
	var in Interner
	one, _ := plant(t)
	two, _ := plant(t)
	a, err := in.Get(props, one)
	b, err2 := in.Get(props, two)
	c, err3 := in.Get(props, one)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	if a == b || a != c || a.SchemaID() != "plant.Point" || !a.Single() {
		t.Errorf("got encoders %p, %p and %p", a, b, c)
	}
}

func propsOf(t *testing.T, text string) map[string]any {
	t.Helper()
	m, err := rawjson.Parse([]byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	return m.(map[string]any)
}
