package rowref

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/logictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEquivalence makes up streams, rules and rows, and has the executor and the
// reference run them; a case is one rule file in batches of one size. The number
// of files is WEIR_EQUIV_FILES, five cases each, the first seed WEIR_EQUIV_SEED. A
// failure is made smaller and printed as a rule file.
//
// Left out are group keys that may fail.
func TestEquivalence(t *testing.T) {
	files, first := 1000, 1
	if testing.Short() {
		files = 200
	}
	files, first = env(t, "WEIR_EQUIV_FILES", files), env(t, "WEIR_EQUIV_SEED", first)
	const parts = 4
	for part := range parts {
		t.Run(fmt.Sprintf("part=%d", part), func(t *testing.T) {
			t.Parallel()
			for seed := first + part; seed < first+files && !t.Failed(); seed += parts {
				equivalent(t, uint64(seed))
			}
		})
	}
}

// equivalent runs the file of a seed in batches of all sizes.
func equivalent(t *testing.T, seed uint64) {
	t.Helper()
	c := newCase(seed)
	c.simulate()
	for i, size := range logictest.BatchSizes {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		e := logictest.Execution{Share: r.IntN(4) > 0, Reverse: r.IntN(2) == 0, Batch: size, High: r.IntN(2) == 0}
		if c.run(e) != "" {
			c.fail(t, seed, e)
			return
		}
	}
}

// fail prints the case as small as it gets.
func (c *caseFile) fail(t *testing.T, seed uint64, e logictest.Execution) {
	t.Helper()
	c.shrink(e)
	t.Errorf("seed %d, %s: %s\nas a rule file:\n\n%s", seed, e, c.run(e), c.text())
}

func env(t *testing.T, name string, other int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return other
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%s: want a number", name, v)
	}
	return n
}

// newCase makes a rule file without what it prints.
func newCase(seed uint64) *caseFile {
	g := newGen(seed)
	c := &caseFile{gen: g, ts: 1000}
	set := g.chance(50) // the clock, so that it bounds event times
	switch {
	case g.typed:
		c.add("schema st timestamp=ts", strings.Join(schema, "\n"))
	case g.ints:
		c.add("schema st timestamp=ts int64", "")
	default:
		c.add("schema st timestamp=ts", "")
	}
	if set {
		c.now, c.ts = 1_600_000_000_000, 1_600_000_001_000
		c.advance()
	}
	for i := range 1 + g.n(4) {
		c.rule(fmt.Sprintf("r%d", i))
	}
	for i := range 1 + g.n(4) {
		c.push()
		switch g.n(8) {
		case 0:
			c.rule(fmt.Sprintf("s%d", i))
		case 1:
			if n := len(c.names); n > 0 {
				c.add("drop "+c.names[0], "")
				c.names = c.names[1:]
			}
		case 2, 3, 4:
			c.advance()
		}
	}
	c.advance()
	return c
}

func (c *caseFile) add(line, input string) { c.steps = append(c.steps, step{line: line, input: input}) }

// rule adds a rule, unless it is one that the planner refuses.
func (c *caseFile) rule(name string) {
	g := c.gen
	line := "rule " + name
	text := ""
	if g.chance(60) {
		text = g.filter()
	} else {
		text = g.windowed()
	}
	if g.chance(20) {
		line += fmt.Sprintf(" event late=%d", g.n(3)*400)
		if c.now > 0 && g.chance(70) {
			line += fmt.Sprintf(" drift=%d", 2000+g.n(4)*1000)
		}
	}
	if g.chance(10) {
		line += " sendnil"
	}
	if !refused(c.steps[:1], line, text) {
		c.names = append(c.names, name)
		c.add(line, text)
	}
}

func (c *caseFile) push() {
	g := c.gen
	n := g.n(12)
	if g.chance(8) {
		n = 60 + g.n(80)
	}
	if g.chance(50) {
		c.now += int64(g.n(900))
	}
	var rows []string
	for range n {
		c.ts += int64(g.n(300))
		rows = append(rows, g.row(c.ts-int64(g.n(4)*g.n(300))))
	}
	c.add(fmt.Sprintf("push st at=%d", c.now), strings.Join(rows, "\n"))
}

func (c *caseFile) advance() {
	c.now += int64(c.gen.n(1500))
	c.add(fmt.Sprintf("advance to=%d", c.now), "")
}
