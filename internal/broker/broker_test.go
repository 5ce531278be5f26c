package broker

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect sends a CONNECT with user and password and returns the answer's code.
func connect(t *testing.T, addr, user, password string) (net.Conn, byte) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	b := []byte{0x10, byte(10 + 2 + 1 + 4 + len(user) + len(password)), 0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 10, 0, 1, 'x'}
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
	if _, code := connect(t, b.Addr(), "u", "p"); code != 0 {
		t.Errorf("got %d, want 0", code)
	}
	if _, code := connect(t, b.Addr(), "u", "x"); code == 0 {
		t.Error("a wrong password is taken")
	}
	if _, code := connect(t, b.Addr(), "", ""); code == 0 {
		t.Error("nobody is taken")
	}
}

func TestClose(t *testing.T) {
	b, err := Start(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	nc, _ := connect(t, b.Addr(), "u", "p")
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
