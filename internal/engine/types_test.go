package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnknownTypes defines what has a type that there is not: it is refused with the
// definition, and the answer says which there are and which was probably meant.
func TestUnknownTypes(t *testing.T) {
	r := newRig(t, Options{})
	for _, c := range []struct{ sql, want string }{
		{`CREATE STREAM x () WITH (TYPE="mqt", DATASOURCE="x")`, "source type mqt is not supported: want file, memory, mqtt, sim, simulator; did you mean mqtt?"},
		{`CREATE STREAM x () WITH (TYPE="opcua", DATASOURCE="x")`, "source type opcua is not supported: want file, memory, mqtt, sim, simulator"},
		{`CREATE TABLE x () WITH (TYPE="fiel", DATASOURCE="x")`, "did you mean file?"},
		{`CREATE TABLE x () WITH (TYPE="memry", DATASOURCE="x", KIND="lookup", KEY="id")`, "source type memry is none of a lookup table: want file, httppull, memory"},
		{`CREATE TABLE x () WITH (TYPE="memory", DATASOURCE="x", KIND="lookup")`, "option KEY is required for a memory lookup table"},
	} {
		if _, err := r.ExecStatement(c.sql); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.sql, err, c.want)
		}
	}
	if r.known("x") {
		t.Error("a definition that was refused is there")
	}
	r.memoryStream("s", "in")
	err := r.CreateRule(r.def("a", "SELECT * FROM s", `{"lgo":{}}`))
	if err == nil || !strings.Contains(err.Error(), "sink lgo is not defined; did you mean log?") {
		t.Errorf("sink: got %v", err)
	}
	// A store that another version or build has written.
	r.must(r.defineStored(`CREATE STREAM old () WITH (TYPE="opcua", DATASOURCE="x")`))
	err = r.CreateRule(r.def("b", "SELECT * FROM old", toMemory("out")))
	if err == nil || !strings.Contains(err.Error(), "stream old: source type opcua is not supported") {
		t.Errorf("rule over a stored stream: got %v", err)
	}
}

// TestDeclaredCSV reads a CSV file into declared columns: its texts become what the
// stream says they are.
func TestDeclaredCSV(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id,name,ok\n1,007,true\n2,x,FALSE\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Dir: dir})
	r.conf("file", "csv", map[string]any{"fileType": "csv", "hasHeader": true})
	r.sql(`CREATE STREAM s (id BIGINT, name STRING, ok BOOLEAN) WITH (TYPE="file", DATASOURCE="a.csv", FORMAT="DELIMITED", CONF_KEY="csv")`)
	out := r.listen("out")
	r.rule("a", "SELECT id + 1 AS n, name, ok FROM s", "out")
	out.want(`{"n":2,"name":"007","ok":true}`, `{"n":3,"name":"x","ok":false}`)
}
