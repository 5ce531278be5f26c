package mqttconn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

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
