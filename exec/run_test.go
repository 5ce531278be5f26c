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
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// anyStream knows every stream, without a schema.
type anyStream struct{}

// Source implements planner.Catalog.
func (anyStream) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name}, true
}

// add binds a rule and enters it into b.
func add(t testing.TB, b *planner.Builder, id planner.RuleID, text string, count bool) {
	t.Helper()
	st, err := sql.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	env := planner.Env{Funcs: fn.Set{}, Catalog: anyStream{}, Fold: exec.FoldIn(time.UTC)}
	q, err := planner.Bind(env, fmt.Sprintf("r%d", id), st.(*sql.Select), planner.Settings{Epoch: b.Next()})
	if err != nil {
		t.Fatal(err)
	}
	b.Add(id, q.Root, count)
}

var paths = [][]string{{"a"}, {"b"}, {"d"}, {"n"}, {"l"}}

// batch makes rows with the columns a (number), b (number, sometimes null, text
// or missing), d (device), l (a long text) and n (row number).
func batch(r *rand.Rand, plan *vec.Plan, rows, from int, mixed bool) *vec.Batch {
	return batchFrom(r, plan, rows, int64(from), mixed)
}

// batchFrom is batch for numbers of rows that an int may be too small for.
func batchFrom(r *rand.Rand, plan *vec.Plan, rows int, from int64, mixed bool) *vec.Batch {
	b := &vec.Batch{Plan: plan, Rows: rows, Cols: make([]vec.Column, len(plan.Cols)), Routes: &vec.Routes{Streams: [][]uint32{{0}}}}
	b.Clean = b.Clean.Grow(rows)
	for i := range b.Cols {
		b.Cols[i].Reset(rows)
	}
	for row := range rows {
		b.Route, b.At = append(b.Route, 0), append(b.At, 1000)
		for i, c := range plan.Cols {
			col := &b.Cols[i]
			switch c.Path[0] {
			case "a":
				col.SetFloat(row, float64(r.IntN(100)))
			case "b":
				switch k := r.IntN(10); {
				case mixed && k == 0:
					col.SetNull(row)
				case mixed && k == 1:
				case mixed && k == 2:
					col.SetString(row, []byte("text"))
				default:
					col.SetFloat(row, float64(r.IntN(10)))
				}
			case "d":
				col.SetString(row, fmt.Appendf(nil, "dev%d", r.IntN(20)))
			case "l":
				col.SetString(row, fmt.Appendf(nil, longName, r.IntN(20)))
			case "n":
				col.SetInt(row, from+int64(row))
			}
		}
	}
	return b
}

// longName does not fit the buffers that short texts are converted in.
const longName = "plant-7/hall-3/line-12/machine-0815/sensor-%d"

func planOf() *vec.Plan {
	var specs []vec.ColumnSpec
	for _, p := range paths {
		specs = append(specs, vec.ColumnSpec{Path: p})
	}
	return vec.NewPlan(1, specs)
}

// sent keeps what rules send, by rule.
type sent struct {
	enc  *encode.Encoder
	rows map[planner.RuleID][]string
	fail func() // called before each output
	n    int
}

func newSent(t testing.TB) *sent {
	t.Helper()
	enc, err := encode.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &sent{enc: enc, rows: map[planner.RuleID][]string{}, fail: func() {}}
}

// Send implements exec.Output.
func (s *sent) Send(rule planner.RuleID, p *vec.Projection, row int) error {
	return s.SendRows(rule, p, []int32{int32(row)})
}

// SendRows implements exec.Output.
func (s *sent) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error {
	s.fail()
	text, _, err := s.enc.AppendRows(nil, p, rows)
	if err != nil {
		text = []byte(err.Error())
	}
	s.rows[rule] = append(s.rows[rule], string(text))
	s.n++
	return nil
}

// Fault implements exec.Output.
func (s *sent) Fault(planner.RuleID, string) {}

// counting counts only.
type counting struct{ n int }

// Send implements exec.Output.
func (c *counting) Send(planner.RuleID, *vec.Projection, int) error {
	c.n++
	return nil
}

// SendRows implements exec.Output.
func (c *counting) SendRows(_ planner.RuleID, _ *vec.Projection, rows []int32) error {
	c.n += len(rows)
	return nil
}

// Fault implements exec.Output.
func (c *counting) Fault(planner.RuleID, string) {}

// A steady Run allocates nothing, and neither does a window that ends.
func TestRunAllocs(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		count     bool
		rules     int
	}{
		{"count", "SELECT a FROM s WHERE a > %d", true, 500},
		{"rank", "SELECT a, d FROM s WHERE a > %d", false, 50},
		{"pivot", "SELECT a, b FROM s WHERE d = 'dev%d' AND a > 10", false, 50},
		{"in", "SELECT a, b FROM s WHERE d IN ('dev%d', 'x')", false, 50},
		{"numbers", "SELECT a FROM s WHERE a = %d", false, 50},
		{"long texts", "SELECT a FROM s WHERE l = '" + longName + "' AND (l LIKE '%%sensor%%' OR a > 1)", false, 20},
		{"grouped by long texts", "SELECT l, min(a) AS x FROM s GROUP BY l, TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d", false, 5},
		{"project", "SELECT a + b AS c, a * 2 AS e, d FROM s WHERE a - b > %d", false, 5},
		{"logic", "SELECT a FROM s WHERE a > %d OR b < 3 OR d LIKE 'dev1%%'", false, 5},
		{"function", "SELECT abs(a) AS c, floor(b) AS e FROM s WHERE a > %d", false, 5},
		{"tumbling", "SELECT d, avg(a) AS m, max(b) AS x, count(*) AS c FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) HAVING avg(a) > %d", false, 50},
		{"tumbling without keys", "SELECT sum(a) AS m FROM s WHERE b > 3 GROUP BY TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d", false, 5},
		{"filter", "SELECT d, sum(a) FILTER (WHERE b > 3) AS m, count(*) FILTER (WHERE a > 5) AS c FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d", false, 5},
		{"hopping", "SELECT d, avg(a) AS m, max(b) AS x, count(*) AS c FROM s GROUP BY d, HOPPINGWINDOW(ss, 5, 2) HAVING avg(a) > %d", false, 5},
		{"lengths", "SELECT d, avg(a) AS m FROM s GROUP BY d, TUMBLINGWINDOW(ss, %d1) HAVING avg(a) > 1", false, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := planner.NewBuilder()
			for i := range tt.rules {
				add(t, b, planner.RuleID(i+1), fmt.Sprintf(tt.sql, i), tt.count)
			}
			out := &counting{}
			x := exec.New(exec.Env{}, out)
			now := int64(1_000_000)
			x.SetProgram(0, b.Program(), now)
			in := batch(rand.New(rand.NewPCG(1, 1)), planOf(), vec.MaxRows, 0, false)
			run := func() {
				now += 400
				x.Advance(now)
				x.Run(in, now)
			}
			for range 20 {
				run()
			}
			if n := testing.AllocsPerRun(20, run); n != 0 {
				t.Errorf("%v allocations", n)
			}
			var matched uint64
			for _, m := range x.Stats().Matched {
				matched += m
			}
			if matched == 0 || !tt.count && out.n == 0 {
				t.Error("no rule matched")
			}
		})
	}
}

var mixedRules = []string{
	"SELECT n FROM s WHERE a > 50", "SELECT n, b FROM s WHERE b < 4", "SELECT n FROM s WHERE d = 'dev3' AND a > 5",
	"SELECT n, a + b AS c FROM s WHERE a < 50", "SELECT n FROM s WHERE b = 3", "SELECT n FROM s WHERE a > b OR d = 'dev1'",
	"SELECT d, count(*) AS c, sum(a) AS m FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1)", "SELECT n, CASE WHEN a > 90 THEN 'hot' ELSE b END AS c FROM s",
	"SELECT n FROM s WHERE d IN ('dev1', 'dev2')", "SELECT lag(n) AS l, n FROM s WHERE a > 20",
}

// A batch whose rows belong to different streams gives each stream what it gets
// from a batch of its own, and counts the same.
func TestSplitBatches(t *testing.T) {
	const streams = 3
	routes := [][]uint32{{0}, {1}, {0, 1}, {2}, {0, 1, 2}, {}}
	one, many := newSent(t), newSent(t)
	x, y := exec.New(exec.Env{}, one), exec.New(exec.Env{}, many)
	for s := range uint32(streams) {
		for _, e := range []*exec.Executor{x, y} {
			b := planner.NewBuilder()
			for i, text := range mixedRules {
				add(t, b, planner.RuleID(1+int(s)*100+i), text, i%3 == 0)
			}
			e.SetProgram(s, b.Program(), 1000)
		}
	}
	r := rand.New(rand.NewPCG(5, 5))
	now := int64(1000)
	for round := range 60 {
		now += int64(r.IntN(300))
		rows := 1 + r.IntN(200)
		b := batch(r, planOf(), rows, round*1000, true)
		b.Routes = &vec.Routes{Streams: routes}
		for i := range b.Route {
			b.Route[i] = uint32(r.IntN(len(routes)))
			if round%5 == 0 {
				b.Route[i] = uint32(round / 5 % len(routes)) // all alike
			}
		}
		x.Advance(now)
		x.Run(b, now)
		y.Advance(now)
		for s := range uint32(streams) {
			var own []int32
			for i, route := range b.Route {
				if slices.Contains(routes[route], s) {
					own = append(own, int32(i))
				}
			}
			y.Run(only(b, own, s), now)
		}
	}
	x.Advance(now + 5000)
	y.Advance(now + 5000)
	for s := range streams {
		for i, text := range mixedRules {
			id := planner.RuleID(1 + s*100 + i)
			if got, want := strings.Join(one.rows[id], "\n"), strings.Join(many.rows[id], "\n"); got != want {
				t.Errorf("%s: split\n%.500s\nown\n%.500s", text, got, want)
			}
			a, b := x.Stats(), y.Stats()
			if a.Matched[id] != b.Matched[id] || a.Faults[id] != b.Faults[id] || a.In[id] != b.In[id] {
				t.Errorf("%s: split: %d matched, %d faults of %d; own: %d, %d of %d", text, a.Matched[id], a.Faults[id], a.In[id], b.Matched[id], b.Faults[id], b.In[id])
			}
		}
	}
	if one.n == 0 {
		t.Error("nothing was sent")
	}
}

// only returns some rows of b as a batch of stream s.
func only(b *vec.Batch, rows []int32, s uint32) *vec.Batch {
	o := &vec.Batch{Plan: b.Plan, Rows: len(rows), Cols: make([]vec.Column, len(b.Cols)), Routes: &vec.Routes{Streams: [][]uint32{{s}}}}
	o.Clean = o.Clean.Grow(len(rows))
	for i := range b.Cols {
		o.Cols[i].Gather(&b.Cols[i], rows)
	}
	o.Route = make([]uint32, len(rows))
	for _, r := range rows {
		o.At = append(o.At, b.At[r])
	}
	return o
}

// A panic in the middle of a batch costs the rule that it came in; when that one
// comes back it is whole, and so are the others all the time.
func TestPanicInTheMidst(t *testing.T) {
	b := planner.NewBuilder()
	for i, text := range mixedRules {
		add(t, b, planner.RuleID(i+1), text, false)
	}
	r := rand.New(rand.NewPCG(9, 9))
	in := batch(r, planOf(), 300, 0, true)
	in.Routes = &vec.Routes{Streams: [][]uint32{{0}, {1}}}
	for i := range in.Route {
		in.Route[i] = uint32(i % 2)
	}
	for at := 1; at < 200; at += 13 {
		out, want := newSent(t), newSent(t)
		x, y := exec.New(exec.Env{}, out), exec.New(exec.Env{}, want)
		for _, e := range []*exec.Executor{x, y} {
			e.SetProgram(0, b.Program(), 1000)
			e.SetProgram(1, b.Program(), 1000)
		}
		left := at
		out.fail = func() {
			if left--; left == 0 {
				panic("output")
			}
		}
		compare := func(now int64, aside planner.RuleID) {
			clear(out.rows)
			clear(want.rows)
			list := x.Run(in, now).Broken
			y.Run(in, now)
			if aside == 0 && len(list) == 1 {
				aside = list[0].Rules[0]
			}
			for i, text := range mixedRules {
				id := planner.RuleID(i + 1)
				if got, want := fmt.Sprint(out.rows[id]), fmt.Sprint(want.rows[id]); got != want && id != aside {
					t.Fatalf("%s: beside a panic\n%.300s\nwant\n%.300s", text, got, want)
				}
			}
			x.Forget(aside)
		}
		compare(1100, 0)
		if left > 0 {
			t.Fatal("no panic")
		}
		compare(1200, planner.RuleID(len(mixedRules)+1))
		x.Advance(3000)
	}
}

func TestStats(t *testing.T) {
	out := newSent(t)
	x := exec.New(exec.Env{}, out)
	b := planner.NewBuilder()
	add(t, b, 1, "SELECT a FROM s WHERE a >= 50", true)
	add(t, b, 2, "SELECT a FROM s WHERE b > 4", false)
	add(t, b, 3, "SELECT a FROM s WHERE b IN (1, 2, 3)", false)
	x.SetProgram(0, b.Program(), 1000)
	in := batch(rand.New(rand.NewPCG(2, 2)), planOf(), 100, 0, true)
	x.Run(in, 1000)
	x.Run(in, 1000)
	var hot, text uint64
	for i, f := range in.Cols[0].Floats {
		if f >= 50 {
			hot += 2
		}
		if in.Cols[1].Value(i).Kind == vec.String {
			text += 2
		}
	}
	s := x.Stats()
	if s.Matched[1] != hot || s.Faults[1] != 0 || s.Faults[2] != text || s.Faults[3] != text || s.In[1] != 200 || s.In[3] != 200 {
		t.Errorf("got matched %v, faults %v, in %v; want %d hot rows, %d faults, 200 rows", s.Matched[1:4], s.Faults[1:4], s.In[1:4], hot, text)
	}
	if !strings.Contains(s.Last[2], "text") || s.Rows != 200 || s.Batches != 2 || s.Evaluations != 600 {
		t.Errorf("got last fault %q, %d rows, %d batches, %d evaluations", s.Last[2], s.Rows, s.Batches, s.Evaluations)
	}
	if again := x.Stats(); again.Matched[1] != hot || again.In[1] != 200 {
		t.Errorf("asked again: %d matched of %d", again.Matched[1], again.In[1])
	}
	x.Forget(1)
	if s := x.Stats(); s.Matched[1] != 0 || s.In[1] != 0 || s.In[2] != 200 {
		t.Errorf("forgotten: %d matched, %d rows", s.Matched[1], s.In[1])
	}
	// Without a program nothing is evaluated, and what was counted stays.
	x.Run(in, 1000)
	x.SetProgram(0, nil, 1000)
	n := out.n
	x.Run(in, 1000)
	if s := x.Stats(); out.n != n || s.Matched[1] != hot/2 || s.Evaluations != 900 {
		t.Errorf("stream that ended: %d outputs, %d matched, %d evaluations", out.n-n, s.Matched[1], s.Evaluations)
	}
	x.SetProgram(7, nil, 1000) // never begun
}

// The deadline is that of the window that ends first, and goes with it.
func TestDeadline(t *testing.T) {
	x := exec.New(exec.Env{}, newSent(t))
	if x.Deadline() != 0 {
		t.Error("a deadline without windows")
	}
	b, c := planner.NewBuilder(), planner.NewBuilder()
	add(t, b, 1, "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 10)", false)
	add(t, c, 2, "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 3)", false)
	x.SetProgram(0, b.Program(), 1000)
	x.SetProgram(1, c.Program(), 1000)
	if got := x.Deadline(); got != 3000 {
		t.Errorf("got %d, want 3000", got)
	}
	x.Advance(3000)
	if got := x.Deadline(); got != 6000 {
		t.Errorf("got %d, want 6000", got)
	}
	x.SetProgram(1, nil, 3500)
	if got := x.Deadline(); got != 10000 {
		t.Errorf("without the shorter one: got %d, want 10000", got)
	}
	x.SetProgram(0, nil, 3500)
	if got := x.Deadline(); got != 0 {
		t.Errorf("without windows: got %d", got)
	}
}

// However many rows rules select from a window, each gets one message.
func TestManyPairsOfAWindow(t *testing.T) {
	const rules, devices = 400, 400
	out := newSent(t)
	x := exec.New(exec.Env{}, out)
	b := planner.NewBuilder()
	for i := range rules {
		add(t, b, planner.RuleID(i+1), fmt.Sprintf("SELECT d, count(*) AS c FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d - 1000", i), false)
	}
	x.SetProgram(0, b.Program(), 1000)
	in := batch(rand.New(rand.NewPCG(2, 2)), planOf(), devices, 0, false)
	d := &in.Cols[2]
	d.Reset(devices)
	for i := range devices {
		d.SetString(i, fmt.Appendf(nil, "dev%d", i))
	}
	x.Run(in, 1000)
	x.Advance(2000)
	for i := range rules {
		got := out.rows[planner.RuleID(i+1)]
		if len(got) != 1 || strings.Count(got[0], "dev") != devices {
			t.Fatalf("rule %d: got %d messages", i+1, len(got))
		}
	}
}

// Constants are computed in the time zone in which rows are.
func TestFoldIn(t *testing.T) {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	st, err := sql.Parse(`SELECT hour(0) AS h, format_time(0, "HH:mm") AS f FROM s`)
	if err != nil {
		t.Fatal(err)
	}
	out := newSent(t)
	x := exec.New(exec.Env{Location: loc}, out)
	q, err := planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: anyStream{}, Fold: exec.FoldIn(loc)}, "r", st.(*sql.Select), planner.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	b := planner.NewBuilder()
	b.Add(1, q.Root, false)
	x.SetProgram(0, b.Program(), 0)
	x.Run(batch(rand.New(rand.NewPCG(1, 1)), planOf(), 1, 0, false), 0)
	if got := fmt.Sprint(out.rows[1]); got != `[[{"f":"08:00","h":8}]]` {
		t.Errorf("got %s", got)
	}
}
