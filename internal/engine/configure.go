package engine

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner/ruledef"
)

// configured is what a call asks to be changed; nil: it stays as it is.
type configured struct {
	level *slog.Level
	debug *bool
	zone  *time.Location
}

// levels are the levels of the log as eKuiper calls them.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "warning": slog.LevelWarn, "error": slog.LevelError,
}

// Configure changes settings of the running process. What it cannot do it refuses, and
// then changes nothing.
func (e *Engine) Configure(settings map[string]any) error {
	var c configured
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if err := c.read(key, settings[key]); err != nil {
			return err
		}
	}
	e.setLevel(&c)
	if c.zone != nil {
		e.setZone(c.zone)
	}
	return nil
}

// read reads one setting. Keys are in any case, as in eKuiper.
func (c *configured) read(key string, v any) error {
	bad := func(format string, args ...any) error { return ruledef.Errorf(ruledef.CodeConfig, format, args...) }
	shown, _ := json.Marshal(v) // it came as JSON
	flag, isFlag := v.(bool)
	text, isText := v.(string)
	name := strings.ToLower(key)
	switch {
	case name == "loglevel":
		level, ok := levels[strings.ToLower(text)]
		if !ok {
			return bad("logLevel %s: want debug, info, warn or error", shown)
		}
		c.level = &level
	case name == "timezone":
		if !isText || text == "" {
			return bad("Invalid TZ: %s: want a name such as Europe/Berlin", shown)
		}
		loc, err := time.LoadLocation(text)
		if err != nil {
			return bad("Invalid TZ: %w", err)
		}
		c.zone = loc
	case name == "metricsdumpconfig":
		if o, ok := v.(map[string]any); !ok || o["enable"] == true {
			return bad("metricsDumpConfig: dumps of metrics are not supported by weir")
		}
	case name != "debug" && name != "consolelog" && name != "filelog":
		return bad("setting %q cannot be changed while running: want logLevel, debug, timezone, consoleLog or fileLog", key)
	case !isFlag:
		return bad("%s %s: want true or false", key, shown)
	case name == "debug":
		c.debug = &flag
	case name == "consolelog" && !flag, name == "filelog" && flag:
		return bad("%s %v: the log is always on standard error, and never in a file of weir's own", key, flag)
	}
	return nil
}

// setLevel sets the level of the log: debug while that is on, else what logLevel said
// last.
func (e *Engine) setLevel(c *configured) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.level != nil {
		e.mu.level = *c.level
	}
	if c.debug != nil {
		e.mu.debug = *c.debug
	}
	if e.opt.SetLevel == nil || c.level == nil && c.debug == nil {
		return
	}
	if e.mu.debug {
		e.opt.SetLevel(slog.LevelDebug)
	} else {
		e.opt.SetLevel(e.mu.level)
	}
}

// setZone changes the time zone of texts, windows and schedules. What depends on it is
// in the constants and formats of rules, and in the sources that read times, so that
// all rules begin anew.
func (e *Engine) setZone(loc *time.Location) {
	defer e.defLocks.lock("timezone")() // the executor and the rules have the same one
	e.mu.RLock()
	same := e.mu.zone.String() == loc.String()
	e.mu.RUnlock()
	if same {
		return
	}
	e.exec.Call(func(x *exec.Executor) { x.SetLocation(loc) })
	e.restartUsers(func() (all []*rule) {
		e.mu.zone = loc
		for _, r := range e.mu.rules {
			if r.running || r.timing != nil {
				all = append(all, r)
			}
		}
		return all
	})
	e.log.Info("the time zone has changed", "timezone", loc.String())
}
