// Package mqtt is the sink that publishes on an MQTT broker, over the connection
// that everything with the same settings shares. Messages go out in bulk; with
// QoS 1 and 2 they count as delivered when the broker has confirmed them.
package mqtt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
)

// Publisher is what the sink needs of a connection, see mqttconn.Conn.
type Publisher interface {
	// Publish sends messages in order and returns how many, from the first on,
	// are surely sent; mqttconn.ErrBadMessage says that the next can never be.
	Publish(ctx context.Context, msgs []mqttconn.OutMessage) (done int, err error)
	State() mqttconn.State
	Changed() <-chan struct{}
}

// Factory is the sink type mqtt.
type Factory struct {
	pool   *mqttconn.Pool
	routes sinks.Routes

	mu   sync.Mutex
	last mqttconn.Options // of the last Open, and its destKey: most are the same
	key  string
}

// New makes the sink type on the connections of pool.
func New(pool *mqttconn.Pool) *Factory { return &Factory{pool: pool} }

// options are what is static in a message; as JSON, they are the Route's Spec.
type options struct {
	Topic  string `json:"topic"`
	QoS    byte   `json:"qos"`
	Retain bool   `json:"retained"`
}

func (o *options) table() props.Table {
	return props.Table{
		props.Text(&o.Topic, "topic", "the topic that messages are published on; may be a template").Required(),
		mqttconn.QoS(&o.QoS),
		props.Flag(&o.Retain, "retained", "has the broker keep the last message for those who subscribe later"),
	}
}

// Properties describes what can be set.
func (f *Factory) Properties() props.Table {
	return new(options).table().And(mqttconn.Properties())
}

// Open checks an action's properties.
func (f *Factory) Open(given map[string]any) (sinks.Target, error) {
	var o options
	conn, err := mqttconn.ParseProps(given, o.table()...)
	var faults props.Faults
	faults.Join(err)
	dynamic := sinks.Dynamic(o.Topic)
	if o.Topic != "" && !dynamic {
		if err := mqttconn.CheckTopic(o.Topic); err != nil {
			faults.Add("topic", "%w", err)
		}
	}
	if err := faults.Err(); err != nil {
		return sinks.Target{}, err
	}
	conn.Sending = true
	spec, err := json.Marshal(o)
	if err != nil {
		return sinks.Target{}, err
	}
	user := "a sink"
	t := sinks.Target{
		Claim: func(name string) error {
			user = name
			return f.pool.Free(conn, name)
		},
		DestKey: f.destKey(conn), Route: f.route(string(spec), o), Restore: f.restore,
		Open: func(context.Context, int) (sinks.Destination, error) { return f.connect(conn, user) },
	}
	if dynamic {
		t.Dynamic = o.Topic
	}
	return t, nil
}

// destKey names the server, and the other settings by a hash: they hold secrets.
func (f *Factory) destKey(o mqttconn.Options) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.key == "" || !reflect.DeepEqual(o, f.last) {
		sum := sha256.Sum256([]byte(o.Key()))
		f.last, f.key = o, fmt.Sprintf("mqtt %s %s", o.Servers[0], hex.EncodeToString(sum[:6]))
	}
	return f.key
}

func (f *Factory) route(spec string, o options) *sinks.Route {
	return f.routes.Intern(spec, func() *sinks.Route { return &sinks.Route{Target: o.Topic, Options: &o} })
}

func (f *Factory) restore(spec string) (*sinks.Route, error) {
	var o options
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return nil, err
	}
	return f.route(spec, o), nil
}

func (f *Factory) connect(o mqttconn.Options, user string) (sinks.Destination, error) {
	c, err := f.pool.Get(o, user)
	if err != nil {
		return nil, err
	}
	c.Start()
	return &destination{conn: c, close: func() { f.pool.Put(c, user) }}, nil
}

// destination publishes over a connection.
type destination struct {
	conn  Publisher
	close func()
	out   []mqttconn.OutMessage
	lost  int // how often the connection was lost over the same message
}

// Write publishes msgs. After the connection was lost over one, that is sent alone: if
// it is lost again, it is the message's fault, such as that the broker finds it too
// large, and no reason for the others to wait.
func (d *destination) Write(ctx context.Context, msgs []sinks.Message) (int, error) {
	d.out = d.out[:0]
	for i := range msgs {
		m := &msgs[i]
		o, ok := m.Route.Options.(*options)
		if !ok {
			if i == 0 {
				return 0, sinks.Refuse(fmt.Errorf("route %q is not one of MQTT", m.Route.Spec))
			}
			break
		}
		d.out = append(d.out, mqttconn.OutMessage{Topic: m.Place(), Payload: m.Payload, QoS: o.QoS, Retain: o.Retain})
	}
	if d.lost > 0 {
		d.out = d.out[:min(1, len(d.out))]
	}
	n, err := d.conn.Publish(ctx, d.out)
	clear(d.out)
	if n > 0 {
		d.lost = 0
	}
	switch {
	case errors.Is(err, mqttconn.ErrBadMessage):
		err = sinks.Refuse(err)
	case errors.Is(err, mqttconn.ErrLost):
		if d.lost++; d.lost > 1 {
			d.lost, err = 0, sinks.OfPlace(err)
		}
	}
	return n, err
}

// Changed is closed when the connection's state changes: time to try again.
func (d *destination) Changed() <-chan struct{} { return d.conn.Changed() }

// Status returns the connection's state.
func (d *destination) Status() sinks.ConnStatus {
	st := d.conn.State()
	s := sinks.ConnStatus{
		LastConnectedMs: st.ConnectedAt, LastDisconnectedMs: st.DisconnectedAt, LastTryMs: st.TriedAt,
	}
	switch {
	case st.Connected:
		s.State = sinks.Connected
	case st.Err != nil:
		s.State, s.LastDisconnected = sinks.Disconnected, st.Err.Error()
	}
	return s
}

// Close gives the connection back.
func (d *destination) Close() error {
	d.close()
	return nil
}
