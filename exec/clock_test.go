package exec_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-engine/weir/planner"
)

// gateway is an executor on a machine whose clock somebody sets: real is the time that
// passed, off what the clock shows more.
type gateway struct {
	*changing
	real, off int64
	rows      int
}

// pass lets time pass; what is due on the way is done when it is.
func (g *gateway) pass(ms int64) {
	to := g.real + ms
	for d := g.x.Deadline(); d > 0 && d-g.off <= to; d = g.x.Deadline() {
		g.real = max(g.real, d-g.off)
		g.x.Advance(g.real + g.off)
	}
	g.real = to
	g.x.Advance(g.real + g.off)
}

func (g *gateway) set(by int64) {
	g.off += by
	g.x.Jump(by, g.real+g.off)
}

// row has a row come, whose n is its number.
func (g *gateway) row() {
	g.rows++
	in := batch(rand.New(rand.NewPCG(uint64(g.rows), 1)), planOf(), 1, 0, false)
	stamp(in, int64(g.rows))
	g.x.Run(in, g.real+g.off)
}

// hopsOnPaper is a tumbling or hopping window as one would work it out on paper: hops
// of rows, and when the open one is over by the clock on the wall.
type hopsOnPaper struct {
	length, hop      int64
	start, end, half int64 // of the open hop, in real time; half: where its second part begins
	number           int
	second           bool
	hopOf            []int
	secondOf         []bool // by row
	said             []string
	longest, off     int64
}

func (p *hopsOnPaper) open(now int64) {
	p.end = ((now+p.off)/p.hop+1)*p.hop - p.off
	rest := p.length % p.hop
	if rest == 0 {
		return
	}
	p.half = p.end - rest
	if p.half <= p.start {
		p.second = true
	}
}

func (p *hopsOnPaper) pass(to int64) {
	for {
		if p.length%p.hop > 0 && !p.second && to >= p.half {
			p.second = true
		}
		if to < p.end {
			return
		}
		n, low, high := 0, 0, 0
		for row, hop := range p.hopOf {
			first := p.number - int(p.length/p.hop)
			if hop > first || hop == first && p.length%p.hop > 0 && p.secondOf[row] {
				if n++; n == 1 {
					low = row + 1
				}
				high = row + 1
			}
		}
		p.said = append(p.said, fmt.Sprint(p.end+p.off, n, low, high))
		p.longest = max(p.longest, p.end-p.start)
		p.start, p.second = p.end, false
		p.number++
		p.open(p.end)
	}
}

func (p *hopsOnPaper) set(by, now int64) {
	p.off += by
	second := p.second
	p.open(now)
	p.second, p.half = second, max(p.half, now)
	if now-p.start >= p.hop {
		p.end = now
	}
	p.pass(now)
}

func (p *hopsOnPaper) row() {
	p.hopOf, p.secondOf = append(p.hopOf, p.number), append(p.secondOf, p.second)
}

// Windows whose content does not depend on what a clock shows.
var evenWindows = []string{
	"SLIDINGWINDOW(ss, 3)", "SLIDINGWINDOW(ss, 2, 1)", "SLIDINGWINDOW(ss, 2) OVER (WHEN n % 3 = 0)", "SLIDINGWINDOW(ms, 700, 1500) OVER (WHEN n % 4 = 1)",
	"SESSIONWINDOW(ss, 60, 1)", "COUNTWINDOW(4)", "COUNTWINDOW(5, 2)", "STATEWINDOW(n % 5 = 0, n % 7 = 0)", "STATEWINDOW(n % 4 = 0) OVER (PARTITION BY n % 2)",
	"SLIDINGWINDOW(ss, 9) OVER (WHEN event_time() > 0 AND last_hit_count() < 40)",
}

// Somebody sets the clock again and again, by little and by much, forward and back. Windows of
// round times go on as on paper; all others send what they would have sent without.
func TestClockIsSet(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { clockIsSet(t, rand.New(rand.NewPCG(seed, 9))) })
	}
}

func clockIsSet(t *testing.T, rnd *rand.Rand) {
	begin := 1_700_000_000_000 + rnd.Int64N(100_000)
	newGateway := func() *gateway { return &gateway{changing: newChanging(t), real: begin} }
	g, even := newGateway(), newGateway()
	var papers []*hopsOnPaper
	for i := range 6 {
		hop := []int64{1, 2, 5, 10}[rnd.IntN(4)]
		length := 1 + rnd.Int64N(20)
		if rnd.IntN(3) == 0 {
			length = hop
		}
		p := &hopsOnPaper{length: length * 1000, hop: hop * 1000, start: begin}
		p.open(begin)
		papers = append(papers, p)
		text := fmt.Sprintf("HOPPINGWINDOW(ss, %d, %d)", length, hop)
		if length == hop {
			text = fmt.Sprintf("TUMBLINGWINDOW(ss, %d)", hop)
		}
		count := []string{"count(*)", "count(DISTINCT n)"}[rnd.IntN(2)] // in panes, and in rows
		g.add(t, aloneRule{id: planner.RuleID(i), text: "SELECT window_end() AS e, " + count + " AS c, min(n) AS low, max(n) AS high FROM s GROUP BY " + text})
	}
	for i, w := range evenWindows {
		r := aloneRule{id: planner.RuleID(10 + i), text: "SELECT collect(n) AS l, sum(a) AS s FROM s GROUP BY " + w}
		g.add(t, r)
		even.add(t, r)
	}
	g.x.SetProgram(0, g.b.Program(), begin)
	even.x.SetProgram(0, even.b.Program(), begin)
	jumps := 0
	for range 150 {
		ms := rnd.Int64N(1500)
		g.pass(ms)
		even.pass(ms)
		for _, p := range papers {
			p.pass(g.real)
		}
		if rnd.IntN(4) == 0 {
			by := rnd.Int64N(8000) - 4000
			switch rnd.IntN(4) {
			case 0:
				by = rnd.Int64N(2*86_400_000) - 86_400_000
			case 1:
				by = []int64{-3_600_000, 3_600_000, 31_536_000_000, -31_536_000_000, -1_700_000_000}[rnd.IntN(5)]
			}
			jumps++
			g.set(by)
			g.x.Advance(g.real + g.off)
			for _, p := range papers {
				p.set(by, g.real)
			}
			continue
		}
		g.row()
		even.row()
		for _, p := range papers {
			p.row()
		}
	}
	for i, p := range papers {
		checkOnPaper(t, p, g, planner.RuleID(i), g.real-begin, jumps)
	}
	for i, w := range evenWindows {
		id := planner.RuleID(10 + i)
		if got, want := texts(g.out.rows[id]), texts(even.out.rows[id]); got != want {
			t.Errorf("%s: the clock was set\n%s\nit was not\n%s", w, got, want)
		}
	}
}

func checkOnPaper(t *testing.T, p *hopsOnPaper, g *gateway, id planner.RuleID, passed int64, jumps int) {
	t.Helper()
	var got []string
	for _, m := range g.out.rows[id] {
		var w []struct{ E, C, Low, High int64 }
		if err := json.Unmarshal([]byte(m), &w); err != nil || len(w) != 1 {
			t.Fatalf("%s: %v", m, err)
		}
		got = append(got, fmt.Sprint(w[0].E, w[0].C, w[0].Low, w[0].High))
	}
	if !slices.Equal(got, p.said) {
		t.Errorf("length %d, hop %d: got\n%q\nwant\n%q", p.length, p.hop, got, p.said)
	}
	if p.longest >= 2*p.hop {
		t.Errorf("length %d, hop %d: %d ms from one window to the next", p.length, p.hop, p.longest)
	}
	if most := int(passed/p.hop) + jumps + 1; len(got) > most {
		t.Errorf("length %d, hop %d: %d windows in %d ms", p.length, p.hop, len(got), passed)
	}
}
