package rawjson

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/vec"
)

const sample = ` {"a" : {"b":[1, {"c":"x\"y"} ,[]],"a\u0062":2,"e":{}}, "t":true, "n":null,
	"s":"gr\u00fc\u00dfe \ud83d\ude00","dup":1,"dup":{"x":[2]}, "f":-1.5e3 } `

func TestGet(t *testing.T) {
	tests := []struct {
		path string
		want string // "-": not there
	}{
		{"", strings.TrimSpace(sample)},
		{"a b", `[1, {"c":"x\"y"} ,[]]`},
		{"a ab", "2"},
		{`a a\u0062`, "-"},
		{"a e", "{}"},
		{"a e x", "-"},
		{"t", "true"},
		{"t x", "-"},
		{"n", "null"},
		{"f", "-1.5e3"},
		{"dup", `{"x":[2]}`},
		{"dup x", "[2]"},
		{"A", "-"},
	}
	for _, tt := range tests {
		got, ok := Get([]byte(sample), strings.Fields(tt.path)...)
		if !ok {
			got = []byte("-")
		}
		if string(got) != tt.want {
			t.Errorf("Get %q: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestIndexLenKeys(t *testing.T) {
	list := []byte(` [ 1 , "a,]" ,{"x":[1,2]}, [ ] ] `)
	for i, want := range []string{"1", `"a,]"`, `{"x":[1,2]}`, "[ ]", "-"} {
		got, ok := Index(list, i)
		if !ok {
			got = []byte("-")
		}
		if string(got) != want {
			t.Errorf("Index %d: got %s, want %s", i, got, want)
		}
	}
	if _, ok := Index(list, -1); ok {
		t.Error("Index -1: got an element")
	}
	for raw, want := range map[string]int{string(list): 4, "[]": 0, " { }": 0, sample: 6, "1": -1, "": -1, `"ab"`: -1, "[1,": 1} {
		if got := Len([]byte(raw)); got != want {
			t.Errorf("Len %s: got %d, want %d", raw, got, want)
		}
	}
	if got, want := fmt.Sprint(Keys([]byte(sample))), "[a t n s dup f]"; got != want {
		t.Errorf("Keys: got %s, want %s", got, want)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"k%d":%d`, i%40, i))
	}
	if got := len(Keys([]byte("{" + strings.Join(many, ",") + "}"))); got != 40 {
		t.Errorf("Keys of a large object: got %d, want 40", got)
	}
}

func TestTypeOfAndValue(t *testing.T) {
	tests := []struct {
		raw   string
		typ   Type
		value vec.Value
	}{
		{" null", Null, vec.NullValue},
		{"true", Bool, vec.BoolValue(true)},
		{"false ", Bool, vec.BoolValue(false)},
		{"12", Number, vec.IntValue(12)},
		{"12.0", Number, vec.FloatValue(12)},
		{"9223372036854775808", Number, vec.FloatValue(9223372036854775808)},
		{"1e999", Number, vec.Value{}},
		{` "a\nb" `, String, vec.StringValue("a\nb")},
		{`"a\qb"`, String, vec.Value{}},
		{"[1]", Array, vec.Value{Kind: vec.JSON, S: "[1]", Ints: true}},
		{` {"a":1}`, Object, vec.Value{Kind: vec.JSON, S: `{"a":1}`, Ints: true}},
		{"", Invalid, vec.Value{}},
		{"nan", Null, vec.NullValue}, // scalars are not checked letter by letter
		{"x", Invalid, vec.Value{}},
	}
	for _, tt := range tests {
		if got := TypeOf([]byte(tt.raw)); got != tt.typ {
			t.Errorf("TypeOf %s: got %d, want %d", tt.raw, got, tt.typ)
		}
		if got := Value([]byte(tt.raw), true); got.Kind != tt.value.Kind || got.S != tt.value.S || got.I != tt.value.I || got.F != tt.value.F {
			t.Errorf("Value %s: got %+v, want %+v", tt.raw, got, tt.value)
		}
	}
	if got := Value([]byte("12"), false); got.Kind != vec.Float64 {
		t.Errorf("Value of 12 without ints: got %s, want float", got.Kind)
	}
}

// texts are valid and invalid, clean and not; the checks compare with encoding/json.
var texts = []string{
	`{}`, `[]`, `null`, `true`, `0`, `-0`, `1.5`, `1e5`, `1E+5`, `-1.25e-7`, `"x"`, `""`,
	`{"a":1,"b":[1,2,{"c":null}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{ "a":1}`, "[1,\n2]", ` 1`, `1 `,
	`"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, `"\\ud83d"`, `"\"\\\/\b\f\n\r\t\u00e9"`,
	"\"\xff\"", "{\"\xff\":1}", "\"a\x01b\"", "\"\x7f\"", `"\q"`, `"\u12g4"`, `"\u123`,
	`01`, `-`, `+1`, `1.`, `.5`, `1e`, `1e+`, `NaN`, `Infinity`, `nul`, `truex`, `[1,]`, `[,1]`, `[1 2]`, `{"a"}`, `{"a":}`,
	`{"a":1,}`, `{a:1}`, `{"a" 1}`, `{"a":1`, `[1`, `"abc`, ``, ` `, `1 2`, `{}{}`, `]`, `}`, `{"a":[}]`, `[1}`, `'a'`,
	`{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"ka":0,"kb":1,"kc":2,"kd":3,"ke":4,"kf":5,"kg":6,"k0":7}`,
	strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
	`12345678901234567890`, `0.1234567890123456`, `123456789.123456789e-30`, `5e-324`, `1.7976931348623157e308`,
}

func TestValid(t *testing.T) {
	for _, raw := range texts {
		checkValid(t, []byte(raw))
	}
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for _, raw := range []string{deep, strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20)} {
		if _, err := Valid([]byte(raw)); err == nil {
			t.Errorf("%d levels: got no error", strings.Count(raw, "["))
		}
		if _, err := Parse([]byte(raw), false); err == nil {
			t.Errorf("Parse %d levels: got no error", strings.Count(raw, "["))
		}
		TypeOf([]byte(raw))
		Len([]byte(raw))
		Get([]byte(raw), "a", "a")
	}
}

// checkValid compares Valid, Parse and AppendCompact with encoding/json.
func checkValid(t *testing.T, raw []byte) {
	t.Helper()
	clean, err := Valid(raw)
	if got, want := err == nil, json.Valid(raw); got != want {
		if want && strings.Contains(err.Error(), "nested") {
			return
		}
		t.Fatalf("Valid %q: got %v, want %v", raw, err, want)
	}
	var want any
	wantErr := json.Unmarshal(raw, &want)
	got, gotErr := Parse(raw, false)
	if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("Parse %q: got %#v, %v, want %#v, %v", raw, got, gotErr, want, wantErr)
	}
	compact, compactErr := AppendCompact([]byte("x"), raw)
	if (compactErr == nil) != (err == nil) {
		t.Fatalf("AppendCompact %q: got %v, want %v", raw, compactErr, err)
	}
	if err != nil {
		if string(compact) != "x" {
			t.Fatalf("AppendCompact %q: got %q after an error, want x", raw, compact)
		}
		return
	}
	compact = compact[1:]
	if clean != (string(compact) == string(raw)) && clean {
		t.Fatalf("AppendCompact %q: got %q, want it unchanged", raw, compact)
	}
	if c, err := Valid(compact); err != nil || !c {
		t.Fatalf("AppendCompact %q: got %q, which is not clean (%v)", raw, compact, err)
	}
	if wantErr == nil {
		var back any
		if err := json.Unmarshal(compact, &back); err != nil || !reflect.DeepEqual(back, want) {
			t.Fatalf("AppendCompact %q: got %q, want the same value", raw, compact)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, raw := range append(texts, sample) {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkValid(t, raw)
		// None of these may panic, whatever raw holds.
		Len(raw)
		Get(raw, "a", "b")
		Index(raw, 1)
		Unquote(raw)
		Value(raw, true)
		Members(raw, func(key, _ []byte) bool { UnescapeKey(key); return true })
	})
}

func TestClean(t *testing.T) {
	for raw, want := range map[string]bool{
		`{"a":1,"b":{"a":2}}`: true, `[{"a":1},{"a":2}]`: true, `{"a":1,"a":1}`: false, `{"a":{"x":1,"x":2}}`: false,
		`{"a":1,"\u0061":2}`: false, `{"a": 1}`: false, "1\n": false, "\"\xc3\"": false, `"ü  "`: true,
	} {
		if got, err := Valid([]byte(raw)); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", raw, got, err, want)
		}
	}
}

func TestCompactOrder(t *testing.T) {
	got, err := AppendCompact(nil, []byte(` {"b":1, "a" : [ 1 , {"x":1.50,"y":0,"x":2} ], "b":12345678901234567890 } `))
	if want := `{"b":12345678901234567890,"a":[1,{"x":2,"y":0}]}`; string(got) != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestErrors(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a":01}`:   `json: offset 6: unexpected '1', want a comma or the end of the object`,
		`[1,x]`:      `json: offset 3: unexpected 'x', want a value`,
		`{"a":"b`:    `json: unexpected end of text`,
		`{"a":"\q"}`: `json: offset 6: unknown escape in a string`,
		"\"\x02\"":   `json: offset 1: control character 0x02 in a string`,
		`[nul]`:      `json: offset 1: want null`,
		`1e999`:      "json: offset 0: number beyond the range of float64",
	} {
		if _, err := Parse([]byte(raw), false); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", raw, err, want)
		}
	}
}

func TestUnquote(t *testing.T) {
	for raw, want := range map[string]string{`"a"`: "a", ` "\u00e9\ud83d\ude00\ud83d\/" `: "é😀\ufffd/", "\"\xff\"": "\ufffd", `""`: ""} {
		got, ok := Unquote([]byte(raw))
		if got != want || !ok {
			t.Errorf("%s: got %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", `"`, `"\"`, "a", `"a"b"`, `"\u12"`, `"\x"`} {
		if got, ok := Unquote([]byte(raw)); ok {
			t.Errorf("%s: got %q, want none", raw, got)
		}
	}
}

func TestParseInts(t *testing.T) {
	got, err := Parse([]byte(`[1,1.0,9223372036854775807,9223372036854775808]`), true)
	if want := []any{int64(1), 1.0, int64(math.MaxInt64), 9223372036854775808.0}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestTreeAndFromAny(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	tree := map[string]any{"a": []any{int64(1)}}
	tests := []struct {
		v vec.Value
		x any
	}{
		{vec.NullValue, nil},
		{vec.BoolValue(true), true},
		{vec.IntValue(3), int64(3)},
		{vec.FloatValue(2.5), 2.5},
		{vec.StringValue("s"), "s"},
		{vec.BytesValue([]byte("b")), []byte("b")},
		{vec.TimeValue(at.UnixMilli()), at},
		{vec.TreeValue(tree), tree},
	}
	for _, tt := range tests {
		if got := Tree(tt.v); !reflect.DeepEqual(got, tt.x) {
			t.Errorf("Tree %+v: got %#v, want %#v", tt.v, got, tt.x)
		}
		if got := FromAny(tt.x); !reflect.DeepEqual(got, tt.v) {
			t.Errorf("FromAny %#v: got %+v, want %+v", tt.x, got, tt.v)
		}
	}
	if got := Tree(vec.JSONValue(`{"a":[1]}`)); !reflect.DeepEqual(got, map[string]any{"a": []any{1.0}}) {
		t.Errorf("Tree of raw text: got %#v", got)
	}
	if got := Tree(vec.JSONValue(`{"a`)); got != nil {
		t.Errorf("Tree of broken text: got %#v, want nil", got)
	}
	if got := Tree(vec.Value{}); got != nil {
		t.Errorf("Tree of missing: got %#v, want nil", got)
	}
	one := 1
	for _, tt := range []struct {
		x    any
		want vec.Value
	}{
		{1, vec.IntValue(1)},
		{uint8(1), vec.IntValue(1)},
		{uint64(math.MaxUint64), vec.FloatValue(math.MaxUint64)},
		{float32(1.5), vec.FloatValue(1.5)},
		{[]int{1}, vec.TreeValue([]any{int64(1)})},
		{&one, vec.IntValue(1)},
		{map[string]int{"a": 1}, vec.TreeValue(map[string]any{"a": int64(1)})},
		{json.Number("1"), vec.StringValue("1")},
		{map[int]int{1: 1}, vec.NullValue},
		{make(chan int), vec.NullValue},
		{(*int)(nil), vec.NullValue},
	} {
		if got := FromAny(tt.x); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("FromAny %T %v: got %+v, want %+v", tt.x, tt.x, got, tt.want)
		}
	}
}

func TestPoolLetsLargeParsersGo(t *testing.T) {
	p := getParser(maxPooledBytes + 1)
	putParser(p)
	if q := getParser(1); q == p {
		t.Error("a parser that met a large payload came back")
	}
}

func TestAllocs(t *testing.T) {
	raw := []byte(`{"temperature":{"actual":{"value":"21.5"},"unit":"C"},"list":[1,2,3],"clean":true}`)
	list := []byte(`[1,2,3]`)
	buf := make([]byte, 0, 256)
	for name, f := range map[string]func(){
		"Get":           func() { Get(raw, "temperature", "actual", "value") },
		"Index":         func() { Index(list, 2) },
		"Len":           func() { Len(list) },
		"Valid":         func() { Valid(raw) },
		"AppendCompact": func() { buf, _ = AppendCompact(buf[:0], raw) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	raw := []byte(`{"event_id":"x","timestamp":1700000000,"twin":{"temperature":{"actual":{"value":"21.5","metadata":{"timestamp":1700000000000}},"optional":false,"metadata":{"type":"Updated"}}}}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		Get(raw, "twin", "temperature", "actual", "value")
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(`{"temperature":{"actual":{"value":"21.5","metadata":{"timestamp":1700000000000}},"list":[1,2,3.25]}}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValid(b *testing.B) {
	raw := []byte(`{"temperature":{"actual":{"value":"21.5","metadata":{"timestamp":1700000000000}},"list":[1,2,3.25]}}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Valid(raw); err != nil {
			b.Fatal(err)
		}
	}
}
