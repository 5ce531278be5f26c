// Package http is the lookup table that a web service keeps. A request without
// templates brings the whole table, of which the rows are chosen here; with
// templates that name columns of the key there is a request for each key, and the
// service chooses.
package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/vec"
)

const (
	lanes    = 4        // requests for single keys that are under way at a time
	maxBytes = 16 << 20 // of an answer
)

// Options configures a Source.
type Options struct {
	URL      string // with the DATASOURCE behind it
	Method   string
	Body     string
	BodyType string // a key of contentTypes
	Headers  map[string]string
	// CodeInBody says that an answer has its status in its member "code".
	CodeInBody bool
	// Ints makes whole numbers int64 instead of float64.
	Ints    bool
	Timeout time.Duration
	TLS     *tls.Config
}

var contentTypes = map[string]string{
	"none": "", "text": "text/plain", "json": "application/json", "html": "text/html", "xml": "application/xml",
	"javascript": "application/javascript", "form": "application/x-www-form-urlencoded",
}

// ParseProps reads url, method, body, bodyType, headers, responseType, timeout and
// the properties of TLS. The DATASOURCE is appended to the URL.
func ParseProps(props map[string]any, dataSource string) (Options, error) {
	p := source.NewProps(props)
	o := Options{
		URL: p.String("url", "http://localhost") + dataSource, Method: strings.ToUpper(p.String("method", http.MethodGet)),
		Body: p.String("body", ""), Ints: p.Bool("useInt64ForWholeNumber", false),
		Timeout: p.Duration("timeout", lookup.DefaultTimeout),
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}, o.Method) {
		p.Fault("method", "want get, post, put or delete, found %q", o.Method)
	}
	bodyType := "json"
	if o.Method == http.MethodGet {
		bodyType = "none"
	}
	o.BodyType = strings.ToLower(p.String("bodyType", bodyType))
	if _, ok := contentTypes[o.BodyType]; !ok {
		p.Fault("bodyType", "want none, text, json, html, xml, javascript or form, found %q", o.BodyType)
	}
	switch t := p.String("responseType", "code"); t {
	case "code":
	case "body":
		o.CodeInBody = true
	default:
		p.Fault("responseType", "want code or body, found %q", t)
	}
	for _, name := range []string{"oauth", "compression"} {
		if p.Any(name) != nil {
			p.Fault(name, "not supported yet for lookup tables")
		}
	}
	o.Headers = headers(p)
	o.TLS = tlsConfig(p)
	err := p.Err()
	if _, e := newRequest(o); e != nil {
		err = errors.Join(err, e)
	}
	if err != nil {
		err = fmt.Errorf("httppull: %w", err)
	}
	return o, err
}

func headers(p *source.Props) map[string]string {
	m, ok := p.Any("headers").(map[string]any)
	if !ok && p.Any("headers") != nil {
		p.Fault("headers", "want an object of texts, found %v", p.Any("headers"))
	}
	out := map[string]string{}
	for k, v := range m {
		s, ok := v.(string)
		if !ok {
			p.Fault("headers", "want a text for %s, found %v", k, v)
		}
		out[k] = s
	}
	return out
}

func tlsConfig(p *source.Props) *tls.Config {
	cert, key, ca := p.String("certificationPath", ""), p.String("privateKeyPath", ""), p.String("rootCaPath", "")
	c := &tls.Config{InsecureSkipVerify: p.Bool("insecureSkipVerify", false), MinVersion: tls.VersionTLS12}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			p.Fault("certificationPath", "%v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca != "" {
		text, err := os.ReadFile(ca)
		c.RootCAs = x509.NewCertPool()
		if err != nil {
			p.Fault("rootCaPath", "%v", err)
		} else if !c.RootCAs.AppendCertsFromPEM(text) {
			p.Fault("rootCaPath", "%q holds no certificate", ca)
		}
	}
	return c
}

// request is a request whose parts may depend on the key.
type request struct {
	o       Options
	url     *template.Template
	body    *template.Template
	headers map[string]*template.Template
	keyed   bool // some part depends on the key
}

func newRequest(o Options) (*request, error) {
	r := &request{o: o, headers: map[string]*template.Template{}}
	var errs []error
	part := func(name, text string) *template.Template {
		t, err := template.New(name).Option("missingkey=error").Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("property %q: %w", name, err))
		}
		r.keyed = r.keyed || strings.Contains(text, "{{")
		return t
	}
	r.url, r.body = part("url", o.URL), part("body", o.Body)
	for k, v := range o.Headers {
		r.headers[k] = part("headers", v)
	}
	if u, err := url.Parse(strings.NewReplacer("{{", "", "}}", "").Replace(o.URL)); !strings.Contains(o.URL, "{{") &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		errs = append(errs, fmt.Errorf(`property "url": %q: want http://host or https://host, with a path`, o.URL))
	}
	return r, errors.Join(errs...)
}

// make fills in the key.
func (r *request) make(ctx context.Context, fields []string, key *lookup.Key) (*http.Request, error) {
	var err error
	fill := func(t *template.Template, escape func(string) string) string {
		data := map[string]string{}
		for i, f := range fields {
			if key != nil {
				data[f] = escape(lookup.Text(key.Values[i]))
			}
		}
		var b strings.Builder
		if e := t.Execute(&b, data); e != nil && err == nil {
			err = e
		}
		return b.String()
	}
	plain := func(s string) string { return s }
	inBody := plain
	switch r.o.BodyType {
	case "json":
		inBody = inJSON
	case "form":
		inBody = url.QueryEscape
	}
	place, body := fill(r.url, inURL), fill(r.body, inBody)
	var reader io.Reader
	if r.o.BodyType != "none" {
		reader = strings.NewReader(body)
	}
	head := http.Header{}
	if ct := contentTypes[r.o.BodyType]; ct != "" {
		head.Set("Content-Type", ct)
	}
	for k, t := range r.headers {
		head.Set(k, fill(t, plain))
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.o.Method, place, reader)
	if err != nil {
		return nil, err
	}
	req.Header = head
	if h := head.Get("Host"); h != "" {
		req.Host = h
	}
	return req, nil
}

// inURL escapes a text so that it stands for itself in a path and in a query.
func inURL(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// inJSON escapes a text so that it stands for itself between quotes.
func inJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(b[1 : len(b)-1])
}

// Source is a lookup table of a web service.
type Source struct {
	r      *request
	client *http.Client
}

// New makes a source of o. It connects with the first question.
func New(o Options) (*Source, error) {
	r, err := newRequest(o)
	if err != nil {
		return nil, fmt.Errorf("httppull: %w", err)
	}
	return &Source{r, &http.Client{Timeout: o.Timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: lanes, MaxConnsPerHost: lanes, IdleConnTimeout: 90 * time.Second,
	}}}, nil
}

// Ping sends the request if it needs no key, else it tells whether the server
// answers at all.
func (s *Source) Ping(ctx context.Context) error {
	if !s.r.keyed {
		_, err := s.ask(ctx, nil, nil)
		return err
	}
	u, err := url.Parse(s.r.o.URL)
	if err != nil || u.Host == "" || strings.Contains(u.Host, "{{") {
		return nil // it depends on the key where the server is
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Scheme+"://"+u.Host+"/", nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Close lets the connections go.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Fetch sends one request for all keys, or one for each.
func (s *Source) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
	if !s.r.keyed {
		rows, err := s.ask(ctx, nil, nil)
		if err != nil {
			return nil, err
		}
		return lookup.NewIndex(rows).Find(fields, keys), nil
	}
	out := make([]lookup.Answer, len(keys))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(lanes, len(keys)) {
		wg.Go(func() {
			for i := range next {
				out[i].Rows, out[i].Err = s.ask(ctx, fields, &keys[i])
			}
		})
	}
	for i := range keys {
		next <- i
	}
	close(next)
	wg.Wait()
	for i := range out {
		if err := out[i].Err; err != nil && !lookup.IsFinal(err) {
			return nil, err
		}
	}
	return out, nil
}

// ask sends one request. That there is nothing for a key is no error.
func (s *Source) ask(ctx context.Context, fields []string, key *lookup.Key) ([]vec.Value, error) {
	req, err := s.r.make(ctx, fields, key)
	if err != nil {
		return nil, lookup.Final(fmt.Errorf("httppull: %w", err))
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("httppull: %s %s://%s%s: %w", req.Method, req.URL.Scheme, req.URL.Host, req.URL.Path, fmt.Errorf(format, args...))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the query, in which there may be a password
		}
		return nil, fault("%w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	switch code := resp.StatusCode; {
	case err != nil:
		return nil, fault("%w", err)
	case len(body) > maxBytes:
		return nil, lookup.Final(fault("the answer is larger than %d MiB", maxBytes>>20))
	case code == http.StatusNotFound && key != nil, code == http.StatusNoContent:
		return nil, nil
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return nil, lookup.Final(fault("%s: %s", resp.Status, excerpt(body)))
	case code < 200 || code > 299:
		return nil, fault("%s: %s", resp.Status, excerpt(body))
	}
	rows, err := lookup.AppendRows(nil, body, s.r.o.Ints)
	if err != nil {
		return nil, lookup.Final(fault("%w", err))
	}
	if s.r.o.CodeInBody {
		for _, row := range rows {
			if code, ok := codeOf(row); !ok || code < 200 || code > 299 {
				return nil, lookup.Final(fault("code in the answer: %s", excerpt([]byte(row.S))))
			}
		}
	}
	return rows, nil
}

func codeOf(row vec.Value) (code float64, ok bool) {
	var m struct{ Code *float64 }
	if json.Unmarshal([]byte(row.S), &m) != nil || m.Code == nil {
		return 0, false
	}
	return *m.Code, true
}

func excerpt(body []byte) string {
	body = bytes.TrimSpace(body)
	return string(body[:min(len(body), 200)])
}
