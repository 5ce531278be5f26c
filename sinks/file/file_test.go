package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is an open destination of a factory on a directory of its own.
type sink struct {
	t      *testing.T
	dir    string
	target sinks.Target
	dest   sinks.Destination
}

func newSink(t *testing.T, dir string, props map[string]any) *sink {
	t.Helper()
	s := &sink{t: t, dir: dir}
	var err error
	if s.target, err = (&Factory{Dir: dir}).Open(props); err != nil {
		t.Fatal(err)
	}
	if s.dest, err = s.target.Open(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func (s *sink) close() {
	s.t.Helper()
	if s.dest != nil {
		if err := s.dest.Close(); err != nil {
			s.t.Error(err)
		}
	}
	s.dest = nil
}

func (s *sink) write(texts ...string) {
	s.t.Helper()
	var msgs []sinks.Message
	for _, text := range texts {
		place, payload, ok := strings.Cut(text, "=")
		if !ok {
			place, payload = "", text
		}
		msgs = append(msgs, sinks.Message{Route: s.target.Route, Target: place, Payload: []byte(payload)})
	}
	for len(msgs) > 0 {
		n, err := s.dest.Write(context.Background(), msgs)
		if n == 0 || err != nil {
			s.t.Fatal(n, err)
		}
		msgs = msgs[n:]
	}
}

func (s *sink) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	ents, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		out = append(out, e.Name())
	}
	return out
}

func TestLines(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, dir, map[string]any{"path": "deep/er/out.log"})
	s.write(`{"a":1}`, `{"a":2}`)
	if got, want := s.read("deep/er/out.log"), "{\"a\":1}\n{\"a\":2}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.close()
	s = newSink(t, dir, map[string]any{"path": "deep/er/out.log"})
	s.write("x")
	if got := s.read("deep/er/out.log"); !strings.HasSuffix(got, "2}\nx\n") {
		t.Errorf("got %q, want the new line behind the old ones", got)
	}
}

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	props := map[string]any{"path": "out.json", "fileType": "json"}
	for i, texts := range [][]string{{`{"a":1}`, `{"a":2}`}, {}, {`3`}, {`[4]`, `5`}} {
		s := newSink(t, dir, props)
		s.write(texts...)
		s.close()
		if i == 0 {
			continue
		}
	}
	s := newSink(t, dir, props)
	var got []any
	if err := json.Unmarshal([]byte(s.read("out.json")), &got); err != nil || fmt.Sprint(got) != "[map[a:1] map[a:2] 3 [4] 5]" {
		t.Errorf("got %v %v of %q", got, err, s.read("out.json"))
	}
	// A process that was killed left the array open.
	if err := os.WriteFile(filepath.Join(dir, "out.json"), []byte(`[1`), 0o644); err != nil {
		t.Fatal(err)
	}
	s.write("2")
	s.close()
	if got, want := s.read("out.json"), "[1,\n2]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, dir, map[string]any{"path": "a.csv", "fileType": "csv", "format": "delimited", "hasHeader": true, "fields": []any{"x", "y"}, "delimiter": ";"})
	if s.target.WithHeader {
		t.Error("asks for a header that it knows")
	}
	s.write("1;2", "3;4")
	if got, want := s.read("a.csv"), "x;y\n1;2\n3;4\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s = newSink(t, dir, map[string]any{"path": "b.csv", "fileType": "csv", "format": "delimited", "hasHeader": true})
	if !s.target.WithHeader {
		t.Error("does not ask for the header that it needs")
	}
	s.write("x,y\n1,2", "x,y\n3,4")
	if got, want := s.read("b.csv"), "x,y\n1,2\n3,4\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Lines stand under the header of their file, also of one that an earlier process
// wrote; a column that it lacks begins another file.
func TestCSVColumns(t *testing.T) {
	for _, compression := range []string{"", "gzip", "zstd"} {
		dir := t.TempDir()
		props := map[string]any{"path": "a.csv", "fileType": "csv", "hasHeader": true, "compression": compression}
		s := newSink(t, dir, props)
		s.write("x,y\n1,2", "y,x\n4,3", "x\n5", "y,x\n\"6,\"\"\n\",5\n8,7", "x,y\n")
		s.close()
		s = newSink(t, dir, props) // another process
		s.write("y\n9", "y\n", "x,z\n1,2", "z,x,y\n3,2,1")
		s.close()
		names, err := filepath.Glob(filepath.Join(dir, "a*"))
		if err != nil || len(names) != 2 || filepath.Base(names[1]) != "a.csv" {
			t.Fatalf("got the files %v, %v", names, err)
		}
		for i, want := range []string{"x,y\n1,2\n3,4\n5,\n5,\"6,\"\"\n\"\n7,8\n,9\n,\n", "x,y,z\n1,,2\n2,1,3\n"} {
			if got := unpacked(t, names[i], compression); got != want {
				t.Errorf("%s %s: got %q, want %q", compression, names[i], got, want)
			}
		}
	}
	s := newSink(t, t.TempDir(), map[string]any{"path": "b.csv", "fileType": "csv", "hasHeader": true, "fields": []any{"a,b", `c"d`}})
	s.write("1,2")
	if got, want := s.read("b.csv"), "\"a,b\",\"c\"\"d\"\n1,2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// unpacked is what a file holds.
func unpacked(t *testing.T, name, compression string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var in io.Reader = bytes.NewReader(b)
	switch compression {
	case "gzip":
		in, err = gzip.NewReader(in)
	case "zstd":
		in, err = zstd.NewReader(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(in); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDynamic(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, dir, map[string]any{"path": "out/{{.dev}}.log"})
	if s.target.Dynamic != "out/{{.dev}}.log" || s.target.DestKey != "file "+filepath.Join(dir, "out") {
		t.Errorf("got %q %q", s.target.Dynamic, s.target.DestKey)
	}
	var texts []string
	for i := range 200 {
		texts = append(texts, fmt.Sprintf("out/%d.log=a%d", i, i), fmt.Sprintf("out/%d.log=b%d", i, i))
	}
	s.write(texts...)
	s.write(texts...)
	if got, want := s.read("out/77.log"), "a77\nb77\na77\nb77\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d := s.dest.(*destination); len(d.open) > maxOpen {
		t.Errorf("%d files are open", len(d.open))
	}
	for _, place := range []string{"out", "out/1.log/x", "out/" + strings.Repeat("x", 300), "..", "a\x00b"} {
		n, err := s.dest.Write(context.Background(), []sinks.Message{{Route: s.target.Route, Target: place}})
		if n != 0 || !errors.Is(err, sinks.ErrRefused) {
			t.Errorf("%.20q: got %d %v, want refused", place, n, err)
		}
	}
}

func TestRolling(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		want  []string // contents in the order of names
	}{
		{map[string]any{"rollingCount": 2}, []string{"1\n2\n", "3\n4\n", "5\n"}},
		{map[string]any{"rollingSize": 4}, []string{"1\n2\n", "3\n4\n", "5\n"}},
		{map[string]any{"rollingCount": 2, "fileType": "json"}, []string{"[1,\n2]\n", "[3,\n4]\n", "[5]\n"}},
		{map[string]any{"rollingCount": 2, "rollingNamePattern": "prefix"}, []string{"1\n2\n", "3\n4\n", "5\n"}},
		{map[string]any{"rollingCount": 2, "rollingNamePattern": "none"}, []string{"1\n2\n3\n4\n5\n"}},
	} {
		dir := t.TempDir()
		if c.props["rollingNamePattern"] == nil {
			c.props["rollingNamePattern"] = "suffix"
		}
		c.props["path"] = "out.log"
		s := newSink(t, dir, c.props)
		s.write("1", "2", "3", "4", "5")
		s.close()
		var got []string
		for _, name := range names(t, dir) {
			got = append(got, s.read(name))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q in %v, want %q", c.props, got, names(t, dir), c.want)
		}
	}
}

func TestRollingInterval(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, dir, map[string]any{"path": "out.json", "fileType": "json", "rollingInterval": 30, "rollingNamePattern": "suffix"})
	s.write("1")
	deadline := time.After(10 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); s.read(names(t, dir)[0]) != "[1]\n"; {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("the file is not ended: %q", s.read(names(t, dir)[0]))
		}
	}
	s.write("2")
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("got %v, want two files", got)
	}
}

func TestCompression(t *testing.T) {
	for method, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
			return d, err
		},
	} {
		s := newSink(t, t.TempDir(), map[string]any{"path": "out", "compression": method})
		s.write("a", "b")
		s.write("c")
		r, err := open(bytes.NewReader([]byte(s.read("out"))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != "a\nb\nc\n" {
			t.Errorf("%s: got %q %v", method, got, err)
		}
	}
}

func TestProperties(t *testing.T) {
	for want, props := range map[string]map[string]any{
		`property "path": want a file, got "dir/"`:                                                                     {"path": "dir/"},
		`property "fileType": want lines, json or csv, got "xml"`:                                                      {"fileType": "xml"},
		`property "fileType": csv needs the format delimited, got "json"`:                                              {"fileType": "csv", "format": "json"},
		`property "rollingNamePattern": want prefix, suffix or none, got "middle"`:                                     {"rollingNamePattern": "middle"},
		`property "rollingCount": want a whole number, at least 0, got -1`:                                             {"rollingCount": -1},
		`property "rollingHook": not supported yet`:                                                                    {"rollingHook": "x"},
		`property "rollingInterval": want a duration such as "5s", or a number of milliseconds, got "soon"`:            {"rollingInterval": "soon"},
		`property "compression": a file of fileType json cannot be continued when it is compressed, want lines or csv`: {"fileType": "json", "compression": "gzip"},
	} {
		if _, err := new(Factory).Open(props); err == nil || err.Error() != want {
			t.Errorf("%v: got %v, want %s", props, err, want)
		}
	}
	f := new(Factory)
	a, err := f.Open(map[string]any{"path": "/tmp/x/a"})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := f.Open(map[string]any{"path": "/tmp/x/a", "sendSingle": true}); a.Route != b.Route || a.DestKey != "file /tmp/x" {
		t.Errorf("equal properties have different routes in %q", a.DestKey)
	}
	if r, err := a.Restore(a.Route.Spec); err != nil || r != a.Route {
		t.Errorf("restored another route, %v", err)
	}
}
