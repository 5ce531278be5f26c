package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/file"
	"github.com/weir-engine/weir/ingest/memory"
	"github.com/weir-engine/weir/ingest/mqtt"
	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

// feed is an ingest.Feed with the columns that its streams read. Streams that
// share connection, format and schema share it.
type feed struct {
	key     string
	feed    *ingest.Feed
	streams int // active streams
	specs   map[string]vec.ColumnSpec
	refs    map[string]int
	plan    *vec.Plan
	replan  bool
	pauses  int // outlets that are full

	conn *mqttconn.Conn // of an MQTT feed
	src  *mqtt.Source
}

// running is a source in operation.
type running interface {
	// stop ends the source for the stream and waits for its goroutine.
	stop()
	// state tells whether data can come, since when, and why not.
	state() sinks.ConnStatus
}

// renew makes the plan of the columns that are read now. It runs on the
// executor goroutine.
func (f *feed) renew() {
	keys := slices.Sorted(maps.Keys(f.specs))
	specs := make([]vec.ColumnSpec, len(keys))
	for i, k := range keys {
		specs[i] = f.specs[k]
	}
	f.plan = vec.NewPlan(f.plan.Version+1, specs)
	f.feed.SetPlan(f.plan)
}

// pause counts full outlets that the feed's rules send to.
func (f *feed) pause(n int) {
	f.pauses += n
	f.feed.SetPaused(f.pauses > 0 && f.streams > 0)
}

// use brings the columns of s up to date with its builder. The caller holds e.mu.
func (e *Engine) use(s *stream) {
	f := s.feed
	if f == nil {
		return
	}
	var now []string
	if s.builder != nil {
		for _, c := range s.builder.Columns() {
			k := c.Key()
			now = append(now, k)
			if f.refs[k] == 0 {
				f.specs[k] = c
				f.replan = true
			}
			f.refs[k]++
		}
	}
	for _, k := range s.cols {
		if f.refs[k]--; f.refs[k] == 0 {
			delete(f.refs, k)
			delete(f.specs, k)
			f.replan = true
		}
	}
	s.cols = now
}

// props returns the settings of a stream's source: the group default, the group
// that CONF_KEY names, then EXTRA.
func (e *Engine) props(s *stream) (map[string]any, error) {
	typ := s.typ()
	out := e.conf(confName{"sources", typ, "default"})
	if k := strings.ToLower(s.def.Options.ConfKey); k != "" && k != "default" {
		group := e.conf(confName{"sources", typ, k})
		switch {
		case group != nil:
		case s.external():
			return nil, fmt.Errorf("CONF_KEY %s: source type %s has no such group", s.def.Options.ConfKey, typ)
		default: // as in eKuiper
			e.log.Warn("stream names a group of settings that is not there", "stream", s.name, "type", typ, "confKey", s.def.Options.ConfKey)
		}
		out = props.Merge(out, group)
	}
	v, _ := props.Get(out, "connectionSelector")
	if sel, ok := v.(string); ok {
		conn := e.conf(confName{"connections", typ, strings.ToLower(sel)})
		if conn == nil {
			return nil, fmt.Errorf("connectionSelector %s: there is no such connection", sel)
		}
		out = props.Merge(out, conn)
	}
	return props.Merge(out, s.def.Options.Extra), nil
}

// activate starts the source of s. The caller holds e.mu.
func (e *Engine) activate(s *stream) error {
	// What the source delivers at once must find the program: the executor sees
	// that there is something to pull, and waits for the lock.
	e.dirty.Store(true)
	props, err := e.props(s)
	if err != nil {
		return err
	}
	if s.external() {
		err = e.activateLookup(s, props)
	} else {
		err = e.activateRows(s, props)
	}
	if err != nil {
		return err
	}
	s.cols, s.last = nil, s.feed.feed
	e.use(s)
	return nil
}

// activateRows starts the source of a stream, or of a table that is kept in memory.
func (e *Engine) activateRows(s *stream, props map[string]any) error {
	o, err := e.feedOptions(s, props)
	if err != nil {
		return err
	}
	if s.typ() == "mqtt" {
		return e.activateMQTT(s, props, o)
	}
	return e.activateOwn(s, props, o)
}

// feedOptions makes the options of the feed for s.
func (e *Engine) feedOptions(s *stream, props map[string]any) (ingest.Options, error) {
	d := &s.def.Options
	o := ingest.Options{
		Format: d.Format, Schema: s.fields(), Strict: d.StrictValidation, Delimiter: d.Delimiter,
		TimestampFormat: d.TimestampFormat, Location: e.opt.Location,
	}
	if d.Format == "protobuf" {
		if s.message == nil {
			_, err := e.messageOf(s.def)
			return o, err
		}
		o.Message = s.message.NewReader()
		o.Strict = o.Strict && s.def.Fields != nil // the message says itself what is missing
	}
	p := source.NewProps(props)
	o.UseInt64 = p.Bool("useInt64ForWholeNumber", false)
	if s.typ() == "file" {
		fo, err := file.ParseProps(props, d.DataSource, e.opt.Dir)
		if err != nil {
			return o, err
		}
		o.Format = fo.Format(d.Format)
	}
	twins, use, err := twin.ParseProps(props, e.opt.Dir)
	if err := errors.Join(p.Err(), err); err != nil {
		return o, err
	}
	o.EnsureDefaults()
	if use {
		o.NewDecoder = twin.New(twins, o)
	}
	return o, o.Validate()
}

// feedKey is equal for streams that can share a feed of one connection.
func feedKey(conn string, s *stream, o *ingest.Options, given map[string]any) string {
	twins, _ := props.Get(given, "kubeedgeModelFile")
	form, _ := props.Get(given, "kubeedgeFormat")
	schema, err := json.Marshal(o.Schema)
	if err != nil {
		schema = []byte(s.name)
	}
	return fmt.Sprintf("%s\x00%s\x00%s\x00%v\x00%s\x00%s\x00%v\x00%v\x00%v\x00%p", conn, o.Format, schema, o.Strict, o.Delimiter,
		o.TimestampFormat, o.UseInt64, twins, form, s.message)
}

func (e *Engine) newFeed(key string, o ingest.Options) (*feed, error) {
	o.OnBad = e.badMessage
	f, err := ingest.NewFeed(e.inbox, o)
	if err != nil {
		return nil, err
	}
	fd := &feed{key: key, feed: f, specs: map[string]vec.ColumnSpec{}, refs: map[string]int{}, plan: vec.NewPlan(0, nil)}
	e.feeds[key] = fd
	e.fresh = append(e.fresh, fd)
	return fd, nil
}

// mqttStream is a stream's part of an MQTT connection.
type mqttStream struct {
	e   *Engine
	f   *feed
	num uint32
}

func (m *mqttStream) stop() {
	m.f.src.Remove(m.num)
	if m.f.streams == 1 {
		m.f.feed.Close() // its reader must not wait for the executor any more
	}
	m.e.leaveConn(m.f.conn)
}

func (m *mqttStream) state() sinks.ConnStatus {
	st, ok := m.f.src.Status(m.num)
	c := sinks.ConnStatus{LastConnectedMs: st.Conn.ConnectedAt, LastDisconnectedMs: st.Conn.DisconnectedAt, LastTryMs: st.Conn.TriedAt}
	switch {
	case !ok:
		c.State, c.LastDisconnected = sinks.Disconnected, "not subscribed"
	case st.Err != nil:
		c.State, c.LastDisconnected = sinks.Disconnected, st.Err.Error()
	case !st.Conn.Connected:
		c.State, c.LastDisconnected = sinks.Connecting, "connecting"
	case !st.Acked:
		c.State, c.LastDisconnected = sinks.Connecting, "subscribing"
	case !st.Seen:
		c.State, c.LastDisconnected = sinks.Connected, "no message on its topics so far"
	default:
		c.State = sinks.Connected
	}
	return c
}

// activateMQTT subscribes s on the connection that its settings name.
func (e *Engine) activateMQTT(s *stream, props map[string]any, o ingest.Options) error {
	filters, err := mqtt.ParseFilters(s.def.Options.DataSource)
	if err != nil {
		return err
	}
	co, err := mqttconn.ParseProps(props)
	if err != nil {
		return err
	}
	qos, err := mqttconn.ParseQoS(props, 1)
	if err != nil {
		return err
	}
	conn, err := e.pool.Get(co)
	if err != nil {
		return err
	}
	src := e.sources[conn]
	fresh := src == nil
	if fresh {
		src = mqtt.New(conn)
		e.sources[conn] = src
	}
	key := feedKey(fmt.Sprintf("mqtt %p", conn), s, &o, props)
	f := e.feeds[key]
	if f == nil {
		if f, err = e.newFeed(key, o); err != nil {
			e.leaveConn(conn)
			return err
		}
		f.conn, f.src = conn, src
	}
	f.streams++
	s.feed = f
	if err := src.Add(mqtt.Stream{ID: s.num, Filters: filters, QoS: qos, Feed: f.feed}); err != nil {
		if f.streams--; f.streams == 0 {
			delete(e.feeds, key)
		}
		s.feed = nil
		e.leaveConn(conn)
		return err
	}
	s.source = &mqttStream{e, f, s.num}
	conn.Start()
	return nil
}

// leaveConn gives one use of a connection back. The last one closes it, which
// takes as long as the network does; nobody waits for it.
func (e *Engine) leaveConn(conn *mqttconn.Conn) {
	e.wg.Go(func() {
		e.pool.Put(conn)
		e.mu.Lock()
		defer e.mu.Unlock()
		if !slices.Contains(e.pool.Conns(), conn) {
			delete(e.sources, conn)
		}
	})
}

// runner is a source with a goroutine of its own.
type runner struct {
	cancel context.CancelFunc
	done   chan struct{}
	feed   *ingest.Feed
	status func() source.Status
	close  func()
}

func (r *runner) stop() {
	r.cancel()
	if r.close != nil {
		r.close()
	}
	r.feed.Close()
	<-r.done
}

func (r *runner) state() sinks.ConnStatus {
	st := r.status()
	c := sinks.ConnStatus{LastDisconnected: st.LastError}
	switch st.State {
	case source.Running:
		c.State, c.LastConnectedMs = sinks.Connected, st.Since.UnixMilli()
	case source.EOF:
		c.State, c.LastDisconnected, c.LastDisconnectedMs = sinks.Connected, "end of file", st.Since.UnixMilli()
	case source.Failed:
		c.State, c.LastDisconnectedMs = sinks.Disconnected, st.Since.UnixMilli()
	}
	return c
}

// activateOwn starts a source that no other stream shares.
func (e *Engine) activateOwn(s *stream, props map[string]any, o ingest.Options) error {
	f, err := e.newFeed(fmt.Sprintf("%s %s %d", s.typ(), s.name, e.feedSeq.Add(1)), o)
	if err != nil {
		return err
	}
	to := source.Target{Feed: f.feed, Route: f.feed.Route([]uint32{s.num})}
	r := &runner{done: make(chan struct{}), feed: f.feed}
	var run func(context.Context) error
	switch s.typ() {
	case "memory":
		src, err2 := memory.New(e.bus, memory.Options{Topic: s.def.Options.DataSource}, to)
		if err = err2; err == nil {
			run, r.status, r.close = src.Run, src.Status, src.Close
		}
	case "file":
		fo, err2 := file.ParseProps(props, s.def.Options.DataSource, e.opt.Dir)
		if err = err2; err == nil {
			src, err2 := file.New(fo, to)
			if err = err2; err == nil {
				run, r.status = src.Run, src.Status
			}
		}
	case "simulator":
		src, err2 := sim.NewPlayback(props, nil, to)
		if err = err2; err == nil {
			run, r.status = src.Run, src.Status
		}
	case "sim":
		so, err2 := sim.ParseProps(props)
		if err = err2; err == nil {
			src, err2 := sim.NewSource(so, to)
			if err = err2; err == nil {
				run, r.status = src.Run, src.Status
			}
		}
	default:
		err = fmt.Errorf("source type %s is not supported: want %s", s.typ(), strings.Join(sourceTypes, ", "))
	}
	if err != nil {
		delete(e.feeds, f.key)
		return err
	}
	f.streams = 1
	s.feed = f
	ctx, cancel := context.WithCancel(e.ctx)
	r.cancel = cancel
	s.source = r
	e.wg.Go(func() {
		defer close(r.done)
		if err := run(ctx); err != nil {
			e.log.Warn("source ended", "stream", s.name, "err", err)
		}
	})
	return nil
}

var sourceTypes = []string{"file", "memory", "mqtt", "sim", "simulator"}

// deactivate stops the source of s; what it delivered is still run. The caller
// holds e.mu.
func (e *Engine) deactivate(s *stream) {
	if s.feed == nil {
		return
	}
	s.source.stop()
	if r, ok := s.source.(*runner); ok { // what a connection lost it counts itself
		e.lost.Add(loss.Record, r.status().Errors)
	}
	f := s.feed
	b := s.builder
	s.builder = nil
	e.use(s)
	s.builder = b
	if f.streams--; f.streams == 0 {
		f.feed.Close()
		f.feed.SetPaused(false) // what it has is run, whatever the sinks do
		f.replan = false        // with the columns that its rules read
		delete(e.feeds, f.key)
		e.gone = sum(e.gone, f.feed.Stats())
	}
	s.feed, s.source, s.cols = nil, nil, nil
	e.dirty.Store(true)
}
