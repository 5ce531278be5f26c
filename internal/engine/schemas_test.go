package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

const machineV1 = `syntax = "proto3"; import "part.proto";
message Machine { int64 id = 1; string name = 2; repeated int32 v = 3; Part part = 4; oneof x { bytes blob = 5; double t = 6; } }`

const machineV2 = `syntax = "proto3"; message Machine { int64 id = 1; string label = 2; }`

func schemaOf(name, text string) api.Schema {
	return api.Schema{Type: "protobuf", Name: name, Content: text}
}

func TestProtobufStream(t *testing.T) {
	fs := vfs.NewMem()
	var o Options
	o.Store.FS = fs
	r := newRig(t, o)
	r.must(r.CreateSchema(schemaOf("part", `syntax = "proto3"; message Part { string name = 1; }`)))
	r.must(r.CreateSchema(schemaOf("plant", machineV1)))
	r.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="protobuf", SCHEMAID="plant.Machine")`)
	all, some := r.listen("all"), r.listen("some")
	r.rule("all", "SELECT * FROM s", "all")
	r.rule("some", "SELECT id / 2 AS half, part->name AS part, v[0] AS first, t, blob FROM s WHERE id > 2", "some")
	if err := r.CreateRule(r.def("bad", "SELECT nope FROM s", toMemory("x"))); err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("unknown column: got %v", err)
	}

	// id 5, name "n", v [7,8] packed, part {name "p"}, t 1.5; then cut short;
	// then id 3 and a blob.
	full := "\x08\x05\x12\x01n\x1a\x02\x07\x08\x22\x03\x0a\x01p\x31\x00\x00\x00\x00\x00\x00\xf8\x3f"
	r.publish("in", full, "\x12\x05x", "\x08\x03\x2a\x01\xff")
	all.want(`{"id":5,"name":"n","part":{"name":"p"},"t":1.5,"v":[7,8]}`, `{"blob":"/w==","id":3,"name":"","part":null,"v":[]}`)
	some.want(`{"first":7,"half":2,"part":"p","t":1.5}`)
	r.wantStatus("all", "source_s_0_exceptions_total", 1)
	if got, _ := r.status("all", "source_s_0_last_exception").(string); !strings.Contains(got, "protobuf: message Machine: cut short") {
		t.Errorf("last exception: got %q", got)
	}

	if err := r.CreateSchema(schemaOf("plant", machineV2)); !errors.Is(err, ruledef.ErrExists) {
		t.Errorf("schema that exists: got %v", err)
	}
	if err := r.ReplaceSchema(schemaOf("plant", "message")); err == nil || !strings.Contains(err.Error(), "plant.proto:1:8: syntax error") {
		t.Errorf("bad schema: got %v", err)
	}
	if err := r.DeleteSchema("protobuf", "plant"); err == nil || !strings.Contains(err.Error(), "used by stream s") {
		t.Errorf("schema in use: got %v", err)
	}
	if err := r.DeleteSchema("protobuf", "part"); err == nil || !strings.Contains(err.Error(), "schema part is used by schema plant") {
		t.Errorf("schema that another imports: got %v", err)
	}
	r.must(r.DeleteRule("some"))
	r.must(r.ReplaceSchema(schemaOf("plant", machineV2)))
	r.publish("in", full)
	all.want(`{"id":5,"label":"n"}`)

	r.close()
	r = newRig(t, o)
	all = r.listen("all")
	r.publish("in", full)
	all.want(`{"id":5,"label":"n"}`)
	r.must(r.DeleteRule("all"))
	r.must(r.DropStream(api.Stream, "s"))
	r.must(r.DeleteSchema("protobuf", "plant"))
	if names, err := r.SchemaList("protobuf"); err != nil || len(names) != 1 || names[0] != "part" {
		t.Errorf("list: got %v, %v", names, err)
	}
}

func TestBadSchemaID(t *testing.T) {
	r := newRig(t, Options{})
	r.must(r.CreateSchema(schemaOf("plant", machineV2)))
	for id, want := range map[string]string{
		"":            "want the name of a schema",
		"plant":       "want the name of a schema",
		"none.M":      `there is no schema "none"`,
		"plant.None":  "which has Machine",
		"plant.a b":   "not the name of a message",
		"plant.":      "want the name of a schema",
		"../plant.M":  "want the name of a schema",
		"plant.a..b.": "not the name of a message",
	} {
		_, err := r.ExecStatement(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="protobuf", SCHEMAID="` + id + `")`)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", id, err, want)
		}
	}
	for name, text := range map[string]string{"a b": machineV2, "": machineV2, "x": `import "nope.proto";`} {
		if err := r.CreateSchema(schemaOf(name, text)); err == nil {
			t.Errorf("schema %q: no error", name)
		}
	}
}

func TestProtobufSink(t *testing.T) {
	fs := vfs.NewMem()
	var o Options
	o.Store.FS = fs
	r := newRig(t, o)
	r.must(r.CreateSchema(schemaOf("plant", machineV2)))
	r.memoryStream("s", "in")
	out := r.listen("out")
	const sink = `{"memory":{"topic":"out","format":"protobuf","schemaId":"plant.Machine"}}`
	r.must(r.CreateRule(r.def("p", "SELECT id, label, other FROM s", sink)))
	r.must(r.CreateRule(r.def("w", "SELECT count(*) AS id, last_value(label, true) AS label FROM s GROUP BY COUNTWINDOW(3)", sink)))
	r.publish("in", `{"id":5,"label":"n"}`, `{"id":"five"}`, `{"id":6,"other":1}`)
	got := out.next(3)
	slices.Sort(got)
	if want := []string{"\x08\x03\x12\x01n", "\x08\x05\x12\x01n", "\x08\x06"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r.wantStatus("p", "sink_memory_0_0_exceptions_total", 1)
	r.wantStatus("p", "sink_memory_0_0_last_exception", `protobuf: message Machine: field "id": want a whole number (int64), got "five"`)
	r.wantStatus("p", "op_3_project_0_exceptions_total", 0)

	if err := r.CreateRule(r.def("none", "SELECT * FROM s", strings.Replace(sink, "plant.Machine", "plant.Motor", 1))); err == nil || !strings.Contains(err.Error(), `"Motor": not in plant.proto, which has Machine`) {
		t.Errorf("unknown message: got %v", err)
	}
	if err := r.CreateRule(r.def("file", "SELECT * FROM s", `{"file":{"path":"x","format":"protobuf","schemaId":"plant.Machine"}}`)); err == nil || !strings.Contains(err.Error(), "sink file: format protobuf") {
		t.Errorf("file: got %v", err)
	}
	r.must(r.StopRule("w"))
	if err := r.DeleteSchema("protobuf", "plant"); err == nil || !strings.Contains(err.Error(), "schema plant is used by rule ") {
		t.Errorf("schema in use: got %v", err)
	}
	// The rule goes on with the new text; one without its message changes nothing.
	r.must(r.ReplaceSchema(schemaOf("plant", `syntax = "proto3"; message Machine { int64 id = 2; }`)))
	r.publish("in", `{"id":7}`)
	out.want("\x10\x07")
	r.must(r.ReplaceSchema(schemaOf("plant", `syntax = "proto3"; message Motor { int64 id = 3; }`)))
	r.publish("in", `{"id":8}`)
	out.want("\x10\x08")
	r.wantStatus("p", "status", "running")
	r.must(r.ReplaceSchema(schemaOf("plant", `syntax = "proto3"; message Machine { int64 id = 4; }`)))

	r.close()
	r = newRig(t, o)
	out = r.listen("out")
	r.publish("in", `{"id":9}`)
	out.want("\x20\x09")
	r.must(r.DeleteRule("p"))
	r.must(r.DeleteRule("w"))
	r.must(r.DeleteSchema("protobuf", "plant"))
}

// A sink that does not name its own settings has those of its group, of format
// protobuf too; sendError tells of what does not fit.
func TestProtobufSinkGroup(t *testing.T) {
	r := newRig(t, Options{})
	r.must(r.CreateSchema(schemaOf("plant", machineV2)))
	r.memoryStream("s", "in")
	r.must(r.PutConfKey(api.ConfSinks, "memory", "proto", map[string]any{"topic": "out", "format": "protobuf", "schemaId": "plant.Machine"}))
	def := r.def("p", "SELECT * FROM s", `{"memory":{"resourceId":"proto"}}`)
	def.Options.SendError = true
	out := r.listen("out")
	r.must(r.CreateRule(def))
	r.publish("in", `{"id":5}`, `{"id":{}}`)
	out.want("\x08\x05", `protobuf: message Machine: field "id": want a whole number (int64), got an object`)
}

func TestTransferSchemas(t *testing.T) {
	r := newRig(t, Options{})
	r.must(r.CreateSchema(schemaOf("part", `syntax = "proto3"; message Part { string name = 1; }`)))
	r.must(r.CreateSchema(schemaOf("machine", machineV1)))
	r.sql(`CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="protobuf", SCHEMAID="machine.Machine")`)
	r.must(r.CreateRule(r.def("p", "SELECT id FROM s", `{"memory":{"topic":"out","format":"protobuf","schemaId":"machine.Machine"}}`)))
	all, err := r.Definitions()
	r.must(err)
	if len(all.Schemas) != 2 || !strings.Contains(all.Schemas["protobuf_part"], `"content":"syntax`) {
		t.Errorf("export: got %v", all.Schemas)
	}
	for _, replace := range []bool{true, false} {
		n := newRig(t, Options{})
		n.must(n.CreateSchema(schemaOf("ground", `syntax = "proto3"; message Part { string name = 1; }`)))
		n.must(n.CreateSchema(schemaOf("old", strings.Replace(machineV1, "part.proto", "ground.proto", 1))))
		run := n.ImportDefinitions
		if replace {
			run = n.ReplaceDefinitions
		}
		if bad := run(all); jsonOf(t, bad) != jsonOf(t, newDefinitions().Definitions) {
			t.Errorf("faults of a good import: %s", jsonOf(t, bad))
		}
		if _, err := n.Schema("protobuf", "old"); (err == nil) == replace {
			t.Errorf("schema that was there, replace %v: got %v", replace, err)
		}
		if _, err := n.Schema("protobuf", "ground"); (err == nil) == replace {
			t.Errorf("schema that it imported, replace %v: got %v", replace, err)
		}
		out := n.listen("out")
		n.publish("in", "\x08\x05")
		out.want("\x08\x05")
	}
	// Texts as they are, by their names; what is wrong does not keep the others.
	bad := r.ImportDefinitions(api.Definitions{Schemas: map[string]string{
		"b": `syntax = "proto3"; import "a.proto"; message B { A a = 1; }`, "a": `syntax = "proto3"; message A { int64 id = 1; }`,
		"c": "message", "d": `{"type":"custom","name":"d","content":"x"}`, "protobuf_e": `{"type":"protobuf","name":"f","content":"x"}`, "g": `{"name":"g","file":"/x.proto"}`,
	}})
	for name, want := range map[string]string{"c": "syntax error", "d": "unsupported schema type custom", "protobuf_e": "it is called f", "g": "content is missing"} {
		if !strings.Contains(bad.Schemas[name], want) {
			t.Errorf("schema %s: got %q, want %s", name, bad.Schemas[name], want)
		}
	}
	if names, err := r.SchemaList("protobuf"); len(bad.Schemas) != 4 || err != nil || !slices.Equal(names, []string{"a", "b", "machine", "part"}) {
		t.Errorf("got %v, %v; faults %v", names, err, bad.Schemas)
	}
}
