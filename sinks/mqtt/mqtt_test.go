package mqtt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox keeps what a subscriber gets.
type inbox struct {
	mu   sync.Mutex
	got  []string
	want chan int // told the length after each call
}

func (b *inbox) Messages(_ int64, msgs []mqttconn.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range msgs {
		flag := ""
		if m.Retained {
			flag = " retained"
		}
		b.got = append(b.got, fmt.Sprintf("%s=%s%s", m.Topic.Name, m.Payload, flag))
	}
	select {
	case <-b.want:
	default:
	}
	b.want <- len(b.got)
}

// wait returns the first n messages.
func (b *inbox) wait(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		got := slices.Clone(b.got)
		b.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-b.want:
		case <-deadline:
			t.Fatalf("got %d messages, want %d: %.200q", len(got), n, got)
		}
	}
}

func mustBroker(t *testing.T, listen string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(broker.Options{Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func subscribe(t *testing.T, addr, filter string) *inbox {
	t.Helper()
	o := mqttconn.Options{Servers: []string{"tcp://" + addr}, CleanSession: true, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond}
	o.EnsureDefaults()
	c, err := mqttconn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	box := &inbox{want: make(chan int, 1)}
	c.Handle(box)
	c.Start()
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// The broker looks for retained messages after its answer; when it has answered
	// the second, it has done so for the first.
	for i, f := range []string{filter, "nothing/here"} {
		sub := mqttconn.SubID(i + 1)
		if err := c.Subscribe(sub, []string{f}, 0); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitAcked(ctx, sub); err != nil {
			t.Fatal(err)
		}
	}
	return box
}

func mustTarget(t testing.TB, f *Factory, props map[string]any) sinks.Target {
	t.Helper()
	target, err := f.Open(props)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func mustQueue(t testing.TB, target sinks.Target, st *store.Store) *sinks.Queue {
	t.Helper()
	q, err := sinks.NewQueue(target, sinks.Options{
		RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, MemoryBytes: 32 << 10, Logger: slog.New(slog.DiscardHandler),
	}, st, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		q.Close(ctx)
	})
	return q
}

func TestPublish(t *testing.T) {
	b := mustBroker(t, "127.0.0.1:0")
	f := New(new(mqttconn.Pool))
	var q *sinks.Queue
	var want []string
	box := subscribe(t, b.Addr(), "out/#")
	for qos := range 3 {
		target := mustTarget(t, f, map[string]any{"server": "tcp://" + b.Addr(), "topic": fmt.Sprint("out/", qos), "qos": float64(qos), "retained": qos == 1})
		if q == nil {
			q = mustQueue(t, target, nil)
		} else if target.DestKey != q.DestKey() {
			t.Errorf("got %q, want the destination %q", target.DestKey, q.DestKey())
		}
		q.Put([]sinks.Message{
			{Route: target.Route, Payload: []byte("a")},
			{Route: target.Route, Payload: []byte("b"), Target: "out/else"},
			{Route: target.Route, Payload: []byte("c"), Target: "out/+"},
			{Route: target.Route, Payload: []byte("d")},
		})
		want = append(want, fmt.Sprintf("out/%d=a", qos), "out/else=b", fmt.Sprintf("out/%d=d", qos))
	}
	if got := box.wait(t, 9); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := q.Drained(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := q.Stats(); s.Delivered != 9 || s.Lost[loss.Refused] != 3 || s.Connection.State != sinks.Connected || s.Connection.LastConnectedMs == 0 {
		t.Errorf("got %+v", s)
	}
	retained := subscribe(t, b.Addr(), "out/1").wait(t, 1)
	if retained[0] != "out/1=d retained" {
		t.Errorf("got %q", retained)
	}
}

// TestBrokerRestarts wants everything delivered in order over an outage, through
// the disk.
func TestBrokerRestarts(t *testing.T) {
	b := mustBroker(t, "127.0.0.1:0")
	addr := b.Addr()
	st, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	target := mustTarget(t, New(new(mqttconn.Pool)), map[string]any{"server": addr, "topic": "out", "qos": 1})
	q := mustQueue(t, target, st)
	put := func(from, to int) {
		for i := from; i < to; i++ {
			q.Put([]sinks.Message{{Route: target.Route, Payload: fmt.Append(nil, i)}})
		}
	}
	put(0, 10)
	if err := q.Drained(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	put(10, 5000)
	if s := q.Stats(); s.DiskBytes == 0 {
		t.Errorf("got %+v, want some on disk", s)
	}
	mustBroker(t, addr)
	box := subscribe(t, addr, "out")
	put(5000, 5001)
	got := box.wait(t, 1)
	var first int
	if _, err := fmt.Sscanf(got[0], "out=%d", &first); err != nil {
		t.Fatal(err)
	}
	// What was delivered before the subscriber was there is not its matter.
	for i, m := range box.wait(t, 5001-first) {
		if want := fmt.Sprintf("out=%d", first+i); m != want {
			t.Fatalf("got %s, want %s", m, want)
		}
	}
	if err := q.Drained(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := q.Stats(); s.Delivered != 5001 || s.Bytes != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestProperties(t *testing.T) {
	f := New(new(mqttconn.Pool))
	for want, props := range map[string]map[string]any{
		`property "topic" is required: the topic`:                          {"server": "x"},
		`property "topic": topic "a/#": must not hold a wildcard`:          {"server": "x", "topic": "a/#"},
		`property "qos": want a whole number from 0 to 2, got 5`:           {"server": "x", "topic": "a", "qos": 5},
		`server "foo://x": unknown scheme "foo", want tcp, ssl, ws or wss`: {"server": "foo://x", "topic": "a"},
		`property "retained": want true or false, got "perhaps"`:           {"server": "x", "topic": "a", "retained": "perhaps"},
	} {
		if _, err := f.Open(props); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", props, err, want)
		}
	}
	a := mustTarget(t, f, map[string]any{"server": "tcp://h:1883", "topic": "a", "password": "geheim"})
	b := mustTarget(t, f, map[string]any{"server": "tcp://h:1883", "topic": "{{.x}}", "password": "geheim", "sendSingle": true})
	c := mustTarget(t, f, map[string]any{"server": "tcp://h:1883", "topic": "a", "password": "other"})
	if a.DestKey != b.DestKey || a.DestKey == c.DestKey || strings.Contains(a.DestKey, "geheim") {
		t.Errorf("got %q %q %q", a.DestKey, b.DestKey, c.DestKey)
	}
	if b.Dynamic != "{{.x}}" || a.Dynamic != "" || a.Route != c.Route {
		t.Errorf("got %+v %+v", a, b)
	}
	if r, err := a.Restore(a.Route.Spec); err != nil || r != a.Route {
		t.Errorf("restored another route, %v", err)
	}
}

func TestForeignRoute(t *testing.T) {
	d := &destination{conn: new(mqttconn.Conn)}
	if _, err := d.Write(context.Background(), []sinks.Message{{Route: new(sinks.Route)}}); !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("got %v, want refused", err)
	}
}

// drain is a server that says yes to CONNECT and swallows the rest.
func drain(b *testing.B) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				r := bufio.NewReaderSize(c, 256<<10)
				head, _ := r.Peek(2)
				_, _ = r.Discard(2 + int(head[1]))
				_, _ = c.Write([]byte{0x20, 2, 0, 0})
				_, _ = io.Copy(io.Discard, r)
			})
		}
	})
	b.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// BenchmarkQoS0 sends outputs of 80 bytes through a queue, a connection and a
// socket to a server that swallows them.
func BenchmarkQoS0(b *testing.B) {
	addr := drain(b)
	target := mustTarget(b, New(new(mqttconn.Pool)), map[string]any{"server": addr, "topic": "weir/out"})
	q, err := sinks.NewQueue(target, sinks.Options{}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	payload := []byte(`[{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000001}]`)
	msgs := make([]sinks.Message, 100)
	for i := range msgs {
		msgs[i] = sinks.Message{Route: target.Route, Payload: slices.Clone(payload), Rule: uint32(i)}
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		q.Put(msgs)
		n += len(msgs)
		if m, _ := q.Backlog(); m > 20000 {
			_ = q.Drained(context.Background())
		}
	}
	_ = q.Drained(context.Background())
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
	q.Close(context.Background())
}

func BenchmarkOpen(b *testing.B) {
	f := New(new(mqttconn.Pool))
	var keep []sinks.Target
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		t := mustTarget(b, f, map[string]any{"server": "tcp://127.0.0.1:1883", "topic": fmt.Sprint("out/", i%8000), "sendSingle": true})
		if i++; len(keep) < 8000 {
			keep = append(keep, t)
		}
	}
}
