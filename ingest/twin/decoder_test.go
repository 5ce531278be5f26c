package twin

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// models has model files in each of their forms.
const models = "model/testdata"

// load reads model files of the directory models.
func load(t testing.TB, path string) *model.Models {
	t.Helper()
	m, err := model.Load(path, models)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// from loads model files from a directory.
func from(dir string) Loader {
	return func(path string) (*model.Models, error) { return model.Load(path, dir) }
}

// parse reads the text of a model file.
func parse(t testing.TB, text string) *model.Models {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, path)
}

// spec reads a column's name: a path with arrows, @key for metadata, @* for all
// of it, * for the whole row.
func spec(name string) vec.ColumnSpec {
	var c vec.ColumnSpec
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		c.Meta, name = true, rest
	}
	if name != "*" {
		c.Path = strings.Split(name, "->")
	}
	return c
}

func plan(names ...string) *vec.Plan {
	var cols []vec.ColumnSpec
	for _, n := range names {
		cols = append(cols, spec(n))
	}
	return vec.NewPlan(1, cols)
}

// show writes a value with its kind.
func show(v vec.Value) string {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return v.Kind.String()
	case vec.Float64:
		if v.I != 0 {
			return vec.NumberText(v)
		}
		return fmt.Sprint(v.F)
	case vec.Int64:
		return fmt.Sprint(v.I, "i")
	case vec.Bool:
		return fmt.Sprint(v.I != 0)
	case vec.String:
		return fmt.Sprintf("%q", v.S)
	}
	if v.Ints {
		return v.S + "i"
	}
	return v.S
}

type harness struct {
	t    testing.TB
	in   *ingest.Inbox
	feed *ingest.Feed
}

func newHarness(t testing.TB, o Options, fo ingest.Options, p *vec.Plan) *harness {
	t.Helper()
	fo.NewDecoder = New(o, fo)
	h := &harness{t: t, in: ingest.NewInbox()}
	var err error
	if h.feed, err = ingest.NewFeed(h.in, fo); err != nil {
		t.Fatal(err)
	}
	h.feed.SetPlan(p)
	return h
}

func (h *harness) push(topic string, payload ...string) {
	h.t.Helper()
	h.feed.Begin(999)
	for _, p := range payload {
		if err := h.feed.Push([]byte(p), h.feed.Route([]uint32{1}), &ingest.Meta{Topic: topic}, ingest.Ack{}); err != nil {
			h.t.Fatal(err)
		}
	}
	h.feed.End()
}

// rows returns all rows that wait, a line each; missing columns are left out.
func (h *harness) rows(names []string) []string {
	var out []string
	for {
		f, b := h.in.Take()
		if b == nil {
			return out
		}
		for row := range b.Rows {
			var line []string
			for i, n := range names {
				if b.Cols[i].Present.Has(row) {
					line = append(line, n+"="+show(b.Cols[i].Value(row)))
				}
			}
			out = append(out, strings.Join(line, " "))
		}
		f.Done(b)
	}
}

const updateTopic = "$hw/events/device/plant/d1/twin/update"

func TestDecode(t *testing.T) {
	models := parse(t, `{
		"deviceInstances":[{"id":"d1","name":"d1","model":"m"}],
		"deviceModels":[{"name":"m","properties":[
			{"name":"temperature","dataType":"float"},{"name":"count","dataType":"int"},{"name":"on","dataType":"boolean"},
			{"name":"label","dataType":"string"},{"name":"io-data","dataType":"int"},{"name":"a/b","dataType":"int"},{"name":"device","dataType":"int"}]}]}`)
	document := "$hw/events/device/plant/d1/twin/update/document"
	data := "$ke/events/device/d1/data/update"
	for _, c := range []struct {
		name, cols, topic, payload, want string
		bad                              uint64
		raw                              bool // without the model
	}{
		{
			"update", "temperature device namespace device_id model kind ts", updateTopic,
			`{"event_id":"","timestamp":1721900000123,"twin":{"temperature":{"actual":{"value":"25.5"},"metadata":{"type":"int"}}}}`,
			`temperature=25.5 device="d1" namespace="plant" device_id="plant/d1" model="m" kind="update" ts=1721900000123i`, 0, false,
		},
		{
			"raw columns", "twin->temperature->actual->value twin event_id timestamp temperature", updateTopic,
			`{"event_id":"","timestamp":5,"twin":{"temperature":{"actual":{"value":"25"}}}}`,
			`twin->temperature->actual->value="25" twin={"temperature":{"actual":{"value":"25"}}} event_id="" timestamp=5 temperature=25`, 0, false,
		},
		{
			"type of the message", "temperature count on label", updateTopic,
			`{"twin":{"count":{"actual":{"value":"7"},"metadata":{"type":"int"}},"temperature":{"metadata":{"type":"Float"},"actual":{"value":"7"}},"on":{"actual":{"value":"true"},"metadata":{"type":"boolean"}},"label":{"actual":{"value":"25C"},"metadata":{"type":"Updated"}}}}`,
			`temperature=7 count=7i on=true label="25C"`, 0, true,
		},
		{"no type", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"7"},"metadata":{"tyep":"int"}}}}`, `count="7"`, 0, true},
		{"model before message", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"7"},"metadata":{"type":"string"}}}}`, `count=7i`, 0, false},
		{"case", "Temperature", updateTopic, `{"twin":{"Temperature":{"actual":{"value":"7"}}}}`, `Temperature=7`, 0, false},
		{"whole float for int", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"26.0"}}}}`, `count=26i`, 0, false},
		{"unit in int", "count temperature", updateTopic, `{"twin":{"count":{"actual":{"value":"25C"}},"temperature":{"actual":{"value":"1"}}}}`, `count=null temperature=1`, 1, false},
		{"int64", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"9223372036854775807"}}}}`, `count=9223372036854775807i`, 0, false},
		{"int64 as number", "count", updateTopic, `{"twin":{"count":{"actual":{"value":9007199254740993}}}}`, `count=9007199254740993i`, 0, false},
		{"empty value", "count label", updateTopic, `{"twin":{"count":{"actual":{"value":""}},"label":{"actual":{"value":""}}}}`, `count=null label=""`, 1, false},
		{
			"JSON scalars", "temperature count on label", updateTopic,
			`{"twin":{"temperature":{"actual":{"value":24}},"count":{"actual":{"value":true}},"on":{"actual":{"value":1}},"label":{"actual":{"value":24.50}}}}`,
			`temperature=24 count=1i on=true label="24.50"`, 0, false,
		},
		{
			"JSON scalars of no type", "temperature on label", updateTopic,
			`{"twin":{"temperature":{"actual":{"value":24.5}},"on":{"actual":{"value":false}},"label":{"actual":{"value":{"a":1}}}}}`,
			`temperature=24.5 on=false label={"a":1}`, 0, true,
		},
		{"nested for a number", "count", updateTopic, `{"twin":{"count":{"actual":{"value":[1]}}}}`, `count=null`, 1, false},
		{"null value", "count", updateTopic, `{"twin":{"count":{"actual":{"value":null}}}}`, `count=null`, 0, false},
		{"null twin", "count", updateTopic, `{"twin":{"count":null}}`, `count=null`, 0, false},
		{"null actual", "count", updateTopic, `{"twin":{"count":{"actual":null}}}`, `count=null`, 0, false},
		{"no value", "count", updateTopic, `{"twin":{"count":{"actual":{}}}}`, ``, 0, false},
		{"deleted", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"5"},"metadata":{"type":"deleted"}}}}`, `count=null`, 0, false},
		{"no twins", "count kind", updateTopic, `{"twin":{}}`, `kind="update"`, 0, false},
		{"nothing", "count twin ts", updateTopic, `{}`, `ts=999i`, 0, false},
		{
			"document", "temperature kind", document,
			`{"event_id":"","timestamp":1795300909820,"twin":{"temperature":{"last":{"actual":{"value":"25","metadata":{"timestamp":1}},"optional":true,"metadata":{"type":"int"}},"current":{"actual":{"value":"26","metadata":{"timestamp":2}},"optional":true,"metadata":{"type":"float"}}}}}`,
			`temperature=26 kind="document"`, 0, true,
		},
		{
			"document of DMI", "temperature", document,
			`{"twin":{"temperature":{"last":null,"current":{"expected":{"value":"","metadata":{"timestamp":3}},"actual":{"value":"25.1","metadata":{"timestamp":3}},"optional":true,"metadata":{"type":"string"}}}}}`,
			`temperature=25.1`, 0, false,
		},
		{"document of a deletion", "temperature", document, `{"twin":{"temperature":{"last":{"actual":{"value":"25"}},"current":null}}}`, `temperature=null`, 0, false},
		{
			"delta", "on kind delta->on", updateTopic + "/delta",
			`{"twin":{"on":{"expected":{"value":"ON"},"metadata":{"type":"string"}}},"delta":{"on":"ON"}}`, `kind="delta" delta->on="ON"`, 0, false,
		},
		{"result", "temperature kind", updateTopic + "/result", `{"twin":{"temperature":{"actual":{"value":"26","metadata":{"timestamp":2}},"optional":true}}}`, `temperature=26 kind="result"`, 0, false},
		{"error", "kind @kind reason", updateTopic + "/result", `{"event_id":"g3","timestamp":5,"code":404,"reason":"gone"}`, `kind="error" @kind="error" reason="gone"`, 0, false},
		{
			"data", "temperature device namespace ts", data, `{"event_id":"","timestamp":1721900000,"data":{"temperature":{"value":"25","metadata":{"timestamp":5,"type":"int"}}}}`,
			`temperature=25 device="d1" ts=1721900000000i`, 0, false,
		},
		{"state", "state kind ts", "$hw/events/device/d1/state/update", `{"state":"online","timestamp":0}`, `state="online" kind="state" ts=999i`, 0, false},
		{"flat payload with model", "temperature count label other", updateTopic, `{"temperature":"1.5","count":3,"label":4.50,"other":7}`, `temperature=1.5 count=3i label="4.50" other=7`, 0, false},
		{"flat payload without", "temperature count", updateTopic, `{"temperature":"1.5","count":3}`, `temperature="1.5" count=3`, 0, true},
		{"eKuiper's topic", "temperature device", "a/b/c/d1/x", `{"temperature":"1.5"}`, `temperature=1.5`, 0, false},
		{"other topic", "temperature kind device ts @device @topic", "line1", `{"twin":{"temperature":{"actual":{"value":"5"}}}}`, `temperature="5" ts=999i @topic="line1"`, 0, false},
		{"own key wins", "temperature", updateTopic, `{"temperature":1,"twin":{"temperature":{"actual":{"value":"5"}}}}`, `temperature=1`, 0, false},
		{"own key wins behind", "temperature", updateTopic, `{"twin":{"temperature":{"actual":{"value":"5"}}},"temperature":1}`, `temperature=1`, 0, true},
		{"property before envelope", "device @device", updateTopic, `{"twin":{"device":{"actual":{"value":"5"}}}}`, `device=5i @device="d1"`, 0, false},
		{
			"odd names", "io-data a/b a.b timestamp", updateTopic,
			`{"timestamp":9,"twin":{"io-data":{"actual":{"value":"1"}},"a/b":{"actual":{"value":"2"}},"a.b":{"actual":{"value":"3"}},"timestamp":{"actual":{"value":"4"}}}}`,
			`io-data=1i a/b=2i a.b="3" timestamp=9`, 0, false,
		},
		{
			"metadata", "@device @namespace @device_id @model @kind @ts @topic", updateTopic, `{"timestamp":1721900000123}`,
			`@device="d1" @namespace="plant" @device_id="plant/d1" @model="m" @kind="update" @ts=1721900000123i @topic="` + updateTopic + `"`, 0, false,
		},
		{
			"all metadata", "@*", updateTopic, `{"timestamp":1721900000123}`,
			`@*={"topic":"` + updateTopic + `","kind":"update","ts":1721900000123,"device":"d1","namespace":"plant","device_id":"plant/d1","model":"m"}i`, 0, false,
		},
		{"empty id", "kind device ts", "$hw/events/device//twin/update/result", `{"code":400}`, `kind="error" ts=999i`, 0, false},
		{"ts in microseconds", "ts", updateTopic, `{"timestamp":1721900000123456}`, `ts=1721900000123i`, 0, false},
		{"ts in nanoseconds", "ts", updateTopic, `{"timestamp":1721900000123456789}`, `ts=1721900000123i`, 0, false},
		{"ts as text", "ts", updateTopic, `{"timestamp":"1721900000123"}`, `ts=1721900000123i`, 0, false},
		{"ts is nonsense", "ts", updateTopic, `{"timestamp":"now"}`, `ts=999i`, 0, false},
		{"last duplicate", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"1"}},"count":{"actual":{"value":"2"}}}}`, `count=2i`, 0, false},
		{"duplicate without it", "count", updateTopic, `{"twin":{"count":{"actual":{"value":"1"}}},"twin":{}}`, ``, 0, false},
		{"escapes", "label", updateTopic, `{"twin":{"label":{"actual":{"value":"a\"\u00e9"}}}}`, `label="a\"é"`, 0, false},
		{"whole row", "* temperature", updateTopic, `{"twin":{"temperature":{"actual":{"value":"5"}}}}`, `*={"twin":{"temperature":{"actual":{"value":"5"}}}} temperature=5`, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Models: models}
			if c.raw {
				o.Models = nil
			}
			names := strings.Fields(c.cols)
			h := newHarness(t, o, ingest.Options{}, plan(names...))
			// Twice, and around another message: nothing must stay from row to row.
			h.push(c.topic, c.payload, `{"timestamp":77,"code":1,"twin":{"count":{"actual":{"value":"77"},"metadata":{"type":"string"}}}}`, c.payload)
			rows := h.rows(names)
			if len(rows) != 3 {
				t.Fatalf("got %d rows: %+v", len(rows), h.feed.Stats())
			}
			for _, i := range []int{0, 2} {
				if rows[i] != c.want {
					t.Errorf("row %d:\n got %s\nwant %s", i, rows[i], c.want)
				}
			}
			if bad := h.feed.Stats().BadValues; bad != 2*c.bad {
				t.Errorf("got %d bad values, want %d", bad, 2*c.bad)
			}
		})
	}
}

func TestBadValueKept(t *testing.T) {
	h := newHarness(t, Options{}, ingest.Options{}, plan("count"))
	h.push(updateTopic, `{"twin":{"count":{"actual":{"value":"25C"},"metadata":{"type":"int"}}}}`)
	s := h.feed.Stats()
	if s.BadValues != 1 || s.LastError != "twin: value: want int" || s.LastPayload != "plant/d1 count: 25C" {
		t.Errorf("got %+v", s)
	}
}

func TestPlainText(t *testing.T) {
	h := newHarness(t, Options{}, ingest.Options{}, plan("count"))
	h.push("temperature/topic", `time is 2026-07-25 09:33:20  temperature/topic: 25.3`, `[{"count":1},{"count":2}]`, "\xef\xbb\xbf{}")
	if got := strings.Join(h.rows([]string{"count"}), ","); got != "count=1,count=2" {
		t.Errorf("got %q", got)
	}
	if s := h.feed.Stats(); s.DecodeErrors != 2 || s.Messages != 3 {
		t.Errorf("got %+v", s)
	}
}

func TestFlat(t *testing.T) {
	models := load(t, "profile.json")
	head := `*={"device":"sensor-tag","namespace":"ns","device_id":"ns/sensor-tag","model":"cc2650-sensortag",`
	for _, c := range []struct{ kind, payload, want string }{
		{
			"twin/update", `{"event_id":"","timestamp":1721900000123,"twin":{"temperature":{"actual":{"value":"25"}},"io-data":{"actual":{"value":"0.000000250"}},"x":{"actual":{"value":"t"}},"y":{"actual":{"value":"t"},"metadata":{"type":"bool"}}}}`,
			head + `"kind":"update","ts":1721900000123,"temperature":25,"io-data":2.5e-7,"x":"t","y":true}`,
		},
		{
			"twin/update/document", `{"timestamp":1721900000123,"twin":{"temperature":{"last":{"actual":{"value":"1"}},"current":{"actual":{"value":"25.0"}}},"gone":{"last":{},"current":null},"none":null,"del":{"actual":{"value":"1"},"metadata":{"type":"deleted"}}}}`,
			head + `"kind":"document","ts":1721900000123,"temperature":25,"gone":null,"none":null,"del":null}`,
		},
		{
			"data/update", `{"data":{"temperature":{"value":"hot"},"n":{"value":5},"raw":{"value":12}}}`,
			head + `"kind":"data","ts":999,"temperature":null,"n":5,"raw":"12"}`,
		},
		{"state/update", `{"state":"online"}`, head + `"kind":"state","ts":999,"state":"online"}`},
		{"twin/update/result", `{"code":404}`, head + `"kind":"error","ts":999,"code":404}`},
	} {
		h := newHarness(t, Options{Models: models, Format: Flat}, ingest.Options{}, plan("*"))
		h.push("$hw/events/device/ns/sensor-tag/"+c.kind, c.payload)
		if got := strings.Join(h.rows([]string{"*"}), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.kind, got, c.want)
		}
		want := uint64(0)
		if strings.Contains(c.payload, "hot") {
			want = 1
		}
		if s := h.feed.Stats(); s.BadValues != want {
			t.Errorf("%s: got %d bad values, want %d", c.kind, s.BadValues, want)
		}
	}
	h := newHarness(t, Options{Format: Flat}, ingest.Options{}, plan("*"))
	h.push("line1", `{"a":1}`, `{}`)
	if got, want := strings.Join(h.rows([]string{"*"}), " "), `*={"a":1} *={}`; got != want {
		t.Errorf("other topic: got %s, want %s", got, want)
	}
}

func TestRaw(t *testing.T) {
	names := []string{"temperature", "device", "@device", "twin->temperature->actual->value"}
	h := newHarness(t, Options{Format: Raw}, ingest.Options{}, plan(names...))
	h.push(updateTopic, `{"temperature":"5","twin":{"temperature":{"actual":{"value":"7"}}}}`)
	if got, want := h.rows(names)[0], `temperature="5" @device="d1" twin->temperature->actual->value="7"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDeclared(t *testing.T) {
	cols := []vec.ColumnSpec{
		{Path: []string{"temperature"}, Type: vec.Type{Kind: vec.Float64}},
		{Path: []string{"count"}, Type: vec.Type{Kind: vec.String}},
	}
	var fields []vec.Field
	for _, c := range cols {
		fields = append(fields, vec.Field{Name: c.Path[0], Type: c.Type})
	}
	h := newHarness(t, Options{}, ingest.Options{Schema: fields}, vec.NewPlan(1, cols))
	h.push(updateTopic, `{"twin":{"temperature":{"actual":{"value":"7"},"metadata":{"type":"int"}},"count":{"actual":{"value":"7"},"metadata":{"type":"int"}}}}`, `{"temperature":"3","count":4}`)
	if got, want := strings.Join(h.rows([]string{"temperature", "count"}), ", "), `temperature=7 count="7", temperature=3 count="4"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRedecode(t *testing.T) {
	h := newHarness(t, Options{}, ingest.Options{}, plan("count"))
	h.push(updateTopic, `{"timestamp":1721900000123,"twin":{"count":{"actual":{"value":"x"},"metadata":{"type":"int"}},"on":{"actual":{"value":"true"},"metadata":{"type":"bool"}}}}`)
	f, b := h.in.Take()
	names := []string{"on", "device", "@kind", "ts", "count"}
	if err := f.Redecode(b, plan(names...)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range names {
		got = append(got, show(b.Cols[i].Value(0)))
	}
	if want := `true "d1" "update" 1721900000123i null`; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n := h.feed.Stats().BadValues; n != 1 {
		t.Errorf("got %d bad values, want 1", n)
	}
	f.Done(b)
}

func TestManyProperties(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"twin":{`)
	var names []string
	for i := range 50 {
		if i > 0 {
			b.WriteByte(',')
		}
		name := fmt.Sprintf("property-%d", i)
		names = append(names, name)
		fmt.Fprintf(&b, `%q:{"last":null,"current":{"actual":{"value":"%d"},"metadata":{"type":"int"}}}`, name, i)
	}
	b.WriteString(`}}`)
	h := newHarness(t, Options{}, ingest.Options{}, plan(names...))
	h.push(updateTopic+"/document", b.String(), b.String())
	for _, row := range h.rows(names) {
		for i, x := range strings.Fields(row) {
			if want := fmt.Sprintf("property-%d=%di", i, i); x != want {
				t.Fatalf("got %s, want %s", x, want)
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	models := parse(t, `{"deviceModels":[{"name":"d1","properties":[{"name":"temperature","dataType":"float"}]}]}`)
	h := newHarness(t, Options{Models: models}, ingest.Options{}, plan("temperature", "humidity", "device", "kind", "ts"))
	payload := []byte(`{"event_id":"","timestamp":1721900000123,"twin":{"temperature":{"actual":{"value":"25.5"},"metadata":{"type":"int"}},"humidity":{"actual":{"value":"bad"},"metadata":{"type":"int"}}}}`)
	m := &ingest.Meta{Topic: updateTopic}
	run := func() {
		h.feed.Begin(1)
		for range 100 {
			if err := h.feed.Push(payload, 0, m, ingest.Ack{}); err != nil {
				t.Fatal(err)
			}
		}
		h.feed.End()
		f, b := h.in.Take()
		f.Done(b)
	}
	h.feed.Route([]uint32{1})
	for range 10 {
		run()
	}
	if n := testing.AllocsPerRun(50, run); n > 0 {
		t.Errorf("got %v allocations for 100 messages, want 0", n)
	}
}

func TestParseProps(t *testing.T) {
	o, use, err := ParseProps(map[string]any{"kubeedgeVersion": "1.0", "kubeedgeModelFile": "short.json"}, from(models))
	if err != nil || !use || o.Models.Device("", "device1").Property("tag1").Type != model.Int {
		t.Errorf("got %+v %v %v", o, use, err)
	}
	for name, want := range map[string]bool{"": false, "RAW": false, "flat": true, "Both": true} {
		if _, use, err := ParseProps(map[string]any{"kubeedgeFormat": name}, from("")); err != nil || use != want {
			t.Errorf("format %q: got %v %v, want %v", name, use, err, want)
		}
	}
	_, _, err = ParseProps(map[string]any{"kubeedgeFormat": "square", "kubeedgeModelFile": "gone.json", "kubeedgeVersion": []any{}}, from(models))
	if err == nil || strings.Count(err.Error(), "\n") != 2 || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("faults: got %v", err)
	}
}

// vectors are KubeEdge's messages, one a line: topic, blank, payload.
func vectors(t testing.TB) [][2]string {
	t.Helper()
	f, err := os.Open("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][2]string
	for s := bufio.NewScanner(f); s.Scan(); {
		if topic, payload, ok := strings.Cut(s.Text(), " "); ok && topic != "#" {
			out = append(out, [2]string{topic, payload})
		}
	}
	return out
}

// A message is the same in any company: decoded in one batch with others it gives the
// rows, and the values that are none, that it gives alone.
func TestNeighbours(t *testing.T) {
	names := []string{"*", "@*", "temperature", "io-data", "count", "twin", "data", "x", "twin->temperature->actual->value", "device", "kind", "ts"}
	models := parse(t, `{
		"deviceInstances":[{"id":"d1","name":"d1","model":"m"},{"id":"sensor-tag","name":"sensor-tag","model":"m"}],
		"deviceModels":[{"name":"m","properties":[{"name":"temperature","dataType":"float"},{"name":"count","dataType":"int"}]}]}`)
	all := vectors(t)
	for _, value := range []string{`5`, `"5"`, `9007199254740993`, `"9007199254740993"`, `"1e400"`, `1e400`, `"NaN"`, `[5]`, `{"k":1}`, `"x"`, `null`, `true`} {
		all = append(all,
			[2]string{updateTopic, `{"twin":{"temperature":{"actual":{"value":` + value + `}},"count":{"actual":{"value":` + value + `},"metadata":{"type":"float"}}}}`},
			[2]string{"$ke/events/device/d1/data/update", `{"data":{"io-data":{"value":` + value + `},"x":{"value":` + value + `,"metadata":{"type":"int"}}}}`},
			[2]string{"plant/line", `{"temperature":` + value + `,"x":` + value + `}`})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 600 {
		o := Options{Format: []Format{Both, Flat, Raw}[r.IntN(3)]}
		if r.IntN(2) == 0 {
			o.Models = models
		}
		fo := ingest.Options{UseInt64: r.IntN(2) == 0}
		var list [][2]string
		for range 2 + r.IntN(5) {
			list = append(list, all[r.IntN(len(all))])
		}
		together := newHarness(t, o, fo, plan(names...))
		together.feed.Begin(999)
		var want []string
		var bad, refused uint64
		for _, m := range list {
			if err := together.feed.Push([]byte(m[1]), together.feed.Route([]uint32{1}), &ingest.Meta{Topic: m[0]}, ingest.Ack{}); err != nil {
				t.Fatal(err)
			}
			alone := newHarness(t, o, fo, plan(names...))
			alone.push(m[0], m[1])
			want = append(want, alone.rows(names)...)
			s := alone.feed.Stats()
			bad, refused = bad+s.BadValues, refused+s.DecodeErrors
		}
		together.feed.End()
		if got := together.rows(names); !slices.Equal(got, want) {
			t.Fatalf("round %d, %+v %+v: %q:\n together %q\n alone    %q", round, o.Format, fo.UseInt64, list, got, want)
		}
		if s := together.feed.Stats(); s.BadValues != bad || s.DecodeErrors != refused {
			t.Fatalf("round %d: %q: got %d values and %d messages that are none, alone %d and %d", round, list, s.BadValues, s.DecodeErrors, bad, refused)
		}
	}
}
