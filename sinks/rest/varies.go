package rest

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
)

// separator stands between the parts of line: no URL, method or header has it.
const separator = "\x1e"

// methods are what requests can have.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead}

// read reads the properties of an action, of which method and bodyType may be
// templates.
func read(given map[string]any) (*settings, props.Faults) {
	s := newSettings()
	fixed, dynamic := maps.Clone(given), map[string]string{}
	for k, v := range given {
		text, ok := v.(string)
		if ok && sinks.Dynamic(text) && (strings.EqualFold(k, "method") || strings.EqualFold(k, "bodyType")) {
			delete(fixed, k)
			dynamic[strings.ToLower(k)] = text
		}
	}
	faults := s.table().Read(fixed)
	if text := dynamic["method"]; text != "" {
		s.Method = text
	}
	if text := dynamic["bodytype"]; text != "" {
		s.BodyType = text
	}
	return s, faults
}

// bodyType is what the body of a request is if nobody says.
func bodyType(method string) string {
	if method == http.MethodGet || method == http.MethodHead {
		return "none"
	}
	return "json"
}

// varies tells whether more than the URL of a request is a template.
func varies(o *options) bool {
	return sinks.Dynamic(o.Method) || sinks.Dynamic(o.BodyType) ||
		slices.ContainsFunc(o.Headers, func(h props.Header) bool { return sinks.Dynamic(h.Name) || sinks.Dynamic(h.Value) })
}

// line is one template of all that a request has beside its body: URL, method,
// bodyType, then names and values of headers.
func line(o *options) string {
	parts := []string{o.URL, o.Method, o.BodyType}
	for _, h := range o.Headers {
		parts = append(parts, h.Name, h.Value)
	}
	return strings.Join(parts, separator)
}

// newRequest prepares the requests of an action.
func newRequest(o *options) *request {
	r := &request{
		method: o.Method, varies: o.Varies, header: make(http.Header), form: o.BodyType == "form", body: o.BodyType != "none",
		timeout: time.Duration(min(o.TimeoutMs, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
	}
	if r.varies {
		return r // which each message makes anew
	}
	if ct := contentTypes[o.BodyType]; ct != "" {
		r.header.Set("Content-Type", ct)
	}
	for _, h := range o.Headers {
		r.header.Set(h.Name, h.Value)
	}
	r.host = r.header.Get("Host")
	return r
}

// notInName tells whether r cannot be part of the name of a header.
func notInName(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}

// notInValue tells whether r cannot be part of the value of one.
func notInValue(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// of returns the request of a message whose line has been made, and its URL.
func (r *request) of(made string) (*request, string, error) {
	parts := strings.Split(made, separator)
	if len(parts) < 3 || len(parts)%2 == 0 {
		return nil, "", fmt.Errorf("request %q: a value has a record separator", made)
	}
	o := options{URL: parts[0], Method: strings.ToUpper(parts[1]), BodyType: strings.ToLower(parts[2])}
	if !slices.Contains(methods, o.Method) {
		return nil, "", fmt.Errorf("method %q: want %s", parts[1], strings.Join(methods, ", "))
	}
	if o.BodyType == "" {
		o.BodyType = bodyType(o.Method)
	}
	if _, ok := contentTypes[o.BodyType]; !ok {
		return nil, "", fmt.Errorf("bodyType %q: want one of %s", parts[2], strings.Join(slices.Sorted(maps.Keys(contentTypes)), ", "))
	}
	for i := 3; i < len(parts); i += 2 {
		name, value := parts[i], parts[i+1]
		if name == "" || strings.ContainsFunc(name, notInName) || strings.ContainsFunc(value, notInValue) {
			return nil, "", fmt.Errorf("header %q with the value %q cannot be sent", name, value)
		}
		o.Headers = append(o.Headers, props.Header{Name: name, Value: value})
	}
	own := newRequest(&o)
	own.timeout, own.varies = r.timeout, true
	return own, o.URL, nil
}
