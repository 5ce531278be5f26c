package mqttconn

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// fake is a broker that does as it is told: it sends one copy of a message for
// each filter that matches, refuses filters, falls silent, or keeps sessions.
type fake struct {
	once     bool // one copy a message, whatever the filters
	refuse   func(filter string) bool
	silent   bool // no PINGRESP
	deaf     bool // no answer to SUBSCRIBE
	slow     bool // no answer to UNSUBSCRIBE until answer is called
	stays    bool // does not close after DISCONNECT
	kept     bool // says that it kept the session
	retained map[string]string

	mu      sync.Mutex
	cond    *sync.Cond
	conns   []*fakeConn
	on, off [][]string // filters of each SUBSCRIBE and UNSUBSCRIBE
	pubs    []publication
	acks    []uint16
	recs    []uint16 // PUBRECs
	comps   []uint16 // PUBCOMPs
	pings   int
}

type fakeConn struct {
	f       *fake
	nc      net.Conn
	mu      sync.Mutex // writes
	filters map[string]byte
	lastID  uint16
	late    []uint16 // UNSUBSCRIBEs without an answer
	gone    bool
}

func newFake() *fake {
	f := &fake{retained: make(map[string]string)}
	f.cond = sync.NewCond(&f.mu)
	return f
}

// attach makes c dial f through a pipe.
func (f *fake) attach(c *Conn) {
	c.dial = func(context.Context, *url.URL) (net.Conn, error) {
		a, b := net.Pipe()
		f.serve(b)
		return a, nil
	}
}

// listen serves f on a socket and returns its address.
func (f *fake) listen(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.serve(nc)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		f.drop()
	})
	return "tcp://" + ln.Addr().String()
}

func (f *fake) serve(nc net.Conn) {
	c := &fakeConn{f: f, nc: nc, filters: make(map[string]byte)}
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	go func() {
		r := bufio.NewReader(nc)
		for c.packet(r) == nil {
		}
		nc.Close()
		f.mu.Lock()
		c.gone = true
		f.cond.Broadcast()
		f.mu.Unlock()
	}()
}

func readPacket(r *bufio.Reader) (byte, []byte, error) {
	var h []byte
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		h = append(h, b)
		body, size, err := head(h)
		if err != nil {
			return 0, nil, err
		}
		if size > 0 {
			p := make([]byte, size-body)
			_, err := io.ReadFull(r, p)
			return h[0], p, err
		}
	}
}

func (c *fakeConn) packet(r *bufio.Reader) error {
	first, p, err := readPacket(r)
	if err != nil {
		return err
	}
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.cond.Broadcast()
	var out []byte
	switch first & 0xf0 {
	case 0x10:
		out = []byte{pktConnack, 2, 0, 0}
		if f.kept {
			out[2] = 1
		}
	case pktPublish:
		var m publication
		if err := readPublish(first, p, &m); err != nil {
			return err
		}
		f.pubs = append(f.pubs, m)
		if m.qos == 1 {
			out = appendAck(nil, pktPuback, m.id)
		}
	case pktPuback:
		f.acks = append(f.acks, binary.BigEndian.Uint16(p))
	case pktPubrec:
		f.recs = append(f.recs, binary.BigEndian.Uint16(p))
	case pktPubcomp:
		f.comps = append(f.comps, binary.BigEndian.Uint16(p))
	case pktSubscribe & 0xf0:
		if f.deaf {
			return nil
		}
		out = c.subscribe(p)
	case pktUnsubscribe & 0xf0:
		list := []string{}
		for q := p[2:]; len(q) > 2; {
			n := 2 + int(binary.BigEndian.Uint16(q))
			list = append(list, string(q[2:n]))
			delete(c.filters, string(q[2:n]))
			q = q[n:]
		}
		f.off = append(f.off, list)
		if f.slow {
			c.late = append(c.late, binary.BigEndian.Uint16(p))
			return nil
		}
		out = appendAck(nil, pktUnsuback, binary.BigEndian.Uint16(p))
	case pktPingreq:
		f.pings++
		if !f.silent {
			out = []byte{pktPingresp, 0}
		}
	case pktDisconnect:
		if f.stays {
			return nil
		}
		return io.EOF
	}
	return c.write(out)
}

// answer sends the answers to UNSUBSCRIBE that are missing, and no longer waits
// with them.
func (f *fake) answer() {
	f.mu.Lock()
	f.slow = false
	c := f.conns[len(f.conns)-1]
	var out []byte
	for _, id := range c.late {
		out = appendAck(out, pktUnsuback, id)
	}
	c.late = nil
	f.mu.Unlock()
	_ = c.write(out) // a connection that is gone has no use for it
}

func (c *fakeConn) write(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.nc.Write(out)
	return err
}

func (c *fakeConn) subscribe(p []byte) []byte {
	var list []string
	var codes, after []byte
	for q := p[2:]; len(q) > 2; {
		n := 2 + int(binary.BigEndian.Uint16(q))
		name := string(q[2:n])
		list = append(list, name)
		if c.f.refuse != nil && c.f.refuse(name) {
			codes = append(codes, 0x80)
		} else {
			c.filters[name] = q[n]
			codes = append(codes, q[n])
			for topic, text := range c.f.retained {
				if covers(name, topic) {
					after = appendPublish(after, &OutMessage{Topic: topic, Payload: []byte(text), Retain: true}, 0)
				}
			}
		}
		q = q[n+1:]
	}
	c.f.on = append(c.f.on, list)
	out := appendLen([]byte{pktSuback}, 2+len(codes))
	return append(append(append(out, p[:2]...), codes...), after...)
}

// send publishes to whoever subscribed, in one write a connection.
func (f *fake) send(msgs ...OutMessage) {
	f.mu.Lock()
	outs := make(map[*fakeConn][]byte)
	for _, c := range f.conns {
		for _, m := range msgs {
			copies := 0
			for name, qos := range c.filters {
				match, _ := unshare(name)
				if !covers(match, m.Topic) || copies > 0 && f.once {
					continue
				}
				copies++
				d := m
				d.QoS = min(m.QoS, qos)
				if d.QoS > 0 {
					c.lastID++
				}
				outs[c] = appendPublish(outs[c], &d, c.lastID)
			}
		}
	}
	f.mu.Unlock()
	for c, b := range outs {
		c.write(b)
	}
}

// drop ends all connections.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	conns := f.conns
	f.conns = nil // who comes meanwhile stays
	for _, c := range conns {
		c.nc.Close()
	}
	for _, c := range conns {
		for !c.gone {
			f.cond.Wait()
		}
	}
}

// until waits for ok, which reads f's fields.
func (f *fake) until(ok func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !ok() {
		f.cond.Wait()
	}
}

// received is a message with memory of its own.
type received struct {
	topic, payload string
	subs           []SubID
	qos            byte
	retained, dup  bool
	token          uint64
}

// inbox is a handler that keeps everything.
type inbox struct {
	conn *Conn
	hold bool          // do not acknowledge
	gate chan struct{} // if set, each call takes one first

	mu   sync.Mutex
	cond *sync.Cond
	list []received
}

func newInbox(c *Conn) *inbox {
	in := &inbox{conn: c}
	in.cond = sync.NewCond(&in.mu)
	c.Handle(in)
	return in
}

func (in *inbox) Messages(_ int64, msgs []Message) {
	if in.gate != nil {
		<-in.gate
	}
	in.mu.Lock()
	var tokens []uint64
	for _, m := range msgs {
		in.list = append(in.list, received{
			m.Topic.Name, string(m.Payload), slices.Clone(m.Topic.Subs), m.QoS, m.Retained, m.Dup, m.Token,
		})
		tokens = append(tokens, m.Token)
	}
	in.cond.Broadcast()
	in.mu.Unlock()
	if !in.hold {
		in.conn.Ack(tokens)
	}
}

// take waits for n messages and returns and forgets them.
func (in *inbox) take(n int) []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.list) < n {
		in.cond.Wait()
	}
	out := in.list[:n:n]
	in.list = in.list[n:]
	return out
}

// payloads waits for n messages and returns what they hold.
func (in *inbox) payloads(n int) []string {
	var out []string
	for _, m := range in.take(n) {
		out = append(out, m.payload)
	}
	return out
}

// patient is a context that a test does not wait for longer than.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustNew(t testing.TB, o Options) *Conn {
	t.Helper()
	if o.RetryMin == 0 {
		o.RetryMin = time.Millisecond
	}
	if o.ClientID == "" {
		o.CleanSession = true
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustSubscribe(t testing.TB, c *Conn, id SubID, qos byte, filters ...string) {
	t.Helper()
	if err := c.Subscribe(id, filters, qos); err != nil {
		t.Fatal(err)
	}
}

func mustAcked(t testing.TB, c *Conn, ids ...SubID) {
	t.Helper()
	for _, id := range ids {
		if err := c.WaitAcked(patient(t), id); err != nil {
			t.Fatalf("subscription %d: %v", id, err)
		}
	}
}

var errRefusedTest = errors.New("refused")

func dialRefused(tries *atomic.Int32) func(context.Context, *url.URL) (net.Conn, error) {
	return func(context.Context, *url.URL) (net.Conn, error) {
		tries.Add(1)
		return nil, errRefusedTest
	}
}

// dialSilent reaches somebody who takes everything and says nothing.
func dialSilent(tries *atomic.Int32) func(context.Context, *url.URL) (net.Conn, error) {
	return func(context.Context, *url.URL) (net.Conn, error) {
		tries.Add(1)
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		return a, nil
	}
}
