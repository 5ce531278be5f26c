package mqttconn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/weir-engine/weir/internal/loss"
)

// stable is how long a connection has to last, at least, for the next attempt to
// follow at once: and four times as long as was waited for it, or two clients of one
// name, each of which puts the other out when it comes, would go on for ever.
const stable = 5 * time.Second

// run is the manager goroutine: it keeps a session with the broker.
func (c *Conn) run() {
	defer close(c.done)
	for _, end := range c.after {
		select {
		case <-end:
		case <-c.ctx.Done():
			return
		}
	}
	wait := c.opt.RetryMin
	for {
		start := time.Now()
		made, err := c.session()
		if c.ctx.Err() != nil {
			return
		}
		c.mourn(err)
		if made && time.Since(start) > max(stable, 4*wait) {
			wait = c.opt.RetryMin
		}
		// Thousands of gateways that lost the same broker must not come back at the
		// same instant.
		d := wait/2 + rand.N(wait/2+1)
		wait = min(2*wait, c.opt.RetryMax)
		select {
		case <-time.After(d):
		case <-c.ctx.Done():
			return
		}
	}
}

// mourn logs why there is no connection, once for each reason in a row.
func (c *Conn) mourn(err error) {
	if s := err.Error(); s != c.mourned {
		c.mourned = s
		c.log.Warn("connection is down, trying again", "error", s)
	}
}

// session connects and returns when the connection has ended; made tells whether
// there was one.
func (c *Conn) session() (made bool, err error) {
	c.mu.Lock()
	c.opened = nil
	if c.state.TriedAt != 0 {
		c.stats.Retries++
	}
	c.state.TriedAt = nowMs()
	c.announce()
	c.mu.Unlock()
	o := c.library()
	c.wg.Add(1)
	o.SetConnectionLostHandler(func(paho.Client, error) { c.wg.Done() })
	token := paho.NewClient(o).Connect()
	<-token.Done()
	if err := token.Error(); err != nil {
		c.wg.Done()
		err = c.reason(err)
		c.mu.Lock()
		t := c.opened
		c.mu.Unlock()
		if t != nil {
			t.fail(err)
		}
		c.down(t, err)
		return false, err
	}
	c.mu.Lock()
	t := c.opened
	again := c.stats.Connects > 1
	c.mu.Unlock()
	if again {
		c.log.Info("connected again")
	}
	if c.brief == 0 {
		c.mourned = ""
	}
	err = c.suspect(t.why())
	c.down(t, err)
	return true, err
}

// suspect adds to err, by which a connection ended, that another client may have put
// it out: the broker has let us in, and ended it soon after, time and again.
func (c *Conn) suspect(err error) error {
	c.mu.Lock()
	lasted := time.Duration(nowMs()-c.state.ConnectedAt) * time.Millisecond
	c.mu.Unlock()
	if !errors.Is(err, errByBroker) && !errors.Is(err, syscall.ECONNRESET) || lasted > c.opt.RetryMax {
		c.brief = 0
		return err
	}
	if c.brief++; c.brief < manyBrief {
		return err
	}
	return fmt.Errorf("another client seems to use clientid %q: the broker let this one in and put it out again, %d times in a row: %w", c.clientID, c.brief, err)
}

// manyBrief is how many connections in a row that the broker ended soon look like
// another client of the same name.
const manyBrief = 3

// reason finds what the library says in more words than it is.
func (c *Conn) reason(err error) error {
	c.mu.Lock()
	t, dialErr := c.opened, c.dialErr
	c.mu.Unlock()
	if dialErr != nil {
		err = dialErr
	} else if t != nil {
		select {
		case <-t.closed:
			if t.err != errByLibrary {
				err = t.err
			}
		default:
		}
	}
	return fmt.Errorf("connect to %s: %w", strings.Join(c.opt.Servers, ", "), err)
}

// library configures the client library for one session.
func (c *Conn) library() *paho.ClientOptions {
	o := paho.NewClientOptions()
	for _, s := range c.opt.Servers {
		if u, err := serverURL(s); err == nil { // Validate has seen them
			o.Servers = append(o.Servers, u)
		}
	}
	version, _ := c.opt.version() // Validate has seen it
	o.SetProtocolVersion(version)
	o.SetClientID(c.clientID).SetUsername(c.opt.Username).SetPassword(c.opt.Password)
	o.SetCleanSession(c.opt.CleanSession)
	o.SetKeepAlive(c.opt.KeepAlive)
	o.SetPingTimeout(time.Duration(1<<63 - 1)) // the tap watches
	o.SetConnectTimeout(c.opt.ConnectTimeout)
	o.SetAutoReconnect(false)
	o.SetAutoAckDisabled(true)
	o.SetOrderMatters(true)
	o.SetDefaultPublishHandler(c.exactlyOnce)
	if c.store != nil {
		o.SetStore(c.store)
	}
	o.SetCustomOpenConnectionFn(c.open)
	return o
}

// open is how the library gets its connection.
func (c *Conn) open(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
	nc, err := c.dial(c.ctx, u)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialErr = err; err != nil {
		return nil, err
	}
	if c.closed {
		_ = nc.Close() // nobody has used it
		return nil, ErrClosed
	}
	c.gen++
	t := newTap(c, nc, c.gen)
	c.opened = t
	c.wg.Add(2)
	go t.read()
	go t.write()
	return t, nil
}

// accepted takes t into use: the broker has let us in, and kept the session of
// before or not. The caller holds mu.
func (c *Conn) accepted(t *tap, kept bool) {
	c.live = t
	if kept && c.stats.Connects > 0 {
		c.tab.resume()
	} else {
		c.tab.reset()
		clear(c.held)
	}
	for _, h := range c.held {
		h.gen = 0 // acknowledged when it comes again
	}
	c.stats.Connects++
	c.state.Connected, c.state.Err = true, nil
	c.state.ConnectedAt = nowMs()
	c.announce()
	t.kick()
}

// down notes that there is no connection.
func (c *Conn) down(t *tap, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil && c.live == t {
		c.live = nil
		c.state.DisconnectedAt = nowMs()
	}
	c.state.Connected, c.state.Err = false, err
	c.announce()
}

// exactlyOnce takes a message of QoS 2 from the library, on its goroutine.
func (c *Conn) exactlyOnce(_ paho.Client, m paho.Message) {
	at := nowMs()
	c.mu.Lock()
	t := c.live
	if t == nil {
		c.mu.Unlock()
		return // the broker sends it again if it keeps the session
	}
	id := m.MessageID()
	if h := c.held[id]; h != nil && m.Duplicate() {
		// It was handed on by a connection before: only the answer is due.
		h.gen = t.gen
		c.release(h)
		c.mu.Unlock()
		return
	}
	if c.leaving {
		c.mu.Unlock()
		return // it stays with the broker
	}
	tp, err := c.tab.topic([]byte(m.Topic()))
	if err != nil {
		c.mu.Unlock()
		t.fail(err)
		return
	}
	if m.Retained() && elapsedMs() < c.replayTo {
		tp = c.narrow(tp)
	}
	c.stats.MessagesIn++
	h := &held{token: uint64(t.gen)<<32 | qos2Bit | uint64(id), left: 1, gen: t.gen}
	c.held[id] = h
	if len(tp.Subs) == 0 || c.handler == nil {
		c.stats.Lost[loss.Unrouted]++
		h.left = 0
		c.release(h)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.hand(at, []Message{{
		Topic: tp, Payload: m.Payload(), Token: h.token,
		ID: id, QoS: 2, Retained: m.Retained(), Dup: m.Duplicate(),
	}})
}

// store keeps what the library must remember of QoS 2 while the broker keeps the
// session. The library closes and opens it as its connections come and go.
type store struct{ *paho.MemoryStore }

func newStore() *store {
	s := &store{paho.NewMemoryStore()}
	s.MemoryStore.Open()
	return s
}

// Open does nothing: the store is open as long as its connection exists.
func (*store) Open() {}

// Close does nothing.
func (*store) Close() {}
