package planner

import (
	"sort"

	"github.com/weir-engine/weir/vec"
)

// RuleID is the engine's number of a rule: dense, from 1, reused after the rule
// is gone. It indexes the flat arrays of everything that is kept per rule.
type RuleID uint32

// StepID is a position in Program.Steps.
type StepID int32

// NoStep stands for "no expression".
const NoStep StepID = -1

// Step is one interned expression of a program: everything that has the same
// canonical text is the same step and is evaluated at most once per batch.
type Step struct {
	*Node
	In  []StepID // steps of Node.Args
	Col int      // OpColumn: position in Program.Cols
}

// Program is what the executor runs over every batch of one input (a stream, or
// what a stage emits). It is immutable: the executor keeps using the one that
// it has until it takes the next, and several may share their parts.
type Program struct {
	Epoch uint64
	// Origin tells which Builder the program is from. Places of steps and ids of
	// stages mean something only among the programs of one origin.
	Origin *Origin
	Rules  int              // over the input, those of stages included
	Cols   []vec.ColumnSpec // the input columns that steps read, and free slots: see Used
	Used   []bool           // Cols[i] is read by a step
	Steps  []Step           // freed slots have a nil Node
	Projs  []*Projection    // nil in freed slots
	Rests  [][]Atom         // conditions left to check on the candidates of an index, in the order of the text

	Join *JoinPlan // nil: the input is a stream or what a window emits

	Analytics []StepID // stateful steps, which see every row in order
	Serials   []Serial // rules whose conditions look at their own results
	Hits      []Hit    // over a window: what depends on the results of a rule

	Always *EntryList    // rules without a condition
	Ranks  []*RankIndex  // by comparison with a constant
	Equals []*EqualIndex // by equality or IN
	Conds  []*CondIndex  // by any other condition

	// Watches are what the faults of guarded rules come from: as long as a batch is
	// as they say, none of them has one.
	Watches []Watch

	Windows []*Window     // windows over this input
	Orders  []*EventOrder // what puts the rows of rules in event time in order
	Feeds   []*JoinFeed   // what hands rows to joins
	Tables  []*TableTap   // what keeps rows for joins
}

// Origin is the identity of a Builder, by its address: no two have the same one
// while a program of either is in use.
type Origin struct {
	stages uint64 // ids that were given to stages
}

// Entry is a rule in an index.
type Entry struct {
	Rule RuleID
	Proj int32 // position in Projs
	Rest int32 // position in Rests, -1: the index alone decides
}

// Serial is a rule that is run row by row, for its condition or its SELECT list
// counts what the rule sent before.
type Serial struct {
	Entry
	Where    []StepID
	Counting []StepID // stateful steps that count what the rule sent before
}

// Hit is a step that tells how many results its rule sent, or when.
type Hit struct {
	Step StepID
	Rule RuleID
}

// EntryList is a set of rules that are all selected by the same rows. Count
// lists are of rules whose rows nobody reads: only their number counts.
type EntryList struct {
	Send, Count []Entry
	frozen      bool
}

// RankIndex holds the rules that compare one value with constants by one
// operator. Keys are sorted so that the rules that a row satisfies are a
// prefix: ascending for > and >=, descending for < and <=. The rules of Keys[i]
// are Entries[Start[i]:Start[i+1]].
//
// Such grouped filters are from CACQ (Madden et al., SIGMOD 2002).
type RankIndex struct {
	Step    StepID
	Op      Op
	Count   bool // the number of rows per rule is all that is wanted
	Guarded bool // its rules are guarded, see Watch
	Keys    []float64
	Start   []int32
	Entries []Entry
	frozen  bool
}

// less tells whether a stands before b in the index's order.
func (x *RankIndex) less(a, b float64) bool {
	if x.Op == OpLt || x.Op == OpLe {
		return a > b
	}
	return a < b
}

// EqualIndex holds the rules that want one value to equal a constant, each
// perhaps under several constants (IN). Texts and Nums are sorted; the rules of
// Texts[i] are TextEntries[TextStart[i]:TextStart[i+1]], likewise for Nums.
type EqualIndex struct {
	Step        StepID
	Guarded     bool // its rules are guarded, see Watch
	Texts       []string
	TextStart   []int32
	TextEntries []Entry
	Nums        []float64
	Wide        []int64 // nil: all 0; not 0: the whole number that Nums[i] is only the nearest float64 of
	NumStart    []int32
	NumEntries  []Entry
	frozen      bool
}

// CondIndex holds the rules with one and the same boolean condition.
type CondIndex struct {
	Step StepID
	EntryList
}

// AtomKind says how an Atom is checked.
type AtomKind uint8

// The kinds of atoms.
const (
	AtomTrue AtomKind = iota // the step is true
	AtomNum                  // the step compares with Num by Op
	AtomText                 // the step is the text Text; Op is OpEq
)

// Atom is a condition that is checked on single rows.
type Atom struct {
	Step StepID
	Kind AtomKind
	Op   Op
	// Early tells that the condition stands before the one that an index took, in the
	// text. A rule with such conditions is guarded, see Watch.
	Early bool
	Num   float64
	Text  string
}

// Projection is a SELECT list with what else decides about the rows that a rule
// sends; rules with the same one share it.
type Projection struct {
	Fields  []Field  // sorted by Name
	Star    StepID   // the whole row, for SELECT *; else NoStep
	Except  []string // keys of the whole row that are not sent, sorted
	SendNil bool
	// Distinct sends equal rows of one message once.
	Distinct bool
	Meta     StepID // the __meta column, or NoStep
	Spread   StepID // a set-returning call that makes rows or columns, or NoStep
	// SpreadFunc is what Spread is the result of; the step may be a column of a
	// window's output.
	SpreadFunc *FuncSig
	SpreadAs   string  // the column of its elements that are no objects; "": its name
	Order      []Order // of the rows of one window
	// Numbered are the steps that depend on row_number: what they give is made
	// anew for each message. Those that are row_number come first.
	Numbered []StepID
	Limit    int64 // rows of one message at most, -1: no limit
	Offset   int64
	Text     string
}

// Field is one output column.
type Field struct {
	Name  string
	Key   []byte // the name as JSON with its colon: "name":
	Step  StepID
	Plain bool // a bare column: null is written, missing left out
}

// Order is one ORDER BY key.
type Order struct {
	Step StepID
	Desc bool
}

// At returns the rules of key i.
func (x *RankIndex) At(i int) []Entry { return x.Entries[x.Start[i]:x.Start[i+1]] }

// AtText returns the rules that want the value to be text i.
func (x *EqualIndex) AtText(i int) []Entry { return x.TextEntries[x.TextStart[i]:x.TextStart[i+1]] }

// AtNum returns the rules that want the value to be number i.
func (x *EqualIndex) AtNum(i int) []Entry { return x.NumEntries[x.NumStart[i]:x.NumStart[i+1]] }

// FindText returns the position of s in Texts, or -1.
func (x *EqualIndex) FindText(s string) int {
	if i := sort.SearchStrings(x.Texts, s); i < len(x.Texts) && x.Texts[i] == s {
		return i
	}
	return -1
}

// FindNum returns the position of a number in Nums, or -1: f, unless wide is not 0, of
// which f is only the nearest float64.
func (x *EqualIndex) FindNum(f float64, wide int64) int {
	i := sort.SearchFloat64s(x.Nums, f)
	if x.Wide != nil {
		for i < len(x.Nums) && x.Nums[i] == f && x.Wide[i] != wide {
			i++
		}
	} else if wide != 0 {
		return -1
	}
	if i < len(x.Nums) && x.Nums[i] == f {
		return i
	}
	return -1
}

// Num returns number i as a value, an Int64 if it is whole.
func (x *EqualIndex) Num(i int) vec.Value {
	if x.Wide != nil && x.Wide[i] != 0 {
		return vec.IntValue(x.Wide[i])
	}
	return ConstOf(x.Nums[i])
}

// ConstOf returns a number of an index as the constant that it was: indexes hold floats,
// and 5 is a whole number.
func ConstOf(f float64) vec.Value {
	if i, ok := vec.Whole(f); ok {
		return vec.IntValue(i)
	}
	return vec.FloatValue(f)
}
