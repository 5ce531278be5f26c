package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// randomCreate writes a definition with some options, in any case and order.
func randomCreate(r *rand.Rand, name string) string {
	anyCase := func(s string) string {
		b := []byte(s)
		for i := range b {
			if r.IntN(2) == 0 {
				b[i] = strings.ToLower(s)[i]
			}
		}
		return string(b)
	}
	table := r.IntN(3) == 0
	options := []string{`"memory"`, `"MEMORY"`, `"Memory"`}
	list := []string{anyCase("TYPE") + "=" + options[r.IntN(3)], anyCase("DATASOURCE") + `="A/b` + strconv.Itoa(r.IntN(9)) + `"`}
	for key, values := range map[string][]string{
		"FORMAT": {`"JSON"`, `"json"`, `"Json"`}, "CONF_KEY": {`"Site1"`, `"default"`}, "TIMESTAMP": {`"Ts"`}, "TIMESTAMP_FORMAT": {`"YYYY-MM-dd HH:mm:ss"`},
		"SHARED": {`"TRUE"`, `true`, `"false"`, `FALSE`}, "STRICT_VALIDATION": {`"True"`, `"FALSE"`}, "VERSION": {`"V1"`}, "DELIMITER": {`"\t"`, `";"`},
		"EXTRA": {`"{\"x\": 1}"`}, "RETAIN_SIZE": {`"7"`},
	} {
		if r.IntN(2) == 0 && (key != "RETAIN_SIZE" || table) {
			list = append(list, anyCase(key)+"="+values[r.IntN(len(values))])
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	fields := []string{"", "a BIGINT", "`Ä b` STRING, o STRUCT(x FLOAT, l ARRAY(BOOLEAN)), d DATETIME, y BYTEA"}[r.IntN(3)]
	what := "STREAM"
	if table {
		what = "TABLE"
	}
	return fmt.Sprintf("CREATE %s %s (%s) WITH (%s)", what, name, fields, strings.Join(list, ", "))
}

// createOf writes the definition that a description tells of.
func createOf(d api.StreamDef, name string) string {
	var fieldText func(f api.Field) string
	fieldText = func(f api.Field) string {
		switch {
		case f.Elem != nil:
			return "ARRAY(" + fieldText(*f.Elem) + ")"
		case f.Type == "struct":
			var parts []string
			for _, x := range f.Fields {
				parts = append(parts, "`"+x.Name+"` "+fieldText(x))
			}
			return "STRUCT(" + strings.Join(parts, ", ") + ")"
		}
		return strings.ToUpper(f.Type)
	}
	var fields, options []string
	for _, f := range d.Fields {
		fields = append(fields, "`"+f.Name+"` "+fieldText(f))
	}
	for _, o := range d.Options {
		options = append(options, fmt.Sprintf("%s=%q", o.Key, fmt.Sprint(o.Value)))
	}
	return fmt.Sprintf("CREATE %s %s (%s) WITH (%s)", map[api.StreamKind]string{api.Stream: "STREAM", api.Table: "TABLE"}[d.Kind], name, strings.Join(fields, ", "), strings.Join(options, ", "))
}

// TestDescribeRoundTrip creates definitions, describes them over JSON, and creates what
// the descriptions say: they describe themselves alike, and mean the same.
func TestDescribeRoundTrip(t *testing.T) {
	r := newRig(t, Options{})
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		name := fmt.Sprintf("s%d", seed)
		text := randomCreate(rng, name)
		st, err := r.ExecStatement(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		first, err := r.DescribeStream(st.Kind, name)
		r.must(err)
		var back api.StreamDef
		r.must(json.Unmarshal([]byte(jsonOf(t, first)), &back))
		again := createOf(back, name+"x")
		if _, err := r.ExecStatement(again); err != nil {
			t.Fatalf("%s\n%s: %v", text, again, err)
		}
		second, err := r.DescribeStream(st.Kind, name+"x")
		r.must(err)
		second.Name = name
		if a, b := jsonOf(t, first), jsonOf(t, second); a != b || first.Text() != second.Text() {
			t.Fatalf("%s\n got %s\nwant %s", text, b, a)
		}
		a, b := r.mu.streams[name].def.Options, r.mu.streams[name+"x"].def.Options
		if jsonOf(t, a) != jsonOf(t, b) {
			t.Fatalf("%s: got options %+v, want %+v", text, b, a)
		}
	}
}

// TestDescribeAsWritten has the values in the case and order of the text.
func TestDescribeAsWritten(t *testing.T) {
	r := newRig(t, Options{})
	r.sql(`CREATE STREAM s () WITH (format="JSON", Type="MEMORY", DATASOURCE="A/b", shared="TRUE", STRICT_VALIDATION="false", CONF_KEY="Default")`)
	r.sql(`CREATE TABLE tab () WITH (datasource="x", TYPE="memory", KIND="SCAN", RETAIN_SIZE="5")`)
	d, err := r.DescribeStream(api.Stream, "s")
	r.must(err)
	want := `{"Name":"s","StreamFields":null,"Options":{"format":"JSON","type":"MEMORY","datasource":"A/b","shared":true,"confKey":"Default"},"StreamType":0,"Statement":null}`
	if got := jsonOf(t, d); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := d.Text(), "FORMAT: JSON\nTYPE: MEMORY\nDATASOURCE: A/b\nSHARED: true\nCONF_KEY: Default\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
	d, err = r.DescribeStream(api.Table, "tab")
	r.must(err)
	if got, want := jsonOf(t, d), `"Options":{"datasource":"x","type":"memory","kind":"SCAN","retainSize":5}`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
	if l := r.StreamList(api.Stream); l[0].Format != "JSON" || l[0].Type != "MEMORY" {
		t.Errorf("details: got %+v", l[0])
	}
}
