package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// leave ends the engine without waiting for destinations: what waits is stored.
func (r *rig) leave() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.must(r.Close(ctx))
}

// count returns how many of the bodies come from each rule.
func counted(bodies []string) map[string]int {
	n := map[string]int{}
	for _, b := range bodies {
		for _, id := range []string{"old", "new", "b"} {
			if strings.Contains(b, `"`+id+`"`) {
				n[id]++
			}
		}
	}
	return n
}

// TestOutputsKeptOrDropped: what waits of a rule that is deleted goes or stays as the
// client says, whatever of others waits beside it, in this process and in the next; a
// rule of the same name that comes later is another one.
func TestOutputsKeptOrDropped(t *testing.T) {
	const n = 20
	for _, drop := range []bool{false, true} {
		for _, restart := range []string{"no restart", "restart before", "restart behind"} {
			t.Run(fmt.Sprintf("drop=%v/%s", drop, restart), func(t *testing.T) {
				o := Options{Store: store.Options{FS: vfs.NewMem()}, Dir: t.TempDir()}
				r := newRig(t, o)
				g := newGate(r)
				var deleted uint64
				again := func() {
					r.leave()
					st := r.queues.Total()
					deleted = st.Lost[loss.Deleted] // until the end
					r = newRig(t, o)
				}
				rule := func(id, of string) {
					r.must(r.CreateRule(r.def(id, fmt.Sprintf("SELECT %q AS of, seq FROM s", of), g.action())))
				}
				r.memoryStream("s", "in")
				rule("a", "old")
				rule("b", "b")
				for i := range n {
					r.publish("in", fmt.Sprintf(`{"seq":%d}`, i))
				}
				r.await("all wait", func() bool {
					list, err := r.Outboxes()
					return err == nil && len(list) == 1 && list[0].Messages == 2*n
				})
				if list, _ := r.Outboxes(); list[0].Waiting["a"] != n || list[0].Waiting["b"] != n {
					t.Errorf("waiting: got %v, want %d of each", list[0].Waiting, n)
				}
				if restart == "restart before" {
					again()
				}
				if drop {
					got, err := r.DeleteRuleOutputs("a")
					r.must(err)
					if restart != "restart before" && got != n {
						t.Errorf("dropped %d, want %d", got, n)
					}
				} else {
					r.must(r.DeleteRule("a"))
				}
				rule("a", "new")
				r.publish("in", `{"seq":99}`)
				r.await("the new ones wait", func() bool {
					list, err := r.Outboxes()
					return err == nil && list[0].Messages > 0 && r.status("a", "sink_rest_0_0_records_in_total") == uint64(1)
				})
				if restart == "restart behind" {
					again()
				}
				close(g.open)
				r.await("nothing waits", func() bool {
					list, err := r.Outboxes()
					return err == nil && list[0].Messages == 0
				})
				got := counted(slices.Clone(g.bodies(t, 1)))
				if got["b"] < n+1 || got["new"] < 1 { // what was under way may come twice
					t.Errorf("got %v, want %d of b and one of the new rule", got, n+1)
				}
				if drop && got["old"] > 1 || !drop && got["old"] < n {
					t.Errorf("got %d of the deleted rule", got["old"])
				}
				st := r.queues.Total()
				if deleted += st.Lost[loss.Deleted]; drop && (deleted < n-1 || deleted > n) || !drop && deleted > 0 {
					t.Errorf("ledger: got %d", deleted)
				}
			})
		}
	}
}

// What is known of deleted rules is forgotten when nothing waits any more.
func TestGravesAreTidied(t *testing.T) {
	o := Options{Store: store.Options{FS: vfs.NewMem()}, Dir: t.TempDir()}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.rule("a", "SELECT seq FROM s", "out")
	if _, err := r.DeleteRuleOutputs("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteRuleOutputs("a"); err == nil {
		t.Error("deleted twice")
	}
	r.close()
	r = newRig(t, o)
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.mu.graves) != 0 {
		t.Errorf("got %v", r.mu.graves)
	}
}
