package planner

import "github.com/weir-engine/weir/vec"

// FuncKind says how a function is evaluated, and so where it may stand.
type FuncKind uint8

// The kinds of functions.
const (
	FuncScalar   FuncKind = iota // one row in, one value out
	FuncAgg                      // many rows in, one value out
	FuncAnalytic                 // stateful over the rows of a stream, before WHERE: lag, latest, acc_sum ...
	FuncMultiCol                 // several output columns: changed_cols
	FuncSRF                      // several output rows, or an object spread into columns: unnest, extract
	FuncWindow                   // over the rows that are sent: row_number
	FuncMeta                     // metadata of the message: meta, mqtt
	FuncContext                  // of the rule, the window or the row, not of its arguments: window_start, event_time, rule_id, last_hit_count ...
)

var funcKindNames = [...]string{"scalar", "aggregate", "analytic", "multi-column", "set-returning", "window", "metadata", "context"}

// String returns the name of k as docs and listings show it.
func (k FuncKind) String() string {
	if int(k) < len(funcKindNames) {
		return funcKindNames[k]
	}
	return "invalid"
}

// FuncSig is what the binder must know of a function, and what listings show.
type FuncSig struct {
	Name      string // lower case
	Group     string // math, string, array, object, json, hashing, transform, datetime, other, aggregate, analytic ...
	Signature string // the call with its arguments, optional ones in brackets
	Doc       string // one sentence
	Example   string // a call with literal arguments; docs and tests evaluate it
	Kind      FuncKind
	MinArgs   int
	MaxArgs   int  // -1: any number
	Volatile  bool // does not depend on its arguments alone: rand, newuuid, now, props
	AllowStar bool // takes "*" in place of arguments
	PerRule   bool // reads the rule that it stands in, so it is never shared by rules
	Parts     bool // an aggregate of bounded size: that of many rows is merged from those of parts of them
	Catches   bool // an argument that failed is null to it, and no fault of the call
	NeedsRow  bool // an aggregate whose arguments are followed by the whole row, as an object

	// Check refuses arguments at creation of a rule: literals of a wrong type
	// or value. It is called after the count was found good. A nil Check
	// accepts everything.
	Check func(args []FuncArg) error
	// Doubt tells what is wrong with literals that are accepted, for eKuiper accepts
	// them, though every call with them fails. nil: nothing is.
	Doubt func(args []FuncArg) error
}

// FuncArg is one argument of a call, as far as it is known at creation.
type FuncArg struct {
	Literal *vec.Value // nil if not a literal
	Star    bool       // "*"
}

// FuncSet is the functions that rules may call.
type FuncSet interface {
	// Lookup returns the function called name, which is lower case. The result
	// is shared and must not be written.
	Lookup(name string) (*FuncSig, bool)
}
