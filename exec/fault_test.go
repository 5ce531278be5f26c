package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// told keeps what rules send and what they are told, in order.
type told struct {
	sent
	all map[planner.RuleID][]string
}

// Send implements exec.Output.
func (o *told) Send(rule planner.RuleID, p *vec.Projection, row int) error {
	return o.SendRows(rule, p, []int32{int32(row)})
}

// SendRows implements exec.Output.
func (o *told) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error {
	err := o.sent.SendRows(rule, p, rows)
	o.all[rule] = append(o.all[rule], o.rows[rule][len(o.rows[rule])-1])
	return err
}

// Fault implements exec.Output.
func (o *told) Fault(rule planner.RuleID, text string) {
	o.all[rule] = append(o.all[rule], text)
}

// A rule that asked for its faults gets them between the rows that it sends, each
// with the text of its own row, wherever in the rule they happened.
func TestFaultsInOrder(t *testing.T) {
	const x, y = `invalid operation string(x)`, `invalid operation string(y)`
	for _, tt := range []struct {
		sql  string
		want []string
	}{
		{"SELECT 12 / a AS q FROM s", []string{`[{"q":6}]`, "invalid operation int64(12) / string(x)", "divided by zero", `[{"q":4}]`, "invalid operation int64(12) / string(y)"}},
		{"SELECT n FROM s WHERE a > 1", []string{`[{"n":0}]`, x + " > int64(1)", `[{"n":3}]`, y + " > int64(1)"}},
		{"SELECT n FROM s WHERE a = 3", []string{x + " = int64(3)", `[{"n":3}]`, y + " = int64(3)"}},
		{"SELECT n FROM s WHERE a = 'y'", []string{
			"invalid operation float64(2) = string(y)", "invalid operation float64(0) = string(y)",
			"invalid operation float64(3) = string(y)", `[{"n":4}]`,
		}},
		{"SELECT n FROM s WHERE a + 1 > b", []string{`[{"n":0}]`, x + " + int64(1)", `[{"n":3}]`, y + " + int64(1)"}},
		{"SELECT n FROM s WHERE abs(a) != 2", []string{`want a number, got string(x)`, `[{"n":2}]`, `[{"n":3}]`, `want a number, got string(y)`}},
		{"SELECT n FROM s WHERE d = 'dev' AND a > 1", []string{`[{"n":0}]`, x + " > int64(1)", `[{"n":3}]`, y + " > int64(1)"}},
		{"SELECT n FROM s WHERE d = 'dev' AND abs(a) > 1", []string{`[{"n":0}]`, `want a number, got string(x)`, `[{"n":3}]`, `want a number, got string(y)`}},
		{"SELECT n FROM s WHERE a > last_hit_count() + 1", []string{`[{"n":0}]`, x + " > int64(2)", `[{"n":3}]`, y + " > int64(3)"}},
		{"SELECT n FROM s WHERE b", []string{
			"invalid condition float64(1)", "invalid condition float64(1)", "invalid condition float64(1)",
			"invalid condition float64(1)", "invalid condition float64(1)",
		}},
		{"SELECT sum(n) AS q FROM s WHERE a > 1 GROUP BY TUMBLINGWINDOW(ss, 1)", []string{x + " > int64(1)", y + " > int64(1)", `[{"q":3}]`}},
		{"SELECT sum(a) AS q FROM s GROUP BY COUNTWINDOW(5)", []string{"want numbers, got string(x)"}},
		{"SELECT n, sum(b) / n AS q FROM s GROUP BY n, COUNTWINDOW(5) HAVING n < 2", []string{"divided by zero"}},
	} {
		t.Run(tt.sql, func(t *testing.T) {
			o := &told{all: map[planner.RuleID][]string{}}
			enc, err := encode.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			o.sent = sent{enc: enc, rows: map[planner.RuleID][]string{}, fail: func() {}}
			e := exec.New(exec.Env{Faults: func(r planner.RuleID) bool { return r == 1 }}, o)
			b := planner.NewBuilder()
			add(t, b, 1, tt.sql, false)
			add(t, b, 2, tt.sql, false) // counts the same and is not told
			e.SetProgram(0, b.Program(), 1000)
			e.Run(mixed(), 1000)
			e.Advance(2000)
			if got := o.all[1]; !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			faults := len(o.all[1]) - len(o.rows[1])
			if s := e.Stats(); s.Faults[1] != s.Faults[2] || int(s.Faults[1]) != faults {
				t.Errorf("told of %d faults, counted %d and %d", faults, s.Faults[1], s.Faults[2])
			}
			if len(o.all[2]) != len(o.rows[2]) || len(o.rows[1]) != len(o.rows[2]) {
				t.Errorf("rule 2 got %q", o.all[2])
			}
		})
	}
}

// mixed is five rows: a is 2, "x", 0, 3, "y", b is 1, d "dev", n the row.
func mixed() *vec.Batch {
	plan := planOf()
	b := &vec.Batch{Plan: plan, Rows: 5, Cols: make([]vec.Column, len(plan.Cols)), Routes: &vec.Routes{Streams: [][]uint32{{0}}}}
	b.Clean = b.Clean.Grow(b.Rows)
	as := []vec.Value{vec.FloatValue(2), vec.StringValue("x"), vec.FloatValue(0), vec.FloatValue(3), vec.StringValue("y")}
	for i := range b.Cols {
		b.Cols[i].Reset(b.Rows)
	}
	for row := range b.Rows {
		b.Route, b.At = append(b.Route, 0), append(b.At, 1000)
		for i, c := range plan.Cols {
			switch col := &b.Cols[i]; c.Path[0] {
			case "a":
				col.Set(row, as[row])
			case "b":
				col.SetFloat(row, 1)
			case "d":
				col.SetString(row, fmt.Append(nil, "dev"))
			case "n":
				col.SetInt(row, int64(row))
			}
		}
	}
	return b
}

// The texts of faults that nobody is told of cost as much as the steps that failed:
// one for each and batch, however many rows and rules lost something.
func TestFaultTextsCost(t *testing.T) {
	b := planner.NewBuilder()
	for i := range 50 {
		add(t, b, planner.RuleID(i+1), fmt.Sprintf("SELECT 12 / (a - a) AS q FROM s WHERE a >= %d", i%7), false)
	}
	x := exec.New(exec.Env{}, &counting{})
	x.SetProgram(0, b.Program(), 1000)
	in := batch(rand.New(rand.NewPCG(1, 1)), planOf(), vec.MaxRows, 0, false)
	run := func() { x.Run(in, 1000) }
	for range 5 {
		run()
	}
	if n := testing.AllocsPerRun(20, run); n > 4 {
		t.Errorf("%v allocations", n)
	}
	if s := x.Stats(); s.Faults[50] == 0 || s.Last[50] != "divided by zero" {
		t.Errorf("rule 50: %d faults, last %q", s.Faults[50], s.Last[50])
	}
}
