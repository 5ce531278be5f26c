package api

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/weir-engine/weir/planner/ruledef"
)

// Engine is everything that the server asks of the engine behind it. It is cut
// into small interfaces so that a reader sees what each group of paths needs.
//
// All methods are called from many goroutines at once. Arguments belong to the
// callee from the call on, results to the caller. A change is durable, and takes
// part in the next batch, when the method returns without error; after an error
// nothing has changed.
//
// Errors: one that wraps ruledef.ErrNotFound, ruledef.ErrExists or
// ruledef.ErrInUse is answered with the text and status that the path is known
// for. A *ruledef.Error is answered as a 400 with its code and text, every other
// error as a 400 with its text.
type Engine interface {
	Streams
	Rules
	ConfKeys
	Connections
	Transfer
	Schemas
	Outboxes
	Keyed
	Process
}

// Streams holds the definitions of streams and tables, which share one name
// space.
type Streams interface {
	// ExecStatement runs one statement about streams or tables: CREATE, SHOW,
	// DESCRIBE, EXPLAIN or DROP. The Statement is filled as far as the text could
	// be understood, with an error too: answers name the verb and the object.
	// Text that is no such statement is a *ruledef.Error with CodeParser.
	ExecStatement(sql string) (Statement, error)

	// ReplaceStream redefines the stream, or the table, called name from a CREATE
	// statement whose own name must be the same. Rules that use it go on with the
	// new definition; it is refused if a rule that runs could not. A name that is free
	// is created.
	ReplaceStream(kind StreamKind, name, sql string) error

	// ForceReplaceStream replaces it also if rules stop by that, and returns which,
	// each with its reason.
	ForceReplaceStream(kind StreamKind, name, sql string) (stopped []string, err error)

	// DropStream removes a definition: ruledef.ErrNotFound, ruledef.ErrInUse.
	DropStream(kind StreamKind, name string) error

	// ForceDropStream removes a definition that rules may still refer to. Those that
	// run stop with an error, and start again when there is such a definition; it
	// returns which.
	ForceDropStream(kind StreamKind, name string) (stopped []string, err error)

	// StreamList returns all definitions of the kind, sorted by name.
	StreamList(kind StreamKind) []StreamInfo

	// StreamStatus returns what is known about the source of a definition, in the
	// order in which it is shown, or ruledef.ErrNotFound.
	StreamStatus(kind StreamKind, name string) ([]StatusField, error)

	// StreamWarnings lists what a CREATE statement says in vain: options and
	// properties that do not exist or have no effect. The definition is taken all
	// the same. Other texts say nothing in vain.
	StreamWarnings(sql string) []string

	// DescribeStream returns one definition, or ruledef.ErrNotFound.
	DescribeStream(kind StreamKind, name string) (StreamDef, error)

	// StreamSchema returns the columns of a definition, or ruledef.ErrNotFound. The
	// type of a column is empty if nothing says what it is.
	StreamSchema(kind StreamKind, name string) ([]Field, error)
}

// StreamKind tells streams from tables.
type StreamKind uint8

// The kinds of definitions.
const (
	Stream StreamKind = iota
	Table
)

// Verb is what a statement about streams does.
type Verb uint8

// The verbs. VerbNone is a text that is no statement about streams.
const (
	VerbNone Verb = iota
	VerbCreate
	VerbShow
	VerbDescribe
	VerbExplain
	VerbDrop
)

// Statement is what ExecStatement understood and did.
type Statement struct {
	Verb Verb
	Kind StreamKind
	Name string // of the stream or table; empty for SHOW

	List []string  // SHOW: the names, sorted
	Def  StreamDef // DESCRIBE: the definition
}

// StreamInfo is one line of a listing.
type StreamInfo struct {
	Name   string
	Type   string // source type, mqtt if none was given
	Format string // json if none was given
	Lookup bool   // a lookup table
}

// StreamDef is the definition of a stream or table.
type StreamDef struct {
	Kind    StreamKind
	Name    string
	Fields  []Field // nil: schemaless
	Options []Option
}

// Field is one declared field.
type Field struct {
	Name   string
	Type   string  // bigint, float, string, datetime, boolean, bytea, array, struct
	Elem   *Field  // of an array; its Name is empty
	Fields []Field // of a struct
}

// Option is one of the WITH options that a statement gave, in its order.
type Option struct {
	Key   string // upper case: DATASOURCE, CONF_KEY ...
	Value any    // string, bool or int
}

// State is what became of what a rule that was replaced remembered: the content of its
// windows, what its analytic calls and counters know, rows that wait for others.
type State uint8

// The fates of a rule's state.
const (
	NoState   State = iota // there was none
	StateKept              // the rule goes on as if it had always been as it is
	StateAnew              // the rule begins with nothing
)

// String says it for the answer to a call.
func (s State) String() string {
	return [...]string{"", "It goes on with what it has gathered.", "It begins anew: what it has gathered is not all that it needs."}[s]
}

// Rules holds the rules and their life.
type Rules interface {
	// CreateRule adds a rule and starts it unless def says otherwise. It returns
	// before the sources are connected. ruledef.ErrExists: the id is taken.
	CreateRule(def *ruledef.Def) error

	// CreateRules adds many rules with one commit and one epoch. Element i of
	// the result is the fault of element i of defs, or nil; the good ones are
	// created. A nil element is skipped. Definitions are not kept, so that
	// thousands need not be in memory together. defs must not call the engine.
	CreateRules(defs iter.Seq[*ruledef.Def]) []error

	// ReplaceRule creates the rule or puts def in its place, and tells what became of
	// what the old one remembered.
	ReplaceRule(def *ruledef.Def) (State, error)

	// DeleteRule stops and removes a rule: ruledef.ErrNotFound. What waits of it for
	// its destinations is delivered.
	DeleteRule(id string) error

	// DeleteRuleOutputs does the same, and gives up what waits, over restarts too. It
	// returns how many messages that are, as far as it is known.
	DeleteRuleOutputs(id string) (messages int64, err error)

	// StartRule, StopRule and RestartRule return ruledef.ErrNotFound for an
	// unknown rule and nil for one that is in that state already. Start and stop
	// store the state, so that it survives a restart of the process.
	StartRule(id string) error
	StopRule(id string) error
	RestartRule(id string) error

	// RuleText returns the stored text of a rule as it was submitted.
	RuleText(id string) ([]byte, error)

	// EditTags replaces the tags of a rule by edit(tags), atomically, and stores
	// the text of the rule anew. edit may be called more than once and must not
	// keep its argument.
	EditTags(id string, edit func(tags []string) []string) error

	// RuleList returns all rules, sorted by id.
	RuleList() []RuleInfo

	// RuleHealth returns the state and the faults of all rules, sorted by id.
	RuleHealth() []RuleHealth

	// RuleStatus returns everything that is known about the run of a rule, in
	// the order in which it is shown.
	RuleStatus(id string) ([]StatusField, error)

	// ExplainRule returns the plan of a rule as text for people.
	ExplainRule(id string) (string, error)

	// RuleTopo returns the graph of a rule.
	RuleTopo(id string) (Topo, error)

	// RuleSchema returns the names of the columns that a rule sends, in the
	// order of its SELECT list.
	RuleSchema(id string) ([]string, error)

	// RuleWarnings lists what a rule says in vain, as StreamWarnings does: in its
	// options, its sinks and the sources of its graph. def is not kept.
	RuleWarnings(def *ruledef.Def) []string

	// ValidateRule plans def without creating it and returns the streams and
	// tables that it reads.
	ValidateRule(def *ruledef.Def) (sources []string, err error)
}

// RuleInfo is one line of the listing of rules.
type RuleInfo struct {
	ID, Name, Status, Version string
	Tags                      []string
}

// RuleHealth is one rule of the status of all.
type RuleHealth struct {
	ID, Status    string
	LastException string
	Exceptions    int64
}

// StatusField is one entry of a rule's status. Value is a string, bool, int,
// int64, uint64 or float64.
type StatusField struct {
	Key   string
	Value any
}

// Topo is the graph of a rule: from each node to those that it feeds.
type Topo struct {
	Sources []string
	Edges   []TopoEdge
}

// TopoEdge lists the nodes that From feeds.
type TopoEdge struct {
	From string
	To   []string
}

// ConfKind says what a group of settings is for.
type ConfKind string

// The kinds of groups, as they stand in paths.
const (
	ConfSources     ConfKind = "sources"
	ConfSinks       ConfKind = "sinks"
	ConfConnections ConfKind = "connections"
)

// ConfKeys holds the named groups of settings of sources and sinks (CONF_KEY,
// resourceId). Names are lower-case.
type ConfKeys interface {
	// PutConfKey creates or replaces the group called key. Streams that use it
	// connect anew. A type that does not exist, props that it refuses, and those with
	// which a rule that runs could not go on, are errors.
	PutConfKey(kind ConfKind, typ, key string, props map[string]any) error

	// ConfWarnings lists what a group says in vain, as StreamWarnings does.
	ConfWarnings(kind ConfKind, typ, key string, props map[string]any) []string

	// DeleteConfKey removes a group: ruledef.ErrNotFound, ruledef.ErrInUse.
	DeleteConfKey(kind ConfKind, typ, key string) error

	// ConfKeys returns the groups of a type by name, those of the configuration
	// file included. Secrets are in clear: the server masks them.
	ConfKeys(kind ConfKind, typ string) (map[string]map[string]any, error)
}

// Connections holds the named connections that sources and sinks share
// (connectionSelector).
type Connections interface {
	// PutConnection creates or replaces a connection and does not wait for it.
	PutConnection(c Connection) error

	// DeleteConnection removes one: ruledef.ErrNotFound, ruledef.ErrInUse.
	DeleteConnection(id string) error

	// ConnectionList returns all connections sorted by id, anonymous ones too.
	ConnectionList() []Connection
}

// Connection is one connection and how it fares.
type Connection struct {
	ID    string
	Type  string // mqtt, httppush ...
	Props map[string]any
	Named bool

	Status   string // connected, connecting, disconnected
	Err      string // why it is not connected
	SinceMs  int64  // since when it has this status, Unix ms; 0: not known
	RefCount int    // sources and sinks that use it

	Counters map[string]uint64 // what it did
	Lost     map[string]uint64 // what ended there, by reason
}

// Transfer moves whole sets of definitions.
type Transfer interface {
	// Definitions returns everything that is defined.
	Definitions() (Definitions, error)

	// DefinitionsOf returns the rules called ids and all that they need, by way of
	// each other: streams and tables, groups of settings, connections and schemas. An
	// unknown rule is a *ruledef.Error with CodeNotFound.
	DefinitionsOf(ids []string) (Definitions, error)

	// ImportDefinitions creates or replaces what d holds and leaves the rest. The
	// good parts are applied in spite of faults, which the result names with the
	// error as the text: an empty result is success.
	ImportDefinitions(d Definitions) Definitions

	// ReplaceDefinitions is ImportDefinitions after everything was deleted.
	ReplaceDefinitions(d Definitions) Definitions
}

// Definitions is a set of definitions as texts by name. In SourceConfig,
// SinkConfig and ConnectionConfig the name is a type and the text a JSON object
// of groups by key.
type Definitions struct {
	Streams, Tables  map[string]string // CREATE statements
	Rules            map[string]string // rule JSON
	SourceConfig     map[string]string
	SinkConfig       map[string]string
	ConnectionConfig map[string]string
	// Schemas has the JSON of each Schema by its type, an underscore and its name.
	// An import takes the text of a schema by its name as well.
	Schemas map[string]string
}

// Outboxes holds what waits for destinations of rules.
type Outboxes interface {
	// Outboxes returns the destinations that rules send to, and those for which
	// something waits, sorted by name.
	Outboxes() ([]Outbox, error)

	// DeliverOutbox delivers what waits for a destination that no rule uses, also
	// after a restart, and does not wait for it: ruledef.ErrNotFound.
	DeliverOutbox(id string) error

	// DropOutbox gives up what waits for a destination that no rule uses, and
	// returns how many messages: ruledef.ErrNotFound, ruledef.ErrInUse.
	DropOutbox(id string) (messages int64, err error)
}

// DegradedError says that the process does its work, but not as it should.
type DegradedError struct{ Reason string }

// Error implements error.
func (e *DegradedError) Error() string { return e.Reason }

// Keyed holds the values that rules read with get_keyed_state.
type Keyed interface {
	// KeyedStates returns all values as JSON by key; KeyedState returns one.
	KeyedStates() map[string]json.RawMessage
	KeyedState(key string) (value json.RawMessage, ok bool)

	// PutKeyedState sets a value: a number, a text, true or false in JSON. Rules
	// read it from the next row on.
	PutKeyedState(key string, value []byte) error

	// DeleteKeyedState removes a value and tells whether there was one.
	DeleteKeyedState(key string) (bool, error)
}

// Process is the running process.
type Process interface {
	// Healthy returns nil while the process does its work, a DegradedError while it
	// does so with faults of its own, else what is wrong.
	Healthy() error

	// Configure changes settings while running: logLevel, debug, timezone,
	// consoleLog, fileLog. Nothing is changed if one of them is refused.
	Configure(settings map[string]any) error

	// Stop begins an orderly end of the process and returns at once.
	Stop()

	// Functions returns what SQL can call, sorted by name.
	Functions() []FunctionInfo

	// SourceTypes, SinkTypes and LookupTypes return what TYPE, an action and a
	// lookup table can name, sorted.
	SourceTypes() []string
	SinkTypes() []string
	LookupTypes() []string

	// PingConnection tries to reach what props describe. nil: it answered.
	PingConnection(ctx context.Context, kind ConfKind, typ string, props map[string]any) error
}
