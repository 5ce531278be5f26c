package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestPublish(t *testing.T) {
	f := newFake()
	c, _ := fakeConnTest(t, f, Options{})
	if _, err := c.Publish(patient(t), []OutMessage{{Topic: "a"}}); !errors.Is(err, ErrNotConnected) {
		t.Errorf("got %v", err)
	}
	c.Start()
	if err := c.WaitConnected(patient(t)); err != nil {
		t.Fatal(err)
	}
	var msgs []OutMessage
	for i := range 10000 {
		msgs = append(msgs, OutMessage{Topic: "a", Payload: fmt.Appendf(nil, "%d", i), QoS: byte(i % 2)})
	}
	if n, err := c.Publish(patient(t), msgs); n != len(msgs) || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	f.until(func() bool { return len(f.pubs) == len(msgs) })
	for i, p := range f.pubs {
		if string(p.payload) != fmt.Sprint(i) || p.qos != byte(i%2) {
			t.Fatalf("message %d: got %q, QoS %d", i, p.payload, p.qos)
		}
		if p.qos == 1 && p.id < 1<<15 {
			t.Fatalf("message %d: identifier %d is in the half of the library", i, p.id)
		}
	}
	bad := []OutMessage{{Topic: "a"}, {Topic: "b"}, {Topic: "a/+"}, {Topic: "c"}}
	if n, err := c.Publish(patient(t), bad); n != 2 || !errors.Is(err, ErrBadMessage) {
		t.Errorf("got %d, %v; want 2, ErrBadMessage", n, err)
	}
	if n, err := c.Publish(patient(t), []OutMessage{{Topic: "a", QoS: 3}}); n != 0 || !errors.Is(err, ErrBadMessage) {
		t.Errorf("got %d, %v; want 0, ErrBadMessage", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := c.Publish(ctx, msgs); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d, %v", n, err)
	}
	c.Close()
	if _, err := c.Publish(patient(t), msgs); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotConnected) {
		t.Errorf("got %v", err)
	}
}

func TestPublishAndConnectionLost(t *testing.T) {
	f := newFake()
	c, _ := fakeConnTest(t, f, Options{})
	c.Start()
	if err := c.WaitConnected(patient(t)); err != nil {
		t.Fatal(err)
	}
	msgs := make([]OutMessage, 20000)
	for i := range msgs {
		msgs[i] = OutMessage{Topic: "a", QoS: 1, Payload: make([]byte, 100)}
	}
	go func() {
		f.until(func() bool { return len(f.pubs) > 10000 })
		f.drop()
	}()
	n, err := c.Publish(patient(t), msgs)
	if !errors.Is(err, ErrNotConnected) || n == 0 || n >= len(msgs) {
		t.Fatalf("got %d, %v", n, err)
	}
	if err := c.WaitConnected(patient(t)); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Publish(patient(t), msgs[n:]); m != len(msgs)-n {
		t.Errorf("got %d, %v", m, err)
	}
}
