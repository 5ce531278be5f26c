package ingest

import (
	"sync"

	"github.com/weir-engine/weir/vec"
)

// Feed decodes the messages of a group of streams into batches.
//
// Calls: SetPlan, then for each read of the source Begin, Push for each message,
// End. Begin waits while another goroutine is between Begin and End. SetPlan,
// Route, SetPaused, Close and the statistics may be called from any goroutine
// at any time; Done and Redecode from the one that calls Inbox.Take.
type Feed struct {
	in  *Inbox
	opt Options

	next, prev *Feed // in the inbox's list
	linked     bool
	writing    bool
	open       *batch
	sealed     []*batch
	mu         sync.Mutex
}

type batch struct{ vec.Batch }

type pool struct{}

func (f *Feed) pop() *batch { return nil }
func (b *batch) touch(i int) {}
func (f *Feed) badValue(route uint32, reason string, text []byte) {}

// NewFeed makes a feed that hands its batches to in. Options are checked; an
// error lists every fault.
func NewFeed(in *Inbox, o Options) (*Feed, error)

// SetPlan makes later rows carry the columns of p. The open batch keeps the plan
// that it has.
func (f *Feed) SetPlan(p *vec.Plan)

// Route returns the number of the route of rows that belong to streams (ids of
// the caller's choice, in any order); equal sets have one number. Routes live as
// long as the feed.
func (f *Feed) Route(streams []uint32) uint32

// Begin starts the messages of one read; at is its time in ms since 1970.
func (f *Feed) Begin(at int64)

// Push decodes one message; payload and m are borrowed, m may be nil. A payload
// that does not decode is counted, not an error. Push blocks while the executor
// is behind or the feed is paused. ErrClosed is its only error.
func (f *Feed) Push(payload []byte, route uint32, m *Meta, ack Ack) error

// End makes the rows since Begin visible to Take.
func (f *Feed) End()

// Done gives b back: the executor is through with it and its outputs are safe.
// Its messages are acknowledged once all batches before it are done, too.
func (f *Feed) Done(b *vec.Batch)

// Redecode decodes all rows of b again with the columns of p.
func (f *Feed) Redecode(b *vec.Batch, p *vec.Plan) error

// SetPaused stops (or lets go on) the hand-over of the feed's batches: while it
// is paused its source blocks as soon as the open batches are full.
func (f *Feed) SetPaused(paused bool)

// Close makes a blocked Push return ErrClosed, as every later one. Batches that
// were taken are given back with Done as usual.
func (f *Feed) Close()

// Stats returns the counters of all streams of the feed.
func (f *Feed) Stats() Stats

// StreamStats returns the counters of one stream of the feed.
func (f *Feed) StreamStats(stream uint32) Stats

// Stats counts what a feed or stream received.
type Stats struct {
	Messages     uint64 // messages, bad ones included
	Rows         uint64 // rows they gave
	Bytes        uint64 // payload bytes
	DecodeErrors uint64 // messages that did not decode
	BadValues    uint64 // values that could not be converted and are null
	LastArrival  int64  // ms since 1970, 0: never
	LastError    string // why the last bad message did not decode
	LastPayload  string // the last bad message, cut to 256 bytes
}
