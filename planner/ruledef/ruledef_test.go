package ruledef

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const fullDef = `{
  "id": "hot-1", "version": "2", "sql": "SELECT temperature FROM demo WHERE temperature > 20",
  "actions": [{"log": {}}, {"mqtt": {"server": "tcp://127.0.0.1:1883", "topic": "out", "qos": 1}, "file": {"path": "/tmp/x"}}, {"nop": null}],
  "triggered": false, "temp": true, "tags": ["a", "b"],
  "options": {"isEventTime": true, "lateTolerance": 1500, "checkpointInterval": "1m", "qos": 1, "restartStrategy": {"attempts": 3, "delay": 1000},
    "cron": "*/5 * * * *", "duration": "10s", "cronDatetimeRange": [{"begin": "2026-01-01 00:00:00", "end": "2026-02-01 00:00:00"}, {"beginTimestamp": 1, "endTimestamp": 2}],
    "sendnilfield": true, "planOptimizeStrategy": {"enableIncrementalWindow": true}, "experiment": {"useSliceTuple": true}, "nosuch": 1, "bufferLength": null}}`

// parse reads a rule that has its id in the text, with weir's own defaults.
func parse(body []byte) (*Def, error) { return ParseFor("", body, DefaultOptions()) }

func TestParse(t *testing.T) {
	d, err := parse([]byte(fullDef))
	if err != nil {
		t.Fatal(err)
	}
	wantActions := []Action{
		{Type: "log", Props: map[string]any{}, Index: 0},
		{Type: "file", Props: map[string]any{"path": "/tmp/x"}, Index: 1},
		{Type: "mqtt", Props: map[string]any{"server": "tcp://127.0.0.1:1883", "topic": "out", "qos": 1.0}, Index: 1},
		{Type: "nop", Props: map[string]any{}, Index: 2},
	}
	if !reflect.DeepEqual(d.Actions, wantActions) {
		t.Errorf("actions: got %v, want %v", d.Actions, wantActions)
	}
	want := Options{
		IsEventTime: true, LateTolerance: 1500 * time.Millisecond, MaxFutureDrift: 24 * time.Hour, Concurrency: 1, BufferLength: 1024, SendNilField: true,
		QoS: 1, CheckpointInterval: time.Minute, RestartAttempts: 3, Cron: "*/5 * * * *", Duration: 10 * time.Second,
		CronDatetimeRanges: []DatetimeRange{{Begin: "2026-01-01 00:00:00", End: "2026-02-01 00:00:00"}, {BeginMs: 1, EndMs: 2}},
		Hints:              map[string]any{"planOptimizeStrategy": map[string]any{"enableIncrementalWindow": true}, "experiment": map[string]any{"useSliceTuple": true}},
	}
	if !reflect.DeepEqual(d.Options, want) {
		t.Errorf("options: got %+v, want %+v", d.Options, want)
	}
	if got, want := strings.Join(d.Warnings, "\n"), strings.Join([]string{
		`option "checkpointInterval" has no effect: ` + noState, `option "experiment" has no effect: ` + onePlan,
		`unknown option "nosuch"`, `option "planOptimizeStrategy" has no effect: ` + onePlan,
		`option "qos" has no effect: ` + noReplay, `option "restartStrategy.attempts" has no effect: ` + retried,
	}, "\n"); got != want {
		t.Errorf("warnings: got\n%s\nwant\n%s", got, want)
	}
	if d.ID != "hot-1" || d.Name != "hot-1" || d.Version != "2" || d.Triggered || !d.Temp || !reflect.DeepEqual(d.Tags, []string{"a", "b"}) {
		t.Errorf("got %+v", d)
	}
}

func TestParseDefaults(t *testing.T) {
	defaults := DefaultOptions()
	defaults.QoS = 1
	d, err := ParseFor("r", []byte(`{"sql":"SELECT a FROM b","actions":[{"nop":{}}],"options":{"sendError":true}}`), defaults)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults
	want.SendError = true
	if d.ID != "r" || !d.Triggered || d.Temp || !reflect.DeepEqual(d.Options, want) {
		t.Errorf("got %+v, want options %+v", d, want)
	}
	if g, err := parse([]byte(`{"id":"g","graph":{"nodes":{}}}`)); err != nil || string(g.Graph) != `{"nodes":{}}` {
		t.Errorf("graph rule: got %+v, %v", g, err)
	}
}

func TestParseFaults(t *testing.T) {
	rule := func(rest string) string {
		return `{"id":"r","sql":"SELECT a FROM b","actions":[{"nop":{}}]` + rest + `}`
	}
	tests := []struct{ body, want string }{
		{`{bad`, `Parse rule {bad error : invalid character 'b' looking for beginning of object key string.`},
		{`[]`, `Parse rule [] error : the rule must be an object, not array.`},
		{`null`, `Missing rule id.`},
		{`{}`, `Missing rule id.`},
		{`{"id":5}`, `Parse rule {"id":5} error : "id" must be a string, not number.`},
		{`{"id":"x y"}`, `id 'x y' contains invalid characters: only alphanumeric, hyphens and underscores are allowed`},
		{`{"id":"r"}`, `Rule r has neither sql nor graph.`},
		{`{"id":"r","sql":"s"}`, `Missing rule actions.`},
		{`{"id":"r","sql":"s","actions":[]}`, `Missing rule actions.`},
		{`{"id":"r","sql":"s","graph":{},"actions":[{"nop":{}}]}`, `Rule r has both sql and graph.`},
		{`{"id":"r","sql":"s","actions":[{}]}`, `Rule r has invalid actions: element 0 names no sink.`},
		{`{"id":"r","sql":"s","actions":[{"nop":1}]}`, `Parse rule {"id":"r","sql":"s","actions":[{"nop":1}]} error : "actions" must be an object, not number.`},
		{rule(`,"options":{"qos":-1}`), `Rule r has invalid options: qos: want a whole number from 0 to 2, got -1.`},
		{rule(`,"options":{"qos":3,"concurrency":1.5,"bufferLength":"x"}`), `Rule r has invalid options: concurrency: want a whole number, at least 0, got 1.5; bufferLength: want a whole number, at least 0, got "x"; qos: want a whole number from 0 to 2, got 3.`},
		{rule(`,"options":{"lateTolerance":"1 s"}`), `Rule r has invalid options: lateTolerance: want a duration such as "5s", or a number of milliseconds, got "1 s".`},
		{rule(`,"options":{"maxFutureDrift":"soon"}`), `Rule r has invalid options: maxFutureDrift: want a duration such as "5s", a number of milliseconds, or "off", got "soon".`},
		{rule(`,"options":{"maxFutureDrift":""}`), `Rule r has invalid options: maxFutureDrift: want a duration such as "5s", a number of milliseconds, or "off", got "".`},
		{rule(`,"options":{"lateTolerance":1e300}`), `Rule r has invalid options: lateTolerance: want a duration such as "5s", or a number of milliseconds, got 1e+300.`},
		{rule(`,"options":{"checkpointInterval":"-1s"}`), `Rule r has invalid options: checkpointInterval: must not be negative, got "-1s".`},
		{rule(`,"options":{"isEventTime":"yes"}`), `Rule r has invalid options: isEventTime: want true or false, got "yes".`},
		{rule(`,"options":{"restartStrategy":{"attempts":-1}}`), `Rule r has invalid options: restartStrategy.attempts: want a whole number, at least 0, got -1.`},
		{rule(`,"options":{"cron":"* *"}`), `Rule r has invalid options: cron: want 5 or 6 fields, got "* *".`},
		{rule(`,"options":{"cronDatetimeRange":[{"begin":"x","end":"y"}]}`), `Rule r has invalid options: cronDatetimeRange: element 0: want begin as YYYY-MM-DD hh:mm:ss, got "x".`},
		{rule(`,"options":{"cronDatetimeRange":[{}]}`), `Rule r has invalid options: cronDatetimeRange: element 0: want begin and end, or beginTimestamp and endTimestamp.`},
		{rule(`,"options":{"debug":{}}`), `Rule r has invalid options: debug: want true or false, got {}.`},
	}
	for _, tt := range tests {
		_, err := parse([]byte(tt.body))
		var e *Error
		if !errors.As(err, &e) || e.Text != tt.want {
			t.Errorf("%s\n got %v\nwant %s", tt.body, err, tt.want)
		}
	}
	if _, err := ParseFor("other", []byte(rule("")), DefaultOptions()); err == nil || err.Error() != "RuleId is not consistent with rule id." {
		t.Errorf("other id: got %v", err)
	}
	long := `{"id":"r","sql":"` + strings.Repeat("é", 5000)
	if _, err := parse([]byte(long)); err == nil || len(err.Error()) > 2*maxQuotedRule {
		t.Errorf("long text: got an error of %d bytes", len(err.Error()))
	}
}

func TestCheckVersion(t *testing.T) {
	for _, tt := range []struct {
		current, next string
		ok            bool
	}{{"", "", true}, {"", "1", true}, {"1", "", false}, {"1", "1", false}, {"1", "2", true}, {"2", "10", false}} {
		if err := CheckVersion("v1", tt.current, tt.next); (err == nil) != tt.ok {
			t.Errorf("%q to %q: got %v", tt.current, tt.next, err)
		}
	}
	want := "rule v1 already exists with version (1), new version (1) is lower"
	if err := CheckVersion("v1", "1", "1"); err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSet(t *testing.T) {
	tests := []struct {
		raw, key string
		value    any
		want     string
	}{
		{`{ "id": "r", "tags": ["x"], "n": 1.50 }`, "tags", []string{"a"}, `{"id":"r","tags":["a"],"n":1.50}`},
		{`{"id":"r"}`, "triggered", false, `{"id":"r","triggered":false}`},
		{`{}`, "id", "r", `{"id":"r"}`},
	}
	for _, tt := range tests {
		got, err := Set([]byte(tt.raw), tt.key, tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.raw, got, err, tt.want)
		}
	}
	for _, raw := range []string{``, `[]`, `{"a"`, `{"a":}`, `5`} {
		if got, err := Set([]byte(raw), "k", 1); err == nil {
			t.Errorf("%q: got %s, want an error", raw, got)
		}
	}
}

func TestErrorWraps(t *testing.T) {
	err := fmt.Errorf("rule %q: %w", "x", Errorf(CodePlan, "stream %q: %w", "s", ErrNotFound))
	var e *Error
	if !errors.Is(err, ErrNotFound) || !errors.As(err, &e) || e.Code != CodePlan {
		t.Errorf("got %v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	body := []byte(`{"id":"r17","sql":"SELECT temperature FROM demo WHERE temperature > 20.5","actions":[{"mqtt":{"server":"tcp://127.0.0.1:1883","topic":"out/17","sendSingle":true}}],"options":{"qos":0}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestOptionWarnings(t *testing.T) {
	warned := func(options string) string {
		d, err := parse([]byte(`{"id":"r","sql":"SELECT a FROM b","actions":[{"nop":{}}],"options":` + options + `}`))
		if err != nil {
			t.Fatalf("%s: %v", options, err)
		}
		return strings.Join(d.Warnings, "\n")
	}
	for options, want := range map[string]string{
		`{"isEventTim":true}`:       `unknown option "isEventTim": did you mean "isEventTime"?`,
		`{"IsEventTime":"tRUE"}`:    ``,
		`{"concurrency":4}`:         `option "concurrency" has no effect: ` + onePass,
		`{"Debug":true}`:            `option "Debug" has no effect: ` + sharedLog,
		`{"logFilename":"x"}`:       `option "logFilename" has no effect: ` + sharedLog,
		`{"notifySub":true}`:        `option "notifySub" has no effect: readers of memory sinks go on when a rule ends`,
		`{"forceExitTimeout":"5s"}`: `option "forceExitTimeout" has no effect: a rule stops at once, between two batches`,
		// What eKuiper's console sends for a rule whose options nobody touched.
		`{"debug":false,"logFilename":"","isEventTime":false,"lateTolerance":"1s","concurrency":1,"bufferLength":1024,"sendMetaToSink":false,"sendError":true,"qos":0,
		  "checkpointInterval":"5m0s","notifySub":false,"forceExitTimeout":0,"enableSaveStateBeforeStop":false,"planOptimizeStrategy":{},
		  "restartStrategy":{"attempts":0,"delay":"1s","multiplier":2,"maxDelay":"30s","jitterFactor":0.1},"cron":"","duration":"","cronDatetimeRange":null}`: ``,
	} {
		if got := warned(options); got != want {
			t.Errorf("%s: got %s, want %s", options, got, want)
		}
	}
}

func TestMaxFutureDrift(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`{}`: 24 * time.Hour, `{"maxFutureDrift":"1h"}`: time.Hour, `{"maxfuturedrift":1500}`: 1500 * time.Millisecond,
		`{"maxFutureDrift":"off"}`: 0, `{"maxFutureDrift":" OFF "}`: 0, `{"maxFutureDrift":0}`: 0, `{"maxFutureDrift":"-1s"}`: 0, `{"maxFutureDrift":-1}`: 0,
	} {
		d, err := ParseFor("r", []byte(`{"sql":"SELECT 1 FROM s","actions":[{"nop":{}}],"options":`+text+`}`), DefaultOptions())
		if err != nil || d.Options.MaxFutureDrift != want {
			t.Errorf("%s: got %v, want %v (%v)", text, d.Options.MaxFutureDrift, want, err)
		}
	}
}
