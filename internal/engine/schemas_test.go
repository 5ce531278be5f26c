package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner"
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

	if err := r.CreateSchema(schemaOf("plant", machineV2)); !errors.Is(err, planner.ErrExists) {
		t.Errorf("schema that exists: got %v", err)
	}
	if err := r.ReplaceSchema(schemaOf("plant", "message")); err == nil || !strings.Contains(err.Error(), "plant.proto:1:8: syntax error") {
		t.Errorf("bad schema: got %v", err)
	}
	if err := r.DeleteSchema("protobuf", "plant"); err == nil || !strings.Contains(err.Error(), "used by stream s") {
		t.Errorf("schema in use: got %v", err)
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
