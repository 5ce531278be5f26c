package mqttconn

// receipts is the QoS 1 messages that one connection received and has not
// acknowledged, in order of receipt: PUBACKs leave in that order, whatever the
// order in which their owners are done.
type receipts struct {
	ring       []receipt // length is a power of two
	head, tail uint32    // sequence numbers, modulo seqMask+1
}

type receipt struct {
	id   uint16
	left uint16 // acknowledgements that are still to come
}

// A token is the connection's generation and, in the low half, the sequence
// number of the message, or bit 31 and the packet identifier for QoS 2.
const (
	seqMask = 1<<31 - 1
	qos2Bit = 1 << 31
)

func tokenGen(t uint64) uint32 { return uint32(t >> 32) }

// add enters a message that left acknowledgements are to come for, and returns
// its sequence number.
func (r *receipts) add(id, left uint16) uint32 {
	if int(r.waiting()) == len(r.ring) {
		r.grow()
	}
	seq := r.tail
	r.ring[int(seq)&(len(r.ring)-1)] = receipt{id, left}
	r.tail = (r.tail + 1) & seqMask
	return seq
}

func (r *receipts) waiting() uint32 { return (r.tail - r.head) & seqMask }

func (r *receipts) grow() {
	ring := make([]receipt, max(64, 2*len(r.ring)))
	for i, n := uint32(0), r.waiting(); i < n; i++ {
		seq := (r.head + i) & seqMask
		ring[int(seq)&(len(ring)-1)] = r.ring[int(seq)&(len(r.ring)-1)]
	}
	r.ring = ring
}

// at returns the receipt with sequence number seq, nil if it is not waiting.
func (r *receipts) at(seq uint32) *receipt {
	if (seq-r.head)&seqMask >= r.waiting() {
		return nil
	}
	return &r.ring[int(seq)&(len(r.ring)-1)]
}

// ready appends the PUBACKs that can leave.
func (r *receipts) ready(b []byte) []byte {
	for r.head != r.tail {
		x := r.ring[int(r.head)&(len(r.ring)-1)]
		if x.left > 0 {
			return b
		}
		b = appendAck(b, pktPuback, x.id)
		r.head = (r.head + 1) & seqMask
	}
	return b
}
