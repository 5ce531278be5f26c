package engine

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
)

// Rules read what a client puts, each in the type that it asks for, also after a
// restart; what cannot be cast is a fault of the row.
func TestKeyedState(t *testing.T) {
	o := Options{Store: store.Options{FS: vfs.NewMem(), Dir: "data"}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.rule("limit", `SELECT a, get_keyed_state("limit/1", "bigint", 10) AS l FROM s WHERE a > get_keyed_state("limit/1", "bigint", 10)`, "out")
	r.rule("text", `SELECT get_keyed_state(dev, "string", "none") AS t FROM s WHERE a = 100`, "texts")
	r.rule("window", `SELECT get_keyed_state("limit/1", "float", 0.5) * count(*) AS w FROM s GROUP BY COUNTWINDOW(4)`, "windows")
	out, texts, windows := r.listen("out"), r.listen("texts"), r.listen("windows")
	r.publish("in", `{"a":5}`, `{"a":11}`)
	out.want(`{"a":11,"l":10}`)
	r.must(r.PutKeyedState("limit/1", []byte("4")))
	r.publish("in", `{"a":5}`)
	out.want(`{"a":5,"l":4}`)
	r.must(r.PutKeyedState("d1", []byte(`"hall 1"`)))
	r.must(r.PutKeyedState("d2", []byte(`true`)))
	r.publish("in", `{"a":100,"dev":"d1"}`)
	windows.want(`{"w":16}`)
	r.publish("in", `{"a":100,"dev":"d2"}`, `{"a":100,"dev":"d3"}`)
	texts.want(`{"t":"hall 1"}`, `{"t":"true"}`, `{"t":"none"}`)
	out.next(3)
	r.must(r.PutKeyedState("limit/1", []byte(`"warm"`)))
	r.publish("in", `{"a":1000}`)
	r.await("a text is no bigint", func() bool {
		s, ok := r.status("limit", "op_3_project_0_last_exception").(string)
		return ok && strings.Contains(s, "warm")
	})
	r.must(r.PutKeyedState("limit/1", []byte("7")))
	if err := r.PutKeyedState("x", []byte("[1]")); err == nil {
		t.Error("a list was taken")
	}
	r.close()

	r = newRig(t, o)
	out = r.listen("out")
	r.publish("in", `{"a":6}`, `{"a":8}`)
	out.want(`{"a":8,"l":7}`)
	if got, want := jsonOf(t, r.KeyedStates()), `{"d1":"hall 1","d2":true,"limit/1":7}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ok, err := r.DeleteKeyedState("limit/1")
	if !ok || err != nil {
		t.Errorf("delete: %v, %v", ok, err)
	}
	r.publish("in", `{"a":8}`, `{"a":11}`)
	out.want(`{"a":11,"l":10}`)
}
