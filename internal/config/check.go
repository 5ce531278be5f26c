package config

import (
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// check returns what is wrong with the values, each with the place that set it.
func (c *Config) check() []fault {
	var faults []fault
	fail := func(path, format string, args ...any) {
		at := c.origins[path]
		if at == "" {
			at = "default"
		}
		faults = append(faults, fault{at, path + ": " + fmt.Sprintf(format, args...)})
	}
	oneOf := func(path, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		fail(path, "want %s, not %q", strings.Join(allowed, ", "), value)
	}
	b := &c.Basic
	oneOf("basic.logLevel", strings.ToLower(b.LogLevel), "debug", "info", "warn", "warning", "error")
	oneOf("basic.logFormat", b.LogFormat, "text", "json")
	oneOf("sink.atLimit", c.Sink.AtLimit, "block", "dropOldest")
	if _, err := c.Location(); err != nil {
		fail("basic.timezone", "%v", err)
	}
	for _, p := range []struct {
		path  string
		value int
	}{{"basic.restPort", b.RestPort}, {"basic.prometheusPort", b.PrometheusPort}, {"basic.pprofPort", b.PprofPort}} {
		if p.value < 0 || p.value > 65535 {
			fail(p.path, "want a port from 0 to 65535, not %d", p.value)
		}
	}
	if b.CompatSeries < 1 {
		fail("basic.metricsCompatSeries", "want a number of series above 0, not %d", b.CompatSeries)
	}
	for _, t := range []struct {
		path  string
		value TLS
	}{{"basic.restTls", b.RestTLS}, {"mqtt.tls", c.MQTT.TLS}} {
		if (t.value.CertFile == "") != (t.value.KeyFile == "") {
			key := t.path + ".certfile"
			if t.value.CertFile == "" {
				key = t.path + ".keyfile"
			}
			fail(key, "want both certfile and keyfile, or neither")
		}
	}
	if _, err := c.MQTT.Address(); err != nil {
		fail("mqtt.listen", "%v", err)
	}
	if c.MQTT.Password != "" && c.MQTT.Username == "" {
		fail("mqtt.password", "a password without a username")
	}
	if b.Authentication && b.MgmtDir == "" {
		fail("basic.mgmtDir", "authentication needs the directory of public keys")
	}
	if c.Data.Dir == "" {
		fail("data.dir", "must not be empty")
	}
	c.checkNumbers(fail)
	return faults
}

// checkNumbers checks the bounds of numbers, sizes and durations.
func (c *Config) checkNumbers(fail func(path, format string, args ...any)) {
	if c.Rule.QoS < 0 || c.Rule.QoS > 2 {
		fail("rule.qos", "want 0, 1 or 2, not %d", c.Rule.QoS)
	}
	if c.Sink.MemoryBytes > c.Sink.MaxBytes {
		fail("sink.maxBytes", "is less than memoryBytes, %s", c.Sink.MemoryBytes)
	}
	if c.Sink.RetryMin > c.Sink.RetryMax {
		fail("sink.retryMin", "is longer than retryMax, %s", c.Sink.RetryMax)
	}
	c.each(func(path string, v reflect.Value) {
		if v.CanInt() && v.Int() < 0 {
			fail(path, "must not be negative, but is %v", v)
		}
	})
	for _, p := range []struct {
		path  string
		value int64
	}{
		{"basic.restBodyLimit", int64(c.Basic.RestBody)},
		{"basic.restBulkLimit", int64(c.Basic.RestBulk)},
		{"sink.memoryBytes", int64(c.Sink.MemoryBytes)},
		{"sink.retryMin", int64(c.Sink.RetryMin)},
		{"basic.rulePatrolInterval", int64(c.Basic.RulePatrolInterval)},
	} {
		if p.value == 0 {
			fail(p.path, "must not be zero")
		}
	}
}

// Location returns the time zone: that of the machine if none is set.
func (c *Config) Location() (*time.Location, error) {
	if c.Basic.Timezone == "" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(c.Basic.Timezone)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", c.Basic.Timezone)
	}
	return loc, nil
}

// RestAddr returns the address of the REST interface.
func (b *Basic) RestAddr() string { return net.JoinHostPort(b.RestIP, strconv.Itoa(b.RestPort)) }

// Address returns where the embedded broker listens; empty if there is none. A
// port alone is on loopback: who wants more says so.
func (m *MQTT) Address() (string, error) {
	if m.Listen == "" {
		return "", nil
	}
	text := strings.TrimPrefix(m.Listen, "tcp://")
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("want host:port, not %q", m.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("want a port from 0 to 65535, not %q", port)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Path returns a path that stands in the file as the process can open it: one
// that is relative starts at the file. Load has done so for the keys of sections;
// those in groups are for whoever knows what they mean.
func (c *Config) Path(name string) string {
	if name == "" || filepath.IsAbs(name) || c.Dir == "" {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// each calls f for every key of a section with its path.
func (c *Config) each(f func(path string, v reflect.Value)) {
	eachField(reflect.ValueOf(c).Elem(), "", f)
}

func eachField(v reflect.Value, path string, f func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("key")
		if key == "" || key == "-" || v.Field(i).Type() == groupsType {
			continue
		}
		if v.Field(i).Kind() == reflect.Struct {
			eachField(v.Field(i), join(path, key), f)
			continue
		}
		f(join(path, key), v.Field(i))
	}
}

// List returns every key with its value and the place that set it, a line each.
// Secrets are hidden.
func (c *Config) List() []string {
	var lines []string
	add := func(path string, v any) {
		text := fmt.Sprint(v)
		if low := strings.ToLower(path); text != "" && (strings.HasSuffix(low, "password") || strings.HasSuffix(low, "token") || strings.HasSuffix(low, "raw")) {
			text = "******"
		}
		at := c.origins[path]
		if at == "" {
			at = "default"
		}
		lines = append(lines, fmt.Sprintf("%s = %s (%s)", path, text, at))
	}
	c.each(func(path string, v reflect.Value) { add(path, v.Interface()) })
	n := len(lines)
	for section, groups := range map[string]Groups{"sources": c.Sources, "sinks": c.Sinks, "connections": c.Connections} {
		for typ, byName := range groups {
			for name, props := range byName {
				for key, v := range props {
					add(strings.Join([]string{section, typ, name, key}, "."), v)
				}
			}
		}
	}
	sort.Strings(lines[n:])
	return lines
}
