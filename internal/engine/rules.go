package engine

import (
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// rule is what is kept of a rule in memory. Its text lives in the store.
type rule struct {
	id, name, version string
	tags              []string
	text              []byte   // of a temp rule, which is not in the store
	streams           []string // inputs of all parts
	inputs            []string // inputs of this part, while it runs
	types             []string // message types of its sinks, as schemaId has them
	join              *stream  // the join of its inputs while it runs; nil: one input
	message           string   // why it does not run
	startMs, stopMs   int64
	sinks             []sinkInfo
	timing            *timing // of a started rule with a schedule
	// more are the statements of a graph beside the first, as rules without a
	// name of their own; their numbers are kept until the rule runs anew.
	more []*rule

	num         planner.RuleID
	run         uint64 // number of its run
	temp        bool
	running     bool
	failed      bool // stopped by an error
	broke       bool // a panic was laid to it since a client started it
	broken      bool // by a panic: it is not tried again
	pending     bool // stopped for a moment, by restartUsers
	wantsFaults bool
}

// parts returns the statements of r, the first of which is r itself.
func (r *rule) parts() iter.Seq2[int, *rule] {
	return func(yield func(int, *rule) bool) {
		if !yield(0, r) {
			return
		}
		for i, p := range r.more {
			if !yield(i+1, p) {
				return
			}
		}
	}
}

// sinkInfo names a sink of a rule in its status.
type sinkInfo struct {
	typ      string
	index    int
	node     string // of a graph
	discards bool   // the destination keeps nothing
	queue    *sinks.Queue
	num      uint32 // whose counters its messages change, see numbers
	fed      bool   // the rule's feed counts in the queue's outlet
}

func (r *rule) uses(name string) bool { return slices.Contains(r.streams, name) }

// compiled is a rule that was checked against the definitions as they are.
type compiled struct {
	def     *ruledef.Def // nil: it is in a bulk, under which nothing changes
	parts   []part
	streams []string           // inputs, each once
	inline  map[string]*stream // streams that a graph defines; not entered anywhere
	types   []string           // message types of sinks
	flow    *graph.Flow
	epoch   uint64 // state.epoch when it was checked
	err     error  // why a sink could not be opened
	sched   *schedule
	rests   bool // it waits for its time: no sink is open

	sendError bool
}

// part is a statement with its sinks.
type part struct {
	query   *planner.Query
	actions []checked
	count   bool // nobody reads its rows
	window  bool
	staged  bool // it is in the builder of its stream, see bulk; query has the stream only
}

// checked is an action whose properties are good.
type checked struct {
	typ    string
	index  int
	node   string
	target sinks.Target
	enc    *encode.Encoder
	place  *encode.Template
	queue  *sinks.Queue // once open was called
	taken  error        // why its connection cannot be made now
}

// compileLocked checks everything about a rule that can be checked before it runs. A
// panic, as of a constant that is computed, is an error of this rule.
func (e *Engine) compileLocked(def *ruledef.Def) (_ *compiled, err error) {
	e.mu.AssertRHeld()
	defer func() {
		if r := recover(); r != nil {
			e.NotePanic("a rule is refused", r)
			err = ruledef.Errorf(ruledef.CodeExecutor, "rule %s cannot be checked: a fault of weir: %v", def.ID, r)
		}
	}()
	if def.Doubts != nil {
		*def.Doubts = nil
	}
	flow, err := graph.Compile(def, fn.Set{})
	if err != nil {
		return nil, err
	}
	c := &compiled{def: def, flow: flow, epoch: e.mu.epoch, sendError: def.Options.SendError}
	if c.sched, err = newSchedule(&def.Options, e.mu.zone); err != nil {
		return nil, ruledef.Errorf(ruledef.CodeRule, "invalid rule json: Rule %s has invalid options: %w.", def.ID, err)
	}
	if err := e.flowSourcesLocked(c); err != nil {
		return nil, ruledef.Errorf(ruledef.CodeRule, "Rule %s has an invalid graph: %w.", def.ID, err)
	}
	for i := range flow.Queries {
		p, err := e.compilePartLocked(c, i)
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, p)
		for _, name := range p.query.Streams {
			if !slices.Contains(c.streams, name) {
				c.streams = append(c.streams, name)
			}
		}
	}
	if s := e.mu.streams[c.streams[0]]; s != nil && len(c.streams) == 1 {
		c.streams = s.only
		for i := range c.parts {
			c.parts[i].query.Streams = s.only
		}
	}
	return c, nil
}

// foldLocked returns what computes the constants of statements.
func (e *Engine) foldLocked() func(*planner.Node) (vec.Value, error) {
	e.mu.AssertRHeld()
	if e.opt.fold != nil {
		return e.opt.fold
	}
	return exec.FoldIn(e.mu.zone)
}

// compilePartLocked checks statement i of a rule.
func (e *Engine) compilePartLocked(c *compiled, i int) (p part, err error) {
	e.mu.AssertRHeld()
	q := &c.flow.Queries[i]
	st, err := sql.Parse(q.SQL)
	if err != nil {
		return p, ruledef.Errorf(ruledef.CodeParser, "%w", c.wordFault(q, err))
	}
	sel, ok := st.(*sql.Select)
	if !ok {
		return p, ruledef.Errorf(ruledef.CodeParser, "SQL %s is not a select statement.", q.SQL)
	}
	o := &c.def.Options
	env := planner.Env{Funcs: fn.Set{}, Catalog: catalog{e, c.inline}, Fold: e.foldLocked()}
	if c.def.Doubts != nil {
		env.Compute = exec.ComputeIn(e.mu.zone)
	}
	p.query, err = planner.Bind(env, c.def.ID, sel, planner.Settings{
		EventTime: o.IsEventTime, LateMs: o.LateTolerance.Milliseconds(), DriftMs: o.MaxFutureDrift.Milliseconds(), SendMeta: o.SendMetaToSink, SendNil: o.SendNilField,
		RuleStartMs: e.wall(), Epoch: e.startEpochLocked(sel), After: q.After, Before: q.Before, Part: i,
	})
	if err == nil {
		err = e.checkTablesLocked(p.query)
	}
	if err == nil {
		err = e.checkStreamsLocked(c, p.query)
	}
	if err != nil {
		return p, ruledef.Errorf(ruledef.CodePlan, "%w", c.wordFault(q, err))
	}
	if c.def.Doubts != nil {
		*c.def.Doubts = append(*c.def.Doubts, c.doubts(q, p.query)...)
	}
	p.window = p.query.Root.Stage != nil
	p.count = true
	for _, a := range q.Actions {
		ch, err := e.checkActionLocked(c.def.ID, a, p.query)
		if err != nil {
			if a.Node != "" {
				err = fmt.Errorf("node %q: %w", a.Node, err)
			}
			return p, ruledef.Errorf(ruledef.CodeExecutor, "%w", err)
		}
		if id := ch.enc.SchemaID(); id != "" {
			c.types = append(c.types, id)
		}
		p.count = p.count && ch.target.Discards
		p.actions = append(p.actions, ch)
	}
	return p, nil
}

// doubts returns what a statement can only lose rows by.
func (c *compiled) doubts(q *graph.Query, bound *planner.Query) []string {
	if c.def.Graph != nil {
		return under("statement", q.SQL, bound.Doubts)
	}
	return bound.Doubts
}

// checkStreamsLocked refuses a stream that is gone after a restart for a rule that is
// not, and a shared one for a rule that wants to hold it up alone.
func (e *Engine) checkStreamsLocked(c *compiled, q *planner.Query) error {
	e.mu.AssertRHeld()
	for _, name := range q.Streams {
		s := e.mu.streams[name]
		if s == nil {
			s = c.inline[name]
		}
		if err := e.checkRunsLocked(s); err != nil {
			return fmt.Errorf("%s %s: %w", kindOf(s.def.Table), name, err)
		}
		switch o := &s.def.Options; {
		case o.Temp && !c.def.Temp:
			return fmt.Errorf("%s %s is temporary, so only a temporary rule can use it", kindOf(s.def.Table), name)
		case o.Shared && c.def.Options.DisableBufferFullDiscard:
			return fmt.Errorf("disableBufferFullDiscard can't be enabled with shared stream %s", c.flow.Named(name))
		}
	}
	return nil
}

// startEpochLocked returns the epoch in which a rule over sel will start: rules that
// start together share what depends on the rows since. Tables that are joined
// without a window are content, not a beginning.
func (e *Engine) startEpochLocked(sel *sql.Select) uint64 {
	e.mu.AssertRHeld()
	if len(sel.Joins) > 0 && sel.Window == nil {
		return 0
	}
	return e.nextEpochLocked(sel.From.Name)
}

// nextEpochLocked returns the epoch in which a rule over a stream starts.
func (e *Engine) nextEpochLocked(name string) uint64 {
	e.mu.AssertRHeld()
	if s := e.mu.streams[name]; s != nil && s.builder != nil {
		return s.builder.Next()
	}
	return 1
}

// checkActionLocked checks one sink of the rule called id for what q sends.
func (e *Engine) checkActionLocked(id string, a ruledef.Action, q *planner.Query) (checked, error) {
	e.mu.AssertRHeld()
	given, err := e.sinkPropsLocked(a)
	if err != nil {
		return checked{}, err
	}
	t, err := e.types.sinks.Open(a.Type, given)
	if err != nil {
		return checked{}, err
	}
	if !t.Volatile {
		t.Label = labelOf(id, a.Type, given)
	}
	ch := checked{typ: a.Type, index: a.Index, node: a.Node, target: t}
	if t.Claim != nil {
		ch.taken = t.Claim("a sink of rule " + id)
	}
	opts := []encode.Option{encode.In(e.mu.zone), encode.Messages(e.schemas.message)}
	if t.CompressesItself {
		opts = append(opts, encode.Plain())
	}
	if t.CSV {
		opts = append(opts, encode.CSV())
	}
	if q.AnyColumns() {
		opts = append(opts, encode.AnyColumns())
	}
	if ch.enc, err = e.encoders.Get(given, opts...); err != nil {
		return ch, fmt.Errorf("sink %s: %w", a.Type, err)
	}
	if t.Unframed && ch.enc.Format() == encode.Protobuf {
		return ch, fmt.Errorf("sink %s: format protobuf: messages without an end of their own cannot stand in a %s, one after the other", a.Type, a.Type)
	}
	if t.Dynamic != "" {
		if ch.place, _, err = encode.CompileDynamic(t.Dynamic, encode.In(e.mu.zone)); err != nil {
			return ch, fmt.Errorf("sink %s: %w", a.Type, err)
		}
	}
	return ch, nil
}

// RuleList returns all rules by id.
func (e *Engine) RuleList() []api.RuleInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]api.RuleInfo, 0, len(e.mu.rules))
	for _, r := range e.mu.rules {
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
	case r.timing != nil:
		return waiting
	}
	return "stopped"
}

// ValidateRule checks a rule without creating it.
func (e *Engine) ValidateRule(def *ruledef.Def) ([]string, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	c, err := e.compileLocked(def)
	if err == nil {
		err = e.claimLocked(c)
	}
	if err != nil {
		return nil, err
	}
	return c.flow.Names(c.streams), nil
}
