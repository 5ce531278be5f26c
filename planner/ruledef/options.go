package ruledef

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
)

// Options says how a rule runs. DefaultOptions has the defaults.
type Options struct {
	IsEventTime    bool          // windows follow the timestamps in the rows
	LateTolerance  time.Duration // how long a late row is waited for; event time only
	MaxFutureDrift time.Duration // how far ahead of the clock a row may be; event time only; 0: as far as it likes
	Concurrency    int           // accepted; one pass over all rules needs no copies
	BufferLength   int           // accepted; batches bound themselves
	SendMetaToSink bool          // adds __meta to each row
	SendNilField   bool          // writes expressions that are null
	SendError      bool          // sends faults to the sinks

	QoS                int           // 0 at most once, 1 at least once, 2 exactly once
	CheckpointInterval time.Duration // between checkpoints of windows and counters

	RestartAttempts int // accepted; a rule that stopped by error is tried again anyway

	Cron               string        // starts the rule by a schedule, for Duration each time
	Duration           time.Duration // 0: no end
	CronDatetimeRanges []DatetimeRange

	Debug       bool
	LogFilename string

	DisableBufferFullDiscard  bool // nothing is discarded anyway; refused with shared streams, as in eKuiper
	EnableSaveStateBeforeStop bool
	ForceExitTimeout          time.Duration
	NotifySub                 bool

	// Hints are planOptimizeStrategy and experiment as they were given: they
	// steer a planner that weir does not have.
	Hints map[string]any
}

// DatetimeRange bounds the times at which a schedule applies: as text in the
// time zone of the engine, "2006-01-02 15:04:05", or in milliseconds since 1970
// if the texts are empty.
type DatetimeRange struct {
	Begin, End     string
	BeginMs, EndMs int64
}

// Why options are accepted without effect.
const (
	noReplay  = "a message is acknowledged when its outputs are in memory, and state is not stored yet"
	noState   = "the state of windows and counters is not stored yet: it begins anew when the process starts"
	onePass   = "all rules are evaluated in one pass over a batch"
	onePlan   = "the rules of a stream are planned together"
	retried   = "a rule that stopped by error is tried again at basic.rulePatrolInterval"
	sharedLog = "all rules write to one log, whose level basic.debug sets"
)

// table is the options of rules.
func (o *Options) table() props.Table {
	return props.Table{
		props.Flag(&o.IsEventTime, "isEventTime", "windows follow the timestamps in the rows"),
		props.Duration(&o.LateTolerance, "lateTolerance", "how long a late row is waited for, in event time"),
		props.Other("maxFutureDrift", `a duration such as "5s", a number of milliseconds, or "off"`, "how far ahead of the clock a row may be, in event time: one that is further is lost, and counted; off or 0: as far as it likes", o.readDrift).In("ms").Otherwise(DefaultDrift.String()),
		props.Whole(&o.Concurrency, "concurrency", 0, math.MaxInt32, "workers of a rule").Ignored(onePass),
		props.Whole(&o.BufferLength, "bufferLength", 0, math.MaxInt32, "rows that wait between two workers").Ignored(onePass + ", and sources wait for it"),
		props.Flag(&o.SendMetaToSink, "sendMetaToSink", "adds __meta, what a source knows of a message, to each row"),
		props.Flag(&o.SendNilField, "sendNilField", "sends columns that are null, too"),
		props.Flag(&o.SendError, "sendError", "sends faults to the sinks"),
		props.Whole(&o.QoS, "qos", 0, 2, "what a restart may lose of a rule: 0 its state, 1 nothing, 2 nothing, and nothing is sent twice").Ignored(noReplay),
		props.Duration(&o.CheckpointInterval, "checkpointInterval", "the time from one storing of the state to the next").Ignored(noState),
		o.restartStrategy(),
		props.Other("cron", "an expression of 5 or 6 fields", "starts the rule by a schedule, for duration each time", o.readCron),
		props.Duration(&o.Duration, "duration", "how long a rule with cron runs each time; 0: no end"),
		props.Other("cronDatetimeRange", "a list of objects with begin and end", "the times at which the schedule applies: begin and end, or beginTimestamp and endTimestamp", o.readRanges).In("ms"),
		props.Flag(&o.Debug, "debug", "has the rule log more").Ignored(sharedLog),
		props.Text(&o.LogFilename, "logFilename", "a log of the rule's own").Ignored(sharedLog),
		props.Other("planOptimizeStrategy", "an object", "steers the planner", func(v any) error { return o.hint("planOptimizeStrategy", v) }).Ignored(onePlan),
		props.Other("experiment", "an object", "steers the planner", func(v any) error { return o.hint("experiment", v) }).Ignored(onePlan),
		props.Flag(&o.DisableBufferFullDiscard, "disableBufferFullDiscard", "discards nothing when buffers are full, which weir never does; refused with shared streams"),
		props.Flag(&o.EnableSaveStateBeforeStop, "enableSaveStateBeforeStop", "stores the state when the rule is stopped").Ignored(noState),
		props.Duration(&o.ForceExitTimeout, "forceExitTimeout", "how long a rule may take to stop").Ignored("a rule stops at once, between two batches"),
		props.Flag(&o.NotifySub, "notifySub", "tells the readers of memory sinks of the rule's end").Ignored("readers of memory sinks go on when a rule ends"),
	}
}

// restartStrategy is what becomes of a rule that stopped by error, with eKuiper's
// defaults.
func (o *Options) restartStrategy() props.Prop {
	delay, longest, factor, jitter := time.Second, 30*time.Second, 2.0, 0.1
	return props.Group("restartStrategy", "how a rule that stopped by error is started again", props.Table{
		props.Whole(&o.RestartAttempts, "attempts", 0, math.MaxInt32, "how often").Ignored(retried),
		props.Duration(&delay, "delay", "the time before the first attempt").Ignored(retried),
		props.Number(&factor, "multiplier", 0, math.MaxFloat64, "by which the time grows").Ignored(retried),
		props.Duration(&longest, "maxDelay", "the longest time before an attempt").Ignored(retried),
		props.Number(&jitter, "jitterFactor", 0, 1, "the share of the time that is random").Ignored(retried),
	})
}

// OptionProperties describes the options of rules.
func OptionProperties() props.Table {
	o := DefaultOptions()
	return o.table()
}

// keys are the keys of the JSON text of a rule.
var keys = props.Table{
	{Name: "id"}, {Name: "name"}, {Name: "version"}, {Name: "sql"}, {Name: "graph"}, {Name: "actions"}, {Name: "triggered"}, {Name: "temp"}, {Name: "tags"}, {Name: "options"},
}

// known is what warnings are told by. Nothing is read into it.
var known = OptionProperties()

// KeyWarnings lists those of a rule's top-level keys that nothing reads.
func KeyWarnings(names []string) []string {
	m := make(map[string]any, len(names))
	for _, name := range names {
		m[name] = true
	}
	return props.Warnings("key", m, keys)
}

// parseOptions reads the options of a rule over defaults, and lists what has no
// effect. All faults are in the error.
func parseOptions(m map[string]any, defaults Options) (Options, []string, error) {
	o := defaults
	if len(m) == 0 {
		return o, nil, nil
	}
	warnings := props.Warnings("option", m, known)
	var texts []string
	for _, err := range o.table().Read(m) {
		var f *props.Fault
		if errors.As(err, &f) {
			texts = append(texts, fmt.Sprintf("%s: %v", f.Name, f.Err))
		}
	}
	if texts != nil {
		return o, warnings, errors.New(strings.Join(texts, "; "))
	}
	return o, warnings, nil
}

// hint keeps what steers eKuiper's planner.
func (o *Options) hint(name string, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, got %s", props.Quote(v))
	}
	hints := map[string]any{name: m} // a new map: defaults are shared by all rules
	for k, h := range o.Hints {
		if k != name {
			hints[k] = h
		}
	}
	o.Hints = hints
	return nil
}

// DefaultDrift is maxFutureDrift where nothing is said: no time zone that a sender has
// taken for UTC is further ahead, and a rule is deaf for a day at most.
const DefaultDrift = 24 * time.Hour

// readDrift reads maxFutureDrift.
func (o *Options) readDrift(v any) error {
	if s, ok := v.(string); ok && strings.EqualFold(strings.TrimSpace(s), "off") {
		o.MaxFutureDrift = 0
		return nil
	}
	d, ok := props.Span(v)
	if s, text := v.(string); !ok || text && strings.TrimSpace(s) == "" {
		return fmt.Errorf(`want a duration such as "5s", a number of milliseconds, or "off", got %s`, props.Quote(v))
	}
	o.MaxFutureDrift = max(d, 0)
	return nil
}

// readCron checks the number of fields; the scheduler that reads the expression
// checks what they say.
func (o *Options) readCron(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("want a text, got %s", props.Quote(v))
	}
	n := len(strings.Fields(s))
	if n != 0 && n != 5 && n != 6 && !strings.HasPrefix(s, "@") {
		return fmt.Errorf("want 5 or 6 fields, got %q", s)
	}
	o.Cron = strings.TrimSpace(s)
	return nil
}

const rangeLayout = "2006-01-02 15:04:05"

// readRanges reads a list of times at which a schedule applies.
func (o *Options) readRanges(v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list, got %s", props.Quote(v))
	}
	ranges := make([]DatetimeRange, 0, len(list))
	for i, e := range list {
		r, err := parseRange(e)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		ranges = append(ranges, r)
	}
	o.CronDatetimeRanges = ranges
	return nil
}

func parseRange(v any) (r DatetimeRange, err error) {
	m, ok := v.(map[string]any)
	if !ok {
		return r, fmt.Errorf("want an object, got %s", props.Quote(v))
	}
	r.Begin, _ = m["begin"].(string)
	r.End, _ = m["end"].(string)
	if r.Begin == "" && r.End == "" {
		b, okB := m["beginTimestamp"].(float64)
		e, okE := m["endTimestamp"].(float64)
		if !okB || !okE {
			return r, errors.New("want begin and end, or beginTimestamp and endTimestamp")
		}
		if b > e {
			return r, fmt.Errorf("begins at %.0f, after its end %.0f", b, e)
		}
		r.BeginMs, r.EndMs = int64(b), int64(e)
		return r, nil
	}
	begin, err := time.Parse(rangeLayout, r.Begin)
	if err != nil {
		return r, fmt.Errorf("want begin as YYYY-MM-DD hh:mm:ss, got %q", r.Begin)
	}
	end, err := time.Parse(rangeLayout, r.End)
	if err != nil {
		return r, fmt.Errorf("want end as YYYY-MM-DD hh:mm:ss, got %q", r.End)
	}
	if begin.After(end) {
		return r, fmt.Errorf("begins at %q, after its end %q", r.Begin, r.End)
	}
	return r, nil
}
