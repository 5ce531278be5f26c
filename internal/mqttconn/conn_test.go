package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

// fakeConnTest makes a started connection to a fake broker through a pipe.
func fakeConnTest(t *testing.T, f *fake, o Options) (*Conn, *inbox) {
	t.Helper()
	c := mustNew(t, o)
	f.attach(c)
	return c, newInbox(c)
}

func TestOnceThoughCopiesCome(t *testing.T) {
	// The filters overlap in all ways; a broker that sends a copy for each filter
	// must not be seen.
	for _, once := range []bool{true, false} {
		f := newFake()
		f.once = once
		c, in := fakeConnTest(t, f, Options{})
		mustSubscribe(t, c, 1, 0, "a/+/c")
		mustSubscribe(t, c, 2, 0, "a/b/+", "a/b/c")
		mustSubscribe(t, c, 3, 1, "a/b/c")
		mustSubscribe(t, c, 4, 0, "x/#", "x")
		c.Start()
		mustAcked(t, c, 1, 2, 3, 4)
		f.send(OutMessage{Topic: "a/b/c", Payload: []byte("1"), QoS: 1}, OutMessage{Topic: "x", Payload: []byte("2")}, OutMessage{Topic: "a/z/z"}, OutMessage{Topic: "a/b/d", Payload: []byte("3")})
		got := in.take(3)
		want := [][]SubID{{1, 2, 3}, {4}, {2}}
		for i := range got {
			if !slices.Equal(got[i].subs, want[i]) {
				t.Errorf("message %d: got subscriptions %v, want %v", i, got[i].subs, want[i])
			}
		}
		if got[0].qos != 1 {
			t.Errorf("got QoS %d, want 1", got[0].qos)
		}
		if n := c.Stats().Lost[loss.Unrouted]; n != 1 {
			t.Errorf("unrouted: got %d, want 1", n)
		}
		f.until(func() bool { return len(f.acks) == 1 })
	}
}

func TestThousandsOfFilters(t *testing.T) {
	f := newFake()
	c, in := fakeConnTest(t, f, Options{})
	const n = 8000
	for i := range n {
		mustSubscribe(t, c, SubID(i), 0, fmt.Sprintf("gauge/own/%d", i))
	}
	c.Start()
	mustAcked(t, c, n-1, 0)
	f.mu.Lock()
	total := 0
	for _, fs := range f.on {
		total += len(fs)
		if len(fs) > packetFilters {
			t.Errorf("a SUBSCRIBE with %d filters", len(fs))
		}
	}
	if total != n || len(f.on) != n/packetFilters {
		t.Errorf("got %d filters in %d packets", total, len(f.on))
	}
	f.on = nil
	f.mu.Unlock()
	for i := 0; i < n; i += 200 {
		f.send(OutMessage{Topic: fmt.Sprintf("gauge/own/%d", i)})
		if got := in.take(1); !slices.Equal(got[0].subs, []SubID{SubID(i)}) {
			t.Fatalf("got %v, want %d", got[0].subs, i)
		}
	}
	// Single additions while it runs gather while an answer is outstanding.
	for i := range n {
		mustSubscribe(t, c, SubID(n+i), 0, fmt.Sprintf("late/%d", i))
	}
	mustAcked(t, c, 2*n-1)
	for i := range 2 * n {
		c.Unsubscribe(SubID(i))
	}
	f.until(func() bool {
		gone := 0
		for _, fs := range f.off {
			gone += len(fs)
		}
		return gone == 2*n
	})
}

func TestRetainedOnlyForNewcomers(t *testing.T) {
	f := newFake()
	f.retained["a/b"] = "kept"
	f.retained["a/c"] = "other"
	c, in := fakeConnTest(t, f, Options{})
	c.Start()
	mustSubscribe(t, c, 1, 0, "a/b")
	if got := in.take(1)[0]; !got.retained || !slices.Equal(got.subs, []SubID{1}) {
		t.Errorf("got %+v", got)
	}
	mustAcked(t, c, 1)
	mustSubscribe(t, c, 2, 0, "a/b") // the same filter: the broker is asked again
	if got := in.take(1)[0]; !slices.Equal(got.subs, []SubID{2}) {
		t.Errorf("got %+v", got)
	}
	mustAcked(t, c, 2)
	mustSubscribe(t, c, 3, 0, "a/+") // a wider one
	for _, got := range in.take(2) {
		if !slices.Equal(got.subs, []SubID{3}) {
			t.Errorf("got %+v", got)
		}
	}
	mustAcked(t, c, 3)
	// What is published with the flag by a broker that leaves it on, reaches all
	// once the replay is over.
	c.mu.Lock()
	c.replayTo = 0
	c.mu.Unlock()
	f.send(OutMessage{Topic: "a/b", Retain: true})
	if got := in.take(1)[0]; !slices.Equal(got.subs, []SubID{1, 2, 3}) {
		t.Errorf("got %+v", got)
	}
	if n := c.Stats().Replays; n == 0 {
		t.Error("replays that were left out are not counted")
	}
}

func TestRefusedFilters(t *testing.T) {
	f := newFake()
	f.refuse = func(s string) bool { return s == "a/+/+" || s == "secret/#" }
	c, in := fakeConnTest(t, f, Options{})
	mustSubscribe(t, c, 1, 0, "a/+/c")
	mustSubscribe(t, c, 2, 0, "a/b/+") // the join of both is refused, they are not
	mustSubscribe(t, c, 3, 0, "secret/#")
	mustSubscribe(t, c, 4, 0, "secret/mine") // covered by what is refused
	c.Start()
	mustAcked(t, c, 1, 2, 4)
	if err := c.WaitAcked(patient(t), 3); err == nil || !strings.Contains(err.Error(), `"secret/#"`) {
		t.Errorf("got %v, want the refusal", err)
	}
	f.send(OutMessage{Topic: "secret/mine"})
	if got := in.take(1)[0]; !slices.Equal(got.subs, []SubID{3, 4}) {
		t.Errorf("got %+v", got)
	}
	f.mu.Lock()
	f.refuse = nil
	f.mu.Unlock()
	c.mu.Lock()
	c.tab.retry()
	c.kick()
	c.mu.Unlock()
	mustAcked(t, c, 1, 2, 3, 4)
}

func TestAcknowledgeInOrder(t *testing.T) {
	f := newFake()
	c, in := fakeConnTest(t, f, Options{})
	in.hold = true
	mustSubscribe(t, c, 1, 1, "a")
	c.Start()
	mustAcked(t, c, 1)
	for range 4 {
		f.send(OutMessage{Topic: "a", QoS: 1})
	}
	m := in.take(4)
	c.Expect(m[0].token, 2)
	c.Ack([]uint64{m[1].token, m[3].token, m[0].token})
	c.Ack([]uint64{m[2].token})
	if n := c.Stats().Acked; n != 0 {
		t.Errorf("%d acknowledged before the first", n)
	}
	c.Ack([]uint64{m[0].token})
	f.until(func() bool { return len(f.acks) == 4 })
	if want := []uint16{1, 2, 3, 4}; !slices.Equal(f.acks, want) {
		t.Errorf("got %v, want %v", f.acks, want)
	}
	f.send(OutMessage{Topic: "a", QoS: 1})
	old := in.take(1)[0]
	f.drop()
	if err := waitChange(t, c, func(s State) bool { return s.Connected && c.Stats().Connects == 2 }); err != nil {
		t.Fatal(err)
	}
	c.Ack([]uint64{old.token}) // of a connection that is gone
	mustAcked(t, c, 1)
	f.send(OutMessage{Topic: "a", QoS: 1})
	c.Ack([]uint64{in.take(1)[0].token})
	f.until(func() bool { return len(f.acks) == 5 })
}

func waitChange(t *testing.T, c *Conn, ok func(State) bool) error {
	t.Helper()
	ctx := patient(t)
	for {
		changed := c.Changed()
		if ok(c.State()) {
			return nil
		}
		if err := c.wait(ctx, changed); err != nil {
			return err
		}
	}
}

func TestReconnectWhileHandlerBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c, in := fakeConnTest(t, f, Options{})
		in.gate = make(chan struct{}, 100)
		mustSubscribe(t, c, 1, 1, "a")
		c.Start()
		mustAcked(t, c, 1)
		f.send(OutMessage{Topic: "a", Payload: []byte("1")})
		f.drop()
		if err := waitChange(t, c, func(s State) bool { return s.Connected && c.Stats().Connects == 2 }); err != nil {
			t.Fatal(err)
		}
		// What waits for a confirmation gets through, too.
		if n, err := c.Publish(patient(t), []OutMessage{{Topic: "out", QoS: 1}}); n != 1 || err != nil {
			t.Errorf("publish: %d, %v", n, err)
		}
		mustAcked(t, c, 1)
		f.send(OutMessage{Topic: "a", Payload: []byte("2")})
		in.gate <- struct{}{}
		in.gate <- struct{}{}
		if got, want := in.payloads(2), []string{"1", "2"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		c.Close()
		f.drop()
	})
}

func TestKeepAliveWhileNotReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c, in := fakeConnTest(t, f, Options{KeepAlive: 10 * time.Second})
		in.gate = make(chan struct{})
		mustSubscribe(t, c, 1, 0, "a")
		c.Start()
		mustAcked(t, c, 1)
		f.send(OutMessage{Topic: "a"})
		// The answers to keep-alives fill the pipe, which has no room: the fake
		// stays away from it.
		f.mu.Lock()
		f.silent = true
		f.mu.Unlock()
		<-time.After(5 * time.Minute)
		f.mu.Lock()
		if f.pings < 20 {
			t.Errorf("%d keep-alives in 5 minutes", f.pings)
		}
		f.silent = false
		f.mu.Unlock()
		if n := c.Stats().Connects; n != 1 {
			t.Errorf("connected %d times, want 1: not reading is not a dead broker", n)
		}
		in.gate <- struct{}{}
		in.take(1)
		c.Close()
		f.drop()
	})
}

func TestDeadBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c, _ := fakeConnTest(t, f, Options{KeepAlive: 10 * time.Second})
		mustSubscribe(t, c, 1, 0, "a")
		c.Start()
		mustAcked(t, c, 1)
		<-time.After(5 * time.Minute)
		if n := c.Stats().Connects; n != 1 {
			t.Errorf("connected %d times, want 1: the broker answers", n)
		}
		f.mu.Lock()
		f.silent = true
		f.mu.Unlock()
		start := time.Now()
		if err := waitChange(t, c, func(s State) bool { return !s.Connected }); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("noticed after %v", d)
		}
		if err := c.State().Err; err == nil || !strings.Contains(err.Error(), "no sign of life") {
			t.Errorf("got %v", err)
		}
		c.Close()
		f.drop()
	})
}

func TestSubscribeWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.deaf = true
		c, _ := fakeConnTest(t, f, Options{KeepAlive: 10 * time.Second})
		mustSubscribe(t, c, 1, 0, "a")
		c.Start()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for {
			changed := c.Changed()
			if err := c.State().Err; err != nil {
				if !strings.Contains(err.Error(), "SUBSCRIBE") {
					t.Errorf("got %v", err)
				}
				break
			}
			if err := c.wait(ctx, changed); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		f.drop()
	})
}

func TestHandshakeWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, Options{ConnectTimeout: 3 * time.Second})
		var tries atomic.Int32
		c.dial = dialSilent(&tries)
		c.Start()
		for tries.Load() < 3 {
			<-c.Changed()
		}
		if s := c.State(); s.Connected || s.Err == nil {
			t.Errorf("got %+v", s)
		}
		c.Close()
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, Options{RetryMin: time.Second, RetryMax: time.Minute})
		var tries atomic.Int32
		c.dial = dialRefused(&tries)
		c.Start()
		<-time.After(time.Hour)
		// 1, 2, 4 ... 60 s, each between half of it and all.
		if n := tries.Load(); n < 60 || n > 130 {
			t.Errorf("%d attempts in an hour", n)
		}
		if err := c.State().Err; !errors.Is(err, errRefusedTest) {
			t.Errorf("got %v", err)
		}
		c.Close()
	})
}

func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c, in := fakeConnTest(t, f, Options{Linger: 50 * time.Millisecond})
		mustSubscribe(t, c, 1, 0, "a")
		c.Start()
		mustAcked(t, c, 1)
		<-time.After(time.Second)
		before := c.Stats().Reads
		start := time.Now()
		for range 20 {
			f.send(OutMessage{Topic: "a"})
		}
		in.take(20)
		// A pipe has no buffer: each message is a read of its own, and all but the
		// first wait.
		if d := time.Since(start); d < 19*50*time.Millisecond {
			t.Errorf("20 reads in %v", d)
		}
		if n := c.Stats().Reads - before; n > 21 {
			t.Errorf("%d reads", n)
		}
		c.Close()
		f.drop()
	})
}

func TestPacer(t *testing.T) {
	at := time.Unix(1000, 0)
	p := pacer{linger: LingerAuto}
	for i := range 5000 { // 1,000 a second
		at = at.Add(time.Millisecond)
		if d := p.wait(at, at, 100); d != 0 {
			t.Fatalf("read %d waits for %v", i, d)
		}
	}
	start, reads := at, 0
	for at.Sub(start) < 10*time.Second { // as fast as possible
		at = at.Add(10 * time.Microsecond)
		at = at.Add(max(0, p.wait(at, at, 100)))
		reads++
	}
	if reads < 18000 || reads > 20500 {
		t.Errorf("%d reads in 10 s, want about 20,000", reads)
	}
	for range 1000 { // in bulk
		at = at.Add(10 * time.Microsecond)
		if d := p.wait(at, at, maxBuf); d != 0 {
			t.Fatalf("a read that brings much waits for %v", d)
		}
	}
	for i := range 5000 { // 1,000 a second again
		at = at.Add(time.Millisecond)
		if d := p.wait(at, at, 100); d != 0 && i > 100 {
			t.Fatalf("read %d waits for %v", i, d)
		}
	}
	p = pacer{linger: 20 * time.Millisecond}
	if d := p.wait(at, at.Add(5*time.Millisecond), 10); d != 15*time.Millisecond {
		t.Errorf("got %v, want 15ms", d)
	}
	p = pacer{}
	if d := p.wait(at, at, 10); d != 0 {
		t.Errorf("linger 0 waits for %v", d)
	}
}

func TestUnsubscribeAndReplace(t *testing.T) {
	f := newFake()
	c, in := fakeConnTest(t, f, Options{})
	mustSubscribe(t, c, 1, 0, "a", "b")
	mustSubscribe(t, c, 2, 0, "b")
	c.Start()
	mustAcked(t, c, 1, 2)
	mustSubscribe(t, c, 1, 0, "c") // in place of a and b
	mustAcked(t, c, 1)
	f.until(func() bool { return len(f.off) == 1 && slices.Equal(f.off[0], []string{"a"}) })
	f.send(OutMessage{Topic: "b"}, OutMessage{Topic: "c"})
	got := in.take(2)
	if !slices.Equal(got[0].subs, []SubID{2}) || !slices.Equal(got[1].subs, []SubID{1}) {
		t.Errorf("got %+v", got)
	}
	c.Unsubscribe(1)
	c.Unsubscribe(7) // never was
	f.send(OutMessage{Topic: "c"}, OutMessage{Topic: "b"})
	if got := in.take(1); got[0].topic != "b" {
		t.Errorf("got %+v", got)
	}
	if _, ok := c.Sub(1); ok {
		t.Error("subscription 1 is still there")
	}
	if err := c.Subscribe(9, []string{"a/#/b", "+x"}, 3); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three faults", err)
	}
}

// What ends while the broker has not answered an UNSUBSCRIBE goes together.
func TestUnsubscribeGathers(t *testing.T) {
	const n = 1000
	f := newFake()
	f.slow = true
	c, _ := fakeConnTest(t, f, Options{})
	c.Start()
	for i := range n + 1 {
		mustSubscribe(t, c, SubID(i), 0, fmt.Sprintf("own/%d", i))
	}
	mustAcked(t, c, n)
	c.Unsubscribe(0)
	f.until(func() bool { return len(f.off) == 1 })
	for i := range n {
		c.Unsubscribe(SubID(i + 1))
	}
	f.answer()
	gone := 0
	f.until(func() bool {
		gone = 0
		for _, fs := range f.off {
			gone += len(fs)
		}
		return gone == n+1
	})
	f.mu.Lock()
	packets := len(f.off)
	f.mu.Unlock()
	if want := 1 + n/packetFilters; packets != want {
		t.Errorf("got %d packets for %d filters, want %d", packets, gone, want)
	}
	// A subscription that came meanwhile is asked for.
	mustSubscribe(t, c, 1, 0, "again")
	mustAcked(t, c, 1)
}

type panicking struct {
	*inbox
	left int
}

func (p *panicking) Messages(at int64, msgs []Message) {
	if p.left--; p.left >= 0 {
		panic("bug: on purpose")
	}
	p.inbox.Messages(at, msgs)
}

func TestHandlerPanics(t *testing.T) {
	f := newFake()
	c, in := fakeConnTest(t, f, Options{})
	c.Handle(&panicking{in, 1})
	mustSubscribe(t, c, 1, 1, "a")
	c.Start()
	mustAcked(t, c, 1)
	f.send(OutMessage{Topic: "a", Payload: []byte("1"), QoS: 1})
	f.send(OutMessage{Topic: "a", Payload: []byte("2"), QoS: 1})
	if got := in.payloads(1); got[0] != "2" {
		t.Errorf("got %v", got)
	}
	f.until(func() bool { return len(f.acks) == 2 })
	if s := c.Stats(); s.Lost[loss.Handler] != 1 || s.Connects != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestPool(t *testing.T) {
	var p Pool
	o := Options{CleanSession: true}
	a, err := p.Get(o, "me")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := p.Get(o, "me")
	if a != b {
		t.Error("equal options have two connections")
	}
	o.Sending = true
	out, _ := p.Get(o, "me")
	if out == a {
		t.Error("a sink shares the connection of a source")
	}
	o.ClientID = "x"
	x, _ := p.Get(o, "me")
	o.Sending = false
	if y, _ := p.Get(o, "me"); x != y {
		t.Error("one client id has two connections")
	}
	if n := len(p.Conns()); n != 3 {
		t.Errorf("got %d connections, want 3", n)
	}
	p.Put(a, "me")
	if a.ctx.Err() != nil {
		t.Error("closed while it is used")
	}
	p.Put(b, "me")
	if a.ctx.Err() == nil {
		t.Error("not closed by the last user")
	}
	p.Put(out, "me")
	p.Put(x, "me")
	p.Put(x, "me")
	if n := len(p.Conns()); n != 0 {
		t.Errorf("got %d connections, want none", n)
	}
	if _, err := p.Get(Options{Servers: []string{"ftp://x"}}, "me"); err == nil {
		t.Error("an unknown scheme is taken")
	}
}

// A client id is one connection, whoever asks: with other settings there is none until
// it is free.
func TestPoolOneClientOneConnection(t *testing.T) {
	var freed int
	p := Pool{OnFree: func() { freed++ }}
	o := Options{CleanSession: true, ClientID: "x", Servers: []string{"tcp://a:1883", "tcp://localhost"}}
	c, err := p.Get(o, "stream a")
	if err != nil {
		t.Fatal(err)
	}
	other := o
	other.Servers, other.Password = []string{"127.0.0.1:1883"}, "other"
	_, err = p.Get(other, "stream b")
	var taken *TakenError
	if !errors.As(err, &taken) || taken.ClientID != "x" || !slices.Equal(taken.Users, []string{"stream a"}) || strings.Contains(err.Error(), `"other"`) {
		t.Errorf("got %v", err)
	}
	if p.Free(other, "stream b") == nil || p.Free(other, "stream a") != nil || p.Free(o, "stream b") != nil {
		t.Error("only another's connection is in the way")
	}
	for i, free := range []Options{{CleanSession: true, Servers: other.Servers}, {CleanSession: true, ClientID: "y", Servers: other.Servers}, {CleanSession: true, ClientID: "x", Servers: []string{"ssl://a:8883"}}} {
		d, err := p.Get(free, "stream c")
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		p.Put(d, "stream c")
	}
	p.Put(c, "stream a")
	if freed < 2 {
		t.Errorf("freed is told %d times", freed)
	}
	if c, err = p.Get(other, "stream b"); err != nil {
		t.Fatal(err)
	}
	p.Put(c, "stream b")
}

// Two processes with one client id put each other out: not more often than now and
// then, and both say what it looks like.
func TestTwoClientsOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		conns := []*Conn{mustNew(t, Options{ClientID: "x"}), mustNew(t, Options{ClientID: "x"})}
		for _, c := range conns {
			c.dial = func(context.Context, *url.URL) (net.Conn, error) {
				f.drop()
				a, b := net.Pipe()
				f.serve(b)
				return a, nil
			}
			c.Start()
		}
		<-time.After(time.Hour)
		var n uint64
		for _, c := range conns {
			n += c.Stats().Connects
		}
		if n < 10 || n > 600 {
			t.Errorf("%d connections in an hour", n)
		}
		if a, b := fmt.Sprint(conns[0].State().Err), fmt.Sprint(conns[1].State().Err); !strings.Contains(a+b, `another client seems to use clientid "x"`) {
			t.Errorf("got %s and %s", a, b)
		}
		for _, c := range conns {
			c.Close()
		}
	})
}
