package engine

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/weir-engine/weir/internal/api"
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
	join              *stream  // the join of its inputs while it runs; nil: one input
	running           bool
	failed            bool   // stopped by an error
	pending           bool   // stopped for a moment, by restartUsers
	message           string // why it does not run
	startMs, stopMs   int64
	sinks             []sinkInfo
	wantsFaults       bool
	timing            *timing // of a started rule with a schedule
}

// sinkInfo names a sink of a rule in its status.
type sinkInfo struct {
	typ   string
	index int
	queue *sinks.Queue
	num   uint32 // whose counters its messages change, see Engine.sinkOf
	fed   bool   // the rule's feed counts in the queue's outlet
}

func (r *rule) uses(name string) bool { return slices.Contains(r.streams, name) }

// compiled is a rule that was checked against the definitions as they are.
type compiled struct {
	def     *planner.RuleDef
	query   *planner.Query
	actions []checked
	count   bool   // nobody reads its rows
	epoch   uint64 // Engine.epoch when it was checked
	err     error  // why a sink could not be opened
	sched   *schedule
	rests   bool // it waits for its time: no sink is open
}

// checked is an action whose properties are good.
type checked struct {
	typ    string
	index  int
	target sinks.Target
	enc    *encode.Encoder
	place  *encode.Template
	queue  *sinks.Queue // once open was called
}

// compile checks everything about a rule that can be checked before it runs. The
// caller holds e.mu for reading.
func (e *Engine) compile(def *planner.RuleDef, num planner.RuleID) (*compiled, error) {
	def, err := def.Flatten()
	if err != nil {
		return nil, err
	}
	sched, err := newSchedule(&def.Options, e.opt.Location)
	if err != nil {
		return nil, planner.Errorf(planner.CodeRule, "invalid rule json: Rule %s has invalid options: %w.", def.ID, err)
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
		RuleStartMs: time.Now().UnixMilli(), Epoch: e.startEpoch(sel),
	})
	if err != nil {
		return nil, planner.Errorf(planner.CodePlan, "%w", err)
	}
	if err := e.checkTables(q); err != nil {
		return nil, planner.Errorf(planner.CodePlan, "%w", err)
	}
	c := &compiled{def: def, query: q, count: true, epoch: e.epoch, sched: sched}
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

// startEpoch returns the epoch in which a rule over sel will start: rules that
// start together share what depends on the rows since. Tables that are joined
// without a window are content, not a beginning. The caller holds e.mu.
func (e *Engine) startEpoch(sel *sql.Select) uint64 {
	if len(sel.Joins) > 0 && sel.Window == nil {
		return 0
	}
	if s := e.streams[sel.From.Name]; s != nil && s.builder != nil {
		return s.builder.Next()
	}
	return 1
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
	case r.timing != nil:
		return waiting
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
