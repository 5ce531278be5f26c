package exec_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Times around which clocks were set, and some at which none was.
var clockChanges = []struct{ zone, at string }{
	{"UTC", "2024-02-28T22:00:00Z"},
	{"Asia/Kathmandu", "1985-12-31T18:30:00Z"}, // 5:30 to 5:45 ahead
	{"Asia/Kathmandu", "2024-05-01T10:00:00Z"}, // 5:45 ahead
	{"Europe/Berlin", "2024-03-31T01:00:00Z"},  // an hour is left out
	{"Europe/Berlin", "2024-10-27T01:00:00Z"},  // an hour comes twice
	{"America/New_York", "2024-03-10T07:00:00Z"},
	{"America/New_York", "2024-11-03T06:00:00Z"},
	{"Australia/Lord_Howe", "2024-04-06T15:00:00Z"}, // half an hour
	{"Australia/Lord_Howe", "2024-10-05T15:30:00Z"},
	{"America/Sao_Paulo", "2018-02-18T02:00:00Z"}, // midnight back to 23:00
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // there is no midnight
	{"America/Havana", "2024-11-03T05:00:00Z"},    // midnight comes twice
	{"America/St_Johns", "2010-11-07T02:31:00Z"},  // a minute after midnight back to the day before
	{"Pacific/Apia", "2011-12-30T10:00:00Z"},      // a day is left out
}

// paper is a tumbling or hopping window as one would work it out on paper: somebody
// walks through the time in small steps and looks at a clock on the wall.
type paper struct {
	unit        string
	length, hop int64 // ms
	loc         *time.Location
	step        int64
}

var unitMs = map[string]int64{"ms": 1, "ss": 1000, "mi": 60_000, "hh": 3_600_000, "dd": 86_400_000}

func (p *paper) wall(ms int64) int64 {
	_, off := time.UnixMilli(ms).In(p.loc).Zone()
	return ms + int64(off)*1000
}

// day returns the number of the date.
func (p *paper) day(ms int64) int64 { return p.wall(ms) / 86_400_000 }

// fits tells whether hops go into the next larger unit of time.
func (p *paper) fits() bool {
	n := p.hop / unitMs[p.unit]
	return map[string]int64{"ms": 1000, "ss": 60, "mi": 60, "hh": 24, "dd": 1}[p.unit]%n == 0
}

// ends returns where the windows of a rule end that began at begin, until last.
func (p *paper) ends(begin, last int64) (ends []int64) {
	if p.unit != "dd" && !p.fits() {
		within := map[string]int64{"ms": 1000, "ss": 60_000, "mi": 3_600_000, "hh": 86_400_000}[p.unit]
		end := begin - p.wall(begin)%within
		for end <= begin {
			end += p.hop
		}
		for ; end <= last; end += p.hop {
			ends = append(ends, end)
		}
		return ends
	}
	day := int64(0) // the next one that is to begin
	for t := begin - 86_400_000; t <= begin; t += 60_000 {
		day = max(day, p.day(t)+p.hop/86_400_000)
	}
	for t := begin - begin%p.step + p.step; t <= last; t += p.step {
		before, now := p.wall(t-1)+1, p.wall(t)
		if p.unit != "dd" {
			passed := false // a time was left out at which windows end
			for w := before; w < now; w += p.step {
				passed = passed || w%p.hop == 0
			}
			if passed || now%p.hop == 0 {
				ends = append(ends, t)
			}
			continue
		}
		if p.day(t) >= day {
			ends = append(ends, t)
			day = p.day(t) + p.hop/86_400_000
		}
	}
	return ends
}

// start returns where the window with the end number i begins.
func (p *paper) start(ends []int64, i int, begin int64) int64 {
	at := i - int(p.length/p.hop) // the hop that it begins behind, or in
	if at < 0 {
		return begin
	}
	rest := p.length % p.hop
	cut := ends[at] - rest
	if p.unit == "dd" && rest > 0 { // the first moment of that day
		day := p.day(ends[at]) - rest/86_400_000
		for cut = ends[at] - rest - 2*86_400_000; p.day(cut) < day; cut += p.step {
		}
	}
	hop := begin
	if at > 0 {
		hop = ends[at-1]
	}
	return max(cut, hop)
}

// said is what a rule says of a window.
type said struct{ E, C, S int64 }

type onPaper struct {
	ts   int64
	pass bool
}

// windows returns what is to be said of the windows that are over at now.
func (p *paper) windows(rows []onPaper, begin, now int64) (out []said) {
	ends := p.ends(begin, now)
	for i, e := range ends {
		w, from := said{E: e}, p.start(ends, i, begin)
		for _, r := range rows {
			if r.pass && r.ts >= from && r.ts < e {
				w.C++
				w.S += r.ts
			}
		}
		out = append(out, w)
	}
	return out
}

// Windows of time hold the rows that they should by the calendar, in zones of every kind:
// all lengths and hops, alone and with a rule that came before, by the clock and in event time.
func TestWindowsByCalendar(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { calendar(t, rand.New(rand.NewPCG(seed, 3))) })
	}
}

func calendar(t *testing.T, rnd *rand.Rand) {
	change := clockChanges[rnd.IntN(len(clockChanges))]
	loc, err := time.LoadLocation(change.zone)
	if err != nil {
		t.Fatal(err)
	}
	about, err := time.Parse(time.RFC3339, change.at)
	if err != nil {
		t.Fatal(err)
	}
	p := paper{loc: loc, unit: []string{"dd", "dd", "hh", "hh", "mi", "ss", "ms"}[rnd.IntN(7)]}
	u := unitMs[p.unit]
	p.step = min(u, 60_000)
	n, hop := 1+rnd.Int64N(5), 1+rnd.Int64N(5)
	switch p.unit {
	case "hh":
		n, hop = 1+rnd.Int64N(14), 1+rnd.Int64N(12)
	case "mi", "ss":
		n, hop = 1+rnd.Int64N(90), 1+rnd.Int64N(60)
	case "ms":
		n, hop = 100*(1+rnd.Int64N(20)), 50*(1+rnd.Int64N(20))
	}
	p.length, p.hop = n*u, hop*u
	text := fmt.Sprintf("HOPPINGWINDOW(%s, %d, %d)", p.unit, n, hop)
	if rnd.IntN(3) == 0 {
		p.hop, text = p.length, fmt.Sprintf("TUMBLINGWINDOW(%s, %d)", p.unit, n)
	}
	filter := rnd.IntN(3) == 0
	if filter {
		text += " FILTER (WHERE b > 3)"
	}
	count := []string{"count(*)", "count(DISTINCT n)"}[rnd.IntN(2)] // in panes, and in rows
	text = fmt.Sprintf("SELECT %s AS c, sum(n) AS s, window_end() AS e FROM s GROUP BY %s", count, text)

	span := 12 * p.hop
	now := about.UnixMilli() - rnd.Int64N(span)
	if rnd.IntN(2) == 0 {
		now -= now % u
	}
	c := newChanging(t)
	c.x = exec.New(exec.Env{Location: loc}, c.out)
	event := rnd.IntN(2) == 0
	rules := map[planner.RuleID]int64{} // when they began
	enter := func(id planner.RuleID) {
		c.add(t, aloneRule{id: id, text: text, event: event})
		c.x.SetProgram(0, c.b.Program(), now)
		rules[id] = now
		if event {
			rules[id] = -1 // with its first row
		}
	}
	enter(1)
	var rows []onPaper
	for i := range 40 {
		if i == 15 {
			now++ // a row of before is not its
			enter(2)
		}
		now += 1 + rnd.Int64N(span/20)
		if rnd.IntN(4) == 0 {
			now += p.step - now%p.step // at a round time
		}
		r := onPaper{now, !filter || rnd.IntN(2) == 0}
		rows = append(rows, r)
		in := batch(rnd, planOf(), 1, 0, false)
		stamp(in, now)
		col := slices.IndexFunc(in.Plan.Cols, func(s vec.ColumnSpec) bool { return s.Path[0] == "b" })
		in.Cols[col].SetFloat(0, map[bool]float64{true: 5, false: 1}[r.pass])
		if !event {
			c.x.Advance(now)
		}
		c.x.Run(in, now)
		for id, at := range rules {
			if at < 0 && r.pass {
				rules[id] = now
			}
		}
	}
	for id, begin := range rules {
		var got []said
		for _, m := range c.out.rows[id] {
			var w []said
			if err := json.Unmarshal([]byte(m), &w); err != nil || len(w) != 1 {
				t.Fatalf("%s: %v", m, err)
			}
			got = append(got, w[0])
		}
		var want []said
		if begin >= 0 {
			want = p.windows(slices.DeleteFunc(slices.Clone(rows), func(r onPaper) bool { return r.ts < begin }), begin, now)
		}
		if !slices.Equal(got, want) {
			t.Errorf("rule %d: %s, event time %v, in %s, begun %s, until %s:\n got %s\nwant %s", id, text, event, loc,
				time.UnixMilli(begin).In(loc), time.UnixMilli(now).In(loc), inZone(got, loc), inZone(want, loc))
		}
	}
}

func inZone(list []said, loc *time.Location) (out string) {
	for _, w := range list {
		out += fmt.Sprintf(" [%s: %d, %d]", time.UnixMilli(w.E).In(loc).Format("01-02T15:04:05.000Z07:00"), w.C, w.S)
	}
	return out
}
