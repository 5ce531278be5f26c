package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
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

// Two processes with one client id put each other out: not more often than now and
// then, and both say what it looks like.
func TestTwoClientsOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var one sync.Mutex // comes in at a time, and finds who is there
		conns := []*Conn{mustNew(t, Options{ClientID: "x"}), mustNew(t, Options{ClientID: "x"})}
		for _, c := range conns {
			c.dial = func(context.Context, *url.URL) (net.Conn, error) {
				one.Lock()
				defer one.Unlock()
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

// A broker that keeps the session closes the connection after the goodbye: else the next
// client of the name may come before it has read that, and what it has not read by then,
// acknowledgements and ends of filters, is cut off.
func TestCloseWaitsForTheBroker(t *testing.T) {
	for _, test := range []struct {
		name, clientID string
		closes         time.Duration // when the broker does; 0: never
		takes          time.Duration
	}{
		{"closes", "x", time.Second, time.Second},
		{"does not close", "x", 0, leaveWait},
		{"clean session", "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.stays = true
				c, _ := fakeConnTest(t, f, Options{ClientID: test.clientID})
				c.Start()
				if err := c.WaitConnected(patient(t)); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if test.closes > 0 {
					time.AfterFunc(test.closes, f.drop)
				}
				c.Close()
				if d := time.Since(start); d != test.takes {
					t.Errorf("closed after %v, want %v", d, test.takes)
				}
				synctest.Wait()
				f.drop()
			})
		})
	}
}

// A message of QoS 2 is one until the broker has released it, however often it comes:
// the broker may not have read its acknowledgement when the connection ended.
func TestQoS2UntilReleased(t *testing.T) {
	f := newFake()
	f.kept = true
	c, in := fakeConnTest(t, f, Options{ClientID: "x"})
	in.hold = true
	mustSubscribe(t, c, 1, 2, "a")
	c.Start()
	mustAcked(t, c, 1)
	send := func(b []byte) {
		f.mu.Lock()
		to := f.conns[len(f.conns)-1]
		f.mu.Unlock()
		if err := to.write(b); err != nil {
			t.Fatal(err)
		}
	}
	first := appendPublish(nil, &OutMessage{Topic: "a", Payload: []byte("1"), QoS: 2}, 1)
	send(first)
	m := in.take(1)[0]
	c.Ack([]uint64{m.token})
	f.until(func() bool { return len(f.recs) == 1 })
	f.drop()
	if err := waitChange(t, c, func(s State) bool { return s.Connected && c.Stats().Connects == 2 }); err != nil {
		t.Fatal(err)
	}
	first[0] |= 8 // a duplicate
	for n := 2; n <= 3; n++ {
		send(first)
		f.until(func() bool { return len(f.recs) == n })
		c.Ack([]uint64{m.token}) // and nobody minds
	}
	if n := c.Stats().Acked; n != 1 {
		t.Errorf("%d messages are acknowledged, want 1", n)
	}
	send(appendAck(nil, pktPubrel, 1))
	f.until(func() bool { return len(f.comps) == 1 })
	send(appendPublish(nil, &OutMessage{Topic: "a", Payload: []byte("2"), QoS: 2}, 1))
	if m := in.take(1)[0]; m.payload != "2" {
		t.Errorf("got %+v", m)
	}
	if !slices.Equal(f.recs, []uint16{1, 1, 1}) {
		t.Errorf("got %v", f.recs)
	}
}
