package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weir-engine/weir/sinks"
)

// request is a Route's options, ready for use.
type request struct {
	method  string
	header  http.Header // shared: cloned for each request
	host    string
	form    bool
	body    bool
	timeout time.Duration
	varies  bool // messages have what is to be sent in their targets, see line
}

// lane sends one request after the other over a connection that it keeps.
type lane struct {
	client    *http.Client
	anyServer bool // messages name the server
}

func newLane(config *tls.Config, anyServer bool) *lane {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 1, MaxIdleConns: 4, IdleConnTimeout: 90 * time.Second,
		ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10,
	}
	return &lane{client: &http.Client{Transport: t}, anyServer: anyServer}
}

// Write sends each message as a request.
func (l *lane) Write(ctx context.Context, msgs []sinks.Message) (int, error) {
	for i := range msgs {
		if err := l.send(ctx, &msgs[i]); err != nil {
			return i, err
		}
	}
	return len(msgs), nil
}

// Close lets the connection go.
func (l *lane) Close() error {
	l.client.CloseIdleConnections()
	return nil
}

func (l *lane) send(ctx context.Context, m *sinks.Message) error {
	r, ok := m.Route.Options.(*request)
	if !ok {
		return sinks.Refuse(fmt.Errorf("route %q is not one of an HTTP request", m.Route.Spec))
	}
	at := m.Place()
	if r.varies {
		var err error
		if r, at, err = r.of(at); err != nil {
			return sinks.Refuse(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var body io.Reader
	if r.body {
		payload := m.Payload
		if r.form {
			var err error
			if payload, err = form(payload); err != nil {
				return sinks.Refuse(err)
			}
		}
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, body)
	if err == nil {
		err = checkURL(req.URL)
	}
	if err != nil {
		return sinks.Refuse(fmt.Errorf("url %q: %w", at, err))
	}
	req.Header = r.header
	if !r.varies {
		req.Header = r.header.Clone()
	}
	if r.host != "" {
		req.Host = r.host
	}
	resp, err := l.client.Do(req)
	if err != nil {
		ofPlace := l.anyServer || !unreachable(err, req.URL)
		var ue *url.Error
		if errors.As(err, &ue) && ue.Timeout() {
			err = fmt.Errorf("%s %s: no answer within %v", r.method, place(req.URL), r.timeout)
		}
		if ofPlace {
			return sinks.OfPlace(err)
		}
		return err
	}
	defer resp.Body.Close()
	return answer(req, resp)
}

// unreachable tells whether err is of the way to the server that u is on: then no
// request to it gets through.
func unreachable(err error, u *url.URL) bool {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return false
	}
	if at, parseErr := url.Parse(ue.URL); parseErr != nil || at.Host != u.Host {
		return false // it was sent on to another server
	}
	var dial *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &dns) || errors.As(err, &cert) || errors.As(err, &plain)
}

// answer judges a response, whose body it reads so that the connection can serve
// the next request.
func answer(req *http.Request, resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 256<<10))
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	err := fmt.Errorf("%s %s: %s: %s", req.Method, place(req.URL), resp.Status, strings.TrimSpace(string(text)))
	if code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests {
		return sinks.Refuse(err)
	}
	return sinks.OfPlace(err)
}

// place is a URL as it may be shown: without password and query.
func place(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.Path
}

// form turns an object, or an array of one object, into a form.
func form(payload []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("form: want a JSON object: %w", err)
	}
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("form: want one JSON object")
	}
	values := make(url.Values, len(m))
	for k, v := range m {
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("form: field %q: %w", k, err)
			}
			text = string(b)
		}
		values.Set(k, text)
	}
	return []byte(values.Encode()), nil
}
