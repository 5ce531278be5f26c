package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// broker is the smallest MQTT 3.1.1 server that an engine can be held against. It
// delivers the input of a case to whoever subscribed, with QoS 0, and keeps what
// the engine publishes by the first level of the topic, which is the id of the
// case. It knows no sessions and no retained messages.
type broker struct {
	ln net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	conns   map[*brokerConn]bool
	changed chan struct{} // closed and replaced when a subscription changes
	inboxes map[string]*inbox
}

// inbox is what was published for one case.
type inbox struct {
	mu   sync.Mutex
	got  []published
	last time.Time     // of the last message
	news chan struct{} // has a token after a message
}

type published struct {
	topic   string
	payload []byte
}

// below returns what came for topic and the levels under it, and when the case
// got anything last.
func (b *inbox) below(topic string) (list []published, last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.got {
		if p.topic == topic || strings.HasPrefix(p.topic, topic+"/") {
			list = append(list, p)
		}
	}
	return list, b.last
}

func (b *inbox) add(p published) {
	b.mu.Lock()
	b.got, b.last = append(b.got, p), time.Now()
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func startBroker() (*broker, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &broker{ln: ln, conns: map[*brokerConn]bool{}, changed: make(chan struct{}), inboxes: map[string]*inbox{}}
	b.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.serve(c) })
		}
	})
	return b, nil
}

func (b *broker) close() {
	b.ln.Close()
	b.mu.Lock()
	for c := range b.conns {
		c.net.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
}

func (b *broker) url() string { return "tcp://" + b.ln.Addr().String() }

// inbox returns what is published for a case.
func (b *broker) inbox(id string) *inbox {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.inboxes[id]
	if x == nil {
		x = &inbox{news: make(chan struct{}, 1)}
		b.inboxes[id] = x
	}
	return x
}

// publish delivers a message to every subscriber of topic and returns how many
// there were.
func (b *broker) publish(topic string, payload []byte) int {
	list, _ := b.subscribers(topic)
	for _, c := range list {
		c.write(0x30, appendString(nil, topic), payload)
	}
	return len(list)
}

// subscribers returns who gets a message on topic, and a channel that is closed
// when that may have changed.
func (b *broker) subscribers(topic string) ([]*brokerConn, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*brokerConn
	for c := range b.conns {
		for f := range c.filters {
			if matches(f, topic) {
				list = append(list, c)
				break
			}
		}
	}
	return list, b.changed
}

func matches(filter, topic string) bool {
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

// brokerConn is one client.
type brokerConn struct {
	net     net.Conn
	writing sync.Mutex
	filters map[string]bool // guarded by the broker's lock
}

// write sends one packet.
func (c *brokerConn) write(head byte, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	packet := binary.AppendUvarint([]byte{head}, uint64(n)) // the length of MQTT is written as a varint
	for _, p := range parts {
		packet = append(packet, p...)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.net.Write(packet) // of a client that is gone, the reader will know
}

func (b *broker) serve(conn net.Conn) {
	c := &brokerConn{net: conn, filters: map[string]bool{}}
	b.mu.Lock()
	b.conns[c] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.conns, c)
		b.mu.Unlock()
		conn.Close()
	}()
	r := bufio.NewReaderSize(conn, 1<<16)
	for {
		head, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(r)
		if err != nil || n > 1<<28 {
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if err := b.packet(c, head, packet{body}); err != nil {
			return
		}
	}
}

var errEnd = errors.New("end of the connection")

// packet answers one packet. An error ends the connection.
func (b *broker) packet(c *brokerConn, head byte, p packet) error {
	switch head >> 4 {
	case 1: // CONNECT
		c.write(0x20, []byte{0, 0})
	case 3: // PUBLISH
		topic, err := p.string()
		if err != nil {
			return err
		}
		if qos := head >> 1 & 3; qos > 0 {
			id, err := p.take(2)
			if err != nil {
				return err
			}
			c.write(0x30+qos<<4, id) // PUBACK, PUBREC
		}
		if id, _, ok := strings.Cut(topic, "/"); ok {
			b.inbox(id).add(published{topic, p.rest})
		}
	case 6: // PUBREL
		c.write(0x70, p.rest)
	case 8, 10:
		return b.subscribe(c, head>>4 == 8, p)
	case 12: // PINGREQ
		c.write(0xd0)
	case 14: // DISCONNECT
		return errEnd
	}
	return nil
}

// subscribe answers SUBSCRIBE or UNSUBSCRIBE.
func (b *broker) subscribe(c *brokerConn, on bool, p packet) error {
	id, err := p.take(2)
	if err != nil {
		return err
	}
	var codes []byte
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(p.rest) > 0 {
		filter, err := p.string()
		if err != nil {
			return err
		}
		delete(c.filters, filter)
		if on {
			c.filters[filter] = true
			if _, err := p.take(1); err != nil { // its QoS
				return err
			}
			codes = append(codes, 0)
		}
	}
	if on {
		c.write(0x90, id, codes)
	} else {
		c.write(0xb0, id)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// packet is what has not been read of the body of a packet.
type packet struct{ rest []byte }

func (p *packet) take(n int) ([]byte, error) {
	if n > len(p.rest) {
		return nil, io.ErrUnexpectedEOF
	}
	part := p.rest[:n]
	p.rest = p.rest[n:]
	return part, nil
}

func (p *packet) string() (string, error) {
	n, err := p.take(2)
	if err != nil {
		return "", err
	}
	s, err := p.take(int(binary.BigEndian.Uint16(n)))
	return string(s), err
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
