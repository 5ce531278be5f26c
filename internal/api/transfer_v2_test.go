package api

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// TestV2RoundTrip reads what an export writes, and the same as YAML in blocks.
func TestV2RoundTrip(t *testing.T) {
	want := Definitions{
		Streams: texts{"s": `CREATE STREAM s () WITH (DATASOURCE="x")`}, Tables: texts{}, Rules: texts{"r": `{"id":"r","sql":"SELECT a & b FROM s","actions":[{"nop":{}}]}`},
		SourceConfig: texts{"mqtt": `{"a":{"qos":1},"b.c":{}}`}, SinkConfig: texts{}, ConnectionConfig: texts{"mqtt": `{"c":{"server":"tcp://x"}}`},
		Schemas: texts{"protobuf_m": `{"content":"syntax","name":"m","type":"protobuf"}`},
	}
	block := `# by hand
sourceConfig:
  sources.mqtt.a: {qos: 1}
  sources.mqtt.b.c: {}
connectionConfig:
  connections.mqtt.c:
    server: tcp://x
schema:
  protobuf_m: {type: protobuf, name: m, content: syntax}
streams:
  s:
    sql: 'CREATE STREAM s () WITH (DATASOURCE="x")'
rules:
  r:
    id: r
    sql: SELECT a & b FROM s
    actions:
      - nop: {}
`
	var v datasetV2
	if err := readYAML([]byte(block), &v); err != nil {
		t.Fatal(err)
	}
	got, err := v.definitions()
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b texts) bool { // as JSON, in any order of keys
		if len(a) != len(b) {
			return false
		}
		for k := range a {
			x, y := decoded(a[k]), decoded(b[k])
			if !reflect.DeepEqual(x, y) {
				return false
			}
		}
		return true
	}
	for name, pair := range map[string][2]texts{
		"streams": {got.Streams, want.Streams}, "tables": {got.Tables, want.Tables}, "rules": {got.Rules, want.Rules}, "sources": {got.SourceConfig, want.SourceConfig},
		"sinks": {got.SinkConfig, want.SinkConfig}, "connections": {got.ConnectionConfig, want.ConnectionConfig}, "schemas": {got.Schemas, want.Schemas},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
	for name, props := range v.SourceConfig {
		if back := flatSettings("sources", got.SourceConfig)[name]; !reflect.DeepEqual(back, props) {
			t.Errorf("export of %s: got %v, want %v", name, back, props)
		}
	}
}

// decoded is JSON as a value, or a text that is none.
func decoded(text string) (v any) {
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// TestV2Hostile has YAML that would take memory or the stack without bound.
func TestV2Hostile(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	for name, text := range map[string]string{
		"brackets": "streams: " + strings.Repeat("[", 1<<20), "braces": "streams: " + strings.Repeat("{a: ", 1<<20), "dashes": strings.Repeat("- ", 1<<20) + "a",
		"aliases": "a: &a [x,x,x,x]\nb: &b [*a, *a, *a, *a]\nstreams: *b\n", "lines": strings.Repeat("[\n", 1<<20), "keys": strings.Repeat("? ", 1<<16) + "a",
		"no name": "sourceConfig: {mqtt: {}}", "text": "just text", "tabs": "\t\t: :", "merge": "a: &a {x: 1}\nstreams:\n  <<: *a\n",
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/v2/data/import", strings.NewReader(content(text))))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d %.200s, want 400", name, w.Code, w.Body)
		}
	}
}

// TestYAMLBounds has texts each of which takes more than its length without bound, and
// some that only look so.
func TestYAMLBounds(t *testing.T) {
	const deep, odd = "nested more than 64 levels", "are not supported"
	many := func(s string) string { return strings.Repeat(s, 1000) }
	steps := ""
	for i := range 100 {
		steps += strings.Repeat(" ", i) + "a:\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"dashes far right": {"streams:\n" + many(" ") + many("- ") + "a", deep}, "wide dashes": {many("-     ") + "a", deep}, "dashes with tabs": {many("-\t") + "a", deep},
		"dashes in brackets": {"streams: [" + many("- "), deep}, "brackets in quotes": {many(`[ "]", `), deep}, "braces over lines": {many("{a:\n "), deep},
		"keys": {many("a: "), deep}, "merges": {many("<<: "), deep}, "steps": {steps, deep}, "wide keys": {many("?    ") + "a", odd},
		"anchors": {"streams: " + many("&a ") + "b", odd}, "tags": {"streams: " + many("!!str ") + "b", odd}, "tags over lines": {"streams:\n" + many("  !a\n") + "  b", odd},
		"aliases in brackets": {"a: &a [x,x]\nb: &b [*a,*a]\nstreams: [*b]", odd}, "alias of a key": {"? *a", odd}, "tagged alias": {"a: !!seq *a", odd},
		"long": {strings.Repeat("#\n", maxTokens+1), "JSON may be longer"},
		"text": {"rules:\n" + many("  r: 'SELECT a, *, b[{ & !x'\n"), ""}, "block": {"rules:\n  r: |\n" + many("    - [ - { *a &b !!c\n"), ""},
		"wide": {"rules:\n" + many("  r: {a: {b: [1, 2]}, c: 'd', e: \"f\"}\n  - \n"), ""},
	} {
		err := checkYAML(c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestUploadSchema(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	upload := func(path, field, file, text string) *httptest.ResponseRecorder {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		part, err := m.CreateFormFile(field, file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("PUT", path, &body)
		r.Header.Set("Content-Type", m.FormDataContentType())
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	const text = `syntax = "proto3"; message M { int64 a = 1; }`
	for _, c := range []struct {
		path, field, file string
		status            int
		want              string
	}{
		{"/schemas/protobuf/up/upload", "file", "m.proto", 201, `{"type":"protobuf","name":"up"}`},
		{"/schemas/protobuf/up/upload", "file", "m.proto", 200, `{"type":"protobuf","name":"up"}`},
		{"/schemas/protobuf/up/upload", "other", "m.proto", 400, "file field is required"},
		{"/schemas/protobuf/up/upload", "file", "m.ZIP", 400, "archives are not supported"},
		{"/schemas/foo/up/upload", "file", "m.proto", 400, "unsupported schema type foo"},
	} {
		w := upload(c.path, c.field, c.file, text)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s: got %d %s (%s), want %d %s", c.path, c.field, c.file, w.Code, w.Body, w.Header().Get("Content-Type"), c.status, c.want)
		}
	}
}
