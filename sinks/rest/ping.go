package rest

import (
	"context"
	"net/http"
)

// Ping asks the server of an action for an answer, whichever it is. One that messages
// name is not known.
func (f *Factory) Ping(ctx context.Context, given map[string]any) error {
	if _, err := f.Open(given); err != nil {
		return err
	}
	s, faults := read(given) // of which Open has told
	server, _ := destination(&faults, s.URL)
	if server == anyServer {
		return nil
	}
	config, err := s.tls.config()
	if err != nil {
		return err
	}
	l := newLane(config, false)
	defer l.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, server+"/", nil)
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
