package mqttconn

import (
	"sync"

	"github.com/weir-engine/weir/internal/loss"
)

// Pool shares connections among those who want the same. The zero Pool is empty
// and ready; its methods may be called from any goroutine.
type Pool struct {
	mu      sync.Mutex
	conns   map[string]*shareOf
	gone    loss.Counts // of connections that were closed
	parked  bool        // see Hold
	leaving bool        // see Leave
}

type shareOf struct {
	conn  *Conn
	users int
}

// Get returns the connection with o.Key(), a new one that is not started if
// nobody has it. Every Get needs a Put.
func (p *Pool) Get(o Options) (*Conn, error) {
	key := o.Key()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.conns[key]; s != nil {
		s.users++
		return s.conn, nil
	}
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if p.conns == nil {
		p.conns = make(map[string]*shareOf)
	}
	p.conns[key] = &shareOf{c, 1}
	c.parked, c.leaving = p.parked, p.leaving
	return c, nil
}

// Hold makes connections wait for Go before they start. A broker that kept a session
// delivers at once, so who has several subscriptions on one connection makes them
// all before.
func (p *Pool) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked = true
}

// Go starts the connections that wait, and those to come when they are used.
func (p *Pool) Go() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked = false
	for _, s := range p.conns {
		s.conn.unpark()
	}
}

// Leave begins the end of the process, see Conn.Leave. Connections that nobody uses
// any more stay until Close, so that what they brought can be acknowledged.
func (p *Pool) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	for _, s := range p.conns {
		s.conn.Leave()
	}
}

// Put gives a connection back; the last one to do so before Leave closes it, and
// waits until it is.
func (p *Pool) Put(c *Conn) {
	if p.release(c) {
		c.Close()
	}
}

func (p *Pool) release(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, s := range p.conns {
		if s.conn != c {
			continue
		}
		if s.users--; s.users > 0 || p.leaving {
			return false
		}
		delete(p.conns, key)
		lost := c.Stats().Lost
		p.gone.Merge(&lost)
		return true
	}
	return false
}

// Conns returns the connections that are in use.
func (p *Pool) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*Conn, 0, len(p.conns))
	for _, s := range p.conns {
		list = append(list, s.conn)
	}
	return list
}

// Each calls f for the connections that are in use, with how many use them.
func (p *Pool) Each(f func(c *Conn, users int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.conns {
		f(s.conn, s.users)
	}
}

// Close closes the connections that are there.
func (p *Pool) Close() {
	for _, c := range p.Conns() {
		c.Close()
	}
}

// Lost returns what all connections lost, those that were closed included.
func (p *Pool) Lost() loss.Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.gone
	for _, s := range p.conns {
		lost := s.conn.Stats().Lost
		all.Merge(&lost)
	}
	return all
}
