// Package rest is the sink that sends each output as an HTTP request. A rule's
// requests go out one after the other, those of different rules to one server side
// by side in a few lanes. An answer 2xx is delivery; 4xx refuses the output for
// good, except 408 and 429; everything else is tried again. A server that cannot be
// reached keeps all rules waiting, any other failure, or a slow answer, the rule
// alone.
package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
)

// DefaultLanes is how many requests to one server are under way at most.
const DefaultLanes = 4

// Factory is the sink type rest. The zero value has DefaultLanes.
type Factory struct {
	// Lanes is how many requests to one server are under way at most. It should
	// not become smaller while messages wait on disk: those of the missing lanes
	// would stay there.
	Lanes int

	routes sinks.Routes
}

// options are what is static in a request; as JSON, they are the Route's Spec.
type options struct {
	URL       string         `json:"url"`
	Method    string         `json:"method"`
	BodyType  string         `json:"bodyType"`
	Headers   []props.Header `json:"headers,omitempty"`
	TimeoutMs int64          `json:"timeoutMs"`
	// Varies says that more than the URL is a template: a message's target is then
	// what line makes of it.
	Varies bool `json:"varies,omitempty"`
}

// contentTypes are the Content-Type of each bodyType.
var contentTypes = map[string]string{
	"none":       "",
	"text":       "text/plain",
	"json":       "application/json",
	"html":       "text/html",
	"xml":        "application/xml",
	"javascript": "application/javascript",
	"form":       "application/x-www-form-urlencoded",
	"binary":     "application/octet-stream",
}

// settings is what users set of an action.
type settings struct {
	options
	timeout             time.Duration
	format, compression string // of the encoding, which says what a body is
	tls                 tlsProps
}

func newSettings() *settings {
	return &settings{options: options{Method: http.MethodGet}, timeout: 5 * time.Second, format: "json"}
}

func (s *settings) table() props.Table {
	return append(props.Table{
		props.Text(&s.URL, "url", "where requests go; may be a template").Required(),
		props.OneOf(&s.Method, "method", "the method of requests; may be a template", methods...),
		props.OneOf(&s.BodyType, "bodyType", "what the body is, as Content-Type has it; may be a template", "none", "text", "json", "html", "xml", "javascript", "form", "binary", "formdata").
			Otherwise("none with GET and HEAD, else json"),
		props.Map(&s.Headers, "headers", "headers of requests; names and values may be templates"),
		props.Duration(&s.timeout, "timeout", "how long a request may take"),
		props.Text(&s.format, "format", "what outputs are encoded as"),
		props.Text(&s.compression, "compression", "how bodies are compressed, as Content-Encoding has it"),
		props.Flag(new(bool), "debugResp", "logs answers").Ignored("answers are not logged"),
		props.OneOf(new("code"), "responseType", "where an answer has its status", "code", "body").Ignored("an answer's status is its code"),
		props.Refused("oauth", "not supported yet"),
		props.Refused("formData", "not supported yet"),
		props.Refused("fileFieldName", "not supported yet"),
	}, s.tls.table()...)
}

// Properties describes what can be set.
func (f *Factory) Properties() props.Table { return newSettings().table() }

// Open checks an action's properties.
func (f *Factory) Open(given map[string]any) (sinks.Target, error) {
	s, faults := read(given)
	o, tls := s.options, s.tls
	o.TimeoutMs = max(1, s.timeout.Milliseconds())
	if o.BodyType == "" && !sinks.Dynamic(o.Method) {
		o.BodyType = bodyType(o.Method)
	}
	s.check(&o, &faults)
	o.Varies = varies(&o)
	dest, dynamic := destination(&faults, o.URL)
	if err := faults.Err(); err != nil {
		return sinks.Target{}, err
	}
	config, err := tls.config()
	if err != nil {
		return sinks.Target{}, err
	}
	elsewhere := dest == anyServer
	if tls != (tlsProps{}) {
		dest += " tls:" + short(tls)
	}
	spec, err := json.Marshal(o)
	if err != nil {
		return sinks.Target{}, err
	}
	lanes := f.Lanes
	if lanes <= 0 {
		lanes = DefaultLanes
	}
	t := sinks.Target{
		DestKey: "rest " + dest, Route: f.route(string(spec), o), Lanes: lanes, Apart: sinks.ByRule, Restore: f.restore,
		Open: func(context.Context, int) (sinks.Destination, error) { return newLane(config, elsewhere), nil },
	}
	switch {
	case o.Varies:
		t.Dynamic = line(&o)
	case dynamic:
		t.Dynamic = o.URL
	}
	return t, nil
}

// check finds what is asked for and not there, and adds the headers that other
// properties imply.
func (s *settings) check(o *options, faults *props.Faults) {
	if o.BodyType == "formdata" {
		faults.Add("bodyType", "formdata is not supported yet")
	}
	if o.BodyType == "json" && s.format != "" && !strings.EqualFold(s.format, "json") {
		faults.Add("format", "want json if bodyType is json, got %q", s.format)
	}
	if s.compression != "" {
		o.Headers = append(o.Headers, props.Header{Name: "Content-Encoding", Value: strings.ToLower(s.compression)})
	}
}

// anyServer is the name of all servers that messages name.
const anyServer = "any server"

// destination names the server of a URL, which may be a template in part.
func destination(faults *props.Faults, text string) (name string, dynamic bool) {
	if text == "" {
		return "", false // which the table has told
	}
	static, _, dynamic := strings.Cut(text, "{{")
	u, err := url.Parse(static)
	if dynamic && (err != nil || u.Host == "" || u.Path == "" && u.RawQuery == "") {
		return anyServer, true // the template is in the server's name
	}
	if err == nil {
		err = checkURL(u)
	}
	if err != nil {
		faults.Add("url", "%w, got %q", err, text)
		return "", dynamic
	}
	return u.Scheme + "://" + u.Host, dynamic
}

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("want http://server/path or https://server/path")
	}
	return nil
}

// short is a name for settings that must not be shown.
func short(v any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", v))
	return hex.EncodeToString(sum[:6])
}

func (f *Factory) route(spec string, o options) *sinks.Route {
	return f.routes.Intern(spec, func() *sinks.Route {
		return &sinks.Route{Target: o.URL, Options: newRequest(&o)}
	})
}

func (f *Factory) restore(spec string) (*sinks.Route, error) {
	var o options
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return nil, err
	}
	return f.route(spec, o), nil
}
