package mqttconn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/loss"
)

func startEmbedded(t testing.TB, o broker.Options) *broker.Broker {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	b, err := broker.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// startMosquitto runs mosquitto on a free port; ok is false where there is none.
func startMosquitto(t testing.TB) (server string, ok bool) {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		return "", false
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	ln.Close()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", addr.Port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return "tcp://" + addr.String(), true
}

// eachBroker runs test against the embedded broker and against mosquitto.
func eachBroker(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("embedded", func(t *testing.T) {
		test(t, Options{Servers: []string{startEmbedded(t, broker.Options{}).Addr()}})
	})
	t.Run("mosquitto", func(t *testing.T) {
		server, ok := startMosquitto(t)
		if !ok {
			t.Log("mosquitto is not installed: the embedded broker takes its place")
			server = startEmbedded(t, broker.Options{}).Addr()
		}
		test(t, Options{Servers: []string{server}})
	})
}

// sender is a started connection that publishes.
func sender(t testing.TB, o Options) func(...OutMessage) {
	t.Helper()
	o.ClientID = ""
	o.Sending = true
	c := mustNew(t, o)
	c.Start()
	if err := c.WaitConnected(patient(t)); err != nil {
		t.Fatal(err)
	}
	return func(msgs ...OutMessage) {
		t.Helper()
		for {
			n, err := c.Publish(patient(t), msgs)
			if err == nil {
				return
			}
			if msgs = msgs[n:]; c.ctx.Err() != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestQoS(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		c := mustNew(t, o)
		in := newInbox(c)
		mustSubscribe(t, c, 1, 2, "a/#")
		c.Start()
		mustAcked(t, c, 1)
		send := sender(t, o)
		for qos := range byte(3) {
			n := 100
			if qos == 2 {
				n = 15 // mosquitto 2.0.11 forgets what is beyond its max_inflight_messages
			}
			var msgs []OutMessage
			for i := range n {
				msgs = append(msgs, OutMessage{Topic: "a/x", Payload: fmt.Appendf(nil, "%d", i), QoS: qos})
			}
			send(msgs...)
			for i, m := range in.take(n) {
				if m.payload != fmt.Sprint(i) || m.qos != qos {
					t.Fatalf("QoS %d, message %d: got %+v", qos, i, m)
				}
			}
		}
		if err := waitStats(t, c, func(s Stats) bool { return s.Acked == 115 }); err != nil {
			t.Errorf("acknowledged: got %d, want 115", c.Stats().Acked)
		}
		if st, _ := c.Sub(1); !st.Seen {
			t.Error("no message was seen")
		}
	})
}

// waitStats polls the statistics: they change without notice.
func waitStats(t *testing.T, c *Conn, ok func(Stats) bool) error {
	ctx := patient(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok(c.Stats()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func TestOverlapsAndDollar(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		c := mustNew(t, o)
		in := newInbox(c)
		mustSubscribe(t, c, 1, 0, "#")
		mustSubscribe(t, c, 2, 1, "+/b")
		mustSubscribe(t, c, 3, 0, "a/+", "a/b")
		mustSubscribe(t, c, 4, 0, "$hw/+/x")
		mustSubscribe(t, c, 5, 1, "$share/g/s/+")
		c.Start()
		mustAcked(t, c, 1, 2, 3, 4, 5)
		send := sender(t, o)
		send(OutMessage{Topic: "a/b"}, OutMessage{Topic: "$hw/1/x"}, OutMessage{Topic: "a/c"}, OutMessage{Topic: "end"})
		want := [][]SubID{{1, 2, 3}, {4}, {1, 3}, {1}}
		for i, m := range in.take(4) {
			if !slices.Equal(m.subs, want[i]) {
				t.Errorf("%q: got %v, want %v", m.topic, m.subs, want[i])
			}
		}
		if n := c.Stats().MessagesIn; n != 4 {
			t.Errorf("got %d messages, want 4", n)
		}
	})
}

func TestSharedSubscription(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		c := mustNew(t, o)
		in := newInbox(c)
		mustSubscribe(t, c, 1, 1, "$share/g/s/+")
		c.Start()
		mustAcked(t, c, 1)
		sender(t, o)(OutMessage{Topic: "s/1", Payload: []byte("x")})
		if m := in.take(1)[0]; m.topic != "s/1" || !slices.Equal(m.subs, []SubID{1}) {
			t.Errorf("got %+v", m)
		}
	})
}

func TestRetained(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		send := sender(t, o)
		// The second message is confirmed when the first one is through.
		send(OutMessage{Topic: "r/1", Payload: []byte("kept"), Retain: true, QoS: 1}, OutMessage{Topic: "x", QoS: 1})
		c := mustNew(t, o)
		in := newInbox(c)
		c.Start()
		mustSubscribe(t, c, 1, 0, "r/1")
		if m := in.take(1)[0]; !m.retained || !slices.Equal(m.subs, []SubID{1}) {
			t.Errorf("got %+v", m)
		}
		mustAcked(t, c, 1)
		mustSubscribe(t, c, 2, 0, "r/#")
		if m := in.take(1)[0]; !m.retained || !slices.Equal(m.subs, []SubID{2}) {
			t.Errorf("got %+v", m)
		}
		mustAcked(t, c, 2)
		send(OutMessage{Topic: "r/1", Payload: []byte("live"), Retain: true})
		if m := in.take(1)[0]; m.retained || !slices.Equal(m.subs, []SubID{1, 2}) {
			t.Errorf("got %+v", m)
		}
	})
}

func TestPersistentSession(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		o.ClientID = "weir-test"
		first := mustNew(t, o)
		in := newInbox(first)
		in.hold = true
		mustSubscribe(t, first, 7, 1, "p/+")
		first.Start()
		mustAcked(t, first, 7)
		send := sender(t, o)
		send(OutMessage{Topic: "p/1", Payload: []byte("1"), QoS: 1}, OutMessage{Topic: "p/1", Payload: []byte("2"), QoS: 1})
		got := in.take(2)
		first.Ack([]uint64{got[0].token}) // and the second is not
		first.Close()
		send(OutMessage{Topic: "p/1", Payload: []byte("3"), QoS: 1})

		second := mustNew(t, o)
		in = newInbox(second)
		mustSubscribe(t, second, 9, 1, "p/+") // what the broker kept comes before SUBACK
		second.Start()
		got = in.take(2) // the embedded broker does not hold the order of what it kept
		slices.SortFunc(got, func(a, b received) int { return strings.Compare(a.payload, b.payload) })
		for i, m := range got {
			if want := fmt.Sprint(i + 2); m.payload != want || !slices.Equal(m.subs, []SubID{9}) {
				t.Errorf("got %+v, want %s", m, want)
			}
		}
		mustAcked(t, second, 9)
	})
}

func TestReconnect(t *testing.T) {
	b := startEmbedded(t, broker.Options{})
	addr := b.Addr()
	c := mustNew(t, Options{Servers: []string{addr}})
	in := newInbox(c)
	mustSubscribe(t, c, 1, 1, "a/+")
	c.Start()
	mustAcked(t, c, 1)
	b.Close()
	if err := waitChange(t, c, func(s State) bool { return !s.Connected }); err != nil {
		t.Fatal(err)
	}
	if st, _ := c.Sub(1); st.Acked {
		t.Error("the subscription counts as confirmed without a connection")
	}
	if s := c.State(); s.Err == nil || s.DisconnectedAt == 0 || s.ConnectedAt == 0 {
		t.Errorf("got %+v", s)
	}
	startEmbedded(t, broker.Options{Listen: addr})
	mustAcked(t, c, 1)
	sender(t, c.Options())(OutMessage{Topic: "a/b", Payload: []byte("x"), QoS: 1})
	if m := in.take(1)[0]; m.payload != "x" {
		t.Errorf("got %+v", m)
	}
}

func TestQoS2AcrossReconnect(t *testing.T) {
	// The session is kept by mosquitto or the embedded broker; a message that was
	// handed on and not acknowledged comes again and is not handed on again.
	eachBroker(t, func(t *testing.T, o Options) {
		o.ClientID = "weir-two"
		c := mustNew(t, o)
		in := newInbox(c)
		in.hold = true
		mustSubscribe(t, c, 1, 2, "a")
		c.Start()
		mustAcked(t, c, 1)
		send := sender(t, o)
		send(OutMessage{Topic: "a", Payload: []byte("1"), QoS: 2})
		m := in.take(1)[0]
		c.mu.Lock()
		c.live.fail(errRefusedTest)
		c.mu.Unlock()
		if err := waitChange(t, c, func(s State) bool { return s.Connected && c.Stats().Connects == 2 }); err != nil {
			t.Fatal(err)
		}
		c.Ack([]uint64{m.token})
		if err := waitStats(t, c, func(s Stats) bool { return s.Acked == 1 }); err != nil {
			t.Fatal(err)
		}
		send(OutMessage{Topic: "a", Payload: []byte("2"), QoS: 2})
		if m := in.take(1)[0]; m.payload != "2" {
			t.Errorf("got %+v", m)
		}
	})
}

func TestUserAndPassword(t *testing.T) {
	b := startEmbedded(t, broker.Options{Username: "plant", Password: "secret"})
	bad := mustNew(t, Options{Servers: []string{b.Addr()}, Username: "plant", Password: "guess"})
	bad.Start()
	if err := waitChange(t, bad, func(s State) bool { return s.Err != nil }); err != nil {
		t.Fatal(err)
	}
	if err := bad.State().Err; !strings.Contains(strings.ToLower(err.Error()), "not authorized") {
		t.Errorf("got %v", err)
	}
	good := mustNew(t, Options{Servers: []string{b.Addr()}, Username: "plant", Password: "secret"})
	good.Start()
	if err := good.WaitConnected(patient(t)); err != nil {
		t.Errorf("got %v", err)
	}
	if b.Clients() == 0 {
		t.Error("the broker counts no client")
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certPath, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certPath, keyPath = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string]*pem.Block{certPath: {Type: "CERTIFICATE", Bytes: der}, keyPath: {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPath, keyPath
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	b := startEmbedded(t, broker.Options{CertPath: cert, KeyPath: key})
	raw, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]TLSOptions{
		"file":     {CAPath: cert},
		"raw":      {CARaw: base64.StdEncoding.EncodeToString(raw), MinVersion: "tls1.3"},
		"insecure": {InsecureSkipVerify: true},
		"client":   {CAPath: cert, CertPath: cert, KeyPath: key},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Servers: []string{"ssl://" + b.Addr()}, TLS: o, Linger: 10 * time.Millisecond}
			c := mustNew(t, o)
			in := newInbox(c)
			mustSubscribe(t, c, 1, 1, name)
			c.Start()
			mustAcked(t, c, 1)
			send := sender(t, o)
			for range 3 { // paced reads go another way with TLS
				send(OutMessage{Topic: name, Payload: []byte("x"), QoS: 1})
				in.take(1)
			}
		})
	}
	c := mustNew(t, Options{Servers: []string{"ssl://" + b.Addr()}})
	c.Start()
	if err := waitChange(t, c, func(s State) bool { return s.Err != nil }); err != nil {
		t.Fatal(err)
	}
	if err := c.State().Err; !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	for _, o := range []TLSOptions{{CAPath: "/nowhere"}, {CAPath: key}, {CertPath: cert}, {CARaw: "%"}, {CertPath: cert, KeyPath: cert}, {MinVersion: "ssl3"}, {Renegotiation: "x"}} {
		if _, err := New(Options{CleanSession: true, TLS: o}); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestLargeAndOversized(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		o.MaxPacket = 11 << 20
		c := mustNew(t, o)
		in := newInbox(c)
		mustSubscribe(t, c, 1, 2, "a")
		c.Start()
		mustAcked(t, c, 1)
		send := sender(t, o)
		large := bytes.Repeat([]byte("x"), 10<<20)
		over := bytes.Repeat([]byte("y"), 12<<20)
		for qos := range byte(3) {
			send(
				OutMessage{Topic: "a", Payload: large, QoS: qos},
				OutMessage{Topic: "a", Payload: over, QoS: qos},
				OutMessage{Topic: "a", Payload: []byte("small"), QoS: qos},
			)
			got := in.take(2)
			if got[0].payload != string(large) || got[1].payload != "small" {
				t.Errorf("QoS %d: got %d and %d bytes", qos, len(got[0].payload), len(got[1].payload))
			}
		}
		if s := c.Stats(); s.Lost[loss.Oversized] != 3 {
			t.Errorf("oversized: got %d, want 3", s.Lost[loss.Oversized])
		}
		for range 3 { // the large buffer goes with a later read
			send(OutMessage{Topic: "a", Payload: []byte("small")})
			in.take(1)
		}
		c.Close()
		if n := len(c.opened.buf); n > maxBuf {
			t.Errorf("a buffer of %d bytes stays", n)
		}
	})
}

// TestEndOfProcess tells the three ends apart: a stream that goes takes its filter
// along, also if the connection goes with it; the end of the process takes nothing,
// and what comes during it stays with the broker.
func TestEndOfProcess(t *testing.T) {
	eachBroker(t, func(t *testing.T, o Options) {
		o.ClientID = "weir-test"
		p := new(Pool)
		c, err := p.Get(o, "me")
		if err != nil {
			t.Fatal(err)
		}
		in := newInbox(c)
		in.hold = true
		mustSubscribe(t, c, 1, 1, "p/1")
		mustSubscribe(t, c, 2, 1, "p/2")
		mustSubscribe(t, c, 3, 2, "p/3")
		c.Start()
		mustAcked(t, c, 1, 2, 3)
		send := sender(t, o)
		send(OutMessage{Topic: "p/1", Payload: []byte("1"), QoS: 1}, OutMessage{Topic: "p/1", Payload: []byte("2"), QoS: 1})
		got := in.take(2)
		c.Unsubscribe(2)
		p.Leave()
		c.Unsubscribe(1) // as the engine does when it stops its streams
		c.Unsubscribe(3)
		p.Put(c, "me")
		send(OutMessage{Topic: "p/1", Payload: []byte("3"), QoS: 1}, OutMessage{Topic: "p/2", Payload: []byte("x"), QoS: 1}, OutMessage{Topic: "p/3", Payload: []byte("4"), QoS: 2})
		c.Ack([]uint64{got[0].token, got[1].token})
		p.Close()
		send(OutMessage{Topic: "p/1", Payload: []byte("5"), QoS: 1}, OutMessage{Topic: "p/2", Payload: []byte("x"), QoS: 1}, OutMessage{Topic: "p/3", Payload: []byte("6"), QoS: 2})

		p = new(Pool)
		p.Hold()
		if c, err = p.Get(o, "me"); err != nil {
			t.Fatal(err)
		}
		in = newInbox(c)
		in.hold = true
		mustSubscribe(t, c, 7, 1, "p/1")
		c.Start() // and the second subscription comes before the pool lets it
		mustSubscribe(t, c, 8, 2, "p/3")
		p.Go()
		var kept []string
		var tokens []uint64
		for _, m := range in.take(4) {
			kept, tokens = append(kept, m.payload), append(tokens, m.token)
		}
		slices.Sort(kept)
		if want := []string{"3", "4", "5", "6"}; !slices.Equal(kept, want) {
			t.Errorf("got %v, want %v", kept, want)
		}
		mustAcked(t, c, 7, 8)
		c.Ack(tokens)
		c.Unsubscribe(7)
		c.Unsubscribe(8)
		p.Put(c, "me") // the last one: this is no end of the process

		last := mustNew(t, o)
		in = newInbox(last)
		mustSubscribe(t, last, 9, 1, "p/9")
		last.Start()
		mustAcked(t, last, 9)
		// The session has no filter of before: of what is sent only the last comes.
		send(OutMessage{Topic: "p/1", QoS: 1}, OutMessage{Topic: "p/3", QoS: 1}, OutMessage{Topic: "p/9", Payload: []byte("end"), QoS: 1})
		in.take(1)
		if n := last.Stats().Lost[loss.Unrouted]; n != 0 {
			t.Errorf("%d messages came again, or to filters that are gone", n)
		}
	})
}
