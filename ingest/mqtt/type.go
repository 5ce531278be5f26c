package mqtt

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/internal/props"
)

// hub keeps the source of each connection on which streams are.
type hub struct {
	pool  *mqttconn.Pool
	later func(func())

	mu      sync.Mutex
	sources map[*mqttconn.Conn]*Source
}

// NewType makes the source type mqtt over the connections of pool. What takes as
// long as the network does, it gives to later, which does not wait for it.
func NewType(pool *mqttconn.Pool, later func(func())) source.Type {
	h := &hub{pool: pool, later: later, sources: map[*mqttconn.Conn]*Source{}}
	return source.Type{
		Properties: properties, Check: h.check, Group: group, Free: h.free, Client: mqttconn.Client, Ping: h.ping, Connections: h.connections, Named: true, Decoded: true,
	}
}

// qosDefault is what a stream wants of the broker if it does not say.
const qosDefault = 1

func properties() props.Table {
	qos := byte(qosDefault)
	return props.Table{mqttconn.QoS(&qos)}.And(mqttconn.Properties())
}

// check reads the topics, the connection and the QoS of a stream.
func (h *hub) check(d source.Def) (source.Use, error) {
	filters, err := ParseFilters(d.DataSource)
	if err != nil {
		return source.Use{}, err
	}
	o, qos, err := parse(d.Props)
	return source.Use{
		Hub: o.Key(),
		Attach: func(f *ingest.Feed, stream uint32) (source.Attachment, error) {
			return h.attach(o, "stream "+d.Name, Stream{ID: stream, Filters: filters, QoS: qos, Feed: f})
		},
	}, err
}

// group checks settings without topics.
func group(given map[string]any) error {
	_, _, err := parse(given)
	return err
}

// parse reads the settings of a connection, and the QoS of a stream on it.
func parse(given map[string]any) (o mqttconn.Options, qos byte, err error) {
	qos = qosDefault
	o, err = mqttconn.ParseProps(given, mqttconn.QoS(&qos))
	return o, qos, err
}

// attach subscribes st on the connection of o, which it starts if need be.
func (h *hub) attach(o mqttconn.Options, user string, st Stream) (source.Attachment, error) {
	conn, err := h.pool.Get(o, user)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	src := h.sources[conn]
	if src == nil {
		src = New(conn)
		h.sources[conn] = src
	}
	h.mu.Unlock()
	if err := src.Add(st); err != nil {
		h.leave(conn, user)
		return nil, err
	}
	conn.Start()
	return &attachment{h, src, st.ID, user}, nil
}

// leave gives one use of a connection back. The last one closes it, which takes as
// long as the network does; nobody waits for it.
func (h *hub) leave(conn *mqttconn.Conn, user string) {
	if !h.pool.Release(conn, user) {
		return
	}
	h.mu.Lock()
	delete(h.sources, conn)
	h.mu.Unlock()
	h.later(conn.Close)
}

// free refuses a stream whose client id is in use with other settings.
func (h *hub) free(d source.Def) error {
	if id, _ := props.Get(d.Props, "clientid"); id == nil {
		return nil
	}
	o, _, err := parse(d.Props)
	if err != nil {
		return err
	}
	return h.pool.Free(o, "stream "+d.Name)
}

// ping connects, until ctx is done.
func (h *hub) ping(ctx context.Context, d source.Def) error {
	o, err := mqttconn.ParseProps(d.Props)
	if err != nil {
		return err
	}
	var same *mqttconn.Conn
	h.pool.Each(func(c *mqttconn.Conn, _ int) {
		if c.Options().Key() == o.Key() {
			same = c
		}
	})
	if same != nil {
		return answered(ctx, same)
	}
	// A client of the same name would be thrown out by the broker, and its session end.
	o.ClientID, o.CleanSession = "", true
	o.ConnectTimeout = 5 * time.Second
	c, err := mqttconn.New(o)
	if err != nil {
		return err
	}
	defer h.later(c.Close) // which takes as long as the network does
	c.Start()
	return answered(ctx, c)
}

// answered waits until c is connected or has failed to connect.
func answered(ctx context.Context, c *mqttconn.Conn) error {
	for {
		changed := c.Changed()
		switch st := c.State(); {
		case st.Connected:
			return nil
		case st.Err != nil:
			return st.Err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", strings.Join(c.Options().Servers, ","), ctx.Err())
		}
	}
}

// connections lists the connections of the pool, those of sinks included.
func (h *hub) connections() []source.Connection {
	var out []source.Connection
	h.pool.Each(func(conn *mqttconn.Conn, users int) {
		o, st, n := conn.Options(), conn.State(), conn.Stats()
		c := source.Connection{
			ID: o.ClientID, Server: strings.Join(o.Servers, ","), Users: users, State: source.Connecting, Retries: n.Retries, Lost: n.Lost,
			Counters: map[string]uint64{
				"reads": n.Reads, "bytes_in": n.BytesIn, "messages_in": n.MessagesIn, "messages_out": n.MessagesOut,
				"acknowledged": n.Acked, "retained_skipped": n.Replays, "connects": n.Connects, "retries": n.Retries,
			},
		}
		switch {
		case st.Connected:
			c.State = source.Running
		case st.Err != nil:
			c.State, c.Err = source.Failed, st.Err.Error()
		}
		out = append(out, c)
	})
	return out
}

// attachment is a stream's part of a connection.
type attachment struct {
	hub    *hub
	src    *Source
	stream uint32
	user   string
}

// Close ends what the stream gets.
func (a *attachment) Close() {
	a.src.Remove(a.stream)
	a.hub.leave(a.src.conn, a.user)
}

// Status tells how far the stream's subscription is.
func (a *attachment) Status() source.Status {
	st, ok := a.src.Status(a.stream)
	out := source.Status{ConnectedAt: st.Conn.ConnectedAt, DisconnectedAt: st.Conn.DisconnectedAt, TriedAt: st.Conn.TriedAt}
	out.Lost[loss.Oversized] = st.Oversized
	switch {
	case !ok:
		out.State, out.LastError = source.Failed, "not subscribed"
	case st.Err != nil:
		out.State, out.LastError = source.Failed, st.Err.Error()
	case !st.Conn.Connected:
		out.State, out.Note = source.Connecting, "connecting"
	case !st.Acked:
		out.State, out.Note = source.Connecting, "subscribing"
	case !st.Seen:
		out.State, out.Note = source.Running, "no message on its topics so far"
	default:
		out.State = source.Running
	}
	return out
}
