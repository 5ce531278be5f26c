package engine

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// zoneRules are statements whose answers depend on the time zone: in functions,
// constants, casts, windows and what is sent.
var zoneRules = []string{
	`SELECT format_time(ts, "YYYY-MM-dd HH:mm:ss") AS r FROM s`,
	`SELECT hour(ts) AS r FROM s`,
	`SELECT cast(t, "datetime") AS r FROM s`,
	`SELECT cast("2024-03-31 12:00:00", "datetime") AS r, day_name("2024-03-31T23:30:00") AS d FROM s`,
	`SELECT cast(ts, "datetime") < "2024-03-31 12:00:00" AS r FROM s`,
	`SELECT to_seconds(t) AS r, date_calc(t, "1h") AS d FROM s`,
	`SELECT d AS r, format_time(d, "HH") AS h FROM typed`,
	`SELECT count(*) AS c, window_start() AS b, window_end() AS e FROM ev GROUP BY TUMBLINGWINDOW(dd, 1)`,
	`SELECT count(*) AS c, window_start() AS b FROM ev GROUP BY HOPPINGWINDOW(hh, 6, 3)`,
	`SELECT count(*) AS c, window_start() AS b FROM times GROUP BY TUMBLINGWINDOW(hh, 5)`,
}

// newZoneRig starts an engine in a time zone with the streams and rules of zoneRules.
func newZoneRig(t *testing.T, loc *time.Location) *rig {
	t.Helper()
	r := newRig(t, Options{Location: loc})
	r.memoryStream("s", "in")
	r.sql(`CREATE STREAM typed (d DATETIME) WITH (TYPE="memory", DATASOURCE="typed", FORMAT="json", TIMESTAMP_FORMAT="YYYY-MM-dd HH:mm:ss")`)
	r.sql(`CREATE STREAM ev () WITH (TYPE="memory", DATASOURCE="ev", FORMAT="json", TIMESTAMP="ts")`)
	r.sql(`CREATE STREAM times () WITH (TYPE="memory", DATASOURCE="times", FORMAT="json", TIMESTAMP="t", TIMESTAMP_FORMAT="YYYY-MM-dd HH:mm:ss")`)
	for i, text := range zoneRules {
		event := strings.Contains(text, "FROM ev") || strings.Contains(text, "FROM times")
		d, err := parseRule(fmt.Appendf(nil, `{"id":"r%d","sql":%q,"options":{"isEventTime":%v,"lateTolerance":0},"actions":[%s]}`, i, text, event, toMemory(fmt.Sprintf("out/%d", i))))
		r.must(err)
		r.must(r.CreateRule(d))
	}
	for id, options := range map[string]string{
		"cron": `{"cron":"0 3 * * *","duration":"1h"}`, "range": `{"cronDatetimeRange":[{"begin":"2099-05-01 10:00:00","end":"2099-05-01 11:00:00"}]}`,
	} {
		d, err := parseRule(fmt.Appendf(nil, `{"id":%q,"sql":"SELECT * FROM s","options":%s,"actions":[{"nop":{}}]}`, id, options))
		r.must(err)
		r.must(r.CreateRule(d))
	}
	return r
}

// answers returns what the rules of r say to some messages.
func (r *rig) answers() (out []string) {
	r.t.Helper()
	listeners := make([]*listener, len(zoneRules))
	for i := range listeners {
		listeners[i] = r.listen(fmt.Sprintf("out/%d", i))
	}
	r.publish("in", `{"ts":1711846800000,"t":"2024-03-31 01:30:00"}`)
	r.publish("typed", `{"d":"2024-03-31 01:30:00"}`)
	for _, ms := range []int64{1711846800000, 1711900000000, 1712000000000} {
		r.publish("ev", fmt.Sprintf(`{"ts":%d}`, ms))
	}
	r.publish("times", `{"t":"2024-03-30 23:30:00"}`, `{"t":"2024-03-31 06:30:00"}`)
	for i, l := range listeners {
		out = append(out, fmt.Sprint(zoneRules[i], ": ", l.next(1)))
	}
	for _, id := range []string{"cron", "range"} {
		out = append(out, fmt.Sprint(id, ": ", r.status(id, "nextStartTimestamp"), r.statusOf(id)))
	}
	return out
}

// TestTimezoneChanges changes the time zone of a running engine, and compares it with
// engines that began in that zone.
func TestTimezoneChanges(t *testing.T) {
	r := newZoneRig(t, time.UTC)
	for _, name := range []string{"Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "UTC"} {
		loc, err := time.LoadLocation(name)
		r.must(err)
		r.must(r.Configure(map[string]any{"timezone": name}))
		fresh := newZoneRig(t, loc)
		got, want := r.answers(), fresh.answers()
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s:\n got %s\nwant %s", name, got[i], want[i])
			}
		}
	}
}

// TestTimezonesAtOnce has calls set different time zones at the same time: one of them
// holds for all.
func TestTimezonesAtOnce(t *testing.T) {
	r := newRig(t, Options{Location: time.UTC})
	r.memoryStream("s", "in")
	out := r.listen("out")
	r.rule("r", "SELECT hour(ts) AS h FROM s", "out")
	var wg sync.WaitGroup
	for range 20 {
		for _, name := range []string{"Asia/Shanghai", "UTC", "America/New_York"} {
			wg.Go(func() {
				if err := r.Configure(map[string]any{"timezone": name}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r.publish("in", `{"ts":1711846800000}`)
		r.Engine.mu.RLock()
		zone := r.Engine.mu.zone
		r.Engine.mu.RUnlock()
		out.want(fmt.Sprintf(`{"h":%d}`, time.UnixMilli(1711846800000).In(zone).Hour()))
	}
}

// TestConfigure has each setting either done or refused.
func TestConfigure(t *testing.T) {
	var level slog.Level
	r := newRig(t, Options{SetLevel: func(l slog.Level) { level = l }, Level: slog.LevelWarn})
	level = slog.LevelWarn
	for _, c := range []struct {
		settings map[string]any
		fault    string
		level    slog.Level
	}{
		{map[string]any{"debug": true}, "", slog.LevelDebug},
		{map[string]any{"logLevel": "error"}, "", slog.LevelDebug},
		{map[string]any{"debug": false}, "", slog.LevelError},
		{map[string]any{"loglevel": "Warning"}, "", slog.LevelWarn},
		{map[string]any{"logLevel": "info", "debug": true, "timezone": "Europe/Berlin"}, "", slog.LevelDebug},
		{map[string]any{"DEBUG": false}, "", slog.LevelInfo},
		{map[string]any{"consoleLog": true, "fileLog": false}, "", slog.LevelInfo},
		{map[string]any{"metricsDumpConfig": map[string]any{"enable": false}}, "", slog.LevelInfo},
		{map[string]any{}, "", slog.LevelInfo},
		{map[string]any{"logLevel": "error", "timezone": "Foo/Bar"}, "Invalid TZ: unknown time zone Foo/Bar", slog.LevelInfo},
		{map[string]any{"logLevel": "error", "timezone": ""}, "Invalid TZ", slog.LevelInfo},
		{map[string]any{"logLevel": "loud"}, "want debug, info, warn or error", slog.LevelInfo},
		{map[string]any{"logLevel": 3.0}, "logLevel 3", slog.LevelInfo},
		{map[string]any{"debug": "true"}, `debug "true": want true or false`, slog.LevelInfo},
		{map[string]any{"consoleLog": false}, "standard error", slog.LevelInfo},
		{map[string]any{"fileLog": true}, "standard error", slog.LevelInfo},
		{map[string]any{"metricsDumpConfig": map[string]any{"enable": true}}, "not supported", slog.LevelInfo},
		{map[string]any{"restPort": 1.0}, `"restPort" cannot be changed`, slog.LevelInfo},
	} {
		err := r.Configure(c.settings)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%v: got %v, want %q", c.settings, err, c.fault)
		}
		if level != c.level {
			t.Errorf("%v: the level is %v, want %v", c.settings, level, c.level)
		}
	}
}
