package exec_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/logictest"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// onlyS is a catalog of one stream.
type onlyS []vec.Field

func (f onlyS) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name, Fields: f}, name == "s"
}

// A condition of which is told that it is never true, or neither true nor false, lets
// no row through, whatever comes.
func TestDoubtsHold(t *testing.T) {
	g := faulty{rand.New(rand.NewPCG(15, 1))}
	nonsense := func() string {
		return g.pick("a = NULL", "n + 1", "1", "'x'", "t || 'x'", "a != NULL AND n > 1", "NOT 5", "n > 1 AND 1 + 'x' = 2", "1 IN ('x')", "n LIKE 5", "-n", "null", "NOT (a = NULL)",
			"n = NULL OR t = NULL", "(n > 1) + 1", "5 BETWEEN 1 AND 'x'", "[]", "false", "NOT true")
	}
	cases, told := 3000, 0
	if testing.Short() {
		cases = 600
	}
	for range cases {
		cond := g.cond()
		switch g.r.IntN(4) {
		case 0:
			cond = nonsense()
		case 1:
			cond = fmt.Sprintf("(%s) %s (%s)", nonsense(), g.pick("AND", "OR"), cond)
		case 2:
			cond = fmt.Sprintf("(%s) %s (%s)", cond, g.pick("AND", "OR"), nonsense())
		}
		text := "SELECT n FROM s WHERE " + cond
		sel, err := sql.ParseSelect(text)
		if err != nil {
			continue
		}
		q, err := planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: onlyS(nil), Fold: exec.FoldIn(time.UTC), Compute: exec.ComputeIn(time.UTC)}, "r", sel, planner.Settings{})
		if err != nil || !strings.Contains(strings.Join(q.Doubts, "\n"), ": the condition ") {
			continue
		}
		told++
		out := play(t, []string{text}, []string{g.rows(40), g.rows(40)}, logictest.Execution{Share: true, Batch: 64})
		for _, line := range out[0] {
			if strings.HasPrefix(line, "{") {
				t.Fatalf("%s\nis told of: %q\nbut sends %s", text, q.Doubts, line)
			}
		}
	}
	if told < cases/20 {
		t.Errorf("%d of %d conditions were told of, want more", told, cases)
	}
}
