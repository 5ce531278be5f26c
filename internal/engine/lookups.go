package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
)

// The executor never waits for the store of a lookup table. Its question goes to
// the worker of the table, a goroutine, and the answer comes back to the executor
// between two batches. A batch with rows that wait is not done: it is given back,
// and so acknowledged, when they are through. A stream whose rows wait in too
// large a number is paused.

// lookup tells whether s is a lookup table.
func (s *stream) lookup() bool { return s.def.Table && s.def.Options.Kind == "lookup" }

// external tells whether s is a lookup table whose rows a store is asked for.
func (e *Engine) external(s *stream) bool { return s.lookup() && !e.types.lookups[s.typ()].Fed }

// lookupUse checks the settings of a lookup table.
func (e *Engine) lookupUse(s *stream, props map[string]any) (o lookup.Options, use lookup.Use, err error) {
	t, err := e.types.lookup(s.typ())
	if err != nil {
		return o, use, err
	}
	if o, err = lookup.ParseProps(props); err != nil {
		return o, use, err
	}
	d := &s.def.Options
	use, err = t.Check(lookup.Def{DataSource: d.DataSource, Key: d.Key, Format: d.Format, Fields: s.fields(), Props: props})
	return o, use, err
}

// checkTablesLocked refuses lookup tables that cannot be asked.
func (e *Engine) checkTablesLocked(q *planner.Query) error {
	e.mu.AssertRHeld()
	if q.Join == nil {
		return nil
	}
	for i, src := range q.Join.Sources {
		s := e.mu.streams[src.Stream]
		if s == nil || !e.external(s) {
			continue
		}
		var use lookup.Use
		props, err := e.propsLocked(s)
		if err == nil {
			_, use, err = e.lookupUse(s, props)
		}
		if err == nil && i > 0 && use.OneKey && len(q.Join.Steps[i-1].Left) != 1 {
			err = fmt.Errorf("%s: a row is found by one key: want one equality in ON, found %d", s.typ(), len(q.Join.Steps[i-1].Left))
		}
		if err != nil {
			return fmt.Errorf("lookup table %s: %w", s.name, err)
		}
	}
	return nil
}

// cacheOfLocked returns what is kept of the answers of a table.
func (e *Engine) cacheOfLocked(s *stream) planner.LookupCache {
	e.mu.AssertRHeld()
	props, err := e.propsLocked(s)
	if err != nil {
		return planner.LookupCache{}
	}
	o, err := lookup.ParseProps(props)
	if err != nil {
		return planner.LookupCache{} // a rule over it is refused, see checkTablesLocked
	}
	return planner.LookupCache{On: o.Cache, Missing: o.CacheMissing, TTLMs: o.CacheTTL.Milliseconds()}
}

// asker is the worker of a lookup table: it asks the store what the executor wants
// to know, all questions that wait at a time.
type asker struct {
	e       *Engine
	store   lookup.Store
	timeout time.Duration
	tracker source.Tracker
	feed    *ingest.Feed
	cancel  context.CancelFunc
	done    chan struct{}
	wake    chan struct{}

	mu    sync.Mutex
	queue []*exec.Lookup
	ended bool
	err   error // of the last question
}

// activateLookupLocked starts the worker of a lookup table. Its feed never has rows.
func (e *Engine) activateLookupLocked(s *stream, props map[string]any) error {
	e.mu.AssertHeld()
	o, use, err := e.lookupUse(s, props)
	if err != nil {
		return err
	}
	store, err := use.Open()
	if err != nil {
		return err
	}
	f, err := e.newFeedLocked(fmt.Sprintf("lookup %s %d", s.name, e.feedSeq.Add(1)), ingest.Options{})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	f.streams = 1
	s.feed = f
	ctx, cancel := context.WithCancel(e.ctx)
	a := &asker{e: e, store: store, timeout: o.Timeout, feed: f.Feed, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	a.tracker.Start()
	s.source = a
	e.askers.Store(s.num, a)
	e.wg.Go(func() {
		defer close(a.done)
		a.run(ctx)
		e.askers.CompareAndDelete(s.num, a)
		if err := store.Close(); err != nil {
			e.log.Warn("lookup table is not closed", "table", s.name, "err", err)
		}
	})
	return nil
}

func (a *asker) stop() {
	a.cancel()
	a.feed.Close()
	<-a.done
}

func (a *asker) status() source.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.tracker.Status()
	if a.err != nil {
		st.State, st.LastError = source.Failed, loss.Text(a.err.Error())
	}
	return st
}

// ask takes a question of the executor.
func (e *Engine) ask(l *exec.Lookup) {
	if v, ok := e.askers.Load(l.Table); ok {
		a := v.(*asker)
		a.mu.Lock()
		if !a.ended {
			a.queue = append(a.queue, l)
			a.mu.Unlock()
			signal(a.wake)
			return
		}
		a.mu.Unlock()
	}
	e.exec.Answer(l, refuse(l, errStopped))
}

var errStopped = errors.New("the lookup table is stopped")

// refuse answers every key with err.
func refuse(l *exec.Lookup, err error) []exec.LookupRows {
	out := make([]exec.LookupRows, len(l.Keys))
	for i := range out {
		out[i].Err = err
	}
	return out
}

func (a *asker) run(ctx context.Context) {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			a.mu.Lock()
			a.ended = true
			left := a.queue
			a.queue = nil
			a.mu.Unlock()
			for _, l := range left {
				a.e.exec.Answer(l, refuse(l, errStopped))
			}
			return
		}
		a.mu.Lock()
		queue := a.queue
		a.queue = nil
		a.mu.Unlock()
		for len(queue) > 0 { // those that name the same columns together
			same := func(l *exec.Lookup) bool { return slices.Equal(l.Fields, queue[0].Fields) }
			var now, later []*exec.Lookup
			for _, l := range queue {
				if same(l) {
					now = append(now, l)
				} else {
					later = append(later, l)
				}
			}
			a.askFor(ctx, now)
			queue = later
		}
	}
}

// askFor asks for the keys of questions that name the same columns, each once.
func (a *asker) askFor(ctx context.Context, ls []*exec.Lookup) {
	var keys []lookup.Key
	at := map[string]int{}
	for _, l := range ls {
		for _, k := range l.Keys {
			if _, known := at[k.Text]; !known {
				at[k.Text] = len(keys)
				keys = append(keys, lookup.Key(k))
			}
		}
	}
	found, err := a.fetch(ctx, ls[0].Fields, keys)
	a.mu.Lock()
	a.err = err
	for i := 0; a.err == nil && i < len(found); i++ {
		a.err = found[i].Err
	}
	a.mu.Unlock()
	for _, l := range ls {
		if err != nil {
			a.e.exec.Answer(l, refuse(l, err))
			continue
		}
		rows := make([]exec.LookupRows, len(l.Keys))
		for i, k := range l.Keys {
			rows[i] = exec.LookupRows(found[at[k.Text]])
		}
		a.e.exec.Answer(l, rows)
	}
}

// fetch asks the store. A panic is a fault of ours: it costs the question.
func (a *asker) fetch(ctx context.Context, fields []string, keys []lookup.Key) (found []lookup.Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			a.e.panics.Note(a.e.log, "a question to a lookup table is given up", fmt.Sprint(r), debug.Stack())
			err = errors.New("the lookup failed: a fault of weir, see the log")
		}
	}()
	return lookup.Ask(ctx, a.store, a.timeout, fields, keys)
}
