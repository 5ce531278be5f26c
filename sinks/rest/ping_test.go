package rest

import (
	"net/http"
	"testing"
)

// The server of an action is asked, and nothing that only looks like it: a template in
// its name leaves it open.
func TestPing(t *testing.T) {
	s := newServer(t, http.StatusTeapot)
	for url, reached := range map[string]bool{
		s.URL + "/x/{{.id}}?a=1":       true,
		"http://127.0.0.1:1/x":         false,
		"http://127.0.0.1:1{{.n}}/x":   true,
		"http://127.0.0.1:1{{.n}}":     true,
		"http://{{.host}}:1/x":         true,
		"{{.url}}":                     true,
		"http://127.0.0.1:1?a={{.n}}":  false,
		"ftp://127.0.0.1:1":            false,
		"http://127.0.0.1:1/{{.a}{{x}": false,
	} {
		if err := new(Factory).Ping(t.Context(), map[string]any{"url": url}); (err == nil) != reached {
			t.Errorf("%s: got %v", url, err)
		}
	}
	if len(s.got) != 1 || s.got[0] != "HEAD / ||" {
		t.Errorf("got the requests %q", s.got)
	}
}
