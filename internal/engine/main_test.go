package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/planner/ruledef"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come. It is long because
// machines may be slow; nothing takes that long.
const patience = 30 * time.Second

// rig is an engine under test with what a client would do with it.
type rig struct {
	t testing.TB
	*Engine
	mayPanic bool
}

// newRig starts an engine on a store in memory, or on o's.
func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	if o.Store.FS == nil {
		o.Store.FS = vfs.NewMem()
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Store.ReserveBytes = 1
	o.Logger = slog.New(slog.DiscardHandler)
	o.Sinks.RetryMin, o.Sinks.RetryMax = time.Millisecond, 10*time.Millisecond
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, Engine: e}
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		r.t.Error(err)
	}
	if n := r.panicked(); n != 0 && !r.mayPanic {
		r.t.Errorf("the executor panicked %d times", n)
	}
}

// panicked returns how often the executor panicked.
func (r *rig) panicked() uint64 {
	n, _ := r.panics.Total()
	return n
}

// sql runs a statement that must be good.
func (r *rig) sql(format string, args ...any) {
	r.t.Helper()
	if _, err := r.ExecStatement(fmt.Sprintf(format, args...)); err != nil {
		r.t.Fatal(err)
	}
}

// memoryStream defines a stream that reads topic of the bus.
func (r *rig) memoryStream(name, topic string) {
	r.t.Helper()
	r.sql(`CREATE STREAM %s () WITH (TYPE="memory", DATASOURCE=%q, FORMAT="json")`, name, topic)
}

// parseRule reads a rule that has its id in the text, with weir's own defaults.
func parseRule(body []byte) (*ruledef.Def, error) {
	return ruledef.ParseFor("", body, ruledef.DefaultOptions())
}

// def makes the definition of a rule; each action is one object.
func (r *rig) def(id, sql string, actions ...string) *ruledef.Def {
	r.t.Helper()
	text := fmt.Sprintf(`{"id":%q,"sql":%q,"actions":[%s]}`, id, sql, strings.Join(actions, ","))
	d, err := parseRule([]byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func toMemory(topic string) string {
	return fmt.Sprintf(`{"memory":{"topic":%q,"sendSingle":true}}`, topic)
}

// rule creates a rule that sends to a topic of the bus.
func (r *rig) rule(id, sql, topic string) {
	r.t.Helper()
	r.must(r.CreateRule(r.def(id, sql, toMemory(topic))))
}

// replace puts d in the place of the rule with its id and tells what became of what that
// remembered.
func (r *rig) replace(d *ruledef.Def) api.State {
	r.t.Helper()
	state, err := r.ReplaceRule(d)
	r.must(err)
	return state
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// publish puts payloads on the bus.
func (r *rig) publish(topic string, payloads ...string) {
	r.t.Helper()
	list := make([][]byte, len(payloads))
	for i, p := range payloads {
		list[i] = []byte(p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.must(r.bus.Publish(ctx, topic, list))
}

// listen subscribes to a topic of the bus.
func (r *rig) listen(topic string) *listener {
	r.t.Helper()
	sub, err := r.bus.Subscribe(topic, 64<<20)
	r.must(err)
	r.t.Cleanup(sub.Close)
	return &listener{t: r.t, sub: sub}
}

// listener receives what a rule sends to the bus.
type listener struct {
	t    testing.TB
	sub  *membus.Subscription
	have []string
}

// next returns n payloads.
func (l *listener) next(n int) []string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(l.have) < n {
		msgs, err := l.sub.Receive(ctx)
		if err != nil {
			l.t.Fatalf("received %d payloads, want %d: %v", len(l.have), n, err)
		}
		for _, m := range msgs {
			l.have = append(l.have, string(m.Payload))
		}
	}
	out := l.have[:n:n]
	l.have = l.have[n:]
	return out
}

// want compares the next payloads.
func (l *listener) want(payloads ...string) {
	l.t.Helper()
	for i, got := range l.next(len(payloads)) {
		if got != payloads[i] {
			l.t.Fatalf("payload %d: got %s, want %s", i, got, payloads[i])
		}
	}
}

// wantSeq receives {"seq":from} to {"seq":to-1}, each once and in order.
func (l *listener) wantSeq(from, to int) {
	l.t.Helper()
	for i, got := range l.next(to - from) {
		if want := fmt.Sprintf(`{"seq":%d}`, from+i); got != want {
			l.t.Fatalf("message %d: got %s, want %s", i, got, want)
		}
	}
}

// status returns one field of a rule's status.
func (r *rig) status(id, key string) any {
	r.t.Helper()
	fields, err := r.RuleStatus(id)
	r.must(err)
	return r.field(fields, key)
}

// streamStatus returns one field of a stream's status.
func (r *rig) streamStatus(name, key string) any {
	r.t.Helper()
	fields, err := r.StreamStatus(api.Stream, name)
	r.must(err)
	return r.field(fields, key)
}

func (r *rig) field(status []api.StatusField, key string) any {
	r.t.Helper()
	for _, f := range status {
		if f.Key == key {
			return f.Value
		}
	}
	r.t.Fatalf("got no %s in status %v", key, status)
	return nil
}

// wantStatus compares one field of a rule's status.
func (r *rig) wantStatus(id, key string, want any) {
	r.t.Helper()
	if got := fmt.Sprint(r.status(id, key)); got != fmt.Sprint(want) {
		r.t.Errorf("%s: %s: got %s, want %v", id, key, got, want)
	}
}

// await waits until cond holds. What it waits for cannot signal.
func (r *rig) await(what string, cond func() bool) {
	r.t.Helper()
	beat := time.NewTicker(time.Millisecond)
	defer beat.Stop()
	end := time.After(patience)
	for !cond() {
		select {
		case <-beat.C:
		case <-end:
			r.t.Fatal("waited in vain: " + what)
		}
	}
}

// recv returns what comes next on a channel.
func recv[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("waited in vain")
	}
	return v
}

// connected waits until a rule's source has its data.
func (r *rig) connected(rule, stream string) {
	r.t.Helper()
	r.await(rule+" is connected", func() bool { return r.status(rule, "source_"+stream+"_0_connection_status") == 1 })
}

func (r *rig) statusOf(id string) string {
	for _, i := range r.RuleList() {
		if i.ID == id {
			return i.Status
		}
	}
	return "unknown"
}

// startBroker starts the embedded broker and sets it as the default server.
func (r *rig) startBroker() string {
	r.t.Helper()
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	r.must(err)
	r.t.Cleanup(func() {
		r.close() // clients first
		r.must(b.Close())
	})
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "default", map[string]any{"server": "tcp://" + b.Addr(), "qos": 1.0}))
	return b.Addr()
}

func (r *rig) mqttStream(name, topic string) {
	r.t.Helper()
	r.sql(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE=%q, FORMAT="json")`, name, topic)
}

// publisher sends messages of QoS 1 to a broker, one at a time.
type publisher struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	id   uint16
}

func newPublisher(t testing.TB, addr string) *publisher {
	t.Helper()
	p := dialBroker(t, addr)
	p.write([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03pub"))
	p.read(4)
	return p
}

// dialBroker is newPublisher before CONNECT.
func dialBroker(t testing.TB, addr string) *publisher {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &publisher{t: t, conn: c, r: bufio.NewReader(c)}
}

func (p *publisher) write(b []byte) {
	if _, err := p.conn.Write(b); err != nil {
		p.t.Error(err)
	}
}

func (p *publisher) read(n int) {
	if _, err := io.ReadFull(p.r, make([]byte, n)); err != nil {
		p.t.Error(err)
	}
}

// publish returns when the broker has the message.
func (p *publisher) publish(topic, payload string) {
	p.id = max(p.id+1, 1)
	body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	body = append(body, topic...)
	body = binary.BigEndian.AppendUint16(body, p.id)
	body = append(body, payload...)
	frame := binary.AppendUvarint([]byte{0x32}, uint64(len(body)))
	p.write(append(frame, body...))
	p.read(4)
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
