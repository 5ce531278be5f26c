package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/planner/ruledef"
)

// TestGolden loads each file of testdata and compares the settings and warnings,
// or the faults, with the file of the same name that ends in .want.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var lines []string
			c, err := Load(file, nil, nil)
			if err != nil {
				lines = []string{err.Error()}
			} else {
				lines = c.List()
				for _, w := range c.Warnings {
					lines = append(lines, "warning: "+w)
				}
			}
			got := strings.Join(lines, "\n") + "\n"
			name := strings.TrimSuffix(file, ".yaml") + ".want"
			want, err := os.ReadFile(name)
			if os.IsNotExist(err) {
				if d := strings.Join(Defaults().List(), "\n") + "\n"; got != d {
					t.Errorf("got\n%s\nwant the defaults\n%s", got, d)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	env := []string{
		"PATH=/bin", "WEIR__BASIC__RESTPORT=9100", "KUIPER__BASIC__RESTPORT=9101", "KUIPER__BASIC__LOGLEVEL=error",
		"KUIPER__BASIC__CONSOLELOG=true", "KUIPER__STORE__TYPE=redis", "MQTT_SOURCE__DEFAULT__SERVER=tcp://env:1883",
		"MQTT_SOURCE__DEFAULT__QOS=2", "WEIR__SOURCES__MQTT__SITE1__INSECURESKIPVERIFY=false", "WEIR__SOURCES__MQTT__NEW__CLIENTID=007",
		"WEIR__MEMORY__LIMIT=32MB", "WEIR__BASIC__DEBUG=true", "FOO__BAR=1", "WEIR__MQTT__LISTEN=1885",
	}
	c, err := Load("testdata/full.yaml", env, []Setting{{"data.dir", "d", "--data"}, {"basic.debug", "false", "--debug"}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := c.MQTT.Address()
	if c.Basic.RestPort != 9100 || c.Basic.LogLevel != "error" || c.Memory.Limit != 32<<20 || c.Basic.Debug || c.Data.Dir != "d" || addr != "127.0.0.1:1885" || err != nil {
		t.Errorf("got %+v, %+v, %s", c.Basic, c.Data, addr)
	}
	want := map[string]map[string]any{
		"default": {"server": "tcp://env:1883", "qos": "2", "password": "secret"},
		"site1":   {"server": "tcp://10.0.0.7:1883", "insecureSkipVerify": "false", "ratio": 0.5, "list": []any{int64(1), "a"}, "sub": map[string]any{"x": nil}},
		"empty":   {}, "new": {"clientid": "007"},
	}
	got := c.Sources["mqtt"]
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sources: got %v, want %v", got, want)
	}
	text := strings.Join(c.Warnings, "\n")
	for _, w := range []string{"environment KUIPER__BASIC__CONSOLELOG: has no effect", "environment KUIPER__STORE__TYPE: has no effect"} {
		if !strings.Contains(text, w) {
			t.Errorf("warnings: got %s, want %q", text, w)
		}
	}
	lines := strings.Join(c.List(), "\n")
	for _, l := range []string{"basic.restPort = 9100 (environment WEIR__BASIC__RESTPORT)", "data.dir = d (flag --data)"} {
		if !strings.Contains(lines, l) {
			t.Errorf("got %s\nwant a line %q", lines, l)
		}
	}
}

func TestOverrideFaults(t *testing.T) {
	_, err := Load("", []string{"WEIR__BASIC__RESTPRT=1", "WEIR__BASIC=x", "WEIR__BASIC__RESTPORT=x", "WEIR__RULE__QOS=5"}, []Setting{{"data.dir.x", "1", "--bad"}})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"config: environment WEIR__BASIC__RESTPRT", "config: environment WEIR__BASIC: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %q", err, want)
		}
	}
	if _, err := Load("testdata/none.yaml", nil, nil); err == nil {
		t.Error("missing file: got no error")
	}
	if _, err := Load("", []string{"WEIR__RULE__QOS=5"}, nil); err == nil || err.Error() != "config: environment WEIR__RULE__QOS: rule.qos: want 0, 1 or 2, not 5" {
		t.Errorf("got %v", err)
	}
}

func TestDefaults(t *testing.T) {
	c := Defaults()
	if faults := c.check(); len(faults) > 0 {
		t.Error(faults)
	}
	if got, want := c.Rule.Options(), ruledef.DefaultOptions(); !reflect.DeepEqual(got, want) {
		t.Errorf("rule options: got %+v, want %+v", got, want)
	}
	if got := c.Basic.RestAddr(); got != "127.0.0.1:9081" {
		t.Errorf("address: got %s", got)
	}
	if loc, err := c.Location(); err != nil || loc != time.Local {
		t.Errorf("time zone: got %v, %v", loc, err)
	}
	c.Rule.QoS, c.Basic.LogLevel = 7, "x"
	if faults := c.check(); len(faults) != 2 {
		t.Errorf("two faults: got %v", faults)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "1024": 1024, "1KB": 1024, " 2 MiB ": 2 << 20, "3g": 3 << 30, "5b": 5, "-1MB": -1 << 20} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "1.5GB", "9223372036854775807GB", "x"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
	for b, want := range map[Bytes]string{0: "0", 1536: "1536", 64 << 20: "64MB", 1 << 30: "1GB"} {
		if got := b.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(b), got, want)
		}
	}
}
