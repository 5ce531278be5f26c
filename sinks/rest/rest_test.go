package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server records requests and answers with the codes that it was given.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	codes []int
	got   []string
}

func newServer(t *testing.T, codes ...int) *server {
	s := &server{codes: codes}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, fmt.Sprintf("%s %s %s|%s|%s", r.Method, r.URL, body, r.Header.Get("Content-Type"), r.Header.Get("X-Key")))
	if len(s.codes) > 0 {
		code := s.codes[0]
		s.codes = s.codes[1:]
		w.WriteHeader(code)
		fmt.Fprintf(w, "because %d", code)
	}
}

func mustOpen(t *testing.T, props map[string]any) (sinks.Target, sinks.Destination) {
	t.Helper()
	target, err := new(Factory).Open(props)
	if err != nil {
		t.Fatal(err)
	}
	d, err := target.Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return target, d
}

func TestRequests(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		props map[string]any
		body  string
		want  string
	}{
		{map[string]any{"method": "post"}, `[{"a":1}]`, `POST /x [{"a":1}]|application/json|`},
		{map[string]any{"method": "PUT", "bodyType": "text", "headers": map[string]any{"X-Key": 5.0}}, `hi`, `PUT /x hi|text/plain|5`},
		{map[string]any{}, `[{"a":1}]`, `GET /x ||`},
		{map[string]any{"method": "post", "headers": `{"Content-Type":"my/type","X-Key":"k"}`}, `1`, `POST /x 1|my/type|k`},
		{map[string]any{"method": "post", "bodyType": "form"}, `[{"b":"x y","a":1,"c":[2]}]`, `POST /x a=1&b=x+y&c=%5B2%5D|application/x-www-form-urlencoded|`},
		{map[string]any{"method": "delete"}, ``, `DELETE /x |application/json|`},
	} {
		c.props["url"] = s.URL + "/x"
		target, d := mustOpen(t, c.props)
		n, err := d.Write(context.Background(), []sinks.Message{{Route: target.Route, Payload: []byte(c.body)}})
		if n != 1 || err != nil {
			t.Errorf("%v: got %d %v", c.props, n, err)
		}
		if got := s.got[len(s.got)-1]; got != c.want {
			t.Errorf("%v: got %s, want %s", c.props, got, c.want)
		}
		route, err := target.Restore(target.Route.Spec)
		if err != nil || route != target.Route {
			t.Errorf("%v: restored another route, %v", c.props, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for code, want := range map[int]string{
		200: "", 204: "", 302: "retry", 400: "refused", 404: "refused", 408: "retry", 429: "retry", 500: "retry", 503: "retry",
	} {
		s := newServer(t, 200, code)
		target, d := mustOpen(t, map[string]any{"url": s.URL + "/p?secret=1", "method": "post"})
		m := sinks.Message{Route: target.Route, Payload: []byte("{}")}
		n, err := d.Write(context.Background(), []sinks.Message{m, m, m})
		got := ""
		switch {
		case errors.Is(err, sinks.ErrRefused):
			got = "refused"
		case err != nil:
			got = "retry"
		}
		if got != want || (want != "" && n != 1) {
			t.Errorf("%d: got %q after %d, want %q: %v", code, got, n, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: the error shows the query: %v", code, err)
		}
	}
}

func TestTimeoutAndDown(t *testing.T) {
	stop := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	target, d := mustOpen(t, map[string]any{"url": slow.URL, "timeout": 20})
	m := []sinks.Message{{Route: target.Route}}
	if _, err := d.Write(context.Background(), m); err == nil || errors.Is(err, sinks.ErrRefused) || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("slow: got %v", err)
	}
	close(stop)
	slow.Close()
	if _, err := d.Write(context.Background(), m); err == nil || errors.Is(err, sinks.ErrRefused) {
		t.Errorf("down: got %v", err)
	}
	m[0].Target = "no url"
	if _, err := d.Write(context.Background(), m); !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("bad dynamic url: got %v, want refused", err)
	}
}

// TestQueue sends through a queue to a server that fails at first.
func TestQueue(t *testing.T) {
	s := newServer(t, 503, 500, 200, 400, 200)
	target, err := (&Factory{Lanes: 1}).Open(map[string]any{"url": s.URL + "/a", "method": "post"})
	if err != nil {
		t.Fatal(err)
	}
	c := new(sinks.Counters)
	q, err := sinks.NewQueue(target, sinks.Options{RetryMin: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, nil, c)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	for i := range 3 {
		q.Put([]sinks.Message{{Route: target.Route, Payload: fmt.Append(nil, i), Rule: 1}})
	}
	if err := q.Drained(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := "[POST /a 0 POST /a 0 POST /a 0 POST /a 1 POST /a 2]"
	if got := strings.ReplaceAll(fmt.Sprint(s.got), "|application/json|", ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if f, _ := c.LastFailure(1); c.Failed(1) != 1 || c.Delivered(1) != 2 || !strings.HasSuffix(f.Text, "400 Bad Request: because 400") {
		t.Errorf("failed %d, %q", c.Failed(1), f.Text)
	}
}

// Method, type of body and headers may be templates: a message's target is then what
// they have become.
func TestTemplates(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		props map[string]any
		line  string // the template, with | for the separator
		made  string // what a message makes of it
		want  string // the request, or part of the error
	}{
		{
			map[string]any{"url": s.URL + "/x", "headers": map[string]any{"X-Key": "{{.k}}"}, "method": "post"},
			s.URL + "/x|POST|json|X-Key|{{.k}}", s.URL + "/x|POST|json|X-Key|k1", "POST /x 1|application/json|k1",
		},
		{
			map[string]any{"url": s.URL + "/{{.id}}", "Method": "{{.m}}"},
			s.URL + "/{{.id}}|{{.m}}|", s.URL + "/7|put|", "PUT /7 1|application/json|",
		},
		{map[string]any{"url": s.URL, "method": "{{.m}}"}, s.URL + "|{{.m}}|", s.URL + "|get|", "GET / ||"},
		{
			map[string]any{"url": s.URL, "method": "post", "bodyType": "{{.b}}", "headers": map[string]any{"{{.n}}": "v"}},
			s.URL + "|POST|{{.b}}|{{.n}}|v", s.URL + "|POST|text|X-Key|v", "POST / 1|text/plain|v",
		},
		{map[string]any{"url": s.URL, "method": "{{.m}}"}, s.URL + "|{{.m}}|", s.URL + "|fetch|", `method "fetch": want GET`},
		{map[string]any{"url": s.URL, "bodyType": "{{.m}}"}, s.URL + "|GET|{{.m}}", s.URL + "|GET|zz", `bodyType "zz": want`},
		{
			map[string]any{"url": s.URL, "headers": map[string]any{"A": "{{.m}}"}},
			s.URL + "|GET|none|A|{{.m}}", s.URL + "|GET|none|A|x\r\nB: y", "cannot be sent",
		},
		{
			map[string]any{"url": s.URL, "headers": map[string]any{"A": "{{.m}}"}},
			s.URL + "|GET|none|A|{{.m}}", s.URL + "|GET|none|A|x|B", "record separator",
		},
	} {
		target, d := mustOpen(t, c.props)
		if got := strings.ReplaceAll(target.Dynamic, separator, "|"); got != c.line {
			t.Errorf("%v: got the template %q, want %q", c.props, got, c.line)
		}
		route, err := target.Restore(target.Route.Spec)
		if err != nil || route != target.Route {
			t.Errorf("%v: restored another route, %v", c.props, err)
		}
		_, err = d.Write(context.Background(), []sinks.Message{{Route: target.Route, Payload: []byte("1"), Target: strings.ReplaceAll(c.made, "|", separator)}})
		switch {
		case err != nil && (!errors.Is(err, sinks.ErrRefused) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: got %v, want %q", c.props, err, c.want)
		case err == nil && s.got[len(s.got)-1] != c.want:
			t.Errorf("%v: got %s, want %s", c.props, s.got[len(s.got)-1], c.want)
		}
	}
}

// What one URL does, its rule alone waits for: others of the server get through, each in
// its order. A server that is not there keeps all waiting, each once.
func TestOneServerManyRules(t *testing.T) {
	const rules, each = 40, 12
	var mu sync.Mutex
	got, good, well := map[string][]string{}, 0, make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sick := func() bool {
			select {
			case <-well:
				return false
			default:
				return true
			}
		}
		switch kind := strings.Split(r.URL.Path, "/")[1]; {
		case kind == "hangs" && sick():
			select {
			case <-well:
			case <-r.Context().Done():
				return
			}
		case kind == "fails" && sick():
			w.WriteHeader(503)
			return
		case kind == "aborts" && sick():
			panic(http.ErrAbortHandler)
		case kind == "elsewhere" && sick():
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if got[r.URL.Path] = append(got[r.URL.Path], string(body)); strings.HasPrefix(r.URL.Path, "/good") {
			if good++; good == rules/5*each {
				close(well)
			}
		}
	}))
	defer s.Close()
	f := new(Factory)
	var q *sinks.Queue
	var routes []*sinks.Route
	for i := range rules {
		kind := []string{"good", "hangs", "fails", "aborts", "elsewhere"}[i%5]
		target, err := f.Open(map[string]any{"url": fmt.Sprintf("%s/%s/%d", s.URL, kind, i), "method": "post"})
		if err != nil {
			t.Fatal(err)
		}
		if routes = append(routes, target.Route); q == nil {
			q, err = sinks.NewQueue(target, sinks.Options{RetryMax: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close(context.Background())
		}
	}
	for n := range each {
		for i := range rules {
			q.Put([]sinks.Message{{Route: routes[i], Payload: fmt.Append(nil, n), Rule: uint32(i)}})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Drained(ctx); err != nil { // which it is only if the good ones get through first
		t.Fatal(err)
	}
	want := fmt.Sprint([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"})
	for path, list := range got {
		if fmt.Sprint(list) != want {
			t.Errorf("%s: got %v", path, list)
		}
	}
	if len(got) != rules {
		t.Errorf("%d of %d rules got through", len(got), rules)
	}
}

func TestProperties(t *testing.T) {
	for want, props := range map[string]map[string]any{
		`property "url" is required: where requests go; may be a template`:              {},
		`property "url": want http://server/path or https://server/path, got "ftp://x"`: {"url": "ftp://x"},
		`property "format": want json if bodyType is json, got "delimited"`:             {"url": "http://x", "method": "post", "format": "delimited"},
		`property "bodyType": formdata is not supported yet`:                            {"url": "http://x", "bodyType": "formdata"},
		`property "method": want GET, POST, PUT, PATCH, DELETE or HEAD, got "fetch"`:    {"url": "http://x", "method": "fetch"},
		`property "rootCaPath": open /nowhere: no such file or directory`:               {"url": "https://x", "rootCaPath": "/nowhere"},
	} {
		if _, err := new(Factory).Open(props); err == nil || err.Error() != want {
			t.Errorf("%v: got %v, want %s", props, err, want)
		}
	}
	f := new(Factory)
	keys := map[string]string{}
	for url, want := range map[string]string{
		"http://a/x":            "rest http://a",
		"http://a/{{.x}}?y=1":   "rest http://a",
		"http://user:pw@a/":     "rest http://a",
		"http://{{.host}}/x":    "rest any server",
		"http://a{{.rest}}/x":   "rest any server",
		"https://b:1/{{.x}}/{{": "rest https://b:1",
	} {
		target, err := f.Open(map[string]any{"url": url})
		if err != nil || target.DestKey != want || (target.Dynamic != "") != strings.Contains(url, "{{") {
			t.Errorf("%s: got %q %q %v, want %q", url, target.DestKey, target.Dynamic, err, want)
		}
		keys[url] = target.DestKey
	}
	a, _ := f.Open(map[string]any{"url": "https://a", "insecureSkipVerify": true})
	b, _ := f.Open(map[string]any{"url": "https://a"})
	if a.DestKey == b.DestKey {
		t.Error("different TLS settings share a destination")
	}
}
