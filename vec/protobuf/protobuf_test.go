package protobuf

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

const plant = `syntax = "proto3";
package plant;
import "google/protobuf/wrappers.proto";
import "google/protobuf/timestamp.proto";
import "unit.proto";

enum State { STOPPED = 0; RUNNING = 1; FAULTY = -2; }

message Machine {
  int32 id = 1;
  string name = 2;
  double temperature = 3;
  float pressure = 4;
  bool on = 5;
  State state = 6;
  bytes blob = 7;
  repeated int64 counts = 8;
  repeated string tags = 9;
  Part motor = 10;
  repeated Part parts = 11;
  map<string, int32> limits = 12;
  map<int32, Part> slots = 13;
  oneof alarm { string text = 14; int64 code = 15; Part part = 16; }
  optional sint32 offset = 17;
  uint64 serial = 18;
  fixed32 crc = 19;
  sfixed64 delta = 20;
  google.protobuf.DoubleValue limit = 21;
  google.protobuf.Timestamp at = 22;
  Unit unit = 23;
  repeated State states = 24;
  repeated sint64 loose = 25 [packed = false];
  Machine next = 26;

  message Part { string name = 1; int64 wear = 2; }
}`

const unit = `syntax = "proto3"; package plant; message Unit { string symbol = 1; }`

func open(path string) (string, bool) { return unit, path == "unit.proto" }

func mustMessage(t testing.TB, name string) *Message {
	t.Helper()
	f, err := Compile("plant.proto", plant, open)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Message(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const full = `{"id":-7,"name":"lathe \"1\"","temperature":21.5,"pressure":0.5,"on":true,"state":-2,"blob":"AP8=","counts":[1,-9007199254740993],` +
	`"tags":["a",""],"motor":{"name":"m","wear":3},"parts":[{"name":"p","wear":0},{"name":"","wear":1}],"limits":{"a":1,"b":-1},` +
	`"slots":{"-1":{"name":"s","wear":0}},"code":9007199254740993,"offset":-5,"serial":5,"crc":4294967295,"delta":-1,"limit":1.5,` +
	`"at":{"seconds":1,"nanos":2},"unit":{"symbol":"C"},"states":[1,0],"loose":[-1,2],"next":null}`

const none = `{"id":0,"name":"","temperature":0,"pressure":0,"on":false,"state":0,"blob":"","counts":[],"tags":[],"motor":null,"parts":[],` +
	`"limits":{},"slots":{},"serial":0,"crc":0,"delta":0,"limit":null,"at":null,"unit":null,"states":[],"loose":[],"next":null}`

func TestRoundTrip(t *testing.T) {
	m := mustMessage(t, "Machine")
	r := m.NewReader()
	for _, text := range []string{full, none} {
		row, err := rawjson.Parse([]byte(text), true)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.Append(nil, row.(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.AppendJSON([]byte("x"), b)
		if err != nil || string(got) != "x"+text {
			t.Errorf("got  %s, %v\nwant x%s", got, err, text)
		}
	}
}

// The bytes are those of the protobuf library.
func TestWireFormat(t *testing.T) {
	f, err := Compile("plant.proto", plant, open)
	if err != nil {
		t.Fatal(err)
	}
	d := f.file.Messages().ByName("Machine")
	row, err := rawjson.Parse([]byte(full), true)
	if err != nil {
		t.Fatal(err)
	}
	m := f.message(d)
	ours, err := m.Append(nil, row.(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	msg := dynamicpb.NewMessage(d)
	if err := proto.Unmarshal(ours, msg); err != nil {
		t.Fatal(err)
	}
	if len(msg.GetUnknown()) > 0 {
		t.Errorf("unknown fields: %x", msg.GetUnknown())
	}
	msg.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() == "delta" && v.Int() != -1 || fd.Name() == "offset" && v.Int() != -5 || fd.Name() == "crc" && v.Uint() != math.MaxUint32 {
			t.Errorf("%s: got %v", fd.Name(), v)
		}
		return true
	})
	theirs, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.NewReader().AppendJSON(nil, theirs)
	if err != nil || string(got) != full {
		t.Errorf("got %s, %v", got, err)
	}
}

// wire builds a message by hand.
type wire []byte

func (w wire) varint(n protowire.Number, v uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, n, protowire.VarintType), v)
}

func (w wire) bytes(n protowire.Number, v []byte) wire {
	return protowire.AppendBytes(protowire.AppendTag(w, n, protowire.BytesType), v)
}

func TestWireRules(t *testing.T) {
	m := mustMessage(t, "plant.Machine")
	part := func(name string, wear uint64) (w wire) {
		if name != "" {
			w = w.bytes(1, []byte(name))
		}
		if wear != 0 {
			w = w.varint(2, wear)
		}
		return w
	}
	for what, c := range map[string]struct {
		msg  wire
		want string // a part of the object
	}{
		"the last scalar counts":              {wire{}.varint(1, 1).varint(1, 2), `"id":2,`},
		"parts of a message are one":          {wire{}.bytes(10, part("m", 0)).varint(1, 1).bytes(10, part("", 4)), `"motor":{"name":"m","wear":4}`},
		"lists grow, packed or not":           {wire{}.varint(8, 1).bytes(8, []byte{2, 3}).varint(8, 4), `"counts":[1,2,3,4]`},
		"a oneof has its last field":          {wire{}.bytes(14, []byte("x")).varint(15, 3), `"code":3,"serial"`},
		"a oneof forgets":                     {wire{}.bytes(16, part("x", 1)).varint(15, 3).bytes(16, part("", 2)), `"part":{"name":"","wear":2}`},
		"unknown fields are skipped":          {wire{}.varint(99, 1).bytes(98, []byte("x")).varint(1, 5), `"id":5`},
		"a field of another type is unknown":  {wire{}.bytes(1, []byte("x")).varint(2, 7), `"id":0,"name":""`},
		"of equal keys of a map the last":     {wire{}.bytes(12, wire{}.bytes(1, []byte("a")).varint(2, 1)).bytes(12, wire{}.bytes(1, []byte("a")).varint(2, 2)), `"limits":{"a":2}`},
		"a map without key and value":         {wire{}.bytes(13, nil), `"slots":{"0":{"name":"","wear":0}}`},
		"text that is no UTF-8":               {wire{}.bytes(2, []byte("a\xffb\x01\n")), `"name":"a` + "\uFFFD" + `b\u0001\n"`},
		"no number":                           {protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), math.Float64bits(math.NaN())), `"temperature":null`},
		"a number of 32 bits beyond them":     {wire{}.varint(1, math.MaxUint64), `"id":-1,`},
		"an empty message is there":           {wire{}.bytes(10, nil).bytes(21, nil), `"motor":{"name":"","wear":0}`},
		"an empty wrapper is its default":     {wire{}.bytes(21, nil), `"limit":0`},
		"a message within one of its type":    {wire{}.bytes(26, wire{}.varint(1, 4)), `"next":{"id":4,`},
		"small and large numbers as JSON has": {protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), math.Float64bits(1e-9)), `"temperature":1e-9`},
	} {
		got, err := m.NewReader().AppendJSON(nil, c.msg)
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s: got %s, %v, want %s", what, got, err, c.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s: no JSON: %s", what, got)
		}
	}
}

func TestBadMessages(t *testing.T) {
	m := mustMessage(t, "Machine")
	deep := wire{}
	for range maxDepth + 2 {
		deep = wire{}.bytes(26, deep)
	}
	many := wire{}
	for range 1 << 17 {
		many = many.bytes(26, nil)
	}
	f, err := Compile("list.proto", `syntax="proto3"; message L { repeated W w = 1; map<int32, W> m = 2; } message W { string `+strings.Repeat("x", 500)+` = 1; }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Message("L")
	if err != nil {
		t.Fatal(err)
	}
	large, pairs := wire{}, wire{}
	for i := range 1 << 17 {
		large = large.bytes(1, nil)
		pairs = pairs.bytes(2, protowire.AppendVarint([]byte{8}, uint64(i)))
	}
	for what, c := range map[string]struct {
		m    *Message
		msg  wire
		want string
	}{
		"cut short":   {m, wire{0x0a}, "cut short"},
		"no tag":      {m, wire{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "not the wire format"},
		"field 0":     {m, wire{0}, "not the wire format"},
		"end of none": {m, wire{0x0c}, "wire type 4 of field 1"},
		"JSON":        {m, wire(`{"id":1}`), "protobuf: message plant.Machine: "},
		"deep":        {m, deep, "nested more than 100 deep"},
		"packed list": {m, wire{}.bytes(8, []byte{0x80}), `field "counts": cut short`},
		"map":         {m, wire{}.bytes(12, []byte{0x0a}), `field "limits": cut short`},
		"large":       {list, large, "more than 32 MiB as JSON"},
		"large map":   {list, pairs, "more than 32 MiB as JSON"},
	} {
		got, err := c.m.NewReader().AppendJSON(nil, c.msg)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got) > 0 {
			t.Errorf("%s: got %.100s, %v, want %s", what, got, err, c.want)
		}
	}
	if _, err := m.NewReader().AppendJSON(nil, many); err != nil {
		t.Errorf("a message in many parts: %v", err)
	}
}

func TestBadRows(t *testing.T) {
	m := mustMessage(t, "Machine")
	for row, want := range map[string]string{
		`{"id":1.5}`:                      `message plant.Machine: field "id": want a whole number (int32), got 1.5`,
		`{"id":2147483648}`:               `field "id": 2147483648 does not fit into int32`,
		`{"id":"1"}`:                      `field "id": want a whole number (int32), got "1"`,
		`{"name":1}`:                      `field "name": want a text, got 1`,
		`{"temperature":true}`:            `field "temperature": want a number (double), got true`,
		`{"on":1}`:                        `field "on": want a boolean, got 1`,
		`{"blob":"*"}`:                    `field "blob": want bytes, or base64 text, got "*"`,
		`{"counts":1}`:                    `field "counts": want an array, got 1`,
		`{"counts":[1,"a"]}`:              `field "counts": element 1: want a whole number (int64), got "a"`,
		`{"counts":[null]}`:               `field "counts": element 0: want a whole number (int64), got null`,
		`{"motor":[]}`:                    `field "motor": want an object, got an array`,
		`{"motor":{"wear":{}}}`:           `field "motor": field "wear": want a whole number (int64), got an object`,
		`{"limits":1}`:                    `field "limits": want an object, got 1`,
		`{"slots":{"x":{}}}`:              `field "slots": key "x": want int32`,
		`{"state":"BROKEN"}`:              `field "state": the enum has no value "BROKEN"`,
		`{"crc":-1}`:                      `field "crc": -1 does not fit into fixed32`,
		`{"limits":{"a":99999999999}}`:    `field "limits": key "a": field "value": 99999999999 does not fit into int32`,
		`{"parts":[{"name":"a"},"part"]}`: `field "parts": element 1: want an object, got "part"`,
	} {
		x, err := rawjson.Parse([]byte(row), true)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := m.Append(nil, x.(map[string]any)); err == nil || !strings.Contains(err.Error(), want) || len(b) > 0 {
			t.Errorf("%s: got %x, %v, want %s", row, b, err, want)
		}
	}
}

// Computed rows hold instants, bytes and names of enums.
func TestAppendComputed(t *testing.T) {
	m := mustMessage(t, "Machine")
	at := time.UnixMilli(1500).UTC()
	b, err := m.Append(nil, map[string]any{"name": at, "delta": at, "blob": []byte{1}, "state": "RUNNING", "other": 1, "id": 3.0, "limit": 2.0})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.NewReader().AppendJSON(nil, b)
	for _, want := range []string{`"name":"1970-01-01T00:00:01.5Z"`, `"delta":1500`, `"blob":"AQ=="`, `"state":1`, `"id":3`, `"limit":2`} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestProto2(t *testing.T) {
	f, err := Compile("old.proto", `syntax = "proto2";
message Old {
  required string id = 1;
  optional int32 level = 2 [default = 7];
  optional group Box = 3 { optional bool open = 4 [default = true]; }
  repeated float f = 5;
  extensions 100 to 200;
}
extend Old { optional int32 more = 100; }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Message("Old")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Append(nil, map[string]any{"level": int64(1)}); err == nil || !strings.Contains(err.Error(), `field "id": missing, but required`) {
		t.Errorf("required: got %v", err)
	}
	b, err := m.Append(nil, map[string]any{"id": "x", "box": map[string]any{}, "f": []any{0.1, 2.0}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.NewReader().AppendJSON(nil, b)
	if want := `{"id":"x","level":7,"box":{"open":true},"f":[0.10000000149011612,2]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestFields(t *testing.T) {
	got := map[string]vec.Type{}
	for _, f := range mustMessage(t, "Machine").Fields() {
		got[f.Name] = f.Type
	}
	for name, want := range map[string]vec.Kind{
		"id": vec.Int64, "name": vec.String, "temperature": vec.Float64, "pressure": vec.Float64, "on": vec.Bool, "state": vec.Int64, "blob": vec.Bytes,
		"counts": vec.JSON, "motor": vec.JSON, "limits": vec.Missing, "limit": vec.Float64, "next": vec.Missing, "code": vec.Int64,
	} {
		if got[name].Kind != want {
			t.Errorf("%s: got %v, want %v", name, got[name].Kind, want)
		}
	}
	if c := got["counts"]; !c.Array() || c.Elem.Kind != vec.Int64 {
		t.Errorf("counts: got %+v", c)
	}
	if p := got["parts"]; !p.Array() || len(p.Elem.Fields) != 2 {
		t.Errorf("parts: got %+v", p)
	}
}

// Messages that hold each other many times are not written out.
func TestFieldsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`syntax="proto3";`)
	for _, level := range "ABCDEFGH" {
		b.WriteString("message " + string(level) + " {")
		for i := range 9 {
			b.WriteString(string(level+1) + " f" + string(rune('0'+i)) + " = " + string(rune('1'+i)) + ";")
		}
		b.WriteString("}")
	}
	b.WriteString("message I { int32 x = 1; }")
	f, err := Compile("x.proto", b.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Message("A")
	if err != nil {
		t.Fatal(err)
	}
	var count func(list []vec.Field) int
	count = func(list []vec.Field) int {
		n := len(list)
		for _, f := range list {
			n += count(f.Type.Fields)
		}
		return n
	}
	if n := count(m.Fields()); n > maxDeclared || n < maxDeclared/2 {
		t.Errorf("%d fields", n)
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`message`: "a.proto:1:8: syntax error",
		`syntax="proto3"; message M { Part p = 1; }`:          "a.proto:1:30: field M.p: unknown type Part",
		`syntax="proto3"; message M { int32 a=1; int32 b=1;}`: "both have the same tag 1",
		`import "x.proto";`:                            "there is no such schema",
		`syntax="proto3"; message M { A a=1; B b=2; }`: "unknown type B",
		`syntax="proto9";`:                             "syntax value must be",
		"\x00\xff":                                     "a.proto:1:1",
	} {
		if _, err := Compile("a.proto", text, func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	f, err := Compile("plant.proto", plant, open)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Nope", "", "a b", "State", "plant.proto"} {
		if _, err := f.Message(name); err == nil || !strings.Contains(err.Error(), "message ") {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if _, err := f.Message("Machine.Part"); err != nil {
		t.Error(err)
	}
	if _, err := f.Message("Nope"); !strings.Contains(err.Error(), "Machine, Machine.Part") {
		t.Errorf("got %v", err)
	}
}

func FuzzReader(f *testing.F) {
	m := mustMessage(f, "Machine")
	row, err := rawjson.Parse([]byte(full), true)
	if err != nil {
		f.Fatal(err)
	}
	b, err := m.Append(nil, row.(map[string]any))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Add([]byte(wire{}.bytes(12, []byte{0x0a})))
	f.Add([]byte(wire{}.bytes(26, b)))
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := m.NewReader().AppendJSON(nil, msg)
		if err != nil {
			return
		}
		if clean, err := rawjson.Valid(got); err != nil || !clean {
			t.Errorf("%x: %s: clean %v, %v", msg, got, clean, err)
		}
		x, err := rawjson.Parse(got, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Append(nil, x.(map[string]any)); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	})
}

func TestReaderAllocs(t *testing.T) {
	m := mustMessage(t, "Machine.Part")
	b, err := m.Append(nil, map[string]any{"name": "x", "wear": int64(5)})
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewReader()
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst, err = r.AppendJSON(dst[:0], b) }); n > 0 || err != nil {
		t.Errorf("%v allocations, %v", n, err)
	}
}

func BenchmarkReader(b *testing.B) {
	m := mustMessage(b, "Machine.Part")
	msg, err := m.Append(nil, map[string]any{"name": "spindle", "wear": int64(512)})
	if err != nil {
		b.Fatal(err)
	}
	r := m.NewReader()
	var dst []byte
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = r.AppendJSON(dst[:0], msg); err != nil {
			b.Fatal(err)
		}
	}
}
