package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect sends a CONNECT of the client id, one letter, with user and password, and
// returns the answer's code.
func connect(t *testing.T, addr, id, user, password string) (net.Conn, byte) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	b := []byte{0x10, byte(10 + 2 + 1 + 4 + len(user) + len(password)), 0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 10, 0, 1, id[0]}
	b = append(append(b, 0, byte(len(user))), user...)
	b = append(append(b, 0, byte(len(password))), password...)
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	var ack [4]byte
	if _, err := io.ReadFull(nc, ack[:]); err != nil {
		t.Fatal(err)
	}
	return nc, ack[3]
}

func TestDoorkeeper(t *testing.T) {
	b, err := Start(Options{Listen: "127.0.0.1:0", Username: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, code := connect(t, b.Addr(), "x", "u", "p"); code != 0 {
		t.Errorf("got %d, want 0", code)
	}
	if _, code := connect(t, b.Addr(), "x", "u", "x"); code == 0 {
		t.Error("a wrong password is taken")
	}
	if _, code := connect(t, b.Addr(), "x", "", ""); code == 0 {
		t.Error("nobody is taken")
	}
}

// witness notes when a message is given to subscribers and when its publisher is told.
type witness struct {
	mqtt.HookBase
	mu   sync.Mutex
	seen []string
}

func (*witness) ID() string { return "witness" }

func (*witness) Provides(b byte) bool { return b == mqtt.OnQosPublish || b == mqtt.OnPacketEncode }

func (w *witness) note(cl *mqtt.Client, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, cl.ID+" "+what)
}

func (w *witness) OnQosPublish(cl *mqtt.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type == packets.Publish {
		w.note(cl, "has "+string(pk.Payload))
	}
}

func (w *witness) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if t := pk.FixedHeader.Type; t == packets.Puback || t == packets.Pubrec {
		w.note(cl, "is told")
	}
	return pk
}

// What a publisher is told that the broker has is with the sessions of all subscribers
// by then, whatever connects next, and is there once.
func TestAckedIsGiven(t *testing.T) {
	b, err := Start(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w := new(witness)
	if err := b.server.AddHook(w, nil); err != nil {
		t.Fatal(err)
	}
	ask := func(nc net.Conn, packet []byte, answer int) {
		t.Helper()
		if _, err := nc.Write(packet); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, make([]byte, answer)); err != nil {
			t.Fatal(err)
		}
	}
	sub, _ := connect(t, b.Addr(), "s", "u", "p")
	ask(sub, []byte{0x82, 6, 0, 1, 0, 1, 't', 2}, 5)
	pub, _ := connect(t, b.Addr(), "p", "u", "p")
	for qos := byte(1); qos <= 2; qos++ {
		w.mu.Lock()
		w.seen = nil
		w.mu.Unlock()
		ask(pub, []byte{0x30 | qos<<1, 6, 0, 1, 't', 0, qos, '!'}, 4)
		w.mu.Lock()
		got := slices.Clone(w.seen)
		w.mu.Unlock()
		if want := []string{"s has !", "p is told"}; !slices.Equal(got, want) {
			t.Errorf("qos %d: got %q, want %q", qos, got, want)
		}
	}
	ask(pub, []byte{0x33, 6, 0, 1, 'r', 0, 3, '!'}, 4)
	late, _ := connect(t, b.Addr(), "l", "u", "p")
	ask(late, []byte{0x82, 6, 0, 1, 0, 1, 'r', 0}, 5)
	retained := make([]byte, 6)
	if _, err := io.ReadFull(late, retained); err != nil || fmt.Sprintf("%x", retained) != "310400017221" {
		t.Errorf("got %x, %v, want the retained message", retained, err)
	}
}

func TestClose(t *testing.T) {
	b, err := Start(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	nc, _ := connect(t, b.Addr(), "x", "u", "p")
	mute, err := net.Dial("tcp", b.Addr()) // never says CONNECT
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	for _, c := range []net.Conn{nc, mute} {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := net.Dial("tcp", b.Addr()); err == nil {
		t.Error("it still listens")
	}
}

// What the library does to clients when a listener closes can stand still for ever.
func TestDoorLeavesClientsAlone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	door{listeners.NewNet("weir", ln)}.Close(func(string) { t.Error("the library was asked for the clients") })
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want a closed listener", err)
	}
}

func TestOptions(t *testing.T) {
	o := Options{Listen: ":1884"}
	o.EnsureDefaults()
	if o.Listen != "127.0.0.1:1884" {
		t.Errorf("got %q, want loopback", o.Listen)
	}
	_, err := Start(Options{Listen: "here", CertPath: "x", Password: "p", MaxPacket: 1, Pending: -1})
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("got %v, want five faults", err)
	}
	b, err := Start(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := Start(Options{Listen: b.Addr()}); err == nil || !strings.HasPrefix(err.Error(), "broker: listen tcp") {
		t.Errorf("got %v", err)
	}
	if _, err := Start(Options{Listen: "127.0.0.1:0", CertPath: "/nowhere", KeyPath: "/nowhere"}); err == nil {
		t.Error("a certificate that is not there is taken")
	}
}
