package fn

import (
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Agg is an aggregate.
type Agg struct {
	// New makes the state of one group.
	New func() AggState
}

// AggState collects the rows of one group and gives one value of them.
type AggState interface {
	// Add takes the arguments of one row, in order of arrival; count(*) takes none,
	// and an aggregate over whole rows gets the row as an object in place of "*".
	// Where the signature says NeedsRow, the row follows the arguments. args are
	// borrowed: what is kept is copied.
	Add(args []vec.Value)
	// Merge adds the rows of a state of the same aggregate, all of which are later
	// than those of the receiver. other is not changed and must not be fed afterwards
	// while the receiver is in use.
	Merge(other AggState)
	// Result returns the value of the rows so far, null without any. An error is
	// a fault of the group. More rows may follow, and the result stays as it is.
	Result(c *Ctx) (vec.Value, error)
	// Reset makes the state empty, as New gives it.
	Reset()
}

// aggregate makes an aggregate of the table.
func aggregate(signature, doc, example string, state func() AggState) *Func {
	f := scalar("aggregate", signature, doc, example, nil).seesNulls()
	f.Kind, f.Agg = planner.FuncAgg, &Agg{New: state}
	return f
}

// parts says that the state of f does not grow with the rows.
func (f *Func) parts() *Func {
	f.Parts = true
	return f
}

// star lets f be called over whole rows.
func (f *Func) star() *Func {
	f.AllowStar = true
	return f
}

func aggFuncs() []*Func {
	return []*Func{
		aggregate("avg(x)", "The average of the numbers; of whole numbers a whole one, cut off.", "avg(a)",
			func() AggState { return &sumState{avg: true} }).checked(literals(wantNumber)).parts(),
		aggregate("count(x | *)", "The number of rows in which x is not null, or of all rows.", "count(*)", func() AggState { return new(countState) }).star().parts(),
		aggregate("max(x)", "The largest number or text.", "max(a)", func() AggState { return &extremeState{max: true} }).checked(literals(wantNumber)).parts(),
		aggregate("min(x)", "The smallest number or text.", "min(a)", func() AggState { return new(extremeState) }).checked(literals(wantNumber)).parts(),
		aggregate("sum(x)", "The sum of the numbers.", "sum(a)", func() AggState { return new(sumState) }).checked(literals(wantNumber)).parts(),
	}
}
