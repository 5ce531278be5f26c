package mqttconn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

func TestHead(t *testing.T) {
	for _, c := range []struct {
		in         []byte
		body, size int
		bad        bool
	}{
		{nil, 0, 0, false},
		{[]byte{0x30}, 0, 0, false},
		{[]byte{0x30, 0}, 2, 2, false},
		{[]byte{0x30, 0x7f}, 2, 129, false},
		{[]byte{0x30, 0x80}, 0, 0, false},
		{[]byte{0x30, 0x80, 1}, 3, 131, false},
		{[]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, 5, 5 + maxRemaining, false},
		{[]byte{0x30, 0xff, 0xff, 0xff, 0xff}, 0, 0, true},
	} {
		body, size, err := head(c.in)
		if body != c.body || size != c.size || (err != nil) != c.bad {
			t.Errorf("% x: got %d, %d, %v", c.in, body, size, err)
		}
	}
}

func TestPublishFrame(t *testing.T) {
	for _, m := range []OutMessage{
		{Topic: "a"},
		{Topic: "a/b", Payload: bytes.Repeat([]byte("x"), 200), QoS: 1},
		{Topic: strings.Repeat("t", 65535), Payload: make([]byte, 70000), QoS: 2, Retain: true},
	} {
		b := appendPublish(nil, &m, 7)
		body, size, err := head(b)
		if err != nil || size != len(b) {
			t.Fatalf("got %d, %v; want %d", size, err, len(b))
		}
		var p publication
		if err := readPublish(b[0], b[body:], &p); err != nil {
			t.Fatal(err)
		}
		if string(p.topic) != m.Topic || !bytes.Equal(p.payload, m.Payload) || p.qos != m.QoS || p.retained != m.Retain || (p.id == 7) != (m.QoS > 0) {
			t.Errorf("got %q, QoS %d, id %d", p.topic, p.qos, p.id)
		}
	}
}

func TestReceipts(t *testing.T) {
	var r receipts
	r.head, r.tail = seqMask-100, seqMask-100 // numbers wrap
	var seqs []uint32
	for i := range 1000 {
		seqs = append(seqs, r.add(uint16(i+1), 1))
	}
	for i := len(seqs) - 1; i > 0; i-- {
		r.at(seqs[i]).left = 0
	}
	if b := r.ready(nil); len(b) != 0 {
		t.Errorf("%d bytes leave before the first is done", len(b))
	}
	r.at(seqs[0]).left = 0
	b := r.ready(nil)
	if len(b) != 4*1000 {
		t.Fatalf("got %d bytes, want 4000", len(b))
	}
	for i := range 1000 {
		if id := binary.BigEndian.Uint16(b[4*i+2:]); int(id) != i+1 {
			t.Fatalf("acknowledgement %d: got %d", i, id)
		}
	}
	if r.at(seqs[0]) != nil || r.waiting() != 0 {
		t.Error("what is acknowledged still waits")
	}
}

// pipeTap is a tap without goroutines that reads what is put into its buffer.
func pipeTap(t testing.TB, c *Conn) *tap {
	t.Helper()
	tp := newTap(c, nil, 1)
	c.live = tp
	return tp
}

// swallow slices b as if it had been read in pieces of n bytes.
func swallow(tp *tap, b []byte, n int, do func([]Message)) error {
	for len(b) > 0 {
		k := min(n, len(b))
		if size := max(tp.need, tp.end-tp.start+k); size > len(tp.buf) || tp.end+k > len(tp.buf) {
			tp.resize(size)
		}
		tp.end += copy(tp.buf[tp.end:], b[:k])
		b = b[k:]
		for more := true; more; {
			var err error
			if more, err = tp.slice(1); err != nil {
				return err
			}
			do(tp.msgs)
		}
	}
	return nil
}

// Messages that are too large are counted each, for their subscriptions too, and
// logged with their number once in a while.
func TestOversizedIsLoggedOnce(t *testing.T) {
	c := mustNew(t, Options{MaxPacket: 1024})
	c.Handle(nobody{})
	mustSubscribe(t, c, 1, 0, "a/+")
	mustSubscribe(t, c, 2, 0, "b")
	tp := pipeTap(t, c)
	var lines bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&lines, nil))
	push := func(n int) {
		var b []byte
		for range n {
			b = appendPublish(b, &OutMessage{Topic: "a/x", Payload: make([]byte, 2000)}, 0)
		}
		if err := swallow(tp, b, len(b), func([]Message) {}); err != nil {
			t.Fatal(err)
		}
	}
	push(3)
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "messages=1 topic=a/x") {
		t.Errorf("got %q, want one line", got)
	}
	lines.Reset()
	c.loud -= loudEvery
	push(1)
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "messages=3") {
		t.Errorf("after a while: got %q, want one line about 3 messages", got)
	}
	one, _ := c.Sub(1)
	two, _ := c.Sub(2)
	if one.Oversized != 4 || two.Oversized != 0 {
		t.Errorf("by subscription: got %d and %d, want 4 and 0", one.Oversized, two.Oversized)
	}
	c.live = nil
}

type nobody struct{}

func (nobody) Messages(int64, []Message) {}

func TestSlicesInAnyPieces(t *testing.T) {
	var b []byte
	var want []string
	for i := range 1500 {
		m := OutMessage{Topic: fmt.Sprintf("a/%d", i%7), Payload: bytes.Repeat([]byte("x"), i*7%400), QoS: byte(i % 2)}
		if i == 700 {
			m.Payload = make([]byte, 5000) // too large
		} else {
			want = append(want, fmt.Sprint(m.Topic, len(m.Payload)))
		}
		b = appendPublish(b, &m, uint16(i+1))
		if i%10 == 0 {
			b = append(b, pktPingresp, 0)
		}
	}
	for _, n := range []int{1, 3, 100, 4096, len(b)} {
		c := mustNew(t, Options{MaxPacket: 4000})
		c.Handle(nobody{})
		mustSubscribe(t, c, 1, 1, "a/+")
		tp := pipeTap(t, c)
		var got []string
		err := swallow(tp, b, n, func(ms []Message) {
			for _, m := range ms {
				got = append(got, fmt.Sprint(m.Topic.Name, len(m.Payload)))
			}
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("pieces of %d: %v, got %d messages, want %d", n, err, len(got), len(want))
		}
		if c.stats.Lost[loss.Oversized] != 1 || tp.receipts.waiting() != 750 {
			t.Errorf("oversized: got %d; to acknowledge: got %d", c.stats.Lost[loss.Oversized], tp.receipts.waiting())
		}
		c.live = nil
	}
}

func TestMalformedPackets(t *testing.T) {
	for name, b := range map[string][]byte{
		"length":            {0x30, 0xff, 0xff, 0xff, 0xff},
		"QoS 3":             {0x36, 2, 0, 0},
		"no topic":          {0x30, 0},
		"empty topic":       {0x30, 2, 0, 0},
		"topic cut short":   {0x30, 3, 0, 9, 'a'},
		"wildcard in topic": {0x30, 3, 0, 1, '#'},
		"not UTF-8":         {0x30, 3, 0, 1, 0xff},
		"no identifier":     {0x32, 3, 0, 1, 'a'},
		"identifier 0":      {0x32, 5, 0, 1, 'a', 0, 0},
		"long PUBACK":       {0x40, 3, 0, 1, 0},
		"long PINGRESP":     {0xd0, 1, 0},
		"SUBACK unasked":    {0x90, 3, 0, 1, 0},
		"second CONNACK":    {0x20, 2, 0, 0},
		"a client's packet": {0x82, 2, 0, 1},
		"type 0":            {0x00, 0},
	} {
		c := mustNew(t, Options{})
		c.Handle(nobody{})
		tp := pipeTap(t, c)
		err := swallow(tp, b, 100, func([]Message) {})
		if err == nil || !strings.HasPrefix(err.Error(), "malformed packet: ") {
			t.Errorf("%s: got %v", name, err)
		}
		c.live = nil
	}
}

func TestSubackThatDoesNotFit(t *testing.T) {
	c := mustNew(t, Options{})
	tp := pipeTap(t, c)
	tp.rounds[1] = []*filter{{name: "a"}}
	if err := swallow(tp, []byte{0x90, 4, 0, 1, 0, 0}, 100, nil); err == nil {
		t.Error("more answers than questions are taken")
	}
	c.live = nil
}

func TestMalformedPacketReconnects(t *testing.T) {
	f := newFake()
	c, in := fakeConnTest(t, f, Options{})
	mustSubscribe(t, c, 1, 0, "a")
	c.Start()
	mustAcked(t, c, 1)
	f.mu.Lock()
	conn := f.conns[0]
	f.mu.Unlock()
	conn.write(append(appendPublish(nil, &OutMessage{Topic: "a", Payload: []byte("1")}, 0), 0x36, 2, 0, 0))
	if err := waitChange(t, c, func(s State) bool { return c.Stats().Connects == 2 }); err != nil {
		t.Fatal(err)
	}
	mustAcked(t, c, 1)
	f.send(OutMessage{Topic: "a", Payload: []byte("2")})
	if got, want := in.payloads(2), []string{"1", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	c := mustNew(t, Options{})
	c.Handle(nobody{})
	mustSubscribe(t, c, 1, 1, "a/+", "$hw/events/device/+/twin/update")
	tp := pipeTap(t, c)
	var b []byte
	for i := range 300 {
		b = appendPublish(b, &OutMessage{Topic: fmt.Sprintf("$hw/events/device/%d/twin/update", i%100), Payload: make([]byte, 100), QoS: byte(i % 2)}, uint16(i+1))
	}
	tokens := make([]uint64, 0, 1024)
	var out []byte
	n := testing.AllocsPerRun(100, func() {
		tp.buf, tp.start, tp.end = b, 0, len(b)
		if _, err := tp.slice(1); err != nil {
			t.Fatal(err)
		}
		tokens = tokens[:0]
		for _, m := range tp.msgs {
			if m.Token != 0 {
				tokens = append(tokens, m.Token)
			}
		}
		c.Ack(tokens)
		out = tp.acks(out[:0])
	})
	if n != 0 || len(out) != 4*150 {
		t.Errorf("%v allocations a read, %d bytes of acknowledgements", n, len(out))
	}
	c.live = nil
}

func FuzzFrames(f *testing.F) {
	add := func(b []byte) { f.Add(b, uint16(5)) }
	add(appendPublish(nil, &OutMessage{Topic: "a/b", Payload: []byte(`{"a":1}`)}, 0))
	add(appendPublish(nil, &OutMessage{Topic: "a/b", QoS: 1}, 9))
	add(appendPublish(appendPublish(nil, &OutMessage{Topic: "$hw/x", QoS: 2, Retain: true}, 9), &OutMessage{Topic: "a"}, 0))
	add(appendPublish(nil, &OutMessage{Topic: "a", Payload: make([]byte, 2000), QoS: 1}, 3))
	add([]byte{0x90, 3, 0x80, 1, 0, 0xd0, 0})
	add([]byte{0x40, 2, 0x80, 1, 0x50, 2, 0, 1, 0x62, 2, 0, 1, 0x70, 2, 0, 1})
	add([]byte{0x20, 2, 0, 0})
	add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		var whole, parts []string
		run := func(n int, out *[]string) error {
			c, err := New(Options{CleanSession: true, MaxPacket: 1024})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Handle(nobody{})
			mustSubscribe(t, c, 1, 1, "#", "$hw/+")
			tp := pipeTap(t, c)
			defer func() { c.live = nil }()
			tp.rounds[1<<15|1] = []*filter{{name: "a"}}
			err = swallow(tp, b, n, func(ms []Message) {
				for _, m := range ms {
					*out = append(*out, fmt.Sprintf("%s %d %x", m.Topic.Name, m.QoS, m.Payload))
				}
			})
			if len(tp.buf) > 1<<17+len(b) {
				t.Errorf("a buffer of %d bytes", len(tp.buf))
			}
			return err
		}
		e1, e2 := run(max(len(b), 1), &whole), run(int(n)%64+1, &parts)
		if (e1 == nil) != (e2 == nil) {
			t.Errorf("in one piece %v, in several %v", e1, e2)
		}
		if e1 == nil && !slices.Equal(whole, parts) {
			t.Errorf("in one piece %q, in several %q", whole, parts)
		}
	})
}

func TestProps(t *testing.T) {
	o, err := ParseProps(map[string]any{
		"server": "tcp://10.0.0.1:1883, 10.0.0.2", "clientId": "x", "username": "u", "password": "p",
		"protocolVersion": 5.0, "enableClientSession": true, "keepAlive": "10s", "linger": "20ms",
		"insecureSkipVerify": "true", "qos": 1.0, "unknown": []any{}, "rootCaPath": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.Servers, []string{"tcp://10.0.0.1:1883", "10.0.0.2"}) || o.ClientID != "x" || o.CleanSession ||
		o.KeepAlive != 10*time.Second || o.Linger != 20*time.Millisecond || !o.TLS.InsecureSkipVerify || len(o.Warnings) != 1 {
		t.Errorf("got %+v", o)
	}
	o, err = ParseProps(map[string]any{"servers": []any{"localhost:1"}, "linger": 0, "enableClientSession": true})
	if err != nil || o.Linger != 0 || o.Servers[0] != "localhost:1" || !o.CleanSession || len(o.Warnings) != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err = ParseProps(nil); err != nil || o.Linger != LingerAuto || o.Servers[0] != "tcp://127.0.0.1:1883" {
		t.Errorf("got %+v, %v", o, err)
	}
	_, err = ParseProps(map[string]any{
		"server": 5, "clientid": true, "protocolVersion": "6", "enableClientSession": "maybe", "keepAlive": "soon",
		"linger": "-3s", "maxPacketBytes": 1.5, "tlsMinVersion": "ssl", "certificationRaw": "%%", "renegotiationSupport": "x",
	})
	if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != 11 {
		t.Errorf("got %d faults, want 11:\n%v", n, err)
	}
	for v, want := range map[any]byte{nil: 1, 0: 0, 2.0: 2, "1": 1} {
		q := byte(1)
		if _, err := ParseProps(map[string]any{"QoS": v}, QoS(&q)); err != nil || q != want {
			t.Errorf("qos %v: got %d, %v", v, q, err)
		}
	}
	for _, v := range []any{3, -1, "x", true, 0.5} {
		if _, err := ParseProps(map[string]any{"qos": v}, QoS(new(byte))); err == nil {
			t.Errorf("qos %v is taken", v)
		}
	}
}

func TestServerURL(t *testing.T) {
	for in, want := range map[string]string{
		"tcp://h:1":        "tcp://h:1",
		"h":                "tcp://h:1883",
		":1884":            "tcp://127.0.0.1:1884",
		"ssl://h":          "ssl://h:8883",
		"wss://h/mqtt":     "wss://h:443/mqtt",
		"tcp://[::1]:1883": "tcp://[::1]:1883",
		"unix:///run/m":    "unix:///run/m",
	} {
		if u, err := serverURL(in); err != nil || u.String() != want {
			t.Errorf("%q: got %v, %v; want %s", in, u, err, want)
		}
	}
	for _, in := range []string{"", "ftp://x", "tcp://", "tcp://a b", "unix://"} {
		if u, err := serverURL(in); err == nil {
			t.Errorf("%q: got %v", in, u)
		}
	}
}

func TestKey(t *testing.T) {
	a := Options{CleanSession: true}
	b := a
	b.EnsureDefaults()
	b.Warnings = []string{"x"}
	if a.Key() != b.Key() {
		t.Error("defaults make a difference")
	}
	for name, o := range map[string]Options{
		"server": {CleanSession: true, Servers: []string{"x"}}, "user": {CleanSession: true, Username: "u"},
		"password": {CleanSession: true, Password: "p"}, "session": {ClientID: "x"}, "linger": {CleanSession: true, Linger: 1},
		"TLS": {CleanSession: true, TLS: TLSOptions{CAPath: "x"}}, "sending": {CleanSession: true, Sending: true},
	} {
		if o.Key() == a.Key() {
			t.Errorf("%s makes no difference", name)
		}
	}
}
