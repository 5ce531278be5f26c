package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// The rules of a bulk start together, whatever the executor pulls meanwhile, and
// those that ran before do not notice.
func TestBulkStartsTogether(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.memoryStream("u", "in/u")
	r.rule("old", "SELECT seq FROM s", "old")
	old, out := r.listen("old"), r.listen("out")
	r.exec.Sync()
	epochs := r.epochs.Load()
	halted := r.def("halted", "SELECT seq FROM s", toMemory("out"))
	halted.Triggered = false
	defs := []*ruledef.Def{
		r.def("a", "SELECT seq AS a FROM s WHERE seq > 1", toMemory("out")), halted,
		r.def("b", "SELECT lag(seq) AS b FROM s WHERE seq > 2", toMemory("out")),
		r.def("c", "SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(2)", toMemory("out")),
		r.def("d", "SELECT s.seq AS d FROM s INNER JOIN u ON s.seq = u.seq GROUP BY COUNTWINDOW(9)", toMemory("out")),
		r.def("e", "SELECT x AS e FROM u", toMemory("out")),
	}
	errs := r.CreateRules(func(yield func(*ruledef.Def) bool) {
		for i, d := range defs {
			if !yield(d) {
				return
			}
			r.mu.Lock() // as any change of another rule would
			r.touchLocked(r.mu.streams["s"])
			r.mu.Unlock()
			r.exec.Sync()
			r.publish("in", fmt.Sprintf(`{"seq":%d}`, 100+i))
			old.want(fmt.Sprintf(`{"seq":%d}`, 100+i))
			if got := r.epochs.Load() - epochs; got != 0 {
				t.Errorf("rule %d: the executor took %d programs before the end, want 0", i, got)
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	r.exec.Sync()
	if got := r.epochs.Load() - epochs; got != 3 { // of two streams and a join
		t.Errorf("the executor took %d programs, want 3", got)
	}
	r.publish("in", `{"seq":2}`, `{"seq":3}`)
	old.want(`{"seq":2}`, `{"seq":3}`)
	got := out.next(4)
	slices.Sort(got)
	if want := `[{"a":2} {"a":3} {"b":2} {"c":2}]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	r.publish("in/u", `{"x":1}`)
	out.want(`{"e":1}`)
	for id, want := range map[string]string{"a": "running", "halted": "stopped", "d": "running"} {
		if got := r.statusOf(id); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	r.wantStatus("halted", "message", stopped)
}

// A bulk that cannot be stored leaves nothing behind.
func TestBulkOnFullDisk(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem()}
	r := newRig(t, Options{Store: store.Options{FS: fs, Dir: "data"}})
	r.memoryStream("s", "in")
	r.memoryStream("u", "in/u")
	r.rule("old", "SELECT seq FROM s", "out")
	out := r.listen("out")
	fs.full.Store(true)
	temp := r.def("temp", "SELECT seq AS t FROM s WHERE seq > 1", toMemory("out"))
	temp.Temp = true
	errs := r.CreateRules(slices.Values([]*ruledef.Def{
		r.def("a", "SELECT seq AS a FROM s", toMemory("out")), temp,
		r.def("b", "SELECT max(x) FROM u GROUP BY TUMBLINGWINDOW(ss, 1)", toMemory("out")),
	}))
	for i, bad := range []bool{true, false, true} {
		if errors.Is(errs[i], store.ErrFull) != bad {
			t.Errorf("rule %d: got %v", i, errs[i])
		}
	}
	if got := len(r.RuleList()); got != 2 {
		t.Errorf("got %d rules, want 2", got)
	}
	r.publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)
	r.must(r.DeleteRule("temp"))
	_, err := r.DeleteRuleOutputs("old") // what fills a disk can be deleted
	r.must(err)
	r.mu.RLock()
	for _, s := range r.mu.streams {
		if s.builder != nil || s.feed != nil || s.held {
			t.Errorf("stream %s still runs", s.name)
		}
	}
	r.mu.RUnlock()
}

// Rules of a bulk whose source cannot start say so, and do not run.
func TestBulkWithoutSource(t *testing.T) {
	r := newRig(t, Options{})
	there := addShy(r)
	r.sql(`CREATE STREAM s (seq BIGINT) WITH (TYPE="shy", DATASOURCE="x")`)
	errs := r.CreateRules(slices.Values([]*ruledef.Def{
		r.def("a", "SELECT seq FROM s WHERE seq > 1", toMemory("out")), r.def("b", "SELECT seq FROM s WHERE seq > 2", toMemory("out")),
	}))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if got := r.statusOf(id); got != "stopped by error" {
			t.Errorf("%s: got %s", id, got)
		}
	}
	r.mu.RLock()
	if s := r.mu.streams["s"]; s.builder != nil || s.held {
		t.Error("the stream has rules")
	}
	r.mu.RUnlock()
	there.Store(true)
	r.must(r.StartRule("a"))
	if got := r.statusOf("a"); got != "running" {
		t.Errorf("with settings: got %s", got)
	}
}

// A panic in the middle of a bulk leaves nothing behind.
func TestBulkPanics(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		r.CreateRules(func(yield func(*ruledef.Def) bool) {
			yield(r.def("a", "SELECT seq AS a FROM s", toMemory("out")))
			panic("of the caller")
		})
	}()
	out := r.listen("out")
	r.rule("b", "SELECT seq FROM s", "out")
	r.publish("in", `{"seq":1}`)
	out.want(`{"seq":1}`)
	if got := len(r.RuleList()); got != 1 {
		t.Errorf("got %d rules, want 1", got)
	}
}
