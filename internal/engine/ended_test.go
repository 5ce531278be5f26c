package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// finite defines a stream of n numbers that has an end, in a file or in a simulator.
func (r *rig) finite(kind, name string, n int) {
	r.t.Helper()
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"seq":%d}`, i))
	}
	if kind == "file" {
		path := filepath.Join(r.opt.Dir, name+".lines")
		r.must(os.WriteFile(path, []byte(strings.Join(rows, "\n")+"\n"), 0o600))
		r.sql(`CREATE STREAM %s (seq BIGINT) WITH (TYPE="file", DATASOURCE=%q, FORMAT="json", EXTRA="{\"fileType\":\"lines\"}")`, name, path)
		return
	}
	r.conf("simulator", name, map[string]any{"data": "[" + strings.Join(rows, ",") + "]", "interval": "1ms", "loop": false})
	r.sql(`CREATE STREAM %s (seq BIGINT) WITH (TYPE="simulator", FORMAT="json", CONF_KEY=%q)`, name, name)
}

// over waits until a rule has stopped since its stream has ended.
func (r *rig) over(id string) {
	r.t.Helper()
	r.await(id+" has stopped", func() bool { return r.statusOf(id) == "stopped" })
	if text := fmt.Sprint(r.status(id, "message")); !strings.HasPrefix(text, "done") {
		r.t.Errorf("%s: message %q", id, text)
	}
	r.await(id+" is stored as stopped", func() bool {
		d, err := r.stored(id)
		return err == nil && !d.Triggered
	})
}

// TestFiniteSource: a source that has an end stops its rules when all is through, with
// the windows that were open; they stay stopped over a restart, and read again when
// somebody starts them.
func TestFiniteSource(t *testing.T) {
	for _, kind := range []string{"file", "simulator"} {
		t.Run(kind, func(t *testing.T) {
			o := Options{Store: store.Options{FS: vfs.NewMem()}, Dir: t.TempDir()}
			r := newRig(t, o)
			r.finite(kind, "f", 5)
			outs := map[string]*listener{}
			var defs []*ruledef.Def
			for id, sql := range map[string]string{
				"rows": "SELECT seq FROM f", "tumbling": "SELECT sum(seq) AS s FROM f GROUP BY TUMBLINGWINDOW(hh, 1000)",
				"session":  "SELECT sum(seq) AS s FROM f GROUP BY SESSIONWINDOW(hh, 1000, 1000)",
				"delayed":  "SELECT count(*) AS s FROM f GROUP BY SLIDINGWINDOW(hh, 1000, 1) OVER (WHEN seq = 0)",
				"counting": "SELECT sum(seq) AS s FROM f GROUP BY COUNTWINDOW(3)",
			} {
				outs[id] = r.listen("out/" + id)
				defs = append(defs, r.def(id, sql, toMemory("out/"+id)))
			}
			for _, err := range r.CreateRules(func(yield func(*ruledef.Def) bool) {
				for _, d := range defs {
					if !yield(d) {
						return
					}
				}
			}) {
				r.must(err)
			}
			read := func() {
				t.Helper()
				outs["rows"].wantSeq(0, 5)
				outs["tumbling"].want(`{"s":10}`)
				outs["session"].want(`{"s":10}`)
				outs["delayed"].want(`{"s":5}`)
				outs["counting"].want(`{"s":3}`)
			}
			read()
			for id := range outs {
				r.over(id)
			}
			r.mu.RLock()
			if s := r.mu.streams["f"]; s.feed != nil || s.builder != nil {
				t.Error("the stream still runs")
			}
			r.mu.RUnlock()
			r.close()

			r = newRig(t, o)
			for id := range outs {
				outs[id] = r.listen("out/" + id)
				if got := r.statusOf(id); got != "stopped" {
					t.Errorf("after a restart %s is %s", id, got)
				}
			}
			r.must(r.StartRule("rows"))
			outs["rows"].wantSeq(0, 5) // and not twice: nothing was read before
			r.over("rows")
			raw := defs[slices.IndexFunc(defs, func(d *ruledef.Def) bool { return d.ID == "rows" })].Raw
			if bad := r.ImportDefinitions(api.Definitions{Rules: map[string]string{"rows": string(raw)}}); len(bad.Rules) > 0 {
				t.Errorf("import: %v", bad.Rules)
			}
			outs["rows"].wantSeq(0, 5)
			r.over("rows")
		})
	}
}

// TestFiniteBesideEndless: a rule ends with the last of its streams, and a table ends
// none. What joins a stream that has ended for all others, ends at once.
func TestFiniteBesideEndless(t *testing.T) {
	r := newRig(t, Options{})
	r.finite("file", "f", 3)
	r.finite("file", "g", 2)
	r.memoryStream("s", "in")
	r.must(os.WriteFile(filepath.Join(r.opt.Dir, "t.lines"), []byte(`{"seq":1,"name":"one"}`+"\n"), 0o600))
	r.sql(`CREATE TABLE t (seq BIGINT, name STRING) WITH (TYPE="file", DATASOURCE=%q, FORMAT="json", EXTRA="{\"fileType\":\"lines\"}")`, filepath.Join(r.opt.Dir, "t.lines"))
	both, table, out := r.listen("both"), r.listen("table"), r.listen("out")
	r.rule("table", "SELECT s.seq, t.name FROM s INNER JOIN t ON s.seq = t.seq", "table")
	r.rule("both", "SELECT count(*) AS c FROM f INNER JOIN s ON f.seq = s.seq GROUP BY COUNTWINDOW(4)", "both")
	r.rule("alone", "SELECT seq FROM g", "out")
	out.next(2)
	r.over("alone")
	r.rule("two", "SELECT f.seq AS a, g.seq AS b FROM f INNER JOIN g ON f.seq = g.seq GROUP BY TUMBLINGWINDOW(hh, 1000)", "two")
	r.over("two")
	if got := r.statusOf("both"); got != "running" {
		t.Errorf("over an endless stream as well: %s", got)
	}
	r.publish("in", `{"seq":1}`)
	both.want(`{"c":1}`)
	table.want(`{"name":"one","seq":1}`)
	if got := r.statusOf("table"); got != "running" {
		t.Errorf("with a table that has ended: %s", got)
	}
	r.rule("late", "SELECT seq FROM f", "out")
	r.over("late")
	r.must(r.DeleteRule("both"))
	r.must(r.StartRule("late")) // nobody else reads it any more
	out.next(3)
	r.over("late")
}

// Outputs that wait when a rule ends are delivered.
func TestFiniteWithBacklog(t *testing.T) {
	r := newRig(t, Options{})
	g := newGate(r)
	r.finite("file", "f", 50)
	r.must(r.CreateRule(r.def("a", "SELECT seq FROM f", g.action())))
	r.over("a")
	close(g.open)
	if got := len(g.bodies(t, 50)); got != 50 {
		t.Errorf("%d messages are delivered", got)
	}
}

// In event time what waits for the watermark goes on at the end, in order, and each
// window is sent that holds something, but no empty one behind.
func TestFiniteInEventTime(t *testing.T) {
	r := newRig(t, Options{})
	for _, name := range []string{"f", "g"} {
		path := filepath.Join(r.opt.Dir, name+".lines")
		r.must(os.WriteFile(path, []byte("{\"seq\":1,\"ts\":1000}\n{\"seq\":2,\"ts\":4500}\n{\"seq\":3,\"ts\":2000}\n{\"seq\":4,\"ts\":5000}\n"), 0o600))
		r.sql(`CREATE STREAM %s (seq BIGINT, ts BIGINT) WITH (TYPE="file", DATASOURCE=%q, FORMAT="json", TIMESTAMP="ts", EXTRA="{\"fileType\":\"lines\"}")`, name, path)
	}
	outs := map[string]*listener{}
	var defs []*ruledef.Def
	for id, sql := range map[string]string{
		"rows":     "SELECT seq FROM f",
		"tumbling": "SELECT sum(seq) AS s FROM f GROUP BY TUMBLINGWINDOW(ss, 2)",
		"longer":   "SELECT sum(seq) AS s FROM f GROUP BY TUMBLINGWINDOW(ss, 60)",
		"hopping":  "SELECT collect(seq) AS l FROM f GROUP BY HOPPINGWINDOW(ss, 4, 2)",
		"session":  "SELECT sum(seq) AS s FROM f GROUP BY SESSIONWINDOW(ss, 60, 2)",
		"join":     "SELECT f.seq AS a, g.seq AS b FROM f INNER JOIN g ON f.seq = g.seq GROUP BY TUMBLINGWINDOW(ss, 60)",
	} {
		outs[id] = r.listen("out/" + id)
		d := r.def(id, sql, toMemory("out/"+id))
		d.Options.IsEventTime, d.Options.LateTolerance = true, time.Hour
		d.Raw = []byte(strings.Replace(string(d.Raw), `"sql"`, `"options":{"isEventTime":true,"lateTolerance":"1h"},"sql"`, 1))
		defs = append(defs, d)
	}
	for _, err := range r.CreateRules(slices.Values(defs)) {
		r.must(err)
	}
	outs["rows"].want(`{"seq":1}`, `{"seq":3}`, `{"seq":2}`, `{"seq":4}`)
	outs["tumbling"].want(`{"s":1}`, `{"s":3}`, `{"s":6}`)
	outs["longer"].want(`{"s":10}`)
	outs["hopping"].want(`{"l":[1]}`, `{"l":[1,3]}`, `{"l":[3,2,4]}`, `{"l":[2,4]}`)
	outs["session"].want(`{"s":4}`, `{"s":6}`)
	outs["join"].want(`{"a":1,"b":1}`, `{"a":3,"b":3}`, `{"a":2,"b":2}`, `{"a":4,"b":4}`)
	for id, out := range outs {
		r.over(id)
		if len(out.have) > 0 {
			t.Errorf("%s: %v comes behind", id, out.have)
		}
	}
}
