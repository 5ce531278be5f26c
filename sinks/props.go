package sinks

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Props reads an action's properties and gathers what is wrong with them. Names
// are found in any case of letters; those that nobody asks for are ignored.
type Props struct {
	m    map[string]any // by name in lower case
	errs []error
}

// NewProps reads m, which must not change meanwhile.
func NewProps(m map[string]any) *Props {
	p := &Props{m: make(map[string]any, len(m))}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names) // of names that differ in case only, the same one wins
	for _, name := range names {
		if v := m[name]; v != nil {
			p.m[strings.ToLower(name)] = v
		}
	}
	return p
}

// Err returns everything that was found to be wrong.
func (p *Props) Err() error { return errors.Join(p.errs...) }

// Fault notes what is wrong with a property.
func (p *Props) Fault(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *Props) want(name, want string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte(strconv.Quote(fmt.Sprint(v)))
	}
	p.Fault("property %s: want %s, got %s", name, want, text)
}

// Has tells whether the property is there.
func (p *Props) Has(name string) bool { return p.m[strings.ToLower(name)] != nil }

// Text returns a text, def if it is missing.
func (p *Props) Text(name, def string) string {
	switch v := p.m[strings.ToLower(name)].(type) {
	case nil:
		return def
	case string:
		return v
	default:
		p.want(name, "a text", v)
		return def
	}
}

// OneOf returns a text that must be one of the choices, in any case of letters,
// def if it is missing or empty.
func (p *Props) OneOf(name, def string, choices ...string) string {
	v := p.Text(name, def)
	if v == "" {
		return def
	}
	for _, c := range choices {
		if strings.EqualFold(v, c) {
			return c
		}
	}
	p.want(name, strings.Join(choices, ", "), v)
	return def
}

// Flag returns a boolean, which may be given as text.
func (p *Props) Flag(name string, def bool) bool {
	v := p.m[strings.ToLower(name)]
	switch b := v.(type) {
	case nil:
		return def
	case bool:
		return b
	case string:
		if b, err := strconv.ParseBool(b); err == nil {
			return b
		}
	}
	p.want(name, "true or false", v)
	return def
}

// Number returns a whole number from lo to hi, which may be given as text.
func (p *Props) Number(name string, def, lo, hi int64) int64 {
	v := p.m[strings.ToLower(name)]
	if v == nil {
		return def
	}
	n, ok := whole(v)
	if !ok || n < lo || n > hi {
		want := fmt.Sprintf("a whole number from %d to %d", lo, hi)
		if hi == math.MaxInt64 {
			want = fmt.Sprintf("a whole number, at least %d", lo)
		}
		p.want(name, want, v)
		return def
	}
	return n
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<63
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// Duration returns a time that is not negative: a number is milliseconds, a text
// like 5s has its unit.
func (p *Props) Duration(name string, def time.Duration) time.Duration {
	v := p.m[strings.ToLower(name)]
	if v == nil {
		return def
	}
	if ms, ok := whole(v); ok && ms >= 0 && ms <= math.MaxInt64/int64(time.Millisecond) {
		return time.Duration(ms) * time.Millisecond
	}
	if s, ok := v.(string); ok {
		if d, err := time.ParseDuration(s); err == nil && d >= 0 {
			return d
		}
	}
	p.want(name, "milliseconds or a text like 5s", v)
	return def
}

// Texts returns a list of texts.
func (p *Props) Texts(name string) []string {
	v := p.m[strings.ToLower(name)]
	switch l := v.(type) {
	case nil:
		return nil
	case []string:
		return l
	case []any:
		out := make([]string, 0, len(l))
		for _, e := range l {
			s, ok := e.(string)
			if !ok {
				p.want(name, "a list of texts", v)
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	p.want(name, "a list of texts", v)
	return nil
}

// Header is one name and value of a map of texts.
type Header struct{ Name, Value string }

// Headers returns a map of texts in the order of names. The map may be given as
// the text of a JSON object; numbers and booleans are taken as they are written.
func (p *Props) Headers(name string) []Header {
	v := p.m[strings.ToLower(name)]
	var m map[string]any
	switch h := v.(type) {
	case nil:
		return nil
	case map[string]any:
		m = h
	case map[string]string:
		m = make(map[string]any, len(h))
		for k, v := range h {
			m[k] = v
		}
	case string:
		if strings.TrimSpace(h) == "" {
			return nil
		}
		if err := json.Unmarshal([]byte(h), &m); err != nil {
			p.want(name, "an object, or the text of a JSON object", v)
			return nil
		}
	default:
		p.want(name, "an object, or the text of a JSON object", v)
		return nil
	}
	out := make([]Header, 0, len(m))
	for k, v := range m {
		switch v.(type) {
		case string, bool, float64, int, int64, json.Number:
			out = append(out, Header{k, fmt.Sprint(v)})
		default:
			p.want(name+"."+k, "a text", v)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Dynamic tells whether a text is a template that is evaluated for each message.
func Dynamic(text string) bool { return strings.Contains(text, "{{") }
