package mqttconn

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/props"
)

// Pool shares connections among those who want the same. The zero Pool is empty
// and ready; its methods may be called from any goroutine.
type Pool struct {
	// OnFree is called, on a goroutine of its user, when a client id that was in use
	// is free again; nil: nobody is told.
	OnFree func()

	mu      sync.Mutex
	conns   map[string]*shareOf
	ends    []end       // of connections with a client id that were given back
	gone    loss.Counts // of connections that were closed
	parked  bool        // see Hold
	leaving bool        // see Leave
}

type shareOf struct {
	conn  *Conn
	users int
	names []string // of some users
}

// TakenError says that a client id is in use with other settings. A broker lets a
// client in once: two connections would put each other out for ever.
type TakenError struct {
	ClientID, Server string
	Users            []string // some of those who have it
}

// Error implements error.
func (e *TakenError) Error() string {
	return fmt.Sprintf("clientid %q is in use at %s by %s with other settings: a broker lets a client in once, so give one of them another clientid, or both the same settings",
		e.ClientID, e.Server, strings.Join(e.Users, ", "))
}

// maxNames bounds the users of a connection whose names are kept.
const maxNames = 3

// Get returns the connection with o.Key(), a new one that is not started if
// nobody has it. user is named to others who cannot have their own: a *TakenError
// says that the client id is in use. Every Get needs a Put.
func (p *Pool) Get(o Options, user string) (*Conn, error) {
	key := o.Key()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.conns[key]; s != nil {
		s.users++
		if len(s.names) < maxNames && !slices.Contains(s.names, user) {
			s.names = append(s.names, user)
		}
		return s.conn, nil
	}
	if err := p.taken(&o, key, ""); err != nil {
		return nil, err
	}
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if p.conns == nil {
		p.conns = make(map[string]*shareOf)
	}
	p.conns[key] = &shareOf{c, 1, []string{user}}
	c.parked, c.leaving = p.parked, p.leaving
	c.after = p.before(&c.opt)
	return c, nil
}

// end is that of a connection that was given back: done is closed when it is reached.
type end struct {
	clientID string
	servers  []string
	done     <-chan struct{}
}

func (e end) reached() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// before returns the ends that a new connection has to wait for, or it would put out who
// is still saying goodbye. The caller holds mu.
func (p *Pool) before(o *Options) (list []<-chan struct{}) {
	for _, e := range p.ends {
		if e.clientID == o.ClientID && meet(e.servers, o.Servers) != "" {
			list = append(list, e.done)
		}
	}
	return list
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

// Free returns a *TakenError if the client id of o is in use with other settings by
// others than user.
func (p *Pool) Free(o Options, user string) error {
	if o.ClientID == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken(&o, o.Key(), user)
}

// taken is Free for a caller that holds mu.
func (p *Pool) taken(o *Options, key, user string) error {
	if o.ClientID == "" {
		return nil
	}
	for k, s := range p.conns {
		has := &s.conn.opt
		if k == key || has.ClientID != o.ClientID || s.users == 1 && slices.Contains(s.names, user) {
			continue
		}
		if at := meet(o.Servers, has.Servers); at != "" {
			return &TakenError{o.ClientID, at, s.names}
		}
	}
	return nil
}

// meet returns a server that is in both lists, "" if there is none.
func meet(a, b []string) string {
	for _, s := range a {
		for _, t := range b {
			if x := hostOf(s); x != "" && x == hostOf(t) {
				return s
			}
		}
	}
	return ""
}

// Client returns the client id and the first server of a connection with properties,
// and what is equal for those that can share it; "" if it has a random name.
func Client(given map[string]any) (name, settings string) {
	if id, _ := props.Get(given, "clientid"); id == nil {
		return "", ""
	}
	o, err := ParseProps(given)
	if err != nil || o.ClientID == "" {
		return "", ""
	}
	return fmt.Sprintf("clientid %q at %s", o.ClientID, hostOf(o.Servers[0])), o.Key()
}

// hostOf returns the host and port of a server; names of this machine are one.
func hostOf(server string) string {
	u, err := serverURL(server)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "unix":
		return u.Host + u.Path
	}
	switch host := u.Hostname(); host {
	case "localhost", "::1", "0.0.0.0":
		return net.JoinHostPort("127.0.0.1", u.Port())
	default:
		return strings.ToLower(u.Host)
	}
}

// Put gives a connection back; the last one to do so before Leave closes it, and
// waits until it is.
func (p *Pool) Put(c *Conn, user string) {
	if p.Release(c, user) {
		c.Close()
	}
}

// Release is Put for a caller that closes the connection itself, if Release says so:
// its client id is free at once, while the end takes as long as the network does; who
// gets it next begins after that.
func (p *Pool) Release(c *Conn, user string) (last bool) {
	last = p.release(c, user)
	if last && c.opt.ClientID != "" && p.OnFree != nil {
		p.OnFree()
	}
	return last
}

func (p *Pool) release(c *Conn, user string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, s := range p.conns {
		if s.conn != c {
			continue
		}
		if s.users--; s.users > 0 || p.leaving {
			if s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == user }); len(s.names) == 0 {
				s.names = []string{"others"}
			}
			return false
		}
		delete(p.conns, key)
		p.ends = slices.DeleteFunc(p.ends, end.reached)
		if c.opt.ClientID != "" {
			p.ends = append(p.ends, end{c.opt.ClientID, c.opt.Servers, c.done})
		}
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

// Close closes the connections that are there, all at once: one whose broker does not
// answer takes a while.
func (p *Pool) Close() {
	var wg sync.WaitGroup
	for _, c := range p.Conns() {
		wg.Go(c.Close)
	}
	wg.Wait()
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
