package engine

import (
	"errors"
	"fmt"

	"github.com/weir-engine/weir/internal/engine/run"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

var errClosing = errors.New("the engine is closing")

// open acquires the queues of c, which may wait for a destination to close: who
// creates or starts a rule does not hold e.mu meanwhile, who binds rules anew does. Then
// c is installed, or shut.
func (e *Engine) open(c *compiled) {
	if c.rests = c.sched.rests(e.wall()); c.rests {
		return
	}
	for _, p := range c.parts {
		for i := range p.actions {
			ch := &p.actions[i]
			if ch.queue, c.err = e.queues.Acquire(ch.target); c.err != nil {
				return
			}
		}
	}
}

// shut gives back what open acquired.
func (e *Engine) shut(c *compiled) {
	for _, p := range c.parts {
		for i := range p.actions {
			if q := p.actions[i].queue; q != nil {
				e.queues.Release(q)
				p.actions[i].queue = nil
			}
		}
	}
}

// freshLocked returns c, whose queues are open, bound anew if definitions changed since it
// was checked. If that fails the queues are given back.
func (e *Engine) freshLocked(c *compiled) (*compiled, error) {
	e.mu.AssertHeld()
	if c.def == nil || c.epoch == e.mu.epoch && !e.missedLocked(c) {
		return c, nil
	}
	n, err := e.compileLocked(c.def)
	e.shut(c)
	if err != nil {
		return nil, err
	}
	e.open(n)
	return n, nil
}

// installLocked starts a compiled rule whose queues are open, and takes them.
func (e *Engine) installLocked(r *rule, c *compiled) error {
	e.mu.AssertHeld()
	c, err := e.freshLocked(c)
	if err != nil {
		return err
	}
	e.readsLocked(r, c)
	if c.rests {
		e.sleepLocked(r, c.sched)
		return nil
	}
	if err := e.placeLocked(c); err != nil {
		e.shut(c)
		return err
	}
	r.wantsFaults = c.sendError
	if r.wantsFaults {
		e.exec.WantBad(1)
	}
	r.running, r.failed, r.broken, r.pending, r.message = true, false, false, false, ""
	r.run++
	r.startMs = e.wall()
	e.setPartsLocked(r, len(c.parts))
	for i, p := range r.parts() {
		p.running, p.wantsFaults = true, r.wantsFaults
		e.enterPartLocked(p, &c.parts[i])
	}
	e.wakeLocked(r, c.sched)
	if e.overLocked(r) { // others still read what has ended
		over := []ruleRun{{r.id, r.run}}
		e.wg.Go(func() { e.finish(over) })
	}
	return nil
}

// missedLocked tells whether a rule was bound for an epoch that is over: others may have
// begun in it, and have seen rows since.
func (e *Engine) missedLocked(c *compiled) bool {
	e.mu.AssertRHeld()
	for i := range c.parts {
		if q := c.parts[i].query; q.Since > 0 && q.Since != e.nextEpochLocked(q.Streams[0]) {
			return true
		}
	}
	return false
}

// enterPartLocked starts a statement whose streams are there.
func (e *Engine) enterPartLocked(r *rule, c *part) {
	e.mu.AssertHeld()
	r.inputs = c.query.Streams
	streams := make([]*stream, len(r.inputs))
	for i, name := range r.inputs {
		streams[i] = e.mu.streams[name]
	}
	acts := e.attachLocked(r, c, streams)
	switch {
	case c.staged:
		e.useLocked(streams[0])
		e.touchLocked(streams[0])
	case c.query.Join != nil:
		e.enterJoinLocked(r, c.query, streams)
	default:
		e.enterRuleLocked(streams[0], r, c.query.Root, c.count)
	}
	e.editedLocked(run.Rule{ID: r.num, Actions: acts, Faults: r.wantsFaults, Forget: true})
	if c.window {
		e.exec.Nudge() // its windows begin now, not with the next message
	}
}

// enterRuleLocked adds a rule to the program of a stream.
func (e *Engine) enterRuleLocked(s *stream, r *rule, root *planner.Bound, count bool) {
	e.mu.AssertHeld()
	if s.builder == nil {
		s.builder = planner.NewBuilder()
	}
	s.builder.Add(r.num, root, count)
	e.useLocked(s)
	e.touchLocked(s)
}

// placeLocked starts the sources of the streams that c reads.
func (e *Engine) placeLocked(c *compiled) error {
	e.mu.AssertHeld()
	if e.mu.closing {
		return errClosing
	}
	var out []*stream
	fail := func(err error) error {
		for _, s := range out {
			e.leaveLocked(s)
		}
		return err
	}
	for _, name := range c.streams {
		s := e.mu.streams[name]
		if s == nil && c.inline[name] != nil {
			s = c.inline[name]
			s.num = e.streamNumLocked()
			e.mu.streams[name] = s
			out = append(out, s) // it goes if it is not used
		}
		switch {
		case s == nil || s.dropped:
			return fail(fmt.Errorf("fail to get stream %s, please check if stream is created", name))
		case c.err != nil:
			return fail(c.err)
		case s.feed == nil:
			if err := e.activateLocked(s); err != nil {
				s.err = loss.Text(err.Error())
				return fail(fmt.Errorf("stream %s: %w", s.name, err))
			}
			s.err = ""
		}
		out = append(out, s)
	}
	return nil
}

// attachLocked makes the actions of a rule on streams.
func (e *Engine) attachLocked(r *rule, c *part, streams []*stream) []run.Action {
	e.mu.AssertHeld()
	e.freeSinksLocked(r)
	acts := make([]run.Action, 0, len(c.actions))
	for i := range c.actions {
		ch := &c.actions[i]
		q := ch.queue
		ch.queue = nil // the rule's from here on
		num := e.sinkNumLocked(r)
		fed := !c.count || r.wantsFaults
		r.sinks = append(r.sinks, sinkInfo{typ: ch.typ, index: ch.index, node: ch.node, discards: ch.target.Discards, queue: q, num: num, fed: fed})
		if !fed {
			continue // nothing is ever sent
		}
		acts = append(acts, run.Action{
			Num: num, To: e.exec.Attach(q, feedsOf(streams)), Route: ch.target.Route,
			Encoder: ch.enc, Place: ch.place, Header: ch.target.WithHeader,
		})
	}
	return acts
}

// sinkNumLocked gives a sink of r the number of its counters.
func (e *Engine) sinkNumLocked(r *rule) uint32 {
	e.mu.AssertHeld()
	num := e.mu.numbers.sink(r)
	e.counters.Reset(num)
	e.counters.Own(num, e.ownerLocked(r))
	return num
}

// feedsOf returns the feeds of streams that are active.
func feedsOf(streams []*stream) []*run.Feed {
	var out []*run.Feed
	for _, s := range streams {
		if s.feed != nil {
			out = append(out, s.feed.exec)
		}
	}
	return out
}

// detachLocked takes the queues from a rule on streams and returns them: the executor
// may still put into them until it has seen that the rule is gone. The sinks stay,
// with what was counted for them, until the rule starts again or goes.
func (e *Engine) detachLocked(r *rule, streams []*stream) []*sinks.Queue {
	e.mu.AssertHeld()
	var out []*sinks.Queue
	for _, k := range r.sinks {
		out = append(out, k.queue)
		if k.fed {
			e.exec.Detach(k.queue, feedsOf(streams))
		}
	}
	return out
}

// freeSinksLocked forgets the sinks of a rule that does not run.
func (e *Engine) freeSinksLocked(r *rule) {
	e.mu.AssertHeld()
	for _, k := range r.sinks {
		e.mu.numbers.freeSink(k.num, k.queue)
	}
	r.sinks = nil
}

// uninstallLocked stops a running rule.
func (e *Engine) uninstallLocked(r *rule) {
	e.mu.AssertHeld()
	r.timing = nil
	if !r.running {
		return
	}
	if r.wantsFaults {
		e.exec.WantBad(-1)
	}
	r.stopMs = e.wall()
	for _, p := range r.parts() {
		p.running = false
		e.leavePartLocked(p)
	}
	for _, name := range r.streams {
		if s := e.mu.streams[name]; s != nil {
			e.leaveLocked(s)
		}
	}
}

// leavePartLocked stops a statement. Its streams stay as they are.
func (e *Engine) leavePartLocked(r *rule) {
	e.mu.AssertHeld()
	var streams []*stream
	for _, name := range r.inputs {
		s := e.mu.streams[name]
		if s == nil {
			continue
		}
		streams = append(streams, s)
		if s.builder != nil {
			s.builder.Remove(r.num)
			e.useLocked(s)
			e.touchLocked(s)
		}
	}
	e.leaveJoinLocked(r)
	e.editedLocked(run.Rule{ID: r.num, Release: e.detachLocked(r, streams)})
}

// leaveLocked stops the source of a stream that no rule reads.
func (e *Engine) leaveLocked(s *stream) {
	e.mu.AssertHeld()
	if s.pins > 0 || s.builder != nil && s.builder.Len() > 0 || e.mu.streams[s.name] != s {
		return
	}
	s.builder = nil
	e.deactivateLocked(s)
	if s.inline {
		e.discardLocked(s)
	}
}

// discardLocked forgets a stream that has no source any more.
func (e *Engine) discardLocked(s *stream) {
	e.mu.AssertHeld()
	delete(e.mu.streams, s.name)
	e.mu.numbers.freeStream(s.num, s.last)
	s.builder = nil
	e.touchLocked(s)
}

// startLoaded enters the rules of the store and starts those that are to run,
// all before the executor sees the first: a file is read once, and a broker may
// deliver at once what it kept for us.
func (e *Engine) startLoaded() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var bad int
	err := e.catalog.Each(kindRule, func(id string, data []byte) error {
		if !e.startStoredLocked(id, data) {
			bad++
		}
		return nil
	})
	if err != nil {
		e.log.Error("rules cannot be read", "err", err)
	}
	if bad > 0 {
		e.log.Warn("some stored rules were refused", "count", bad)
	}
}

// startStoredLocked enters one rule of the store; it tells whether its text is good.
func (e *Engine) startStoredLocked(id string, data []byte) bool {
	def, err := ruledef.ParseFor(id, append([]byte(nil), data...), e.opt.Rules)
	if err != nil {
		e.log.Error("stored rule is refused", "rule", id, "err", err)
		return false
	}
	c, err := e.compileLocked(def)
	if err != nil {
		r := e.enterLocked(def, &compiled{})
		r.failed, r.message = def.Triggered, loss.Text(err.Error())
		return true
	}
	r := e.enterLocked(def, c)
	if !def.Triggered {
		r.message = "canceled manually"
		return true
	}
	e.open(c)
	e.noteLocked(r, e.installLocked(r, c))
	return true
}

// noteLocked keeps in a rule why it could not be started, if it could not.
func (e *Engine) noteLocked(r *rule, err error) {
	e.mu.AssertHeld()
	if err != nil {
		r.failed, r.message = true, loss.Text(err.Error())
	}
}
