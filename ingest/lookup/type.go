package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// Type is a type of lookup table: what TYPE in CREATE TABLE ... WITH (KIND="lookup")
// names. A type is a package below this one with a function that makes this struct,
// and a line in the registry of the engine; nothing else knows it.
//
// Its functions may be called from several goroutines, at any time, and must not
// wait for the network, but for Ping. Props are borrowed until the call returns.
type Type struct {
	// Properties describes what can be set beside what every lookup table has: a
	// fresh table. nil: nothing.
	Properties func() props.Table
	// Check reads what a table says about its store. Nothing is opened. The error
	// lists every fault.
	Check func(d Def) (Use, error)
	// Group checks settings that stand in a group or a named connection: what they
	// leave out may stand elsewhere. nil: any settings will do.
	Group func(props map[string]any) error
	// Ping tries whether what settings describe can be reached, until ctx is done; see
	// Pinger. nil: there is nothing to reach.
	Ping func(ctx context.Context, d Def) error
	// Named says that a connection of this type can be defined by itself, under
	// /connections, for tables to name.
	Named bool
	// Fed says that no store is asked: the source type of the same name delivers rows,
	// and the engine keeps the last one of each KEY in memory. The functions are nil
	// then.
	Fed bool
}

// Def is what a table says about its store.
type Def struct {
	DataSource string         // DATASOURCE
	Key        string         // KEY
	Format     string         // FORMAT
	Fields     []vec.Field    // the declared columns; nil: none are declared
	Props      map[string]any // groups of settings, then EXTRA
}

// Use is a table's checked use of a type.
type Use struct {
	// Open makes the store, which connects with its first question.
	Open func() (Store, error)
	// OneKey says that the store finds rows by a single value: a join has to have
	// exactly one equality with the table.
	OneKey bool
}

// Pinger makes Ping of a type: it opens the store that check finds good and pings
// it, as long as ctx and the table's timeout allow.
func Pinger(check func(d Def) (Use, error)) func(ctx context.Context, d Def) error {
	return func(ctx context.Context, d Def) error {
		o, err := ParseProps(d.Props)
		if err != nil {
			return err
		}
		use, err := check(d)
		if err != nil {
			return err
		}
		s, err := use.Open()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		return errors.Join(s.Ping(ctx), s.Close())
	}
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
		return t, fmt.Errorf("source type %s is none of a lookup table: want %s%s", name, strings.Join(r.Names(), ", "), props.Hint(name, r.Names()))
	}
	return t, nil
}
