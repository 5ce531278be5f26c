package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Props reads a source's properties, as configuration groups and stream options
// give them, and collects the faults. Keys are found in any case of letters.
type Props struct {
	m    map[string]any
	errs []error
}

// NewProps reads from m, which it borrows.
func NewProps(m map[string]any) *Props { return &Props{m: m} }

// Err lists every fault found so far, one line each, or is nil.
func (p *Props) Err() error { return errors.Join(p.errs...) }

// Fault adds a fault of the property key.
func (p *Props) Fault(key, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("property %q: %s", key, fmt.Sprintf(format, args...)))
}

// Any returns the value of key; nil if it is not there.
func (p *Props) Any(key string) any {
	if v, ok := p.m[key]; ok {
		return v
	}
	for k, v := range p.m {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}

// String returns a text, or def if key is not there.
func (p *Props) String(key, def string) string {
	switch v := p.Any(key).(type) {
	case nil:
		return def
	case string:
		return v
	default:
		p.Fault(key, "want a text, found %v", v)
		return def
	}
}

// Bool returns true or false, which may be written as text.
func (p *Props) Bool(key string, def bool) bool {
	switch v := p.Any(key).(type) {
	case nil:
		return def
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
		p.Fault(key, "want true or false, found %q", v)
	default:
		p.Fault(key, "want true or false, found %v", v)
	}
	return def
}

// Int returns a whole number from lo to hi, which may be written as text.
func (p *Props) Int(key string, def, lo, hi int) int {
	return int(p.Int64(key, int64(def), int64(lo), int64(hi)))
}

// Int64 is Int for what may be too large for an int of 32 bits. Numbers from 2^53
// on are exact only as far as a float64 is.
func (p *Props) Int64(key string, def, lo, hi int64) int64 {
	raw := p.Any(key)
	if raw == nil {
		return def
	}
	f, ok := number(raw)
	if !ok || f != math.Trunc(f) || f < float64(lo) || f > float64(hi) {
		p.Fault(key, "want a whole number from %d to %d, found %s", lo, hi, quote(raw))
		return def
	}
	return int64(f)
}

// Float returns a number from lo to hi, which may be written as text.
func (p *Props) Float(key string, def, lo, hi float64) float64 {
	raw := p.Any(key)
	if raw == nil {
		return def
	}
	f, ok := number(raw)
	if !ok || !(f >= lo && f <= hi) {
		p.Fault(key, "want a number from %g to %g, found %s", lo, hi, quote(raw))
		return def
	}
	return f
}

// Duration returns a time span that is not negative: milliseconds as a number,
// or a text such as "500ms" or "1h30m".
func (p *Props) Duration(key string, def time.Duration) time.Duration {
	raw := p.Any(key)
	if raw == nil {
		return def
	}
	d, ok := time.Duration(0), false
	if f, isNumber := number(raw); isNumber {
		f *= float64(time.Millisecond)
		d, ok = time.Duration(f), f < math.MaxInt64
	} else if s, isText := raw.(string); isText {
		var err error
		d, err = time.ParseDuration(s)
		ok = err == nil
	}
	if !ok || d < 0 {
		p.Fault(key, `want milliseconds or a duration like "10s", found %s`, quote(raw))
		return def
	}
	return d
}

// Strings returns a list of texts.
func (p *Props) Strings(key string) []string {
	switch v := p.Any(key).(type) {
	case nil:
		return nil
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				p.Fault(key, "want a list of texts, found %v in it", x)
				return nil
			}
			out = append(out, s)
		}
		return out
	default:
		p.Fault(key, "want a list of texts, found %v", v)
		return nil
	}
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, !math.IsNaN(x)
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(x, 64)
		return f, err == nil && !math.IsNaN(f)
	}
	return 0, false
}

func quote(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}
