package ruledef

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"
)

// Options says how a rule runs. DefaultOptions has the defaults.
type Options struct {
	IsEventTime    bool          // windows follow the timestamps in the rows
	LateTolerance  time.Duration // how long a late row is waited for; event time only
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

// option reads the value of one option into o.
type option func(o *Options, v any) error

var options = map[string]option{
	"isEventTime":               optBool(func(o *Options) *bool { return &o.IsEventTime }),
	"lateTolerance":             optDuration(func(o *Options) *time.Duration { return &o.LateTolerance }),
	"concurrency":               optInt(func(o *Options) *int { return &o.Concurrency }, math.MaxInt32),
	"bufferLength":              optInt(func(o *Options) *int { return &o.BufferLength }, math.MaxInt32),
	"sendMetaToSink":            optBool(func(o *Options) *bool { return &o.SendMetaToSink }),
	"sendNilField":              optBool(func(o *Options) *bool { return &o.SendNilField }),
	"sendError":                 optBool(func(o *Options) *bool { return &o.SendError }),
	"qos":                       optInt(func(o *Options) *int { return &o.QoS }, 2),
	"checkpointInterval":        optDuration(func(o *Options) *time.Duration { return &o.CheckpointInterval }),
	"restartStrategy":           optRestart,
	"cron":                      optCron,
	"duration":                  optDuration(func(o *Options) *time.Duration { return &o.Duration }),
	"cronDatetimeRange":         optRanges,
	"debug":                     optBool(func(o *Options) *bool { return &o.Debug }),
	"logFilename":               optString(func(o *Options) *string { return &o.LogFilename }),
	"planOptimizeStrategy":      optHint("planOptimizeStrategy"),
	"experiment":                optHint("experiment"),
	"disableBufferFullDiscard":  optBool(func(o *Options) *bool { return &o.DisableBufferFullDiscard }),
	"enableSaveStateBeforeStop": optBool(func(o *Options) *bool { return &o.EnableSaveStateBeforeStop }),
	"forceExitTimeout":          optDuration(func(o *Options) *time.Duration { return &o.ForceExitTimeout }),
	"notifySub":                 optBool(func(o *Options) *bool { return &o.NotifySub }),
}

// parseOptions reads the options of a rule over defaults. All faults are in
// the error, in the order of the keys.
func parseOptions(m map[string]any, defaults Options) (Options, []string, error) {
	o := defaults
	if len(m) == 0 {
		return o, nil, nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var warnings, faults []string
	for _, k := range keys {
		read, ok := lookupOption(k)
		switch {
		case !ok:
			warnings = append(warnings, fmt.Sprintf("option %q does not exist", k))
		case m[k] == nil: // null leaves the default
		default:
			if err := read(&o, m[k]); err != nil {
				faults = append(faults, fmt.Sprintf("%s %v", k, err))
			}
		}
	}
	if faults != nil {
		return o, warnings, errors.New(strings.Join(faults, "; "))
	}
	return o, warnings, nil
}

// lookupOption finds an option, in any case as encoding/json does for the
// other keys of a rule.
func lookupOption(key string) (option, bool) {
	if read, ok := options[key]; ok {
		return read, true
	}
	for k, read := range options {
		if strings.EqualFold(k, key) {
			return read, true
		}
	}
	return nil, false
}

func optBool(field func(*Options) *bool) option {
	return func(o *Options, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("must be true or false, not %s", quoteOption(v))
		}
		*field(o) = b
		return nil
	}
}

func optString(field func(*Options) *string) option {
	return func(o *Options, v any) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("must be a string, not %s", quoteOption(v))
		}
		*field(o) = s
		return nil
	}
}

func optInt(field func(*Options) *int, limit int) option {
	return func(o *Options, v any) error {
		f, ok := v.(float64)
		if !ok || f != math.Trunc(f) {
			return fmt.Errorf("must be a whole number, not %s", quoteOption(v))
		}
		if f < 0 {
			return fmt.Errorf("must not be negative, but is %s", quoteOption(v))
		}
		if f > float64(limit) {
			return fmt.Errorf("must be at most %d, but is %s", limit, quoteOption(v))
		}
		*field(o) = int(f)
		return nil
	}
}

func optDuration(field func(*Options) *time.Duration) option {
	return func(o *Options, v any) error {
		d, err := duration(v)
		if err != nil {
			return err
		}
		*field(o) = d
		return nil
	}
}

// duration reads a duration: a whole number of milliseconds, or a text
// such as "1m30s".
func duration(v any) (time.Duration, error) {
	var d time.Duration
	switch x := v.(type) {
	case float64:
		if x != math.Trunc(x) || math.Abs(x) > float64(math.MaxInt64/int64(time.Millisecond)) {
			return 0, fmt.Errorf("must be whole milliseconds or a text such as \"10s\", not %s", quoteOption(v))
		}
		d = time.Duration(x) * time.Millisecond
	case string:
		if x == "" {
			return 0, nil
		}
		var err error
		if d, err = time.ParseDuration(x); err != nil {
			return 0, fmt.Errorf("must be milliseconds or a text such as \"10s\", not %q", x)
		}
	default:
		return 0, fmt.Errorf("must be milliseconds or a text such as \"10s\", not %s", quoteOption(v))
	}
	if d < 0 {
		return 0, fmt.Errorf("must not be negative, but is %s", quoteOption(v))
	}
	return d, nil
}

func optHint(name string) option {
	return func(o *Options, v any) error {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("must be an object, not %s", quoteOption(v))
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
}

// optRestart reads {"attempts": n}. The other keys that documentation names are
// accepted and have no effect.
func optRestart(o *Options, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("must be an object, not %s", quoteOption(v))
	}
	a, ok := m["attempts"]
	if !ok || a == nil {
		return nil
	}
	if err := optInt(func(o *Options) *int { return &o.RestartAttempts }, math.MaxInt32)(o, a); err != nil {
		return fmt.Errorf("attempts %w", err)
	}
	return nil
}

// optCron checks the number of fields; the scheduler that reads the expression
// checks what they say.
func optCron(o *Options, v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("must be a string, not %s", quoteOption(v))
	}
	n := len(strings.Fields(s))
	if n != 0 && n != 5 && n != 6 && !strings.HasPrefix(s, "@") {
		return fmt.Errorf("must have 5 or 6 fields, but %q has %d", s, n)
	}
	o.Cron = strings.TrimSpace(s)
	return nil
}

const rangeLayout = "2006-01-02 15:04:05"

func optRanges(o *Options, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("must be a list, not %s", quoteOption(v))
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
		return r, fmt.Errorf("must be an object, not %s", quoteOption(v))
	}
	r.Begin, _ = m["begin"].(string)
	r.End, _ = m["end"].(string)
	if r.Begin == "" && r.End == "" {
		b, okB := m["beginTimestamp"].(float64)
		e, okE := m["endTimestamp"].(float64)
		if !okB || !okE {
			return r, errors.New("wants begin and end, or beginTimestamp and endTimestamp")
		}
		if b > e {
			return r, fmt.Errorf("begins at %.0f, after its end %.0f", b, e)
		}
		r.BeginMs, r.EndMs = int64(b), int64(e)
		return r, nil
	}
	begin, err := time.Parse(rangeLayout, r.Begin)
	if err != nil {
		return r, fmt.Errorf("begin must be YYYY-MM-DD hh:mm:ss, not %q", r.Begin)
	}
	end, err := time.Parse(rangeLayout, r.End)
	if err != nil {
		return r, fmt.Errorf("end must be YYYY-MM-DD hh:mm:ss, not %q", r.End)
	}
	if begin.After(end) {
		return r, fmt.Errorf("begins at %q, after its end %q", r.Begin, r.End)
	}
	return r, nil
}

// quoteOption writes a value for an error, cut short.
func quoteOption(v any) string {
	var s string
	switch x := v.(type) {
	case string:
		s = fmt.Sprintf("%q", x)
	case float64:
		s = fmt.Sprintf("%g", x)
		if x == math.Trunc(x) && math.Abs(x) < 1e15 {
			s = fmt.Sprintf("%.0f", x)
		}
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		s = fmt.Sprint(x)
	}
	if len(s) > 64 {
		s = s[:61] + "..."
	}
	return s
}
