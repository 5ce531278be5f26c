package mqttconn

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The packet types of MQTT 3.1.1 that weir reads or writes itself, as the first
// byte of a packet.
const (
	pktConnack     = 0x20
	pktPublish     = 0x30
	pktPuback      = 0x40
	pktPubrec      = 0x50
	pktPubrel      = 0x62
	pktPubcomp     = 0x70
	pktSubscribe   = 0x82
	pktSuback      = 0x90
	pktUnsubscribe = 0xa2
	pktUnsuback    = 0xb0
	pktPingreq     = 0xc0
	pktPingresp    = 0xd0
	pktDisconnect  = 0xe0
)

// maxRemaining is the largest length that a packet can have behind its header.
const maxRemaining = 1<<28 - 1

var (
	pingreq    = []byte{pktPingreq, 0}
	disconnect = []byte{pktDisconnect, 0}
)

// head reads a packet's fixed header: body is where its content starts, size its
// whole length. size is 0 while the header is not complete.
func head(b []byte) (body, size int, err error) {
	n := 0
	for i := 1; i < len(b); i++ {
		x := b[i]
		n |= int(x&0x7f) << (7 * (i - 1))
		if x < 0x80 {
			return i + 1, i + 1 + n, nil
		}
		if i == 4 {
			return 0, 0, errors.New("malformed packet: length of more than four bytes")
		}
	}
	return 0, 0, nil
}

// publication is the content of a PUBLISH; its slices are of the packet.
type publication struct {
	topic, payload []byte
	id             uint16
	qos            byte
	retained, dup  bool
}

// readPublish takes a PUBLISH apart.
func readPublish(first byte, body []byte, p *publication) error {
	p.qos = first >> 1 & 3
	if p.qos == 3 {
		return errors.New("malformed packet: PUBLISH with QoS 3")
	}
	if len(body) < 2 {
		return errors.New("malformed packet: PUBLISH without topic")
	}
	n := 2 + int(body[0])<<8 + int(body[1])
	if n > len(body) {
		return errors.New("malformed packet: PUBLISH ends within its topic")
	}
	p.topic = body[2:n]
	p.retained, p.dup, p.id = first&1 != 0, first&8 != 0, 0
	if p.qos > 0 {
		if n+2 > len(body) {
			return errors.New("malformed packet: PUBLISH ends before its packet identifier")
		}
		p.id = binary.BigEndian.Uint16(body[n:])
		if p.id == 0 {
			return errors.New("malformed packet: PUBLISH with packet identifier 0")
		}
		n += 2
	}
	p.payload = body[n:]
	return nil
}

// checkAnswer tells what is wrong with a packet that is not a PUBLISH: only what
// a broker may send, in its fixed shape, is handed on.
func checkAnswer(first byte, body []byte) error {
	switch first {
	case pktConnack, pktPuback, pktPubrec, pktPubrel, pktPubcomp, pktUnsuback:
		if len(body) == 2 {
			return nil
		}
	case pktSuback:
		if len(body) >= 3 {
			return nil
		}
	case pktPingresp:
		if len(body) == 0 {
			return nil
		}
	default:
		return fmt.Errorf("malformed packet: first byte %#02x is not what a broker sends", first)
	}
	return fmt.Errorf("malformed packet: first byte %#02x with a content of %d bytes", first, len(body))
}

// refusedBy says in words why a broker does not let us in.
func refusedBy(code byte) error {
	reasons := [...]string{
		1: "protocol version is not supported",
		2: "client identifier is not allowed",
		3: "server is unavailable",
		4: "bad user name or password",
		5: "not authorized",
	}
	if int(code) < len(reasons) {
		return fmt.Errorf("refused by the broker: %s", reasons[code])
	}
	return fmt.Errorf("refused by the broker: code %d", code)
}

func appendLen(b []byte, n int) []byte {
	for n > 0x7f {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// publishSize is the length of a PUBLISH behind its fixed header.
func publishSize(m *OutMessage) int {
	n := 2 + len(m.Topic) + len(m.Payload)
	if m.QoS > 0 {
		n += 2
	}
	return n
}

func appendPublish(b []byte, m *OutMessage, id uint16) []byte {
	first := byte(pktPublish) | m.QoS<<1
	if m.Retain {
		first |= 1
	}
	b = appendLen(append(b, first), publishSize(m))
	b = appendText(b, m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, m.Payload...)
}

// appendAck appends a packet that is a type and a packet identifier.
func appendAck(b []byte, first byte, id uint16) []byte {
	return append(b, first, 2, byte(id>>8), byte(id))
}

func appendSubscribe(b []byte, id uint16, fs []*filter) []byte {
	n := 2
	for _, f := range fs {
		n += 3 + len(f.name)
	}
	b = appendLen(append(b, pktSubscribe), n)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, f := range fs {
		b = append(appendText(b, f.name), f.sentQoS)
	}
	return b
}

func appendUnsubscribe(b []byte, id uint16, fs []*filter) []byte {
	n := 2
	for _, f := range fs {
		n += 2 + len(f.name)
	}
	b = appendLen(append(b, pktUnsubscribe), n)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, f := range fs {
		b = appendText(b, f.name)
	}
	return b
}
