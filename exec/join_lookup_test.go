package exec_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// external is a lookup table in a store.
func external(c planner.LookupCache) planner.Source {
	return planner.Source{Table: true, Lookup: true, External: true, Cache: c}
}

// answer answers the oldest question: rows by the number that the key is, none for
// one that is not there.
func (j *joinRun) answer(rows map[int64][]string) {
	j.t.Helper()
	l := j.asked[0]
	j.asked = j.asked[1:]
	out := make([]exec.LookupRows, len(l.Keys))
	for i, k := range l.Keys {
		if len(k.Values) != len(l.Fields) || k.Values[0].Kind != vec.Int64 {
			j.t.Fatalf("key %d: got %v for %v", i, k.Values, l.Fields)
		}
		for _, text := range rows[k.Values[0].I] {
			if text == "error" {
				out[i].Err = errors.New("store is down")
				continue
			}
			out[i].Rows = append(out[i].Rows, vec.Value{Kind: vec.JSON, S: text})
		}
	}
	j.free = append(j.free, j.x.Found(l, out, j.now).Free...)
}

func (j *joinRun) wantSent(want ...string) {
	j.t.Helper()
	if got := fmt.Sprint(j.sent); got != fmt.Sprint(want) {
		j.t.Errorf("got %s, want %s", got, want)
	}
	j.sent = nil
}

// Several batches ask before the first is answered; they are sent in their order,
// whichever answer comes first, and a batch is held until its rows are through.
func TestLookupOrder(t *testing.T) {
	j := newJoinRun(t, "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", map[string]planner.Source{"t": external(planner.LookupCache{})})
	j.push(t, `s {"v":0}`)
	if j.last.Held != 0 {
		t.Error("a batch without a key is held")
	}
	j.wantSent(`[{"v":0}]`)
	var tickets []exec.Ticket
	for i := range 3 {
		j.push(t, fmt.Sprintf(`s {"id":%d,"v":%d}`, i, i), fmt.Sprintf(`s {"id":%d.0,"v":%d}`, i, i+10))
		tickets = append(tickets, j.last.Held)
	}
	if len(j.asked) != 3 || len(j.asked[0].Keys) != 1 {
		t.Fatalf("got %d questions, the first of %d keys, want 3 and 1", len(j.asked), len(j.asked[0].Keys))
	}
	rows := map[int64][]string{0: {`{"name":"a"}`}, 2: {`{"name":"b"}`, `{"name":"c"}`}}
	first := j.asked[0]
	j.asked = j.asked[1:]
	j.answer(rows)
	j.answer(rows)
	j.wantSent()
	j.asked = []*exec.Lookup{first}
	j.answer(rows)
	j.wantSent(`[{"name":"a","v":0}]`, `[{"name":"a","v":10}]`, `[{"v":1}]`, `[{"v":11}]`,
		`[{"name":"b","v":2},{"name":"c","v":2}]`, `[{"name":"b","v":12},{"name":"c","v":12}]`)
	if slices.Contains(tickets, 0) || !slices.Equal(j.free, tickets) {
		t.Errorf("batches %d were held, and %d are free", tickets, j.free)
	}
}

// The rows whose key failed are lost, with the reason; the others of the batch are
// not, and a second table is asked for them only.
func TestLookupLost(t *testing.T) {
	j := newJoinRun(t, "SELECT v, name, k FROM s LEFT JOIN t ON s.id = t.id LEFT JOIN u ON t.o = u.id", map[string]planner.Source{
		"t": external(planner.LookupCache{}), "u": external(planner.LookupCache{}),
	})
	j.push(t, `s {"id":1,"v":1}`, `s {"id":2,"v":2}`, `s {"id":3,"v":3}`)
	j.answer(map[int64][]string{1: {`{"name":"a","o":7}`}, 2: {"error"}, 3: {`{"name":"b","o":8}`}})
	if len(j.asked) != 1 || len(j.asked[0].Keys) != 2 || j.asked[0].Fields[0] != "id" {
		t.Fatalf("got %v, want a question of two keys", j.asked)
	}
	j.answer(map[int64][]string{7: {`{"k":70}`}, 8: {"error"}})
	j.wantSent(`[{"k":70,"name":"a","v":1}]`)
	if st := j.x.Stats(); st.Faults[1] != 2 || st.Last[1] != "store is down" {
		t.Errorf("got %d faults, last %q", st.Faults[1], st.Last[1])
	}
}

func TestLookupCache(t *testing.T) {
	for _, c := range []struct {
		cache planner.LookupCache
		asks  string // keys that are asked for at 0, 10, 50, 100
	}{
		{planner.LookupCache{}, "[2 2 2 2]"},
		{planner.LookupCache{On: true}, "[2 1 1 1]"},
		{planner.LookupCache{On: true, Missing: true}, "[2 0 0 0]"},
		{planner.LookupCache{On: true, TTLMs: 50}, "[2 1 2 2]"},
		{planner.LookupCache{On: true, Missing: true, TTLMs: 51}, "[2 0 0 2]"},
	} {
		j := newJoinRun(t, "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", map[string]planner.Source{"t": external(c.cache)})
		var asks []int
		for _, j.now = range []int64{0, 10, 50, 100} {
			j.push(t, `s {"id":1,"v":1}`, `s {"id":2,"v":2}`)
			n := 0
			for len(j.asked) > 0 {
				n += len(j.asked[0].Keys)
				j.answer(map[int64][]string{1: {`{"name":"a"}`}})
			}
			asks = append(asks, n)
			j.wantSent(`[{"name":"a","v":1}]`, `[{"v":2}]`)
		}
		if fmt.Sprint(asks) != c.asks {
			t.Errorf("%+v: asked for %v keys, want %s", c.cache, asks, c.asks)
		}
	}
}

// A cache does not grow for ever.
func TestLookupCacheBound(t *testing.T) {
	j := newJoinRun(t, "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", map[string]planner.Source{"t": external(planner.LookupCache{On: true, Missing: true})})
	const keys = 1<<16 + 500
	push := func() (asked int) {
		for from := 0; from < keys; from += 900 {
			var rows []string
			for id := from; id < min(from+900, keys); id++ {
				rows = append(rows, fmt.Sprintf(`s {"id":%d,"v":1}`, id))
			}
			j.push(t, rows...)
			for len(j.asked) > 0 {
				asked += len(j.asked[0].Keys)
				j.answer(nil)
			}
		}
		return asked
	}
	if n := push(); n != keys {
		t.Errorf("asked for %d keys, want %d", n, keys)
	}
	if n := push(); n < 500 || n == keys {
		t.Errorf("asked for %d keys again, want some, not all", n)
	}
}

// No store is asked for rows that WHERE does not want, and none is counted less.
func TestLookupWanted(t *testing.T) {
	j := newJoinRun(t, "SELECT s.v, t.name AS nm FROM s LEFT JOIN t ON s.id = t.id WHERE s.v > 20 AND t.name != 'x'", map[string]planner.Source{"t": external(planner.LookupCache{})})
	j.push(t, `s {"id":1,"v":10}`, `s {"id":2}`, `s {"id":3,"v":null}`)
	if len(j.asked) != 0 || j.last.Held != 0 {
		t.Errorf("got %d questions, want none", len(j.asked))
	}
	j.push(t, `s {"id":4,"v":10}`, `s {"id":5,"v":30}`, `s {"id":6,"v":"hot"}`)
	if len(j.asked) != 1 || len(j.asked[0].Keys) != 2 {
		t.Fatalf("got %d questions, want one of 2 keys", len(j.asked))
	}
	j.answer(map[int64][]string{5: {`{"name":"a"}`}, 6: {`{"name":"b"}`}})
	j.wantSent(`[{"nm":"a","v":30}]`)
	if st := j.x.Stats(); st.Faults[1] != 1 {
		t.Errorf("got %d faults, want that of the text", st.Faults[1])
	}
	if got, want := fmt.Sprint(j.x.JoinRows(9)), "map[s:6 t:2]"; got != want {
		t.Errorf("rows: got %s, want %s", got, want)
	}
}

// A window that would park more rows for a store than may wait is lost.
func TestParkedBound(t *testing.T) {
	j := newJoinRun(t, "SELECT count(*) AS n FROM s LEFT JOIN t ON s.id = t.id GROUP BY COUNTWINDOW(1000)", map[string]planner.Source{"t": external(planner.LookupCache{})})
	rows := make([]string, 1000)
	for i := range rows {
		rows[i] = `s {"id":1}`
	}
	for range 1<<20/len(rows) + 3 { // nobody answers
		j.push(t, rows...)
	}
	st := j.x.Stats()
	lost, _ := st.LostBy(1)
	if lost != (loss.Counts{loss.Parked: 3}) || st.Lost != lost || !strings.Contains(st.Last[1], "wait for the answer") {
		t.Errorf("got %v of the rule, %v of all, last %q", lost.Named(), st.Lost.Named(), st.Last[1])
	}
}
