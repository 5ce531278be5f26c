package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-engine/weir/sinks"
)

// house is a directory with a store, a folder for outputs in it, something that
// is none of their business, and links between them.
type house struct {
	t                 *testing.T
	top, store, files string
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, top: t.TempDir()}
	h.store, h.files = filepath.Join(h.top, "data"), filepath.Join(h.top, "data", "files")
	h.must(os.MkdirAll(filepath.Join(h.files, "out"), 0o755))
	h.must(os.MkdirAll(filepath.Join(h.top, "private"), 0o755))
	for _, name := range []string{"data/CURRENT", "data/OPTIONS-000003", "private/secret"} {
		h.must(os.WriteFile(filepath.Join(h.top, name), []byte("as it was"), 0o644))
	}
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// link makes a link called name, below the folder of outputs, to a path below top.
func (h *house) link(name, to string) {
	h.t.Helper()
	h.must(os.Symlink(filepath.Join(h.top, to), filepath.Join(h.files, name)))
}

// untouched wants everything but the folder of outputs as newHouse made it.
func (h *house) untouched() {
	h.t.Helper()
	err := filepath.WalkDir(h.top, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(h.top, path)
		switch {
		case err != nil || d.IsDir() && path == h.files:
			return errors.Join(err, fs.SkipDir)
		case d.IsDir() && (name == "." || name == "data" || name == "private"):
			return nil
		case name != "data/CURRENT" && name != "data/OPTIONS-000003" && name != "private/secret":
			h.t.Errorf("%q was made", name)
			return nil
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "as it was" {
			h.t.Errorf("%q has %q, %v", name, b, err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.SkipDir) {
		h.t.Error(err)
	}
}

// send writes one message of a rule whose path is the template, where a payload
// made it place.
func (h *house) send(path, place string) error {
	h.t.Helper()
	target, err := (&Factory{Dir: h.files, Store: h.store}).Open(map[string]any{"path": path})
	if err != nil {
		return err
	}
	d, err := target.Open(context.Background(), 0)
	h.must(err)
	defer func() { h.must(d.Close()) }()
	n, err := d.Write(context.Background(), []sinks.Message{{Route: target.Route, Target: place, Payload: []byte("x")}})
	if (n == 1) == (err != nil) {
		h.t.Errorf("%q: wrote %d messages with error %v", place, n, err)
	}
	return err
}

// What payloads can make of a templated path: files below its constant part, and a
// refusal that says why.
func TestChosenPlaces(t *testing.T) {
	for _, c := range []struct {
		path, place string
		made        string // below the folder of outputs; "" refused
		why         string // a part of the refusal
	}{
		{"out/{{.a}}", "out/CURRENT", "out/CURRENT", ""},
		{"{{.a}}", "CURRENT", "CURRENT", ""},
		{"{{.a}}", "OPTIONS-000003", "OPTIONS-000003", ""},
		{"out/{{.a}}.log", "out/größe ☃ 温度.log", "out/größe ☃ 温度.log", ""},
		{"out/{{.a}}", "out/a/b/c", "out/a/b/c", ""},
		{"out/x{{.a}}", "out/x..", "out/x..", ""},
		{"out/{{.a}}.log", "out/.log", "out/.log", ""}, // an empty text
		{"out/{{.a}}", "out/" + strings.Repeat("x", 255), "out/" + strings.Repeat("x", 255), ""},
		{"out/{{.a}}", "out/", "", `"" is no name of a file`},
		{"out/{{.a}}", "out/.", "", `"." is no name`},
		{"out/{{.a}}", "out/..", "", `".." is no name`},
		{"out/{{.a}}", "out/../../CURRENT", "", `".." is no name`},
		{"out/{{.a}}", "out/../../../private/secret", "", `".." is no name`},
		{"out/{{.a}}", "out/a/../../../CURRENT", "", `".." is no name`},
		{"out/x{{.a}}", "out/x/../../../CURRENT", "", `".." is no name`},
		{"{{.a}}", "../CURRENT", "", `".." is no name`},
		{"{{.a}}", "/etc/passwd", "", `"" is no name`},
		{"out/{{.a}}", "out//etc/passwd", "", `"" is no name`},
		{"out/{{.a}}", "elsewhere/x", "", `does not begin with "out/"`},
		{"out/{{.a}}", "out/a\x00b", "", "control characters"},
		{"out/{{.a}}", "out/a\nb", "", "control characters"},
		{"out/{{.a}}", "out/a\x1b[2Jb", "", "control characters"},
		{"out/{{.a}}", "out/a\u0085b", "", "control characters"},
		{"out/{{.a}}", "out/a\xff\xfeb", "", "not UTF-8"},
		{"out/{{.a}}", "out/" + strings.Repeat("x", 256), "", "a name has 256 bytes"},
		{"out/{{.a}}", "out/" + strings.Repeat("é", 128), "", "a name has 256 bytes"},
		{"out/{{.a}}", "out/" + strings.Repeat("x/", 5000) + "x", "", "it has 10001 bytes"},
		{"out/{{.a}}", "out/away/secret", "", "escapes"},
		{"out/{{.a}}", "out/store/CURRENT", "", "the store's"},
		{"out/{{.a}}", "out/secret", "", "path is refused"},
		{"out/{{.a}}", "out/new", "", "path is refused"},
		{"out/{{.a}}", "out/up/CURRENT", "", "the store's"},
		{"out/{{.a}}", "out/inner/x", "out/real/x", ""},
	} {
		h := newHouse(t)
		h.link("out/away", "private")
		h.link("out/store", "data")
		h.link("out/up", "data/files/..")
		h.link("out/secret", "private/secret")
		h.link("out/new", "data/NEW")
		h.must(os.Mkdir(filepath.Join(h.files, "out/real"), 0o755))
		h.must(os.Symlink("real", filepath.Join(h.files, "out/inner")))
		err := h.send(c.path, c.place)
		h.untouched()
		if c.made == "" {
			if !errors.Is(err, sinks.ErrRefused) || !strings.Contains(err.Error(), c.why) || len(err.Error()) > 500 {
				t.Errorf("%.40q: got %v, want a refusal with %q", c.place, err, c.why)
			}
			continue
		}
		if b, rerr := os.ReadFile(filepath.Join(h.files, c.made)); err != nil || rerr != nil || string(b) != "x\n" {
			t.Errorf("%.40q: got %q, %v, %v", c.place, b, err, rerr)
		}
	}
}

// A link that is made while the sink runs leads out no more than one that was there.
func TestLinkMeanwhile(t *testing.T) {
	h := newHouse(t)
	target, err := (&Factory{Dir: h.files, Store: h.store}).Open(map[string]any{"path": "out/{{.a}}"})
	h.must(err)
	d, err := target.Open(context.Background(), 0)
	h.must(err)
	defer func() { h.must(d.Close()) }()
	write := func(place string) error {
		_, err := d.Write(context.Background(), []sinks.Message{{Route: target.Route, Target: place, Payload: []byte("x")}})
		return err
	}
	h.must(write("out/dev/a"))
	h.must(os.Rename(filepath.Join(h.files, "out/dev"), filepath.Join(h.files, "out/was")))
	h.link("out/dev", "private")
	h.must(write("out/dev/a")) // which is open, and where it was
	if err := write("out/dev/secret"); !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("over a link out: got %v, want refused", err)
	}
	h.must(os.Remove(filepath.Join(h.files, "out/dev")))
	h.link("out/dev", "data")
	if err := write("out/dev/CURRENT"); !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("over a link into the store: got %v, want refused", err)
	}
	h.untouched()
	if b, err := os.ReadFile(filepath.Join(h.files, "out/was/a")); err != nil || string(b) != "x\nx\n" {
		t.Errorf("got %q, %v", b, err)
	}
}

// No path of any kind leads into the store's directory, from above it neither.
func TestStoreIsNobodys(t *testing.T) {
	for _, path := range []string{
		"STORE/CURRENT", "STORE/sub/x", "STORE/{{.a}}", "STORE/sub/{{.a}}", "../CURRENT", "../{{.a}}", "out/../../CURRENT",
		"TOP/private/../data/CURRENT", "STORE", "store/CURRENT", "store/{{.a}}", "current", "new",
	} {
		h := newHouse(t)
		h.link("store", "data")
		h.link("current", "data/CURRENT")
		h.link("new", "data/NEW")
		path = strings.NewReplacer("STORE", h.store, "TOP", h.top).Replace(path)
		_, err := (&Factory{Dir: h.files, Store: h.store}).Open(map[string]any{"path": path})
		if err == nil || !strings.Contains(err.Error(), `property "path": `) || !strings.Contains(err.Error(), "the store's") {
			t.Errorf("%s: got %v, want a fault", path, err)
		}
		h.untouched()
	}
	h := newHouse(t)
	for _, c := range []struct{ path, place string }{
		{h.top + "/{{.a}}", h.top + "/data/CURRENT"}, {h.top + "/{{.a}}", h.top + "/data"}, {h.top + "/{{.a}}", h.top + "/data/sub/x"},
	} {
		if err := h.send(c.path, c.place); !errors.Is(err, sinks.ErrRefused) || !strings.Contains(err.Error(), "the store's") {
			t.Errorf("%s: got %v, want refused", c.place, err)
		}
	}
	h.untouched()
	for _, path := range []string{"x", "../files/y", h.files + "/z"} {
		h.must(h.send(path, ""))
	}
	h.must(h.send(h.top+"/{{.a}}", h.top+"/data/files/w"))
	h.untouched()
	if got := strings.Join(names(t, h.files), " "); got != "out w x y z" {
		t.Errorf("got %s", got)
	}
	// A path that was good becomes one into the store by a link.
	h.link("later", "data")
	target, err := (&Factory{Dir: h.files, Store: h.store}).Open(map[string]any{"path": "soon/CURRENT"})
	h.must(err)
	h.link("soon", "data")
	d, err := target.Open(context.Background(), 0)
	h.must(err)
	defer func() { h.must(d.Close()) }()
	if _, err := d.Write(context.Background(), []sinks.Message{{Route: target.Route, Payload: []byte("x")}}); !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("a link made later: got %v, want refused", err)
	}
	h.untouched()
}
