package sql

import "github.com/weir-engine/weir/vec"

// Pos is a place in the text of a statement. Line and Col count from 1, Col in
// characters. The zero Pos is "nowhere", for nodes that no text stands for.
type Pos struct{ Line, Col int }

// Node is the part that all expression nodes share.
type Node struct{ At Pos }

// Pos tells where the node begins in the statement's text; for an operator with
// a left operand that is the operator itself.
func (n Node) Pos() Pos { return n.At }

// Expr is an expression. Every node type below is used as a pointer; nothing
// else implements Expr. A tree that Parse returned is never written afterwards
// by this package, and the caller owns it.
type Expr interface{ Pos() Pos }

// Ident names a column, an alias or a metadata key. Stream is the source's name
// or alias as written, or "". In `a.b` with no source named a, the tree is
// Arrow(Ident a, "b") instead.
type Ident struct {
	Node
	Stream, Name string
}

// Star is `*`, or `stream.*`, as an argument of a call: count(*), last_value(*, true).
type Star struct {
	Node
	Stream string
}

// Literal is a constant. Its kind is Int64, Float64, String, Bool or Null.
type Literal struct {
	Node
	Value vec.Value
}

// Op is an operator of a Unary or Binary node.
type Op uint8

// The operators.
const (
	OpNone   Op = iota
	OpNeg       // -x
	OpNot       // NOT x
	OpAdd       // +
	OpSub       // -
	OpMul       // *
	OpDiv       // /
	OpMod       // %
	OpBitAnd    // &
	OpBitOr     // |
	OpBitXor    // ^
	OpConcat    // ||
	OpEq        // =
	OpNe        // != and <>
	OpLt        // <
	OpLe        // <=
	OpGt        // >
	OpGe        // >=
	OpAnd       // AND
	OpOr        // OR
)

var opNames = [...]string{"", "-", "NOT", "+", "-", "*", "/", "%", "&", "|", "^", "||", "=", "!=", "<", "<=", ">", ">=", "AND", "OR"}

// String returns the operator as it is written.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "invalid"
}

// Comparison tells whether o compares two values.
func (o Op) Comparison() bool { return o >= OpEq && o <= OpGe }

// Unary is OpNeg or OpNot of X. The negative of a number literal is a Literal.
type Unary struct {
	Node
	Op Op
	X  Expr
}

// Binary is L Op R.
type Binary struct {
	Node
	Op   Op
	L, R Expr
}

// Arrow is X->Key, or X.Key where X is no source.
type Arrow struct {
	Node
	X   Expr
	Key string
}

// Index is X[I].
type Index struct {
	Node
	X, I Expr
}

// Slice is X[From:To]; a bound that is left out is nil.
type Slice struct {
	Node
	X, From, To Expr
}

// Call is a function call. CAST(x AS type) is the call cast(x, "type").
type Call struct {
	Node
	// Name is in lower case; Written is the name as it stands in the text, for
	// functions whose names are case-sensitive (those of plug-ins).
	Name, Written string
	Args          []Expr
	// Star tells that one of Args is a *Star; count(*) has it as the only one.
	Star     bool
	Distinct bool // count(DISTINCT x)
	Filter   Expr // FILTER (WHERE ...), or nil

	// What OVER (...) holds; HasOver tells whether there was one.
	HasOver   bool
	Partition []Expr
	When      Expr
	OrderBy   []Order
}

// Case is CASE X WHEN ... END; X is nil in the searched form, Else if there is none.
type Case struct {
	Node
	X     Expr
	Whens []When
	Else  Expr
}

// When is one branch of a Case.
type When struct{ Cond, Result Expr }

// In is X [NOT] IN (List...), or X [NOT] IN Array; one of the two is set.
type In struct {
	Node
	X     Expr
	List  []Expr
	Array Expr
	Not   bool
}

// Between is X [NOT] BETWEEN Lo AND Hi.
type Between struct {
	Node
	X, Lo, Hi Expr
	Not       bool
}

// Like is X [NOT] LIKE Pattern. In the pattern % stands for any run and _ for
// any character; Escape before one of them, or before itself, takes its meaning
// away. Escape is '\\' unless ESCAPE said otherwise, and 0 for ESCAPE "".
type Like struct {
	Node
	X, Pattern Expr
	Escape     rune
	Not        bool
}

// IsNull is X IS [NOT] NULL.
type IsNull struct {
	Node
	X   Expr
	Not bool
}

// Statement is *Select, *Create, *Show, *Describe, *Explain or *Drop.
type Statement interface{ statement() }

// Select is a query.
type Select struct {
	Distinct bool
	Fields   []Field
	From     Source
	Joins    []Join
	Where    Expr
	GroupBy  []Expr  // without the window
	Window   *Window // nil: none
	Having   Expr
	OrderBy  []Order
	Limit    *int64
	Offset   *int64
	Text     string // the statement as the user wrote it
}

// Field is one item of a SELECT list: an expression with or without an alias,
// or `*` (Star, with Stream for `stream.*`), to which alone Except and Replace
// belong.
type Field struct {
	At        Pos
	Expr      Expr
	Alias     string
	Star      bool
	Stream    string
	Except    []string
	Replace   []Field // each with Expr and Alias
	Invisible bool    // computed, not sent
}

// Source is a stream or table in FROM or JOIN; Alias is "" if there is none.
type Source struct {
	At          Pos
	Name, Alias string
}

// Label is what columns of the source are qualified with: the alias or the name.
func (s Source) Label() string {
	if s.Alias != "" {
		return s.Alias
	}
	return s.Name
}

// JoinKind says which rows a Join gives beside those that match.
type JoinKind uint8

// The joins. Left keeps the rows before it that have no match, Right those of
// the new source, Full both; Cross takes every pair.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

// String returns the keyword.
func (k JoinKind) String() string {
	return [...]string{"INNER", "LEFT", "RIGHT", "FULL", "CROSS"}[k]
}

// Join adds a source to those before it; On is nil for CROSS and where it was left out.
type Join struct {
	Kind JoinKind
	Source
	On Expr
}

// Order is one key of ORDER BY.
type Order struct {
	At   Pos
	Expr Expr
	Desc bool
}

// Window is the window call of GROUP BY. Numbers are as written, in Unit (see
// UnitMillis); they are positive and small enough to be nanoseconds in an int64.
type Window struct {
	At   Pos
	Kind WindowKind
	// Unit is "dd", "hh", "mi", "ss" or "ms"; "" for count, state and dedup.
	Unit string
	// Length is the length; the longest duration of a session; the number of
	// rows of a count window.
	Length int64
	// Interval is the hop of a hopping window, the gap of a session, and how
	// many rows a count window moves on (Length if not given). 0 otherwise.
	Interval int64
	// Delay of a sliding window, 0 if not given.
	Delay int64
	// Args are the conditions of a state window (one or two) and the four
	// arguments of dedup_trigger.
	Args []Expr

	Filter    Expr   // FILTER (WHERE ...)
	When      Expr   // OVER (WHEN ...)
	Partition []Expr // OVER (PARTITION BY ...)
}

// UnitMillis returns how many milliseconds one Unit has, 1 for windows without a unit.
func (w *Window) UnitMillis() int64 {
	switch w.Unit {
	case "dd":
		return 24 * 60 * 60 * 1000
	case "hh":
		return 60 * 60 * 1000
	case "mi":
		return 60 * 1000
	case "ss":
		return 1000
	}
	return 1
}

// Create is CREATE STREAM or CREATE TABLE.
type Create struct {
	Table   bool
	Name    string
	Fields  []vec.Field // none: schemaless
	Options StreamOptions
	Given   []GivenOption // of WITH as it is written, in its order
	Text    string
}

// GivenOption is an option as it is written: its key in upper case, its value without
// the quotes.
type GivenOption struct{ Key, Value string }

// StreamOptions are the options of CREATE ... WITH (...). A text option that is
// not given is "".
type StreamOptions struct {
	DataSource       string
	Type             string // as written; "" means mqtt for streams, file for tables
	Format           string // in lower case; "" means json
	ConfKey          string
	Key              string
	SchemaID         string
	StrictValidation bool
	Timestamp        string
	TimestampFormat  string
	Shared           bool
	Kind             string // in lower case; "" means scan
	RetainSize       int64  // 0: not given
	Delimiter        string
	Version          string // in lower case
	Temp             bool
	Extra            map[string]any // JSON object; whole numbers are float64
}

// Show is SHOW STREAMS or SHOW TABLES.
type Show struct{ Tables bool }

// Describe is DESCRIBE STREAM or DESCRIBE TABLE.
type Describe struct {
	Table bool
	Name  string
}

// Explain is EXPLAIN STREAM or EXPLAIN TABLE.
type Explain struct {
	Table bool
	Name  string
}

// Drop is DROP STREAM or DROP TABLE.
type Drop struct {
	Table bool
	Name  string
}

func (*Select) statement()   {}
func (*Create) statement()   {}
func (*Show) statement()     {}
func (*Describe) statement() {}
func (*Explain) statement()  {}
func (*Drop) statement()     {}
