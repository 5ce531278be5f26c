package mqttconn

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Options says where a connection goes and how. Two users with equal Key share
// one Conn.
type Options struct {
	// Servers are tried in turn: scheme://host:port with the schemes tcp, mqtt,
	// ssl, tls, mqtts, tcps, ws, wss and unix; without a scheme tcp, without a
	// port 1883 or 8883. Default tcp://127.0.0.1:1883.
	Servers []string
	// ClientID names the client to the broker, which lets a name in only once.
	// Default: a random name for each connection.
	ClientID string
	// Username and Password are what the broker asks for; empty: nothing.
	Username, Password string
	// ProtocolVersion is "3.1" (or "3") or "3.1.1" (or "4", default). "5" connects as
	// 3.1.1, with a warning.
	ProtocolVersion string
	// KeepAlive is how long the connection may be silent before the broker is
	// asked for a sign of life; it counts as dead after one and a half times as
	// long. Whole seconds, default 30 s.
	KeepAlive time.Duration
	// CleanSession lets the broker forget the subscriptions and what was not
	// acknowledged when the connection ends. Default true for ParseProps; an
	// Options literal has to say so. Without it ClientID must be set.
	CleanSession bool
	// TLS is used by the schemes that encrypt.
	TLS TLSOptions
	// Linger bounds how often the connection is read, see ParseLinger. The zero
	// value reads whenever there is something; ParseProps defaults to LingerAuto.
	Linger time.Duration
	// Sending marks a connection of sinks. Without a ClientID sinks have a
	// connection of their own, so that the acknowledgements of what they send
	// never wait behind messages that back-pressure leaves unread.
	Sending bool
	// MaxPacket is the size in bytes from which packets are skipped and counted.
	// Default 16 MiB.
	MaxPacket int
	// ConnectTimeout bounds one attempt, dialling and handshake. Default 10 s.
	ConnectTimeout time.Duration
	// RetryMin and RetryMax bound the time between attempts, which doubles from
	// one to the other. Default 250 ms and 30 s.
	RetryMin, RetryMax time.Duration
	// Warnings is what the user should know; New logs each once.
	Warnings []string
}

// TLSOptions are eKuiper's properties of encrypted connections.
type TLSOptions struct {
	CertPath, KeyPath, CAPath string // PEM files
	CertRaw, KeyRaw, CARaw    string // PEM, base64; before the files
	InsecureSkipVerify        bool   // take any certificate of the broker
	MinVersion                string // "tls1.0" to "tls1.3"; default tls1.2
	Renegotiation             string // "never" (default), "once" or "freely"
}

// EnsureDefaults fills in the fields that were left zero.
func (o *Options) EnsureDefaults() {
	if len(o.Servers) == 0 {
		o.Servers = []string{"tcp://127.0.0.1:1883"}
	}
	if o.ProtocolVersion == "" {
		o.ProtocolVersion = "3.1.1"
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 30 * time.Second
	}
	if o.MaxPacket == 0 {
		o.MaxPacket = 16 << 20
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	if o.RetryMin == 0 {
		o.RetryMin = 250 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = max(30*time.Second, o.RetryMin)
	}
}

// Validate lists every fault of o, which has its defaults.
func (o *Options) Validate() error {
	var errs []error
	for _, s := range o.Servers {
		if _, err := serverURL(s); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := o.version(); err != nil {
		errs = append(errs, err)
	}
	if o.KeepAlive < time.Second || o.KeepAlive > 65535*time.Second {
		errs = append(errs, fmt.Errorf("keepAlive %v: want 1s to 65535s", o.KeepAlive))
	}
	if !o.CleanSession && o.ClientID == "" {
		errs = append(errs, errors.New("enableClientSession: a session that the broker keeps needs a clientid"))
	}
	if o.MaxPacket < 1024 || o.MaxPacket > maxRemaining {
		errs = append(errs, fmt.Errorf("maxPacketBytes %d: want 1024 to %d", o.MaxPacket, maxRemaining))
	}
	if o.Linger < 0 && o.Linger != LingerAuto {
		errs = append(errs, fmt.Errorf("linger %v: must not be negative", o.Linger))
	}
	if _, err := o.TLS.check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// version is the protocol level of CONNECT.
func (o *Options) version() (uint, error) {
	switch strings.TrimSpace(o.ProtocolVersion) {
	case "", "4", "3.1.1", "5", "5.0":
		return 4, nil
	case "3", "3.1":
		return 3, nil
	}
	return 0, fmt.Errorf("protocolVersion %q: want 3.1 or 3.1.1", o.ProtocolVersion)
}

// Key is equal for options that can share a connection.
func (o Options) Key() string {
	o.EnsureDefaults()
	o.Warnings = nil
	o.Sending = o.Sending && o.ClientID == ""
	if o.Sending {
		o.Linger = LingerAuto // nothing is received
	}
	return fmt.Sprintf("%q", fmt.Sprintf("%+v", o))
}

// serverURL reads an address as users write it.
func serverURL(s string) (*url.URL, error) {
	text := strings.TrimSpace(s)
	if !strings.Contains(text, "://") {
		text = "tcp://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("server %q: want scheme://host:port", s)
	}
	port := "1883"
	switch u.Scheme {
	case "tcp", "mqtt":
	case "ssl", "tls", "mqtts", "mqtt+ssl", "tcps":
		port = "8883"
	case "ws":
		port = "80"
	case "wss":
		port = "443"
	case "unix":
		if u.Host == "" && u.Path == "" {
			return nil, fmt.Errorf("server %q: want unix://path", s)
		}
		return u, nil
	default:
		return nil, fmt.Errorf("server %q: unknown scheme %q, want tcp, ssl, ws or wss", s, u.Scheme)
	}
	if u.Hostname() == "" && u.Port() == "" {
		return nil, fmt.Errorf("server %q: want scheme://host:port", s)
	}
	host := u.Hostname()
	if host == "" {
		host = "127.0.0.1"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	u.Host = net.JoinHostPort(host, port)
	return u, nil
}

// randomID makes a client's name. 3.1 allows 23 characters.
func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "weir-" + hex.EncodeToString(b[:])
}
