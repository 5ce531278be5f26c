package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/engine/run"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

// bomb is a source of random numbers that panics, so that rand() does.
type bomb struct{}

// Uint64 implements rand.Source.
func (bomb) Uint64() uint64 { panic("bang") }

// newMinedRig starts an engine in which rand() panics, with rules that have nothing
// to do with it.
func newMinedRig(t *testing.T, rules int) *rig {
	t.Helper()
	r := newRig(t, Options{Patrol: 10 * time.Millisecond, rand: rand.New(bomb{})})
	r.mayPanic = true
	r.memoryStream("s", "in")
	defs := make([]*ruledef.Def, rules)
	for i := range defs {
		text := "SELECT a FROM s WHERE a > 0"
		if i%2 == 1 {
			text = "SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(2)"
		}
		defs[i] = r.def(fmt.Sprint("r", i), text, toMemory(fmt.Sprint("out/", i%2)))
	}
	for _, err := range r.CreateRules(slices.Values(defs)) {
		r.must(err)
	}
	return r
}

// broken waits until a rule is stopped by a panic.
func (r *rig) broken(id string) {
	r.t.Helper()
	r.await(id+" is stopped", func() bool { return r.statusOf(id) == "stopped by error" })
	if got := fmt.Sprint(r.status(id, "message")); !strings.Contains(got, "fault of weir") || !strings.Contains(got, "bang") {
		r.t.Errorf("message of %s: got %q", id, got)
	}
	var degraded *api.DegradedError
	if err := r.Healthy(); !errors.As(err, &degraded) {
		r.t.Errorf("health: got %v, want that it is degraded", err)
	}
}

// tryLater has a rule wait for its stream, and then the patrol start it.
func (r *rig) tryLater(id string) {
	r.t.Helper()
	there := addShy(r)
	r.sql(`CREATE STREAM u (a BIGINT) WITH (TYPE="shy", DATASOURCE="in/u")`)
	r.replace(r.def(id, "SELECT a FROM u", toMemory("later")))
	r.wantStatus(id, "status", "stopped by error")
	there.Store(true)
	r.await("the patrol starts it", func() bool { return r.statusOf(id) == "running" })
}

// A panic in a batch stops the rule that it is laid to. The others, a thousand, send
// what they have to, once.
func TestPanicInBatch(t *testing.T) {
	const rules = 1000
	r := newMinedRig(t, rules)
	rows, windows := r.listen("out/0"), r.listen("out/1")
	for n, text := range []string{"SELECT rand() AS x FROM s", "SELECT sum(rand()) AS x FROM s GROUP BY COUNTWINDOW(2)", "SELECT a FROM s WHERE a > 0 AND abs(rand()) < 2"} {
		id := fmt.Sprint("bad", n)
		r.rule(id, text, "out/bad")
		for k := range 4 {
			r.publish("in", fmt.Sprintf(`{"a":%d}`, n*10+k+1))
			for range rules / 2 {
				rows.want(fmt.Sprintf(`{"a":%d}`, n*10+k+1))
			}
			if k == 1 {
				r.broken(id)
			}
		}
		for range rules {
			windows.want(`{"c":2}`)
		}
	}
	before := r.panicked()
	r.rule("later", "SELECT a FROM s WHERE a < 0", "later")
	r.tryLater("later")
	for n := range 3 {
		if got := r.statusOf(fmt.Sprint("bad", n)); got != "stopped by error" {
			t.Errorf("bad%d is %s after a patrol", n, got)
		}
	}
	r.must(r.StartRule("bad0")) // who starts it tries again
	r.publish("in", `{"a":1}`)
	r.broken("bad0")
	if got := r.panicked(); got <= before {
		t.Errorf("%d panics, as before", got)
	}
	rows.next(rules / 2)
	if got := append(r.received(rows, "out/0"), r.received(windows, "out/1")...); len(got) > 0 {
		t.Errorf("sent twice: %q", got)
	}
	if got := r.Totals().Panics; got == 0 || got > 20 {
		t.Errorf("%d panics are counted", got)
	}
}

// Rules that share a join, its rows and its windows with one that panics go on.
func TestPanicInJoin(t *testing.T) {
	const on = " FROM s INNER JOIN u ON s.a = u.a"
	r := newMinedRig(t, 0)
	r.memoryStream("u", "in/u")
	out := r.listen("out")
	for n, text := range []string{
		"SELECT s.a, rand() AS x" + on + " GROUP BY COUNTWINDOW(2)",
		"SELECT s.a" + on + " WHERE s.a > rand() GROUP BY COUNTWINDOW(2)",
		"SELECT sum(rand()) AS x" + on + " GROUP BY COUNTWINDOW(2)",
		"SELECT s.a" + on + " AND s.a > rand() GROUP BY COUNTWINDOW(2)",
		"SELECT acc_sum(rand()) AS x" + on + " GROUP BY COUNTWINDOW(2)",
	} {
		bad, good := fmt.Sprint("bad", n), fmt.Sprint("good", n)
		list := []*ruledef.Def{r.def(bad, text, toMemory("bad")), r.def(good, "SELECT s.a, u.b"+on+" GROUP BY COUNTWINDOW(2)", toMemory("out"))}
		for _, err := range r.CreateRules(slices.Values(list)) { // they share a join
			r.must(err)
		}
		for k := range 3 {
			r.publish("in", fmt.Sprintf(`{"a":%d}`, k))
			r.publish("in/u", fmt.Sprintf(`{"a":%d,"b":%d}`, k, n))
			out.want(fmt.Sprintf(`{"a":%d,"b":%d}`, k, n))
		}
		r.broken(bad)
		if got := r.statusOf(good); got != "running" {
			t.Errorf("beside %s: %s", text, got)
		}
		r.must(r.DeleteRule(good))
	}
}

// One in a timer stops its rule, too, and the windows of others end in time.
func TestPanicInTimer(t *testing.T) {
	r := newMinedRig(t, 0)
	out := r.listen("out")
	r.rule("good", "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 20)", "out")
	r.rule("bad", "SELECT count(*) * rand() AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 20)", "bad")
	r.broken("bad")
	r.publish("in", `{"a":1}`)
	r.await("the row is in a window", func() bool { return out.next(1)[0] == `{"c":1}` })
	if got := r.panicked(); got > 20 {
		t.Errorf("it panicked %d times", got)
	}
	if lost := r.status("bad", "lost").(map[string]uint64); lost["panic"] != 1 {
		t.Errorf("lost: got %v, want one panic", lost)
	}
	r.wantStatus("good", "lost", "map[]")
}

// One while changes are taken over does not end the process, and what comes later
// is taken over.
func TestPanicInChange(t *testing.T) {
	r := newMinedRig(t, 2)
	out := r.listen("out/0")
	r.mu.Lock()
	r.editedLocked(run.Rule{Release: []*sinks.Queue{nil}})
	r.mu.Unlock()
	r.exec.Sync()
	if got := r.panicked(); got != 1 {
		t.Errorf("it panicked %d times", got)
	}
	r.rule("next", "SELECT a + 1 AS a FROM s", "out/0")
	r.publish("in", `{"a":1}`)
	if got := out.next(2); !slices.Contains(got, `{"a":1}`) || !slices.Contains(got, `{"a":2}`) {
		t.Errorf("got %q", got)
	}
}

// A panic while a rule is checked refuses that rule, in a bulk, a PUT and a start, too.
func TestPanicInCheck(t *testing.T) {
	r := newRig(t, Options{fold: func(n *planner.Node) (vec.Value, error) {
		for _, a := range n.Args {
			if a.Value.Kind == vec.Int64 && a.Value.I == 13 {
				panic("bang")
			}
		}
		return exec.FoldIn(time.UTC)(n)
	}})
	r.mayPanic = true
	r.memoryStream("s", "in")
	out := r.listen("out")
	good := func(id string) *ruledef.Def { return r.def(id, "SELECT a + 1 AS b FROM s", toMemory("out")) }
	bad := func(id string) *ruledef.Def { return r.def(id, "SELECT abs(13) AS b FROM s", toMemory("out")) }
	want := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "a fault of weir: bang") {
			t.Errorf("got %v", err)
		}
	}
	want(r.CreateRule(bad("a")))
	errs := r.CreateRules(slices.Values([]*ruledef.Def{good("b"), bad("c"), good("d")}))
	want(errs[1])
	r.must(errors.Join(errs[0], errs[2]))
	_, err := r.ReplaceRule(bad("b"))
	want(err)
	if got := r.RuleList(); len(got) != 2 {
		t.Errorf("got %d rules", len(got))
	}
	r.publish("in", `{"a":1}`)
	out.want(`{"b":2}`, `{"b":2}`)
	if got := r.panicked(); got != 3 {
		t.Errorf("%d panics are counted, want 3", got)
	}
}

// brokenSource is a source that panics when it is told to.
type brokenSource struct {
	source.Tracker
	bang chan struct{}
}

// Run implements source.Source.
func (s *brokenSource) Run(context.Context) error {
	s.Start()
	<-s.bang
	panic("bang")
}

// One on a source's own goroutine ends the source, and its rules say so.
func TestPanicInSource(t *testing.T) {
	r := newRig(t, Options{})
	r.mayPanic = true
	bang := make(chan struct{})
	r.types.sources["bomb"] = source.Type{Check: func(source.Def) (source.Use, error) {
		return source.Use{Open: func(source.Target) (source.Source, error) { return &brokenSource{bang: bang}, nil }}, nil
	}}
	r.sql(`CREATE STREAM m () WITH (TYPE="bomb", DATASOURCE="x")`)
	r.rule("a", "SELECT v FROM m", "out")
	r.await("it runs", func() bool { return fmt.Sprint(r.status("a", "source_m_0_connection_status")) == "1" })
	close(bang)
	r.await("the failure", func() bool { return fmt.Sprint(r.status("a", "source_m_0_connection_status")) == "-1" })
	r.wantStatus("a", "source_m_0_connection_last_disconnected_message", "stopped by a fault of weir: bang")
	if got := r.panicked(); got != 1 {
		t.Errorf("%d panics are counted, want 1", got)
	}
	r.must(r.DeleteRule("a"))
}

// A rule that was laid a panic to is tried again once a client has replaced it: the new
// one has done nothing yet but wait for its stream.
func TestReplacedAfterPanic(t *testing.T) {
	r := newMinedRig(t, 0)
	r.rule("a", "SELECT rand() AS x FROM s", "out")
	r.publish("in", `{"a":1}`)
	r.broken("a")
	r.tryLater("a")
}
