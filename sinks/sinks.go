// Package sinks brings encoded outputs to the outside. A sink type (a package
// each below this one) turns an action's properties into a Target; a Queue keeps
// what is to go to one destination, in memory and then in the store, and delivers
// it in order with retry on a worker of its own.
//
// It knows no SQL and does not encode. What belongs to a rule is a number in a
// Message and a shared *Route: workers, connections and buffers belong to
// destinations, so 8,000 rules with the same sink cost one of each.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/internal/props"
)

// NoRule is the number of a message whose rule is not known: a version of weir queued
// it that did not say. Numbers from firstEarlier on are of owners whose messages an
// earlier process queued, see owners. No rule's counters are changed for any of them.
const (
	NoRule       = ^uint32(0)
	firstEarlier = 1 << 31
)

// Route is what is static in an action's use of a sink: topic, QoS, URL, method,
// headers, path and so on. Routes are interned: actions with equal properties
// share one, and equal pointers mean equal properties. A Route is immutable.
type Route struct {
	// Spec is the canonical text of the properties. Target.Restore makes the
	// same Route of it, in a later process too.
	Spec string
	// Target is where messages go that name no place themselves: a topic, a URL
	// or a path, as the sink type understands it.
	Target string
	// Options is the sink type's own, immutable view of the properties.
	Options any
}

// Message is one encoded output. Whoever receives a Message borrows Payload until
// the call returns; the strings may be kept.
type Message struct {
	// Route is the action's Target.Route.
	Route *Route
	// Target is the topic, URL or path evaluated for this message; "" takes the
	// Route's.
	Target string
	// Payload is what is sent. Messages of one Put that follow each other may
	// share it; it is then kept once.
	Payload []byte
	// Rule is the number whose counters the message changes, see Counters.
	Rule uint32
}

// Place returns the topic, URL or path that the message goes to.
func (m *Message) Place() string {
	if m.Target != "" {
		return m.Target
	}
	return m.Route.Target
}

// Destination is an open way out. A queue's worker calls Write from one goroutine
// and Close once, after the last Write. One queue may have several open.
//
// Write delivers msgs in order and returns how many of them, from the front, were
// delivered for good; it may stop early with a nil error. msgs and the payloads
// are valid until Write returns. With an error that ErrRefused matches, msgs[n]
// was refused and must not be sent again: the queue counts it and goes on behind
// it. After any other error the queue waits and calls Write again from msgs[n], by
// itself if it is one of OfPlace.
// Write returns soon after ctx is done.
type Destination interface {
	Write(ctx context.Context, msgs []Message) (n int, err error)
	Close() error
}

// Factory is a sink type: a package below this one, and a line in the registry of the
// engine (types.go there). Nothing else knows it: what is special about it, its Target
// says.
//
// Open checks the properties of one action, without connecting to anything; its
// error lists every fault. Properties that concern encoding are ignored. Open may
// be called from several goroutines.
//
// Properties describes what Open reads; what concerns encoding is in package encode.
type Factory interface {
	Open(props map[string]any) (Target, error)
	Properties() props.Table
}

// Pinger is a Factory that can tell whether what properties describe can be reached.
// Ping returns soon after ctx is done; it sends nothing that rules would.
type Pinger interface {
	Ping(ctx context.Context, given map[string]any) error
}

// Target is an action's checked use of a sink type.
type Target struct {
	// DestKey is equal for actions that share a destination, and with it a Queue.
	// It names the sink type and the place and holds no secrets; it is stable
	// over restarts, since the outbox on disk is found by it.
	DestKey string
	// Route goes into each Message of the action.
	Route *Route
	// Dynamic, if not empty, is a template whose text for a message is its Target.
	Dynamic string
	// WithHeader destinations want a header line before each payload, for the
	// start of a file: the names of the columns, as delimited text has them.
	WithHeader bool
	// CSV destinations write delimited text as CSV, which quotes every value with a
	// quote in it.
	CSV bool
	// Lanes is the number of workers that deliver side by side; a rule's messages
	// keep to one of them. 0 means 1. Rules that were set aside, see OfPlace and
	// Apart, have one each beside them.
	Lanes int
	// Apart says what is written by itself, so that others need not wait for it.
	Apart Apart
	// Volatile destinations are always as fast as the process (log, memory, nop):
	// their messages are never written to disk.
	Volatile bool
	// Discards says that the destination keeps nothing: rows that go nowhere else
	// are counted, and neither encoded nor handed over.
	Discards bool
	// CompressesItself destinations obey the property compression themselves, for
	// what they write as a whole. Others get payloads that are compressed one by one.
	CompressesItself bool
	// Unframed destinations write payloads one after the other, with nothing between
	// them that a reader could go by: formats whose messages do not end by themselves
	// are refused.
	Unframed bool
	// Label, if it is not nil, returns a text that is kept with what waits on disk:
	// of it whoever made the Target can make one again in a later process, when no
	// action asks for it.
	Label func() []byte
	// Claim, if it is not nil, is called before Open with the name of who opens the
	// destination first. It returns why the connection cannot be made beside those
	// that are there, if a server lets something in once that others than user have:
	// Open fails for as long as that is so.
	Claim func(user string) error
	// Open opens one lane of the destination. An error is retried with back-off.
	Open func(ctx context.Context, lane int) (Destination, error)
	// Restore returns the interned Route of a Spec, for messages read from disk.
	Restore func(spec string) (*Route, error)
}

// ErrRefused matches an error of Destination.Write that says: this message will
// never be accepted. The caller counts it, skips it and goes on.
var ErrRefused = errors.New("refused")

// Refuse returns an error with err's text that ErrRefused matches.
func Refuse(err error) error { return refusedError{err} }

type refusedError struct{ error }

func (e refusedError) Unwrap() error        { return e.error }
func (e refusedError) Is(target error) bool { return target == ErrRefused }

// Registry is the sink types by the names that rules use.
type Registry map[string]Factory

// Names returns the names in order.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Open checks one action of a rule.
func (r Registry) Open(sinkType string, given map[string]any) (Target, error) {
	f, ok := r[sinkType]
	if !ok {
		return Target{}, fmt.Errorf("sink %s is not defined%s", sinkType, props.Hint(sinkType, r.Names()))
	}
	t, err := f.Open(given)
	if err != nil {
		return Target{}, fmt.Errorf("sink %s: %w", sinkType, err)
	}
	return t, nil
}

// Dynamic tells whether a text is a template that is evaluated for each message.
func Dynamic(text string) bool { return strings.Contains(text, "{{") }
