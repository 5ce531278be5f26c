package rowref

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/internal/logictest"
	"github.com/weir-engine/weir/vec"
)

// step is a command of a rule file with what it is to print.
type step struct {
	line, input string
	want        []string // name and message, sorted by name
}

// caseFile is a made up rule file.
type caseFile struct {
	steps  []step
	gen    *gen
	wild   *wild  // nil: the reference knows every rule
	broke  string // what was wrong where each rule is alone
	tables map[string]*Table
	names  []string // of the rules that run
	rules  int      // that were not refused
	now    int64
	ts     int64
}

// refused tells whether a rule cannot be: functions look at literals, for
// example. What is refused without reason is the planner's tests' matter.
func refused(schemas []step, line, text string) bool {
	run, err := logictest.NewRunner(logictest.Executions()[0])
	if err != nil {
		return true
	}
	for _, s := range append(slices.Clone(schemas), step{line: line, input: text}) {
		out, err := run.Command(s.line, s.input)
		if err != nil || out != "" {
			return true
		}
	}
	return false
}

// simulate finds what each step is to print: what the slow evaluator says, of rules
// that it does not know what they print where each is alone.
func (c *caseFile) simulate() {
	rules := map[string]*Rule{}
	now := int64(0)
	c.tables = map[string]*Table{"h": {Retain: 5}, "k": {Key: "id"}}
	var alone [][]string
	if c.wild != nil {
		alone, c.broke = c.play(logictest.Execution{Batch: 64})
	}
	for i := range c.steps {
		s := &c.steps[i]
		cmd, rest, _ := strings.Cut(s.line, " ")
		for _, arg := range strings.Fields(rest) {
			if key, value, _ := strings.Cut(arg, "="); key == "at" || key == "to" {
				now, _ = strconv.ParseInt(value, 10, 64)
			}
		}
		switch cmd {
		case "rule":
			name, _, _ := strings.Cut(rest, " ")
			_, again := rules[name]
			if rules[name] = nil; !again { // one in the place of another may keep its window
				rules[name] = c.reference(rest, s.input, now)
			}
		case "drop":
			delete(rules, rest)
		case "restart":
			for _, t := range c.tables {
				*t = Table{Key: t.Key, Retain: t.Retain}
			}
			for name, r := range rules {
				if r != nil && (rest == "" || rest == name) {
					rules[name] = r.Again(now)
				}
			}
		case "push":
			to := ruleOf(rest)
			for _, r := range rules { // what ends before the rows come
				if r != nil {
					r.Advance(now)
				}
			}
			for _, text := range strings.Split(s.input, "\n") {
				if text == "" {
					continue
				}
				row := c.decode(text) // nobody writes it
				if t := c.tables[to]; t != nil {
					t.Put(row, strings.Contains(rest, " kind=delete"))
				}
				for _, r := range rules {
					if r != nil {
						r.Push(to, row, now)
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
		if i < len(alone) {
			s.want = append(s.want, slices.DeleteFunc(alone[i], func(l string) bool { return rules[ruleOf(l)] != nil && cmd != "stats" })...)
			slices.SortStableFunc(s.want, byRule)
		}
	}
}

// ruleOf returns the first word of a line, which is the name of a rule.
func ruleOf(line string) string {
	name, _, _ := strings.Cut(line, " ")
	return name
}

// byRule sorts lines by rule. What a rule is told of faults comes behind what it sends,
// in order of the texts: windows tell when they take rows, and when they fire.
func byRule(a, b string) int {
	c := strings.Compare(ruleOf(a), ruleOf(b))
	p, q := strings.Contains(a, " fault: "), strings.Contains(b, " fault: ")
	switch {
	case c != 0:
		return c
	case p && q:
		return strings.Compare(a, b)
	case p:
		return 1
	case q:
		return -1
	}
	return 0
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
	if c.wild != nil && (c.wild.declared(text) || strings.Contains(args, " faults")) {
		return nil
	}
	o.Tables = c.tables
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
		small := &caseFile{steps: slices.Clone(steps), gen: c.gen, wild: c.wild}
		small.simulate()
		if slices.ContainsFunc(small.steps, func(s step) bool { return strings.HasPrefix(s.line, "rule") && len(s.want) > 0 }) {
			return false
		}
		if why := small.run(e); why == "" || strings.Contains(why, "no rule") {
			return false
		}
		c.steps, c.broke = small.steps, small.broke
		return true
	}
	for again := true; again; {
		again = false
		for i := len(c.steps) - 1; !strings.HasPrefix(c.steps[i].line, "schema"); i-- {
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

// play has the executor run the file; it returns what each step printed, and what was
// wrong.
func (c *caseFile) play(e logictest.Execution) (out [][]string, broke string) {
	r, err := logictest.NewRunner(e)
	if err != nil {
		return nil, err.Error()
	}
	for i, s := range c.steps {
		text, err := command(r, s)
		if err != nil {
			return out, fmt.Sprintf("step %d: %v", i, err)
		}
		var lines []string
		for _, line := range strings.Split(text, "\n") {
			if name, rest, ok := strings.Cut(line, " "); ok && name != "work:" {
				lines = append(lines, name+" "+strings.TrimLeft(rest, " "))
			}
		}
		if s.line == "stats" {
			lines = c.comparable(lines)
		}
		slices.SortStableFunc(lines, byRule)
		out = append(out, lines)
	}
	return out, ""
}

// comparable leaves out of stats what rules lose by ON that are over single rows: a row
// that WHERE refuses is not joined, unless another rule wants it joined.
func (c *caseFile) comparable(lines []string) []string {
	for i, l := range lines {
		for _, s := range c.steps {
			if strings.HasPrefix(s.line, "rule "+ruleOf(l)) && strings.Contains(s.input, " JOIN ") && !strings.Contains(s.input, "WINDOW(") {
				lines[i], _, _ = strings.Cut(l, " faults=")
			}
		}
	}
	return lines
}

// run has the executor run the file and compares; it returns what was wrong.
func (c *caseFile) run(e logictest.Execution) string {
	if c.broke != "" {
		return "alone: " + c.broke
	}
	out, broke := c.play(e)
	if broke != "" {
		return broke
	}
	for i, s := range c.steps {
		got := out[i]
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
	return math.Abs(f-g) <= 1e-11*max(math.Abs(f), math.Abs(g)) || math.Abs(f-g) < 1e-9
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
