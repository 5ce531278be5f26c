package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/planner/ruledef"
)

// deaf listens and never says anything; it returns its address.
func deaf(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	})
	return ln.Addr().String()
}

// What can be tried to reach is reached, or the answer says why not, in time.
func TestPing(t *testing.T) {
	silent := deaf(t) // before the engine, which ends first
	r := newRig(t, Options{})
	addr := r.startBroker()
	web := httptest.NewServer(nil)
	t.Cleanup(web.Close)
	locked, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Username: "u", Password: "p"})
	r.must(err)
	t.Cleanup(func() {
		r.close()
		locked.Close()
	})
	host := strings.TrimPrefix(web.URL, "http://")
	type m = map[string]any
	for _, c := range []struct {
		kind  api.ConfKind
		typ   string
		props m
		want  string // part of the error; "" for none
	}{
		{api.ConfSources, "mqtt", m{"server": "tcp://" + addr}, ""},
		{api.ConfSinks, "mqtt", m{"server": "tcp://" + addr, "topic": "a"}, ""},
		{api.ConfConnections, "mqtt", m{"server": "tcp://" + addr}, ""},
		{api.ConfSources, "MQTT", m{"server": "tcp://127.0.0.1:1"}, "connection refused"},
		{api.ConfSinks, "mqtt", m{"server": "tcp://127.0.0.1:1"}, "connection refused"},
		{api.ConfSources, "mqtt", m{"server": "ssl://" + addr}, "EOF"},
		{api.ConfSources, "mqtt", m{"server": "tcp://" + host}, ""}, // no broker: see below
		{api.ConfSources, "mqtt", m{"server": "tcp://" + silent}, "deadline"},
		{api.ConfSources, "mqtt", m{"server": "ssl://" + silent}, "deadline"},
		{api.ConfSources, "mqtt", m{"server": "tcp://nowhere.invalid:1883"}, "nowhere.invalid"},
		{api.ConfSources, "mqtt", m{"server": "gopher://a"}, "gopher"},
		{api.ConfSources, "mqtt", m{"server": "tcp://" + locked.Addr(), "username": "u", "password": "p"}, ""},
		{api.ConfSources, "mqtt", m{"server": "tcp://" + locked.Addr(), "username": "u", "password": "q"}, "not authorized"},
		{api.ConfSources, "httppull", m{"url": "http://" + silent + "/{{.id}}"}, "deadline"},
		{api.ConfSinks, "rest", m{"url": web.URL + "/x"}, ""},
		{api.ConfSinks, "rest", m{"url": web.URL + "/{{.id}}"}, ""},
		{api.ConfSinks, "rest", m{"url": "https://" + host + "/x"}, "HTTP response to HTTPS client"},
		{api.ConfSinks, "rest", m{"url": "http://127.0.0.1:1/x"}, "connection refused"},
		{api.ConfSinks, "rest", m{"url": "http://" + silent}, "deadline"},
		{api.ConfSinks, "rest", m{}, `"url" is required`},
		{api.ConfSinks, "log", m{}, "sink log doesn't support ping connection"},
		{api.ConfSources, "simulator", m{}, "source simulator doesn't support ping connection"},
		{api.ConfSources, "nope", m{}, "nope"},
		{api.ConfSinks, "nope", m{}, "nope"},
	} {
		wait := patience
		if c.want == "deadline" {
			wait = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		err := r.PingConnection(ctx, c.kind, c.typ, c.props)
		cancel()
		if c.props["server"] == "tcp://"+host {
			c.want = "" // whatever it says, it is no broker
			if err == nil {
				t.Errorf("a web server is taken for a broker")
			}
			continue
		}
		if c.want == "" != (err == nil) || err != nil && !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s %s %v: got %v, want %q", c.kind, c.typ, c.props, err, c.want)
		}
	}
}

// named returns a connection as the list has it.
func (r *rig) named(id string) api.Connection {
	r.t.Helper()
	for _, c := range r.ConnectionList() {
		if c.ID == id && c.Named {
			return c
		}
	}
	r.t.Fatalf("no connection %s", id)
	return api.Connection{}
}

// The state of a named connection is that of what runs over it, or whether it can be
// reached if nothing does. It is deleted as long as nothing runs over it, whatever
// settings name it, and else the answer says what does.
func TestNamedConnections(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	put := func(id, server string) {
		r.must(r.PutConnection(api.Connection{ID: id, Type: "mqtt", Props: map[string]any{"server": "tcp://" + server}}))
	}
	put("up", addr)
	put("down", "127.0.0.1:1")
	r.await("both are tried", func() bool {
		up, down := r.named("up"), r.named("down")
		return up.Status == "connected" && up.Err == "" && up.SinceMs > 0 && up.RefCount == 0 &&
			down.Status == "disconnected" && strings.Contains(down.Err, "refused")
	})
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"connectionSelector": "up"}))
	r.must(r.DeleteConnection("up")) // only settings name it
	put("up", addr)
	r.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="plant")`)
	r.must(r.DeleteConnection("up")) // nothing runs
	put("up", addr)
	r.rule("reader", "SELECT seq FROM s", "out")
	r.memoryStream("m", "in")
	r.must(r.CreateRule(r.def("sender", "SELECT seq FROM m", `{"mqtt":{"topic":"x","connectionSelector":"up","sendSingle":true}}`)))
	r.await("it is used", func() bool {
		c := r.named("up")
		return c.Status == "connected" && c.RefCount == 2 && c.SinceMs > 0
	})
	refused := func(want string) {
		t.Helper()
		if err := r.DeleteConnection("up"); !errors.Is(err, ruledef.ErrInUse) || !strings.HasSuffix(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	refused("in use by the streams s and sinks of the rules sender")
	put("up", "127.0.0.1:1")
	r.await("it is down", func() bool {
		c := r.named("up")
		return c.Status == "disconnected" && strings.Contains(c.Err, "refused")
	})
	r.must(r.StopRule("reader"))
	refused("in use by sinks of the rules sender")
	r.must(r.DeleteRule("sender"))
	r.must(r.DeleteConnection("up"))
	if err := r.DeleteConnection("up"); !errors.Is(err, ruledef.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

// A connection can go while a list waits for its state, and nothing is kept of it.
func TestConnectionGoesWhileTried(t *testing.T) {
	silent := deaf(t) // before the engine, which ends first
	r := newRig(t, Options{})
	r.must(r.PutConnection(api.Connection{ID: "c", Type: "mqtt", Props: map[string]any{"server": "tcp://" + silent}}))
	tried := func() bool {
		r.probes.mu.Lock()
		defer r.probes.mu.Unlock()
		return len(r.probes.of) > 0
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if list := r.ConnectionList(); len(list) != 1 || list[0].Status != "connecting" {
			t.Errorf("got %+v", list)
		}
	})
	r.await("it is tried", tried)
	r.must(r.DeleteConnection("c"))
	wg.Wait()
	if list := r.ConnectionList(); len(list) != 0 || tried() {
		t.Errorf("listed are %+v, and something is kept: %v", list, tried())
	}
}

// A broker is pinged beside a client of the same name, which goes on.
func TestPingBesideClient(t *testing.T) {
	r := newRig(t, Options{Dir: filepath.Join(t.TempDir(), "files")})
	addr := r.startBroker()
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "me", map[string]any{"server": "tcp://" + addr, "clientid": "me"}))
	r.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="me")`)
	r.rule("a", "SELECT seq FROM s", "out")
	r.connected("a", "s")
	before := r.status("a", "source_s_0_connection_last_connected_time")
	for _, more := range []map[string]any{{}, {"username": "else"}} {
		more["server"], more["clientid"] = "tcp://"+addr, "me"
		r.must(r.PingConnection(t.Context(), api.ConfSources, "mqtt", more))
	}
	if got := r.status("a", "source_s_0_connection_last_connected_time"); got != before || r.status("a", "source_s_0_connection_status") != 1 {
		t.Errorf("connected at %v, and before at %v", got, before)
	}
}
