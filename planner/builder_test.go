package planner_test

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
	"github.com/weir-engine/weir/vec"
)

// catalog is the streams of a test.
type catalog map[string]*planner.Source

// Source implements planner.Catalog.
func (c catalog) Source(name string) (*planner.Source, bool) {
	s, ok := c[name]
	return s, ok
}

var streams = catalog{
	"s": {Name: "s"},
	"typed": {Name: "typed", Timestamp: "ts", Fields: []vec.Field{
		{Name: "a", Type: vec.Type{Kind: vec.Int64}},
		{Name: "b", Type: vec.Type{Kind: vec.String}},
		{Name: "ts", Type: vec.Type{Kind: vec.Int64}},
		{Name: "o", Type: vec.Type{Kind: vec.JSON, Fields: []vec.Field{{Name: "x", Type: vec.Type{Kind: vec.Float64}}}}},
	}},
	"tab": {Name: "tab", Table: true},
}

func bind(rule planner.RuleID, text string) (*planner.Query, error) {
	st, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	sel, ok := st.(*sql.Select)
	if !ok {
		return nil, fmt.Errorf("no SELECT: %s", text)
	}
	set := planner.Settings{EventTime: strings.Contains(text, "/* event */"), LateMs: 1000}
	return planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: streams, Fold: exec.FoldIn(time.UTC)}, fmt.Sprintf("r%d", rule), sel, set)
}

func mustBind(t testing.TB, rule planner.RuleID, text string) *planner.Query {
	t.Helper()
	q, err := bind(rule, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// pool is rules of all forms: every index, conditions left to it, shared and own
// steps, projections, windows.
var pool = []string{
	"SELECT * FROM s",
	"SELECT a FROM s",
	"SELECT b, a FROM s",
	"SELECT a, b FROM s",
	"SELECT a + b AS c FROM s WHERE a > %d",
	"SELECT a FROM s WHERE a > %d",
	"SELECT a FROM s WHERE %d < a",
	"SELECT b FROM s WHERE a >= %d AND b < 3",
	"SELECT b FROM s WHERE a <= %d",
	"SELECT b FROM s WHERE a BETWEEN %d AND 7",
	"SELECT b FROM s WHERE b < 3 AND a >= %d",
	"SELECT * FROM s WHERE d = 'dev%d'",
	"SELECT * FROM s WHERE d = 'dev%d' AND a > 3",
	"SELECT * FROM s WHERE d IN ('x', 'dev%d', 'x')",
	"SELECT * FROM s WHERE a IN (1, %d, 3)",
	"SELECT * FROM s WHERE a = %d",
	"SELECT * FROM s WHERE a = 900719925474099%d",
	"SELECT * FROM s WHERE a IN (9007199254740993, 5, -900719925474099%d)",
	"SELECT * FROM s WHERE b > %d AND a = 9007199254740993",
	"SELECT * FROM s WHERE a != %d AND d LIKE 'x%%'",
	"SELECT * FROM s WHERE a + %d > b",
	"SELECT a->b->c AS x, a->b AS y FROM s WHERE a->b->d > %d",
	"SELECT rand() AS r, a FROM s WHERE a > %d",
	"SELECT * EXCEPT(a), abs(a) AS z FROM s WHERE NOT (a > %d)",
	"SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1) HAVING count(*) > %d",
	"SELECT d, avg(a) AS m, max(b) AS x FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) HAVING avg(a) > %d",
	"SELECT d, avg(b) AS m FROM s GROUP BY d, TUMBLINGWINDOW(ss, 1) HAVING avg(b) > %d",
	"SELECT d, sum(a) AS m FROM s WHERE b > 1 GROUP BY d, TUMBLINGWINDOW(ss, %d)",
	"SELECT * FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
	"SELECT a, e FROM s GROUP BY TUMBLINGWINDOW(ss, 1) ORDER BY a LIMIT %d",
	"SELECT lag(a) AS l, a FROM s WHERE a > %d",
	"SELECT avg(a) AS m FROM s GROUP BY HOPPINGWINDOW(ss, 10, %d)",
	"SELECT last_hit_count() AS h, a FROM s WHERE a > %d",
}

// eventPool is the same for event time.
var eventPool = []string{
	"/* event */ SELECT a FROM typed WHERE a > %d",
	"/* event */ SELECT a, b FROM typed",
	"/* event */ SELECT o->x AS x FROM typed WHERE b = 'x%d'",
	"/* event */ SELECT b, avg(a) AS m FROM typed GROUP BY b, TUMBLINGWINDOW(ss, 1) HAVING avg(a) > %d",
	"/* event */ SELECT sum(o->x) AS m FROM typed WHERE a > 2 GROUP BY TUMBLINGWINDOW(ss, %d)",
	"/* event */ SELECT * FROM typed GROUP BY SLIDINGWINDOW(ss, %d)",
	"/* event */ SELECT lag(a) AS l FROM typed WHERE a > %d",
}

// poolRule returns a random rule.
func poolRule(r *rand.Rand, pool []string) string {
	text := pool[r.IntN(len(pool))]
	if strings.Contains(text, "%d") {
		text = fmt.Sprintf(text, 1+r.IntN(6))
	}
	return text
}

// After any edits a program is what a new builder makes of the same rules, and
// programs that were published before are what they were.
func TestBuilderEdits(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		pool := pool
		if seed%4 == 3 {
			pool = eventPool
		}
		b := planner.NewBuilder()
		rules := map[planner.RuleID]rule{}
		var published []*planner.Program
		var dumps []string
		for step := range 120 {
			id := planner.RuleID(1 + r.IntN(25))
			if _, ok := rules[id]; ok {
				b.Remove(id)
				delete(rules, id)
			}
			if r.IntN(3) > 0 {
				x := rule{poolRule(r, pool), r.IntN(2) == 0}
				b.Add(id, mustBind(t, id, x.text).Root, x.count)
				rules[id] = x
			}
			if r.IntN(5) > 0 {
				continue
			}
			p := b.Program()
			checkProgram(t, p)
			got, want := dump(p), dump(scratch(t, rules))
			if got != want {
				t.Fatalf("seed %d, step %d: edited\n%s\nfrom scratch\n%s", seed, step, got, want)
			}
			if b.Program() != p {
				t.Fatal("a program that did not change was published anew")
			}
			published, dumps = append(published, p), append(dumps, got)
		}
		for i, p := range published {
			if got := dump(p); got != dumps[i] {
				t.Fatalf("seed %d: program %d changed after it was published:\n%s\nwas\n%s", seed, i, got, dumps[i])
			}
		}
		for id := range rules {
			b.Remove(id)
		}
		if got, want := dump(b.Program()), dump(planner.NewBuilder().Program()); got != want {
			t.Fatalf("seed %d: without rules there remains\n%s", seed, got)
		}
		if n := len(b.Columns()); n != 0 {
			t.Fatalf("seed %d: without rules %d columns are read", seed, n)
		}
	}
}

type rule struct {
	text  string
	count bool
}

func scratch(t *testing.T, rules map[planner.RuleID]rule) *planner.Program {
	t.Helper()
	b := planner.NewBuilder()
	for id := planner.RuleID(1); id <= 25; id++ {
		if x, ok := rules[id]; ok {
			b.Add(id, mustBind(t, id, x.text).Root, x.count)
		}
	}
	return b.Program()
}

func TestRemoveUnknown(t *testing.T) {
	b := planner.NewBuilder()
	b.Remove(7)
	if b.Len() != 0 || len(b.Program().Steps) != 0 {
		t.Error("something is there")
	}
}

// checkProgram holds the invariants of the indexes.
func checkProgram(t *testing.T, p *planner.Program) {
	t.Helper()
	sorted := func(what string, n int, less func(i, j int) bool, start []int32, entries int) {
		for i := 1; i < n; i++ {
			if !less(i-1, i) {
				t.Fatalf("%s: keys are not sorted", what)
			}
		}
		if len(start) != n+1 || start[0] != 0 || int(start[n]) != entries || !slices.IsSorted(start) {
			t.Fatalf("%s: %d keys, starts %v, %d entries", what, n, start, entries)
		}
	}
	for _, x := range p.Ranks {
		less := func(i, j int) bool { return x.Keys[i] < x.Keys[j] }
		if x.Op == planner.OpLt || x.Op == planner.OpLe {
			less = func(i, j int) bool { return x.Keys[i] > x.Keys[j] }
		}
		sorted("ranks", len(x.Keys), less, x.Start, len(x.Entries))
	}
	for _, x := range p.Equals {
		sorted("texts", len(x.Texts), func(i, j int) bool { return x.Texts[i] < x.Texts[j] }, x.TextStart, len(x.TextEntries))
		sorted("numbers", len(x.Nums), func(i, j int) bool {
			return x.Nums[i] < x.Nums[j] || x.Nums[i] == x.Nums[j] && x.Wide[i] < x.Wide[j]
		}, x.NumStart, len(x.NumEntries))
	}
	for _, w := range p.Windows {
		checkProgram(t, w.Out)
	}
	for _, o := range p.Orders {
		checkProgram(t, o.Out)
	}
}

// dump writes what a program says, without the places where it says it.
func dump(p *planner.Program) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	text := func(id planner.StepID) string {
		if id == planner.NoStep {
			return "-"
		}
		return p.Steps[id].Text
	}
	for i, c := range p.Cols {
		if p.Used[i] {
			add("column %q", c.Key())
		}
	}
	for _, s := range p.Steps {
		if s.Node != nil {
			args := make([]string, len(s.In))
			for i, a := range s.In {
				args[i] = text(a)
			}
			add("step %s of %q", s.Text, args)
		}
	}
	for _, x := range p.Projs {
		if x != nil {
			add("projection %s", projection(x, text))
		}
	}
	entry := func(e planner.Entry) string {
		s := fmt.Sprintf("rule %d: %s", e.Rule, projection(p.Projs[e.Proj], text))
		if e.Rest >= 0 {
			for _, a := range p.Rests[e.Rest] {
				s += fmt.Sprintf(" and %s %v %v %v %q", text(a.Step), a.Kind, a.Op, a.Num, a.Text)
			}
		}
		return s
	}
	list := func(what string, es []planner.Entry) {
		for _, e := range es {
			add("%s: %s", what, entry(e))
		}
	}
	if p.Always != nil {
		list("always", p.Always.Send)
		list("always count", p.Always.Count)
	}
	for _, x := range p.Ranks {
		for i, k := range x.Keys {
			list(fmt.Sprintf("rank %s %v %v count=%v", text(x.Step), x.Op, k, x.Count), x.At(i))
		}
	}
	for _, x := range p.Equals {
		for i, k := range x.Texts {
			list(fmt.Sprintf("text %s %q", text(x.Step), k), x.AtText(i))
		}
		for i, k := range x.Nums {
			list(fmt.Sprintf("number %s %v", text(x.Step), k), x.AtNum(i))
		}
	}
	for _, x := range p.Conds {
		list("condition "+text(x.Step), x.Send)
		list("condition count "+text(x.Step), x.Count)
	}
	for _, id := range p.Analytics {
		add("analytic %s", text(id))
	}
	for _, s := range p.Serials {
		add("serial %s %s", entry(s.Entry), texts(s.Where, text))
	}
	for _, w := range p.Windows {
		out = append(out, window(w, text))
	}
	for _, o := range p.Orders {
		out = append(out, fmt.Sprintf("order %d time %s %s", o.LateMs, text(o.Time), stage(&o.Stage, nil, text)))
	}
	for _, f := range p.Feeds {
		out = append(out, fmt.Sprintf("feed %s %d time %s %s", f.Stream, f.Join, text(f.Time), stage(&f.Stage, nil, text)))
	}
	for _, t := range p.Tables {
		out = append(out, fmt.Sprintf("table %d by %s kind %s %s", t.Retain, text(t.Key), text(t.RowKind), stage(&t.Stage, nil, text)))
	}
	slices.Sort(out)
	return fmt.Sprintf("%d rules\n%s", p.Rules, strings.Join(out, "\n"))
}

func texts(ids []planner.StepID, text func(planner.StepID) string) string {
	var out []string
	for _, id := range ids {
		out = append(out, text(id))
	}
	return strings.Join(out, "; ")
}

func projection(x *planner.Projection, text func(planner.StepID) string) string {
	var b strings.Builder
	for _, f := range x.Fields {
		fmt.Fprintf(&b, "%s %s=%s %v; ", f.Key, f.Name, text(f.Step), f.Plain)
	}
	for _, o := range x.Order {
		fmt.Fprintf(&b, "by %s %v; ", text(o.Step), o.Desc)
	}
	fmt.Fprint(&b, texts(x.Numbered, text), text(x.Star), text(x.Meta), text(x.Spread), x.Except, x.SendNil, x.Distinct, x.Limit, x.Offset, x.Text)
	return b.String()
}

func window(w *planner.Window, text func(planner.StepID) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "window %+v where %s after=%v", w.Spec, texts(w.Where, text), w.After)
	fmt.Fprintf(&b, " filter %s when %s emit %s parts %s keys %s group=%v serial=%v\n",
		text(w.Filter), text(w.When), text(w.Emit), texts(w.Parts, text), texts(w.Keys, text), w.Group, w.Serial)
	return b.String() + stage(&w.Stage, w, text)
}

// stage writes a stage; w is its window, or nil.
func stage(s *planner.Stage, w *planner.Window, text func(planner.StepID) string) string {
	lines := []string{"  guard " + texts(s.Guard, text)}
	for i, c := range s.Cols {
		if !s.Out.Used[i] {
			continue
		}
		switch c.Kind {
		case planner.ColKey:
			lines = append(lines, "  key "+text(w.Keys[c.Index]))
		case planner.ColRow:
			lines = append(lines, "  row "+text(s.Rows[c.Index]))
		case planner.ColAgg:
			a := w.Aggs[c.Index]
			lines = append(lines, fmt.Sprintf("  aggregate %s %s of %s filter %s %v %v", a.Text, a.Func, texts(a.Args, text), text(a.Filter), a.Star, a.Diff))
		default:
			lines = append(lines, fmt.Sprint("  bound ", c.Kind))
		}
	}
	for _, m := range s.Members {
		lines = append(lines, fmt.Sprint("  rule ", m.Rule))
	}
	slices.Sort(lines)
	return s.Text + "\n" + strings.Join(lines, "\n") + "\n  " + strings.ReplaceAll(dump(s.Out), "\n", "\n  ")
}

// Expressions that are equal are one step, whatever they look like; those that
// are not are two.
func TestSharing(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"a > 1", "1 < a", true},
		{"a BETWEEN 1 AND 3", "a >= 1 AND a <= 3", true},
		{"a > 1 AND b > 2", "b > 2 AND a > 1", false}, // another part fails first
		{"a > 1 AND a > 1", "a > 1", true},
		{"a > 1 + 1", "a > 2", true},
		{"a > 1 OR b > 2", "b > 2 OR a > 1", false},
		{"a > 1", "a > 1.0", true},
		{"a > 1", "a >= 1", false},
		{"a IN (b)", "a IN b", false},
		{"a->b > 1", "`a->b` > 1", false},
		{"a = '1'", "a = 1", false},
		{"meta(a) = 1", "a = 1", false},
		{"abs(a) > 1", "ABS(a) > 1", true},
		{"rand() > 0.5", "rand() > 0.5", false},
	} {
		one := steps(t, tt.a)
		both := steps(t, tt.a, tt.b)
		if got := one == both && one == steps(t, tt.b); got != tt.same {
			t.Errorf("%s and %s: %d steps alone, %d together", tt.a, tt.b, one, both)
		}
	}
}

// steps returns the number of steps and of entries in indexes that rules with
// these conditions need, the same condition counted once.
func steps(t *testing.T, where ...string) int {
	t.Helper()
	b := planner.NewBuilder()
	for i, w := range where {
		id := planner.RuleID(i + 1)
		b.Add(id, mustBind(t, id, "SELECT 1 AS x FROM s WHERE "+w).Root, false)
	}
	p := b.Program()
	n := 0
	for _, s := range p.Steps {
		if s.Node != nil {
			n++
		}
	}
	for _, x := range p.Ranks {
		n += 10 * len(x.Keys)
	}
	for _, x := range p.Equals {
		n += 10 * (len(x.Texts) + len(x.Nums))
	}
	return n + 10*len(p.Conds)
}

// Every lookup in the indexes finds what was entered.
func TestEqualIndexFind(t *testing.T) {
	b := planner.NewBuilder()
	for i := range 50 {
		id := planner.RuleID(i + 1)
		b.Add(id, mustBind(t, id, fmt.Sprintf("SELECT a FROM s WHERE d = 'd%d'", i)).Root, false)
		b.Add(id+100, mustBind(t, id, fmt.Sprintf("SELECT a FROM s WHERE d = %d", i)).Root, false)
	}
	x := b.Program().Equals[0]
	for i := range 50 {
		if k := x.FindText(fmt.Sprintf("d%d", i)); k < 0 || x.AtText(k)[0].Rule != planner.RuleID(i+1) {
			t.Errorf("d%d is not found", i)
		}
		if k := x.FindNum(float64(i), 0); k < 0 || x.AtNum(k)[0].Rule != planner.RuleID(i+101) {
			t.Errorf("%d is not found", i)
		}
	}
	if x.FindText("d") >= 0 || x.FindText("zz") >= 0 || x.FindNum(0.5, 0) >= 0 || x.FindNum(99, 0) >= 0 || x.FindNum(5, 5) >= 0 {
		t.Error("found what is not there")
	}
}

// A rule that looks for a number beyond 2^53 is found by the index of equalities, as
// any other, and numbers that share a float64 have places of their own.
func TestWideNumbers(t *testing.T) {
	b := planner.NewBuilder()
	const first int64 = 1712345678901234567
	for i := range 100 {
		b.Add(planner.RuleID(i+1), mustBind(t, planner.RuleID(i+1), fmt.Sprintf("SELECT b FROM s WHERE a = %d AND b > 3", first+int64(i))).Root, false)
	}
	p := b.Program()
	if len(p.Equals) != 1 || len(p.Equals[0].Nums) != 100 || len(p.Conds) != 0 || p.Always != nil {
		t.Fatalf("got %d indexes of equalities, %d of conditions", len(p.Equals), len(p.Conds))
	}
	x := p.Equals[0]
	for i := range 100 {
		n := first + int64(i)
		wide := n
		if _, ok := vec.ExactFloat(n); ok {
			wide = 0
		}
		if k := x.FindNum(float64(n), wide); k < 0 || x.AtNum(k)[0].Rule != planner.RuleID(i+1) || x.Num(k).I != n {
			t.Errorf("%d: found at %d", n, k)
		}
		if k := x.FindNum(float64(n), -wide-1); k >= 0 {
			t.Errorf("beside %d: found at %d", n, k)
		}
	}
}
