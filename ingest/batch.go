package ingest

import (
	"math"
	"slices"

	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/vec"
)

const (
	// fullBytes is the text at which a batch is full before it has MaxRows rows:
	// large messages make small batches, and memory stays bounded.
	fullBytes = 1 << 20
	// keepBytes is the text buffer that is kept for the next batch: one that met a
	// large payload is let go.
	keepBytes = fullBytes + fullBytes/4
	// keepString is the same for the strings of one column.
	keepString = fullBytes / 4
	// pooledBatches are kept for reuse by all feeds of an inbox. Three circulate
	// per busy feed.
	pooledBatches = 8
	// minRows is the room of a new batch's columns: thousands of feeds may have a
	// batch of one row each.
	minRows = 64
)

// batch is a vec.Batch with what the feed keeps beside it.
type batch struct {
	vec.Batch
	dec     Decoder
	rows    int          // rows there is room for in the columns
	touched []int32      // columns that have a buffer, in order of first use
	spare   []vec.Column // buffers for the next ones, last first
	infos   []info       // of each row, for Redecode
	acks    []ackRun
	tokens  []uint64
	end     bool // sealed
	done    bool // given back, waits for the batches before it
}

// info is what a row came from.
type info struct {
	meta Meta
	text vec.Span // in Raw; Row may be another text, made from it
}

// ackRun is who is told of the next n tokens.
type ackRun struct {
	to Acker
	n  int
}

// pool keeps batches that nobody uses; the inbox's lock guards it.
type pool struct{ free []*batch }

func (p *pool) get() *batch {
	n := len(p.free)
	if n == 0 {
		return &batch{rows: minRows}
	}
	b := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	return b
}

func (p *pool) put(b *batch) {
	if len(p.free) < pooledBatches {
		p.free = append(p.free, b)
	}
}

// begin makes an empty pooled batch one for plan.
func (b *batch) begin(plan *vec.Plan, dec Decoder) {
	b.Plan, b.dec = plan, dec
	n := len(plan.Cols)
	if cap(b.Cols) < n || cap(b.Cols) > 4*n+256 {
		b.Cols = make([]vec.Column, n)
		for i := range b.Cols {
			b.Cols[i].Kind = vec.Null
		}
	}
	b.Cols = b.Cols[:n] // columns without a buffer are Null, up to the capacity
	b.Clean = b.Clean.Grow(vec.MaxRows)
	b.perRow(b.rows)
}

// perRow makes room for rows rows in what is kept of each row. The slices have
// that length until seal: writing a slot costs less than five appends.
func (b *batch) perRow(rows int) {
	b.Row = sized(b.Row, rows)
	b.Route = sized(b.Route, rows)
	b.At = sized(b.At, rows)
	b.infos = sized(b.infos, rows)
}

func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

func (b *batch) empty() bool { return b.Rows == 0 && len(b.acks) == 0 }

func (b *batch) full() bool { return b.Rows >= vec.MaxRows || len(b.Raw) >= fullBytes }

// touch gives column i a buffer. Spare buffers are used in the order in which
// the last batch used them, so a column mostly gets one of its own kind.
func (b *batch) touch(i int) *vec.Column {
	c := &b.Cols[i]
	if n := len(b.spare); n > 0 {
		*c = b.spare[n-1]
		b.spare[n-1] = vec.Column{}
		b.spare = b.spare[:n-1]
	}
	c.Reset(b.rows)
	b.touched = append(b.touched, int32(i))
	return c
}

// room makes sure that the columns hold row b.Rows.
func (b *batch) room() {
	if b.Rows < b.rows {
		return
	}
	b.rows = min(4*b.rows, vec.MaxRows)
	b.Row, b.Route, b.At, b.infos = more(b.Row, b.rows), more(b.Route, b.rows), more(b.At, b.rows), more(b.infos, b.rows)
	for _, i := range b.touched {
		b.Cols[i].Extend(b.rows)
	}
}

// more gives s length n and keeps what it has.
func more[T any](s []T, n int) []T { return slices.Grow(s, n-len(s))[:n] }

func (b *batch) addAck(a Ack) {
	if a.To == nil {
		return
	}
	b.tokens = append(b.tokens, a.Token)
	if n := len(b.acks); n > 0 && b.acks[n-1].to == a.To {
		b.acks[n-1].n++
		return
	}
	b.acks = append(b.acks, ackRun{a.To, 1})
}

// ack tells everybody whose messages are in b.
func (b *batch) ack() {
	at := 0
	for _, r := range b.acks {
		r.to.Ack(b.tokens[at : at+r.n])
		at += r.n
	}
}

// seal ends the writing: every touched column gets exactly b.Rows rows.
func (b *batch) seal(routes *vec.Routes) {
	if b.end {
		return
	}
	b.Routes = routes
	b.end = true
	b.Clean = b.Clean[:vec.Words(b.Rows)]
	b.Row, b.Route, b.At = b.Row[:b.Rows], b.Route[:b.Rows], b.At[:b.Rows]
	for _, i := range b.touched {
		c := &b.Cols[i]
		if c.Data != nil {
			c.Data = b.Raw
		}
		c.Truncate(b.Rows)
	}
}

// drop takes back row from and all later ones, and the text from raw on.
func (b *batch) drop(from, raw int) {
	for _, i := range b.touched {
		b.Cols[i].ClearFrom(from)
	}
	for row := from; row < b.Rows; row++ {
		b.Clean.Unset(row)
	}
	b.Clean.Unset(min(b.Rows, vec.MaxRows-1)) // the row that was being written
	b.Rows = from
	b.Raw = b.Raw[:raw]
}

// reset empties b for the pool. Buffers beyond what the batch used are let go.
func (b *batch) reset() {
	b.takeBack()
	if cap(b.Raw) > keepBytes {
		b.Raw = nil
	}
	if b.Rows*4 < b.rows {
		b.rows = max(minRows, b.rows/4)
	}
	b.poison()
	b.Rows, b.Raw = 0, b.Raw[:0]
	clear(b.infos)
	clear(b.acks)
	b.acks, b.tokens = b.acks[:0], b.tokens[:0]
	b.Plan, b.Routes, b.dec = nil, nil, nil
	b.end, b.done = false, false
}

// poison fills what a batch in the pool has with rubbish, in builds with the tag
// invariants.
func (b *batch) poison() {
	invariants.Bytes(b.Raw)
	b.Clean.Poison()
	invariants.Fill(b.Row, vec.Span{Off: math.MaxUint32})
	invariants.Fill(b.Route, math.MaxUint32)
	invariants.Fill(b.At, math.MinInt64)
	invariants.Fill(b.tokens, math.MaxUint64)
}

// takeBack returns the buffers of all touched columns to spare.
func (b *batch) takeBack() {
	n := len(b.touched)
	for k := n - 1; k >= 0; k-- {
		c := &b.Cols[b.touched[k]]
		clear(c.Vals)
		c.Poison()
		if c.Dict == nil || cap(c.Dict.Data) <= keepString {
			b.spare = append(b.spare, *c)
		}
		*c = vec.Column{Kind: vec.Null}
	}
	b.touched = b.touched[:0]
	if keep := max(16, 2*n); len(b.spare) > keep {
		k := copy(b.spare, b.spare[len(b.spare)-keep:])
		clear(b.spare[k:])
		b.spare = b.spare[:k]
	}
}
