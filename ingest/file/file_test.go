package file

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed collects what a source pushes, and acknowledges it unless hold is set.
type feed struct {
	t     *testing.T
	mu    sync.Mutex
	in    bool
	reads int
	lines []string
	files map[string]int
	hold  bool
	acks  []ingest.Ack
	fail  error
}

func (f *feed) Begin(int64) {
	if f.in {
		f.t.Error("Begin inside Begin")
	}
	f.in = true
	f.reads++
}

func (f *feed) End() {
	f.in = false
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.hold {
		f.release()
	}
}

func (f *feed) release() {
	for _, a := range f.acks {
		if a.To != nil {
			a.To.Ack([]uint64{a.Token})
		}
	}
	f.acks = nil
}

func (f *feed) Push(payload []byte, _ uint32, m *ingest.Meta, ack ingest.Ack) error {
	if !f.in {
		f.t.Error("Push outside of Begin and End")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, string(payload))
	f.acks = append(f.acks, ack)
	if f.files == nil {
		f.files = map[string]int{}
	}
	v, _ := m.Find("file")
	f.files[filepath.Base(v.S)]++
	return f.fail
}

func (f *feed) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "|")
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustNew(t *testing.T, f *feed, o Options) *Source {
	t.Helper()
	s, err := New(o, source.Target{Feed: f})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRead(t *testing.T) {
	declared := []vec.Field{{Name: "n", Type: vec.Type{Kind: vec.Int64}}, {Name: "f", Type: vec.Type{Kind: vec.Float64}}, {Name: "b", Type: vec.Type{Kind: vec.Bool}}, {Name: "s", Type: vec.Type{Kind: vec.String}}}
	for _, c := range []struct {
		name string
		o    Options
		text string
		want string
		errs string // the last fault; the source goes on
		err  string // the end
	}{
		{"array", Options{}, "[{\"a\":1},\n {\"a\": [2]} ]\n", `{"a":1}|{"a": [2]}`, "", ""},
		{"object", Options{}, `{"a":1}`, `{"a":1}`, "", ""},
		{"objects", Options{}, "{\"a\":1}\n{\"a\":2}[{\"a\":3}]", `{"a":1}|{"a":2}|{"a":3}`, "", ""},
		{"BOM", Options{}, "\xef\xbb\xbf[{\"a\":1}]", `{"a":1}`, "", ""},
		{"empty array", Options{}, "[]", ``, "", ""},
		{"empty file", Options{}, "", ``, "", ""},
		{"broken JSON", Options{}, "[{\"a\":1},\n{\"a\":2},\n{\"a\":}]", `{"a":1}|{"a":2}`, "", "line 3: invalid character '}'"},
		{"fault inside", Options{}, "[{\"a\":1},\n\n{\"a\":\n2,\n\"b\" 1},\n{}]", `{"a":1}`, "", "line 5: invalid character '1'"},
		{"no comma", Options{}, "[{\"a\":1}\n{\"a\":2}]", `{"a":1}`, "", "line 2: "},
		{"cut JSON", Options{}, "[{\"a\":1},\n{\"a\":", `{"a":1}`, "", "line 2: unexpected end of JSON"},
		{"cut array", Options{}, "[{\"a\":1}\n", `{"a":1}`, "", "line 2: unexpected end of JSON"},
		{"stray bracket", Options{}, "{\"a\":1}\n]", `{"a":1}`, "", "line 2: "},
		{"lines", Options{Type: Lines}, "{\"a\":1}\r\n\n{\"a\":2}\nlast", `{"a":1}|{"a":2}|last`, "", ""},
		{"lines cut", Options{Type: Lines, IgnoreStartLines: 2, IgnoreEndLines: 2}, "1\n2\n3\n4\n5\n6\n7", `3|4|5`, "", ""},
		{"lines too few", Options{Type: Lines, IgnoreStartLines: 2, IgnoreEndLines: 2}, "1\n2\n3\n4\n", ``, "", ""},
		{"csv", Options{Type: CSV}, "1,x\n2,\"a \"\"b\"\"\nc\"\n", `{"col0":"1","col1":"x"}|{"col0":"2","col1":"a \"b\"\nc"}`, "", ""},
		{"csv header", Options{Type: CSV, HasHeader: true}, "id, name\n1,x\n2\n3,y,z\n", `{"id":"1","name":"x"}|{"id":"2"}|{"id":"3","name":"y","col2":"z"}`, "", ""},
		{"csv columns", Options{Type: CSV, HasHeader: true, Columns: []string{"a", "b"}, Delimiter: ";"}, "id;name\n1;x\n", `{"a":"1","b":"x"}`, "", ""},
		{"csv typed", Options{Type: CSV, Schema: declared}, "1,2.5,true,007\n+7, .5,FALSE,x\nx,1e3,maybe,\n,,,\n", `{"n":1,"f":2.5,"b":true,"s":"007"}|{"n":7,"f":0.5,"b":false,"s":"x"}|{"n":"x","f":1e3,"b":"maybe","s":""}|{"n":null,"f":null,"b":"","s":""}`, "", ""},
		{"csv header typed", Options{Type: CSV, HasHeader: true, Schema: declared}, "s,n\n5,5\n", `{"s":"5","n":5}`, "", ""},
		{"csv cut", Options{Type: CSV, HasHeader: true, IgnoreStartLines: 2, IgnoreEndLines: 1}, "# made by\n#\nid\n1\n2\nend\n", `{"id":"1"}|{"id":"2"}`, "", ""},
		{"csv faulty", Options{Type: CSV, IgnoreStartLines: 1}, "x\na,b\nc,d\"e\nf,g\n", `{"col0":"a","col1":"b"}|{"col0":"f","col1":"g"}`, `line 3: bare "`, ""},
		{"csv bytes", Options{Type: CSV}, "a\x01\xff\\\n", "{\"col0\":\"a\\u0001\ufffd\\\\\"}", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Path = write(t, t.TempDir(), "f", c.text)
			f := &feed{t: t}
			s := mustNew(t, f, c.o)
			err := s.Run(t.Context())
			if got := f.text(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q %s", c.o.Path, c.err))) {
				t.Errorf("error: got %v, want %q", err, c.err)
			}
			st := s.Status()
			if !strings.Contains(st.LastError, c.errs) || c.errs == "" && c.err == "" && st.LastError != "" {
				t.Errorf("fault: got %q, want %q", st.LastError, c.errs)
			}
			if want := map[bool]source.State{true: source.EOF, false: source.Failed}[c.err == ""]; st.State != want {
				t.Errorf("state: got %s, want %s", st.State, want)
			}
			if f.in {
				t.Error("no End")
			}
		})
	}
}

func TestDecompression(t *testing.T) {
	text := `[{"a":1},{"a":2}]`
	for _, c := range []struct {
		how string
		new func(io.Writer) (io.WriteCloser, error)
	}{
		{"gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }},
		{"zlib", func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }},
		{"flate", func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 1) }},
		{"zstd", func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }},
	} {
		var b bytes.Buffer
		w, err := c.new(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		f := &feed{t: t}
		s := mustNew(t, f, Options{Path: write(t, dir, "f", b.String()), Decompression: c.how})
		if err := s.Run(t.Context()); err != nil || f.text() != `{"a":1}|{"a":2}` {
			t.Errorf("%s: got %s, %v", c.how, f.text(), err)
		}
		s = mustNew(t, &feed{t: t}, Options{Path: write(t, dir, "g", text), Decompression: c.how})
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "/g\"") {
			t.Errorf("%s of plain text: got %v", c.how, err)
		}
	}
}

func TestLarge(t *testing.T) {
	var b strings.Builder
	b.WriteByte('[')
	for i := range 20_000 {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"i":%d,"text":"%s"}`, i, strings.Repeat("x", i%100))
	}
	b.WriteString(",\n{]")
	f := &feed{t: t}
	s := mustNew(t, f, Options{Path: write(t, t.TempDir(), "f", b.String())})
	err := s.Run(t.Context())
	if len(f.lines) != 20_000 || f.reads > 20_000/burst+1 {
		t.Errorf("got %d messages in %d reads", len(f.lines), f.reads)
	}
	if err == nil || !strings.Contains(err.Error(), "line 20001: invalid character ']'") {
		t.Errorf("got %v, want a fault in line 20001", err)
	}
	long := strings.Repeat("x", 3*readBytes)
	f = &feed{t: t}
	s = mustNew(t, f, Options{Type: Lines, Path: write(t, t.TempDir(), "f", "a\n"+long+"\nb\n"+long)})
	if err := s.Run(t.Context()); err != nil || f.text() != "a|"+long+"|b|"+long {
		t.Errorf("long lines: got %d messages, %v", len(f.lines), err)
	}
}

func TestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, t.TempDir(), "f", `[{"a":1},{"a":2}]`)
		f := &feed{t: t}
		s := mustNew(t, f, Options{Path: path, Interval: 10 * time.Second, SendInterval: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		// Read at 0 s, 11 s and 22 s.
		if got, want := f.text(), `{"a":1}|{"a":2}|{"a":1}|{"a":2}|{"a":1}|{"a":2}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if d := time.Since(start); d != 25*time.Second || f.reads != 6 {
			t.Errorf("took %v and %d reads", d, f.reads)
		}
		if got := s.Status().State; got != source.Stopped {
			t.Errorf("state: got %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &feed{t: t}
		s := mustNew(t, f, Options{Path: filepath.Join(dir, "later"), Interval: time.Second})
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- s.Run(ctx) }()
		wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		wait(3500 * time.Millisecond)
		if st := s.Status(); st.State != source.Running || st.Errors != 1 {
			t.Errorf("missing file: got %+v", st)
		}
		write(t, dir, "later", `{"a":1}`)
		wait(time.Second)
		if got := f.text(); got != `{"a":1}` {
			t.Errorf("got %s", got)
		}
		cancel()
		<-done
	})
}

func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "b.json", `{"f":"b"}`)
		write(t, dir, "a.json", `{"f":"a"}`)
		write(t, dir, "bad.json", `{"f":`)
		write(t, dir, ".hidden", `{"f":"hidden"}`)
		if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		f := &feed{t: t}
		s := mustNew(t, f, Options{Path: dir})
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		if got, want := f.text(), `{"f":"a"}|{"f":"b"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if st := s.Status(); st.State != source.Running || st.Errors != 1 || !strings.Contains(st.LastError, "bad.json") {
			t.Errorf("status: got %+v", st)
		}
		wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		write(t, dir, "c.json", `{"f":"c"}`)
		wait(1500 * time.Millisecond)
		if got := len(f.text()); got != 19 {
			t.Errorf("a file that may still be written was read: %s", f.text())
		}
		wait(time.Second)
		if got := f.text(); !strings.HasSuffix(got, `|{"f":"c"}`) {
			t.Errorf("new file: got %s", got)
		}
		write(t, dir, "a.json", `{"f":"a again"}`)
		wait(2 * time.Second)
		if got := f.text(); !strings.HasSuffix(got, `|{"f":"a again"}`) || f.files["a.json"] != 2 || f.files["b.json"] != 1 {
			t.Errorf("changed file: got %s", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestActions(t *testing.T) {
	dir := t.TempDir()
	moved := filepath.Join(dir, "done")
	for i := range 2 {
		path := write(t, dir, "m.json", `[{"a":1},{"a":2}]`)
		if err := mustNew(t, &feed{t: t}, Options{Path: path, After: Move, MoveTo: moved}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		name := []string{"m.json", "m.json.1"}[i]
		if _, err := os.Stat(filepath.Join(moved, name)); err != nil {
			t.Errorf("move: %v", err)
		}
	}
	path := write(t, dir, "bad.json", `{"a":1}{`)
	if err := mustNew(t, &feed{t: t}, Options{Path: path, After: Delete}).Run(t.Context()); err == nil {
		t.Error("bad file: got no error")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a file that was not read whole is gone: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		path := write(t, dir, "d.json", `[{"a":1},{"a":2}]`)
		f := &feed{t: t, hold: true}
		done := make(chan error, 1)
		go func() { done <- mustNew(t, f, Options{Path: path, After: Delete}).Run(t.Context()) }()
		synctest.Wait()
		if _, err := os.Stat(path); err != nil || f.text() == "" {
			t.Errorf("deleted before its rows are safe: %v", err)
		}
		f.mu.Lock()
		f.release()
		f.mu.Unlock()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("delete: got %v", err)
		}
	})
}

// With a real feed: a file goes when the executor is done with its rows, the
// message that did not decode included.
func TestActionWithFeed(t *testing.T) {
	in := ingest.NewInbox()
	f, err := ingest.NewFeed(in, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"a"}}, {Path: []string{"file"}, Meta: true}})
	f.SetPlan(plan)
	path := write(t, t.TempDir(), "f.json", `[{"a":1},5,{"a":2},7]`)
	s, err := New(Options{Path: path, After: Delete}, source.Target{Feed: f, Route: f.Route([]uint32{1})})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	for rows := 0; rows < 2; {
		<-in.Ready()
		for feed, b := in.Take(); b != nil; feed, b = in.Take() {
			rows += b.Rows
			if got := b.Cols[1].Value(0).S; got != path {
				t.Errorf("meta file: got %q", got)
			}
			feed.Done(b)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("delete: got %v", err)
	}
	if st := f.Stats(); st.Rows != 2 || st.DecodeErrors != 2 {
		t.Errorf("stats: got %+v", st)
	}
}

func TestErrors(t *testing.T) {
	s := mustNew(t, &feed{t: t}, Options{Path: "/nowhere/f.json"})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "file source: stat /nowhere/f.json") {
		t.Errorf("missing: got %v", err)
	}
	f := &feed{t: t, fail: ingest.ErrClosed}
	s = mustNew(t, f, Options{Path: write(t, t.TempDir(), "f", `{}{}`)})
	if err := s.Run(t.Context()); err != nil || len(f.lines) != 1 || f.in || s.Status().State != source.Stopped {
		t.Errorf("closed feed: got %v, %d messages, %+v", err, len(f.lines), s.Status())
	}
	_, err := New(Options{Type: "xml", Decompression: "rar", Interval: -1, IgnoreEndLines: -1, After: 9, Columns: []string{"a", "a"}}, source.Target{})
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("options: got %v, want seven faults", err)
	}
	for _, o := range []Options{{Path: "f", Type: "parquet"}, {Path: "f", Type: CSV, Delimiter: "ab"}, {Path: "f", After: Move}} {
		if _, err := New(o, source.Target{}); err == nil {
			t.Errorf("%+v: got no error", o)
		}
	}
}

func TestParseProps(t *testing.T) {
	o, err := ParseProps(map[string]any{"fileType": "csv", "path": "in", "hasHeader": true, "interval": 500, "moveTo": "done", "actionAfterRead": 2}, "x.csv", "/data")
	if err != nil || o.Path != "/data/in/x.csv" || o.MoveTo != "/data/done" || o.Interval != 500*time.Millisecond || o.Format("delimited") != "json" {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, c := range [][3]string{{"", "a.json", "/d/a.json"}, {"/in", "a.json", "/in/a.json"}, {"/in", "/abs.json", "/abs.json"}, {"/in", "/", "/in"}, {"/in", "", "/in"}} {
		if o, err := ParseProps(map[string]any{"path": c[0]}, c[1], "/d"); err != nil || o.Path != c[2] {
			t.Errorf("path %q, source %q: got %q, %v, want %q", c[0], c[1], o.Path, err, c[2])
		}
	}
	for _, props := range []map[string]any{{"interval": "often"}, {"actionAfterRead": 7}, {"fileType": 5}, {"decompression": "rar"}} {
		if _, err := ParseProps(props, "f", ""); err == nil {
			t.Errorf("%v: got no error", props)
		}
	}
	if _, err := ParseProps(nil, "", ""); err == nil || !strings.Contains(err.Error(), "want DATASOURCE or path") {
		t.Errorf("no file: got %v", err)
	}
}
