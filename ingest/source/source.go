// Package source holds what the source types share: what a type is, how a source
// writes to a feed and how it tells its state. It knows no source type.
//
// A new type is a package below ingest that makes a Type, with a table of its
// properties, a Source (or an Attachment, if its connection serves many streams) and
// tests of its own; a line in types.go of the engine, or in types_full.go if small
// gateways go without it. docs/properties.md follows from the table (make rewrite).
package source

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
)

// Feed is where a source writes its messages; *ingest.Feed is one. Between Begin
// and End come the messages of one read. Push may block, which is how the engine
// slows a source down, and returns an error when the source must stop.
type Feed interface {
	Begin(at int64)
	Push(payload []byte, route uint32, m *ingest.Meta, ack ingest.Ack) error
	End()
}

// Target is what a source type writes to: the feed of its stream and the route
// that stands for the streams its rows belong to.
type Target struct {
	Feed  Feed
	Route uint32
}

// State says what a source does.
type State uint8

// The states of a source.
const (
	Idle       State = iota // Run was not called yet
	Connecting              // it waits for its server
	Running                 // it reads, or waits for something to read
	EOF                     // it has read everything and ended
	Failed                  // it ended with an error, or gets nothing because of one
	Stopped                 // its context ended
)

var stateNames = [...]string{"idle", "connecting", "running", "eof", "error", "stopped"}

// String returns the name of s as status answers show it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "invalid"
}

// Status is what a source tells about itself.
type Status struct {
	State     State
	Errors    uint64    // faults that it went on after, such as a bad line
	LastError string    // the last fault, fatal or not; "" for none
	LastAt    time.Time // when LastError was noted
	// Lost is what ended before it came to the feed, by reason.
	Lost loss.Counts
	Note string // why no data comes, if that is no fault; "" for nothing to say
	// ConnectedAt is when data could come last, DisconnectedAt when that ended, and
	// TriedAt when it last was tried, in ms since 1970; 0: never.
	ConnectedAt, DisconnectedAt, TriedAt int64
}

// Tracker keeps a source's Status. The zero Tracker is Idle. Its methods are
// safe for concurrent use.
type Tracker struct {
	mu sync.Mutex
	s  Status
}

// Status returns the state now.
func (t *Tracker) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.s
}

// Start notes that the source runs.
func (t *Tracker) Start() { t.set(Running, nil) }

// End notes how Run ended: after the end of ctx or the closing of its feed it is
// Stopped, and End returns nil; without an error it is EOF, with one Failed, and
// End returns err.
func (t *Tracker) End(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil, errors.Is(err, ingest.ErrClosed):
		t.set(Stopped, nil)
		return nil
	case err == nil:
		t.set(EOF, nil)
	default:
		t.set(Failed, err)
	}
	return err
}

// Fault notes an error that the source goes on after.
func (t *Tracker) Fault(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s.Errors++
	t.s.Lost[loss.Record]++
	t.s.LastError, t.s.LastAt = loss.Text(err.Error()), time.Now()
}

func (t *Tracker) set(s State, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.s.State, t.s.Note = s, ""
	switch s {
	case Running:
		t.s.ConnectedAt, t.s.TriedAt = now.UnixMilli(), now.UnixMilli()
	case EOF:
		t.s.Note = "end of file"
		fallthrough
	default:
		t.s.DisconnectedAt = now.UnixMilli()
	}
	if err != nil {
		t.s.LastError, t.s.LastAt = loss.Text(err.Error()), now
	}
}
