package main

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/internal/config"
)

// Sources and sinks that name no broker take the embedded one.
func TestEmbeddedBrokerIsTheDefault(t *testing.T) {
	for _, c := range []struct {
		listen, user string
		group        map[string]any
		want         string
	}{
		{"", "", nil, "map[]"},
		{":1884", "", nil, "map[server:tcp://127.0.0.1:1884]"},
		{"0.0.0.0:1884", "u", nil, "map[password:p server:tcp://127.0.0.1:1884 username:u]"},
		{"host:1884", "", map[string]any{"qos": 1}, "map[qos:1 server:tcp://host:1884]"},
		{"host:1884", "u", map[string]any{"server": "tcp://else:1883"}, "map[server:tcp://else:1883]"},
		{"host:0", "", nil, "map[]"}, // nobody knows the port yet
	} {
		cfg := new(config.Config)
		cfg.MQTT.Listen, cfg.MQTT.Username, cfg.MQTT.Password = c.listen, c.user, "p"
		if c.group != nil {
			cfg.Sources = config.Groups{"mqtt": {"default": c.group}}
		}
		embedded(cfg)
		if got := fmt.Sprint(cfg.Sources["mqtt"]["default"]); got != c.want {
			t.Errorf("%q %q: got %s, want %s", c.listen, c.user, got, c.want)
		}
	}
}
