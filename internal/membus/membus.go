// Package membus is the process's own message bus: memory sinks publish on it
// and memory sources subscribe to it, so that one rule feeds another.
//
// Topics are MQTT topics, and filters know + and #. A message that nobody
// subscribes to is gone, as it would be on a broker. Nothing is dropped for a
// slow subscriber: each subscription holds a bounded number of bytes, and a
// publisher waits while one of its subscribers is at its bound. A publisher
// waits for room only, never for a subscriber's work, and holds no lock
// meanwhile, so subscribing, closing and publishing elsewhere go on.
//
// Rules that feed each other in a circle can fill every buffer in the circle
// and then wait for each other until a context ends; the bus cannot tell such
// a circle from a slow subscriber.
package membus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// DefaultMaxBytes is the bound of a subscription that names none: 1 MiB, some
// thousand messages, more than a batch takes at once.
const DefaultMaxBytes = 1 << 20

// maxCached bounds the topics whose subscribers are remembered: topics can come
// out of messages, so their number is not ours.
const maxCached = 4096

// messageCost is what a waiting message counts beside its bytes, so that empty
// payloads cannot grow a buffer without end.
const messageCost = 32

// ErrClosed ends Receive on a subscription that was closed.
var ErrClosed = errors.New("memory bus: subscription closed")

// Bus hands messages from publishers to subscriptions. The zero Bus is ready.
// All methods are safe for concurrent use.
type Bus struct {
	mu    sync.Mutex
	exact map[string][]*Subscription // filter without wildcard -> subscriptions
	wild  []*Subscription
	// cache remembers Publish's answer by topic. Its slices are never written
	// again; a change of subscriptions empties it.
	cache map[string][]*Subscription
}

// New makes an empty Bus.
func New() *Bus { return new(Bus) }

// Message is one payload as a subscriber receives it. Kind says what a row does
// to a table that keeps it (insert, update, upsert, delete); "" if the publisher
// did not say.
type Message struct {
	Topic   string
	Payload []byte
	Kind    string
}

// Subscription is one subscriber's place on the bus, and the messages that
// wait for it.
type Subscription struct {
	bus      *Bus
	filter   string
	maxBytes int

	mu     sync.Mutex
	buf    buffer        // what waits
	lent   buffer        // what the last Receive returned
	wake   chan struct{} // cap 1: a message waits, or Close
	room   chan struct{} // closed when publishers may look again; nil: nobody waits
	closed bool
}

// buffer holds messages in one piece of memory.
type buffer struct {
	data []byte
	msgs []span
	out  []Message
}

type span struct {
	topic    string
	kind     string
	off, end int
}

// Subscribe starts to collect the messages whose topic matches filter. At about
// maxBytes of waiting messages publishers wait; 0 means DefaultMaxBytes.
func (b *Bus) Subscribe(filter string, maxBytes int) (*Subscription, error) {
	if err := CheckFilter(filter); err != nil {
		return nil, err
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	s := &Subscription{bus: b, filter: filter, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.ContainsAny(filter, "+#") {
		b.wild = append(b.wild, s)
	} else {
		if b.exact == nil {
			b.exact = make(map[string][]*Subscription)
		}
		b.exact[filter] = append(b.exact[filter], s)
	}
	clear(b.cache)
	return s, nil
}

// CheckTopic tells whether messages can be published to topic: a topic is not
// empty and has no wildcard.
func CheckTopic(topic string) error {
	if topic == "" {
		return errors.New("memory topic: must not be empty")
	}
	if strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("memory topic %q: must not contain a wildcard", topic)
	}
	return nil
}

// Publish hands payloads, in order, to every subscription whose filter matches
// topic. They are copied. It waits while a subscription is full and gives up
// when ctx ends; then no subscription got any of them, so publishing again
// makes no duplicates.
func (b *Bus) Publish(ctx context.Context, topic string, payloads [][]byte) error {
	return b.PublishKind(ctx, topic, "", payloads)
}

// PublishKind is Publish for rows of one kind.
func (b *Bus) PublishKind(ctx context.Context, topic, kind string, payloads [][]byte) error {
	subs, err := b.match(topic)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if err := s.waitRoom(ctx); err != nil {
			return fmt.Errorf("memory topic %q: %w", topic, err)
		}
	}
	for _, s := range subs {
		s.append(topic, kind, payloads)
	}
	return nil
}

// match returns the subscriptions for topic.
func (b *Bus) match(topic string) ([]*Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if subs, ok := b.cache[topic]; ok {
		return subs, nil
	}
	if err := CheckTopic(topic); err != nil {
		return nil, err
	}
	subs := append([]*Subscription(nil), b.exact[topic]...)
	for _, s := range b.wild {
		if Match(s.filter, topic) {
			subs = append(subs, s)
		}
	}
	if b.cache == nil {
		b.cache = make(map[string][]*Subscription)
	} else if len(b.cache) >= maxCached {
		clear(b.cache)
	}
	b.cache[strings.Clone(topic)] = subs
	return subs, nil
}

func (s *Subscription) waitRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.closed || len(s.buf.data)+messageCost*len(s.buf.msgs) < s.maxBytes {
			s.mu.Unlock()
			return nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Subscription) append(topic, kind string, payloads [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(payloads) == 0 {
		return
	}
	if n := len(s.buf.msgs); n > 0 && s.buf.msgs[n-1].topic == topic {
		topic = s.buf.msgs[n-1].topic // one copy a run of messages
	} else {
		topic = strings.Clone(topic)
	}
	for _, p := range payloads {
		off := len(s.buf.data)
		s.buf.data = append(s.buf.data, p...)
		s.buf.msgs = append(s.buf.msgs, span{topic, kind, off, len(s.buf.data)})
	}
	signal(s.wake)
}

// Receive waits for messages and returns all that there are, in the order in
// which they were published. They are valid until the next Receive. One
// goroutine at a time may call it. After Close it returns what still waits,
// then ErrClosed.
func (s *Subscription) Receive(ctx context.Context) ([]Message, error) {
	for {
		s.mu.Lock()
		if len(s.buf.msgs) > 0 {
			msgs := s.take()
			s.mu.Unlock()
			return msgs, nil
		}
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return nil, ErrClosed
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take swaps the two buffers. A buffer that grew far beyond the bound (one huge
// message) is let go.
func (s *Subscription) take() []Message {
	if cap(s.lent.data) > 2*s.maxBytes {
		s.lent = buffer{}
	}
	s.buf, s.lent = s.lent, s.buf
	s.buf.data, s.buf.msgs = s.buf.data[:0], s.buf.msgs[:0]
	clear(s.buf.out)
	s.free()
	out := s.lent.out[:0]
	for _, m := range s.lent.msgs {
		out = append(out, Message{m.topic, s.lent.data[m.off:m.end:m.end], m.kind})
	}
	s.lent.out = out
	return out
}

// Close ends the subscription: publishers that wait for it go on, and no new
// message arrives. It may be called at any time, more than once, and does not
// wait for anything.
func (s *Subscription) Close() {
	s.bus.remove(s)
	s.mu.Lock()
	s.closed = true
	s.free()
	s.mu.Unlock()
	signal(s.wake)
}

// free lets waiting publishers look again.
func (s *Subscription) free() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

func (b *Bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wild = without(b.wild, s)
	if left := without(b.exact[s.filter], s); len(left) > 0 {
		b.exact[s.filter] = left
	} else {
		delete(b.exact, s.filter)
	}
	clear(b.cache)
}

// without returns subs without s, in memory of its own where they differ.
func without(subs []*Subscription, s *Subscription) []*Subscription {
	for i, x := range subs {
		if x == s {
			return append(append([]*Subscription(nil), subs[:i]...), subs[i+1:]...)
		}
	}
	return subs
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
