package source

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// Type is a type of source: what TYPE in CREATE STREAM and CREATE TABLE names. A
// type is a package below ingest with a function that makes this struct, and a line
// in the registry of the engine; nothing else knows it.
//
// Its functions may be called from several goroutines, at any time, and must not
// wait for the network, but for Ping. Props are borrowed until the call returns.
type Type struct {
	// Properties describes what can be set beside what every source has: a fresh
	// table. nil: nothing.
	Properties func() props.Table
	// Check reads what a stream says about its source. Nothing is opened. The error
	// lists every fault, and is what the user sees who starts a rule.
	Check func(d Def) (Use, error)
	// Group checks settings that stand in a group or a named connection: what they
	// leave out may stand elsewhere. nil: any settings will do.
	Group func(props map[string]any) error
	// Free refuses settings of a connection that cannot be made beside those that are
	// there, because of what a server lets in once. nil: there is no such thing.
	Free func(d Def) error
	// Client returns the name by which a server would know a connection with settings,
	// and which server, and a text that is equal for settings that can share the
	// connection. Without such a name all is "". nil: there are no names.
	Client func(props map[string]any) (name, settings string)
	// Ping tries whether what settings describe can be reached, until ctx is done.
	// nil: there is nothing to reach, and Group is all that can be said.
	Ping func(ctx context.Context, d Def) error
	// Connections lists the connections that are open, each of which may serve many
	// streams, and sinks too. nil: the type keeps none.
	Connections func() []Connection
	// Named says that a connection of this type can be defined by itself, under
	// /connections, for streams and sinks to name.
	Named bool
	// Whole says that a source of this type delivers all there is, time and again: a
	// table over it keeps all rows. Over any other it keeps the last one.
	Whole bool
	// Decoded says that eKuiper decodes what this type brings in an operator of its
	// own, so that the status of rules has one.
	Decoded bool
}

// Def is what a stream or table says about its source.
type Def struct {
	Name       string         // of the stream or table
	DataSource string         // DATASOURCE
	Props      map[string]any // groups of settings, then EXTRA
	Fields     []vec.Field    // the declared columns; nil: none are declared
}

// Use is a stream's checked use of a type. One of Open and Attach is set.
type Use struct {
	// Feed changes the options of the feed that the stream reads through: a type
	// that makes JSON of what it finds, or rows without any text (NewDecoder), says so
	// here. nil: they stay as the stream's definition has them.
	Feed func(o *ingest.Options)

	// Open makes a source of the stream's own, which the engine then runs. What it
	// takes, Run gives back.
	Open func(to Target) (Source, error)

	// Ready, if it is not nil, tells whether what Open reads is there, such as a file.
	// It is asked when a rule is created, which is refused with its error.
	Ready func() error

	// Attach has a connection, which other streams use too, deliver to the stream as
	// well: on its own goroutine, into f, with routes that it makes of the numbers of
	// streams. Streams whose Hub, format and columns are equal share f, so that what
	// arrives for many of them is one batch.
	Attach func(f *ingest.Feed, stream uint32) (Attachment, error)
	// Hub names the connection, with Attach.
	Hub string
}

// Source delivers to one stream.
//
// Run is called once, on a goroutine of its own, and delivers until ctx ends, its
// feed is closed, or there is nothing more to read; then it gives back what Open
// took. nil is the end of a source that has one. An error ends it too: faults that
// it can go on after, such as a server that is away, it keeps for its Status. A
// message whose Ack is told is safe: its rows were run, and what was sent for
// them is stored. A source that can be asked for a message again acknowledges to
// its server then, and not before.
//
// Status may be called from any goroutine at any time.
type Source interface {
	Run(ctx context.Context) error
	Status() Status
}

// Attachment is what a stream gets of a connection that others use too. Close ends
// it and does not wait: what was delivered stays in the feed, which the engine
// closes afterwards if no stream is left.
type Attachment interface {
	Close()
	Status() Status
}

// Connection is a connection that is open.
type Connection struct {
	ID       string // by which its server knows it
	Server   string
	Users    int // streams and sinks
	State    State
	Err      string            // why it is not Running; "" while that is not known
	Retries  uint64            // attempts to connect that failed
	Counters map[string]uint64 // what it did, by name
	Lost     loss.Counts
}

// Registry is the types by the names that TYPE may have.
type Registry map[string]Type

// Names returns the names in order.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Find returns the type called name. The error says which there are, and which was
// probably meant.
func (r Registry) Find(name string) (Type, error) {
	t, ok := r[name]
	if !ok {
		return t, fmt.Errorf("source type %s is not supported: want %s%s", name, strings.Join(r.Names(), ", "), props.Hint(name, r.Names()))
	}
	return t, nil
}
