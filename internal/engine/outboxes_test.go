package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// outbox returns the only outbox whose destination has text in it.
func (r *rig) outbox(text string) (o api.Outbox) {
	r.t.Helper()
	list, err := r.Outboxes()
	r.must(err)
	n := 0
	for _, b := range list {
		if strings.Contains(b.Destination, text) {
			o, n = b, n+1
		}
	}
	if n != 1 {
		r.t.Fatalf("%d outboxes have %q in their names: %s", n, text, jsonOf(r.t, list))
	}
	return o
}

func (r *rig) wantOutbox(text, state string, messages int, rules ...string) string {
	r.t.Helper()
	o := r.outbox(text)
	if o.State != state || o.Messages != int64(messages) || fmt.Sprint(o.Rules) != fmt.Sprint(rules) || o.RulesTotal != len(rules) {
		r.t.Errorf("%s: got %s, want %s with %d messages of %q", text, jsonOf(r.t, o), state, messages, rules)
	}
	if age := time.Now().UnixMilli() - o.OldestMs; messages > 0 && (o.Bytes == 0 || age < 0 || age > time.Hour.Milliseconds()) {
		r.t.Errorf("%s: %d bytes, the oldest message came %d ms ago", text, o.Bytes, age)
	}
	return o.ID
}

// short ends the engine without time for deliveries.
func short(r *rig) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	r.must(r.Engine.Close(ctx))
}

// changeRule changes the text of a rule in the store of an engine that has ended;
// an empty text deletes it.
func changeRule(t *testing.T, o Options, id, from, to string) {
	t.Helper()
	st, err := store.Open(o.Store)
	if err != nil {
		t.Fatal(err)
	}
	c := st.Catalog()
	text, err := c.Get(kindRule, id)
	if err == nil && to == "" {
		err = c.Delete(kindRule, id)
	} else if err == nil {
		err = c.Put(kindRule, id, bytes.Replace(text, []byte(from), []byte(to), 1))
	}
	if err = errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
}

// What waits for the destination of a rule that is no more is listed, counted, and
// delivered or dropped as a client says, over restarts.
func TestOutboxesOfRulesThatAreGone(t *testing.T) {
	addr := freeAddr(t)
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	rest := func(id, host string) {
		r.must(r.CreateRule(r.def(id, "SELECT seq FROM s", fmt.Sprintf(`{"rest":{"url":"http://%s/%s","method":"post","sendSingle":true,"headers":{"Authorization":"geheim"}}}`, host, id))))
	}
	rest("deleted", addr)
	rest("also", "127.0.0.1:1")
	rest("stopped", "127.0.0.1:2")
	r.publish("in", `{"seq":1}`, `{"seq":2}`)
	for _, id := range []string{"deleted", "also", "stopped"} {
		r.await("the outputs wait", func() bool { return r.status(id, "sink_rest_0_0_buffer_length") == int64(2) })
	}
	r.wantOutbox(addr, api.OutboxUsed, 2, "deleted")
	if _, err := r.DropOutbox(r.outbox(addr).ID); !errors.Is(err, ruledef.ErrInUse) {
		t.Errorf("dropped what is used: %v", err)
	}
	short(r)
	for _, id := range []string{"deleted", "also"} {
		changeRule(t, o, id, "", "")
	}
	changeRule(t, o, "stopped", "{", `{"triggered":false,`)

	r = newRig(t, o)
	gone := r.wantOutbox(addr, api.OutboxLeft, 2)
	also := r.wantOutbox("127.0.0.1:1", api.OutboxLeft, 2)
	r.wantOutbox("127.0.0.1:2", api.OutboxLeft, 2, "stopped")
	if list := jsonOf(t, r.outbox(addr)); strings.Contains(list, "geheim") || !strings.Contains(list, `"firstRule":"deleted"`) {
		t.Errorf("got %s", list)
	}
	if n := r.Totals(); n.LeftMessages != 6 || n.LeftBytes == 0 {
		t.Errorf("metrics: %d messages of %d bytes are left, want 6", n.LeftMessages, n.LeftBytes)
	}
	if n, err := r.DropOutbox(also); n != 2 || err != nil {
		t.Errorf("dropped %d, %v, want 2", n, err)
	}
	if err := r.DeliverOutbox(also); !errors.Is(err, ruledef.ErrNotFound) {
		t.Errorf("what was dropped is delivered: %v", err)
	}
	r.must(r.DeliverOutbox(gone))
	r.wantOutbox(addr, api.OutboxDelivering, 2)
	short(r)

	r = newRig(t, o) // that it is to be delivered is known
	r.wantOutbox(addr, api.OutboxDelivering, 2)
	got := make(chan string, 10)
	serve(r, addr, func(w http.ResponseWriter, req *http.Request) {
		got <- req.URL.Path + " " + req.Header.Get("Authorization")
	})
	for range 2 {
		if text := recv(t, got); text != "/deleted geheim" {
			t.Errorf("got %s", text)
		}
	}
	r.await("nothing is left", func() bool {
		list, err := r.Outboxes()
		r.must(err)
		return len(list) == 1
	})
	if n := r.Totals(); n.LeftMessages != 2 {
		t.Errorf("metrics: %d messages are left, want the 2 of the stopped rule", n.LeftMessages)
	}
	r.must(r.StartRule("stopped"))
	r.wantOutbox("127.0.0.1:2", api.OutboxUsed, 2, "stopped")
	short(r)
}

// Outputs of a rule that is deleted go on being delivered, in the next process too.
func TestOutputsOfDeletedRule(t *testing.T) {
	addr := freeAddr(t)
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.must(r.CreateRule(r.def("a", "SELECT seq FROM s", fmt.Sprintf(`{"rest":{"url":"http://%s/","method":"post","sendSingle":true}}`, addr))))
	r.publish("in", `{"seq":1}`)
	r.await("the output waits", func() bool { return r.status("a", "sink_rest_0_0_buffer_length") == int64(1) })
	r.must(r.DeleteRule("a"))
	r.await("the rule has let go", func() bool { return r.outbox(addr).State == api.OutboxDelivering })
	short(r)

	r = newRig(t, o)
	r.wantOutbox(addr, api.OutboxDelivering, 1)
	got := make(chan string, 1)
	serve(r, addr, func(_ http.ResponseWriter, req *http.Request) { got <- req.URL.Path })
	recv(t, got)
}

// freeAddr returns an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// serve answers at addr until the engine of r has ended.
func serve(r *rig, addr string, h http.HandlerFunc) {
	r.t.Helper()
	ln, err := net.Listen("tcp", addr)
	r.must(err)
	s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}}
	s.Start()
	r.t.Cleanup(func() {
		r.close()
		s.Close()
	})
}
