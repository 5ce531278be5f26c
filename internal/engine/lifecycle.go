package engine

import (
	"fmt"
	"slices"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/engine/run"
	"github.com/weir-engine/weir/planner/ruledef"
)

// stopped is the message of a rule that a client stopped.
const stopped = "canceled manually"

// CreateRule adds a rule, durably, and starts it.
func (e *Engine) CreateRule(def *ruledef.Def) error {
	defer e.ruleLocks.lock(def.ID)()
	return e.create(def)
}

// create is CreateRule for a caller that holds the lock of the rule.
func (e *Engine) create(d *ruledef.Def) error {
	r, c, err := e.reserve(d)
	if err != nil {
		return err
	}
	if d.Triggered {
		if err := e.ready(c); err != nil {
			e.forget(r)
			return ruledef.Errorf(ruledef.CodeExecutor, "%w", err)
		}
	}
	if !d.Temp {
		if err := e.catalog.Put(kindRule, d.ID, d.Raw); err != nil {
			e.forget(r)
			return ruledef.Errorf(ruledef.CodeIO, "store rule %s: %w", d.ID, err)
		}
	}
	if d.Triggered {
		e.open(c)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !d.Triggered {
		r.message = stopped
		return nil
	}
	e.noteLocked(r, e.installLocked(r, c))
	return nil
}

// ready tells whether the sources that c would start find what they read.
func (e *Engine) ready(c *compiled) error {
	asks := map[string]func() error{}
	e.mu.RLock()
	for _, name := range c.streams {
		s := e.mu.streams[name]
		if s == nil {
			s = c.inline[name]
		}
		if s == nil || s.feed != nil || e.external(s) {
			continue
		}
		given, err := e.propsLocked(s)
		if err != nil {
			continue // its start says so
		}
		if use, _, _, err := e.rowsUseLocked(s, given); err == nil && use.Ready != nil {
			asks[name] = use.Ready
		}
	}
	e.mu.RUnlock()
	for name, ask := range asks {
		if err := ask(); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return nil
}

// reserve checks a rule and takes its id.
func (e *Engine) reserve(d *ruledef.Def) (*rule, *compiled, error) {
	e.mu.RLock()
	taken := e.mu.rules[d.ID] != nil
	var c *compiled
	var err error
	if !taken {
		c, err = e.compileLocked(d)
	}
	if err == nil && c != nil && d.Triggered {
		err = e.claimLocked(c)
	}
	e.mu.RUnlock()
	switch {
	case taken:
		return nil, nil, ruledef.ErrExists
	case err != nil:
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range c.streams {
		if _, ok := (catalog{e, c.inline}).Source(name); !ok {
			return nil, nil, ruledef.Errorf(ruledef.CodePlan, "fail to get stream %s, please check if stream is created", name)
		}
	}
	return e.enterLocked(d, c), c, nil
}

// enterLocked makes the rule of a definition.
func (e *Engine) enterLocked(d *ruledef.Def, c *compiled) *rule {
	e.mu.AssertHeld()
	r := &rule{id: d.ID, name: d.Name, version: d.Version, tags: d.Tags, temp: d.Temp}
	e.readsLocked(r, c)
	if d.Temp {
		r.text = d.Raw
	}
	e.mu.numbers.rule(r)
	e.mu.rules[d.ID] = r
	return r
}

// freeRuleLocked takes the number of a rule that does not run, or of a part of one, back.
func (e *Engine) freeRuleLocked(r *rule) {
	e.mu.AssertHeld()
	e.freeSinksLocked(r)
	e.mu.numbers.freeRule(r)
	e.editedLocked(run.Rule{ID: r.num, Forget: true})
}

// setPartsLocked gives a rule that does not run as many parts as it is to have.
func (e *Engine) setPartsLocked(r *rule, n int) {
	e.mu.AssertHeld()
	for len(r.more) > n-1 {
		last := len(r.more) - 1
		e.freeRuleLocked(r.more[last])
		r.more = r.more[:last]
	}
	for len(r.more) < n-1 {
		p := &rule{id: r.id}
		e.mu.numbers.rule(p)
		r.more = append(r.more, p)
	}
}

// forget removes a rule that does not run.
func (e *Engine) forget(r *rule) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.removeLocked(r)
}

func (e *Engine) removeLocked(r *rule) {
	e.mu.AssertHeld()
	delete(e.mu.rules, r.id)
	e.readsLocked(r, &compiled{})
	e.setPartsLocked(r, 1)
	e.freeRuleLocked(r)
}

// usedLocked tells whether a rule, running or not, reads the stream called name.
func (e *Engine) usedLocked(name string) bool {
	e.mu.AssertRHeld()
	return e.mu.users[name] > 0
}

// readsLocked notes what a rule reads and sends.
func (e *Engine) readsLocked(r *rule, c *compiled) {
	e.mu.AssertHeld()
	for _, name := range c.streams {
		e.mu.users[name]++
	}
	for _, name := range r.streams {
		if e.mu.users[name]--; e.mu.users[name] == 0 {
			delete(e.mu.users, name)
		}
	}
	r.streams, r.types = c.streams, c.types
}

// ReplaceRule puts def in the place of the rule with its id, or creates it.
func (e *Engine) ReplaceRule(def *ruledef.Def) (api.State, error) {
	defer e.ruleLocks.lock(def.ID)()
	e.mu.RLock()
	old := e.mu.rules[def.ID]
	var version string
	var c *compiled
	var err error
	if old != nil {
		version = old.version
		c, err = e.compileLocked(def)
	}
	e.mu.RUnlock()
	switch {
	case old == nil:
		return api.NoState, e.create(def)
	case err != nil:
		return api.NoState, err
	}
	if err := ruledef.CheckVersion(def.ID, version, def.Version); err != nil {
		return api.NoState, err
	}
	if err := e.restore(old, def); err != nil {
		return api.NoState, ruledef.Errorf(ruledef.CodeIO, "store rule %s: %w", def.ID, err)
	}
	if def.Triggered {
		e.open(c)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	state := e.exchangeLocked(old, def, c)
	if state != api.NoState {
		e.log.Info("rule is replaced", "rule", def.ID, "state", state.String())
	}
	return state, nil
}

// restore stores the text of def in the place of old's.
func (e *Engine) restore(old *rule, def *ruledef.Def) error {
	if !def.Temp {
		return e.catalog.Put(kindRule, def.ID, def.Raw)
	}
	e.mu.RLock()
	was := old.temp
	e.mu.RUnlock()
	if was {
		return nil
	}
	return e.catalog.Delete(kindRule, def.ID)
}

// exchangeLocked makes r the rule of def.
func (e *Engine) exchangeLocked(r *rule, def *ruledef.Def, c *compiled) (state api.State) {
	e.mu.AssertHeld()
	// The streams of the old rule stay connected: the new one may read them, and
	// must not miss a message.
	pinned := r.streams
	for _, name := range pinned {
		if s := e.mu.streams[name]; s != nil {
			s.pins++
			defer func() {
				s.pins--
				e.leaveLocked(s)
			}()
		}
	}
	var err error
	if def.Triggered {
		var n *compiled
		if n, err = e.freshLocked(c); err == nil {
			c, state = n, e.stateLocked(r, n)
		}
	}
	for _, p := range r.parts() {
		for _, name := range p.inputs { // what a table keeps is not the rule's own
			if s := e.mu.streams[name]; s != nil && s.builder != nil && (state == api.StateKept || p.join != nil) {
				defer s.builder.Replacing(p.num)()
			}
		}
	}
	e.uninstallLocked(r)
	r.name, r.version, r.tags, r.temp = def.Name, def.Version, def.Tags, def.Temp
	e.readsLocked(r, c)
	r.text, r.failed, r.pending, r.broke, r.broken = nil, false, false, false, false
	if def.Temp {
		r.text = def.Raw
	}
	if !def.Triggered {
		r.message = stopped
		return state
	}
	if err == nil {
		err = e.installLocked(r, c)
	}
	e.noteLocked(r, err)
	return state
}

// stateLocked tells what becomes of what r remembers when c comes in its place: all is
// kept, or it begins anew. Nothing is kept in part, which would send what neither the
// old rule nor the new one ever would.
func (e *Engine) stateLocked(r *rule, c *compiled) api.State {
	e.mu.AssertHeld()
	if !e.remembersLocked(r) {
		return api.NoState
	}
	if c.rests || c.err != nil || len(c.parts) != 1+len(r.more) {
		return api.StateAnew
	}
	for i, p := range r.parts() {
		q := c.parts[i].query
		if p.join != nil || q.Join != nil || !slices.Equal(p.inputs, q.Streams) {
			return api.StateAnew
		}
		if s := e.mu.streams[q.Streams[0]]; s == nil || s.builder == nil || !s.builder.Keeps(p.num, q.Root) {
			return api.StateAnew
		}
	}
	return api.StateKept
}

// remembersLocked tells whether what r sends depends on more than the last message.
func (e *Engine) remembersLocked(r *rule) bool {
	e.mu.AssertHeld()
	if !r.running {
		return false
	}
	for _, p := range r.parts() {
		if p.join != nil && p.join.builder.Remembers(p.num) {
			return true
		}
		if s := e.mu.streams[p.inputs[0]]; p.join == nil && s != nil && s.builder != nil && s.builder.Remembers(p.num) {
			return true
		}
	}
	return false
}

// DeleteRule stops and removes a rule. What waits of it is delivered.
func (e *Engine) DeleteRule(id string) error {
	defer e.ruleLocks.lock(id)()
	_, err := e.remove(id, false)
	return err
}

// remove is DeleteRule for a caller that holds the rule's lock. With drop, or if
// something waits of the rule, the next one of its name is another owner.
func (e *Engine) remove(id string, drop bool) (owner string, err error) {
	e.mu.Lock()
	r := e.mu.rules[id]
	if r == nil {
		e.mu.Unlock()
		return "", ruledef.ErrNotFound
	}
	owner = *e.ownerLocked(r)
	e.mu.Unlock()
	if drop || e.maybeWaits(r) {
		if err := e.bury(id, drop); err != nil {
			return "", err
		}
	}
	e.mu.Lock()
	e.uninstallLocked(r)
	e.removeLocked(r)
	temp := r.temp
	e.mu.Unlock()
	if temp {
		return owner, nil
	}
	if err := e.catalog.Delete(kindRule, id); err != nil {
		return owner, ruledef.Errorf(ruledef.CodeIO, "delete rule %s: %w", id, err)
	}
	return owner, nil
}

// stop stops a rule; it tells whether there is one. The caller holds the rule's
// lock.
func (e *Engine) stop(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.mu.rules[id]
	if r == nil {
		return false
	}
	e.uninstallLocked(r)
	r.failed, r.pending, r.broke, r.broken, r.message = false, false, false, false, stopped
	return true
}

// start compiles a rule's stored text and starts it. The caller holds the rule's
// lock.
func (e *Engine) start(id string) error {
	def, err := e.stored(id)
	if err != nil {
		return err
	}
	e.mu.RLock()
	r := e.mu.rules[id]
	running := r.running
	var c *compiled
	if !running {
		c, err = e.compileLocked(def)
	}
	e.mu.RUnlock()
	if running || err != nil {
		return err
	}
	e.open(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.installLocked(r, c)
}

// retry starts a rule that stopped by an error, or notes in it why it does not
// run.
func (e *Engine) retry(id string) {
	defer e.ruleLocks.lock(id)()
	e.mu.RLock()
	r := e.mu.rules[id]
	again := r != nil && r.failed && !r.running
	e.mu.RUnlock()
	if !again {
		return
	}
	err := e.start(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noteLocked(r, err)
}

// StartRule starts a rule and stores that it runs.
func (e *Engine) StartRule(id string) error {
	defer e.ruleLocks.lock(id)()
	if err := e.start(id); err != nil {
		return err
	}
	return e.setTriggered(id, true)
}

// StopRule stops a rule and stores that it does not run.
func (e *Engine) StopRule(id string) error {
	defer e.ruleLocks.lock(id)()
	if !e.stop(id) {
		return ruledef.ErrNotFound
	}
	return e.setTriggered(id, false)
}

// stayConnected keeps the streams of a rule subscribed on their connections until what
// it returns is called: what comes meanwhile must not be lost to a rule that goes on.
// Sources of a stream's own are let go, as one that has an end begins anew.
func (e *Engine) stayConnected(id string) (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var pinned []*stream
	if r := e.mu.rules[id]; r != nil {
		for _, name := range r.streams {
			s := e.mu.streams[name]
			if s == nil {
				continue
			}
			if _, shared := s.source.(attached); shared {
				s.pins++
				pinned = append(pinned, s)
			}
		}
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, s := range pinned {
			s.pins--
			e.leaveLocked(s)
		}
	}
}

// RestartRule stops and starts a rule; its windows begin anew.
func (e *Engine) RestartRule(id string) error {
	defer e.ruleLocks.lock(id)()
	defer e.stayConnected(id)()
	if !e.stop(id) {
		return ruledef.ErrNotFound
	}
	e.exec.Sync() // the executor has let it go
	if err := e.start(id); err != nil {
		return err
	}
	return e.setTriggered(id, true)
}
