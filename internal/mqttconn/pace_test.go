package mqttconn

import (
	"testing"
	"testing/synctest"
	"time"
)

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
