package rowref

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/logictest"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is a command of a rule file with what it is to print.
type step struct {
	line, input string
	want        []string // name and message, sorted by name
}

// caseFile is a made up rule file.
type caseFile struct {
	steps []step
	gen   *gen
	names []string // of the rules that run
	now   int64
	ts    int64
}

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
			c.shrink(e)
			t.Errorf("seed %d, %s: %s\nas a rule file:\n\n%s", seed, e, c.run(e), c.text())
			return
		}
	}
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
	if refused(c.steps[0], line, text) {
		return
	}
	c.names = append(c.names, name)
	c.add(line, text)
}

// refused tells whether a rule cannot be: functions look at literals, for
// example. What is refused without reason is the planner's tests' matter.
func refused(schema step, line, text string) bool {
	run, err := logictest.NewRunner(logictest.Executions()[0])
	if err != nil {
		return true
	}
	for _, s := range []step{schema, {line: line, input: text}} {
		out, err := run.Command(s.line, s.input)
		if err != nil || out != "" {
			return true
		}
	}
	return false
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

// simulate has the slow evaluator say what each step prints.
func (c *caseFile) simulate() {
	rules := map[string]*Rule{}
	now := int64(0)
	for i := range c.steps {
		s := &c.steps[i]
		cmd, rest, _ := strings.Cut(s.line, " ")
		if _, at, ok := strings.Cut(rest, "="); ok && cmd != "rule" && cmd != "schema" {
			now, _ = strconv.ParseInt(at, 10, 64)
		}
		switch cmd {
		case "rule":
			name, _, _ := strings.Cut(rest, " ")
			rules[name] = c.reference(rest, s.input, now)
		case "drop":
			delete(rules, rest)
		case "push":
			for _, text := range strings.Split(s.input, "\n") {
				if text == "" {
					continue
				}
				row := c.decode(text) // nobody writes it
				for _, r := range rules {
					if r != nil {
						r.Push(row, now)
					}
				}
			}
		}
		s.want = nil
		for _, n := range slices.Sorted(maps.Keys(rules)) {
			if rules[n] == nil {
				continue
			}
			rules[n].Advance(now)
			for _, m := range rules[n].Take() {
				s.want = append(s.want, n+" "+m)
			}
		}
	}
}

// reference makes the rule of a command.
func (c *caseFile) reference(args, text string, now int64) *Rule {
	o := Options{StartMs: now, Timestamp: "ts", SendNil: strings.Contains(args, " sendnil"), EventTime: strings.Contains(args, " event")}
	for name, to := range map[string]*int64{"late=": &o.LateMs, "drift=": &o.DriftMs} {
		if _, ms, ok := strings.Cut(args, name); ok {
			ms, _, _ = strings.Cut(ms, " ")
			*to, _ = strconv.ParseInt(ms, 10, 64)
		}
	}
	if c.gen.typed {
		for _, f := range schema {
			n, _, _ := strings.Cut(f, " ")
			o.Columns = append(o.Columns, n)
		}
	}
	r, err := New(text, o)
	if err != nil {
		return nil
	}
	return r
}

// shrink takes steps and rows away as long as the case fails.
func (c *caseFile) shrink(e logictest.Execution) {
	try := func(steps []step) bool {
		small := &caseFile{steps: slices.Clone(steps), gen: c.gen}
		small.simulate()
		if why := small.run(e); why == "" || strings.Contains(why, "no rule") {
			return false
		}
		c.steps = small.steps
		return true
	}
	for again := true; again; {
		again = false
		for i := len(c.steps) - 1; i > 0; i-- {
			if try(slices.Delete(slices.Clone(c.steps), i, i+1)) {
				again = true
			}
		}
		for i := range c.steps {
			if !strings.HasPrefix(c.steps[i].line, "push") {
				continue
			}
			for k := strings.Count(c.steps[i].input, "\n"); k >= 0 && c.steps[i].input != ""; k-- {
				rows := strings.Split(c.steps[i].input, "\n")
				steps := slices.Clone(c.steps)
				steps[i].input = strings.Join(slices.Delete(rows, k, k+1), "\n")
				if try(steps) {
					again = true
				}
			}
		}
	}
}

// decode reads a row as the stream does.
func (c *caseFile) decode(text string) map[string]any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var row map[string]any
	if err := d.Decode(&row); err != nil {
		panic("bug: a row that is no JSON: " + text)
	}
	for k, v := range row {
		row[k] = c.convert(k, v)
	}
	return row
}

func (c *caseFile) convert(key string, v any) any {
	switch v := v.(type) {
	case json.Number:
		ints := c.gen.ints || c.gen.typed && key != "b"
		if i, err := v.Int64(); err == nil && ints {
			return i
		}
		f, _ := v.Float64()
		if i, err := v.Int64(); err == nil && big.NewFloat(f).Cmp(new(big.Float).SetInt64(i)) != 0 {
			return vec.Exact(i)
		}
		return f
	case []any:
		for i := range v {
			v[i] = c.convert(key, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = c.convert(key, v[k])
		}
	}
	return v
}

// run has the executor run the file; it returns what was wrong.
func (c *caseFile) run(e logictest.Execution) string {
	r, err := logictest.NewRunner(e)
	if err != nil {
		return err.Error()
	}
	for i, s := range c.steps {
		out, err := command(r, s)
		if err != nil {
			return fmt.Sprintf("step %d: %v", i, err)
		}
		got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if out == "" {
			got = nil
		}
		for k := range max(len(got), len(s.want)) {
			var g, w string
			if k < len(got) {
				g = got[k]
			}
			if k < len(s.want) {
				w = s.want[k]
			}
			if g != w && !alike(g, w) {
				return fmt.Sprintf("step %d, %s: line %d:\n got  %s\n want %s", i, s.line, k+1, g, w)
			}
		}
	}
	return ""
}

func command(r *logictest.Runner, s step) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.Command(s.line, s.input)
}

// alike tells whether two lines are of one rule and give equal messages.
func alike(a, b string) bool {
	name, text, ok := strings.Cut(a, " ")
	other, want, ok2 := strings.Cut(b, " ")
	if !ok || !ok2 || name != other {
		return false
	}
	var v [2]any
	for i, text := range []string{text, want} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&v[i]) != nil {
			return false
		}
	}
	return equal(v[0], v[1])
}

// equal compares JSON values. A sum of floats depends on the order in which they
// are added, and panes have another one.
func equal(v, w any) bool {
	switch v := v.(type) {
	case json.Number:
		w, ok := w.(json.Number)
		if !ok || v == w || isExact(v) || isExact(w) {
			return v == w
		}
		return equalFloats(v, w)
	case []any:
		w, ok := w.([]any)
		return ok && slices.EqualFunc(v, w, equal)
	case map[string]any:
		w, ok := w.(map[string]any)
		return ok && maps.EqualFunc(v, w, equal)
	}
	return v == w
}

// isExact tells whether n is a whole number that no float64 holds.
func isExact(n json.Number) bool {
	i, err := n.Int64()
	_, ok := vec.ExactFloat(i)
	return err == nil && !ok
}

func equalFloats(v, w json.Number) bool {
	f, _ := v.Float64()
	g, _ := w.Float64()
	return math.Abs(f-g) <= 1e-12*max(math.Abs(f), math.Abs(g))
}

// text prints the file.
func (c *caseFile) text() string {
	var b strings.Builder
	for _, s := range c.steps {
		b.WriteString(s.line + "\n")
		if s.input != "" {
			b.WriteString(s.input + "\n")
		}
		b.WriteString("----\n")
		for _, w := range s.want {
			b.WriteString(w + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
