package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks"
)

const (
	// pingTimeout is how long it is tried to reach something.
	pingTimeout = 5 * time.Second
	// probeAge is how old the state of a connection that nobody uses may be.
	probeAge = 10 * time.Second
	// probeWait is how long whoever asks for it waits for a newer one.
	probeWait = time.Second
)

// probe is what is known of a named connection that nobody uses: whether it could be
// reached.
type probe struct {
	given   map[string]any // its settings
	state   string
	err     string
	sinceMs int64 // when it came to this state
	at      time.Time
	done    chan struct{} // closed when the attempt under way is through; nil: none is
}

// probes are those of an engine.
type probes struct {
	mu sync.Mutex
	of map[confName]*probe
}

// PingConnection tries to reach what properties describe, for five seconds at most.
func (e *Engine) PingConnection(ctx context.Context, kind api.ConfKind, typ string, given map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := e.ping(ctx, kind, strings.ToLower(typ), given)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: no answer within %v: %w", typ, pingTimeout, err)
	}
	return err
}

func (e *Engine) ping(ctx context.Context, kind api.ConfKind, typ string, given map[string]any) error {
	v, _ := props.Get(given, "datasource")
	place, _ := v.(string)
	if kind == api.ConfSinks {
		if p, ok := e.types.sinks[typ].(sinks.Pinger); ok {
			return p.Ping(ctx, given)
		}
	}
	if t := e.types.lookups[typ]; t.Ping != nil && (kind != api.ConfSinks || e.types.sinks[typ] != nil) {
		return t.Ping(ctx, lookup.Def{DataSource: place, Props: given})
	}
	if t := e.types.sources[typ]; t.Ping != nil && (kind != api.ConfSinks || t.Named) {
		return t.Ping(ctx, source.Def{DataSource: place, Props: given})
	}
	if err := e.checkConf(confName{string(kind), typ, "ping"}, given); err != nil {
		return err
	}
	return fmt.Errorf("%s %s doesn't support ping connection", strings.TrimSuffix(string(kind), "s"), typ)
}

// use is who uses a named connection at the moment.
type use struct {
	streams, rules []string // rules with a sink
	conn           sinks.ConnStatus
}

// usesOf returns who uses named connections.
func (e *Engine) usesOf(names []confName) map[confName]use {
	senders := e.senders(names...)
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := map[confName]use{}
	for _, n := range names {
		var u use
		for _, name := range e.confUsersLocked(n) {
			u.streams = append(u.streams, name)
			u.conn = better(u.conn, connStatus(e.mu.streams[name].source.status()))
		}
		for _, id := range senders[n] {
			r := e.mu.rules[id]
			if r == nil || !r.running {
				continue
			}
			u.rules = append(u.rules, id)
			for _, p := range r.parts() {
				for _, k := range p.sinks {
					if k.typ == n.typ {
						u.conn = better(u.conn, k.queue.Stats().Connection)
					}
				}
			}
		}
		slices.Sort(u.streams)
		slices.Sort(u.rules)
		out[n] = u
	}
	return out
}

// better returns the state of a connection of which two users know something: the one
// that changed last.
func better(a, b sinks.ConnStatus) sinks.ConnStatus {
	if changed(b) >= changed(a) {
		return b
	}
	return a
}

// changed returns when a connection came to its state.
func changed(c sinks.ConnStatus) int64 {
	switch c.State {
	case sinks.Connected:
		return c.LastConnectedMs
	case sinks.Disconnected:
		return c.LastDisconnectedMs
	}
	return c.LastTryMs
}

// inUse words who uses a connection, "" if nobody does.
func (u *use) inUse() string {
	var parts []string
	if len(u.streams) > 0 {
		parts = append(parts, "the streams "+strings.Join(u.streams, ", "))
	}
	if len(u.rules) > 0 {
		parts = append(parts, "sinks of the rules "+strings.Join(u.rules, ", "))
	}
	return strings.Join(parts, " and ")
}

// ConnectionList returns the named connections and those in use.
func (e *Engine) ConnectionList() []api.Connection {
	e.mu.RLock()
	groups := map[confName]map[string]any{}
	for n, given := range e.mu.confs {
		if n.kind == "connections" {
			groups[n] = given
		}
	}
	e.mu.RUnlock()
	uses := e.usesOf(slices.Collect(maps.Keys(groups)))
	var idle []confName
	for n, u := range uses {
		if u.inUse() == "" {
			idle = append(idle, n)
		}
	}
	found := e.probe(groups, idle)
	out := []api.Connection{}
	for n, given := range groups {
		c := api.Connection{ID: n.key, Type: n.typ, Props: maps.Clone(given), Named: true}
		u := uses[n]
		c.RefCount = len(u.streams) + len(u.rules)
		if p, ok := found[n]; ok {
			c.Status, c.Err, c.SinceMs = p.state, p.err, p.sinceMs
		} else {
			c.Status, c.SinceMs = stateText(u.conn.State), changed(u.conn)
			if u.conn.State != sinks.Connected {
				c.Err = loss.Text(u.conn.LastDisconnected)
			}
		}
		out = append(out, c)
	}
	for _, c := range e.connections() {
		out = append(out, api.Connection{
			ID: c.ID, Type: c.typ, Props: map[string]any{"server": c.Server}, Status: stateText(connState(c.State)), Err: loss.Text(c.Err), RefCount: c.Users,
			Counters: c.Counters, Lost: c.Lost.Named(),
		})
	}
	slices.SortFunc(out, func(a, b api.Connection) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// probe tries connections that nobody uses, unless that was done lately, and returns
// what is known after some time at most.
func (e *Engine) probe(groups map[confName]map[string]any, names []confName) map[confName]probe {
	late, cancel := context.WithTimeout(e.ctx, probeWait)
	defer cancel()
	e.probes.keep(groups)
	tried, done := make([]*probe, len(names)), make([]chan struct{}, len(names))
	for i, n := range names {
		tried[i], done[i] = e.startProbe(n, groups[n])
	}
	out := map[confName]probe{}
	for i, n := range names {
		if done[i] != nil {
			select {
			case <-done[i]:
			case <-late.Done():
			}
		}
		out[n] = e.probes.read(tried[i])
	}
	return out
}

// startProbe tries to reach a named connection, unless that was done lately with these
// settings. It returns what is known of it, and what is closed when the attempt under
// way is through; nil: none is.
func (e *Engine) startProbe(n confName, given map[string]any) (p *probe, done chan struct{}) {
	e.probes.mu.Lock()
	defer e.probes.mu.Unlock()
	p = e.probes.of[n]
	if p == nil || !equalProps(p.given, given) {
		p = &probe{given: given, state: stateText(sinks.Connecting), sinceMs: time.Now().UnixMilli()}
		if e.probes.of == nil {
			e.probes.of = map[confName]*probe{}
		}
		e.probes.of[n] = p
	}
	if p.done != nil || e.ctx.Err() != nil || time.Since(p.at) < probeAge {
		return p, p.done
	}
	p.done = make(chan struct{})
	e.wg.Go(func() {
		err := e.PingConnection(e.ctx, api.ConfConnections, n.typ, given)
		e.probes.end(p, err)
	})
	return p, p.done
}

// end notes whether a connection could be reached.
func (all *probes) end(p *probe, err error) {
	state, text := stateText(sinks.Connected), ""
	if err != nil {
		state, text = stateText(sinks.Disconnected), loss.Text(err.Error())
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if state != p.state {
		p.sinceMs = time.Now().UnixMilli()
	}
	p.state, p.err, p.at = state, text, time.Now()
	close(p.done)
	p.done = nil
}

// read returns what is known of a connection.
func (all *probes) read(p *probe) probe {
	all.mu.Lock()
	defer all.mu.Unlock()
	return *p
}

// keep forgets the connections that are not defined any more.
func (all *probes) keep(groups map[confName]map[string]any) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for n := range all.of {
		if _, ok := groups[n]; !ok {
			delete(all.of, n)
		}
	}
}

// stateText words the state of a connection.
func stateText(s sinks.ConnState) string {
	switch s {
	case sinks.Connected:
		return "connected"
	case sinks.Disconnected:
		return "disconnected"
	}
	return "connecting"
}

// DeleteConnection removes a named connection that no running stream or rule uses.
func (e *Engine) DeleteConnection(id string) error {
	defer e.defLocks.lockAll()() // its type is not known yet
	e.mu.RLock()
	var n confName
	for k := range e.mu.confs {
		if k.kind == "connections" && k.key == strings.ToLower(id) {
			n = k
		}
	}
	e.mu.RUnlock()
	if n.kind == "" {
		return ruledef.ErrNotFound
	}
	u := e.usesOf([]confName{n})[n]
	if who := u.inUse(); who != "" {
		return fmt.Errorf("connection %s is %w by %s", id, ruledef.ErrInUse, who)
	}
	e.mu.Lock()
	delete(e.mu.confs, n)
	e.mu.epoch++
	e.mu.Unlock()
	return e.catalog.Delete(kindConf, n.id())
}
