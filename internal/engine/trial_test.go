package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/api"
)

// shy is a source of which nothing comes, and no end.
type shy struct{ *meter }

// Run implements source.Source.
func (s shy) Run(ctx context.Context) error {
	s.tracker.Start()
	<-ctx.Done()
	return s.tracker.End(ctx, ctx.Err())
}

// addShy adds the source type shy, whose sources can be opened once what is returned
// is true: nothing that can be checked before says so.
func addShy(r *rig) (there *atomic.Bool) {
	there = new(atomic.Bool)
	r.types.sources["shy"] = source.Type{Check: func(source.Def) (source.Use, error) {
		return source.Use{
			Feed: func(f *ingest.Options) { f.Format, f.NewDecoder = "binary", newMeterDecoder },
			Open: func(to source.Target) (source.Source, error) {
				if !there.Load() {
					return nil, errors.New("not there")
				}
				return shy{&meter{to: to, safe: new(atomic.Uint64)}}, nil
			},
		}, nil
	}}
	r.tables = r.types.tables()
	return there
}

// unrunnable are definitions that no rule could ever run on, with what is wrong. They
// are refused wherever they come from.
var unrunnable = []struct{ name, options, want string }{
	{"type", `TYPE="nothing", DATASOURCE="x"`, "source type nothing is not supported"},
	{"topic", `TYPE="mqtt", DATASOURCE="in/#/x"`, "in/#/x"},
	{"no topic", `TYPE="mqtt"`, "empty topic"},
	{"one of two topics", `TYPE="mqtt", DATASOURCE="a,b/#/c"`, "b/#/c"},
	{"no datasource", `TYPE="memory"`, "DATASOURCE"},
	{"topic of the bus", `TYPE="memory", DATASOURCE="in/#/x"`, "in/#/x"},
	{"no file", `TYPE="file"`, "DATASOURCE"},
	{"property", `TYPE="mqtt", DATASOURCE="x", EXTRA="{\"qos\":7}"`, `"qos"`},
	{"server", `TYPE="mqtt", DATASOURCE="x", EXTRA="{\"server\":\"nope://x\"}"`, "nope"},
	{"property of a file", `TYPE="file", DATASOURCE="x.json", EXTRA="{\"interval\":\"soon\"}"`, `"interval"`},
	{"bad data", `TYPE="simulator", EXTRA="{\"data\":\"x\"}"`, `"data"`},
	{"connection", `TYPE="mqtt", DATASOURCE="x", EXTRA="{\"connectionSelector\":\"none\"}"`, "connectionSelector none"},
	{"schema", `TYPE="memory", DATASOURCE="x", FORMAT="protobuf", SCHEMAID="none.M"`, `no schema "none"`},
	{"no schema", `TYPE="memory", DATASOURCE="x", FORMAT="protobuf"`, "SCHEMAID"},
	{"broken schema", `TYPE="memory", DATASOURCE="x", FORMAT="protobuf", SCHEMAID="p.Nothing"`, "Nothing"},
	{"format", `TYPE="memory", DATASOURCE="x", FORMAT="xml"`, "format xml"},
	{"twins", `TYPE="mqtt", DATASOURCE="x", EXTRA="{\"kubeedgeFormat\":\"square\"}"`, "kubeedgeFormat"},
	{"twins of another format", `TYPE="mqtt", DATASOURCE="x", FORMAT="delimited", EXTRA="{\"kubeedgeFormat\":\"flat\"}"`, "twins come as json"},
}

func TestUnrunnableIsRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.must(r.CreateSchema(api.Schema{Type: api.SchemaProtobuf, Name: "p", Content: "syntax = \"proto3\";\nmessage M { int64 a = 1; }"}))
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("a", "SELECT seq FROM s", "out")
	for _, u := range unrunnable {
		for _, kind := range []string{"STREAM", "TABLE"} {
			text := func(name string) string { return fmt.Sprintf("CREATE %s %s () WITH (%s)", kind, name, u.options) }
			check := func(how string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), u.want) {
					t.Errorf("%s of a %s with a bad %s: got %v, want %s", how, kind, u.name, err, u.want)
				}
			}
			_, err := r.ExecStatement(text("x"))
			check("creation", err)
			if kind == "STREAM" {
				check("replacement", r.ReplaceStream(api.Stream, "s", text("s")))
				_, err = r.ForceReplaceStream(api.Stream, "s", text("s"))
				check("forced replacement", err)
				bad := r.ImportDefinitions(api.Definitions{Streams: map[string]string{"x": text("x"), "s": text("s")}})
				check("import", errors.New(bad.Streams["x"]))
				check("import", errors.New(bad.Streams["s"]))
			}
			check("replacement where there is none", r.ReplaceStream(kindNamed(kind), "x", text("x")))
			if n := len(r.StreamList(kindNamed(kind))); kind == "TABLE" && n != 0 || n > 1 {
				t.Errorf("there are %d of %s", n, kind)
			}
		}
	}
	r.publish("in", `{"seq":0}`)
	out.wantSeq(0, 1)
}

func kindNamed(kind string) api.StreamKind {
	if kind == "TABLE" {
		return api.Table
	}
	return api.Stream
}

// A change is tried with all rules, however many they are, and leaves them alone.
func TestChangeStopsSomeOfMany(t *testing.T) {
	r := newRig(t, Options{})
	text := func(columns string) string {
		return fmt.Sprintf(`CREATE STREAM s (%s) WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`, columns)
	}
	r.sql("%s", text("a BIGINT, b BIGINT"))
	out := r.listen("out")
	r.rule("a", "SELECT b FROM s", "out")
	const n = 2*triedAtOnce + 1
	for i := range n {
		r.rule(fmt.Sprintf("r%03d", i), "SELECT a FROM s", "none")
	}
	r.rule("z", "SELECT b FROM s", "out")
	err := r.ReplaceStream(api.Stream, "s", text("a BIGINT"))
	if err == nil || !strings.Contains(err.Error(), "rule a: ") || !strings.Contains(err.Error(), "rule z: ") || strings.Contains(err.Error(), "rule r") {
		t.Errorf("got %v, want the rules a and z", err)
	}
	err = r.ReplaceStream(api.Stream, "s", text("b BIGINT"))
	if more := fmt.Sprintf("and %d more", n-manyNamed); err == nil || !strings.HasSuffix(err.Error(), more) {
		t.Errorf("got %v, want %s", err, more)
	}
	r.publish("in", `{"a":1,"b":2}`)
	out.want(`{"b":2}`, `{"b":2}`)
}

// A graph whose source cannot run is refused as the stream would be, when it is
// validated and when it is created.
func TestUnrunnableGraph(t *testing.T) {
	r := newRig(t, Options{})
	text := `{"id":"g","graph":{"nodes":{"in":{"type":"source","nodeType":"mqtt","props":{"datasource":"in/#/x"}},
		"out":{"type":"sink","nodeType":"nop","props":{}}},"topo":{"sources":["in"],"edges":{"in":["out"]}}}}`
	d, err := parseRule([]byte(text))
	r.must(err)
	if _, err := r.ValidateRule(d); err == nil || !strings.Contains(err.Error(), "in/#/x") {
		t.Errorf("validated: got %v", err)
	}
	if err := r.CreateRule(d); err == nil || !strings.Contains(err.Error(), "in/#/x") {
		t.Errorf("created: got %v", err)
	}
}

// planned is what a stream of the model may be.
type planned struct {
	options string
	fields  string
	keyed   bool // it names the group of settings k
	good    bool
}

var definable = []planned{
	{fields: "", options: `DATASOURCE="in/%[1]s"`, good: true},
	{fields: "a BIGINT, b BIGINT", options: `DATASOURCE="in/%[1]s"`, good: true},
	{fields: "b BIGINT", options: `DATASOURCE="in/%[1]s"`, good: true}, // without a
	{fields: "", options: `DATASOURCE="in/%[1]s", CONF_KEY="k"`, keyed: true, good: true},
	{fields: "", options: `FORMAT="xml", DATASOURCE="in/%[1]s"`},
	{fields: "", options: `DATASOURCE=""`},
}

// lot is a random sequence of calls and the plain model of what it must come to.
type lot struct {
	*rig
	rnd     *rand.Rand
	streams map[string]planned
	rules   map[string]*lotRule
	selects bool // the group k names a connection that is there
	said    int
	calls   []string
}

type lotRule struct {
	stream  string
	started bool // by a client
	out     *listener
}

// fits tells whether a rule over a stream can run.
func (l *lot) fits(stream string) bool {
	p, ok := l.streams[stream]
	return ok && p.runs(l.selects) && p.fields != "b BIGINT"
}

func (p planned) runs(selects bool) bool { return p.good && (!p.keyed || selects) }

// breaks tells whether a rule runs that would not after change.
func (l *lot) breaks(change func() (undo func())) bool {
	var running []*lotRule
	for _, r := range l.rules {
		if r.started && l.fits(r.stream) {
			running = append(running, r)
		}
	}
	undo := change()
	defer undo()
	return slices.ContainsFunc(running, func(r *lotRule) bool { return !l.fits(r.stream) })
}

// call notes a call and compares whether it was refused.
func (l *lot) call(refused bool, err error, format string, args ...any) {
	l.t.Helper()
	l.calls = append(l.calls, fmt.Sprintf(format, args...))
	if (err != nil) != refused {
		l.t.Fatalf("%s: got %v, want refused: %v\n%s", l.calls[len(l.calls)-1], err, refused, strings.Join(l.calls, "\n"))
	}
}

func (l *lot) pick() (name string, p planned, text string) {
	name = fmt.Sprint("s", l.rnd.IntN(3))
	p = definable[l.rnd.IntN(len(definable))]
	return name, p, fmt.Sprintf(`CREATE STREAM %[1]s (`+p.fields+`) WITH (TYPE="memory", `+p.options+`)`, name)
}

// streamStep does something to a stream.
func (l *lot) streamStep() {
	name, p, text := l.pick()
	old, known := l.streams[name]
	change := func() func() {
		l.streams[name] = p
		return func() {
			if l.streams[name] = old; !known {
				delete(l.streams, name)
			}
		}
	}
	used := false
	for _, r := range l.rules {
		used = used || r.stream == name
	}
	switch l.rnd.IntN(6) {
	case 0:
		_, err := l.ExecStatement(text)
		l.call(known || !p.runs(l.selects), err, "POST %s", text)
		if err == nil {
			l.streams[name] = p
		}
	case 1:
		err := l.ReplaceStream(api.Stream, name, text)
		l.call(!p.runs(l.selects) || l.breaks(change), err, "PUT %s", text)
		if err == nil {
			l.streams[name] = p
		}
	case 2:
		_, err := l.ForceReplaceStream(api.Stream, name, text)
		l.call(!p.runs(l.selects), err, "PUT force %s", text)
		if err == nil {
			l.streams[name] = p
		}
	case 3:
		err := l.DropStream(api.Stream, name)
		l.call(!known || used, err, "DELETE %s", name)
		if err == nil {
			delete(l.streams, name)
		}
	case 4:
		_, err := l.ForceDropStream(api.Stream, name)
		l.call(!known, err, "DELETE force %s", name)
		delete(l.streams, name)
	case 5:
		bad := l.ImportDefinitions(api.Definitions{Streams: map[string]string{name: text}})
		var err error
		if bad.Streams[name] != "" {
			err = errors.New(bad.Streams[name])
		}
		l.call(!p.runs(l.selects) || l.breaks(change), err, "import %s", text)
		if err == nil {
			l.streams[name] = p
		}
	}
}

// ruleStep does something to a rule.
func (l *lot) ruleStep() {
	id := fmt.Sprint("r", l.rnd.IntN(4))
	stream := fmt.Sprint("s", l.rnd.IntN(3))
	r, known := l.rules[id], l.rules[id] != nil
	made := &lotRule{stream: stream, started: true, out: l.listen("out/" + id)}
	def := l.def(id, "SELECT a FROM "+stream, toMemory("out/"+id))
	switch l.rnd.IntN(6) {
	case 0:
		err := l.CreateRule(def)
		l.call(known || !l.fits(stream), err, "POST rule %s over %s", id, stream)
		if err == nil {
			l.rules[id] = made
		}
	case 1:
		_, err := l.ReplaceRule(def)
		l.call(!l.fits(stream), err, "PUT rule %s over %s", id, stream)
		if err == nil {
			l.rules[id] = made
		}
	case 2:
		l.call(!known, l.DeleteRule(id), "DELETE rule %s", id)
		delete(l.rules, id)
	case 3:
		l.call(!known, l.StopRule(id), "stop %s", id)
		if known {
			r.started = false
		}
	case 4:
		err := l.StartRule(id)
		l.call(!known || !l.fits(r.stream), err, "start %s", id)
		if err == nil {
			r.started = true
		}
	case 5:
		bad := l.ImportDefinitions(api.Definitions{Rules: map[string]string{id: string(def.Raw)}})
		var err error
		if bad.Rules[id] != "" {
			err = errors.New(bad.Rules[id])
		}
		l.call(!l.fits(stream), err, "import of rule %s over %s", id, stream)
		if err == nil {
			l.rules[id] = made
		}
	}
}

// confStep changes the group of settings k.
func (l *lot) confStep() {
	to := l.rnd.IntN(2) == 0
	was := l.selects
	refused := l.breaks(func() func() {
		l.selects = to
		return func() { l.selects = was }
	})
	err := l.PutConfKey(api.ConfSources, "memory", "k", map[string]any{"connectionSelector": map[bool]string{true: "c", false: "none"}[to]})
	l.call(refused, err, "PUT group k, good: %v", to)
	if err == nil {
		l.selects = to
	}
}

// check sends a message to each stream and receives it from each rule that is to run.
func (l *lot) check() {
	l.t.Helper()
	l.said++
	for i := range 3 {
		l.publish(fmt.Sprintf("in/s%d", i), fmt.Sprintf(`{"a":%d,"b":1}`, l.said))
	}
	for id, r := range l.rules {
		want := "stopped"
		switch {
		case r.started && l.fits(r.stream):
			want = "running"
			if got := r.out.next(1)[0]; got != fmt.Sprintf(`{"a":%d}`, l.said) {
				l.t.Fatalf("%s: got %s, want message %d\n%s", id, got, l.said, strings.Join(l.calls, "\n"))
			}
		case r.started:
			want = "stopped by error"
		}
		if got := l.statusOf(id); got != want {
			l.t.Fatalf("%s over %s is %s, want %s\n%s", id, r.stream, got, want, strings.Join(l.calls, "\n"))
		}
	}
	if got := len(l.RuleList()); got != len(l.rules) {
		l.t.Fatalf("there are %d rules, want %d\n%s", got, len(l.rules), strings.Join(l.calls, "\n"))
	}
}

// TestLotOfDefinitions: whatever comes in which order, what the answers say is what
// happens, a rule that can run runs at once, and no call but a forced one stops one.
func TestLotOfDefinitions(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := &lot{
				rig: newRig(t, Options{Patrol: time.Hour}), rnd: rand.New(rand.NewPCG(seed, 19)), streams: map[string]planned{}, rules: map[string]*lotRule{}, selects: true,
			}
			l.must(l.PutConfKey(api.ConfConnections, "memory", "c", map[string]any{}))
			l.must(l.PutConfKey(api.ConfSources, "memory", "k", map[string]any{"connectionSelector": "c"}))
			for range 150 {
				switch n := l.rnd.IntN(10); {
				case n < 4:
					l.streamStep()
				case n < 9:
					l.ruleStep()
				default:
					l.confStep()
				}
				l.check()
			}
		})
	}
}
