package encode

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// input is JSON objects as the columns of a projection.
type input struct {
	rows   []string
	plain  []string // bare columns
	alias  []string // computed columns: those of the same name, null left out
	star   bool
	except []string
	nils   bool
	meta   string
}

func (in input) projection() *vec.Projection {
	p := &vec.Projection{Except: in.except, SendNil: in.nils}
	n := len(in.rows)
	var raw []byte
	star := new(vec.Column)
	star.Reset(n)
	p.Clean = p.Clean.Grow(n)
	for i, r := range in.rows {
		from := uint32(len(raw))
		raw = append(raw, r...)
		star.SetJSON(i, raw, vec.Span{Off: from, End: uint32(len(raw))}, false)
		if clean, _ := rawjson.Valid([]byte(r)); clean {
			p.Clean.Set(i)
		}
	}
	if in.star {
		p.Star = star
	}
	for i, name := range append(append([]string(nil), in.plain...), in.alias...) {
		c := new(vec.Column)
		c.Reset(n)
		for row, r := range in.rows {
			if v, ok := rawjson.Get([]byte(r), name); ok {
				c.Set(row, rawjson.Value(v, true))
			}
		}
		p.Fields = append(p.Fields, field(name, c, i < len(in.plain)))
	}
	for i := range p.Fields {
		for j := i; j > 0 && p.Fields[j].Name < p.Fields[j-1].Name; j-- {
			p.Fields[j], p.Fields[j-1] = p.Fields[j-1], p.Fields[j]
		}
	}
	if in.meta != "" {
		p.MetaCol = new(vec.Column)
		p.MetaCol.Reset(n)
		for row := range n {
			p.MetaCol.SetJSON(row, []byte(in.meta), vec.Span{End: uint32(len(in.meta))}, false)
		}
	}
	return p
}

func field(name string, c *vec.Column, plain bool) vec.OutField {
	return vec.OutField{Name: name, Key: append(appendText(nil, name), ':'), Col: c, Plain: plain}
}

func mustNew(t testing.TB, props string, opts ...Option) *Encoder {
	t.Helper()
	m := map[string]any{}
	if err := stdjson.Unmarshal([]byte(props), &m); err != nil {
		t.Fatal(err)
	}
	e, err := New(m, opts...)
	if err != nil {
		t.Fatalf("New %s: %v", props, err)
	}
	return e
}

// rows sends each row as a message; what is not sent is "-", an error its text.
func rows(t *testing.T, e *Encoder, p *vec.Projection, n int) []string {
	t.Helper()
	var got []string
	for row := range n {
		out, sent, err := e.AppendMessage([]byte("x"), p, row)
		switch {
		case err != nil:
			if sent || string(out) != "x" {
				t.Errorf("row %d: got %q after an error, want it untouched", row, out)
			}
			got = append(got, "error: "+err.Error())
		case !sent:
			got = append(got, "-")
		default:
			got = append(got, string(out[1:]))
		}
	}
	return got
}

func window(t *testing.T, e *Encoder, p *vec.Projection, n int) string {
	t.Helper()
	var all []int32
	for row := range n {
		all = append(all, int32(row))
	}
	out, sent, err := e.AppendRows(nil, p, all)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case !sent:
		return "-"
	}
	return string(out)
}

func TestMessages(t *testing.T) {
	ab := input{rows: []string{`{"a":1,"b":"x"}`, `{"a":2,"b":"y"}`}, plain: []string{"a", "b"}}
	single := func(in input) input { return in }
	tests := []struct {
		name  string
		props string
		in    input
		want  []string
	}{
		{"array of one", `{}`, ab, []string{`[{"a":1,"b":"x"}]`, `[{"a":2,"b":"y"}]`}},
		{"sendSingle", `{"sendSingle":true}`, single(ab), []string{`{"a":1,"b":"x"}`, `{"a":2,"b":"y"}`}},
		{
			"null of a column is written, missing left out", `{"sendSingle":true}`,
			input{rows: []string{`{"a":null}`, `{"b":1}`}, plain: []string{"a", "b"}},
			[]string{`{"a":null}`, `{"b":1}`},
		},
		{
			"null of an alias is left out", `{"sendSingle":true}`,
			input{rows: []string{`{"a":null,"b":1}`, `{}`}, alias: []string{"a", "b"}},
			[]string{`{"b":1}`, `{}`},
		},
		{
			"sendNilField", `{"sendSingle":true}`,
			input{rows: []string{`{"a":null,"b":1}`, `{}`}, alias: []string{"a"}, plain: []string{"b"}, nils: true},
			[]string{`{"a":null,"b":1}`, `{"a":null,"b":null}`},
		},
		{
			"sendMetaToSink", `{"sendSingle":true}`,
			input{rows: []string{`{"a":1}`, `{}`}, plain: []string{"a"}, meta: `{"topic":"t/1"}`},
			[]string{`{"a":1,"__meta":{"topic":"t/1"}}`, `{"__meta":{"topic":"t/1"}}`},
		},
		{"star passes through", `{"sendSingle":true}`, input{rows: []string{`{"b":1.0,"a":"\u00e9<"}`, `{}`}, star: true}, []string{`{"b":1.0,"a":"\u00e9<"}`, `{}`}},
		{
			"star that is not clean", `{}`,
			input{rows: []string{`{ "b" : [1, 2], "a":1,"a":2 }`, "{\"a\":\"\xff\"}", `{"a":`}, star: true},
			[]string{`[{"b":[1,2],"a":2}]`, `[{"a":"` + "\ufffd" + `"}]`, "error: json: unexpected end of text"},
		},
		{
			"star and field", `{}`,
			input{rows: []string{`{"a":1,"b":2}`, `{"b":3}`, ` {"z":1}`}, star: true, alias: []string{"b"}},
			[]string{`[{"a":1,"b":2}]`, `[{"b":3}]`, `[{"z":1}]`},
		},
		{"except", `{}`, input{rows: []string{`{"a":1,"b":2,"\u0061":3}`, `{"a":1}`}, star: true, except: []string{"a"}}, []string{`[{"b":2}]`, `[{}]`}},
		{
			"except and field", `{}`,
			input{rows: []string{`{"a":1,"b":2}`, `{"b":1,"a":null}`}, star: true, except: []string{"a"}, alias: []string{"a"}},
			[]string{`[{"b":2,"a":1}]`, `[{"b":1}]`},
		},
		{"star and meta", `{}`, input{rows: []string{`{"a":1,"__meta":0}`}, star: true, meta: `{}`}, []string{`[{"a":1,"__meta":{}}]`}},
		{
			"fields", `{"fields":["b","a","b"],"sendSingle":true}`,
			input{rows: []string{`{"a":1,"b":2,"c":3}`, `{"b":1}`, `{"b": { "x":1 } }`}, star: true},
			[]string{`{"a":1,"b":2}`, `{"a":null,"b":1}`, `{"a":null,"b":{"x":1}}`},
		},
		{"fields of columns", `{"fields":["b","zz"]}`, ab, []string{`[{"b":"x","zz":null}]`, `[{"b":"y","zz":null}]`}},
		{
			"fields of star and columns", `{"fields":["a","b","c"],"sendSingle":true}`,
			input{rows: []string{`{"a":1,"b":2,"c":3}`}, star: true, plain: []string{"a"}, except: []string{"c"}},
			[]string{`{"a":1,"b":2,"c":null}`},
		},
		{"empty lists", `{"fields":[],"excludeFields":[]}`, ab, []string{`[{"a":1,"b":"x"}]`, `[{"a":2,"b":"y"}]`}},
		{"excludeFields", `{"excludeFields":["b","a"],"sendSingle":true}`, input{rows: []string{`{"a":1,"b":2,"c":3}`, `{"c":1}`}, star: true}, []string{`{"c":3}`, `{"c":1}`}},
		{"excludeFields of columns", `{"excludeFields":["b"]}`, ab, []string{`[{"a":1}]`, `[{"a":2}]`}},
		{"omitIfEmpty single", `{"omitIfEmpty":true,"sendSingle":true}`, input{rows: []string{`{"a":1}`, `{"b":2}`}, plain: []string{"b"}}, []string{"-", `{"b":2}`}},
		{"omitIfEmpty array", `{"omitIfEmpty":true}`, input{rows: []string{`{}`, `{"b":2}`}, star: true}, []string{"[{}]", `[{"b":2}]`}},
		{"omitIfEmpty star", `{"omitIfEmpty":true,"sendSingle":true}`, input{rows: []string{`{}`, `{"b":2}`, `{"a":2}`}, star: true, except: []string{"a"}}, []string{"-", `{"b":2}`, "-"}},
		{"dataField", `{"dataField":"list","fields":["x"],"sendSingle":true}`, input{rows: []string{`{"list":[{"x":1,"y":2},{"x":3}],"id":1}`}, star: true}, []string{`[{"x":1},{"x":3}]`}},
		{"dataField of an array message", `{"dataField":"g"}`, input{rows: []string{`{"g":{"b":2,"a":1}}`, `{}`}, star: true}, []string{`{"a":1,"b":2}`, `-`}},
		{"dataField that is null, and none", `{"dataField":"g","sendSingle":true}`, input{rows: []string{`{"g":null}`, `{}`, `{"g":""}`}, star: true}, []string{`null`, `-`, `""`}},
		{"dataField of a template", `{"dataField":"g","sendSingle":true,"dataTemplate":"{\"{{.k}}\":1}"}`, input{rows: []string{`{"k":"g"}`, `{"k":"h"}`}, star: true}, []string{`1`, `-`}},
		{
			"dataField that is no object", `{"dataField":"a","fields":["x"],"sendSingle":true}`,
			input{rows: []string{`{"a":1}`, `{"a":[1]}`, `{"a":"s"}`, `{}`}, star: true},
			[]string{
				"error: fields: want an object or an array of objects, got a number", "error: fields: want an object or an array of objects, got an array with something else in it",
				"error: fields: want an object or an array of objects, got a text", "-",
			},
		},
		{"template", `{"dataTemplate":"temperature is {{.a}}","sendSingle":true}`, input{rows: []string{`{"a":21.5}`, `{"a":3}`}, star: true}, []string{"temperature is 21.5", "temperature is 3"}},
		{"template of an array", `{"dataTemplate":"{\"rows\":{{json .}},\"first\":{{index . 0 \"a\"}}}"}`, ab, []string{`{"rows":[{"a":1,"b":"x"}],"first":1}`, `{"rows":[{"a":2,"b":"y"}],"first":2}`}},
		{
			"template, sprig", `{"sendSingle":true,"dataTemplate":"{{upper .b}}|{{trim .b}}|{{quote (trim .b)}}|{{len .b}}|{{replace \"l\" \"L\" .b}}|{{base64 .b}}|{{b64enc .b}}|{{default 0 .a}}|{{prop \"p\"}}"}`,
			input{rows: []string{`{"b":" hell"}`}, star: true},
			[]string{` HELL|hell|"hell"|5| heLL|IGhlbGw=|IGhlbGw=|0|p`},
		},
		{"template, if", `{"sendSingle":true,"dataTemplate":"{{if gt .a 30.0}}high{{else}}normal{{end}}"}`, input{rows: []string{`{"a":35.5}`, `{"a":10.5}`}, star: true}, []string{"high", "normal"}},
		{
			"template, error", `{"sendSingle":true,"dataTemplate":"{{upper .b}}"}`,
			input{rows: []string{`{"b":"x"}`, `{"b":["x"]}`}, star: true},
			[]string{"X", `error: dataTemplate:1:8: executing "dataTemplate" at <.b>: wrong type for value; expected string; got []interface {}`},
		},
		{
			"template, dataField, fields", `{"sendSingle":true,"dataField":"tele","dataTemplate":"{\"tele\":{\"x\":{{.a}},\"y\":{{.b}}},\"id\":1}","fields":["x"]}`,
			input{rows: []string{`{"a":1,"b":2}`, `{"a":"","b":"{"}`}, star: true},
			[]string{`{"x":1}`, `error: dataTemplate: the text is no JSON, but a later step needs its parts: json: offset 13: unexpected ',', want a value`},
		},
		{"template, nested", `{"sendSingle":true,"dataTemplate":"{{.g.x.y}}"}`, input{rows: []string{`{"g":{"x":{"y":5}}}`}, plain: []string{"g"}}, []string{"5"}},
		{"delimited", `{"sendSingle":true,"format":"delimited","fields":["a","b"]}`, input{rows: []string{`{"a":1,"b":"x"}`, `{"b":"y"}`}, plain: []string{"a", "b"}}, []string{"1,x", ",y"}},
		{"delimited, fields' own order", `{"format":"DELIMITED","fields":["b","a"],"delimiter":"; "}`, ab, []string{"x; 1", "y; 2"}},
		{
			"delimited without fields", `{"sendSingle":true,"format":"delimited"}`,
			input{rows: []string{`{"a":1,"b":"x","c":true}`, `{"c":[1,"x"],"a":1e6}`}, plain: []string{"b", "a", "c"}},
			[]string{"1,x,true", `1000000,,"[1,""x""]"`},
		},
		{"delimited star", `{"format":"delimited","excludeFields":["b"]}`, input{rows: []string{`{"c":1.5,"a":null,"b":2,"d":{"x":1}}`}, star: true}, []string{`,1.5,{"x":1}`}},
		{"delimited template", `{"sendSingle":true,"format":"delimited","dataTemplate":"{\"x\":{{.a}},\"w\":1}"}`, ab, []string{"1,1", "1,2"}},
		{
			"html and control characters", `{"sendSingle":true}`,
			input{rows: []string{`{"a":" <>&","b":"\u0001\"\\\u2028\u0007\b\f\n\r\t"}`}, plain: []string{"a", "b"}},
			[]string{`{"a":" \u003c\u003e\u0026","b":"\u0001\"\\\u2028\u0007\b\f\n\r\t"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rows(t, mustNew(t, tt.props), tt.in.projection(), len(tt.in.rows))
			if g, w := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	ab := input{rows: []string{`{"a":1,"b":"x"}`, `{"a":2}`}, plain: []string{"a", "b"}}
	star := input{rows: []string{`{"a":1,"b":"x"}`, `{"c":2}`}, star: true}
	for _, tt := range []struct {
		props string
		in    input
		want  string
	}{
		{`{}`, ab, `[{"a":1,"b":"x"},{"a":2}]`},
		{`{}`, star, `[{"a":1,"b":"x"},{"c":2}]`},
		{`{}`, input{}, `[]`},
		{`{"omitIfEmpty":true}`, input{}, `-`},
		{`{"fields":["a"]}`, ab, `[{"a":1},{"a":2}]`},
		{`{"dataTemplate":"{{range .}}<{{.a}}>{{end}}"}`, ab, `<1><2>`},
		{`{"dataField":"a"}`, ab, `1`},
		{`{"dataField":"a"}`, input{}, `-`},
		{`{"dataField":"a","format":"delimited"}`, input{}, `-`},
		{`{"format":"delimited"}`, ab, "1,x\n2,"},
		{`{"format":"delimited"}`, star, "1,x,\n,,2"},
		{`{"format":"delimited","fields":["c","a"]}`, star, ",1\n2,"},
		{`{"sendSingle":true}`, input{rows: ab.rows[:1], plain: ab.plain}, `{"a":1,"b":"x"}`},
		{`{"sendSingle":true}`, ab, `error: sendSingle: 2 rows are not one message`},
	} {
		if got := window(t, mustNew(t, tt.props), tt.in.projection(), len(tt.in.rows)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.props, got, tt.want)
		}
	}
}

func TestKinds(t *testing.T) {
	loc := time.FixedZone("", 2*3600)
	c := func(v vec.Value) *vec.Column {
		c := new(vec.Column)
		c.Reset(1)
		c.Set(0, v)
		return c
	}
	bin := new(vec.Column)
	bin.Reset(1)
	bin.SetBytes(0, []byte("abc"), vec.Span{Off: 0, End: 3})
	fault := c(vec.IntValue(1))
	fault.SetFault(0)
	mixed := c(vec.FloatValue(1))
	mixed.Set(0, vec.StringValue("s"))
	computed := &vec.Column{Kind: vec.JSON, Rows: 1, Valid: vec.Bitmap{1}, Vals: []vec.Value{vec.TreeValue(map[string]any{"b": 1.5, "a": []any{int64(1), nil}})}}
	p := &vec.Projection{Fields: []vec.OutField{
		field("a", c(vec.TimeValue(1700000000120)), true),
		field("b", bin, true),
		field("c", c(vec.BytesValue([]byte("abc"))), true),
		field("d", fault, false),
		field("e", mixed, true),
		field("f", computed, false),
		field("g", c(vec.IntValue(math.MinInt64)), false),
		field("h", c(vec.JSONValue(`[ 1 ]`)), false),
		field("i", c(vec.BoolValue(false)), false),
		field("j", c(vec.TreeValue([]any{time.UnixMilli(0).UTC(), []byte("x")})), false),
	}}
	got := rows(t, mustNew(t, `{"sendSingle":true}`, In(loc)), p, 1)[0]
	want := `{"a":"2023-11-15T00:13:20.12+02:00","b":"YWJj","c":"YWJj","e":"s","f":{"a":[1,null],"b":1.5},"g":-9223372036854775808,"h":[1],"i":false,"j":["1970-01-01T00:00:00Z","eA=="]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = rows(t, mustNew(t, `{"sendSingle":true,"format":"delimited"}`), p, 1)[0]
	if want := `2023-11-14T22:13:20.12Z,abc,abc,,s,"{""a"":[1,null],""b"":1.5}",-9223372036854775808,[1],false,"[""1970-01-01T00:00:00Z"",""eA==""]"`; got != want {
		t.Errorf("delimited: got\n%s\nwant\n%s", got, want)
	}
	got = rows(t, mustNew(t, `{"sendSingle":true,"dataTemplate":"{{.a}} {{printf \"%s\" .b}} {{.d}} {{.e}} {{.f.a}} {{index .h 0}}"}`, In(loc)), p, 1)[0]
	if want := `2023-11-15 00:13:20.12 +0200 +0200 abc <no value> s [1 <nil>] 1`; got != want {
		t.Errorf("template: got %s, want %s", got, want)
	}
}

// A star may be a computed tree, as for joins.
func TestStarTree(t *testing.T) {
	star := new(vec.Column)
	star.Reset(2)
	tree := map[string]any{"a": 1.0, "b": "<", "drop": true}
	star.Set(0, vec.TreeValue(tree))
	x := new(vec.Column)
	x.Reset(2)
	x.SetInt(0, 7)
	p := &vec.Projection{Star: star, Fields: []vec.OutField{field("b2", x, false)}, Except: []string{"drop"}}
	for props, want := range map[string]string{
		`{}`:                                     `[{"a":1,"b":"\u003c","b2":7}] [{}]`,
		`{"fields":["a","b2"]}`:                  `[{"a":1,"b2":7}] [{"a":null,"b2":null}]`,
		`{"excludeFields":["b"]}`:                `[{"a":1,"b2":7}] [{}]`,
		`{"sendSingle":true,"omitIfEmpty":true}`: `{"a":1,"b":"\u003c","b2":7} -`,
	} {
		if got := strings.Join(rows(t, mustNew(t, props), p, 2), " "); got != want {
			t.Errorf("%s: got %s, want %s", props, got, want)
		}
	}
	if len(tree) != 3 {
		t.Errorf("the column's tree was written: %v", tree)
	}
}

func TestNotANumber(t *testing.T) {
	c := new(vec.Column)
	c.Reset(3)
	for i, f := range []float64{math.Inf(-1), math.NaN(), 0} {
		c.SetFloat(i, f)
	}
	p := &vec.Projection{Fields: []vec.OutField{field("x", c, false)}}
	want := "error: json: unsupported value: -Inf|error: json: unsupported value: NaN|{\"x\":0}"
	if got := strings.Join(rows(t, mustNew(t, `{"sendSingle":true}`), p, 3), "|"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFloats(t *testing.T) {
	check := func(f float64) {
		t.Helper()
		want, err := stdjson.Marshal(f)
		if err != nil {
			return
		}
		if i, ok := vec.Whole(f); ok && math.Abs(f) > 1<<53 {
			want = strconv.AppendInt(nil, i, 10) // in all its digits
		}
		if got, err := appendFloat(nil, f); string(got) != string(want) || err != nil {
			t.Fatalf("%b: got %s, %v, want %s", f, got, err, want)
		}
	}
	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, -0.5, 20.5, 21.37, 1e-6, 9.9e-7, 1e-7, 1e20, 1e21, 1e22, 1e15, 1e15 + 1, 1 << 53, 0.001, 0.0005, 1.005,
		999999999999.999, 123456789012.5, 5e-324, math.MaxFloat64, 0.30000000000000004, 1.0000000000000002, 1e14 + 0.1, 99.995,
	} {
		check(f)
		check(-f)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		check(math.Float64frombits(r.Uint64()))
		check(math.Round(r.Float64()*1e6) / 1e3)
		check(math.Round(r.NormFloat64()*1e5) / []float64{1, 10, 100, 1000, 10000}[r.IntN(5)])
		check(r.Float64() * math.Pow(10, float64(r.IntN(30)-10)))
		check(math.Nextafter(float64(r.IntN(100000))/1000, 1e9))
	}
}

func TestText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("ab<>&\"\\\x00\x1f\x7f\b\f\n\r\tüß\u2028\u2029\ufffd😀é")
	for range 20000 {
		var b []byte
		for range r.IntN(12) {
			b = append(b, string(alphabet[r.IntN(len(alphabet))])...)
		}
		if len(b) > 0 && r.IntN(2) == 0 {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		want, _ := stdjson.Marshal(string(b))
		if got := appendText(nil, b); string(got) != string(want) {
			t.Fatalf("%q: got %s, want %s", b, got, want)
		}
		if got := appendText(nil, string(b)); string(got) != string(want) {
			t.Fatalf("%q as string: got %s, want %s", b, got, want)
		}
	}
}

func TestCompression(t *testing.T) {
	in := input{rows: []string{`{"a":"` + strings.Repeat("temperature ", 100) + `"}`}, star: true}
	unzip := map[string]func(b []byte) ([]byte, error){
		"zlib": func(b []byte) ([]byte, error) {
			r, err := zlib.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		"gzip": func(b []byte) ([]byte, error) {
			r, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		"flate": func(b []byte) ([]byte, error) { return io.ReadAll(flate.NewReader(bytes.NewReader(b))) },
		"zstd": func(b []byte) ([]byte, error) {
			d, err := zstd.NewReader(nil)
			if err != nil {
				return nil, err
			}
			defer d.Close()
			return d.DecodeAll(b, nil)
		},
	}
	for method, f := range unzip {
		e := mustNew(t, `{"sendSingle":true,"compression":"`+method+`"}`)
		for range 2 {
			out, sent, err := e.AppendMessage([]byte("x"), in.projection(), 0)
			if err != nil || !sent || out[0] != 'x' {
				t.Fatalf("%s: got %v, %v", method, sent, err)
			}
			if len(out) > 200 {
				t.Errorf("%s: %d bytes are not compressed", method, len(out))
			}
			if got, err := f(out[1:]); err != nil || string(got) != in.rows[0] {
				t.Errorf("%s: got %.50q, %v", method, got, err)
			}
		}
	}
}

// The columns of rows that bring their own keep their places from message to message;
// what a reader of CSV would misread is quoted.
func TestOwnColumns(t *testing.T) {
	e, err := new(Interner).Get(map[string]any{"format": "delimited", "sendSingle": true}, AnyColumns())
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ row, want, head string }{
		{`{"b":1,"a":2}`, "2,1", "a,b"},
		{`{"c":3}`, ",,3", "a,b,c"},
		{`{"a":"x"}`, "x,,", "a,b,c"},
		{`{"z,z":null,"B":"1,2","a":"two\nlines"}`, "\"two\nlines\",,,\"1,2\",", `a,b,c,B,"z,z"`},
		{`{"b":"say \"hi\"","a":"\"q\""}`, `"""q""",say "hi",,,`, `a,b,c,B,"z,z"`},
	} {
		p := input{rows: []string{tt.row}, star: true}.projection()
		if got := rows(t, e, p, 1)[0]; got != tt.want {
			t.Errorf("message %d: got %s, want %s", i, got, tt.want)
		}
		if got := string(e.Header(nil, p)); got != tt.head {
			t.Errorf("message %d: got the columns %s, want %s", i, got, tt.head)
		}
	}
	many := `{"a":0`
	for i := range maxColumns {
		many += fmt.Sprintf(`,"k%d":1`, i)
	}
	p := input{rows: []string{many + "}"}, star: true}.projection()
	if _, _, err := e.AppendMessage(nil, p, 0); err == nil {
		t.Error("any number of columns is taken")
	}
	p = input{rows: []string{`{"d":1,"B":2}`}, star: true}.projection()
	if got := rows(t, e, p, 1)[0]; got != ",,,2,,1" {
		t.Errorf("after a message with too many columns: got %.80s", got)
	}
}
