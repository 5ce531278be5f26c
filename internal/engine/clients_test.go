package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

// connects returns how often connections were made under a client id.
func (r *rig) connects(id string) (n uint64) {
	for _, c := range r.ConnectionList() {
		if c.ID == id && !c.Named {
			n += c.Counters["connects"]
		}
	}
	return n
}

// TestOneClientID: streams, groups, connections and sinks of one client id with the same
// settings share one connection; with others they are refused while the id is in use,
// with the names of both, and start when it is free.
func TestOneClientID(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	conf := func(key, password string) {
		t.Helper()
		r.conf("mqtt", key, map[string]any{"server": "tcp://" + addr, "clientid": "gw", "password": password})
	}
	conf("one", "a")
	conf("same", "a")
	conf("two", "b")
	for name, key := range map[string]string{"s1": "one", "s2": "same", "s3": "two"} {
		r.sql(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE="in/%s", FORMAT="json", CONF_KEY=%q)`, name, name, key)
	}
	toBroker := func(password string) string {
		return fmt.Sprintf(`{"mqtt":{"server":"tcp://%s","clientid":"gw","password":%q,"topic":"out"}}`, addr, password)
	}
	r.must(r.CreateRule(r.def("a", "SELECT * FROM s1", toBroker("a"))))
	r.must(r.CreateRule(r.def("b", "SELECT * FROM s2", toMemory("out"))))
	r.connected("a", "s1")
	r.connected("b", "s2")
	refused := func(how string, err error, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %s", how, err, part)
			}
		}
	}
	third := r.def("c", "SELECT * FROM s3", toMemory("out"))
	refused("stream", r.CreateRule(third), "s3", `clientid "gw"`, "stream s1")
	_, err := r.ValidateRule(third)
	refused("validated", err, `clientid "gw"`)
	refused("bulk", r.CreateRules(func(yield func(*ruledef.Def) bool) { yield(third) })[0], `clientid "gw"`)
	refused("sink", r.CreateRule(r.def("d", "SELECT * FROM s1", toBroker("b"))), "sink mqtt", `clientid "gw"`, "stream s1")
	if n := r.connects("gw"); n != 1 {
		t.Errorf("%d connections were made, want one", n)
	}

	// What is not running is no reason, and waits for the one that is.
	third.Triggered = false
	r.must(r.CreateRule(third))
	refused("start", r.StartRule("c"), `clientid "gw"`)
	r.must(r.StopRule("a"))
	r.must(r.StopRule("b"))
	r.await("the sink of a has gone", func() bool { return r.StartRule("c") == nil })
	r.connected("c", "s3")
	refused("start of the first", r.StartRule("b"), "stream s3")

	// Settings change for all that have them at once.
	r.must(r.StopRule("c"))
	r.must(r.StartRule("a"))
	r.must(r.StartRule("b"))
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "same", map[string]any{"server": "tcp://" + addr, "clientid": "other"}))
	r.connected("b", "s2")
	r.connected("a", "s1")
}

// A rule that has two connections of one name by itself is refused, though none is there.
func TestOneClientIDWithinARule(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	sink := func(password string) string {
		return fmt.Sprintf(`{"mqtt":{"server":"tcp://127.0.0.1:1","clientid":"gw","password":%q,"topic":"out"}}`, password)
	}
	if err := r.CreateRule(r.def("a", "SELECT * FROM s", sink("a"), sink("b"))); err == nil || !strings.Contains(err.Error(), `clientid "gw" at 127.0.0.1:1 is that of sink 0`) {
		t.Errorf("got %v", err)
	}
	r.must(r.CreateRule(r.def("a", "SELECT * FROM s", sink("a"), sink("a"))))
	_, err := r.ReplaceRule(r.def("a", "SELECT * FROM s", sink("b"))) // its own connection is in nobody's way
	r.must(err)
}

// That two groups, or streams, define one client is said to who defines the second.
func TestClientWarnings(t *testing.T) {
	r := newRig(t, Options{})
	one := map[string]any{"server": "tcp://h:1", "clientid": "gw"}
	r.conf("mqtt", "one", one)
	other := map[string]any{"server": "h:1", "clientid": "gw", "username": "u"}
	warned := func(list []string, parts ...string) {
		t.Helper()
		text := strings.Join(list, "\n")
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("got %q, want %s", text, part)
			}
		}
		if len(parts) == 0 && text != "" {
			t.Errorf("got %q, want nothing", text)
		}
	}
	warned(r.ConfWarnings(api.ConfSources, "mqtt", "two", other), "settings sources/mqtt/one", "settings sources/mqtt/two")
	warned(r.ConfWarnings(api.ConfConnections, "mqtt", "two", other), "settings connections/mqtt/two")
	warned(r.ConfWarnings(api.ConfSources, "mqtt", "one", other))
	warned(r.ConfWarnings(api.ConfSources, "mqtt", "two", one))
	text := `CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="x", FORMAT="json", EXTRA="{\"server\":\"tcp://h:1\",\"clientid\":\"gw\",\"username\":\"u\"}")`
	warned(r.StreamWarnings(text), "stream s", "settings sources/mqtt/one")
	r.sql("%s", text)
	warned(r.ConfWarnings(api.ConfSources, "mqtt", "two", one), "stream s")
}

// A rule that is restarted keeps its subscription: one connection, made once, and
// nothing is unsubscribed that a persistent session would then not gather.
func TestRestartKeepsSubscription(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.conf("mqtt", "k", map[string]any{"server": "tcp://" + addr, "clientid": "gw", "enableClientSession": true})
	r.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="k")`)
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s", "out")
	r.connected("a", "s")
	p := newPublisher(t, addr)
	for i := range 20 {
		p.publish("in", fmt.Sprintf(`{"seq":%d}`, i))
		if i%4 == 3 { // nothing is under way
			out.wantSeq(i-3, i+1)
			r.must(r.RestartRule("a"))
		}
	}
	if n := r.connects("gw"); n != 1 {
		t.Errorf("%d connections were made, want one", n)
	}
}
