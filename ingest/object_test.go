package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec"
)

func TestSchemaless(t *testing.T) {
	for _, c := range []struct {
		name, cols, payload string
		want                []string
	}{
		{"kinds", "a b c d", `{"a":1,"b":"x","c":true,"d":null}`, []string{`a=1 b="x" c=true d=null`}},
		{"missing", "a b", `{"b":2}`, []string{`b=2`}},
		{"no member", "a", `{}`, []string{``}},
		{"no member, blank", "a", ` { } `, []string{``}},
		{"array", "a", `[{"a":1},{"a":2}]`, []string{`a=1`, `a=2`}},
		{"array of none", "a", `[]`, nil},
		{"array of an empty object", "a", "\n[ {} ]\t", []string{``}},
		{"nested path", "a/b/c", `{"a":{"x":[1,{"b":2}],"b":{"c":5}}}`, []string{`a/b/c=5`}},
		{"nested itself and below", "a a/b", `{"a":{"b":[1, 2]}}`, []string{`a={"b":[1, 2]} a/b=[1, 2]`}},
		{"path through a scalar", "a/b", `{"a":5}`, []string{``}},
		{"path through null", "a a/b", `{"a":null}`, []string{`a=null`}},
		{"the last duplicate counts", "a", `{"a":1,"b":2,"a":"x"}`, []string{`a="x"`}},
		{"duplicate becomes null", "a", `{"a":1,"a":null}`, []string{`a=null`}},
		{"duplicate loses members", "a/b a/c", `{"a":{"b":1},"a":{"c":2}}`, []string{`a/c=2`}},
		{"duplicate becomes a scalar", "a a/b", `{"a":{"b":1},"a":5}`, []string{`a=5`}},
		{"escaped key", "temp", `{"t\u0065mp":5}`, []string{`temp=5`}},
		{"escaped key and its like", "temp", `{"t\u0065mp":5,"temp":6}`, []string{`temp=6`}},
		{"escapes", "a", `{"a":"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00"}`, []string{`a="\"\\/\b\f\n\r\tA😀"`}},
		{"lone surrogate", "a", `{"a":"\ud800x\udc00\ud83dA"}`, []string{`a="�x��A"`}},
		{"bad UTF-8", "a", "{\"a\":\"x\xffy\"}", []string{`a="x�y"`}},
		{"zero character", "a", `{"a":"\u0000x"}`, []string{`a="\x00x"`}},
		{"empty key", "", `{"":1}`, []string{`={"":1}`}},
		{"whole row", "", `{"a": 1}`, []string{`={"a": 1}`}},
		{
			"numbers", "a b c d e f", `{"a":-0.5,"b":1e2,"c":1E-2,"d":12345678901234567890,"e":0.1,"f":-0}`,
			[]string{`a=-0.5 b=100 c=0.01 d=1.2345678901234567e+19 e=0.1 f=-0`},
		},
		{"beyond 2^53", "a b c d", `{"a":9007199254740993,"b":-9223372036854775807,"c":9007199254740993.0,"d":9007199254740992}`, []string{`a=9007199254740993 b=-9223372036854775807 c=9.007199254740992e+15 d=9.007199254740992e+15`}},
	} {
		in, f := mustFeed(t, Options{}, pathsOf(c.cols))
		check(t, c.name, push(t, in, f, c.payload), c.want...)
		check(t, c.name+", again", push(t, in, f, c.payload, c.payload), append(c.want, c.want...)...)
		if s := f.Stats(); s.DecodeErrors != 0 {
			t.Errorf("%s: %s", c.name, s.LastError)
		}
	}
}

// pathsOf is the plan of paths that spaces separate; none: the whole row.
func pathsOf(cols string) *vec.Plan {
	if cols == "" {
		return paths("")
	}
	return paths(strings.Fields(cols)...)
}

func TestRefused(t *testing.T) {
	for _, payload := range []string{
		"", " ", "5", `"text"`, "true", "null", "not json", "\ufeff{\"a\":1}", "{", "}", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
		`{,"a":1}`, `{"a":1 "b":2}`, `{"a":1}x`, `{"a":1}{"a":2}`, `{"a" 1}`, `{a:1}`, `{'a':1}`, `{"a":'x'}`,
		`{"a":01}`, `{"a":.5}`, `{"a":1.}`, `{"a":-}`, `{"a":+1}`, `{"a":1e}`, `{"a":1e+}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":0x1}`, `{"a":1.e1}`, `{"a":-01}`, `{"a":00}`,
		`{"z":01}`, `{"z":.5}`, `{"z":1.}`, `{"z":-}`, `{"z":1e}`, `{"z":NaN}`, `{"z":-01}`,
		`{"a":tru}`, `{"a":truex}`, `{"a":nul}`, `{"z":fals}`, `{"a":}`, `{"z":}`, `{"z"}`,
		`{"a":"x`, `{"a":"\q"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, "{\"a\":\"\n\"}", "{\"z\":\"\x01\"}", `{"z":"\x"}`, `{"a\q":1}`, "{\"a\t\":1}",
		`{"z":[1,]}`, `{"z":[1 2]}`, `{"z":[}`, `{"z":[1}`, `{"z":{"y":1]}`, `{"z":[[1]}`, `{"a":[1,]}`, `{"a":{"b":}}`,
		`[{"a":1},5,{"a":2}]`, `[{"a":1}`, `[{"a":1},]`, `[{"a":1}]x`, `[{"a":1} {"a":2}]`, `[[{"a":1}]]`, `[{"a":1},{"a":}]`,
	} {
		for _, cols := range []string{"a", "", "a/b", "x"} {
			in, f := mustFeed(t, Options{}, pathsOf(cols))
			got := push(t, in, f, `{"z":{},"a":2}`, payload, `{"a":3}`)
			if len(got) != 2 {
				t.Errorf("%q, columns %q: got rows %q, want the two good ones", payload, cols, got)
			}
			s := f.StreamStats(7)
			if s.Messages != 3 || s.Rows != 2 || s.DecodeErrors != 1 || s.LastError == "" || s.LastPayload != payload || s.LastArrival != 1700000000000 {
				t.Errorf("%q: got %+v, want one decode error", payload, s)
			}
		}
	}
}

func TestDepth(t *testing.T) {
	deep := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, cols := range []string{"a", "", "a/a/a/a/a"} {
		in, f := mustFeed(t, Options{}, pathsOf(cols))
		for _, p := range []string{deep(maxDepth, `{"a":`, "1", "}"), `{"a":` + deep(maxDepth-1, "[", "", "]") + `}`} {
			if got := push(t, in, f, p); len(got) != 1 {
				t.Errorf("columns %q: %d deep: %s", cols, maxDepth, f.Stats().LastError)
			}
		}
		for _, p := range []string{deep(maxDepth+1, `{"a":`, "1", "}"), deep(100000, `{"a":`, "1", "}"), `{"a":` + deep(100000, "[", "", "]") + `}`, deep(100000, "[", "", "]"), deep(1000000, "[{\"z\":", "", "")} {
			if got := push(t, in, f, p); len(got) != 0 {
				t.Errorf("columns %q: %.20s...: taken, want it refused", cols, p)
			}
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		payload string
		clean   bool
	}{
		{`{"a":1,"b":{"c":[1,{"d":2}]}}`, true},
		{`{"a":1,"b":{"c":[{"d":2},{"d":3}]}}`, true},
		{`{}`, true},
		{`{"a":"ä \u0041"}`, true},
		{`{ "a":1}`, false},
		{`{"a" :1}`, false},
		{`{"a":1 }`, false},
		{`{"a":[1, 2]}`, false},
		{`{"a":[ ]}`, false},
		{`{"a":1,"a":2}`, false},
		{`{"x":{"a":1,"a":2}}`, false},
		{`{"x":[{"a":1,"\u0061":2}]}`, false},
		{`{"x":[[{"a":{"b":1,"b":2}}]]}`, false},
		{"{\"a\":\"\xff\"}", false},
		{"{\"\xff\":1}", false},
		{wide(600, false), true},
		{wide(600, true), false},
		{`{"w":` + wide(600, false) + `}`, true},
		{`{"w":[` + wide(600, true) + `]}`, false},
	} {
		in, f := mustFeed(t, Options{}, paths("", "a"))
		for range 3 {
			f.Begin(1)
			if err := f.Push([]byte(c.payload), f.Route(nil), nil, Ack{}); err != nil {
				t.Fatal(err)
			}
			f.End()
			_, b := in.Take()
			if b == nil {
				t.Fatalf("%.60s: %s", c.payload, f.Stats().LastError)
			}
			if got := b.Clean.Has(0); got != c.clean {
				t.Errorf("%.60s: got clean %v, want %v", c.payload, got, c.clean)
			}
			if got := string(b.Raw[b.Row[0].Off:b.Row[0].End]); got != c.payload {
				t.Errorf("got text %.60s, want %.60s", got, c.payload)
			}
			f.Done(b)
		}
	}
}

// Messages are read by the shape of an earlier one; what does not fit it is read
// by keys, and nothing of the attempt stays.
func TestShapes(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a", "b/c", "b/d", ""))
	d := func() *Object { return f.dec.(*Object) }
	one, two := `{"a":1,"b":{"c":2,"x":[1]},"y":"z"}`, `{"a":1,"b":{"d":2}}`
	for range 20 {
		check(t, "alternating", push(t, in, f, one, two, `{"a":1,"b":{"c":2,"x":[1]},"y":"z"`, `{"a":"x","b":5}`, `{"b":{"c":{},"x":"y"},"a":1}`),
			`a=1 b/c=2 =`+one, `a=1 b/d=2 =`+two, `a="x" ={"a":"x","b":5}`, `a=1 b/c={} ={"b":{"c":{},"x":"y"},"a":1}`)
	}
	if n := len(d().memory.known); n != shapes {
		t.Errorf("got %d shapes remembered, want %d", n, shapes)
	}
	in, f = mustFeed(t, Options{}, paths("a"))
	for i := range 100 {
		push(t, in, f, fmt.Sprintf(`{"key%d":1,"a":%d}`, i, i))
	}
	if d().memory.rest == 0 {
		t.Error("messages that are never alike are still learned")
	}
}

func TestCleanOfShapes(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths(""))
	for _, c := range []struct {
		payload string
		clean   bool
	}{
		{`{"x":1}`, true},
		{`{"x":[{"a":1,"a":2}]}`, false},
		{`{"x":{"a":1,"a":2}}`, false},
		{`{"x":[1]}`, true},
		{`{"x":[ 1]}`, false},
		{`{"x":[{"a":1}]}`, true},
		{"{\"x\":\"\xff\"}", false},
		{`{"x":"ä"}`, true},
		{`{"x": 1}`, false},
		{`{"x":1}`, true},
	} {
		f.Begin(1)
		mustPush(t, f, c.payload, 0, Ack{})
		f.End()
		_, b := in.Take()
		if got := b.Clean.Has(0); got != c.clean {
			t.Errorf("%s: got clean %v, want %v", c.payload, got, c.clean)
		}
		f.Done(b)
	}
}

// wide is an object of n keys, the first one twice if twice is set.
func wide(n int, twice bool) string {
	var b strings.Builder
	b.WriteString(`{`)
	for i := range n {
		fmt.Fprintf(&b, `"key%d":%d,`, i, i)
	}
	if twice {
		b.WriteString(`"key0":5}`)
	} else {
		b.WriteString(`"last":5}`)
	}
	return b.String()
}

func TestUseInt64(t *testing.T) {
	in, f := mustFeed(t, Options{UseInt64: true}, paths("a", "b"))
	check(t, "whole numbers", push(t, in, f, `{"a":9007199254740993,"b":[1,2.5]}`, `{"a":1.0}`, `{"a":1e2}`, `{"a":-9223372036854775808}`, `{"a":9223372036854775808}`),
		`a=9007199254740993i b=[1,2.5]i`, `a=1`, `a=100`, `a=-9223372036854775808i`, `a=9.223372036854776e+18`)
}

func TestManyColumnsCostWhatIsTouched(t *testing.T) {
	var keys []string
	for i := range 5000 {
		keys = append(keys, fmt.Sprintf("key%d/value", i))
	}
	in, f := mustFeed(t, Options{}, paths(keys...))
	check(t, "one of many", push(t, in, f, `{"key4711":{"value":5}}`), `key4711/value=5`)
	f.Begin(1)
	if err := f.Push([]byte(`{"key17":{"value":5},"key3":{}}`), f.Route(nil), nil, Ack{}); err != nil {
		t.Fatal(err)
	}
	f.End()
	_, b := in.Take()
	n := 0
	for i := range b.Cols {
		if b.Cols[i].Valid != nil || b.Cols[i].Floats != nil {
			n++
		}
	}
	if n != 1 {
		t.Errorf("got %d columns with buffers, want 1", n)
	}
}

func TestMeta(t *testing.T) {
	p := vec.NewPlan(1, []vec.ColumnSpec{
		{Path: []string{"topic"}, Meta: true},
		{Path: []string{"qos"}, Meta: true},
		{Path: []string{"messageId"}, Meta: true},
		{Path: []string{"file"}, Meta: true},
		{Meta: true},
	})
	in, f := mustFeed(t, Options{}, p)
	f.Begin(1)
	for _, m := range []*Meta{
		{Topic: `a/"b"`, MQTT: true, QoS: 1, MessageID: 65535},
		{More: &MetaMap{[]MetaItem{{"file", vec.StringValue("x.json")}}}},
		nil,
	} {
		if err := f.Push([]byte(`{}`), f.Route(nil), m, Ack{}); err != nil {
			t.Fatal(err)
		}
	}
	f.End()
	_, b := in.Take()
	check(t, "meta", printRows(t, b),
		`meta:topic="a/\"b\"" meta:qos=1i meta:messageId=65535i meta:={"topic":"a/\"b\"","qos":1,"messageId":65535}i`,
		`meta:file="x.json" meta:={"file":"x.json"}i`, `meta:={}i`)
}
