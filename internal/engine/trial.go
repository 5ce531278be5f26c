package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec/protobuf"
)

// What cannot run is refused when it is defined, and a change after which running
// rules could not go on is refused with their names: everything that can be known
// before something is opened is asked by the same functions that later open it.

// rowsUseLocked checks the source of a stream, or of a table that is kept in memory, and
// makes the options of its feed.
func (e *Engine) rowsUseLocked(s *stream, given map[string]any) (use source.Use, o ingest.Options, twins *twin.Options, err error) {
	e.mu.AssertRHeld()
	t, err := e.types.source(s.typ())
	if err != nil {
		return use, o, nil, err
	}
	use, err = t.Check(source.Def{Name: s.name, DataSource: s.def.Options.DataSource, Props: given, Fields: s.fields()})
	if err != nil {
		return use, o, nil, err
	}
	o, twins, err = e.feedOptionsLocked(s, given, use)
	return use, o, twins, err
}

// checkRunsLocked refuses a stream or table whose source cannot run as things are
// defined. The answer is kept until definitions change: thousands of rules ask.
func (e *Engine) checkRunsLocked(s *stream) error {
	e.mu.AssertRHeld()
	if s.good.Load() == e.mu.epoch+1 {
		return nil
	}
	if err := e.checkType(s); err != nil {
		return err
	}
	given, err := e.propsLocked(s)
	if err != nil {
		return err
	}
	if e.external(s) {
		_, _, err = e.lookupUse(s, given)
	} else {
		_, _, _, err = e.rowsUseLocked(s, given)
	}
	if err == nil {
		s.good.Store(e.mu.epoch + 1)
	}
	return err
}

// checkCreate refuses a definition that cannot run.
func (e *Engine) checkCreate(c *sql.Create) error {
	err := e.checkDefinition(c)
	if err == nil {
		s := &stream{name: c.Name, def: c}
		if s.message, err = e.messageOf(c); err != nil {
			return err
		}
		e.mu.RLock()
		err = e.checkRunsLocked(s)
		e.mu.RUnlock()
	}
	if err != nil {
		return ruledef.Errorf(ruledef.CodeStream, "%s %s cannot run: %w", kindOf(c.Table), c.Name, err)
	}
	return nil
}

// triedAtOnce is how many rules are bound for a trial while nobody else can do anything,
// the executor included.
const triedAtOnce = 64

// wouldStop makes a change of definitions, for as long as it takes to see which of
// the rules called ids, those of them that run or wait for their time, could not go
// on with it. change runs under e.mu, more than once, and returns what undoes it.
func (e *Engine) wouldStop(ids []string, change func() (undo func())) (out []string) {
	for some := range slices.Chunk(ids, triedAtOnce) {
		out = append(out, e.someWouldStop(some, change)...)
	}
	return out
}

func (e *Engine) someWouldStop(ids []string, change func() (undo func())) (out []string) {
	defs := make([]*ruledef.Def, len(ids))
	for i, id := range ids {
		defs[i], _ = e.stored(id) // nil: deleted meanwhile
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.epoch++
	undo := change()
	defer func() {
		undo()
		e.mu.epoch++
	}()
	for i, id := range ids {
		r := e.mu.rules[id]
		if defs[i] == nil || r == nil || !r.running && r.timing == nil {
			continue
		}
		if _, err := e.compileLocked(defs[i]); err != nil {
			out = append(out, fmt.Sprintf("rule %s: %s", id, strings.ReplaceAll(err.Error(), "\n", ", ")))
		}
	}
	return out
}

// startedLocked returns the ids of the rules that read one of streams and run, or
// wait for their time.
func (e *Engine) startedLocked(streams ...string) []string {
	e.mu.AssertRHeld()
	if !slices.ContainsFunc(streams, e.usedLocked) {
		return nil
	}
	var ids []string
	for id, r := range e.mu.rules {
		if (r.running || r.timing != nil) && slices.ContainsFunc(streams, r.uses) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// nobody is no rule: none may stop.
func nobody(string) bool { return false }

// checkReplace refuses c in the place of old if started rules could not go on with it;
// those do not count that may stop.
func (e *Engine) checkReplace(old *stream, c *sql.Create, msg *protobuf.Message, may func(id string) bool) error {
	e.mu.RLock()
	ids := slices.DeleteFunc(e.startedLocked(old.name), may)
	e.mu.RUnlock()
	stop := e.wouldStop(ids, func() func() {
		def, was := old.def, old.message
		old.def, old.message = c, msg
		return func() { old.def, old.message = def, was }
	})
	if len(stop) == 0 {
		return nil
	}
	return ruledef.Errorf(ruledef.CodeStream, "Replace %s fails: running rules could not go on (force=true replaces it, and they stop): %s", old.name, named(stop))
}

// checkSettings refuses settings with which started rules could not go on: those that
// read streams with them, and senders.
func (e *Engine) checkSettings(n confName, given map[string]any, senders []string, may func(id string) bool) error {
	e.mu.RLock()
	ids := e.startedLocked(e.confUsersLocked(n)...)
	e.mu.RUnlock()
	ids = append(ids, senders...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	stop := e.wouldStop(slices.DeleteFunc(ids, may), func() func() {
		old, had := e.mu.confs[n]
		e.mu.confs[n] = given
		return func() {
			if e.mu.confs[n] = old; !had {
				delete(e.mu.confs, n)
			}
		}
	})
	if len(stop) == 0 {
		return nil
	}
	return ruledef.Errorf(ruledef.CodeConfig, "settings %s: running rules could not go on: %s", n.id(), named(stop))
}

// manyNamed bounds the rules that an answer names.
const manyNamed = 20

// named writes a list as answers have it.
func named(list []string) string {
	if n := len(list) - manyNamed; n > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(list[:manyNamed], "; "), n)
	}
	return strings.Join(list, "; ")
}

// fewWaiting is how many rules that wait for something are tried at once by the
// call that may have brought it. More of them the patrol tries.
const fewWaiting = 32

// freed tries the rules that stopped by an error: what they miss may be there. The
// caller holds no lock.
func (e *Engine) freed() {
	ids := e.failed()
	if len(ids) > fewWaiting {
		signal(e.hurry)
		return
	}
	for _, id := range ids {
		e.retry(id)
	}
}

// failed lists the rules that stopped by an error and are to be tried again.
func (e *Engine) failed() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var ids []string
	for id, r := range e.mu.rules {
		if r.failed && !r.running && !r.broken {
			ids = append(ids, id)
		}
	}
	return ids
}

// patrol tries to start the rules that stopped by an error: from time to time, and
// when something was defined that they may miss, but then not for more than a part
// of the time.
func (e *Engine) patrol() {
	beat := time.NewTicker(e.opt.Patrol)
	defer beat.Stop()
	hurry := e.hurry
	var rest <-chan time.Time
	for {
		select {
		case <-beat.C:
		case <-hurry:
		case <-rest:
			hurry, rest = e.hurry, nil
			continue
		case <-e.ctx.Done():
			return
		}
		begin := time.Now()
		for _, id := range e.failed() {
			e.retry(id)
		}
		hurry, rest = nil, time.After(4*time.Since(begin))
	}
}
