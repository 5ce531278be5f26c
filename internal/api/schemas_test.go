package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestSchemas(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	runContains(t, s, []step{
		{"GET", "/schemas/protobuf", "", 200, "[]"},
		{"POST", "/schemas/protobuf", `{"name":"plant","content":"message M {}","version":"2"}`, 201, "protobuf schema plant is created"},
		{"POST", "/schemas/protobuf", `{"name":"plant","content":"message M {}"}`, 400, "already registered"},
		{"POST", "/schemas/protobuf", `{"name":"bad","content":"?"}`, 400, "schema create command error: schema bad: no message"},
		{"POST", "/schemas/protobuf", `{"content":"message"}`, 400, "name is required"},
		{"POST", "/schemas/protobuf", `{"name":"x"}`, 400, "must specify content or file"},
		{"POST", "/schemas/protobuf", `{"name":"x","content":"a","file":"b"}`, 400, "Cannot specify both"},
		{"POST", "/schemas/protobuf", `{"name":"x","soFile":"b"}`, 400, "not supported"},
		{"POST", "/schemas/protobuf", `{`, 400, "Invalid body"},
		{"POST", "/schemas/custom", `{"name":"x","content":"a"}`, 400, "unsupported schema type custom"},
		{"GET", "/schemas/protobuf", "", 200, `["plant"]`},
		{"GET", "/schemas/protobuf/plant", "", 200, `{"type":"protobuf","name":"plant","content":"message M {}","version":"2","file":"","soFile":""}`},
		{"GET", "/schemas/protobuf/nope", "", 400, "not found"},
		{"PUT", "/schemas/protobuf/plant", `{"content":"message N {}"}`, 200, "protobuf schema plant is updated"},
		{"PUT", "/schemas/protobuf/plant", `{"name":"other","content":"message N {}"}`, 400, "the path about plant"},
		{"DELETE", "/schemas/protobuf/nope", "", 400, "not found"},
		{"DELETE", "/schemas/protobuf/plant", "", 200, "protobuf schema plant is deleted"},
		{"PATCH", "/schemas/protobuf/plant", "", 405, ""},
	})
	w := call(s, http.MethodPost, "/schemas/protobuf", strings.Repeat(" ", 9<<20))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: got %d", w.Code)
	}
}
