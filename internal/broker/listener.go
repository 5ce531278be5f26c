package broker

import (
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// forgotten is how long Close waits for connections that nobody closes.
const forgotten = 2 * time.Second

// listener knows the connections that it accepted, so that Close can end them
// all: the library only ends those whose handshake is over, and waits for the
// others for ever.
type listener struct {
	net.Listener
	gone func() // called when it is closed and the last connection has ended

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

// door is a listener as the library wants one. Whoever closes the broker has ended its
// connections before; the library would ask for the clients behind them under a lock
// that it takes twice, and stand still if one of them ends in between.
type door struct{ *listeners.Net }

// Close closes the listener alone.
func (d door) Close(listeners.CloseFn) { d.Net.Close(func(string) {}) }

type conn struct {
	net.Conn
	l    *listener
	once sync.Once
}

func newListener(ln net.Listener, gone func()) *listener {
	return &listener{Listener: ln, gone: sync.OnceFunc(gone), open: make(map[*conn]struct{})}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = nc.Close() // nobody has used it
		return nil, net.ErrClosed
	}
	c := &conn{Conn: nc, l: l}
	l.open[c] = struct{}{}
	return c, nil
}

// Close ends the connection.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		delete(c.l.open, c)
		if c.l.closed && len(c.l.open) == 0 {
			c.l.gone()
		}
	})
	return err
}

// shut stops accepting and breaks all connections; whoever has them closes them
// in turn.
func (l *listener) shut() {
	_ = l.Listener.Close() // the library closes it again
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if len(l.open) == 0 {
		l.gone()
	}
	// A connection that was accepted in this very moment is dropped by the library
	// without being closed.
	time.AfterFunc(forgotten, l.gone)
	for c := range l.open {
		_ = c.Conn.Close() // whatever it says, the connection is over
	}
}
