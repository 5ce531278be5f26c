package engine

import (
	"errors"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// action is one sink of a rule, ready to use.
type action struct {
	num   uint32 // whose counters its messages change
	to    *outlet
	route *sinks.Route
	enc   *encode.Encoder
	place *encode.Template // topic, URL or path that differs per message; nil: the route's
	batch *batched         // batchSize or lingerInterval; nil: none
	// header says that each payload has the line of column names before it.
	header bool
}

// outlet is a queue as the executor sees it: what this batch puts there, and
// which feeds stop when it is full.
type outlet struct {
	queue  *sinks.Queue
	msgs   []sinks.Message
	feeds  map[*sharedFeed]int // feeds whose rules send here, with their number
	paused bool
}

// batched is the state of an action that collects messages.
type batched struct {
	encode.Batcher
	rule  planner.RuleID
	a     *action
	place string
	at    int // in output.waiting
}

// output takes what rules send, encodes it and puts it into queues. It belongs
// to the executor goroutine.
type output struct {
	e       *Engine
	actions [][]action // by rule
	faults  []bool     // by rule
	feeds   map[*ingest.Feed]*sharedFeed

	outlets map[*sinks.Queue]*outlet // guarded by Engine.mu, with feeds and paused
	used    []*outlet
	buf     []byte
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

func newOutput(e *Engine) *output {
	return &output{e: e, feeds: map[*ingest.Feed]*sharedFeed{}, outlets: map[*sinks.Queue]*outlet{}}
}

// set takes over the actions of a rule. What the old ones have collected is sent.
func (o *output) set(ed *edit) {
	for int(ed.rule) >= len(o.actions) {
		o.actions = append(o.actions, nil)
		o.faults = append(o.faults, false)
	}
	for i := range o.actions[ed.rule] {
		if b := o.actions[ed.rule][i].batch; b != nil && b.Len() > 0 {
			o.sendNow(b)
		}
	}
	o.actions[ed.rule] = ed.actions
	o.faults[ed.rule] = ed.faults
}

func (o *output) wantsFaults(r planner.RuleID) bool { return int(r) < len(o.faults) && o.faults[r] }

// begin starts the outputs of a batch that is run at now, ms since 1970.
func (o *output) begin(now int64) { o.now = now }

// Send sends one row as a message of its own.
func (o *output) Send(rule planner.RuleID, p *vec.Projection, row int) (lost error) {
	for i := range o.actions[rule] {
		a := &o.actions[rule][i]
		err := error(nil)
		if a.header {
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
	m := o.encode(a.enc, p, row)
	if m.err != nil || !m.sent {
		return o.failed(rule, a, m.err)
	}
	place := ""
	switch {
	case a.place == nil:
	case a.enc.Single():
		place, err = a.place.EvalRow(p, row)
	default:
		place, err = a.place.Eval(p, []int32{int32(row)})
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
		if !a.enc.Single() {
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
	if a.header && len(rows) > 0 {
		o.buf = append(a.enc.Header(o.buf, p, int(rows[0])), '\n')
	}
	var sent bool
	var err error
	o.buf, sent, err = a.enc.AppendRows(o.buf, p, rows)
	if err != nil || !sent {
		return o.failed(rule, a, err)
	}
	place := ""
	if a.place != nil {
		if place, err = a.place.Eval(p, rows); err != nil {
			return o.failed(rule, a, err)
		}
	}
	return o.put(a, o.buf[n:len(o.buf):len(o.buf)], place)
}

// sendOne sends one row.
func (o *output) sendOne(rule planner.RuleID, a *action, p *vec.Projection, row int32) error {
	n := len(o.buf)
	if a.header {
		o.buf = append(a.enc.Header(o.buf, p, int(row)), '\n')
	}
	var sent bool
	var err error
	o.buf, sent, err = a.enc.AppendMessage(o.buf, p, int(row))
	if err != nil || !sent {
		return o.failed(rule, a, err)
	}
	place := ""
	if a.place != nil {
		if place, err = a.place.EvalRow(p, int(row)); err != nil {
			return o.failed(rule, a, err)
		}
	}
	return o.put(a, o.buf[n:len(o.buf):len(o.buf)], place)
}

// put adds a message to the outputs of the batch.
func (o *output) put(a *action, payload []byte, place string) error {
	if b := a.batch; b != nil {
		if b.Len() == 0 {
			b.at = len(o.waiting)
			o.waiting = append(o.waiting, b)
		}
		b.place = place
		if b.Add(a.enc, payload, o.now) {
			return o.send(b)
		}
		if d, ok := b.Deadline(); ok && (o.soonest == 0 || d < o.soonest) {
			o.soonest = d
		}
		return nil
	}
	o.enqueue(a.to, sinks.Message{Route: a.route, Target: place, Payload: payload, Rule: a.num})
	return nil
}

func (o *output) enqueue(to *outlet, m sinks.Message) {
	if len(to.msgs) == 0 {
		o.used = append(o.used, to)
	}
	to.msgs = append(to.msgs, m)
	if o.queued++; o.queued >= maxQueued || len(o.buf) >= maxBuf {
		o.flush()
	}
}

// send ends a collected batch. One that panics is lost.
func (o *output) send(b *batched) (lost error) {
	defer func() {
		if r := recover(); r != nil {
			o.brokeSending(b.rule, r)
			o.leaveOut(b)
		}
	}()
	n := len(o.buf)
	var sent bool
	var err error
	o.buf, sent, err = b.Flush(b.a.enc, o.buf)
	o.leaveOut(b)
	if err != nil || !sent {
		return o.failed(b.rule, b.a, err)
	}
	o.enqueue(b.a.to, sinks.Message{Route: b.a.route, Target: b.place, Payload: o.buf[n:len(o.buf):len(o.buf)], Rule: b.a.num})
	return nil
}

// sendNow is send outside of a run, in which the executor is told of errors.
func (o *output) sendNow(b *batched) {
	if err := o.send(b); err != nil {
		o.e.x.Failed(b.rule, err.Error())
	}
}

// leaveOut takes a batch from those that wait, if it is there.
func (o *output) leaveOut(b *batched) {
	last := len(o.waiting) - 1
	if b.at > last || o.waiting[b.at] != b {
		return
	}
	o.waiting[b.at] = o.waiting[last]
	o.waiting[b.at].at = b.at
	o.waiting[last] = nil
	o.waiting = o.waiting[:last]
}

// linger sends the collected batches whose time has come.
func (o *output) linger(now int64) {
	if o.soonest == 0 || now < o.soonest {
		return
	}
	o.soonest = 0
	for i := 0; i < len(o.waiting); {
		d, ok := o.waiting[i].Deadline()
		if ok && d <= now {
			o.sendNow(o.waiting[i]) // the last takes its place
			continue
		}
		if ok && (o.soonest == 0 || d < o.soonest) {
			o.soonest = d
		}
		i++
	}
}

// deadline returns when linger has something to look at; 0: not before more is
// collected. It is asked for after each batch, so it does not look at all that
// wait.
func (o *output) deadline() int64 { return o.soonest }

// finish sends everything that is still collected.
func (o *output) finish() {
	for len(o.waiting) > 0 {
		o.sendNow(o.waiting[0])
	}
	o.flush()
}

// failed counts a message that could not be made, or returns err for the rule to
// be charged with. A nil err says that it was not to be sent.
//
// What does not fit the message type of a sink is that sink's; the rest is the
// rule's.
func (o *output) failed(rule planner.RuleID, a *action, err error) error {
	if err == nil || a.enc.Format() != encode.Protobuf {
		return err
	}
	o.e.counters.Fail(a.num, loss.Encode, err)
	o.e.lost.Add(loss.Encode, 1)
	if o.wantsFaults(rule) {
		o.Fault(rule, err.Error())
	}
	return nil
}

// Fault sends the text of a fault to the sinks of a rule that asked for it.
func (o *output) Fault(rule planner.RuleID, text string) {
	for i := range o.actions[rule] {
		a := &o.actions[rule][i]
		if a.to != nil {
			o.enqueue(a.to, sinks.Message{Route: a.route, Payload: []byte(text), Rule: a.num})
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
			o.hold(to)
		}
	}
	o.used = o.used[:0]
	o.queued, o.memo = 0, [4]encoded{}
	if cap(o.buf) > 2*maxBuf {
		o.buf = nil
	}
	o.buf = o.buf[:0]
}

// hold pauses the feeds of a queue that is full.
func (o *output) hold(to *outlet) {
	o.e.mu.Lock()
	defer o.e.mu.Unlock()
	if to.paused {
		return
	}
	to.paused = true
	for f := range to.feeds {
		f.pause(1)
	}
}

// resume lets the feeds of queues go on that have room again.
func (o *output) resume() {
	o.e.mu.Lock()
	defer o.e.mu.Unlock()
	for _, to := range o.outlets {
		if to.paused && !to.queue.Full() {
			to.paused = false
			for f := range to.feeds {
				f.pause(-1)
			}
		}
	}
}

// drop forgets the outputs of a batch that failed.
func (o *output) drop() {
	for _, to := range o.used {
		to.msgs = to.msgs[:0]
	}
	o.used, o.buf, o.queued, o.memo = o.used[:0], o.buf[:0], 0, [4]encoded{}
}
