package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

// A rule over several streams uses each of them: they are counted, cannot be
// dropped, stop with the last rule and start again with the next.
func TestJoinLifecycle(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("l", "in/l")
	r.memoryStream("s", "in/s")
	out := r.listen("out")
	const text = "SELECT a, b FROM l INNER JOIN s ON l.id = s.id GROUP BY COUNTWINDOW(2)"
	for round := range 3 {
		r.rule("j", text, "out")
		r.publish("in/l", fmt.Sprintf(`{"id":1,"a":%d}`, round))
		r.publish("in/s", `{"id":1,"b":2}`)
		out.want(fmt.Sprintf(`{"a":%d,"b":2}`, round))
		r.wantStatus("j", "source_l_0_records_in_total", 1)
		r.wantStatus("j", "source_s_0_records_in_total", 1)
		if err := r.DropStream(api.Stream, "s"); !errors.Is(err, ruledef.ErrInUse) {
			t.Errorf("drop of a stream in use: got %v", err)
		}
		text, err := r.ExplainRule("j")
		r.must(err)
		if !strings.Contains(text, "l INNER JOIN s ON l.id = s.id; shared with 0 rules") {
			t.Errorf("explain: got %s", text)
		}
		r.must(r.RestartRule("j"))
		r.must(r.DeleteRule("j"))
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, s := range r.mu.streams {
		if s.feed != nil || s.builder != nil {
			t.Errorf("stream %s still runs", name)
		}
	}
	if len(r.mu.joins) != 0 || r.mu.numbers.most > 4 { // the executor may not have let go of one
		t.Errorf("got %d joins and %d numbers, want 0 and 4 at most", len(r.mu.joins), r.mu.numbers.most)
	}
}

// Rows reach a lookup table through the memory sink, by their kind.
func TestLookupTable(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in/s")
	r.memoryStream("u", "in/u")
	r.sql(`CREATE TABLE t () WITH (TYPE="memory", DATASOURCE="tbl", KIND="lookup", KEY="id")`)
	seen := r.listen("tbl")
	out := r.listen("out")
	r.must(r.CreateRule(r.def("u", "SELECT * FROM u", `{"memory":{"topic":"tbl","rowkindField":"op","keyField":"id"}}`)))
	r.rule("j", "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", "out")
	change := func(n int, row string) {
		r.publish("in/u", row)
		seen.next(1)
		for fmt.Sprint(r.status("j", "source_t_0_records_in_total")) != fmt.Sprint(n) {
			runtime.Gosched() // until the table has the row
		}
	}
	change(1, `{"id":1,"name":"one","op":"upsert"}`)
	r.publish("in/s", `{"id":1,"v":1}`)
	out.want(`{"name":"one","v":1}`)
	change(2, `{"id":1,"op":"delete"}`)
	r.publish("in/s", `{"id":1,"v":2}`)
	out.want(`{"v":2}`)
}
