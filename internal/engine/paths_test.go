package engine

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// restCall is a line of testdata/rest.txt.
type restCall struct {
	name, method, path string
	status             int
	part, body         string
}

func readRestCalls(t *testing.T) (out []restCall) {
	t.Helper()
	text, err := os.ReadFile("testdata/rest.txt")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, "|", 5)
		if len(f) != 5 {
			t.Fatalf("rest.txt:%d: want five columns", n+1)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		status, err := strconv.Atoi(f[2])
		if err != nil {
			t.Fatalf("rest.txt:%d: %v", n+1, err)
		}
		method, _, _ := strings.Cut(f[0], " ")
		if f[3] == "-" {
			f[3] = ""
		}
		out = append(out, restCall{f[0], method, f[1], status, f[3], f[4]})
	}
	return out
}

// newRestDesk starts an engine with the definitions that rest.txt speaks of.
func newRestDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t, Options{}, nil)
	d.must(d.DeleteRule("calm"))
	d.must(d.DropStream(api.Stream, "calm"))
	d.sql(`CREATE STREAM demo () WITH (TYPE="memory", DATASOURCE="in", FORMAT="JSON")`)
	d.sql(`CREATE STREAM free (a BIGINT) WITH (TYPE="memory", DATASOURCE="in")`)
	d.sql(`CREATE TABLE tab () WITH (TYPE="memory", DATASOURCE="tab", KIND="lookup", KEY="id")`)
	d.must(d.CreateRule(d.def("rule1", "SELECT a FROM demo WHERE a > 1", `{"nop":{}}`)))
	d.must(d.CreateSchema(schemaOf("sc", `syntax = "proto3"; message M { int64 a = 1; }`)))
	d.must(d.PutConnection(api.Connection{ID: "conn1", Type: "mqtt", Props: map[string]any{"server": "tcp://127.0.0.1:1"}, Named: true}))
	d.must(d.PutConfKey(api.ConfSources, "mqtt", "key1", map[string]any{"server": "tcp://127.0.0.1:1"}))
	return d
}

// documented are the calls of docs/compatibility.md that answer otherwise.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## REST calls that answer otherwise\n")
	if !found {
		t.Fatal("docs/compatibility.md has no section about REST calls")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]bool{}
	for _, line := range strings.Split(section, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([A-Z]+ /[^`]*)`").FindAllStringSubmatch(cells[1], -1) {
				out[m[1]] = true
			}
		}
	}
	return out
}

// TestRestPaths asks every path of eKuiper's REST interface. A call that answers
// otherwise is listed in docs/compatibility.md, and one that is listed does.
func TestRestPaths(t *testing.T) {
	listed := documented(t)
	differs := map[string]string{}
	asked := map[string]bool{}
	client := http.Client{Timeout: patience}
	for _, c := range readRestCalls(t) {
		asked[c.name] = true
		d := newRestDesk(t)
		req, err := http.NewRequestWithContext(t.Context(), c.method, d.url+c.path, strings.NewReader(c.body))
		d.must(err)
		resp, err := client.Do(req)
		d.must(err)
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		d.must(err)
		if resp.StatusCode != c.status || !strings.Contains(string(answer), c.part) {
			differs[c.name] = strconv.Itoa(resp.StatusCode) + " " + string(answer[:min(len(answer), 300)])
			if !listed[c.name] {
				t.Errorf("%s %s %s:\n got %s\nwant %d %s, or the call in docs/compatibility.md", c.method, c.path, c.body, differs[c.name], c.status, c.part)
			}
		}
		if c.status >= 400 && c.status < 500 && c.status != 405 && resp.StatusCode == c.status && !strings.HasSuffix(c.path, "/upload") {
			if typ := resp.Header.Get("Content-Type"); typ != "text/plain; charset=utf-8" {
				t.Errorf("%s %s: content type %q of an error", c.method, c.path, typ)
			}
		}
		if resp.StatusCode == http.StatusMethodNotAllowed && (resp.Header.Get("Allow") == "" || len(answer) > 0) {
			t.Errorf("%s %s: got Allow %q and %q, want the methods and no body", c.method, c.path, resp.Header.Get("Allow"), answer)
		}
		d.close()
	}
	// Five are no calls of eKuiper, but wrong paths and methods.
	if n := len(asked) - 5; n != 141 {
		t.Errorf("rest.txt asks %d calls of eKuiper, which has 141", n)
	}
	for name := range listed {
		if asked[name] && differs[name] == "" {
			t.Errorf("docs/compatibility.md lists %s, which answers as eKuiper does", name)
		}
		if !asked[name] {
			t.Errorf("docs/compatibility.md lists %s, which rest.txt does not ask", name)
		}
	}
}
