package main

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/internal/config"
)

func TestEmbedded(t *testing.T) {
	for _, c := range []struct{ listen, user, cert, want string }{
		{"", "", "", "map[]"},
		{":1884", "", "", "map[server:tcp://127.0.0.1:1884]"},
		{"0.0.0.0:1884", "u", "", "map[password:p server:tcp://127.0.0.1:1884 username:u]"},
		{"host:1884", "", "", "map[server:tcp://host:1884]"},
		{"host:8883", "", "cert.pem", "map[insecureSkipVerify:true server:ssl://host:8883]"},
		{"host:0", "", "", "map[]"}, // nobody knows the port yet
	} {
		m := config.MQTT{Listen: c.listen, Username: c.user, Password: "p", TLS: config.TLS{CertFile: c.cert}}
		if got := fmt.Sprint(embedded(&m)); got != c.want {
			t.Errorf("%q %q: got %s, want %s", c.listen, c.user, got, c.want)
		}
	}
}
