package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weir-engine/weir/planner"
)

// testdata/bind.txt holds statements and what binding them says: the names of
// the output columns, or every fault with its place.
func TestBind(t *testing.T) {
	datadriven.RunTest(t, "testdata/bind.txt", func(t *testing.T, d *datadriven.TestData) string {
		q, err := bind(1, d.Input)
		if err != nil {
			return "error: " + strings.ReplaceAll(err.Error(), "\n", "\nerror: ") + "\n"
		}
		return strings.Join(q.Names(), " ") + "\n"
	})
}

// testdata/explain.txt holds rules that come and go, and what EXPLAIN says of
// them beside each other.
func TestExplain(t *testing.T) {
	b := planner.NewBuilder()
	ids := map[string]planner.RuleID{}
	rules := map[string]*planner.Query{}
	datadriven.RunTest(t, "testdata/explain.txt", func(t *testing.T, d *datadriven.TestData) string {
		name := d.CmdArgs[0].Key
		switch d.Cmd {
		case "rule":
			id := planner.RuleID(len(ids) + 1)
			ids[name], rules[name] = id, mustBind(t, id, d.Input)
			b.Add(id, rules[name].Root, false)
			return ""
		case "drop":
			b.Remove(ids[name])
			return ""
		case "explain":
			return planner.Explain(rules[name], b, ids[name])
		}
		return fmt.Sprintf("unknown command %s\n", d.Cmd)
	})
}
