package run

import (
	"fmt"
	"runtime/debug"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
)

// batched is the state of an action that collects messages.
type batched struct {
	encode.Batcher
	rule  planner.RuleID
	a     *action
	place string
	head  string // the line of columns that the batch begins with, for a file
	at    int    // in output.waiting
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
	o.buf, sent, err = b.Flush(b.a.Encoder, o.buf)
	o.leaveOut(b)
	if err != nil || !sent {
		return o.failed(b.rule, b.a, err)
	}
	o.enqueue(b.a.To, sinks.Message{Route: b.a.Route, Target: b.place, Payload: o.buf[n:len(o.buf):len(o.buf)], Rule: b.a.Num})
	return nil
}

// sendNow is send outside of a run, in which the executor is told of errors.
func (o *output) sendNow(b *batched) {
	if err := o.send(b); err != nil {
		o.x.Failed(b.rule, err.Error())
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

// jump moves the times of the collected batches, as the clock was set by so many ms.
func (o *output) jump(by int64) {
	if o.soonest > 0 {
		o.soonest += by
	}
	for _, b := range o.waiting {
		b.Jump(by)
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

// brokeSending notes that making a message of a rule panicked.
func (o *output) brokeSending(rule planner.RuleID, r any) {
	text := fmt.Sprintf("stopped by a fault of weir: %v", r)
	o.broken = append(o.broken, exec.Breakdown{Rules: []planner.RuleID{rule}, Text: text, Stack: debug.Stack()})
}
