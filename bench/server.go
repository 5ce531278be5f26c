package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// server is the smallest MQTT 3.1.1 server that an engine can be held against.
// What an engine subscribed to is fed by whoever calls write; what it publishes
// goes to onPublish. It keeps no session and routes nothing by itself.
type server struct {
	ln        net.Listener
	wg        sync.WaitGroup
	onPublish func(topic, payload []byte) // on the connection's goroutine; borrows
	received  atomic.Int64                // messages that engines published

	mu      sync.Mutex
	changed *sync.Cond // on mu: a connection came or went, or subscribed
	conns   map[*client]struct{}
	closed  bool
}

// client is one connection of an engine.
type client struct {
	conn    net.Conn
	wmu     sync.Mutex      // one packet after the other
	filters map[string]byte // granted QoS, guarded by server.mu
}

// listen starts a server on a free port of loopback.
func listen(onPublish func(topic, payload []byte)) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("load server: %w", err)
	}
	s := &server{ln: ln, onPublish: onPublish, conns: map[*client]struct{}{}}
	s.changed = sync.NewCond(&s.mu)
	s.wg.Go(s.accept)
	return s, nil
}

// url is the server's address as rules name it.
func (s *server) url() string { return "tcp://" + s.ln.Addr().String() }

func (s *server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		c := &client{conn: conn, filters: map[string]byte{}}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.wg.Go(func() { s.serve(c) })
		s.mu.Unlock()
	}
}

// close ends every connection and waits for their goroutines.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	s.ln.Close()
	for c := range s.conns {
		c.conn.Close()
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.wg.Wait()
}

// serve reads packets until the connection ends or breaks the protocol.
func (s *server) serve(c *client) {
	defer func() {
		c.conn.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.changed.Broadcast()
		s.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c.conn, 64<<10)
	var buf []byte
	for {
		head, n, err := readHead(r)
		if err != nil {
			return
		}
		if n > cap(buf) {
			buf = make([]byte, n)
		}
		body := buf[:n]
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if err := s.packet(c, head, body); err != nil {
			return
		}
	}
}

// maxPacket bounds what an engine may send at once, in bytes.
const maxPacket = 16 << 20

var errProtocol = errors.New("load server: not MQTT 3.1.1")

// readHead reads a packet's first byte and the length of what follows.
func readHead(r *bufio.Reader) (head byte, n int, err error) {
	if head, err = r.ReadByte(); err != nil {
		return 0, 0, err
	}
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, 0, err
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			if n > maxPacket {
				return 0, 0, errProtocol
			}
			return head, n, nil
		}
	}
	return 0, 0, errProtocol
}

// text takes a string with its length off p.
func text(p []byte) (s, rest []byte, err error) {
	if len(p) < 2 {
		return nil, nil, errProtocol
	}
	n := int(binary.BigEndian.Uint16(p))
	if len(p) < 2+n {
		return nil, nil, errProtocol
	}
	return p[2 : 2+n], p[2+n:], nil
}

var errEnd = errors.New("load server: disconnected")

// packet answers one packet.
func (s *server) packet(c *client, head byte, p []byte) error {
	switch head >> 4 {
	case 1: // CONNECT
		return c.write([]byte{0x20, 2, 0, 0})
	case 3: // PUBLISH
		return s.published(c, head>>1&3, p)
	case 6: // PUBREL
		if len(p) < 2 {
			return errProtocol
		}
		return c.write([]byte{0x70, 2, p[0], p[1]})
	case 8: // SUBSCRIBE
		return s.subscribe(c, p)
	case 10: // UNSUBSCRIBE
		return s.unsubscribe(c, p)
	case 12: // PINGREQ
		return c.write([]byte{0xd0, 0})
	case 14: // DISCONNECT
		return errEnd
	}
	return nil
}

func (s *server) published(c *client, qos byte, p []byte) error {
	topic, p, err := text(p)
	if err != nil {
		return err
	}
	if qos > 0 {
		if len(p) < 2 {
			return errProtocol
		}
		answer := [4]byte{0x40, 2, p[0], p[1]}
		if qos == 2 {
			answer[0] = 0x50
		}
		if err := c.write(answer[:]); err != nil {
			return err
		}
		p = p[2:]
	}
	s.received.Add(1)
	if s.onPublish != nil {
		s.onPublish(topic, p)
	}
	return nil
}

func (s *server) subscribe(c *client, p []byte) error {
	if len(p) < 2 {
		return errProtocol
	}
	answer := []byte{p[0], p[1]}
	p = p[2:]
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		filter, rest, err := text(p)
		if err != nil || len(rest) < 1 {
			return errProtocol
		}
		qos := min(rest[0]&3, 1)
		c.filters[string(filter)] = qos
		answer = append(answer, qos)
		p = rest[1:]
	}
	s.changed.Broadcast()
	return c.write(append(appendLength([]byte{0x90}, len(answer)), answer...))
}

func (s *server) unsubscribe(c *client, p []byte) error {
	if len(p) < 2 {
		return errProtocol
	}
	answer := []byte{0xb0, 2, p[0], p[1]}
	p = p[2:]
	s.mu.Lock()
	for len(p) > 0 {
		filter, rest, err := text(p)
		if err != nil {
			s.mu.Unlock()
			return err
		}
		delete(c.filters, string(filter))
		p = rest
	}
	s.mu.Unlock()
	return c.write(answer)
}

// write sends whole packets.
func (c *client) write(p []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_, err := c.conn.Write(p)
	return err
}

// matches tells whether a topic filter lets topic through.
func matches(filter, topic string) bool {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		_, filter, _ = strings.Cut(rest, "/")
	}
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(t) || level != "+" && level != t[i] {
			return false
		}
	}
	return len(f) == len(t)
}

// subscriber returns the connection that gets topic, and its QoS; nil if there
// is none. The caller holds mu.
func (s *server) subscriber(topic string) (*client, byte) {
	for c := range s.conns {
		if q, ok := c.filters[topic]; ok { // thousands of filters are exact
			return c, q
		}
	}
	for c := range s.conns {
		for f, q := range c.filters {
			if strings.ContainsAny(f, "+#$") && matches(f, topic) {
				return c, q
			}
		}
	}
	return nil, 0
}

// await waits until every topic has a subscriber, or stop tells to give up, and
// returns that of the first and its QoS. Whoever makes stop true calls wake.
func (s *server) await(topics []string, stop func() bool) (*client, byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(topics); {
		if c, _ := s.subscriber(topics[i]); c != nil {
			i++
			continue
		}
		if stop() || s.closed {
			return nil, 0, fmt.Errorf("the engine did not subscribe to %q", topics[i])
		}
		s.changed.Wait()
	}
	c, q := s.subscriber(topics[0])
	return c, q, nil
}

// wake lets await look at its stop again.
func (s *server) wake() {
	s.mu.Lock()
	s.changed.Broadcast()
	s.mu.Unlock()
}

// appendLength appends a remaining length as MQTT encodes it.
func appendLength(dst []byte, n int) []byte {
	for n > 0x7f {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// appendPublish appends one PUBLISH packet.
func appendPublish(dst []byte, topic string, payload []byte, qos byte, id uint16) []byte {
	n := 2 + len(topic) + len(payload)
	if qos > 0 {
		n += 2
	}
	dst = appendLength(append(dst, 0x30|qos<<1), n)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(topic)))
	dst = append(dst, topic...)
	if qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	return append(dst, payload...)
}
