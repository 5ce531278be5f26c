package http

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect makes a source of properties, with url put before their url.
func connect(t *testing.T, base string, props map[string]any) *Store {
	t.Helper()
	path, _ := props["url"].(string)
	props["url"] = base + path
	o, err := ParseProps(props, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func key(values ...vec.Value) lookup.Key {
	k := lookup.Key{Values: values}
	var b []byte
	for _, v := range values {
		b, _ = vec.AppendEqual(b, v)
	}
	k.Text = string(b)
	return k
}

func show(answers []lookup.Answer) string {
	var out []string
	for _, a := range answers {
		text := ""
		for _, r := range a.Rows {
			text += r.S
		}
		if a.Err != nil {
			text += "error"
		}
		out = append(out, text)
	}
	return strings.Join(out, "|")
}

// Without a template one request brings the table.
func TestWholeTable(t *testing.T) {
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.Method != http.MethodPost || r.Header.Get("X-Token") != "s" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s with %v", r.Method, r.Header)
		}
		fmt.Fprint(w, ` [{"id":1,"k":"a", "n":1},{"id":1.0,"k":"b"},{"id":"1","k":"a"},{"k":"a"}]`)
	}))
	defer srv.Close()
	s := connect(t, srv.URL, map[string]any{"method": "post", "body": "{}", "headers": map[string]any{"X-Token": "s"}})
	got, err := s.Fetch(t.Context(), []string{"id"}, []lookup.Key{key(vec.IntValue(1)), key(vec.StringValue("1")), key(vec.IntValue(2))})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"id":1,"k":"a","n":1}{"id":1.0,"k":"b"}|{"id":"1","k":"a"}|`; show(got) != want || requests != 1 {
		t.Errorf("got %s after %d requests, want %s after 1", show(got), requests, want)
	}
	got, err = s.Fetch(t.Context(), []string{"k", "id"}, []lookup.Key{key(vec.StringValue("b"), vec.IntValue(1))})
	if err != nil || show(got) != `{"id":1.0,"k":"b"}` {
		t.Errorf("two columns: got %s, %v", show(got), err)
	}
}

// With templates there is a request for each key, in which its value stands for
// itself.
func TestTemplates(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch id := r.URL.Query().Get("id"); id {
		case "gone":
			http.NotFound(w, r)
		case "denied":
			http.Error(w, "no", http.StatusForbidden)
		case "text":
			fmt.Fprint(w, "5")
		default:
			fmt.Fprintf(w, `{"path":%q,"id":%q,"body":%q}`, r.URL.Path, id, body)
		}
	}))
	defer srv.Close()
	s := connect(t, srv.URL, map[string]any{"url": "/x/{{.id}}?id={{.id}}", "method": "put", "body": `{"id":"{{.id}}"}`})
	var keys []lookup.Key
	for _, v := range []vec.Value{vec.IntValue(7), vec.StringValue(`a/b ?&"`), vec.StringValue("gone"), vec.StringValue("denied"), vec.StringValue("text"), vec.BoolValue(true)} {
		keys = append(keys, key(v))
	}
	got, err := s.Fetch(t.Context(), []string{"id"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"path":"/x/7","id":"7","body":"{\"id\":\"7\"}"}`,
		`{"path":"/x/a/b ?&\"","id":"a/b ?&\"","body":"{\"id\":\"a/b ?\\u0026\\\"\"}"}`,
		"", "error", "error",
		`{"path":"/x/true","id":"true","body":"{\"id\":\"true\"}"}`,
	}
	if show(got) != strings.Join(want, "|") {
		t.Errorf("got  %s\nwant %s", show(got), strings.Join(want, "|"))
	}
	for i, w := range map[int]string{3: "/x/denied: 403 Forbidden: no", 4: "/x/text: want a JSON object or an array of objects"} {
		if err := got[i].Err; err == nil || !lookup.IsFinal(err) || !strings.Contains(err.Error(), w) {
			t.Errorf("key %d: got %v, want %s", i, err, w)
		}
	}
	got, err = connect(t, srv.URL, map[string]any{"url": "/{{.other}}"}).Fetch(t.Context(), []string{"id"}, keys[:1])
	if err != nil || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), `"other"`) {
		t.Errorf("a column that is not in ON: got %v, %v", got, err)
	}
}

func TestStatus(t *testing.T) {
	code, body := 200, `{"code":200,"a":1}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}))
	defer srv.Close()
	s := connect(t, srv.URL, map[string]any{"url": "/t?token=secret", "responseType": "body"})
	for _, c := range []struct {
		code  int
		body  string
		err   string
		final bool
	}{
		{200, `{"code":200,"a":1}`, "", false},
		{200, `{"code":500,"a":1}`, `code in the answer: {"code":500,"a":1}`, true},
		{200, `{"a":`, "/t: ", true},
		{401, "who", "401 Unauthorized: who", true},
		{429, "slowly", "429 Too Many Requests: slowly", false},
		{503, "", "503 Service Unavailable", false},
		{204, "", "", false},
	} {
		code, body = c.code, c.body
		_, err := s.Fetch(t.Context(), []string{"a"}, []lookup.Key{key(vec.IntValue(1))})
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || lookup.IsFinal(err) != c.final || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%d %s: got %v, want %s", c.code, c.body, err, c.err)
		}
	}
	srv.Close()
	if _, err := s.Fetch(t.Context(), []string{"a"}, nil); err == nil || lookup.IsFinal(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("no server: got %v", err)
	}
}

func TestProps(t *testing.T) {
	o, err := ParseProps(map[string]any{"url": "https://h", "timeout": 250, "insecureSkipVerify": true}, "/path")
	if err != nil || o.URL != "https://h/path" || o.Timeout != 250*time.Millisecond || !o.TLS.InsecureSkipVerify || o.BodyType != "none" {
		t.Errorf("got %+v, %v", o, err)
	}
	_, err = ParseProps(map[string]any{
		"url": "h{{.x", "method": "patch", "bodyType": "csv", "responseType": "x", "oauth": map[string]any{}, "headers": map[string]any{"A": []any{}},
		"rootCaPath": "/no/such/file",
	}, "")
	for _, want := range []string{`property "url": template`, `"method": want`, `"bodyType": want`, `"responseType": want`, `"oauth": not supported yet`, `"headers": want an object of texts`, `"rootCaPath": open`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
