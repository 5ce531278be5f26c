// Package broker is the MQTT broker that weir brings along for places that have
// none, and the only home of the broker library. It keeps sessions and retained
// messages in memory: they end with the process.
//
// It listens on loopback unless told otherwise. Whoever subscribes and does not
// keep up loses messages of QoS 0, as with any broker; Dropped counts them.
package broker

import (
	"bytes"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Options configures a broker.
type Options struct {
	// Listen is host:port; without a host, loopback. Port 0 takes a free one.
	// Default 127.0.0.1:1883.
	Listen string
	// Username and Password, if set, are what clients have to give.
	Username, Password string
	// CertPath and KeyPath are PEM files of the broker's certificate; with them it
	// speaks TLS only.
	CertPath, KeyPath string
	// MaxPacket is the largest packet that it takes, in bytes. Default 16 MiB.
	MaxPacket int
	// Pending is how many messages wait for a client that does not keep up before
	// further ones of QoS 0 are dropped. Default 8192.
	Pending int
}

// EnsureDefaults fills in the fields that were left zero.
func (o *Options) EnsureDefaults() {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:1883"
	}
	if strings.HasPrefix(o.Listen, ":") {
		o.Listen = "127.0.0.1" + o.Listen
	}
	if o.MaxPacket == 0 {
		o.MaxPacket = 16 << 20
	}
	if o.Pending == 0 {
		o.Pending = 8192
	}
}

// Validate lists every fault of o.
func (o *Options) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		errs = append(errs, fmt.Errorf("broker: listen %q: want host:port", o.Listen))
	}
	if (o.CertPath == "") != (o.KeyPath == "") {
		errs = append(errs, errors.New("broker: TLS: want both certificate and key, or none"))
	}
	if o.Username == "" && o.Password != "" {
		errs = append(errs, errors.New("broker: a password needs a username"))
	}
	if o.MaxPacket < 1024 || o.MaxPacket > 1<<28 {
		errs = append(errs, fmt.Errorf("broker: largest packet %d: want 1024 to %d bytes", o.MaxPacket, 1<<28))
	}
	if o.Pending < 1 || o.Pending > 1<<20 {
		errs = append(errs, fmt.Errorf("broker: pending messages %d: want 1 to %d", o.Pending, 1<<20))
	}
	return errors.Join(errs...)
}

// Broker is a running broker.
type Broker struct {
	server *mqtt.Server
	ln     *listener
	once   sync.Once
	err    error
}

// Start listens and serves until Close. An error lists every fault of o, or says
// why it cannot listen.
func Start(o Options) (*Broker, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	ln, err := listen(&o)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	limits := mqtt.NewDefaultServerCapabilities()
	limits.MaximumPacketSize = uint32(o.MaxPacket)
	limits.MaximumClientWritesPending = int32(o.Pending)
	s := mqtt.New(&mqtt.Options{
		Capabilities:           limits,
		Logger:                 slog.New(quiet{slog.Default().Handler()}),
		SysTopicResendInterval: 10,
	})
	// The library waits for its clients with a group that must not be empty while
	// new ones may come.
	s.Listeners.ClientsWg.Add(1)
	own := newListener(ln, s.Listeners.ClientsWg.Done)
	err = s.AddHook(&doorkeeper{user: []byte(o.Username), password: []byte(o.Password)}, nil)
	if err == nil {
		err = s.AddHook(newGiver(s), nil)
	}
	if err == nil {
		err = s.AddListener(door{listeners.NewNet("weir", own)})
	}
	if err == nil {
		err = s.Serve()
	}
	if err != nil {
		_ = ln.Close() // the first error is the one to tell
		return nil, fmt.Errorf("broker: %w", err)
	}
	return &Broker{server: s, ln: own}, nil
}

func listen(o *Options) (net.Listener, error) {
	if o.CertPath == "" {
		return net.Listen("tcp", o.Listen)
	}
	cert, err := tls.LoadX509KeyPair(o.CertPath, o.KeyPath)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return tls.Listen("tcp", o.Listen, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
	})
}

// Addr is where it listens, host:port.
func (b *Broker) Addr() string { return b.ln.Addr().String() }

// Clients returns how many clients are connected.
func (b *Broker) Clients() int { return int(atomic.LoadInt64(&b.server.Info.ClientsConnected)) }

// Dropped returns how many messages were dropped for clients that did not keep
// up.
func (b *Broker) Dropped() int64 {
	return atomic.LoadInt64(&b.server.Info.MessagesDropped) + atomic.LoadInt64(&b.server.Info.InflightDropped)
}

// Close ends all connections and returns when it has. A second call does nothing
// more.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.ln.shut()
		b.err = b.server.Close()
	})
	return b.err
}

// doorkeeper lets in who knows user and password, and then allows everything.
type doorkeeper struct {
	mqtt.HookBase
	user, password []byte
}

// ID names the hook.
func (*doorkeeper) ID() string { return "weir-doorkeeper" }

// Provides says which questions it answers.
func (*doorkeeper) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck}, b) >= 0
}

// OnConnectAuthenticate tells whether a client may come in.
func (d *doorkeeper) OnConnectAuthenticate(_ *mqtt.Client, pk packets.Packet) bool {
	if len(d.user) == 0 {
		return true
	}
	user := subtle.ConstantTimeCompare(pk.Connect.Username, d.user)
	return user&subtle.ConstantTimeCompare(pk.Connect.Password, d.password) == 1
}

// OnACLCheck allows everything but writing the broker's own topics.
func (*doorkeeper) OnACLCheck(_ *mqtt.Client, topic string, write bool) bool {
	return !write || !strings.HasPrefix(topic, "$SYS/")
}

// quiet lets only errors of the library through: each connection that ends is a
// warning to it.
type quiet struct{ slog.Handler }

// Enabled drops what is not at least an error.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && q.Handler.Enabled(ctx, l)
}

// WithAttrs keeps quiet what has attributes: the library adds them to each
// listener's log.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup keeps quiet what is in a group.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
