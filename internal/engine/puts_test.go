package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

// The parts of statements of which one is put in the place of another: what is sent,
// from which rows, and gathered how. {s} and {u} are streams.
var (
	putLists = []string{
		"a", "a, b", "*", "DISTINCT a % 2 AS d", "a, lag(a) AS p", "acc_sum(a) AS t", "abs(b) AS x",
		"count(*) AS c", "sum(a) AS t", "count(*) AS c, sum(a) AS t", "max(b) AS m", "min(a) AS n, max(a) AS m", "collect(a) AS l", "collect(b) AS l",
		"count(*) FILTER (WHERE a % 2 = 0) AS f", "sum(a) FILTER (WHERE b > 3) AS f", "stddev(a) AS d", "a, count(*) AS c", "b, max(a) AS m",
		"count(*) AS c, lag(count(*)) AS p", "count(*) AS c, last_agg_hit_count() AS n", "collect(*) AS l", "changed_cols(\"x\", true, count(*))",
	}
	putWheres = []string{"", "", "", " WHERE a % 3 != 0", " WHERE had_changed(true, a % 3)"}
	putKeys   = []string{"", "", "a % 2, "}
	putEnds   = []string{"", "", "", " HAVING count(*) > 1", " HAVING sum(a) % 2 = 0", " ORDER BY a DESC", " ORDER BY b, a LIMIT 2", " HAVING max(b) > 3 ORDER BY count(*)"}
	// putWindows depend on nothing but the messages; those of eventWindows do so in
	// event time.
	putWindows = []string{
		"", "COUNTWINDOW(2)", "COUNTWINDOW(3)", "COUNTWINDOW(4, 2)", "SLIDINGWINDOW(hh, 20)", "SLIDINGWINDOW(hh, 20) OVER (WHEN a % 4 = 0)",
		"SLIDINGWINDOW(hh, 20) OVER (WHEN last_hit_count() < 3)", "STATEWINDOW(a % 5 = 0, a % 5 = 3)", "STATEWINDOW(a % 4 = 0, a % 4 = 2) OVER (PARTITION BY b % 2)",
		"COUNTWINDOW(3) FILTER (WHERE a % 5 != 0)",
	}
	eventWindows = []string{
		"", "TUMBLINGWINDOW(ss, 2)", "TUMBLINGWINDOW(ss, 3)", "HOPPINGWINDOW(ss, 3, 2)", "HOPPINGWINDOW(ss, 4, 1)", "SLIDINGWINDOW(ss, 2)",
		"SLIDINGWINDOW(ss, 3) OVER (WHEN a % 4 = 0)", "SESSIONWINDOW(ss, 10, 2)", "STATEWINDOW(a % 5 = 0, a % 5 = 3)", "TUMBLINGWINDOW(ss, 2) FILTER (WHERE a % 5 != 0)",
	}
	// neverKept are the parts of statements that may begin anew although nothing changed:
	// what functions remember, joins, and windows that keep rows, which after a PUT do not
	// know since when they have the operands of an aggregate that it brought.
	neverKept = []string{"JOIN", "SLIDINGWINDOW", "lag(", "acc_sum(", "had_changed(", "hit_count(", "changed_cols("}
	putFields = []string{"", "a BIGINT, b BIGINT, ts BIGINT", "a BIGINT, b STRING, ts BIGINT", "a FLOAT, b BIGINT, ts BIGINT"}
)

// statement is one of those, in its parts.
type statement struct{ list, from, where, keys, window, end, options string }

func (s statement) text() string {
	out := "SELECT " + s.list + " FROM " + s.from + s.where
	if s.window != "" {
		out += " GROUP BY " + s.keys + s.window + s.end
	}
	return out
}

// putRule is a rule, and what it would have sent if each of its statements had been there
// as long as it says that it was.
type putRule struct {
	n             int
	is            statement
	running, gone bool
	life          int         // number of the rule that does alone what this one does
	seen          [][2]string // stream and payload, since the rule remembers
	out, alone    *listener
	want          []string // of the rules before
	replayed      bool
}

func (l *putRule) id() string      { return fmt.Sprint("r", l.n) }
func (l *putRule) aloneID() string { return fmt.Sprintf("r%d_%d", l.n, l.life) }
func (l *putRule) topic() string   { return "out/" + l.id() }
func (l *putRule) own() string     { return fmt.Sprintf("%d_%d", l.n, l.life) }

// puts is a test of what a PUT keeps.
type puts struct {
	*rig
	alone  *rig
	rnd    *rand.Rand
	list   []*putRule
	fields map[string]string // of the streams s and u
	a, ts  int
	rows   [2]uint64
	log    []string
	states map[api.State]int
}

func newPuts(t *testing.T, seed uint64) *puts {
	v := &puts{
		rig: newRig(t, Options{}), alone: newRig(t, Options{}), rnd: rand.New(rand.NewPCG(seed, 1)),
		fields: map[string]string{"s": "", "u": ""}, states: map[api.State]int{},
	}
	for _, s := range []string{"s", "u"} {
		v.sql("CREATE STREAM %s", v.definition(s, s, "in/"+s))
	}
	return v
}

// definition defines a stream with the fields of s.
func (v *puts) definition(s, name, topic string) string {
	return fmt.Sprintf(`%s (%s) WITH (TYPE="memory", DATASOURCE=%q, FORMAT="json", TIMESTAMP="ts")`, name, v.fields[s], topic)
}

func (v *puts) one(of []string) string { return of[v.rnd.IntN(len(of))] }

// random makes a statement that can be run; most often one that differs little from is.
func (v *puts) random(is statement) statement {
	for {
		s := is
		if is.from == "" || v.rnd.IntN(4) == 0 {
			s.from, s.options, s.window = "{s}", "{}", v.one(putWindows)
			if v.rnd.IntN(2) == 0 {
				s.options, s.window = v.one(eventOptions[:5]), v.one(eventWindows)
			}
			if s.window != "" && v.rnd.IntN(5) == 0 {
				s.from = "{s} INNER JOIN {u} ON {s}.a % 3 = {u}.a % 3"
			}
			s.where, s.keys = v.one(putWheres), v.one(putKeys)
		}
		s.list, s.end = v.one(putLists), v.one(putEnds)
		if strings.Contains(s.from, "JOIN") {
			s.list, s.end, s.keys, s.where = v.one([]string{"{s}.a", "{u}.b", "count(*) AS c", "sum({s}.a) AS t"}), "", "", ""
			s.window = strings.NewReplacer(" a %", " {s}.a %", "(a %", "({s}.a %", "BY b", "BY {u}.b").Replace(s.window)
		}
		d, err := v.def("x", s, "s", "u", "x")
		if err == nil {
			if _, err = v.ValidateRule(d); err == nil {
				return s
			}
		}
	}
}

// def makes the definition of a rule over streams.
func (v *puts) def(id string, s statement, first, second, topic string) (*ruledef.Def, error) {
	sql := strings.NewReplacer("{s}", first, "{u}", second).Replace(s.text())
	return parseRule(fmt.Appendf(nil, `{"id":%q,"sql":%q,"options":%s,"actions":[%s]}`, id, sql, s.options, toMemory(topic)))
}

func (v *puts) crowd(l *putRule) *ruledef.Def {
	d, err := v.def(l.id(), l.is, "s", "u", l.topic())
	v.must(err)
	return d
}

func (v *puts) logf(format string, args ...any) { v.log = append(v.log, fmt.Sprintf(format, args...)) }

// begin has a new rule do alone what l does from now on. With replay it has been there
// since l remembers.
func (v *puts) begin(l *putRule, replay bool) {
	l.life++
	l.replayed = replay
	for _, s := range []string{"s", "u"} {
		v.alone.sql("CREATE STREAM %s", v.definition(s, s+l.own(), "in/"+s+l.own()))
	}
	d, err := v.def(l.aloneID(), l.is, "s"+l.own(), "u"+l.own(), "out/"+l.aloneID())
	v.must(err)
	l.alone = v.alone.listen("out/" + l.aloneID())
	v.must(v.alone.CreateRule(d))
	v.alone.exec.Sync()
	if !replay {
		l.seen = nil
	}
	for _, m := range l.seen {
		v.feed(l, m[0], m[1])
	}
	v.alone.received(l.alone, "out/"+l.aloneID())
}

// end is the end of what l does.
func (v *puts) end(l *putRule) {
	l.want = append(l.want, v.alone.received(l.alone, "out/"+l.aloneID())...)
	v.must(v.alone.DeleteRule(l.aloneID()))
	v.alone.exec.Sync()
}

// feed sends a message to the rule that is alone.
func (v *puts) feed(l *putRule, stream, payload string) {
	if !strings.Contains(l.is.from, "{"+stream+"}") {
		return
	}
	v.rows[1]++
	v.alone.publish("in/"+stream+l.own(), payload)
	v.await("the executor has seen the message", func() bool { return v.alone.Totals().Rows >= v.rows[1] })
}

func (v *puts) post() {
	l := &putRule{n: len(v.list), is: v.random(statement{}), running: true}
	v.list = append(v.list, l)
	v.logf("post %d %s %s", l.n, l.is.text(), l.is.options)
	l.out = v.listen(l.topic())
	v.must(v.CreateRule(v.crowd(l)))
	v.begin(l, false)
}

func (v *puts) put(l *putRule) {
	was := l.is
	if v.rnd.IntN(6) > 0 {
		l.is = v.random(l.is)
	}
	state := v.replace(v.crowd(l))
	v.states[state]++
	v.logf("put %d %s %s: %s", l.n, l.is.text(), l.is.options, state)
	if state != api.NoState && !l.running {
		v.t.Errorf("a rule that does not run has something: %s", state)
	}
	if l.running {
		v.end(l)
	}
	l.running = true
	v.begin(l, state == api.StateKept)
	never := func(part string) bool { return strings.Contains(was.text(), part) }
	if was == l.is && state == api.StateAnew && !slices.ContainsFunc(neverKept, never) {
		v.t.Errorf("%s %s begins anew, but nothing changed", was.text(), was.options)
	}
}

// redefine replaces a stream: its rules begin anew.
func (v *puts) redefine(name string) {
	v.fields[name] = v.one(putFields)
	v.logf("stream %s (%s)", name, v.fields[name])
	v.must(v.ReplaceStream(api.Stream, name, "CREATE STREAM "+v.definition(name, name, "in/"+name)))
	for _, l := range v.list {
		if l.running && strings.Contains(l.is.from, "{"+name+"}") {
			v.end(l)
			v.begin(l, false)
		}
	}
}

func (v *puts) step() {
	l := v.list[v.rnd.IntN(len(v.list))]
	switch k := v.rnd.IntN(24); {
	case k < 3:
		v.post()
	case k == 3:
		v.redefine(v.one([]string{"s", "u"}))
	case l.gone:
	case k == 4:
		v.logf("delete %d", l.n)
		v.must(v.DeleteRule(l.id()))
		if l.running {
			v.end(l)
		}
		l.gone, l.running = true, false
	case k == 5 && l.running:
		v.logf("stop %d", l.n)
		v.must(v.StopRule(l.id()))
		v.end(l)
		l.running = false
	case k < 8 && !l.running:
		v.logf("start %d", l.n)
		v.must(v.StartRule(l.id()))
		v.begin(l, false)
		l.running = true
	case k >= 8:
		v.put(l)
	}
}

// send publishes a message and waits until it has gone through.
func (v *puts) send(stream string) {
	v.a++
	v.ts += v.rnd.IntN(900)
	payload := fmt.Sprintf(`{"a":%d,"b":%d,"ts":%d}`, v.a, v.a*7%11, 1_700_000_000_000+int64(v.ts-v.rnd.IntN(1200)))
	if v.a%9 == 0 {
		payload = fmt.Sprintf(`{"a":%d,"b":"x"}`, v.a)
	}
	v.logf("%s %s", stream, payload)
	read := uint64(0)
	for _, l := range v.list {
		if l.running && strings.Contains(l.is.from, "{"+stream+"}") {
			read = 1
			l.seen = append(l.seen, [2]string{stream, payload})
			v.feed(l, stream, payload)
		}
	}
	v.rows[0] += read
	v.publish("in/"+stream, payload)
	v.await("the executor has seen the message", func() bool { return v.Totals().Rows >= v.rows[0] })
}

func (v *puts) compare() {
	v.t.Helper()
	for _, l := range v.list {
		got := v.received(l.out, l.topic())
		if l.running {
			v.end(l)
		}
		if !slices.Equal(got, l.want) {
			v.t.Errorf("rule %s, %s %s: got\n%s\nwant\n%s\nafter\n%s", l.id(), l.is.text(), l.is.options, strings.Join(got, "\n"), strings.Join(l.want, "\n"), strings.Join(v.log, "\n"))
			return
		}
	}
}

// TestPuts puts statements in the place of others, with messages in between: a rule goes
// on as if it had always been as it is where the answer says so, else it begins anew.
func TestPuts(t *testing.T) {
	t.Parallel()
	states := map[api.State]int{}
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			v := newPuts(t, seed)
			v.post()
			for range 60 {
				for range v.rnd.IntN(3) {
					v.step()
				}
				v.send([]string{"s", "s", "u"}[v.rnd.IntN(3)])
				if t.Failed() {
					break
				}
			}
			v.compare()
			for s, n := range v.states {
				states[s] += n
			}
		})
	}
	for _, s := range []api.State{api.NoState, api.StateKept, api.StateAnew} {
		if states[s] < 10 {
			t.Errorf("%q was the answer %d times only", s, states[s])
		}
	}
}

// A rule of two statements keeps what both of them have, or begins anew with both.
func TestPutGraph(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	sums, rows, seen := r.listen("sums"), r.listen("rows"), r.listen("seen")
	r.rule("beside", "SELECT v FROM s", "seen")
	graph := func(sum, pick string) *ruledef.Def {
		d, err := parseRule([]byte(`{"id":"g","graph":{"nodes":{
			"src":{"type":"source","nodeType":"memory","props":{"sourceType":"stream","sourceName":"s"}},
			"two":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":3}},
			"sum":{"type":"operator","nodeType":"aggfunc","props":{"expr":"` + sum + `"}},
			"sumPick":{"type":"operator","nodeType":"pick","props":{"fields":["t"],"isAgg":true}},
			"rowPick":{"type":"operator","nodeType":"pick","props":{"fields":[` + pick + `]}},
			"sums":{"type":"sink","nodeType":"memory","props":{"topic":"sums"}},
			"rows":{"type":"sink","nodeType":"memory","props":{"topic":"rows"}}},
			"topo":{"sources":["src"],"edges":{"src":["two"],"two":["sum","rowPick"],"sum":["sumPick"],"sumPick":["sums"],"rowPick":["rows"]}}}}`))
		r.must(err)
		return d
	}
	r.must(r.CreateRule(graph("sum(v) AS t", `"v","w"`)))
	send := func(from, to int) {
		t.Helper()
		for i := from; i <= to; i++ {
			r.publish("in", fmt.Sprintf(`{"v":%d,"w":%d}`, i, 10*i))
			seen.want(fmt.Sprintf(`{"v":%d}`, i))
		}
	}
	replace := func(want api.State, d *ruledef.Def) {
		t.Helper()
		if got := r.replace(d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	send(1, 2)
	replace(api.StateKept, graph("sum(v) AS t", `"w"`))
	send(3, 3)
	sums.want(`[{"t":6}]`)
	rows.want(`[{"w":10},{"w":20},{"w":30}]`)
	send(4, 5)
	replace(api.StateAnew, graph("sum(w) AS t", `"w"`)) // the other statement could go on
	send(6, 8)
	sums.want(`[{"t":210}]`)
	rows.want(`[{"w":60},{"w":70},{"w":80}]`)
	replace(api.StateAnew, r.def("g", "SELECT v FROM s GROUP BY COUNTWINDOW(3)", toMemory("rows")))
}

// What a table keeps is there for a rule that takes another's place; an import replaces as
// a PUT does, and a stream that is replaced has its rules begin anew.
func TestPutAround(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	r.sql(`CREATE TABLE t () WITH (TYPE="memory", DATASOURCE="table", FORMAT="json", RETAIN_SIZE="10")`)
	out, joined, seen := r.listen("out"), r.listen("joined"), r.listen("seen")
	r.rule("beside", "SELECT a FROM s", "seen")
	join := func(list string) *ruledef.Def {
		return r.def("j", "SELECT "+list+" FROM s INNER JOIN t ON s.a = t.a", toMemory("joined"))
	}
	r.must(r.CreateRule(join("t.v")))
	r.publish("table", `{"a":1,"v":"one","w":1}`)
	r.await("the table has its row", func() bool { return fmt.Sprint(r.status("j", "source_t_0_records_in_total")) == "1" })
	if got := r.replace(join("t.v, t.w, s.b")); got != api.NoState {
		t.Errorf("a join of rows with a table: got %q, want nothing", got)
	}
	window := func(list string) string { return "SELECT " + list + " FROM s GROUP BY COUNTWINDOW(3)" }
	r.rule("w", window("a"), "out")
	send := func(as ...int) {
		t.Helper()
		for _, a := range as {
			r.publish("in", fmt.Sprintf(`{"a":%d,"b":%d}`, a, 10*a))
			seen.want(fmt.Sprintf(`{"a":%d}`, a))
		}
	}
	send(1, 2)
	joined.want(`{"b":10,"v":"one","w":1}`)
	d := newDefinitions().Definitions
	d.Rules["w"] = string(r.def("w", window("a, 1 AS x"), toMemory("out")).Raw)
	r.ImportDefinitions(d)
	send(3)
	out.want(`{"a":1,"x":1}`, `{"a":2,"x":1}`, `{"a":3,"x":1}`)
	send(4)
	d.Rules["w"] = string(r.def("w", window("a, b"), toMemory("out")).Raw)
	r.ImportDefinitions(d)
	send(5, 6, 7)
	out.want(`{"a":5,"b":50}`, `{"a":6,"b":60}`, `{"a":7,"b":70}`)
	send(8)
	r.must(r.ReplaceStream(api.Stream, "s", `CREATE STREAM s (a BIGINT, b STRING) WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`))
	send(9, 10, 11)
	out.want(`{"a":9,"b":"90"}`, `{"a":10,"b":"100"}`, `{"a":11,"b":"110"}`)
	r.replace(r.def("w", window("a"), toMemory("out")))
	d2 := r.def("w", window("a"), toMemory("out"))
	d2.Triggered = false
	send(12)
	if got := r.replace(d2); got != api.NoState {
		t.Errorf("a rule that is to stop: got %q", got)
	}
}
