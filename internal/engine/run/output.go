package run

import (
	"bytes"
	"errors"
	"slices"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// Action is one sink of a rule, ready to use.
type Action struct {
	Num     uint32 // whose counters its messages change
	To      *Outlet
	Route   *sinks.Route
	Encoder *encode.Encoder
	Place   *encode.Template // topic, URL or path that differs per message; nil: the route's
	// Header says that each payload has the line of column names before it.
	Header bool
}

// action is an Action in operation.
type action struct {
	Action
	batch *batched // batchSize or lingerInterval; nil: none
}

// output takes what rules send, encodes it and puts it into queues. It belongs to
// the executor goroutine.
//
// A row that several rules send alike is encoded once: what was encoded last is
// remembered by the projection and the number of its content. The memory and the
// buffer that it points into go with each flush.
type output struct {
	x        *exec.Executor
	counters *sinks.Counters
	lost     *loss.Ledger
	actions  [][]action // by rule
	faults   []bool     // by rule

	outlets *outlets
	used    []*Outlet // with messages
	buf     []byte
	head    []byte // scratch: the line of columns of a message
	queued  int
	memo    [4]encoded
	next    int
	waiting []*batched // with something in them
	soonest int64      // no batch that waits is due before it; 0: none has a time
	broken  []exec.Breakdown
	now     int64 // of the batch, ms since 1970
}

// encoded remembers the last encodings: a row that several rules send alike is
// encoded once.
type encoded struct {
	enc     *encode.Encoder
	p       *vec.Projection
	gen     uint64 // of p
	row     int
	payload []byte
	sent    bool
	err     error
}

// maxQueued is the number of messages at which a batch's outputs are handed
// over before it ends, maxBuf the bytes.
const (
	maxQueued = 8192
	maxBuf    = 1 << 20
)

// set takes over the actions of a rule. What the old ones have collected is sent.
func (o *output) set(c *Rule) {
	for int(c.ID) >= len(o.actions) {
		o.actions = append(o.actions, nil)
		o.faults = append(o.faults, false)
	}
	for i := range o.actions[c.ID] {
		if b := o.actions[c.ID][i].batch; b != nil && b.Len() > 0 {
			o.sendNow(b)
		}
	}
	o.actions[c.ID] = nil
	if len(c.Actions) > 0 {
		acts := make([]action, len(c.Actions))
		for i, a := range c.Actions {
			acts[i].Action = a
			if a.Encoder.Batching() {
				acts[i].batch = &batched{rule: c.ID, a: &acts[i]}
			}
		}
		o.actions[c.ID] = acts
	}
	o.faults[c.ID] = c.Faults
}

func (o *output) wantsFaults(r planner.RuleID) bool { return int(r) < len(o.faults) && o.faults[r] }

// begin starts the outputs of a batch that is run at now, ms since 1970.
func (o *output) begin(now int64) { o.now = now }

// Send sends one row as a message of its own.
func (o *output) Send(rule planner.RuleID, p *vec.Projection, row int) (lost error) {
	for i := range o.actions[rule] {
		a := &o.actions[rule][i]
		err := error(nil)
		if a.Header {
			err = o.sendOne(rule, a, p, int32(row))
		} else {
			err = o.sendShared(rule, a, p, row)
		}
		if err != nil {
			lost = errors.Join(lost, err)
		}
	}
	return lost
}

// sendShared sends one row, which other rules may send alike.
func (o *output) sendShared(rule planner.RuleID, a *action, p *vec.Projection, row int) (err error) {
	m := o.encode(a.Encoder, p, row)
	if m.err != nil || !m.sent {
		return o.failed(rule, a, m.err)
	}
	place := ""
	switch {
	case a.Place == nil:
	case a.Encoder.Single():
		place, err = a.Place.EvalRow(p, row)
	default:
		place, err = a.Place.Eval(p, []int32{int32(row)})
	}
	if err != nil {
		return o.failed(rule, a, err)
	}
	return o.put(a, m.payload, place)
}

// encode returns one row as a message, encoded at most once.
func (o *output) encode(enc *encode.Encoder, p *vec.Projection, row int) *encoded {
	for i := range o.memo {
		if m := &o.memo[i]; m.enc == enc && m.p == p && m.gen == p.Gen && m.row == row {
			return m
		}
	}
	m := &o.memo[o.next&3]
	o.next++
	*m = encoded{}
	n := len(o.buf)
	o.buf, m.sent, m.err = enc.AppendMessage(o.buf, p, row)
	m.payload = o.buf[n:len(o.buf):len(o.buf)]
	m.enc, m.p, m.gen, m.row = enc, p, p.Gen, row
	return m
}

// SendRows sends the rows of a window as one message, or one each.
func (o *output) SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) (lost error) {
	for i := range o.actions[rule] {
		a := &o.actions[rule][i]
		if !a.Encoder.Single() {
			if err := o.sendAll(rule, a, p, rows); err != nil {
				lost = errors.Join(lost, err)
			}
			continue
		}
		for _, r := range rows {
			if err := o.sendOne(rule, a, p, r); err != nil {
				lost = errors.Join(lost, err)
			}
		}
	}
	return lost
}

// sendAll sends rows as one message.
func (o *output) sendAll(rule planner.RuleID, a *action, p *vec.Projection, rows []int32) error {
	n := len(o.buf)
	var sent bool
	var err error
	o.buf, sent, err = a.Encoder.AppendRows(o.buf, p, rows)
	if err != nil || !sent {
		return o.failed(rule, a, err)
	}
	place := ""
	if a.Place != nil {
		if place, err = a.Place.Eval(p, rows); err != nil {
			return o.failed(rule, a, err)
		}
	}
	if len(rows) == 0 {
		return o.put(a, o.buf[n:len(o.buf):len(o.buf)], place)
	}
	return o.put(a, o.headed(a, p, n), place)
}

// sendOne sends one row.
func (o *output) sendOne(rule planner.RuleID, a *action, p *vec.Projection, row int32) error {
	n := len(o.buf)
	var sent bool
	var err error
	o.buf, sent, err = a.Encoder.AppendMessage(o.buf, p, int(row))
	if err != nil || !sent {
		return o.failed(rule, a, err)
	}
	place := ""
	if a.Place != nil {
		if place, err = a.Place.EvalRow(p, int(row)); err != nil {
			return o.failed(rule, a, err)
		}
	}
	return o.put(a, o.headed(a, p, n), place)
}

// headed returns the message of rows of p that begins at n of the buffer, with the line
// of its columns before it if a's destination wants that.
func (o *output) headed(a *action, p *vec.Projection, n int) []byte {
	if a.Header {
		o.head = append(a.Encoder.Header(o.head[:0], p), '\n')
		o.buf = slices.Insert(o.buf, n, o.head...)
	}
	return o.buf[n:len(o.buf):len(o.buf)]
}

// put adds a message to the outputs of the batch.
func (o *output) put(a *action, payload []byte, place string) error {
	if b := a.batch; b != nil {
		if a.Header {
			head, lines, _ := bytes.Cut(payload, []byte{'\n'})
			switch {
			case b.Len() == 0:
				b.head = string(head)
			case b.head == string(head):
				payload = lines
			default: // other columns: the batch ends here
				if err := o.send(b); err != nil {
					return err
				}
				b.head = string(head)
			}
		}
		if b.Len() == 0 {
			b.at = len(o.waiting)
			o.waiting = append(o.waiting, b)
		}
		b.place = place
		if b.Add(a.Encoder, payload, o.now) {
			return o.send(b)
		}
		if d, ok := b.Deadline(); ok && (o.soonest == 0 || d < o.soonest) {
			o.soonest = d
		}
		return nil
	}
	o.enqueue(a.To, sinks.Message{Route: a.Route, Target: place, Payload: payload, Rule: a.Num})
	return nil
}

func (o *output) enqueue(to *Outlet, m sinks.Message) {
	if len(to.msgs) == 0 {
		o.used = append(o.used, to)
	}
	to.msgs = append(to.msgs, m)
	if o.queued++; o.queued >= maxQueued || len(o.buf) >= maxBuf {
		o.flush()
	}
}

// failed counts a message that could not be made, or returns err for the rule to
// be charged with. A nil err says that it was not to be sent.
//
// What does not fit the message type of a sink is that sink's; the rest is the
// rule's.
func (o *output) failed(rule planner.RuleID, a *action, err error) error {
	if err == nil || a.Encoder.Format() != encode.Protobuf {
		return err
	}
	o.counters.Fail(a.Num, loss.Encode, err)
	o.lost.Add(loss.Encode, 1)
	if o.wantsFaults(rule) {
		o.Fault(rule, err.Error())
	}
	return nil
}

// Fault sends the text of a fault to the sinks of a rule that asked for it. One whose
// place a row names gets none: there is no such row, and the route's is a template.
func (o *output) Fault(rule planner.RuleID, text string) {
	text = loss.Text(text)
	if int(rule) >= len(o.actions) {
		return // it came when the message that did not decode was there already
	}
	for i := range o.actions[rule] {
		a := &o.actions[rule][i]
		if a.To != nil && a.Place == nil {
			o.counters.Tell(a.Num)
			o.enqueue(a.To, sinks.Message{Route: a.Route, Payload: []byte(text), Rule: a.Num})
		}
	}
}

// flush hands the outputs over to the queues and pauses the feeds of those that
// are full.
func (o *output) flush() {
	for _, to := range o.used {
		to.queue.Put(to.msgs)
		clear(to.msgs)
		to.msgs = to.msgs[:0]
		if to.queue.Full() {
			o.outlets.hold(to)
		}
	}
	o.used = o.used[:0]
	o.queued, o.memo = 0, [4]encoded{}
	if cap(o.buf) > 2*maxBuf {
		o.buf = nil
	}
	invariants.Bytes(o.buf)
	o.buf = o.buf[:0]
}

// drop forgets the outputs of a batch that failed.
func (o *output) drop() {
	for _, to := range o.used {
		to.msgs = to.msgs[:0]
	}
	o.used, o.buf, o.queued, o.memo = o.used[:0], o.buf[:0], 0, [4]encoded{}
}
