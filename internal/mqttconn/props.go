package mqttconn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseProps reads the connection's properties as eKuiper's MQTT sources, sinks
// and configuration groups have them, and weir's own: linger, keepAlive,
// maxPacketBytes. Keys are found in any case of letters, and those of others are
// ignored. An error lists every fault.
func ParseProps(props map[string]any) (Options, error) {
	p := reader{m: make(map[string]any, len(props))}
	for k, v := range props {
		if v != nil {
			p.m[strings.ToLower(k)] = v
		}
	}
	o := Options{
		Servers:         p.servers(),
		ClientID:        p.text("clientid"),
		Username:        p.text("username"),
		Password:        p.text("password"),
		ProtocolVersion: p.scalar("protocolVersion"),
		KeepAlive:       p.duration("keepAlive"),
		CleanSession:    !p.flag("enableClientSession"),
		MaxPacket:       p.number("maxPacketBytes"),
		Linger:          LingerAuto,
		TLS: TLSOptions{
			CertPath:           p.text("certificationPath"),
			KeyPath:            p.text("privateKeyPath"),
			CAPath:             p.text("rootCaPath"),
			CertRaw:            p.text("certificationRaw"),
			KeyRaw:             p.text("privateKeyRaw"),
			CARaw:              p.text("rootCARaw"),
			InsecureSkipVerify: p.flag("insecureSkipVerify"),
			MinVersion:         p.text("tlsMinVersion"),
			Renegotiation:      p.text("renegotiationSupport"),
		},
	}
	if o.TLS.CertRaw == "" {
		o.TLS.CertRaw = p.text("certficationRaw") // as eKuiper's documentation spells it
	}
	if v, ok := p.m["linger"]; ok {
		d, err := ParseLinger(v)
		if err != nil {
			p.errs = append(p.errs, err)
		}
		o.Linger = d
	}
	if strings.HasPrefix(o.ProtocolVersion, "5") {
		o.Warnings = append(o.Warnings, `protocolVersion "5" is not supported, connecting as 3.1.1`)
	}
	if !o.CleanSession && o.ClientID == "" {
		o.CleanSession = true
		o.Warnings = append(o.Warnings, "enableClientSession without clientid: the broker could not find the session again, connecting without")
	}
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		p.errs = append(p.errs, err)
	}
	if err := errors.Join(p.errs...); err != nil {
		return Options{}, err
	}
	return o, nil
}

// ParseQoS reads the property qos: 0, 1 or 2, or def if it is not there.
func ParseQoS(props map[string]any, def byte) (byte, error) {
	for k, v := range props {
		if !strings.EqualFold(k, "qos") || v == nil {
			continue
		}
		if n, ok := whole(v); ok && n >= 0 && n <= 2 {
			return byte(n), nil
		}
		return 0, fmt.Errorf("qos %s: want 0, 1 or 2", quoted(v))
	}
	return def, nil
}

// reader reads properties by name and collects what is wrong with them.
type reader struct {
	m    map[string]any
	errs []error
}

func (p *reader) get(name string) (any, bool) {
	v, ok := p.m[strings.ToLower(name)]
	return v, ok
}

func (p *reader) fault(name string, v any, want string) {
	p.errs = append(p.errs, fmt.Errorf("%s %s: want %s", name, quoted(v), want))
}

func (p *reader) text(name string) string {
	v, ok := p.get(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		p.fault(name, v, "text")
	}
	return s
}

// scalar is a text that may be written as a number.
func (p *reader) scalar(name string) string {
	v, ok := p.get(name)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int, int64, json.Number:
		return fmt.Sprint(v)
	}
	p.fault(name, v, "text")
	return ""
}

func (p *reader) flag(name string) bool {
	v, ok := p.get(name)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
	}
	p.fault(name, v, "true or false")
	return false
}

func (p *reader) number(name string) int {
	v, ok := p.get(name)
	if !ok {
		return 0
	}
	n, ok := whole(v)
	if !ok || n <= 0 || n > math.MaxInt32 {
		p.fault(name, v, "a whole number above 0")
		return 0
	}
	return int(n)
}

func (p *reader) duration(name string) time.Duration {
	v, ok := p.get(name)
	if !ok {
		return 0
	}
	d, err := parseDuration(v)
	if err != nil {
		p.fault(name, v, "a duration as text or in milliseconds")
	}
	return d
}

func (p *reader) servers() []string {
	var list []string
	if v, ok := p.get("server"); ok {
		s, ok := v.(string)
		if !ok || strings.TrimSpace(s) == "" {
			p.fault("server", v, "text like tcp://host:1883")
			return nil
		}
		for _, one := range strings.Split(s, ",") {
			list = append(list, strings.TrimSpace(one))
		}
		return list
	}
	v, ok := p.get("servers")
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case string:
		return append(list, v)
	case []string:
		return v
	case []any:
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				p.fault("servers", x, "a list of text like tcp://host:1883")
				return nil
			}
			list = append(list, s)
		}
		return list
	}
	p.fault("servers", v, "a list of text like tcp://host:1883")
	return nil
}

// parseDuration reads a duration as text, or as a number of milliseconds.
func parseDuration(v any) (time.Duration, error) {
	if n, ok := whole(v); ok {
		if n > math.MaxInt64/int64(time.Millisecond) || n < 0 {
			return 0, errors.New("duration out of range")
		}
		return time.Duration(n) * time.Millisecond, nil
	}
	s, ok := v.(string)
	if !ok {
		return 0, errors.New("neither text nor a number")
	}
	return time.ParseDuration(strings.TrimSpace(s))
}

// whole reads a whole number, which may be written as text.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// quoted shows v as the user wrote it, cut short.
func quoted(v any) string {
	s := fmt.Sprint(v)
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	if _, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return s
}
