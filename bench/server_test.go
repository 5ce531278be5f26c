package bench

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// dial opens a plain connection to a server and returns it with a function that
// exchanges packets.
func dial(t *testing.T, s *server) (net.Conn, func(packet, want []byte)) {
	t.Helper()
	conn, err := net.Dial("tcp", s.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, func(packet, want []byte) {
		t.Helper()
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatalf("% x: %v", packet, err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("% x: got % x, want % x", packet, got, want)
		}
	}
}

func newServer(t *testing.T, onPublish func(topic, payload []byte)) *server {
	t.Helper()
	s, err := listen(onPublish)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func TestServer(t *testing.T) {
	got := make(chan string, 8)
	s := newServer(t, func(topic, payload []byte) { got <- string(topic) + " " + string(payload) })
	conn, exchange := dial(t, s)
	exchange([]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00"), []byte{0x20, 2, 0, 0})
	exchange([]byte("\x82\x0f\x00\x07\x00\x03a/b\x00\x00\x04c/+/\x02"), []byte{0x90, 4, 0, 7, 0, 1})
	exchange([]byte{0xc0, 0}, []byte{0xd0, 0})
	exchange(appendPublish(nil, "x", []byte("1"), 1, 9), []byte{0x40, 2, 0, 9})
	exchange(appendPublish(nil, "x", []byte("2"), 2, 10), []byte{0x50, 2, 0, 10})
	exchange([]byte{0x62, 2, 0, 10}, []byte{0x70, 2, 0, 10})
	if _, err := conn.Write(appendPublish(nil, "y", nil, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"x 1", "x 2", "y "} {
		if text := <-got; text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	to, qos, err := s.await([]string{"a/b"}, func() bool { return false })
	if err != nil || qos != 0 {
		t.Fatalf("subscriber of a/b: qos %d, %v", qos, err)
	}
	payload := bytes.Repeat([]byte("p"), 300)
	packet := appendPublish(nil, "a/b", payload, 0, 0)
	if err := to.write(packet); err != nil {
		t.Fatal(err)
	}
	exchange(nil, packet)
	exchange([]byte("\xa2\x07\x00\x08\x00\x03a/b"), []byte{0xb0, 2, 0, 8})
	if _, _, err := s.await([]string{"a/b"}, func() bool { return true }); err == nil {
		t.Error("a/b still has a subscriber")
	}
	if _, err := conn.Write([]byte{0xe0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after DISCONNECT: %v, want the end", err)
	}
}

// TestServerBadPackets: what is no MQTT ends the connection and nothing else.
func TestServerBadPackets(t *testing.T) {
	s := newServer(t, nil)
	for _, packet := range []string{
		"\x30\x01\x00", "\x30\x02\x00\x05", "\x32\x03\x00\x01x", "\x82\x01\x00", "\x82\x04\x00\x01\x00\x09",
		"\x82\x05\x00\x01\x00\x01x", "\xa2\x01\x00", "\xa2\x03\x00\x01\x00", "\x62\x01\x00",
		"\x30\xff\xff\xff\xff", "\x30\xff\xff\xff\x7f",
	} {
		conn, _ := dial(t, s)
		if _, err := conn.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("% x: the connection goes on", packet)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a/+", "a/c", true},
		{"a/+", "a/c/d", false},
		{"+/+", "a", false},
		{"#", "a/b", true},
		{"a/#", "a", true},
		{"a/#", "b", false},
		{"a/b/c", "a/b", false},
		{"$share/g/a/+", "a/b", true},
		{twinFilter, "$hw/events/device/dev-1/twin/update", true},
		{twinFilter, "$hw/events/device/dev-1/twin/get", false},
	} {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("%q and %q: got %v, want %v", c.filter, c.topic, got, c.want)
		}
	}
}
