// Package engine joins ingest, planner, exec and sinks into a running whole. It
// owns the definitions, the epochs and the order of shutdown, and starts every
// goroutine but those of connections and sink workers; what the executor's does is
// package run's.
//
// Definitions live under one lock; what they mean for the data is in builders
// (package planner) that are edited under it. The executor goroutine pulls what
// changed at the next batch boundary, so a change has no gap, and nothing in the
// path of a message takes the lock.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/internal/clock"
	"github.com/weir-engine/weir/internal/engine/run"
	"github.com/weir-engine/weir/internal/invariants"
	"github.com/weir-engine/weir/internal/keyed"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/sinks/encode"
	"github.com/weir-engine/weir/vec"
)

// Options configure an Engine. Zero values are defaults.
type Options struct {
	Store    store.Options
	Sinks    sinks.Options
	Rules    ruledef.Options // defaults of rules; zero: ruledef.DefaultOptions
	Location *time.Location  // time zone of texts and windows; nil: UTC
	// Confs are groups of settings from the configuration file: by kind (sources,
	// sinks, connections), type and name. Groups put over REST come before them.
	Confs map[string]map[string]map[string]map[string]any
	// Servers are, by type, the properties of connections to what this process is itself,
	// such as an MQTT broker: sources and sinks that name no server connect to it.
	Servers map[string]map[string]any
	// Dir is the directory of device models and of files that sources name by a
	// relative path; default: the data directory, else the working directory.
	Dir string
	// Files is where file sinks begin with a relative path; default: the folder
	// files of the data directory, else Dir.
	Files  string
	Logger *slog.Logger
	// Patrol is the time between attempts to start rules that stopped by an
	// error; default 10 s.
	Patrol time.Duration
	// OnQuiet is called when definitions have not changed for a second after
	// they did, once after the start, and after a large bulk: the time to give
	// memory back. Calls may overlap.
	OnQuiet func()
	// OnStop is called when a client asks the process to end.
	OnStop func()
	clock  clock.Source                           // nil: the clocks of the machine
	rand   *rand.Rand                             // of the functions; nil: the executor's own
	fold   func(*planner.Node) (vec.Value, error) // computes constants; nil: exec.FoldIn
	// SetLevel changes the level of the log, which is Level, or debug if Debug is
	// set; nil: not possible.
	SetLevel func(slog.Level)
	Level    slog.Level
	Debug    bool
}

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.clock == nil {
		o.clock = clock.System()
	}
	if o.Rules.CheckpointInterval == 0 {
		o.Rules = ruledef.DefaultOptions()
	}
	if o.Files == "" && o.Store.Dir != "" {
		o.Files = filepath.Join(o.Store.Dir, "files")
	}
	if o.Dir == "" {
		o.Dir = o.Store.Dir
	}
	if o.Files == "" {
		o.Files = o.Dir
	}
	if o.Patrol == 0 {
		o.Patrol = 10 * time.Second
	}
	if o.OnQuiet == nil {
		o.OnQuiet = func() {}
	}
	if o.OnStop == nil {
		o.OnStop = func() {}
	}
}

// Engine is a running engine. Its exported methods are safe for concurrent use.
type Engine struct {
	opt      Options
	log      *slog.Logger
	store    *store.Store
	catalog  store.Catalog
	keyed    *keyed.State
	plans    plans
	models   *model.Cache // of KubeEdge devices
	bus      *membus.Bus
	types    types
	tables   typeTables // of types
	queues   *sinks.Queues
	counters sinks.Counters
	encoders encode.Interner
	schemas  schemas
	inbox    *ingest.Inbox
	exec     *run.Runner

	askers sync.Map // workers of lookup tables, *asker by uint32

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup
	probes probes
	watch  chan struct{} // a rule with a schedule came or went
	hurry  chan struct{} // to the patrol: something was defined

	defLocks  *locks // of streams, tables and settings
	ruleLocks *locks

	feedSeq  atomic.Uint64
	started  time.Time
	panics   run.Panics
	clockSet clockSet
	lost     loss.Ledger // what belongs to nobody else
	stages   *metrics.Stages
	quiet    *time.Timer   // runs OnQuiet
	epochs   atomic.Uint64 // programs that the executor took

	// mu guards the definitions and what runs for them. Functions that want it to be
	// held have names that end in Locked; those that only look want it for reading.
	mu struct {
		invariants.RWMutex
		state
	}
}

// state are streams, rules and settings, and what the executor has to be told
// of them.
type state struct {
	streams map[string]*stream
	rules   map[string]*rule
	users   map[string]int // rules that read a stream, by its name
	numbers numbers
	feeds   map[string]*sharedFeed
	confs   map[confName]map[string]any
	graves  map[string]grave   // of rules that were deleted with outputs, by id
	joins   map[string]*stream // joins that the executor has not pulled yet, by text
	changed []*stream          // builders that the executor has to pull
	edits   []run.Rule         // actions that the executor has to pull
	fresh   []*run.Feed        // feeds that the executor has to pull
	epoch   uint64             // of streams, tables and settings: what rules are compiled against
	closing bool               // nothing is started any more
	zone    *time.Location     // of texts, windows and schedules
	level   slog.Level         // of the log, while debug is off
	debug   bool
	gone    ingest.Stats // of feeds that are no more
}

// Open opens the store, reads the definitions and starts everything that they
// say. The caller calls Close.
func Open(o Options) (*Engine, error) {
	o.EnsureDefaults()
	st, err := store.Open(o.Store)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		opt: o, log: o.Logger, store: st, catalog: st.Catalog(), bus: membus.New(),
		inbox: ingest.NewInbox(), watch: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		defLocks: newLocks(), ruleLocks: newLocks(),
		started: time.Now(), stages: metrics.NewStages(), models: &model.Cache{Dir: o.Dir},
	}
	e.mu.state = state{
		streams: map[string]*stream{}, joins: map[string]*stream{}, rules: map[string]*rule{}, users: map[string]int{},
		numbers: numbers{ofRule: make([]*rule, 1)}, feeds: map[string]*sharedFeed{}, confs: map[confName]map[string]any{}, graves: map[string]grave{},
		zone: o.Location, level: o.Level, debug: o.Debug,
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	so := o.Sinks
	so.Logger = o.Logger
	so.OnRoom = func() { e.exec.Room() }
	so.OnPanic = e.NotePanic
	so.OnWrite = func(d time.Duration) { e.stages.Observe(metrics.StageDeliver, d) }
	e.schemas.catalog = e.catalog
	e.keyed, err = keyed.Open(st.Keyed(), func(key string, err error) { e.log.Error("stored keyed state is refused", "key", key, "err", err) })
	if err != nil {
		e.cancel()
		return nil, errors.Join(fmt.Errorf("read keyed state: %w", err), st.Close())
	}
	e.queues = sinks.NewQueues(so, st, &e.counters)
	e.types = newTypes(typeEnv{
		dir: o.Dir, files: o.Files, store: o.Store.Dir, log: o.Logger, bus: e.bus, ruleName: e.ruleName, later: e.wg.Go,
		freed: func() { signal(e.hurry) },
	})
	e.tables = e.types.tables()
	e.exec = run.New(run.Options{
		Env:   e.env(),
		Inbox: e.inbox, Counters: &e.counters, Lost: &e.lost, Stages: e.stages, Panics: &e.panics, Log: e.log,
		Changes: e.changes, Listeners: e.listeners, Broken: e.broke, Release: e.queues.Release,
		Clock: e.opt.clock, Jumped: e.jumped,
	})
	if err := e.load(); err != nil {
		e.cancel()
		e.queues.Close(e.ctx)
		return nil, errors.Join(err, st.Close())
	}
	e.quiet = time.AfterFunc(quietTime, e.settled)
	e.wg.Go(func() { e.exec.Run(e.ctx) })
	e.wg.Go(e.patrol)
	e.wg.Go(e.keepTimes)
	e.startLoaded()
	for _, p := range e.types.pools {
		p.Go()
	}
	e.takeUpLeft()
	return e, nil
}

// Close stops the sources, lets the executor finish what they delivered, hands
// the outputs over and closes the store. Sinks have until ctx is done to take
// what waits; the rest is kept in the store. A second call does nothing.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.mu.closing {
		e.mu.Unlock()
		return nil
	}
	e.mu.closing = true
	for _, p := range e.types.pools {
		p.Leave()
	}
	for _, s := range e.mu.streams {
		if !e.external(s) {
			e.deactivateLocked(s)
		}
	}
	e.mu.Unlock()
	e.quiet.Stop()
	e.exec.Settle(ctx)
	e.mu.Lock()
	for _, s := range e.mu.streams {
		e.deactivateLocked(s)
	}
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
	e.queues.Close(ctx)
	for _, p := range e.types.pools {
		p.Close()
	}
	return e.store.Close()
}

// settled runs when definitions have not changed for a while. The executor takes
// over what no message made it take over.
func (e *Engine) settled() {
	e.exec.Nudge()
	e.mu.RLock()
	defer e.mu.RUnlock()
	if !e.mu.closing {
		e.wg.Go(e.tidy)
	}
}

// tidy gives memory back.
func (e *Engine) tidy() {
	if err := e.store.Tidy(); err != nil {
		e.log.Warn("the store keeps more in memory than it needs", "err", err)
	}
	e.opt.OnQuiet()
}

// quietTime is how long definitions must not change before OnQuiet is called.
const quietTime = time.Second

// env is what the executor needs from outside.
func (e *Engine) env() exec.Env {
	return exec.Env{Location: e.opt.Location, Now: e.wall, Started: e.started.UnixMilli(), Rand: e.opt.rand, State: e.keyed.Get, Lookup: e.ask}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sourceLocked resolves a name for the binder.
func (e *Engine) sourceLocked(name string) (*planner.Source, bool) {
	e.mu.AssertRHeld()
	s := e.mu.streams[name]
	if s == nil || s.dropped {
		return nil, false
	}
	return e.plannedLocked(s), true
}

// plannedLocked returns s as the binder sees it.
func (e *Engine) plannedLocked(s *stream) *planner.Source {
	e.mu.AssertRHeld()
	src := &planner.Source{
		Name: s.name, Table: s.def.Table, Lookup: s.lookup(), Key: s.def.Options.Key, Retain: s.def.Options.RetainSize,
		Fields: s.fields(), Timestamp: s.def.Options.Timestamp, TimeFormat: s.def.Options.TimestampFormat,
	}
	if e.external(s) {
		src.External, src.Cache = true, e.cacheOfLocked(s)
	}
	if src.Retain == 0 && !e.types.sources[s.typ()].Whole {
		src.Retain = 1
	}
	return src
}

// load reads the definitions from the store. A definition that cannot be read
// is logged and left; it must not keep the others from running.
func (e *Engine) load() error {
	for _, kind := range []string{kindStream, kindTable} {
		err := e.catalog.Each(kind, func(id string, data []byte) error {
			if err := e.defineStored(string(data)); err != nil {
				e.log.Error("stored definition is refused", "kind", kind, "name", id, "err", err)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read definitions: %w", err)
		}
	}
	e.warnConfs()
	if err := e.loadConfs(); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if err := e.loadGraves(); err != nil {
		return fmt.Errorf("read what deleted rules left: %w", err)
	}
	return nil
}
