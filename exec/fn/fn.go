// Package fn is the function table of the dialect: for every function its
// signature, what it does with nulls, a row function, and for those that are
// called most a kernel over columns. Aggregates and analytic functions are state
// machines that the executor keeps and feeds.
//
// The package starts no goroutine, keeps no state but bounded caches of compiled
// patterns, and asks for neither time nor chance: both come with the Ctx. Nested
// values are never changed in place, so results may share parts of arguments.
//
// Where eKuiper's documentation and its code differ, the code's behaviour is
// kept (substring's third argument is an end, date_diff gives nanoseconds,
// day_of_week starts with Sunday = 0, trunc rounds, chr gives a number), except for
// what never worked there: repeat, sequence and now with a precision do what is
// documented.
package fn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Row computes the function for one row. An error is a fault of that row: the
// rules that need the value do not send the row.
//
// args are borrowed until return; the result may borrow the arguments' memory, so
// it is valid as long as they are.
type Row func(c *Ctx, args []vec.Value) (vec.Value, error)

// VecFunc computes a function for all rows of col, the one argument that is no
// literal, into dst, which it resets. Rows that are null or missing in col come
// out as missing, rows that fail as faults; the text of a fault is what Row says
// of that row. It returns false, with dst undefined, if it cannot do columns of
// col's kind; the caller then calls Row for each row.
type VecFunc func(c *Ctx, dst, col *vec.Column) bool

// NullRule says what a function makes of arguments that are null or missing.
type NullRule uint8

// The null rules.
const (
	NullIfAnyNull NullRule = iota // one null or missing argument, or an empty array or object, makes the result null
	NullsSeen                     // the function sees them
)

// Func is a function of the table. It is immutable.
type Func struct {
	planner.FuncSig
	Nulls    NullRule
	Row      Row       // scalar functions; the null rule is not in it, see Call
	Vec      VecFunc   // kernel of a call with one argument, nil without
	Agg      *Agg      // aggregates
	Analytic *Analytic // analytic functions

	tells   bool                 // null from missing, which columns of distinct texts do not
	prepare func(l Lits) Row     // a Row for literals that are known; nil, or returns nil: Row
	kernel  func(l Lits) VecFunc // a kernel for literals that are known
}

// Lits are the arguments of a call: those that are literals, and nil for others.
type Lits []*vec.Value

// text returns literal i if it is a string.
func (l Lits) text(i int) (string, bool) {
	if i < len(l) && l[i] != nil && l[i].Kind == vec.String {
		return l[i].S, true
	}
	return "", false
}

// Ctx is where a function is called. The executor owns it, sets what changes per
// rule, window and row before the call, and uses it from one goroutine at a time.
type Ctx struct {
	Now      func() int64   // ms since 1970; nil counts as 1970
	Rand     *rand.Rand     // nil: rand and array_shuffle are faults
	Location *time.Location // time zone of text without one; nil: UTC

	HitCount int64 // rows that the rule selected before this one
	HitTime  int64 // ms of the last of them
	AggHits  int64 // results that an aggregate rule gave before this one
	AggTime  int64 // ms of the last of them

	EventTime int64 // ms; of the row, or the end of its window

	State   func(key string) (vec.Value, bool) // shared key/value store; nil: empty
	Started int64                              // ms; of the process, 0: not known

	entries []vec.Value // scratch of kernels over dictionaries
	codes   []uint32
	args    []vec.Value
}

// now returns the present in ms.
func (c *Ctx) now() int64 {
	if c.Now == nil {
		return 0
	}
	return c.Now()
}

func (c *Ctx) location() *time.Location {
	if c.Location == nil {
		return time.UTC
	}
	return c.Location
}

// Call applies the null rule and then the row function.
func (f *Func) Call(c *Ctx, args []vec.Value) (vec.Value, error) {
	if f.Nulls == NullIfAnyNull && anyNull(args) {
		return vec.NullValue, nil
	}
	return f.Row(c, args)
}

// Bound is a call whose literals are known. It serves one goroutine at a time.
type Bound struct {
	Row Row     // null rule included
	Vec VecFunc // nil: none
	Col int     // which argument Vec's column is
}

// Bind prepares f for the literals of a call: patterns are compiled, types and
// encodings looked up. If exactly one argument is not a literal, and f gives the
// same for the same, Vec is set: such a function costs one evaluation for each
// distinct string of a batch.
func (f *Func) Bind(lits Lits) Bound {
	row := f.Row
	if f.prepare != nil {
		if r := f.prepare(lits); r != nil {
			row = r
		}
	}
	b := Bound{Row: row, Col: -1}
	if f.Nulls == NullIfAnyNull {
		b.Row = func(c *Ctx, args []vec.Value) (vec.Value, error) {
			if anyNull(args) {
				return vec.NullValue, nil
			}
			return row(c, args)
		}
	}
	if f.Kind != planner.FuncScalar || f.Volatile || f.Catches || f.tells {
		return b
	}
	for i, l := range lits {
		if l == nil {
			if b.Col >= 0 {
				return Bound{Row: b.Row, Col: -1}
			}
			b.Col = i
		}
	}
	if b.Col >= 0 {
		b.Vec = f.vector(b, lits)
	}
	return b
}

// vector joins the kernel over the column's own kind, if there is one, and the
// one over dictionaries.
func (f *Func) vector(b Bound, lits Lits) VecFunc {
	own := f.Vec
	if len(lits) != 1 {
		own = nil
	}
	if f.kernel != nil {
		own = f.kernel(lits)
	}
	texts := dictCall{bound: b, lits: lits, seesNulls: f.Nulls == NullsSeen}
	return func(c *Ctx, dst, col *vec.Column) bool {
		if col.Kind == vec.Null && col.Fault == nil && f.Nulls == NullIfAnyNull {
			dst.Reset(col.Rows)
			return true
		}
		if own != nil && own(c, dst, col) {
			return true
		}
		if col.Kind != vec.String {
			return false
		}
		texts.over(c, dst, col)
		return true
	}
}

var table struct {
	once   sync.Once
	byName map[string]*Func
	all    []*Func
}

// fill makes the table when it is first asked for: array_map looks functions up,
// so the table cannot be a variable that the functions initialise.
func fill() {
	for _, group := range [][]*Func{
		mathFuncs(), stringFuncs(), arrayFuncs(), setFuncs(), objectFuncs(), jsonFuncs(), hashFuncs(), transformFuncs(),
		dateFuncs(), clockFuncs(), otherFuncs(), contextFuncs(), aggFuncs(), statsFuncs(), listFuncs(), analyticFuncs(), rowFuncs(),
	} {
		table.all = append(table.all, group...)
	}
	slices.SortFunc(table.all, func(a, b *Func) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	table.byName = make(map[string]*Func, len(table.all))
	for _, f := range table.all {
		table.byName[f.Name] = f
		f.Doubt = doubtOf(f)
	}
}

// Lookup returns the function called name, which is lower case.
func Lookup(name string) (*Func, bool) {
	table.once.Do(fill)
	f, ok := table.byName[name]
	return f, ok
}

// All returns every function in order of name. The slice must not be written.
func All() []*Func {
	table.once.Do(fill)
	return table.all
}

// Set is the table as the planner sees it.
type Set struct{}

// Lookup returns the signature of the function called name, which is lower case.
func (Set) Lookup(name string) (*planner.FuncSig, bool) {
	f, ok := Lookup(name)
	if !ok {
		return nil, false
	}
	return &f.FuncSig, true
}

var _ planner.FuncSet = Set{}
