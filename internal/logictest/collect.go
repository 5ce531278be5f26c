package logictest

import (
	"fmt"
	"sort"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// collector keeps what rules send as text, by rule.
type collector struct {
	rows, windows *encode.Encoder
	names         map[planner.RuleID]string
	silent        map[planner.RuleID]bool // rules whose rows nobody reads
	told          map[planner.RuleID]bool // rules that send their faults
	sent          map[string][]string
}

func newCollector() (*collector, error) {
	c := &collector{names: map[planner.RuleID]string{}, silent: map[planner.RuleID]bool{}, told: map[planner.RuleID]bool{}, sent: map[string][]string{}}
	var err error
	if c.rows, err = encode.New(map[string]any{"sendSingle": true}); err != nil {
		return nil, err
	}
	c.windows, err = encode.New(nil)
	return c, err
}

// Send implements exec.Output.
func (c *collector) Send(rule planner.RuleID, p *vec.Projection, row int) error {
	text, _, err := c.rows.AppendMessage(nil, p, row)
	return c.add(rule, text, err)
}

// SendRows implements exec.Output.
func (c *collector) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error {
	text, _, err := c.windows.AppendRows(nil, p, rows)
	return c.add(rule, text, err)
}

// Fault implements exec.Output.
func (c *collector) Fault(rule planner.RuleID, text string) { c.add(rule, []byte("fault: "+text), nil) }

func (c *collector) add(rule planner.RuleID, text []byte, err error) error {
	if err != nil || c.silent[rule] {
		return err
	}
	name := c.names[rule]
	if name == "" {
		name = fmt.Sprintf("(no rule %d)", rule)
	}
	c.sent[name] = append(c.sent[name], string(text))
	return nil
}

// print returns what was sent since the last print, by rule.
func (c *collector) print() string {
	var names []string
	width := 0
	for n := range c.sent {
		names = append(names, n)
		width = max(width, len(n))
	}
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		for _, text := range c.sent[n] {
			fmt.Fprintf(&b, "%-*s %s\n", width, n, text)
		}
	}
	clear(c.sent)
	return b.String()
}
