package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

// lifeTexts are statements whose results depend on nothing but the messages since
// the rule began. {s} and {u} are streams.
var lifeTexts = []string{
	"SELECT a FROM {s}",
	"SELECT a, a * 2 AS b FROM {s} WHERE a % 3 = 1",
	"SELECT a FROM {s} GROUP BY COUNTWINDOW(2)",
	"SELECT a FROM {s} GROUP BY COUNTWINDOW(3)",
	"SELECT count(*) AS c, sum(a) AS t FROM {s} GROUP BY COUNTWINDOW(3)",
	"SELECT collect(a) AS l FROM {s} GROUP BY COUNTWINDOW(4, 2)",
	"SELECT a % 2 AS k, max(a) AS m FROM {s} GROUP BY a % 2, COUNTWINDOW(4)",
	"SELECT stddev(a) AS d, min(b) AS m FROM {s} GROUP BY COUNTWINDOW(2)",
	"SELECT count(*) AS c FROM {s} GROUP BY SLIDINGWINDOW(hh, 20)",
	"SELECT a FROM {s} WHERE a > 2 GROUP BY SLIDINGWINDOW(hh, 20) OVER (WHEN a % 4 = 0)",
	"SELECT collect(a) AS l FROM {s} GROUP BY STATEWINDOW(a % 5 = 0, a % 5 = 3)",
	"SELECT sum(a) AS t FROM {s} GROUP BY SESSIONWINDOW(hh, 20, 20)",
	"SELECT sum(a) AS t FROM {s} GROUP BY HOPPINGWINDOW(dd, 2000, 1000)",
	"SELECT a, lag(a) AS p FROM {s}",
	"SELECT acc_count(a) AS n, acc_sum(a) AS t FROM {s} WHERE a % 2 = 0",
	"SELECT latest(b) AS l FROM {s} WHERE had_changed(true, a % 3)",
	"SELECT a, last_hit_count() AS n FROM {s} WHERE last_hit_count() < 3",
	"SELECT abs(b) AS x FROM {s}", // faults
	"SELECT {s}.a, {u}.b FROM {s} INNER JOIN {u} ON {s}.a % 3 = {u}.a % 3 GROUP BY COUNTWINDOW(4)",
	"SELECT count(*) AS c FROM {s} LEFT JOIN {u} ON {s}.a = {u}.a GROUP BY COUNTWINDOW(3)",
}

// eventTexts are the same for rules in event time.
var eventTexts = []string{
	"SELECT a FROM {s}",
	"SELECT a, lag(a) AS p FROM {s} WHERE a % 3 != 1",
	"SELECT acc_count(a) AS n, event_time() AS t FROM {s}",
	"SELECT abs(b) AS x FROM {s}", // faults
	"SELECT count(*) AS c, sum(a) AS t, window_end() AS e FROM {s} GROUP BY TUMBLINGWINDOW(ss, 2)",
	"SELECT min(b) AS m FROM {s} GROUP BY TUMBLINGWINDOW(ss, 3)",
	"SELECT a % 2 AS k, max(a) AS m FROM {s} WHERE a % 5 != 0 GROUP BY a % 2, TUMBLINGWINDOW(ss, 2)",
	"SELECT sum(a) AS t FROM {s} GROUP BY HOPPINGWINDOW(ss, 3, 2)",
	"SELECT collect(a) AS l FROM {s} GROUP BY HOPPINGWINDOW(ss, 4, 1)",
	"SELECT collect(a) AS l FROM {s} GROUP BY SLIDINGWINDOW(ss, 2)",
	"SELECT count(*) AS c FROM {s} GROUP BY SLIDINGWINDOW(ss, 3) OVER (WHEN a % 4 = 0)",
	"SELECT sum(a) AS t FROM {s} GROUP BY SESSIONWINDOW(ss, 10, 2)",
	"SELECT collect(a) AS l FROM {s} GROUP BY STATEWINDOW(a % 5 = 0, a % 5 = 3)",
	"SELECT {s}.a, {u}.b FROM {s} INNER JOIN {u} ON {s}.a % 3 = {u}.a % 3 GROUP BY TUMBLINGWINDOW(ss, 4)",
	"SELECT count(*) AS c FROM {s} LEFT JOIN {u} ON {s}.a = {u}.a GROUP BY SLIDINGWINDOW(ss, 2)",
}

// eventOptions are options of rules in event time, and those of one that is not.
var eventOptions = []string{
	`{"isEventTime":true,"lateTolerance":0}`,
	`{"isEventTime":true,"lateTolerance":0,"maxFutureDrift":"off"}`,
	`{"isEventTime":true}`,
	`{"isEventTime":true,"lateTolerance":"3s","sendError":true}`,
	`{"isEventTime":true,"lateTolerance":"3s","maxFutureDrift":"1h"}`,
	`{}`,
}

// life is a rule from its creation to its end, in the engine under test and, on
// streams of its own, in one that is not disturbed.
type life struct {
	n       int
	text    string
	options string
	gone    bool
	running bool
	out     *listener
	alone   *listener
}

func (l *life) id() string { return fmt.Sprint("r", l.n) }

func (l *life) streams() []string {
	if strings.Contains(l.text, "{u}") {
		return []string{"s", "u"}
	}
	return []string{"s"}
}

// sql returns the statement of l over its own streams, or those of all.
func (l *life) sql(own bool) string {
	if own {
		return strings.NewReplacer("{s}", fmt.Sprint("s", l.n), "{u}", fmt.Sprint("u", l.n)).Replace(l.text)
	}
	return strings.NewReplacer("{s}", "s", "{u}", "u").Replace(l.text)
}

// lives is a test of the lifecycle: whatever comes and goes beside a rule, however
// quickly, it sends what it sends alone.
type lives struct {
	*rig       // all rules over the streams s and u
	alone *rig // each rule on streams of its own; the executor sees every change at once
	rnd   *rand.Rand
	list  []*life
	a     int
	event bool  // rules are in event time, most of them
	near  int64 // rows come in order, from that time on, which is near the clock; 0: they do not
	ts    int64
	rows  [2]uint64 // that the executors must have seen
	log   []string
}

func newLives(t *testing.T, seed uint64) *lives {
	v := &lives{rig: newRig(t, Options{}), alone: newRig(t, Options{}), rnd: rand.New(rand.NewPCG(seed, 0))}
	v.eventStream("s", "in/s")
	v.eventStream("u", "in/u")
	return v
}

func (v *lives) defs(l *life) (crowd, alone *ruledef.Def) {
	def := func(own bool) *ruledef.Def {
		d, err := parseRule(fmt.Appendf(nil, `{"id":%q,"sql":%q,"options":%s,"actions":[%s]}`, l.id(), l.sql(own), l.options, toMemory("out/"+l.id())))
		v.must(err)
		return d
	}
	return def(false), def(true)
}

// choose gives l options for its text.
func (v *lives) choose(l *life) {
	l.options = "{}"
	if v.event && !strings.Contains(l.text, "COUNTWINDOW") {
		l.options = eventOptions[v.rnd.IntN(len(eventOptions))]
	}
	if l.options == "{}" && (strings.Contains(l.text, "WINDOW(ss") || strings.Contains(l.text, "event_time")) { // not by the clock
		l.options = eventOptions[0]
	}
}

// stream defines a stream with a field for the event time.
func (r *rig) eventStream(name, topic string) {
	r.t.Helper()
	r.sql(`CREATE STREAM %s () WITH (TYPE="memory", DATASOURCE=%q, FORMAT="json", TIMESTAMP="ts")`, name, topic)
}

// born makes a rule of a text; the caller creates it in the crowd.
func (v *lives) born(text string) (*life, *ruledef.Def) {
	l := &life{n: len(v.list), text: text, running: true}
	v.choose(l)
	v.list = append(v.list, l)
	for _, s := range []string{"s", "u"} {
		v.alone.eventStream(fmt.Sprint(s, l.n), fmt.Sprint("in/", s, l.n))
	}
	l.out, l.alone = v.listen("out/"+l.id()), v.alone.listen("out/"+l.id())
	crowd, alone := v.defs(l)
	v.must(v.alone.CreateRule(alone))
	return l, crowd
}

func (v *lives) post(text string) *life {
	l, d := v.born(text)
	v.log = append(v.log, fmt.Sprintf("post %d %s %s", l.n, text, l.options))
	v.must(v.CreateRule(d))
	return l
}

func (v *lives) bulk(n int) {
	var defs []*ruledef.Def
	for range n {
		l, d := v.born(v.text())
		v.log = append(v.log, fmt.Sprintf("bulk %d %s %s", l.n, l.text, l.options))
		defs = append(defs, d)
	}
	for _, err := range v.CreateRules(slices.Values(defs)) {
		v.must(err)
	}
}

func (v *lives) put(l *life, text string) {
	l.text, l.running = text, true
	v.choose(l)
	v.log = append(v.log, fmt.Sprintf("put %d %s %s", l.n, text, l.options))
	crowd, alone := v.defs(l)
	v.replace(crowd)
	v.alone.replace(alone)
}

// change does the same to a rule in both engines.
func (v *lives) change(l *life, what string, f func(*Engine, string) error) {
	v.log = append(v.log, fmt.Sprintf("%s %d", what, l.n))
	v.must(f(v.Engine, l.id()))
	v.must(f(v.alone.Engine, l.id()))
}

func (v *lives) drop(l *life) {
	v.change(l, "delete", (*Engine).DeleteRule)
	l.gone, l.running = true, false
}

func (v *lives) text() string {
	texts := lifeTexts
	if v.event {
		texts = eventTexts
	}
	return texts[v.rnd.IntN(len(texts))]
}

// time returns the field of a message that has its event time.
func (v *lives) time() string {
	if v.near > 0 {
		v.ts += 1 + v.rnd.Int64N(600)
		return v.one(`,"ts":4102444800000`, `,"ts":null`, fmt.Sprintf(`,"ts":%d`, v.near+v.ts))
	}
	v.ts += v.rnd.Int64N(1200)
	ts := 1_700_000_000_000 + v.ts
	switch v.rnd.IntN(20) {
	case 0:
		return ""
	case 1:
		return `,"ts":null`
	case 2:
		return `,"ts":"soon"`
	case 3:
		return fmt.Sprintf(`,"ts":%d`, ts-v.rnd.Int64N(8000))
	case 4:
		if v.rnd.IntN(2) == 0 {
			return `,"ts":4102444800000` // 2100
		}
		return fmt.Sprintf(`,"ts":%d`, ts+v.rnd.Int64N(20_000))
	}
	return fmt.Sprintf(`,"ts":%d`, ts-v.rnd.Int64N(1500))
}

// settle has the undisturbed executor take over what changed.
func (v *lives) settle() { v.alone.exec.Sync() }

// one returns one of two rare fields, or the other one.
func (v *lives) one(rare, rarer, other string) string {
	switch v.rnd.IntN(30) {
	case 0:
		return rare
	case 1:
		return rarer
	}
	return other
}

// send publishes a message for a stream and waits until it has gone through.
func (v *lives) send(stream string) {
	v.a++
	b := fmt.Sprint(v.a * 7 % 11)
	if v.a%6 == 0 {
		b = `"x"`
	}
	payload := fmt.Sprintf(`{"a":%d,"b":%s%s}`, v.a, b, v.time())
	v.log = append(v.log, stream+" "+payload)
	read := uint64(0)
	for _, l := range v.list {
		if l.running && slices.Contains(l.streams(), stream) {
			read = 1
			v.rows[1]++
			v.alone.publish(fmt.Sprint("in/", stream, l.n), payload)
		}
	}
	v.rows[0] += read
	v.publish("in/"+stream, payload)
	for i, e := range []*Engine{v.Engine, v.alone.Engine} {
		v.await("the executor has seen the message", func() bool { return e.Totals().Rows >= v.rows[i] })
	}
}

// step does something at random. Changes follow each other more quickly than the
// executor takes them over.
func (v *lives) step() {
	l := v.list[v.rnd.IntN(len(v.list))]
	switch k := v.rnd.IntN(20); {
	case k < 3:
		v.post(v.text())
	case k == 3:
		v.bulk(1 + v.rnd.IntN(3))
	case l.gone:
		return
	case k < 8:
		v.drop(l)
		if v.rnd.IntN(2) == 0 {
			v.post(v.text())
		}
	case k == 8 && !strings.Contains(l.text, "WINDOW") && l.options == "{}": // others may go on, see TestPuts
		v.put(l, v.text())
	case k == 9 && l.running:
		v.change(l, "restart", (*Engine).RestartRule)
	case k < 12 && l.running:
		v.change(l, "stop", (*Engine).StopRule)
		l.running = false
	case k < 15 && !l.running:
		v.change(l, "start", (*Engine).StartRule)
		l.running = true
	}
	v.settle()
}

// received returns everything that came to a listener of topic.
func (r *rig) received(l *listener, topic string) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.queues.Each(func(q *sinks.Queue) { r.must(q.Drained(ctx)) })
	r.publish(topic, "end")
	var all []string
	for {
		p := l.next(1)[0]
		if p == "end" {
			return all
		}
		all = append(all, p)
	}
}

// compare wants the same of each rule in both engines.
func (v *lives) compare() {
	v.t.Helper()
	for _, l := range v.list {
		topic := "out/" + l.id()
		got, want := v.received(l.out, topic), v.alone.received(l.alone, topic)
		if !slices.Equal(got, want) {
			v.t.Errorf("rule %s, %s: got\n%s\nalone\n%s\nafter\n%s", l.id(), l.text, strings.Join(got, "\n"), strings.Join(want, "\n"), strings.Join(v.log, "\n"))
			return
		}
		if l.gone {
			continue
		}
		for _, key := range []string{"op_3_project_0_records_in_total", "op_3_project_0_records_out_total", "op_3_project_0_exceptions_total", "op_3_project_0_last_exception", "sink_memory_0_0_records_out_total", "lost"} {
			if !l.running && strings.HasPrefix(key, "sink") {
				continue // a rule that does not run has no sinks
			}
			if got, want := v.counted(v.rig, l, key), v.counted(v.alone, l, key); got != want {
				v.t.Errorf("rule %s, %s: %s: got %v, alone %v, after\n%s", l.id(), l.text, key, got, want, strings.Join(v.log, "\n"))
			}
		}
	}
}

// counted returns a field of a rule's status. Near the clock a window that a rule has
// entered may pass over empty ones before the rule's first row.
func (v *lives) counted(r *rig, l *life, key string) string {
	is := r.status(l.id(), key)
	if lost, ok := is.(map[string]uint64); ok && v.near > 0 {
		delete(lost, loss.Capped.String())
	}
	return fmt.Sprint(is)
}

// TestLives does random changes with messages in between, for rules with and without
// event time.
func TestLives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			v := newLives(t, seed)
			v.event = seed%2 == 1
			v.post(v.text())
			for range 80 {
				for range v.rnd.IntN(3) {
					v.step()
				}
				v.send([]string{"s", "s", "u"}[v.rnd.IntN(3)])
				if t.Failed() {
					break
				}
			}
			v.compare()
		})
	}
}

// TestLivesNearClock has rules come to streams whose times go with the clock, where they
// share an order of event time with those that are there.
func TestLivesNearClock(t *testing.T) {
	t.Parallel()
	shared := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			v := newLives(t, seed)
			v.event, v.near = true, time.Now().UnixMilli()-50_000
			for range 60 {
				switch v.rnd.IntN(6) {
				case 0:
					v.post(v.text())
				case 1:
					v.bulk(1 + v.rnd.IntN(2))
				}
				v.settle()
				v.send([]string{"s", "s", "u"}[v.rnd.IntN(3)])
				if t.Failed() {
					break
				}
			}
			v.compare()
			v.mu.RLock()
			p := v.mu.streams["s"].builder.Program()
			v.mu.RUnlock()
			for _, o := range p.Orders {
				shared += len(o.Members) - 1
			}
		})
	}
	if shared < 30 {
		t.Errorf("%d rules share an order of event time, want more", shared)
	}
}

// TestNextRule puts one rule in the place of another that was the last of its
// stream, for all pairs of statements. No message comes in between, so that the
// executor sees one change.
func TestNextRule(t *testing.T) {
	t.Parallel()
	for _, first := range lifeTexts {
		v := newLives(t, 0)
		for _, second := range lifeTexts {
			l := v.post(first)
			v.settle()
			for _, s := range []string{"s", "u", "s"} {
				v.send(s)
			}
			v.drop(l)
			l = v.post(second)
			v.settle()
			for _, s := range []string{"s", "u", "s", "s", "s"} {
				v.send(s)
			}
			v.drop(l)
			v.settle()
		}
		v.compare()
		v.close()
		v.alone.close()
		if t.Failed() {
			return
		}
	}
}

// A rule that never ran shows nothing of one that had its number before.
func TestOldNumber(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	out := r.listen("out")
	for n := range 4 {
		id := fmt.Sprint("old", n)
		r.rule(id, "SELECT abs(a) AS a FROM s", "out")
		r.publish("in", `{"a":1}`, `{"a":"x"}`, `{"a":2}`)
		out.want(`{"a":1}`, `{"a":2}`)
		r.await("the rule has its fault", func() bool { return fmt.Sprint(r.status(id, "op_3_project_0_exceptions_total")) == "1" })
		r.must(r.DeleteRule(id))
		d := r.def(fmt.Sprint("new", n), "SELECT a FROM s", toMemory("out"))
		d.Triggered = false
		r.must(r.CreateRule(d))
		for _, key := range []string{"records_in_total", "records_out_total", "exceptions_total", "last_exception_time"} {
			r.wantStatus(d.ID, "op_3_project_0_"+key, 0)
		}
		r.wantStatus(d.ID, "op_3_project_0_last_exception", "")
	}
	if n := len(r.mu.numbers.ofRule); n > 8 {
		t.Errorf("%d numbers of rules were given", n)
	}
}

// Messages of a rule that is gone are not counted for the next one.
func TestOldMessages(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	sub, err := r.bus.Subscribe("out", 1) // takes one message at a time
	r.must(err)
	defer sub.Close()
	r.rule("old", "SELECT a FROM s", "out")
	r.publish("in", `{"a":1}`)
	r.await("one message is delivered", func() bool { return fmt.Sprint(r.status("old", "sink_memory_0_0_records_out_total")) == "1" })
	r.publish("in", `{"a":2}`, `{"a":3}`)
	r.await("the rule has sent", func() bool { return fmt.Sprint(r.status("old", "op_3_project_0_records_out_total")) == "3" })
	r.must(r.DeleteRule("old"))
	r.exec.Sync()
	r.rule("new", "SELECT a FROM s", "out")
	out := &listener{t: t, sub: sub}
	out.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	r.received(out, "out")
	r.wantStatus("new", "sink_memory_0_0_records_out_total", 0)
}
