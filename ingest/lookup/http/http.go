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
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

const (
	lanes    = 4        // requests for single keys that are under way at a time
	maxBytes = 16 << 20 // of an answer
)

// Options configures a Store.
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

// settings is what users set of a table.
type settings struct {
	Options
	answer        string // responseType
	headers       []props.Header
	cert, key, ca string
	insecure      bool
}

func newSettings() *settings {
	return &settings{Options: Options{URL: "http://localhost", Method: http.MethodGet, Timeout: lookup.DefaultTimeout}, answer: "code"}
}

func (s *settings) table() props.Table {
	return props.Table{
		props.Text(&s.URL, "url", "where requests go; DATASOURCE stands behind it; may be a template"),
		props.OneOf(&s.Method, "method", "the method of requests", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete),
		props.Text(&s.Body, "body", "the body of requests; may be a template"),
		props.OneOf(&s.BodyType, "bodyType", "what the body is, as Content-Type has it", "none", "text", "json", "html", "xml", "javascript", "form").
			Otherwise("none with GET, else json"),
		props.Map(&s.headers, "headers", "headers of requests; values may be templates"),
		props.OneOf(&s.answer, "responseType", "where an answer has its status: code (that of HTTP) or body (its member code)", "code", "body"),
		props.Flag(&s.Ints, "useInt64ForWholeNumber", "takes whole numbers as bigint instead of float"),
		props.Duration(&s.Timeout, "timeout", "how long a request may take"),
		props.Text(&s.cert, "certificationPath", "PEM file with the client's certificate"),
		props.Text(&s.key, "privateKeyPath", "PEM file with the key of the client's certificate"),
		props.Text(&s.ca, "rootCaPath", "PEM file with the authorities that the server's certificate may be from"),
		props.Flag(&s.insecure, "insecureSkipVerify", "takes any certificate of the server"),
		props.Refused("oauth", "not supported yet for lookup tables"),
		props.Refused("compression", "not supported yet for lookup tables"),
	}
}

// Properties describes what can be set of a lookup table behind HTTP.
func Properties() props.Table { return newSettings().table() }

// ParseProps reads the properties of a table. The DATASOURCE is appended to the URL.
func ParseProps(given map[string]any, dataSource string) (Options, error) {
	s := newSettings()
	faults := s.table().Read(given)
	o := s.Options
	o.URL += dataSource
	if o.BodyType == "" {
		o.BodyType = "json"
		if o.Method == http.MethodGet {
			o.BodyType = "none"
		}
	}
	o.CodeInBody = s.answer == "body"
	o.Headers = make(map[string]string, len(s.headers))
	for _, h := range s.headers {
		o.Headers[h.Name] = h.Value
	}
	o.TLS = s.tls(&faults)
	if _, err := newRequest(o); err != nil {
		faults.Join(err)
	}
	err := faults.Err()
	if err != nil {
		err = fmt.Errorf("httppull: %w", err)
	}
	return o, err
}

func (s *settings) tls(faults *props.Faults) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: s.insecure, MinVersion: tls.VersionTLS12}
	if s.cert != "" || s.key != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			faults.Add("certificationPath", "%w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if s.ca != "" {
		text, err := os.ReadFile(s.ca)
		c.RootCAs = x509.NewCertPool()
		if err != nil {
			faults.Add("rootCaPath", "%w", err)
		} else if !c.RootCAs.AppendCertsFromPEM(text) {
			faults.Add("rootCaPath", "%q holds no certificate", s.ca)
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
	address, body := fill(r.url, inURL), fill(r.body, inBody)
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
	req, err := http.NewRequestWithContext(ctx, r.o.Method, address, reader)
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

// Store is a lookup table of a web service.
type Store struct {
	r      *request
	client *http.Client
}

// New makes a store of o. It connects with the first question.
func New(o Options) (*Store, error) {
	r, err := newRequest(o)
	if err != nil {
		return nil, fmt.Errorf("httppull: %w", err)
	}
	return &Store{r, &http.Client{Timeout: o.Timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: lanes, MaxConnsPerHost: lanes, IdleConnTimeout: 90 * time.Second,
	}}}, nil
}

// Ping sends the request if it needs no key, else it tells whether the server
// answers at all.
func (s *Store) Ping(ctx context.Context) error {
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
func (s *Store) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Fetch sends one request for all keys, or one for each.
func (s *Store) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
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
func (s *Store) ask(ctx context.Context, fields []string, key *lookup.Key) ([]vec.Value, error) {
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
