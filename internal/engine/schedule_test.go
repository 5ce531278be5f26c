package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/planner/ruledef"
)

// options reads the options of a rule as they stand in its text.
func ruleOptions(t *testing.T, text string) *ruledef.Options {
	t.Helper()
	d, err := parseRule(fmt.Appendf(nil, `{"id":"r","sql":"SELECT 1 FROM s","actions":[{"nop":{}}],"options":%s}`, text))
	if err != nil {
		t.Fatal(err)
	}
	return &d.Options
}

func TestScheduleOn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options   string
		now       string
		on        bool
		look      string // when on
		nextStart string
	}{
		{`{"cron":"0 * * * *","duration":"10m"}`, "2026-05-01 10:05:00", true, "2026-05-01 10:10:00", "2026-05-01 11:00:00"},
		{`{"cron":"0 * * * *","duration":"10m"}`, "2026-05-01 10:00:00", true, "2026-05-01 10:10:00", "2026-05-01 11:00:00"},
		{`{"cron":"0 * * * *","duration":"10m"}`, "2026-05-01 10:10:00", false, "", "2026-05-01 11:00:00"},
		{`{"cron":"30 0 * * * *","duration":"10s"}`, "2026-05-01 10:00:31", true, "2026-05-01 10:00:40", "2026-05-01 11:00:30"},
		{`{"cron":"@every 1h","duration":"10m"}`, "2026-05-01 10:05:00", true, "2026-05-01 10:10:00", "2026-05-01 11:00:00"},
		{`{"cron":"@daily","duration":"1h"}`, "2026-05-01 10:05:00", false, "", "2026-05-02 00:00:00"},
		{`{"cronDatetimeRange":[{"begin":"2026-05-01 10:00:00","end":"2026-05-01 11:00:00"}]}`, "2026-05-01 10:05:00", true, "2026-05-01 11:00:00", ""},
		{`{"cronDatetimeRange":[{"begin":"2026-05-01 10:00:00","end":"2026-05-01 11:00:00"}]}`, "2026-05-01 11:00:00", false, "", ""},
		{`{"cronDatetimeRange":[{"begin":"2026-05-01 10:00:00","end":"2026-05-01 11:00:00"}]}`, "2026-05-01 09:00:00", false, "", "2026-05-01 10:00:00"},
		// periods in any order, one within another
		{
			`{"cronDatetimeRange":[{"begin":"2026-05-03 10:00:00","end":"2026-05-03 11:00:00"},{"begin":"2026-05-01 10:00:00","end":"2026-05-01 12:00:00"},{"begin":"2026-05-01 10:30:00","end":"2026-05-01 11:00:00"}]}`,
			"2026-05-01 11:30:00", true, "2026-05-01 12:00:00", "2026-05-03 10:00:00",
		},
		// cron within periods: a run ends with the period, or begins with it
		{
			`{"cron":"0 * * * *","duration":"30m","cronDatetimeRange":[{"begin":"2026-05-01 10:10:00","end":"2026-05-01 11:20:00"}]}`,
			"2026-05-01 09:00:00", false, "", "2026-05-01 10:10:00",
		},
		{
			`{"cron":"0 * * * *","duration":"30m","cronDatetimeRange":[{"begin":"2026-05-01 10:10:00","end":"2026-05-01 11:20:00"}]}`,
			"2026-05-01 10:20:00", true, "2026-05-01 10:30:00", "2026-05-01 11:00:00",
		},
		{
			`{"cron":"0 * * * *","duration":"30m","cronDatetimeRange":[{"begin":"2026-05-01 10:10:00","end":"2026-05-01 11:20:00"}]}`,
			"2026-05-01 11:05:00", true, "2026-05-01 11:20:00", "",
		},
		{
			`{"cron":"0 * * * *","duration":"30m","cronDatetimeRange":[{"begin":"2026-05-01 10:40:00","end":"2026-05-01 10:50:00"}]}`,
			"2026-05-01 10:45:00", false, "", "",
		},
		// duration bounds the run of a period
		{`{"duration":"5m","cronDatetimeRange":[{"begin":"2026-05-01 10:00:00","end":"2026-05-01 11:00:00"}]}`, "2026-05-01 10:04:00", true, "2026-05-01 10:05:00", ""},
		// the hour that clocks leave out
		{`{"cron":"30 2 * * *","duration":"10m"}`, "2026-03-29 00:00:00", false, "", "2026-03-30 02:30:00"},
	} {
		s, err := newSchedule(ruleOptions(t, c.options), berlin)
		if err != nil {
			t.Errorf("%s: %v", c.options, err)
			continue
		}
		text := func(ms int64) string {
			if ms <= 0 {
				return ""
			}
			return time.UnixMilli(ms).In(berlin).Format(time.DateTime)
		}
		now, err := time.ParseInLocation(time.DateTime, c.now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		on, look := s.on(now.UnixMilli())
		if next := s.next(now.UnixMilli()); on != c.on || text(look) != c.look || text(next) != c.nextStart {
			t.Errorf("%s at %s: got %v until %q, next %q, want %v until %q, next %q", c.options, c.now, on, text(look), text(next), c.on, c.look, c.nextStart)
		}
	}
}

func TestNoSchedule(t *testing.T) {
	for _, options := range []string{`{}`, `{"duration":0}`, `{"cron":"0 0 * * *"}`, `{"cronDatetimeRange":[]}`} {
		if s, err := newSchedule(ruleOptions(t, options), time.UTC); s != nil || err != nil {
			t.Errorf("%s: got %v, %v", options, s, err)
		}
	}
}

func TestBadCron(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	for cron, want := range map[string]string{
		"61 * * * *":              "above maximum (59)",
		"a b c d e":               "failed to parse int from a",
		"0 0 30 2 *":              "there is no such time",
		"TZ=UTC\t*\t*\t*\t*":      "expected 5 to 6 fields",
		"CRON_TZ=Nowhere * * * *": "bad location",
		"@often":                  "unrecognized descriptor",
		"@every 1x":               "failed to parse duration",
	} {
		def := r.def("bad", "SELECT seq FROM s", toMemory("out"))
		def.Options.Cron, def.Options.Duration = cron, time.Minute
		if err := r.CreateRule(def); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Rule bad") {
			t.Errorf("%q: got %v, want %q", cron, err, want)
		}
	}
	if n := len(r.RuleList()); n != 0 {
		t.Errorf("%d rules were created", n)
	}
}

// timed creates a rule with options.
func (r *rig) timed(id, options string) error {
	r.t.Helper()
	text := fmt.Sprintf(`{"id":%q,"sql":"SELECT seq FROM s","actions":[%s],"options":%s}`, id, toMemory(id), options)
	d, err := parseRule([]byte(text))
	r.must(err)
	return r.CreateRule(d)
}

// A bubble begins at midnight of 2000-01-01 UTC.
func TestScheduledRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		defer r.close()
		r.memoryStream("s", "in")
		r.must(r.timed("hourly", `{"cron":"0 * * * *","duration":"10m"}`))
		r.must(r.timed("later", `{"cronDatetimeRange":[{"begin":"2000-01-01 02:00:00","end":"2000-01-01 03:00:00"}]}`))
		r.must(r.timed("once", `{"duration":"90m"}`))
		r.must(r.timed("past", `{"cronDatetimeRange":[{"beginTimestamp":1000,"endTimestamp":2000}]}`))

		begin := time.Now()
		at := func(after time.Duration, hourly, later, once string) {
			t.Helper()
			<-time.After(time.Until(begin.Add(after)))
			synctest.Wait()
			for id, want := range map[string]string{"hourly": hourly, "later": later, "once": once} {
				if got := r.statusOf(id); got != want {
					t.Errorf("after %v: %s: got %q, want %q", after, id, got, want)
				}
			}
		}
		at(time.Second, "running", waiting, "running")
		at(10*time.Minute+time.Second, waiting, waiting, "running")
		r.wantStatus("hourly", "nextStartTimestamp", begin.Add(time.Hour).UnixMilli())
		r.wantStatus("hourly", "lastStopTimestamp", begin.Add(10*time.Minute).UnixMilli())
		r.wantStatus("later", "nextStartTimestamp", begin.Add(2*time.Hour).UnixMilli())
		at(time.Hour+time.Second, "running", waiting, "running")
		at(91*time.Minute, waiting, waiting, "stopped")
		r.wantStatus("once", "message", outOfTime)
		at(2*time.Hour+time.Second, "running", "running", "stopped")
		r.must(r.StopRule("hourly"))
		at(3*time.Hour+time.Second, "stopped", waiting, "stopped")
		r.wantStatus("later", "message", outOfRanges)
		r.wantStatus("past", "message", outOfRanges)
		r.must(r.StartRule("hourly"))
		r.must(r.StartRule("once"))
		at(3*time.Hour+2*time.Second, "running", waiting, "running")
		r.must(r.DeleteRule("hourly"))
		r.replace(r.def("once", "SELECT seq FROM s", toMemory("once")))
		<-time.After(24 * time.Hour)
		synctest.Wait()
		if got := r.statusOf("once"); got != "running" {
			t.Errorf("a rule whose schedule was taken away: got %q", got)
		}
	})
}

// Data reaches a scheduled rule in its time only, and its stream is not read
// while nobody does.
func TestScheduledData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		defer r.close()
		r.memoryStream("s", "in")
		out := r.listen("a")
		r.must(r.timed("a", `{"cron":"30 * * * * *","duration":"10s"}`))
		r.publish("in", `{"seq":1}`)
		<-time.After(31 * time.Second)
		synctest.Wait()
		r.publish("in", `{"seq":2}`)
		out.want(`{"seq":2}`)
		<-time.After(20 * time.Second)
		synctest.Wait()
		r.publish("in", `{"seq":3}`)
		<-time.After(time.Minute - 20*time.Second)
		synctest.Wait()
		r.publish("in", `{"seq":4}`)
		out.want(`{"seq":4}`)
	})
}
