package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

func TestLifecycle(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s WHERE seq > 1", "out")
	r.publish("in", `{"seq":1}`, `{"seq":2}`)
	out.want(`{"seq":2}`)

	r.must(r.StopRule("a"))
	if got := r.statusOf("a"); got != "stopped" {
		t.Errorf("status of a stopped rule: got %s", got)
	}
	r.publish("in", `{"seq":3}`)
	r.must(r.StartRule("a"))
	r.publish("in", `{"seq":4}`)
	out.want(`{"seq":4}`)

	r.replace(r.def("a", "SELECT seq FROM s WHERE seq < 1", toMemory("out")))
	r.publish("in", `{"seq":5}`, `{"seq":0}`)
	out.want(`{"seq":0}`)

	r.must(r.RestartRule("a"))
	r.publish("in", `{"seq":-1}`)
	out.want(`{"seq":-1}`)
	r.wantStatus("a", "op_3_project_0_records_in_total", 1)

	if err := r.CreateRule(r.def("a", "SELECT * FROM s", toMemory("out"))); !errors.Is(err, ruledef.ErrExists) {
		t.Errorf("rule that exists: got %v", err)
	}
	if err := r.DropStream(api.Stream, "s"); !errors.Is(err, ruledef.ErrInUse) {
		t.Errorf("drop of a stream in use: got %v", err)
	}
	r.sql(`CREATE STREAM brief () WITH (TYPE="memory", DATASOURCE="x", FORMAT="json", TEMP="true")`)
	lasting := r.def("b", "SELECT * FROM brief", toMemory("out"))
	if err := r.CreateRule(lasting); err == nil || !strings.Contains(err.Error(), "stream brief is temporary") {
		t.Errorf("lasting rule over a temporary stream: got %v", err)
	}
	lasting.Temp = true
	r.must(r.CreateRule(lasting))
	r.must(r.DeleteRule("b"))

	r.sql(`CREATE STREAM both () WITH (TYPE="memory", DATASOURCE="x", FORMAT="json", SHARED="true")`)
	alone := r.def("b", "SELECT * FROM both", toMemory("out"))
	alone.Options.DisableBufferFullDiscard = true
	if err := r.CreateRule(alone); err == nil || !strings.Contains(err.Error(), "disableBufferFullDiscard can't be enabled with shared stream both") {
		t.Errorf("rule that wants a shared stream to itself: got %v", err)
	}
	alone.Options.DisableBufferFullDiscard = false
	r.must(r.CreateRule(alone))
	r.must(r.DeleteRule("b"))

	r.must(r.DeleteRule("a"))
	r.must(r.DropStream(api.Stream, "s"))
	for what, err := range map[string]error{
		"delete": r.DeleteRule("a"), "start": r.StartRule("a"), "stop": r.StopRule("a"), "restart": r.RestartRule("a"),
	} {
		if !errors.Is(err, ruledef.ErrNotFound) {
			t.Errorf("%s of a rule that is gone: got %v", what, err)
		}
	}
}

// A rule that is replaced by one with the same window goes on with what the
// window has; one that is restarted begins anew.
func TestReplacedRuleKeepsItsWindow(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out, seen := r.listen("out"), r.listen("seen")
	r.rule("a", "SELECT collect(seq) AS l FROM s GROUP BY COUNTWINDOW(3)", "out")
	r.rule("b", "SELECT seq FROM s", "seen")
	r.publish("in", `{"seq":1}`, `{"seq":2}`)
	seen.want(`{"seq":1}`, `{"seq":2}`)
	r.replace(r.def("a", "SELECT collect(seq) AS l, count(*) AS n FROM s GROUP BY COUNTWINDOW(3)", toMemory("out")))
	r.publish("in", `{"seq":3}`, `{"seq":4}`)
	out.want(`{"l":[1,2,3],"n":3}`)
	seen.want(`{"seq":3}`, `{"seq":4}`)
	r.must(r.RestartRule("a"))
	r.publish("in", `{"seq":5}`, `{"seq":6}`, `{"seq":7}`)
	out.want(`{"l":[5,6,7],"n":3}`)
}

// Rules come and go while messages flow, with the embedded broker between. A
// rule that stays misses nothing and gets nothing twice, nor does one that is
// replaced all the time, alone on its stream or not.
func TestChangesUnderLoad(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.mqttStream("shared", "shared")
	r.mqttStream("own", "own")
	keeper, shared, own := r.listen("keeper"), r.listen("shared"), r.listen("own")
	r.rule("keeper", "SELECT seq FROM shared", "keeper")
	r.rule("shared", "SELECT seq FROM shared WHERE seq >= 0", "shared")
	r.rule("own", "SELECT seq FROM own WHERE seq >= 0", "own")
	r.connected("keeper", "shared")
	r.connected("own", "own")

	const messages = 1500
	sent := make(chan int, 1) // tells of a message if the changes have dealt with the one before
	go func() {
		defer close(sent)
		p := newPublisher(t, addr)
		for i := range messages {
			p.publish("shared", fmt.Sprintf(`{"seq":%d}`, i))
			p.publish("own", fmt.Sprintf(`{"seq":%d}`, i))
			select {
			case sent <- i:
			default:
			}
		}
	}()
	for i := range sent {
		id := fmt.Sprintf("r%d", i%7)
		cond := []string{"seq > %d", "seq = %d", "seq + %d > 7", "seq > 5 AND seq != %d"}[i%4]
		sql := fmt.Sprintf("SELECT seq, *, seq * 2 AS twice FROM shared WHERE "+cond, i%50)
		switch i % 5 {
		case 0, 1:
			if err := r.CreateRule(r.def(id, sql, toMemory("noise"))); err != nil && !errors.Is(err, ruledef.ErrExists) {
				t.Fatal(err)
			}
		case 2:
			r.replace(r.def(id, sql, toMemory("noise")))
		case 3:
			r.must(ignore(r.RestartRule(id), ruledef.ErrNotFound))
		case 4:
			r.must(ignore(r.DeleteRule(id), ruledef.ErrNotFound))
		}
		where := fmt.Sprintf(" WHERE seq >= %d", -(i % 9))
		r.replace(r.def("shared", "SELECT seq FROM shared"+where, toMemory("shared")))
		r.replace(r.def("own", "SELECT seq FROM own"+where, toMemory("own")))
	}
	keeper.wantSeq(0, messages)
	shared.wantSeq(0, messages)
	own.wantSeq(0, messages)
}

func ignore(err, other error) error {
	if errors.Is(err, other) {
		return nil
	}
	return err
}

// All kinds of changes from several clients: nothing blocks for ever, and what
// is left is what the store holds.
func TestConcurrentChanges(t *testing.T) {
	r := newRig(t, Options{})
	for i := range 4 {
		r.memoryStream(fmt.Sprintf("s%d", i), fmt.Sprintf("in/%d", i))
	}
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() {
			for i := range 60 {
				id := fmt.Sprintf("r%d", (i*7+c)%9)
				stream := fmt.Sprintf("s%d", (i+c)%4)
				def := r.def(id, "SELECT a FROM "+stream, toMemory("out/"+id))
				switch (i + c) % 8 {
				case 0, 1:
					_ = r.CreateRule(def)
				case 2:
					_, _ = r.ReplaceRule(def)
				case 3:
					_ = r.StopRule(id)
				case 4:
					_ = r.StartRule(id)
				case 5:
					_ = r.DeleteRule(id)
				case 6:
					_ = r.ReplaceStream(api.Stream, stream, fmt.Sprintf(`CREATE STREAM %s (a bigint) WITH (TYPE="memory", DATASOURCE="in/%d", FORMAT="json")`, stream, i%4))
				case 7:
					_, _ = r.RuleStatus(id)
					_ = r.EditTags(id, func(tags []string) []string { return append(tags, "x") })
				}
			}
		})
		wg.Go(func() {
			for i := range 100 {
				r.publish(fmt.Sprintf("in/%d", i%4), `{"a":1}`)
			}
		})
	}
	wg.Wait()
	listed := map[string]bool{}
	for _, i := range r.RuleList() {
		listed[i.ID] = true
	}
	stored := map[string]bool{}
	r.must(r.catalog.Each(kindRule, func(id string, _ []byte) error {
		stored[id] = true
		return nil
	}))
	if fmt.Sprint(listed) != fmt.Sprint(stored) {
		t.Errorf("listed %v, stored %v", listed, stored)
	}
}

func TestBulk(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	defs := []*ruledef.Def{
		r.def("a", "SELECT * FROM s", toMemory("out")), nil, r.def("b", "SELECT * FROM nowhere", toMemory("out")),
		r.def("a", "SELECT * FROM s", toMemory("out")), r.def("c", "SELECT * FROM s", toMemory("out")),
	}
	errs := r.CreateRules(slices.Values(defs))
	for i, bad := range []bool{false, false, true, true, false} {
		if (errs[i] != nil) != bad {
			t.Errorf("rule %d: got %v", i, errs[i])
		}
	}
	if !errors.Is(errs[3], ruledef.ErrExists) {
		t.Errorf("the same id again: got %v", errs[3])
	}
	if got := len(r.RuleList()); got != 2 {
		t.Errorf("got %d rules, want 2", got)
	}
}

// A change of a definition or of settings reaches the rules that use it.
func TestChangeRestartsUsers(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "one")
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s", "out")
	r.rule("b", "SELECT seq AS other FROM s WHERE seq = 99", "out")
	r.must(r.CreateRule(r.def("halted", "SELECT seq FROM s", toMemory("out"))))
	r.must(r.StopRule("halted"))
	r.must(r.ReplaceStream(api.Stream, "s", `CREATE STREAM s (seq string) WITH (TYPE="memory", DATASOURCE="two", FORMAT="json")`))
	r.publish("one", `{"seq":1}`)
	r.publish("two", `{"seq":2}`)
	out.want(`{"seq":"2"}`)
	for id, want := range map[string]string{"a": "running", "b": "running", "halted": "stopped"} {
		if got := r.statusOf(id); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	// A rule that does not go with the new definition says so, and comes back.
	stopped, err := r.ForceReplaceStream(api.Stream, "s", `CREATE STREAM s (other bigint) WITH (TYPE="memory", DATASOURCE="two", FORMAT="json")`)
	if err != nil || len(stopped) != 2 || !strings.Contains(stopped[0], `unknown column "seq"`) {
		t.Errorf("stopped: got %q, %v", stopped, err)
	}
	if got := r.statusOf("a"); got != "stopped by error" {
		t.Errorf("rule without its column: got %s", got)
	}
	r.must(r.ReplaceStream(api.Stream, "s", `CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="two", FORMAT="json")`))
	r.publish("two", `{"seq":3}`) // and nobody has to start it
	out.want(`{"seq":3}`)
}

// TestReplaceStreamRefused replaces streams in ways that eKuiper refuses.
func TestReplaceStreamRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.sql(`CREATE STREAM tmp () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TEMP="true")`)
	for _, c := range []struct{ name, text, want string }{
		{"s", `CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", SHARED="true")`, "Replace s fails: SHARED cannot be changed"},
		{"s", `CREATE STREAM s () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json", TEMP="true")`, "Replace s fails: a temporary stream cannot be replaced"},
		{"tmp", `CREATE STREAM tmp () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`, "Replace tmp fails: a temporary stream cannot be replaced"},
	} {
		if err := r.ReplaceStream(api.Stream, c.name, c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
}

// TestConfKeyMissing has a stream that names settings which are not there yet: it
// runs with the default ones, and with its own as soon as they come.
func TestConfKeyMissing(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "default", map[string]any{"server": "tcp://127.0.0.1:1"}))
	r.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="plant")`)
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s", "out")
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"server": "tcp://" + addr}))
	r.connected("a", "s")
	newPublisher(t, addr).publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)
}

func TestConfKeyRestartsUsers(t *testing.T) {
	r := newRig(t, Options{})
	addr := r.startBroker()
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"server": "tcp://127.0.0.1:1"}))
	r.sql(`CREATE STREAM s () WITH (TYPE="mqtt", DATASOURCE="in", FORMAT="json", CONF_KEY="plant")`)
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s", "out")
	if err := r.DeleteConfKey(api.ConfSources, "mqtt", "plant"); !errors.Is(err, ruledef.ErrInUse) {
		t.Errorf("settings in use: got %v", err)
	}
	r.must(r.PutConfKey(api.ConfSources, "mqtt", "plant", map[string]any{"server": "tcp://" + addr}))
	r.connected("a", "s")
	newPublisher(t, addr).publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)

	// Sinks that take their settings from a connection follow it, too.
	r.must(r.PutConnection(api.Connection{ID: "up", Type: "mqtt", Props: map[string]any{"server": "tcp://127.0.0.1:1"}}))
	r.must(r.CreateRule(r.def("b", "SELECT seq FROM s", `{"mqtt":{"topic":"up","connectionSelector":"up","sendSingle":true}}`)))
	r.mqttStream("back", "up")
	back := r.listen("back")
	r.rule("c", "SELECT seq FROM back", "back")
	r.connected("c", "back")
	r.must(r.PutConnection(api.Connection{ID: "up", Type: "mqtt", Props: map[string]any{"server": "tcp://" + addr}}))
	newPublisher(t, addr).publish("in", `{"seq":2}`)
	back.want(`{"seq":2}`)
}

// The counters of a rule begin anew with it, also those that were not yet spread
// over the rules of an index.
func TestCountersBeginAnew(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	nop := `{"nop":{}}`
	r.must(r.CreateRule(r.def("n", "SELECT a FROM s WHERE a > 0", nop)))
	r.rule("probe", "SELECT a FROM s", "out")
	r.publish("in", `{"a":1}`, `{"a":2}`, `{"a":-1}`)
	out.next(3)
	r.wantStatus("n", "sink_nop_0_0_records_out_total", 2)
	r.publish("in", `{"a":3}`)
	out.next(1)
	r.replace(r.def("n", "SELECT a FROM s WHERE a > 0", nop))
	r.wantStatus("n", "sink_nop_0_0_records_out_total", 0)
	r.publish("in", `{"a":4}`)
	out.next(1)
	r.wantStatus("n", "sink_nop_0_0_records_out_total", 1)
	r.wantStatus("n", "op_3_project_0_records_in_total", 1)

	// So do those of another rule that gets the number of one that is gone.
	r.must(r.DeleteRule("n"))
	r.must(r.CreateRule(r.def("m", "SELECT a FROM s WHERE a > 0", nop)))
	r.wantStatus("m", "sink_nop_0_0_records_out_total", 0)
}

// Rows of a stream that was dropped are not taken for rows of the next one.
func TestStreamNumbers(t *testing.T) {
	r := newRig(t, Options{})
	for i := range 20 {
		name := fmt.Sprintf("s%d", i)
		r.memoryStream(name, "in/"+name)
		out := r.listen("out/" + name)
		r.rule("a", "SELECT v FROM "+name, "out/"+name)
		r.publish("in/"+name, fmt.Sprintf(`{"v":%d}`, i))
		out.want(fmt.Sprintf(`{"v":%d}`, i))
		r.publish("in/"+name, `{"v":-1}`, `{"v":-1}`)
		r.must(r.DeleteRule("a"))
		r.must(r.DropStream(api.Stream, name))
	}
	if r.mu.numbers.most > 10 {
		t.Errorf("20 streams one after the other took %d numbers", r.mu.numbers.most)
	}
}

// A rule that could not be bound when the engine started runs once it can, and
// can be stopped.
func TestForceDropAndPatrol(t *testing.T) {
	r := newRig(t, Options{Patrol: 1e6}) // 1 ms
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("a", "SELECT v FROM s", "out")
	if stopped, err := r.ForceDropStream(api.Stream, "s"); err != nil || len(stopped) == 0 {
		t.Fatal(stopped, err)
	}
	if got := r.statusOf("a"); got != "stopped by error" {
		t.Errorf("rule without a stream: got %s", got)
	}
	r.memoryStream("s", "in")
	r.await("the patrol starts the rule", func() bool { return r.statusOf("a") == "running" })
	r.publish("in", `{"v":1}`)
	out.want(`{"v":1}`)
	if err := r.DropStream(api.Stream, "s"); !errors.Is(err, ruledef.ErrInUse) {
		t.Errorf("drop of a stream in use: got %v", err)
	}
	r.must(r.StopRule("a"))
	r.must(r.DeleteRule("a"))
}

// The status tells since when a source has its connection, and since when not.
func TestConnectionTimes(t *testing.T) {
	before := time.Now().UnixMilli()
	r := newRig(t, Options{})
	r.startBroker()
	r.mqttStream("q", "in")
	r.memoryStream("m", "in")
	r.rule("q", "SELECT a FROM q", "out")
	r.rule("m", "SELECT a FROM m", "out")
	for _, s := range []string{"q", "m"} {
		r.connected(s, s)
		if at := r.status(s, "source_"+s+"_0_connection_last_connected_time").(int64); at < before || at > time.Now().UnixMilli() {
			t.Errorf("%s: connected at %d, want since %d", s, at, before)
		}
		r.wantStatus(s, "source_"+s+"_0_connection_last_disconnected_time", 0)
	}
	if at := r.status("q", "source_q_0_connection_last_try_time").(int64); at < before {
		t.Errorf("tried at %d, want since %d", at, before)
	}
}

// The status tells when a rule last had a message, and when it last lost one.
func TestTimesOfStatus(t *testing.T) {
	before := time.Now().UnixMilli()
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.rule("r", "SELECT a + 1 AS b FROM s", "out")
	out := r.listen("out")
	r.publish("in", `{"a":1}`)
	out.want(`{"b":2}`)
	r.wantStatus("r", "op_3_project_0_last_exception_time", 0)
	r.publish("in", `{"a":"x"}`, `{"a":2}`)
	out.want(`{"b":3}`)
	r.wantStatus("r", "op_3_project_0_exceptions_total", 1)
	for _, key := range []string{"last_exception_time", "last_invocation"} {
		if at := r.status("r", "op_3_project_0_"+key).(int64); at < before || at > time.Now().UnixMilli() {
			t.Errorf("%s: got %d, want since %d", key, at, before)
		}
	}
}
