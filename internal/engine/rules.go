package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
)

// rule is what is kept of a rule in memory. Its text lives in the store.
type rule struct {
	id, name, version string
	tags              []string
	temp              bool
	text              []byte // of a temp rule, which is not in the store
	num               planner.RuleID
	streams           []string // inputs
	running           bool
	failed            bool   // stopped by an error
	message           string // why it does not run
	startMs, stopMs   int64
	sinks             []sinkInfo
	outlets           []*outlet
	wantsFaults       bool
}

// sinkInfo names a sink of a rule in its status.
type sinkInfo struct {
	typ   string
	index int
	queue *sinks.Queue
}

func (r *rule) runs() bool            { return r.running }
func (r *rule) uses(name string) bool { return slices.Contains(r.streams, name) }

// compiled is a rule that was checked against the definitions as they are.
type compiled struct {
	def     *planner.RuleDef
	query   *planner.Query
	actions []checked
	count   bool // nobody reads its rows
	columns []string
}

// checked is an action whose properties are good.
type checked struct {
	typ    string
	index  int
	target sinks.Target
	enc    *encode.Encoder
	place  *encode.Template
}

// compile checks everything about a rule that can be checked before it runs. The
// caller holds e.mu for reading.
func (e *Engine) compile(def *planner.RuleDef, num planner.RuleID) (*compiled, error) {
	if def.Graph != nil {
		return nil, planner.Errorf(planner.CodeRule, "rule %s: graph rules are not supported yet", def.ID)
	}
	if def.Options.Cron != "" || def.Options.Duration > 0 || len(def.Options.CronDatetimeRanges) > 0 {
		return nil, planner.Errorf(planner.CodeRule, "rule %s: schedules (cron, duration) are not supported yet", def.ID)
	}
	st, err := sql.Parse(def.SQL)
	if err != nil {
		return nil, planner.Errorf(planner.CodeParser, "%w", err)
	}
	sel, ok := st.(*sql.Select)
	if !ok {
		return nil, planner.Errorf(planner.CodeParser, "SQL %s is not a select statement.", def.SQL)
	}
	o := &def.Options
	q, err := planner.Bind(e.env(), num, def.ID, sel, planner.Settings{
		EventTime: o.IsEventTime, LateMs: o.LateTolerance.Milliseconds(), SendMeta: o.SendMetaToSink, SendNil: o.SendNilField,
		RuleStartMs: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, planner.Errorf(planner.CodePlan, "%w", err)
	}
	c := &compiled{def: def, query: q, count: true}
	for _, a := range def.Actions {
		ch, err := e.checkAction(a)
		if err != nil {
			return nil, planner.Errorf(planner.CodeExecutor, "%w", err)
		}
		c.count = c.count && a.Type == "nop" && a.Props["log"] != true
		c.actions = append(c.actions, ch)
	}
	return c, nil
}

// checkAction checks one sink of a rule.
func (e *Engine) checkAction(a planner.Action) (checked, error) {
	props, err := e.sinkProps(a)
	if err != nil {
		return checked{}, err
	}
	t, err := e.registry.Open(a.Type, props)
	if err != nil {
		return checked{}, err
	}
	ch := checked{typ: a.Type, index: a.Index, target: t}
	if a.Type == "file" && props["compression"] != nil {
		props = maps.Clone(props)
		delete(props, "compression") // the file as a whole is compressed, by the sink
	}
	if ch.enc, err = e.encoders.Get(props, encode.In(e.opt.Location)); err != nil {
		return ch, fmt.Errorf("sink %s: %w", a.Type, err)
	}
	if t.Dynamic != "" {
		if ch.place, _, err = encode.CompileDynamic(t.Dynamic, encode.In(e.opt.Location)); err != nil {
			return ch, fmt.Errorf("sink %s: %w", a.Type, err)
		}
	}
	return ch, nil
}

// CreateRule adds a rule, durably, and starts it.
func (e *Engine) CreateRule(def *planner.RuleDef) error {
	return e.CreateRules([]*planner.RuleDef{def})[0]
}

// CreateRules adds rules with one commit.
func (e *Engine) CreateRules(defs []*planner.RuleDef) []error {
	errs := make([]error, len(defs))
	rules := make([]*rule, len(defs))
	comp := make([]*compiled, len(defs))
	var items []store.Item
	for i, d := range defs {
		if d == nil {
			continue
		}
		rules[i], comp[i], errs[i] = e.reserve(d)
		if errs[i] == nil && !d.Temp {
			items = append(items, store.Item{Kind: kindRule, ID: d.ID, Data: d.Raw})
		}
	}
	if len(items) > 0 {
		if err := e.catalog.PutAll(items); err != nil {
			for i, d := range defs {
				if d != nil && errs[i] == nil && !d.Temp {
					e.forget(rules[i])
					errs[i] = planner.Errorf(planner.CodeIO, "store rule %s: %w", d.ID, err)
				}
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, d := range defs {
		if d == nil || errs[i] != nil {
			continue
		}
		if !d.Triggered {
			rules[i].message = "canceled manually"
			continue
		}
		if err := e.install(rules[i], comp[i]); err != nil {
			rules[i].failed, rules[i].message = true, err.Error()
		}
	}
	return errs
}

// reserve checks a rule and takes its id.
func (e *Engine) reserve(d *planner.RuleDef) (*rule, *compiled, error) {
	e.mu.RLock()
	taken := e.rules[d.ID] != nil
	var c *compiled
	var err error
	if !taken {
		c, err = e.compile(d, 0)
	}
	e.mu.RUnlock()
	switch {
	case taken:
		return nil, nil, planner.ErrExists
	case err != nil:
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rules[d.ID] != nil {
		return nil, nil, planner.ErrExists
	}
	for _, name := range c.query.Streams {
		if e.streams[name] == nil {
			return nil, nil, planner.Errorf(planner.CodePlan, "fail to get stream %s, please check if stream is created", name)
		}
	}
	return e.enter(d, c.query.Streams), c, nil
}

// enter makes the rule of a definition. The caller holds e.mu.
func (e *Engine) enter(d *planner.RuleDef, streams []string) *rule {
	r := &rule{id: d.ID, name: d.Name, version: d.Version, tags: d.Tags, temp: d.Temp, streams: streams}
	if d.Temp {
		r.text = d.Raw
	}
	if n := len(e.freeNum); n > 0 {
		r.num = e.freeNum[n-1]
		e.freeNum = e.freeNum[:n-1]
		e.byNum[r.num] = r
	} else {
		r.num = planner.RuleID(len(e.byNum))
		e.byNum = append(e.byNum, r)
	}
	e.rules[d.ID] = r
	for _, name := range streams {
		if s := e.streams[name]; s != nil {
			s.users++
		}
	}
	return r
}

// forget removes a rule that does not run.
func (e *Engine) forget(r *rule) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(r)
}

func (e *Engine) remove(r *rule) {
	delete(e.rules, r.id)
	e.byNum[r.num] = nil
	e.freeNum = append(e.freeNum, r.num)
	for _, name := range r.streams {
		if s := e.streams[name]; s != nil {
			s.users--
		}
	}
}

// install starts a compiled rule. The caller holds e.mu.
func (e *Engine) install(r *rule, c *compiled) error {
	s := e.streams[c.query.Streams[0]]
	if s == nil {
		return fmt.Errorf("fail to get stream %s, please check if stream is created", c.query.Streams[0])
	}
	if s.feed == nil {
		if err := e.activate(s); err != nil {
			s.err = err.Error()
			return fmt.Errorf("stream %s: %w", s.name, err)
		}
		s.err = ""
	}
	acts, err := e.acquire(r, c, s)
	if err != nil {
		e.releaseSinks(r, s)
		return err
	}
	if s.builder == nil {
		s.builder = planner.NewBuilder()
	}
	s.builder.Add(r.num, c.query.Root, c.count)
	e.use(s)
	e.touch(s)
	r.wantsFaults = c.def.Options.SendError
	e.edited(edit{rule: r.num, actions: acts, faults: r.wantsFaults, forget: true})
	r.running, r.failed, r.message = true, false, ""
	r.startMs = time.Now().UnixMilli()
	if c.query.Root.Window != nil {
		signal(e.nudge) // its windows begin now, not with the next message
	}
	return nil
}

// acquire opens the sinks of a rule.
func (e *Engine) acquire(r *rule, c *compiled, s *stream) ([]action, error) {
	acts := make([]action, 0, len(c.actions))
	for _, ch := range c.actions {
		q, err := e.queues.Acquire(ch.target)
		if err != nil {
			return nil, err
		}
		r.sinks = append(r.sinks, sinkInfo{ch.typ, ch.index, q})
		if c.count {
			continue // nothing is ever sent
		}
		to := e.outlet(q)
		if to.feeds[s.feed]++; to.feeds[s.feed] == 1 && to.paused {
			s.feed.pause(1)
		}
		a := action{to: to, route: ch.target.Route, enc: ch.enc, place: ch.place, header: ch.target.WithHeader}
		if ch.enc.Batching() {
			a.batch = &batched{rule: r.num}
		}
		acts = append(acts, a)
	}
	for i := range acts {
		if b := acts[i].batch; b != nil {
			b.a = &acts[i]
		}
	}
	return acts, nil
}

// outlet returns the executor's view of a queue. The caller holds e.mu.
func (e *Engine) outlet(q *sinks.Queue) *outlet {
	to := e.out.outlets[q]
	if to == nil {
		to = &outlet{queue: q, feeds: map[*feed]int{}}
		e.out.outlets[q] = to
	}
	return to
}

// releaseSinks gives the sinks of a rule back.
func (e *Engine) releaseSinks(r *rule, s *stream) {
	for _, k := range r.sinks {
		if to := e.out.outlets[k.queue]; to != nil && s != nil && s.feed != nil {
			if to.feeds[s.feed]--; to.feeds[s.feed] <= 0 {
				delete(to.feeds, s.feed)
				if to.paused {
					s.feed.pause(-1)
				}
			}
			if len(to.feeds) == 0 {
				delete(e.out.outlets, k.queue)
			}
		}
		e.queues.Release(k.queue)
	}
	r.sinks = nil
}

// uninstall stops a running rule. The caller holds e.mu.
func (e *Engine) uninstall(r *rule) {
	if !r.running {
		return
	}
	r.running = false
	r.stopMs = time.Now().UnixMilli()
	s := e.streams[r.streams[0]]
	if s != nil && s.builder != nil {
		s.builder.Remove(r.num)
		e.use(s)
		e.touch(s)
	}
	e.edited(edit{rule: r.num})
	e.releaseSinks(r, s)
	if s != nil {
		e.leave(s)
	}
}

// leave stops the source of a stream that no rule reads. The caller holds e.mu.
func (e *Engine) leave(s *stream) {
	if s.pins == 0 && s.builder != nil && s.builder.Len() == 0 {
		s.builder = nil
		e.deactivate(s)
	}
}

// ReplaceRule puts def in the place of the rule with its id, or creates it.
func (e *Engine) ReplaceRule(def *planner.RuleDef) error {
	e.mu.RLock()
	old := e.rules[def.ID]
	var c *compiled
	var err error
	if old != nil {
		c, err = e.compile(def, 0)
	}
	e.mu.RUnlock()
	switch {
	case old == nil:
		return e.CreateRule(def)
	case err != nil:
		return err
	case (old.version != "" || def.Version != "") && def.Version <= old.version:
		return planner.Errorf(planner.CodeUndefined, "rule %s already exists with version (%s), new version (%s) is lower", def.ID, old.version, def.Version)
	}
	if !def.Temp {
		if err := e.catalog.Put(kindRule, def.ID, def.Raw); err != nil {
			return planner.Errorf(planner.CodeIO, "store rule %s: %w", def.ID, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old = e.rules[def.ID]; old == nil {
		return planner.ErrNotFound
	}
	// The streams of the old rule stay connected: the new one may read them, and
	// must not miss a message.
	pinned := old.streams
	for _, name := range pinned {
		if s := e.streams[name]; s != nil {
			s.pins++
		}
	}
	defer func() {
		for _, name := range pinned {
			if s := e.streams[name]; s != nil {
				s.pins--
				e.leave(s)
			}
		}
	}()
	e.uninstall(old)
	for _, name := range old.streams {
		if s := e.streams[name]; s != nil {
			s.users--
		}
	}
	for _, name := range c.query.Streams {
		if s := e.streams[name]; s != nil {
			s.users++
		}
	}
	old.name, old.version, old.tags, old.temp, old.streams = def.Name, def.Version, def.Tags, def.Temp, c.query.Streams
	old.text = nil
	if def.Temp {
		old.text = def.Raw
	}
	if !def.Triggered {
		old.message = "canceled manually"
		return nil
	}
	if err := e.install(old, c); err != nil {
		old.failed, old.message = true, err.Error()
	}
	return nil
}

// DeleteRule stops and removes a rule.
func (e *Engine) DeleteRule(id string) error {
	e.mu.Lock()
	r := e.rules[id]
	if r == nil {
		e.mu.Unlock()
		return planner.ErrNotFound
	}
	e.uninstall(r)
	e.remove(r)
	e.mu.Unlock()
	if r.temp {
		return nil
	}
	if err := e.catalog.Delete(kindRule, id); err != nil {
		return planner.Errorf(planner.CodeIO, "delete rule %s: %w", id, err)
	}
	return nil
}

// stop stops a rule; message says why, empty: because a client asked.
func (e *Engine) stop(id, message string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[id]
	if r == nil {
		return
	}
	e.uninstall(r)
	r.failed, r.message = message != "", or(message, "canceled manually")
}

// start compiles a rule's stored text and starts it.
func (e *Engine) start(id string) error {
	def, err := e.stored(id)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[id]
	if r == nil {
		return planner.ErrNotFound
	}
	if r.running {
		return nil
	}
	c, err := e.compile(def, r.num)
	if err != nil {
		return err
	}
	return e.install(r, c)
}

// startOrNote starts a rule, or notes in it why it does not run.
func (e *Engine) startOrNote(id string) {
	if err := e.start(id); err != nil {
		e.mu.Lock()
		if r := e.rules[id]; r != nil {
			r.failed, r.message = true, err.Error()
		}
		e.mu.Unlock()
	}
}

// stored returns the definition of a rule.
func (e *Engine) stored(id string) (*planner.RuleDef, error) {
	text, err := e.RuleText(id)
	if err != nil {
		return nil, err
	}
	return planner.ParseRuleFor(id, text, e.opt.Rules)
}

// RuleText returns the text of a rule as it was submitted.
func (e *Engine) RuleText(id string) ([]byte, error) {
	e.mu.RLock()
	r := e.rules[id]
	e.mu.RUnlock()
	if r == nil {
		return nil, planner.ErrNotFound
	}
	if r.temp {
		return r.text, nil
	}
	text, err := e.catalog.Get(kindRule, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, planner.ErrNotFound
	}
	return text, err
}

// StartRule starts a rule and stores that it runs.
func (e *Engine) StartRule(id string) error {
	if err := e.start(id); err != nil {
		return err
	}
	return e.setTriggered(id, true)
}

// StopRule stops a rule and stores that it does not run.
func (e *Engine) StopRule(id string) error {
	e.mu.RLock()
	known := e.rules[id] != nil
	e.mu.RUnlock()
	if !known {
		return planner.ErrNotFound
	}
	e.stop(id, "")
	return e.setTriggered(id, false)
}

// RestartRule stops and starts a rule; its windows begin anew.
func (e *Engine) RestartRule(id string) error {
	e.mu.RLock()
	known := e.rules[id] != nil
	e.mu.RUnlock()
	if !known {
		return planner.ErrNotFound
	}
	e.stop(id, "")
	e.call(func() {}) // the executor has let it go
	if err := e.start(id); err != nil {
		return err
	}
	return e.setTriggered(id, true)
}

// setTriggered stores whether a rule is to run; other parts of its text stay.
func (e *Engine) setTriggered(id string, on bool) error {
	return e.rewrite(id, func(m map[string]json.RawMessage) bool {
		was := string(m["triggered"]) != "false"
		if was == on {
			return false
		}
		m["triggered"] = json.RawMessage(fmt.Sprint(on))
		return true
	})
}

// rewrite changes the stored text of a rule.
func (e *Engine) rewrite(id string, change func(m map[string]json.RawMessage) bool) error {
	text, err := e.RuleText(id)
	if err != nil {
		return err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return planner.Errorf(planner.CodeIO, "stored rule %s: %w", id, err)
	}
	if !change(m) {
		return nil
	}
	out, err := json.Marshal(m)
	if err != nil {
		return err
	}
	e.mu.Lock()
	r := e.rules[id]
	if r != nil && r.temp {
		r.text = out
	}
	e.mu.Unlock()
	if r == nil || r.temp {
		return nil
	}
	return e.catalog.Put(kindRule, id, out)
}

// EditTags replaces the tags of a rule.
func (e *Engine) EditTags(id string, edit func([]string) []string) error {
	e.mu.RLock()
	r := e.rules[id]
	e.mu.RUnlock()
	if r == nil {
		return planner.ErrNotFound
	}
	var tags []string
	err := e.rewrite(id, func(m map[string]json.RawMessage) bool {
		tags = edit(slices.Clone(r.tags))
		b, err := json.Marshal(tags)
		if err != nil {
			return false
		}
		m["tags"] = b
		return true
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	r.tags = tags
	e.mu.Unlock()
	return nil
}

// startLoaded enters the rules of the store and starts those that are to run.
func (e *Engine) startLoaded() {
	var bad int
	err := e.catalog.Each(kindRule, func(id string, data []byte) error {
		def, err := planner.ParseRuleFor(id, slices.Clone(data), e.opt.Rules)
		if err != nil {
			bad++
			e.log.Error("stored rule is refused", "rule", id, "err", err)
			return nil
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		c, err := e.compile(def, 0)
		if err != nil {
			r := e.enter(def, nil)
			r.failed, r.message = true, err.Error()
			return nil
		}
		r := e.enter(def, c.query.Streams)
		if !def.Triggered {
			r.message = "canceled manually"
			return nil
		}
		if err := e.install(r, c); err != nil {
			r.failed, r.message = true, err.Error()
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

// RuleList returns all rules by id.
func (e *Engine) RuleList() []api.RuleInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]api.RuleInfo, 0, len(e.rules))
	for _, r := range e.rules {
		out = append(out, api.RuleInfo{ID: r.id, Name: r.name, Status: r.status(), Version: r.version, Tags: r.tags})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

func (r *rule) status() string {
	switch {
	case r.running:
		return "running"
	case r.failed:
		return "stopped by error"
	}
	return "stopped"
}

// ValidateRule checks a rule without creating it.
func (e *Engine) ValidateRule(def *planner.RuleDef) ([]string, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compile(def, 0)
	if err != nil {
		return nil, err
	}
	return c.query.Streams, nil
}
