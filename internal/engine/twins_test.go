package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// TestModelWithoutDevice has device models and no devices: the types come from the
// models that agree, and what stays text is told where people look.
func TestModelWithoutDevice(t *testing.T) {
	dir := t.TempDir()
	text := `{"deviceModels":[
		{"name":"thermometer","properties":[{"name":"temperature","dataType":"float"},{"name":"mode","dataType":"string"}]},
		{"name":"pump","properties":[{"name":"mode","dataType":"int"},{"name":"speed","dataType":"int"}]}],
		"deviceInstances":[{"id":"lonely","name":"lonely","model":"gone"}]}`
	if err := os.WriteFile(filepath.Join(dir, "models.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Dir: dir})
	addr := r.startBroker()
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "twins", map[string]any{"server": "tcp://" + addr, "kubeedgeModelFile": "models.json"}))
	create := func(name, device string) string {
		return fmt.Sprintf(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE="$hw/events/device/%s/twin/update", FORMAT="json", CONF_KEY="twins")`, name, device)
	}
	warnings := strings.Join(r.StreamWarnings(create("a", "a")), "\n")
	for _, want := range []string{`device "lonely": model "gone" is in none of the files`, `property "mode" is string in model "thermometer", int in model "pump"; it stays text`} {
		if !strings.Contains(warnings, want) {
			t.Errorf("got warnings %q, want %q in them", warnings, want)
		}
	}
	r.sql("%s", create("a", "a"))
	r.sql("%s", create("b", "b"))
	out := r.listen("out")
	r.rule("ra", "SELECT temperature, mode, other->x AS x FROM a WHERE temperature > 80", "out")
	r.rule("rb", "SELECT speed, mode FROM b", "out")
	r.connected("ra", "a")
	r.connected("rb", "b")
	p := newPublisher(t, addr)
	p.publish("$hw/events/device/a/twin/update", `{"twin":{"temperature":{"actual":{"value":"81.5"}},"mode":{"actual":{"value":"2"}}}}`)
	out.want(`{"mode":"2","temperature":81.5}`)
	p.publish("$hw/events/device/b/twin/update", `{"twin":{"speed":{"actual":{"value":"3"}},"mode":{"actual":{"value":"on"}}}}`)
	out.want(`{"mode":"on","speed":3}`)
	for _, name := range []string{"a", "b"} {
		got := fmt.Sprint(r.streamStatus(name, "untyped_properties"))
		want := fmt.Sprintf(`[device %q: mode stays text: the device is in none of the model files, and the models disagree about the type]`, name)
		if got != want {
			t.Errorf("stream %s: got %s, want %s", name, got, want)
		}
	}
	fields, err := r.StreamSchema(api.Stream, "a")
	r.must(err)
	var got []string
	for _, f := range fields {
		got = append(got, f.Name+" "+f.TypeText())
	}
	if got, want := strings.Join(got, ", "), "mode , other struct(x ), speed bigint, temperature float"; got != want {
		t.Errorf("schema: got %s, want %s", got, want)
	}
}

// TestSchemaOfWhatIsRead has the schema of a stream without fields follow its rules.
func TestSchemaOfWhatIsRead(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.memoryStream("u", "in2")
	r.sql(`CREATE STREAM typed (a BIGINT, o STRUCT(b STRING)) WITH (TYPE="memory", DATASOURCE="in")`)
	schema := func(name string) string {
		t.Helper()
		fields, err := r.StreamSchema(api.Stream, name)
		r.must(err)
		var out []string
		for _, f := range fields {
			out = append(out, strings.TrimSpace(f.Name+" "+f.TypeText()))
		}
		return strings.Join(out, ", ")
	}
	want := func(name, text string) {
		t.Helper()
		if got := schema(name); got != text {
			t.Errorf("schema of %s: got %q, want %q", name, got, text)
		}
	}
	want("s", "")
	want("typed", "a bigint, o struct(b string)")
	r.rule("r1", "SELECT a, o->b->c AS c, meta(topic) AS t FROM s WHERE b > 1", "x")
	want("s", "a, b, o struct(b struct(c ))")
	r.rule("r2", "SELECT s.z, u.y FROM s INNER JOIN u ON s.k = u.k GROUP BY TUMBLINGWINDOW(ss, 1)", "x")
	want("s", "a, b, k, o struct(b struct(c )), z")
	want("u", "k, y")
	r.must(r.StopRule("r1"))
	want("s", "k, z")
	r.must(r.DeleteRule("r2"))
	want("s", "")
}
