// Package rest is the sink that sends each output as an HTTP request. A rule's
// requests go out one after the other, those of different rules to one server side
// by side in a few lanes. An answer 2xx is delivery; 4xx refuses the output for
// good, except 408 and 429; everything else is tried again.
package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	Headers   []sinks.Header `json:"headers,omitempty"`
	TimeoutMs int64          `json:"timeoutMs"`
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

// Open checks an action's properties.
func (f *Factory) Open(props map[string]any) (sinks.Target, error) {
	p := sinks.NewProps(props)
	o := options{
		URL:    p.Text("url", ""),
		Method: p.OneOf("method", http.MethodGet, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead),
	}
	o.BodyType = "json"
	if o.Method == http.MethodGet || o.Method == http.MethodHead {
		o.BodyType = "none"
	}
	o.BodyType = p.OneOf("bodyType", o.BodyType, "none", "text", "json", "html", "xml", "javascript", "form", "binary", "formdata")
	o.Headers = p.Headers("headers")
	o.TimeoutMs = max(1, p.Duration("timeout", 5*time.Second).Milliseconds())
	tls := tlsOptions(p)
	checkProps(p, &o)
	dest, dynamic := destination(p, o.URL)
	if err := p.Err(); err != nil {
		return sinks.Target{}, err
	}
	config, err := tls.config()
	if err != nil {
		return sinks.Target{}, err
	}
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
		DestKey: "rest " + dest, Route: f.route(string(spec), o), Lanes: lanes, Restore: f.restore,
		Open: func(context.Context, int) (sinks.Destination, error) { return newLane(config), nil },
	}
	if dynamic {
		t.Dynamic = o.URL
	}
	return t, nil
}

// checkProps finds what is asked for and not there, and adds the headers that
// other properties imply.
func checkProps(p *sinks.Props, o *options) {
	if o.BodyType == "formdata" {
		p.Fault("property bodyType: formdata is not supported yet")
	}
	if format := p.Text("format", "json"); o.BodyType == "json" && !strings.EqualFold(format, "json") {
		p.Fault("format must be json if bodyType is json")
	}
	for _, name := range []string{"oauth", "formData", "fileFieldName"} {
		if p.Has(name) {
			p.Fault("property %s is not supported yet", name)
		}
	}
	for _, h := range o.Headers {
		if sinks.Dynamic(h.Value) || sinks.Dynamic(h.Name) {
			p.Fault("property headers: templates are not supported yet, got %q", h.Value)
		}
	}
	if c := p.Text("compression", ""); c != "" {
		o.Headers = append(o.Headers, sinks.Header{Name: "Content-Encoding", Value: strings.ToLower(c)})
	}
}

// destination names the server of a URL, which may be a template in part.
func destination(p *sinks.Props, text string) (name string, dynamic bool) {
	if text == "" {
		p.Fault("property url is required")
		return "", false
	}
	static, _, dynamic := strings.Cut(text, "{{")
	u, err := url.Parse(static)
	if dynamic && (err != nil || u.Host == "" || u.Path == "" && u.RawQuery == "") {
		return "any server", true // the template is in the server's name
	}
	if err == nil {
		err = checkURL(u)
	}
	if err != nil {
		p.Fault("property url: %w, got %q", err, text)
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
		h := make(http.Header)
		if ct := contentTypes[o.BodyType]; ct != "" {
			h.Set("Content-Type", ct)
		}
		for _, x := range o.Headers {
			h.Set(x.Name, x.Value)
		}
		return &sinks.Route{Target: o.URL, Options: &request{
			method: o.Method, header: h, host: h.Get("Host"), form: o.BodyType == "form", body: o.BodyType != "none",
			timeout: time.Duration(min(o.TimeoutMs, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
		}}
	})
}

func (f *Factory) restore(spec string) (*sinks.Route, error) {
	var o options
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return nil, err
	}
	return f.route(spec, o), nil
}
