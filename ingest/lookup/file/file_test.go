package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/file"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/vec"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, s *Store, id int64) string {
	t.Helper()
	b, _ := vec.AppendEqual(nil, vec.IntValue(id))
	got, err := s.Fetch(t.Context(), []string{"id"}, []lookup.Key{{Text: string(b)}})
	if err != nil {
		return err.Error()
	}
	text := ""
	for _, r := range got[0].Rows {
		text += r.S
	}
	return text
}

func TestFiles(t *testing.T) {
	for name, c := range map[string]struct {
		o    file.Options
		text string
		key  string
		want string
	}{
		"json":  {file.Options{}, `[{"id":1,"a":1},{"id":2},{"id":1,"a":2}]`, "", `{"id":1,"a":1}{"id":1,"a":2}`},
		"keyed": {file.Options{}, `[{"id":1,"a":1},{"id":2},{"a":5},{"id":1,"a":2}]`, "id", `{"id":1,"a":2}`},
		"lines": {file.Options{Type: file.Lines}, "{\"id\":1}\n{\"id\":2}\n", "", `{"id":1}`},
		"csv":   {file.Options{Type: file.CSV, HasHeader: true, Schema: []vec.Field{{Name: "id", Type: vec.Type{Kind: vec.Int64}}}}, "id,n\n1,x\n", "", `{"id":1,"n":"x"}`},
		"bad":   {file.Options{Type: file.Lines}, "{\"id\":1}\n[5]\n", "", "file source: row 2: want a JSON object or an array of objects"},
	} {
		c.o.Path = filepath.Join(t.TempDir(), "rows")
		write(t, c.o.Path, c.text)
		s, err := New(Options{File: c.o, Key: c.key})
		if err != nil {
			t.Fatal(err)
		}
		if got := find(t, s, 1); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Files are read again when they have changed, and what was read stays when they
// cannot be read.
func TestChange(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Options{File: file.Options{Path: dir, Interval: time.Nanosecond}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a"), `{"id":1,"f":"a"}`)
	if got := find(t, s, 1); got != `{"id":1,"f":"a"}` {
		t.Errorf("got %s", got)
	}
	write(t, filepath.Join(dir, "b"), `{"id":1,"f":"b, the second"}`)
	want := `{"id":1,"f":"a"}{"id":1,"f":"b, the second"}`
	if got := find(t, s, 1); got != want {
		t.Errorf("a second file: got %s, want %s", got, want)
	}
	write(t, filepath.Join(dir, "b"), `{"id":1,`)
	if got := find(t, s, 1); got != want {
		t.Errorf("half a file: got %s, want %s", got, want)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping does not tell of half a file")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, 1); got != want {
		t.Errorf("no files: got %s, want %s", got, want)
	}
	if s, err = New(Options{File: file.Options{Path: dir}}); err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, 1); !strings.HasPrefix(got, "file source: stat ") {
		t.Errorf("no files from the start: got %s", got)
	}
}

func TestRefused(t *testing.T) {
	for _, o := range []file.Options{{Path: "x", After: file.Delete}, {Path: "x", SendInterval: 1}, {}} {
		if _, err := New(Options{File: o}); err == nil {
			t.Errorf("%+v: not refused", o)
		}
	}
	var l loader
	row := []byte(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
	var err error
	for range maxBytes>>20 + 1 {
		if err = l.Push(row, 0, nil, ingest.Ack{}); err != nil {
			break
		}
	}
	if !lookup.IsFinal(err) {
		t.Errorf("too large: got %v", err)
	}
}
