package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/logictest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// A rule that comes after the rows of a table sees them, with columns that no
// rule read before.
func TestTableKeepsRows(t *testing.T) {
	r, err := logictest.NewRunner(logictest.Execution{Share: true, Batch: 64})
	if err != nil {
		t.Fatal(err)
	}
	run := func(line, input, want string) {
		t.Helper()
		got, err := r.Command(line, input)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	run("schema all table", "", "")
	run("rule early", "SELECT v FROM s INNER JOIN all ON s.id = all.id", "")
	run("push all", `{"id":1,"k":1,"o":{"p":"q"}}`+"\n"+`{"id":2,"k":2}`, "")
	run("rule later", "SELECT v, o->p AS p, all.k FROM s INNER JOIN all ON s.id = all.id", "")
	run("push s", `{"id":1,"v":5}`, "early {\"v\":5}\nlater {\"k\":1,\"p\":\"q\",\"v\":5}\n")
	run("drop early", "", "")
	run("push s", `{"id":2,"v":6}`, "later {\"k\":2,\"v\":6}\n")
}

// joinRun runs one rule over streams that share a feed, so that their rows come
// in one batch.
type joinRun struct {
	t     *testing.T
	x     *exec.Executor
	in    *ingest.Inbox
	feed  *ingest.Feed
	nums  map[string]uint32
	table map[string]planner.Source
	enc   *encode.Encoder
	sent  []string
	now   int64
	asked []*exec.Lookup // of stores, oldest first
	last  exec.Receipt   // of the last Run
	free  []exec.Ticket  // that answers set free
}

func (j *joinRun) Fault(planner.RuleID, string) {}
func (j *joinRun) Source(name string) (*planner.Source, bool) {
	s := j.table[name]
	s.Name = name
	return &s, true
}

func (j *joinRun) Send(_ planner.RuleID, p *vec.Projection, row int) error {
	text, _, err := j.enc.AppendMessage(nil, p, row)
	if err != nil {
		j.t.Error(err)
	}
	j.sent = append(j.sent, string(text))
	return nil
}

func (j *joinRun) SendRows(_ planner.RuleID, p *vec.Projection, rows []int32) error {
	text, _, err := j.enc.AppendRows(nil, p, rows)
	if err != nil {
		j.t.Error(err)
	}
	j.sent = append(j.sent, string(text))
	return nil
}

func newJoinRun(t testing.TB, text string, tables map[string]planner.Source) *joinRun {
	t.Helper()
	j := &joinRun{in: ingest.NewInbox(), nums: map[string]uint32{}, table: tables}
	if tt, ok := t.(*testing.T); ok {
		j.t = tt
	}
	var err error
	if j.enc, err = encode.New(nil); err != nil {
		t.Fatal(err)
	}
	if j.feed, err = ingest.NewFeed(j.in, ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	sel, err := sql.ParseSelect(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: j, Fold: exec.FoldIn(time.UTC)}, "r", sel, planner.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	j.x = exec.New(exec.Env{Location: time.UTC, Now: func() int64 { return 0 }, Lookup: func(l *exec.Lookup) { j.asked = append(j.asked, l) }}, j)
	var specs []vec.ColumnSpec
	for i, name := range q.Streams {
		j.nums[name] = uint32(i)
	}
	seen := map[string]bool{}
	for _, name := range q.Streams {
		b := planner.NewBuilder()
		b.Add(1, q.Feed(name, 9), false)
		for _, c := range b.Columns() {
			if !seen[c.Key()] {
				seen[c.Key()] = true
				specs = append(specs, c)
			}
		}
		j.x.SetProgram(j.nums[name], b.Program(), 0)
	}
	b := planner.NewJoinBuilder(q.Join, j.nums)
	b.Add(1, q.Root, false)
	j.x.SetProgram(9, b.Program(), 0)
	j.feed.SetPlan(vec.NewPlan(1, specs))
	return j
}

func (j *joinRun) push(t testing.TB, rows ...string) {
	t.Helper()
	for part := range slices.Chunk(rows, 1000) { // less than a full batch, for which Push waits
		j.pushBatch(t, part)
	}
}

func (j *joinRun) pushBatch(t testing.TB, rows []string) {
	t.Helper()
	j.feed.Begin(0)
	for _, r := range rows {
		stream, payload, _ := strings.Cut(r, " ")
		stream, deleted := strings.CutSuffix(stream, "-")
		meta := &ingest.Meta{}
		if deleted {
			meta.More = &ingest.MetaMap{Items: []ingest.MetaItem{{Key: "rowkind", Value: vec.StringValue("delete")}}}
		}
		route := j.feed.Route([]uint32{j.nums[stream]})
		if err := j.feed.Push([]byte(payload), route, meta, ingest.Ack{}); err != nil {
			t.Fatal(err)
		}
	}
	j.feed.End()
	for f, b := j.in.Take(); b != nil; f, b = j.in.Take() {
		j.last = j.x.Run(b, j.now)
		f.Done(b)
	}
}

// Rows of several streams in one batch come in the order in which they arrived,
// and so do the changes of a table between them.
func TestJoinOrder(t *testing.T) {
	j := newJoinRun(t, "SELECT l.id AS i, a, b FROM l INNER JOIN r ON l.id = r.id GROUP BY COUNTWINDOW(2)", nil)
	j.push(t, `l {"id":1,"a":1}`, `r {"id":1,"b":5}`, `l {"id":2,"a":2}`, `r {"id":3,"b":5}`, `r {"id":4,"b":6}`, `l {"id":4,"a":7}`)
	if got, want := fmt.Sprint(j.sent), `[[{"a":1,"b":5,"i":1}] [{"a":7,"b":6,"i":4}]]`; got != want {
		t.Errorf("count window: got %s, want %s", got, want)
	}
	j = newJoinRun(t, "SELECT v, name FROM s LEFT JOIN t ON s.id = t.id", map[string]planner.Source{"t": {Table: true, Retain: 1}})
	j.push(t, `s {"id":1,"v":1}`, `t {"id":1,"name":"x"}`, `s {"id":1,"v":2}`, `s {"id":1,"v":3}`, `t {"id":2,"name":"y"}`, `s {"id":1,"v":4}`)
	if got, want := fmt.Sprint(j.sent), `[[{"v":1}] [{"name":"x","v":2}] [{"name":"x","v":3}] [{"v":4}]]`; got != want {
		t.Errorf("table: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(j.x.JoinRows(9)), "map[s:4 t:2]"; got != want {
		t.Errorf("rows: got %s, want %s", got, want)
	}
}

// A join that would give too much is refused, and only that window is lost.
func TestJoinTooLarge(t *testing.T) {
	j := newJoinRun(t, "SELECT count(*) AS n FROM l CROSS JOIN r GROUP BY COUNTWINDOW(2200)", nil)
	var rows []string
	for range 1100 {
		rows = append(rows, `l {}`, `r {}`)
	}
	j.push(t, rows...)
	st := j.x.Stats()
	if len(j.sent) != 0 || st.Faults[1] != 1 || !strings.HasPrefix(st.Last[1], "join: more than 1,048,576 rows") {
		t.Errorf("got %v, %d faults, last %q", j.sent, st.Faults[1], st.Last[1])
	}
	if lost, _ := st.LostBy(1); lost != (loss.Counts{loss.Pairs: 1}) || st.Lost != lost {
		t.Errorf("lost: got %v of the rule, %v of all", lost.Named(), st.Lost.Named())
	}
}

// A join follows the changes of a table: it gives what a look at all rows of the
// table would.
func TestJoinFollowsTable(t *testing.T) {
	for name, c := range map[string]planner.Source{
		"lookup": {Table: true, Lookup: true, Key: "id"},
		"scan":   {Table: true, Retain: 40},
		"last":   {Table: true, Retain: 1},
	} {
		for _, join := range []string{"INNER", "LEFT", "RIGHT", "FULL"} {
			if c.Lookup && (join == "RIGHT" || join == "FULL") {
				continue // refused
			}
			t.Run(name+" "+join, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(1, 2))
				j := newJoinRun(t, "SELECT v, t.id AS id, t.k AS k FROM s "+join+" JOIN t ON s.k = t.k", map[string]planner.Source{"t": c})
				type row struct{ id, k int }
				var table []row
				for range 600 {
					var batch []string
					for range rnd.IntN(20) {
						r := row{rnd.IntN(60), rnd.IntN(25)}
						at := slices.IndexFunc(table, func(o row) bool { return o.id == r.id })
						switch {
						case c.Lookup && rnd.IntN(3) == 0:
							batch = append(batch, fmt.Sprintf(`t- {"id":%d}`, r.id))
							if at >= 0 {
								table = slices.Delete(table, at, at+1)
							}
							continue
						case c.Lookup && at >= 0:
							table[at] = r
						default:
							table = append(table, r)
							if c.Retain > 0 && len(table) > int(c.Retain) {
								table = table[1:]
							}
						}
						batch = append(batch, fmt.Sprintf(`t {"id":%d,"k":%d}`, r.id, r.k))
					}
					k := rnd.IntN(25)
					j.sent = j.sent[:0]
					j.push(t, append(batch, fmt.Sprintf(`s {"k":%d,"v":1}`, k))...)
					var want []string
					matched := false
					for _, r := range table {
						switch {
						case r.k == k:
							matched = true
							want = append(want, fmt.Sprintf(`{"id":%d,"k":%d,"v":1}`, r.id, r.k))
						case join == "RIGHT":
							want = append(want, fmt.Sprintf(`{"id":%d,"k":%d}`, r.id, r.k))
						}
					}
					if !matched && (join == "LEFT" || join == "FULL") {
						want = append(want, `{"v":1}`)
					}
					if join == "FULL" {
						for _, r := range table {
							if r.k != k {
								want = append(want, fmt.Sprintf(`{"id":%d,"k":%d}`, r.id, r.k))
							}
						}
					}
					if got, want := strings.Join(j.sent, ""), strings.Join(want, ","); got != "["+want+"]" && got+want != "" {
						t.Fatalf("got %s, want [%s]", got, want)
					}
				}
			})
		}
	}
}

// BenchmarkJoinChanges is a table of which a row changes for each row that is
// joined with it, each in a batch of its own.
func BenchmarkJoinChanges(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			j := newJoinRun(b, "SELECT v, name FROM s INNER JOIN t ON s.id = t.id", map[string]planner.Source{"t": {Table: true, Lookup: true, Key: "id"}})
			var rows []string
			for i := range size {
				rows = append(rows, fmt.Sprintf(`t {"id":%d,"name":"n%d"}`, i, i))
			}
			j.push(b, rows...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				j.pushBatch(b, rows[i%size:i%size+1])
				j.pushBatch(b, []string{fmt.Sprintf(`s {"id":%d,"v":1}`, i*7%size)})
				j.sent = j.sent[:0]
			}
		})
	}
}

func BenchmarkJoinTable(b *testing.B) {
	for _, c := range []struct{ name, where string }{{"all", ""}, {"few", " WHERE s.v >= 950"}} {
		b.Run("rows="+c.name, func(b *testing.B) {
			j := newJoinRun(b, "SELECT s.v, t.name AS nm FROM s INNER JOIN t ON s.id = t.id"+c.where, map[string]planner.Source{"t": {Table: true, Lookup: true, Key: "id"}})
			var rows []string
			for i := range 1000 {
				rows = append(rows, fmt.Sprintf(`t {"id":%d,"name":"n%d"}`, i, i))
			}
			j.push(b, rows...)
			rows = rows[:0]
			for i := range 1000 {
				rows = append(rows, fmt.Sprintf(`s {"id":%d,"v":%d}`, i*7%2000, i))
			}
			b.ReportAllocs()
			for b.Loop() {
				j.push(b, rows...)
				j.sent = j.sent[:0]
			}
			b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkJoinWindow(b *testing.B) {
	j := newJoinRun(b, "SELECT count(*) AS n FROM l INNER JOIN r ON l.id = r.id GROUP BY COUNTWINDOW(2000)", nil)
	var rows []string
	for i := range 1000 {
		rows = append(rows, fmt.Sprintf(`l {"id":%d,"a":1}`, i), fmt.Sprintf(`r {"id":%d,"b":1}`, i))
	}
	b.ReportAllocs()
	for b.Loop() {
		j.push(b, rows...)
		j.sent = j.sent[:0]
	}
	b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
}

// Conditions beside an equality are checked many pairs at a time, while the keys of
// later rows are still to come.
func TestManyPairsWithCondition(t *testing.T) {
	tables := map[string]planner.Source{"t": {Table: true}}
	j := newJoinRun(t, "SELECT v, k FROM s INNER JOIN t ON s.id = t.id AND t.k > 0", tables)
	var rows []string
	for k := range 1500 {
		rows = append(rows, fmt.Sprintf(`t {"id":1,"k":%d}`, k%2))
	}
	j.push(t, append(rows, `t {"id":2,"k":7}`)...)
	j.push(t, `s {"id":1,"v":1}`, `s {"id":2,"v":2}`)
	if n := strings.Count(strings.Join(j.sent, ""), `"v":1`); n != 750 {
		t.Errorf("got %d rows of the first key, want 750", n)
	}
	if n := strings.Count(strings.Join(j.sent, ""), `{"k":7,"v":2}`); n != 1 {
		t.Errorf("got %d rows of the second key, want 1", n)
	}
}
