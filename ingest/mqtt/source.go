// Package mqtt brings the messages of an MQTT connection into feeds. It owns no
// goroutine and no connection: a Source is the handler of one mqttconn.Conn, on
// whose reader goroutine everything runs.
//
// A message goes once to each feed that has a stream it belongs to, with the
// route of those streams; what belongs to a topic is looked up once and stays
// with the topic. It is acknowledged to the broker when every feed it went to is
// done with it.
package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/mqttconn"
)

// Stream is what a source does for one stream.
type Stream struct {
	// ID names the stream in routes and in the connection, where it must be
	// unique.
	ID uint32
	// Filters are its topic filters.
	Filters []string
	// QoS is what it wants of the broker: 0, 1 or 2.
	QoS byte
	// Feed takes its rows. It must not be closed before Remove.
	Feed *ingest.Feed
}

// ParseFilters reads a DATASOURCE: topic filters, separated by commas.
func ParseFilters(datasource string) ([]string, error) {
	var list []string
	var errs []error
	for _, f := range strings.Split(datasource, ",") {
		f = strings.TrimSpace(f)
		if f == "" {
			errs = append(errs, fmt.Errorf("DATASOURCE %q: empty topic", datasource))
			continue
		}
		if err := mqttconn.CheckFilter(f); err != nil {
			errs = append(errs, fmt.Errorf("DATASOURCE: %w", err))
		}
		list = append(list, f)
	}
	return list, errors.Join(errs...)
}

// Source routes what a connection receives. Add, Remove and Status may be
// called from any goroutine.
type Source struct {
	conn *mqttconn.Conn

	mu      sync.Mutex
	streams map[uint32]Stream
	ports   map[*ingest.Feed]*port

	// Of the connection's reader.
	busy  []*port // that have messages of the read under way
	items []item
	meta  ingest.Meta
}

// port is a feed with the chain of items that wait for it within one read.
type port struct {
	feed        *ingest.Feed
	streams     int   // that use it; guarded by Source.mu
	first, last int32 // in items, +1; 0: none
}

// item is a message for a port.
type item struct {
	msg   int32
	next  int32
	route uint32
}

// target is where messages of a topic go.
type target struct {
	port  *port
	route uint32
}

// targets is the Tag of a topic.
type targets struct{ list []target }

// New makes a source and the handler of conn of it. The caller keeps conn and
// starts it, best after the first streams were added: a broker may deliver
// before it is asked.
func New(conn *mqttconn.Conn) *Source {
	s := &Source{
		conn:    conn,
		streams: make(map[uint32]Stream),
		ports:   make(map[*ingest.Feed]*port),
	}
	conn.Handle(s)
	return s
}

// Add gives st its messages from now on, in place of what the stream with its ID
// had. An error lists the filters that are not valid; nothing changes then.
func (s *Source) Add(st Stream) error {
	for _, f := range st.Filters {
		if err := mqttconn.CheckFilter(f); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(st.ID)
	p := s.ports[st.Feed]
	if p == nil {
		p = &port{feed: st.Feed}
		s.ports[st.Feed] = p
	}
	p.streams++
	st.Filters = append([]string(nil), st.Filters...)
	s.streams[st.ID] = st
	if err := s.conn.Subscribe(st.ID, st.Filters, st.QoS); err != nil {
		s.leave(st.ID)
		return err
	}
	return nil
}

// Remove ends what the stream gets. What was pushed before stays in its feed. At the
// end of the process the stream keeps what it has: what its feed refuses then stays
// with the broker.
func (s *Source) Remove(id uint32) {
	if s.conn.Leaving() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.Unsubscribe(id)
	s.leave(id)
}

// leave forgets the stream id. The caller holds mu.
func (s *Source) leave(id uint32) {
	st, ok := s.streams[id]
	if !ok {
		return
	}
	delete(s.streams, id)
	p := s.ports[st.Feed]
	if p.streams--; p.streams == 0 {
		delete(s.ports, st.Feed)
	}
}

// Status is how a stream stands.
type Status struct {
	Conn  mqttconn.State
	Acked bool  // the broker has confirmed the stream's filters
	Seen  bool  // a message came
	Err   error // why it gets nothing; nil if it should
	// Oversized messages on its topics were skipped by the connection.
	Oversized uint64
}

// Status returns how a stream stands; ok is false if there is no such stream.
func (s *Source) Status(id uint32) (st Status, ok bool) {
	sub, ok := s.conn.Sub(id)
	if !ok {
		return Status{}, false
	}
	st = Status{Conn: s.conn.State(), Acked: sub.Acked, Seen: sub.Seen, Err: sub.Err, Oversized: sub.Oversized}
	if !st.Conn.Connected && st.Conn.Err != nil {
		st.Err = st.Conn.Err
	}
	return st, true
}

// Messages is called by the connection.
func (s *Source) Messages(at int64, msgs []mqttconn.Message) {
	s.mu.Lock()
	for i := range msgs {
		t, ok := msgs[i].Topic.Tag.(*targets)
		if !ok {
			t = s.targets(msgs[i].Topic.Subs)
			msgs[i].Topic.Tag = t
		}
		for _, x := range t.list {
			s.queue(x, int32(i))
		}
		if n := len(t.list); n != 1 && msgs[i].Token != 0 {
			s.conn.Expect(msgs[i].Token, n)
		}
	}
	s.mu.Unlock()
	defer s.rest()
	for _, p := range s.busy {
		s.push(p, at, msgs)
	}
}

// rest forgets the read that is through, also if a feed panicked over it.
func (s *Source) rest() {
	for _, p := range s.busy {
		p.first, p.last = 0, 0
	}
	clear(s.busy)
	s.busy, s.items = s.busy[:0], s.items[:0]
}

// targets finds the feeds of streams. The caller holds mu.
func (s *Source) targets(streams []uint32) *targets {
	t := new(targets)
	byPort := make(map[*port][]uint32, 1)
	for _, id := range streams {
		st, ok := s.streams[id]
		if !ok {
			continue // removed while the message was on its way
		}
		p := s.ports[st.Feed]
		if byPort[p] == nil {
			t.list = append(t.list, target{port: p})
		}
		byPort[p] = append(byPort[p], id)
	}
	for i := range t.list {
		x := &t.list[i]
		x.route = x.port.feed.Route(byPort[x.port])
	}
	return t
}

// queue chains message i to the others for x. Feeds are served one after the
// other: a feed that is full blocks, and must not hold another one meanwhile.
func (s *Source) queue(x target, i int32) {
	s.items = append(s.items, item{msg: i, route: x.route})
	n := int32(len(s.items))
	if x.port.first == 0 {
		x.port.first = n
		s.busy = append(s.busy, x.port)
	} else {
		s.items[x.port.last-1].next = n
	}
	x.port.last = n
}

// push gives p its messages.
func (s *Source) push(p *port, at int64, msgs []mqttconn.Message) {
	p.feed.Begin(at)
	defer p.feed.End()
	for n := p.first; n != 0; {
		n = s.pushFrom(p, n, msgs)
	}
}

// pushFrom gives p its messages from item n on. It returns the item behind one over which
// the feed panicked, else 0.
func (s *Source) pushFrom(p *port, n int32, msgs []mqttconn.Message) (next int32) {
	defer func() {
		if v := recover(); v != nil {
			x := &s.items[n-1]
			m := &msgs[x.msg]
			p.feed.GiveUp(v, m.Payload, x.route, s.ackOf(m))
			next = x.next
		}
	}()
	for n != 0 {
		x := &s.items[n-1]
		m := &msgs[x.msg]
		s.meta = ingest.Meta{Topic: m.Topic.Name, MQTT: true, QoS: m.QoS, MessageID: m.ID}
		if p.feed.Push(m.Payload, x.route, &s.meta, s.ackOf(m)) != nil {
			s.refused(p, n, msgs)
			return 0
		}
		n = x.next
	}
	return 0
}

// ackOf says who is told when a message is safe: the connection, if the broker waits for
// that.
func (s *Source) ackOf(m *mqttconn.Message) ingest.Ack {
	if m.Token == 0 {
		return ingest.Ack{}
	}
	return ingest.Ack{To: s.conn, Token: m.Token}
}

// refused deals with the messages from item n on that a closed feed did not take:
// if none of its streams is left nobody wants them, or else they stay with the
// broker.
func (s *Source) refused(p *port, n int32, msgs []mqttconn.Message) {
	s.mu.Lock()
	wanted := p.streams > 0
	s.mu.Unlock()
	if wanted {
		return
	}
	var tokens []uint64
	for ; n != 0; n = s.items[n-1].next {
		if t := msgs[s.items[n-1].msg].Token; t != 0 {
			tokens = append(tokens, t)
		}
	}
	s.conn.Ack(tokens)
}
