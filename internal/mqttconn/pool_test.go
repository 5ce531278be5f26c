package mqttconn

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

// Who gets a client id that has just become free begins when the former connection is at
// its end: it would cut off the goodbye.
func TestPoolOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		f := newFake()
		f.stays = true
		get := func(o Options) *Conn {
			c, err := p.Get(o, "me")
			if err != nil {
				t.Fatal(err)
			}
			f.attach(c)
			c.Start()
			return c
		}
		first := get(Options{ClientID: "x"})
		if err := first.WaitConnected(patient(t)); err != nil {
			t.Fatal(err)
		}
		if !p.Release(first, "me") {
			t.Fatal("not the last user")
		}
		start := time.Now()
		second, other := get(Options{ClientID: "x"}), get(Options{ClientID: "y"})
		if err := other.WaitConnected(patient(t)); err != nil || time.Since(start) > 0 {
			t.Errorf("another client waits for %v: %v", time.Since(start), err)
		}
		go first.Close()
		if err := second.WaitConnected(patient(t)); err != nil || time.Since(start) != leaveWait {
			t.Errorf("connected after %v, want %v: %v", time.Since(start), leaveWait, err)
		}
		start = time.Now()
		if p.Close(); time.Since(start) != leaveWait {
			t.Errorf("all closed after %v, want %v", time.Since(start), leaveWait)
		}
		f.drop()
	})
}
