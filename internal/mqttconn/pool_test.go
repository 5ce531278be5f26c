package mqttconn

import (
	"errors"
	"slices"
	"strings"
	"testing"
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
