package exec

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// Windows end where the next larger unit of local time is divided by their length;
// those of days at midnight, also where a day has 23 or 25 hours.
func TestAlignedEnds(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const day, hour, minute, second = 86400000, 3600000, 60000, 1000
	for _, tt := range []struct {
		name, from string
		spec       planner.WindowSpec
		want       []string // ends, one after the other
	}{
		{"ten seconds", "2024-05-01T10:00:03+02:00", planner.WindowSpec{Unit: "ss", Length: 10 * second}, []string{"2024-05-01T10:00:10+02:00", "2024-05-01T10:00:20+02:00"}},
		{"at an end", "2024-05-01T10:00:10+02:00", planner.WindowSpec{Unit: "ss", Length: 10 * second}, []string{"2024-05-01T10:00:20+02:00"}},
		{"milliseconds", "2024-05-01T10:00:03.250+02:00", planner.WindowSpec{Unit: "ms", Length: 200}, []string{"2024-05-01T10:00:03.400+02:00"}},
		{"a hop", "2024-05-01T10:07:00+02:00", planner.WindowSpec{Kind: sql.HoppingWindow, Unit: "mi", Length: 30 * minute, Interval: 15 * minute}, []string{"2024-05-01T10:15:00+02:00", "2024-05-01T10:30:00+02:00"}},
		{"hours", "2024-05-01T10:07:00+02:00", planner.WindowSpec{Unit: "hh", Length: 6 * hour}, []string{"2024-05-01T12:00:00+02:00", "2024-05-01T18:00:00+02:00"}},
		{"a day", "2024-05-01T10:07:00+02:00", planner.WindowSpec{Unit: "dd", Length: day}, []string{"2024-05-02T00:00:00+02:00"}},
		{"a short day", "2024-03-30T10:00:00+01:00", planner.WindowSpec{Unit: "dd", Length: day}, []string{"2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"}},
		{"a long day", "2024-10-26T10:00:00+02:00", planner.WindowSpec{Unit: "dd", Length: day}, []string{"2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00"}},
		{"two days over a change", "2024-03-30T10:00:00+01:00", planner.WindowSpec{Unit: "dd", Length: 2 * day}, []string{"2024-04-01T00:00:00+02:00"}},
		{"hops of days", "2024-10-26T10:00:00+02:00", planner.WindowSpec{Kind: sql.HoppingWindow, Unit: "dd", Length: 2 * day, Interval: day}, []string{"2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00"}},
	} {
		from, err := time.Parse(time.RFC3339Nano, tt.from)
		if err != nil {
			t.Fatal(err)
		}
		end := firstEnd(from.UnixMilli(), &tt.spec, berlin)
		for i, want := range tt.want {
			if i > 0 {
				end = nextEnd(end, &tt.spec, berlin)
			}
			w, err := time.Parse(time.RFC3339Nano, want)
			if err != nil {
				t.Fatal(err)
			}
			if end != w.UnixMilli() {
				t.Errorf("%s: end %d is %s, want %s", tt.name, i, time.UnixMilli(end).In(berlin).Format(time.RFC3339Nano), want)
				end = w.UnixMilli()
			}
		}
	}
}

// What a lookup gave is kept for as long as was said, whatever the clock shows.
func TestCacheWhenClockIsSet(t *testing.T) {
	const now, back = 7_200_000, -3_600_000
	c := &lookupCache{entries: map[string]cachedRows{}}
	rows := &LookupRows{}
	c.put("a", rows, planner.LookupCache{Missing: true, TTLMs: 1000}, now)
	c.put("b", rows, planner.LookupCache{Missing: true}, now)
	c.jump(back)
	if c.get([]byte("a"), now+back+999) == nil || c.get([]byte("a"), now+back+1000) != nil {
		t.Error("a row is not kept for a second")
	}
	if c.get([]byte("b"), now+1e12) == nil {
		t.Error("a row is not kept for ever")
	}
}
