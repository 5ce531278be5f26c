package rowref

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-engine/weir/internal/logictest"
)

// TestWild makes up files of wild rules and hostile payloads. What a rule sends, what
// it loses and how often must not depend on what runs beside it, or on the size of
// batches; the rules that the reference knows must send what it says. A panic fails.
// The number of files is WEIR_WILD_FILES, with some five statements each, the first
// seed WEIR_WILD_SEED.
func TestWild(t *testing.T) {
	files, first := 1000, 1
	if testing.Short() {
		files = 200
	}
	files, first = env(t, "WEIR_WILD_FILES", files), env(t, "WEIR_WILD_SEED", first)
	const parts = 4
	var statements atomic.Int64
	t.Cleanup(func() { t.Logf("%d statements", statements.Load()) })
	for part := range parts {
		t.Run(fmt.Sprintf("part=%d", part), func(t *testing.T) {
			t.Parallel()
			for seed := first + part; seed < first+files && !t.Failed(); seed += parts {
				statements.Add(int64(wildCase(t, uint64(seed))))
			}
		})
	}
}

// wildCase runs the file of a seed alone, and in three other ways; it returns how many
// statements it has.
func wildCase(t *testing.T, seed uint64) int {
	t.Helper()
	c := newWildCase(seed)
	c.simulate()
	r := rand.New(rand.NewPCG(seed, 3))
	size := func() int { return logictest.BatchSizes[r.IntN(len(logictest.BatchSizes))] }
	for _, e := range []logictest.Execution{
		{Share: true, Batch: size(), High: true},
		{Share: true, Reverse: true, Batch: size()},
		{Batch: 1 + 2*r.IntN(2), High: true},
	} {
		if c.run(e) != "" {
			c.fail(t, seed, e)
			break
		}
	}
	return c.rules
}

// newWildCase makes a file without what it prints.
func newWildCase(seed uint64) *caseFile {
	w := newWild(seed)
	c := &caseFile{gen: w.gen, wild: w, ts: 1000}
	for _, s := range []string{"st timestamp=ts", "u timestamp=ts", "h table retain=5", "k table key=id"} {
		fields := ""
		if name, _, _ := strings.Cut(s, " "); w.typed[name] {
			fields = wildSchema
		}
		c.add("schema "+s, fields)
	}
	for i := range 3 + w.n(4) {
		c.wildRule(fmt.Sprintf("r%d", i))
	}
	for _, to := range []string{"h", "k", "u", "st"} { // so that joins find something
		if w.chance(80) {
			c.wildPush(to)
		}
	}
	for i := range 2 + w.n(4) {
		c.wildPush(w.one("st", "st", "st", "u", "u", "h", "k"))
		switch w.n(11) {
		case 0, 1, 10:
			c.wildRule(fmt.Sprintf("s%d", i))
		case 2:
			if len(c.names) > 0 {
				c.wildRule(w.one(c.names...))
			}
		case 3:
			c.add("restart", "")
		case 4:
			if n := len(c.names); n > 0 {
				c.add("drop "+c.names[0], "")
				c.names = c.names[1:]
			}
		case 5, 6, 7:
			c.advance()
		}
	}
	c.now += 3000
	c.add(fmt.Sprintf("advance to=%d", c.now), "")
	c.add("stats", "")
	return c
}

// wildRule adds a rule that is not refused.
func (c *caseFile) wildRule(name string) {
	g := c.wild
	g.late = c.ts > 1000
	for range 20 {
		line := "rule " + name
		if !g.late && g.chance(15) {
			line += fmt.Sprintf(" event late=%d", g.n(3)*400)
		}
		if g.chance(10) {
			line += " sendnil"
		}
		if g.chance(15) {
			line += " faults"
		}
		text := g.statement()
		if refused(c.steps[:4], line, text) {
			continue
		}
		c.rules++
		c.add(line, text)
		if !strings.Contains(strings.Join(c.names, " ")+" ", name+" ") {
			c.names = append(c.names, name)
		}
		return
	}
}

// wildPush has rows come to one of the sources.
func (c *caseFile) wildPush(to string) {
	g := c.wild
	n := 1 + g.n(10)
	if g.chance(5) {
		n = 60 + g.n(80)
	}
	c.now += int64(g.n(300))
	var rows []string
	for range n {
		c.ts += int64(g.n(300))
		rows = append(rows, g.payload(c.ts-int64(g.n(4)*g.n(300))))
	}
	line := fmt.Sprintf("push %s at=%d topic=x/%d", to, c.now, g.n(3))
	if to == "k" && g.chance(30) {
		line += " kind=delete"
	}
	c.add(line, strings.Join(rows, "\n"))
}
