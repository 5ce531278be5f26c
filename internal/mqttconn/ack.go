package mqttconn

// Expect says that the message with token will be acknowledged n times, once for
// each who keeps it. It is called before the first Ack of it; 0 acknowledges it.
func (c *Conn) Expect(token uint64, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token&qos2Bit != 0 {
		if h := c.held[uint16(token)]; h != nil && h.token == token && !h.acked {
			h.left = n
			c.release(h)
		}
		return
	}
	t := c.live
	if t == nil || t.gen != tokenGen(token) {
		return
	}
	if r := t.receipts.at(uint32(token)); r != nil {
		r.left = uint16(n)
		t.kickAcks()
	}
}

// Ack acknowledges messages: they are safe. It never blocks. Tokens of a
// connection that is gone are dropped, as the broker sends such messages again.
func (c *Conn) Ack(tokens []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.live
	for _, token := range tokens {
		if token&qos2Bit != 0 {
			if h := c.held[uint16(token)]; h != nil && h.token == token && !h.acked {
				h.left--
				c.release(h)
			}
			continue
		}
		if token == 0 || t == nil || t.gen != tokenGen(token) {
			continue
		}
		if r := t.receipts.at(uint32(token)); r != nil && r.left > 0 {
			r.left--
		}
	}
	if t != nil {
		t.kickAcks()
	}
}

// held is a message of QoS 2 that was handed on, until the broker releases it: what the
// broker sends again before is the same message (MQTT 3.1.1, 4.3.3).
type held struct {
	token uint64
	left  int
	gen   uint32 // of the connection that brought it last
	acked bool
}

// release acknowledges h if nobody keeps it any more: again, if the broker has not heard
// of it. The caller holds mu.
func (c *Conn) release(h *held) {
	t := c.live
	if h.left > 0 || t == nil || t.gen != h.gen {
		return // a session that is resumed brings it again
	}
	t.prompt = appendAck(t.prompt, pktPubrec, uint16(h.token))
	if !h.acked {
		h.acked = true
		c.stats.Acked++
	}
	t.kick()
}
