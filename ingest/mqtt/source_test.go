package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// rig is a broker, a source on it, a sender and an inbox.
type rig struct {
	t    testing.TB
	opt  mqttconn.Options
	src  *Source
	out  *mqttconn.Conn
	in   *ingest.Inbox
	plan *vec.Plan
}

func newRig(t testing.TB) *rig {
	t.Helper()
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	r := &rig{t: t, in: ingest.NewInbox(), opt: mqttconn.Options{
		Servers: []string{b.Addr()}, CleanSession: true, Linger: mqttconn.LingerAuto, RetryMin: time.Millisecond,
	}}
	r.plan = vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"a"}}, {Path: []string{"topic"}, Meta: true}, {Path: []string{"qos"}, Meta: true}})
	conn, err := mqttconn.New(r.opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r.src = New(conn)
	o := r.opt
	o.Sending = true
	if r.out, err = mqttconn.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.out.Close)
	r.out.Start()
	if err := r.out.WaitConnected(r.ctx()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) feed() *ingest.Feed {
	r.t.Helper()
	f, err := ingest.NewFeed(r.in, ingest.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	f.SetPlan(r.plan)
	r.t.Cleanup(f.Close)
	return f
}

func (r *rig) add(id uint32, f *ingest.Feed, qos byte, filters ...string) {
	r.t.Helper()
	if err := r.src.Add(Stream{ID: id, Filters: filters, QoS: qos, Feed: f}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) start(ids ...uint32) {
	r.t.Helper()
	r.src.conn.Start()
	for _, id := range ids {
		if err := r.src.conn.WaitAcked(r.ctx(), id); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) send(topic string, qos byte, payloads ...string) {
	r.t.Helper()
	var msgs []mqttconn.OutMessage
	for _, p := range payloads {
		msgs = append(msgs, mqttconn.OutMessage{Topic: topic, Payload: []byte(p), QoS: qos})
	}
	if n, err := r.out.Publish(r.ctx(), msgs); err != nil {
		r.t.Fatal(n, err)
	}
}

// take waits for n rows and gives them back; each is "feed: a topic qos [streams]".
func (r *rig) take(n int, done bool) []string {
	r.t.Helper()
	ctx := r.ctx()
	var rows []string
	for len(rows) < n {
		f, b := r.in.Take()
		if b == nil {
			select {
			case <-r.in.Ready():
			case <-ctx.Done():
				r.t.Fatalf("got %d rows, want %d", len(rows), n)
			}
			continue
		}
		for i := range b.Rows {
			a, topic, qos := b.Cols[0].Value(i), b.Cols[1].Value(i), b.Cols[2].Value(i)
			rows = append(rows, fmt.Sprint(a.F, " ", topic.S, " ", qos.I, " ", b.Routes.Streams[b.Route[i]]))
		}
		if done {
			f.Done(b)
		}
	}
	return rows
}

// acked waits until the source's connection has acknowledged n messages.
func (r *rig) acked(n uint64) {
	r.t.Helper()
	ctx := r.ctx()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.src.conn.Stats().Acked != n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("acknowledged: got %d, want %d", r.src.conn.Stats().Acked, n)
		}
	}
}

func TestRoutes(t *testing.T) {
	r := newRig(t)
	f, g := r.feed(), r.feed()
	r.add(1, f, 0, "line/+/temp")
	r.add(2, f, 1, "line/1/#", "line/1/temp")
	r.add(3, g, 0, "#")
	r.start(1, 2, 3)
	r.send("line/1/temp", 1, `{"a":1}`, `[{"a":2},{"a":3}]`)
	r.send("line/2/temp", 1, `{"a":4}`)
	r.send("other", 0, `{"a":5}`)
	got := r.take(9, true)
	slices.Sort(got)
	want := []string{
		"1 line/1/temp 1 [1 2]", "1 line/1/temp 1 [3]",
		"2 line/1/temp 1 [1 2]", "2 line/1/temp 1 [3]",
		"3 line/1/temp 1 [1 2]", "3 line/1/temp 1 [3]",
		"4 line/2/temp 1 [1]", "4 line/2/temp 1 [3]",
		"5 other 0 [3]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.acked(3)

	r.src.Remove(1)
	r.add(2, g, 0, "line/2/temp") // in place of what it had
	r.start(2, 3)
	r.send("line/2/temp", 0, `{"a":6}`)
	if got, want := r.take(1, true), []string{"6 line/2/temp 0 [2 3]"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(r.src.streams); n != 2 {
		t.Errorf("got %d streams, want 2", n)
	}
}

func TestAcknowledgedByAllFeeds(t *testing.T) {
	r := newRig(t)
	f, g := r.feed(), r.feed()
	r.add(1, f, 1, "a")
	r.add(2, g, 1, "a")
	r.start(1, 2)
	r.send("a", 1, `{"a":1}`, `not JSON`, `[]`)
	type taken struct {
		f *ingest.Feed
		b *vec.Batch
	}
	var list []taken
	for rows := 0; rows < 2; {
		x, b := r.in.Take()
		if b == nil {
			<-r.in.Ready()
			continue
		}
		rows += b.Rows
		list = append(list, taken{x, b})
	}
	list[0].f.Done(list[0].b)
	if n := r.src.conn.Stats().Acked; n != 0 {
		t.Errorf("%d acknowledged by one of two", n)
	}
	list[1].f.Done(list[1].b)
	// The messages without rows may be in later batches.
	ctx := r.ctx()
	for r.src.conn.Stats().Acked != 3 {
		if x, b := r.in.Take(); b != nil {
			x.Done(b)
		}
		if ctx.Err() != nil {
			t.Fatalf("acknowledged: got %d, want 3", r.src.conn.Stats().Acked)
		}
	}
}

func TestBackPressureLosesNothing(t *testing.T) {
	r := newRig(t)
	f := r.feed()
	f.SetPaused(true)
	r.add(1, f, 1, "a")
	r.start(1)
	const n = 5000
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = fmt.Sprintf(`{"a":%d}`, i)
	}
	r.send("a", 1, payloads...)
	f.SetPaused(false)
	rows := r.take(n, true)
	for i, row := range rows {
		if want := fmt.Sprintf("%d a 1 [1]", i); row != want {
			t.Fatalf("row %d: got %s, want %s", i, row, want)
		}
	}
	r.acked(n)
}

func TestRemovedFeedDoesNotStopTheOthers(t *testing.T) {
	r := newRig(t)
	f, g := r.feed(), r.feed()
	f.SetPaused(true)
	r.add(1, f, 1, "a")
	r.add(2, g, 1, "b")
	r.start(1, 2)
	payloads := make([]string, 4*vec.MaxRows)
	for i := range payloads {
		payloads[i] = `{"a":1}`
	}
	r.send("a", 1, payloads...) // f is full, and the reader waits for it
	r.src.Remove(1)
	f.Close()
	r.send("b", 1, `{"a":7}`)
	f.SetPaused(false)
	rows := r.take(1, true)
	for rows[len(rows)-1] != "7 b 1 [2]" {
		rows = r.take(1, true)
	}
}

func TestStatus(t *testing.T) {
	r := newRig(t)
	f := r.feed()
	r.add(1, f, 0, "a")
	if st, ok := r.src.Status(1); !ok || st.Acked || st.Seen || st.Conn.Connected {
		t.Errorf("before: got %+v", st)
	}
	r.start(1)
	r.send("a", 0, `{"a":1}`)
	r.take(1, true)
	if st, _ := r.src.Status(1); !st.Acked || !st.Seen || st.Err != nil || !st.Conn.Connected {
		t.Errorf("got %+v", st)
	}
	r.src.conn.Close()
	if st, _ := r.src.Status(1); st.Acked || st.Err == nil {
		t.Errorf("after: got %+v", st)
	}
	if _, ok := r.src.Status(9); ok {
		t.Error("stream 9 exists")
	}
	if err := r.src.Add(Stream{ID: 3, Filters: []string{"a/#/b"}, Feed: f}); err == nil {
		t.Error("a bad filter is taken")
	}
	if err := r.src.Add(Stream{ID: 3, Feed: f}); err == nil {
		t.Error("a stream without filters is taken")
	}
}

func TestParseFilters(t *testing.T) {
	if got, err := ParseFilters(" a/+ , $hw/events/device/+/twin/update,b"); err != nil || !slices.Equal(got, []string{"a/+", "$hw/events/device/+/twin/update", "b"}) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, s := range []string{"", "a,,b", "a/#/b"} {
		if _, err := ParseFilters(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// brittle is a decoder that panics over some messages.
type brittle struct{ ingest.Decoder }

func (d brittle) Decode(w *ingest.Writer, pos int, m *ingest.Meta) (int, error) {
	if strings.Contains(string(w.Src()[pos:]), "bang") {
		panic("bang")
	}
	return d.Decoder.Decode(w, pos, m)
}

// A panic over a message costs that message; those behind it in the same read arrive, and
// all are acknowledged.
func TestPanicOverMessage(t *testing.T) {
	r := newRig(t)
	var told atomic.Int32
	o := ingest.Options{OnPanic: func(text string, _ []byte) {
		if told.Add(1); text != "bang" {
			t.Errorf("told of %q", text)
		}
	}}
	o.NewDecoder = func(p *vec.Plan) (ingest.Decoder, error) {
		d, err := ingest.NewObject(&o, p, []ingest.Mapping{{Col: 0, Path: []string{"a"}}})
		return brittle{d}, err
	}
	f, err := ingest.NewFeed(r.in, o)
	if err != nil {
		t.Fatal(err)
	}
	f.SetPlan(r.plan)
	t.Cleanup(f.Close)
	r.add(1, f, 1, "in")
	r.start(1)
	r.send("in", 1, `{"a":1}`, `{"a":"bang"}`, `{"a":2}`, `{"a":"bang"}`, `{"a":"bang"}`, `{"a":3}`)
	if got := len(r.take(3, true)); got != 3 {
		t.Errorf("got %d rows", got)
	}
	r.acked(6)
	if st := f.Stats(); told.Load() != 3 || st.DecodeErrors != 3 {
		t.Errorf("told of %d, %+v", told.Load(), st)
	}
}
