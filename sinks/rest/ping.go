package rest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Ping asks the server of an action for an answer, whichever it is. One that messages
// name is not known.
func (f *Factory) Ping(ctx context.Context, given map[string]any) error {
	if _, err := f.Open(given); err != nil {
		return err
	}
	s, _ := read(given)
	static, _, _ := strings.Cut(s.URL, "{{")
	u, err := url.Parse(static)
	if err != nil || u.Host == "" {
		return nil
	}
	config, err := s.tls.config()
	if err != nil {
		return err
	}
	l := newLane(config, false)
	defer l.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Scheme+"://"+u.Host+"/", nil)
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
