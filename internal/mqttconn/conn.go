// Package mqttconn is the MQTT connection that sources and sinks share, and the
// only home of the MQTT client library.
//
// The library opens the session, CONNECT and its answer, and receives messages of
// QoS 2. It is given a net.Conn of our own, the tap, which reads the
// socket in large blocks and takes PUBLISH packets of QoS 0 and 1 straight off
// them: one goroutine reads, slices, looks up topics and calls the handler, and
// nothing is passed from one goroutine to another on the way. Subscriptions,
// acknowledgements, keep-alives and outgoing messages are packets that weir
// writes in bulk beside the library.
//
// Reconnecting is ours too, since the library can neither be interrupted while
// it waits nor go on while a handler blocks. Subscriptions and outgoing QoS 2 are
// ours because the library counts packet identifiers from 1 as brokers do, and
// there are brokers that refuse a SUBSCRIBE with the identifier of a delivery
// that is under way; and because its Publish waits for half a minute when the
// connection breaks.
//
// Invariants: messages are handed to the handler in order of receipt, one call
// at a time, across connections; a handler that blocks stops the reading of the
// socket and nothing else; no packet is acknowledged before its owner says so,
// and PUBACKs leave in order of receipt; a message reaches each subscription
// once, however many filters match; nothing is dropped but what Stats counts.
package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/weir-engine/weir/internal/clock"
	"github.com/weir-engine/weir/internal/loss"
)

// ErrNotConnected is returned by Publish while there is no connection. The caller
// keeps its messages and tries again, see WaitConnected.
var ErrNotConnected = errors.New("not connected")

// ErrClosed is returned once Close was called: the caller gives up.
var ErrClosed = errors.New("connection is closed")

// Message is one message received.
type Message struct {
	// Topic is shared by all messages on it.
	Topic *Topic
	// Payload is borrowed until the handler returns.
	Payload []byte
	// Token is what Conn.Ack takes once the message is safe; 0 for QoS 0, which
	// nobody acknowledges.
	Token uint64
	// ID is the packet identifier, 0 for QoS 0.
	ID uint16
	// QoS is that of the delivery.
	QoS byte
	// Retained tells a message that was kept by the broker.
	Retained bool
	// Dup tells that the broker may have sent it before.
	Dup bool
}

// Handler takes what a connection receives.
//
// Messages is called once for each read of the socket (or several times, when a
// read brings very many), never concurrently, with at least one message; at is
// the time of the read in ms since 1970. It may block, which stops the reading.
// Every message with a Token has to be acknowledged once with Conn.Ack, or as
// often as Conn.Expect said; until then the later ones are not acknowledged.
type Handler interface {
	Messages(at int64, msgs []Message)
}

// State is how a connection stands. Times are ms since 1970, 0 for never.
type State struct {
	Connected      bool
	Err            error // why it is not connected; nil before the first attempt
	ConnectedAt    int64 // the connection was made last
	DisconnectedAt int64 // it was lost last
	TriedAt        int64 // the last attempt began
}

// Stats counts what a connection did since it was made.
type Stats struct {
	Reads, BytesIn, MessagesIn uint64
	// Lost is what ended here: loss.Unrouted messages belong to no subscription
	// (of a filter that was joined with others, of a session that the broker kept,
	// or on the way when their subscription ended), loss.Oversized ones were larger
	// than MaxPacket and skipped, loss.Handler ones went with a panic.
	Lost loss.Counts
	// Replays are retained messages that a subscription did not get again when
	// they were replayed for another.
	Replays uint64
	// Acked messages were acknowledged to the broker.
	Acked uint64
	// MessagesOut were written.
	MessagesOut uint64
	// Connects are connections that were made, Retries attempts after the first.
	Connects, Retries uint64
}

// Conn is one connection to a broker that is kept up until Close. All methods may
// be called from any goroutine, but not Close from a handler.
type Conn struct {
	opt      Options
	clientID string
	log      *slog.Logger
	store    *store // of QoS 2, nil with a clean session
	dial     func(context.Context, *url.URL) (net.Conn, error)
	mourned  string // why it is down, as logged last; the manager's
	brief    int    // connections in a row that the broker ended soon; the manager's

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	after  []<-chan struct{} // what the manager waits for before it begins
	done   chan struct{}     // the manager has ended
	wg     sync.WaitGroup    // readers, writers, and clients of the library

	deliver sync.Mutex // held while the handler is called
	pubMu   sync.Mutex // guards pubBuf
	pubBuf  []byte

	mu       sync.Mutex // guards the rest, and the taps' fields that say so
	handler  Handler
	tab      *table
	state    State
	stats    Stats
	changed  chan struct{}
	gen      uint32
	opened   *tap // the latest
	dialErr  error
	live     *tap // opened, once the broker has accepted it
	replayTo int64
	loud     int64  // when an oversized message was logged last, ms
	quiet    uint64 // oversized messages since then
	refusal  int64  // when a filter was refused last, ms; 0: none stands
	held     map[uint16]*held
	wanted   bool // Start was called
	parked   bool // by its pool: it starts when the pool lets it
	started  bool
	leaving  bool // see Leave
	closed   bool
}

// New makes a connection that Start begins. o is checked; an error lists every
// fault.
func New(o Options) (*Conn, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("mqtt connection: %w", err)
	}
	conf, err := o.TLS.config()
	if err != nil {
		return nil, fmt.Errorf("mqtt connection: %w", err)
	}
	c := &Conn{
		opt:      o,
		clientID: o.ClientID,
		log:      slog.Default().With("mqtt", o.Servers[0]),
		done:     make(chan struct{}),
		tab:      newTable(),
		changed:  make(chan struct{}),
		held:     make(map[uint16]*held),
	}
	if c.clientID == "" {
		c.clientID = randomID()
	}
	if !o.CleanSession {
		c.store = newStore()
	}
	c.dial = func(ctx context.Context, u *url.URL) (net.Conn, error) {
		return dial(ctx, u, conf, o.ConnectTimeout)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, w := range o.Warnings {
		c.log.Warn(w)
	}
	return c, nil
}

// Options returns what the connection was made with.
func (c *Conn) Options() Options { return c.opt }

// Handle sets who takes the messages; without a handler they belong to nobody.
func (c *Conn) Handle(h Handler) {
	c.mu.Lock()
	c.handler = h
	clear(c.tab.topics) // their tags are the former handler's
	c.tab.last = nil
	c.mu.Unlock()
}

// Start begins to connect and returns at once. What is subscribed to before sees
// every message of a session that the broker kept. A second call does nothing.
func (c *Conn) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = true
	c.begin()
}

// unpark lets the connection begin, if it is to.
func (c *Conn) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked = false
	c.begin()
}

// begin starts the manager when it is time. The caller holds mu.
func (c *Conn) begin() {
	if c.wanted && !c.parked && !c.started && !c.closed {
		c.started = true
		go c.run()
	}
}

// Leave begins the end of the process. What comes from now on is not handed on and
// not acknowledged, and subscriptions stay: a session that the broker keeps goes on
// gathering for the next process. What was handed on before can still be
// acknowledged, and Publish works, until Close.
func (c *Conn) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
}

// Leaving tells whether Leave was called.
func (c *Conn) Leaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

// Close ends the connection: what was acknowledged before is still told to the
// broker, and which filters nobody has any more, which it would remember with a
// session that it keeps. It returns when all goroutines have ended, so a handler that blocks
// has to be released first.
func (c *Conn) Close() {
	c.mu.Lock()
	first, started := !c.closed, c.started
	c.closed = true
	t := c.opened
	c.mu.Unlock()
	if first {
		c.cancel()
		if t != nil {
			t.leave()
		}
		if !started {
			close(c.done)
		}
	}
	<-c.done
	c.wg.Wait()
}

// Subscribe gives the messages on the topics that filters match to sub, in place
// of what it had. It returns at once; an error lists the filters that are not
// valid, and nothing changes then.
func (c *Conn) Subscribe(sub SubID, filters []string, qos byte) error {
	var errs []error
	for _, f := range filters {
		if err := CheckFilter(f); err != nil {
			errs = append(errs, err)
		}
	}
	if len(filters) == 0 {
		errs = append(errs, errors.New("subscription without a topic filter"))
	}
	if qos > 2 {
		errs = append(errs, fmt.Errorf("qos %d: want 0, 1 or 2", qos))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tab.add(sub, filters, qos)
	c.kick()
	return nil
}

// Unsubscribe ends what sub gets: once it has returned no message that is read
// from the socket belongs to sub, but a call of the handler may be under way. After
// Leave it does nothing: the next process has the subscription again.
func (c *Conn) Unsubscribe(sub SubID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.leaving && c.tab.remove(sub) {
		c.kick()
	}
}

// kick makes the writer look at what there is to tell the broker. The caller
// holds mu.
func (c *Conn) kick() {
	if c.live != nil {
		c.live.kick()
	}
}

// SubState is how a subscription stands.
type SubState struct {
	Acked bool  // the broker has confirmed all its filters on this connection
	Seen  bool  // a message came since it was made
	Err   error // the broker refused a filter; it is asked again from time to time
	// Oversized messages on its topics were skipped.
	Oversized uint64
}

// Sub returns how sub stands; ok is false if there is no such subscription.
func (c *Conn) Sub(sub SubID) (st SubState, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.tab.subs[sub]
	if s == nil {
		return SubState{}, false
	}
	st.Seen, st.Acked, st.Oversized = s.seen, c.live != nil, s.oversized
	for _, f := range s.filters {
		if f.refused {
			st.Err = errors.Join(st.Err, fmt.Errorf("topic filter %q: refused by the broker", f.name))
			st.Acked = false
		} else if w := c.tab.covering(f); w == nil || !w.acked {
			st.Acked = false
		}
	}
	return st, true
}

// WaitAcked waits until the broker has confirmed sub; it returns the refusal if
// there is one, or ctx's error.
func (c *Conn) WaitAcked(ctx context.Context, sub SubID) error {
	for {
		changed := c.Changed()
		st, ok := c.Sub(sub)
		switch {
		case !ok:
			return fmt.Errorf("subscription %d: does not exist", sub)
		case st.Err != nil || st.Acked:
			return st.Err
		}
		if err := c.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// State returns how the connection stands.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Stats returns what the connection did.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Changed returns a channel that is closed when the State, or the confirmation
// of subscriptions, changes next.
func (c *Conn) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// announce tells who waits in Changed. The caller holds mu.
func (c *Conn) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// up returns the tap in use, nil if there is none or it has just failed.
func (c *Conn) up() *tap {
	c.mu.Lock()
	t := c.live
	c.mu.Unlock()
	if t != nil {
		select {
		case <-t.closed:
			return nil
		default:
		}
	}
	return t
}

// WaitConnected waits until there is a connection.
func (c *Conn) WaitConnected(ctx context.Context) error {
	for {
		changed := c.Changed()
		if c.up() != nil {
			return nil
		}
		if err := c.wait(ctx, changed); err != nil {
			return err
		}
	}
}

func (c *Conn) wait(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}

// nowMs is the clock on the wall, of what is told to clients.
func nowMs() int64 { return time.Now().UnixMilli() } // lint:allow clock: nothing is measured with it

// elapsedMs is what lengths of time are measured with, whatever somebody does to the
// clock. It is never 0.
func elapsedMs() int64 { return clock.Elapsed().Milliseconds() + 1 }
