package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/internal/engine/run"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// sharedFeed is an ingest.Feed with the columns that its streams read. Streams that
// share connection, format and schema share it.
type sharedFeed struct {
	key string
	*ingest.Feed
	streams int // active streams
	specs   map[string]vec.ColumnSpec
	refs    map[string]int
	replan  bool
	exec    *run.Feed     // as the executor sees it
	twins   *twin.Options // of a feed of KubeEdge twins
}

// running is a source in operation.
type running interface {
	// stop ends the source for the stream and waits for its goroutine.
	stop()
	// status tells whether data can come, since when, and why not.
	status() source.Status
}

// columns returns the columns that are read now, in order.
func (f *sharedFeed) columns() []vec.ColumnSpec {
	keys := slices.Sorted(maps.Keys(f.specs))
	specs := make([]vec.ColumnSpec, len(keys))
	for i, k := range keys {
		specs[i] = f.specs[k]
	}
	return specs
}

// useLocked brings the columns of s up to date with its builder.
func (e *Engine) useLocked(s *stream) {
	e.mu.AssertHeld()
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

// propsLocked returns the settings of a stream's source: the group default, the group
// that CONF_KEY names, then EXTRA.
func (e *Engine) propsLocked(s *stream) (map[string]any, error) {
	e.mu.AssertRHeld()
	typ := s.typ()
	out := e.confLocked(confName{"sources", typ, "default"})
	if k := strings.ToLower(s.def.Options.ConfKey); k != "" && k != "default" {
		group := e.confLocked(confName{"sources", typ, k})
		switch {
		case group != nil:
		case e.external(s):
			return nil, fmt.Errorf("CONF_KEY %s: source type %s has no such group", s.def.Options.ConfKey, typ)
		default: // as in eKuiper
			e.log.Warn("stream names a group of settings that is not there", "stream", s.name, "type", typ, "confKey", s.def.Options.ConfKey)
		}
		out = props.Merge(out, group)
	}
	if sel := selected(s.def.Options.Extra, out); sel != "" {
		conn := e.confLocked(confName{"connections", typ, strings.ToLower(sel)})
		if conn == nil {
			return nil, fmt.Errorf("connectionSelector %s: there is no such connection", sel)
		}
		out = props.Merge(out, conn)
	}
	return e.withServer(typ, props.Merge(out, s.def.Options.Extra)), nil
}

// selected returns the connection that properties name, the first of them that does.
func selected(given ...map[string]any) string {
	for _, m := range given {
		v, _ := props.Get(m, "connectionSelector")
		if sel, ok := v.(string); ok {
			return sel
		}
	}
	return ""
}

// selectedLocked returns the connection that the settings of a source name.
func (e *Engine) selectedLocked(s *stream) string {
	e.mu.AssertRHeld()
	group := e.confLocked(confName{"sources", s.typ(), strings.ToLower(s.def.Options.ConfKey)})
	return selected(s.def.Options.Extra, group, e.confLocked(confName{"sources", s.typ(), "default"}))
}

// activateLocked starts the source of s.
func (e *Engine) activateLocked(s *stream) error {
	e.mu.AssertHeld()
	// What the source delivers at once must find the program: the executor sees
	// that there is something to pull, and waits for the lock.
	e.exec.Mark()
	props, err := e.propsLocked(s)
	if err != nil {
		return err
	}
	if e.external(s) {
		err = e.activateLookupLocked(s, props)
	} else {
		err = e.activateRowsLocked(s, props)
	}
	if err != nil {
		return err
	}
	s.cols, s.last = nil, s.feed.Feed
	e.useLocked(s)
	return nil
}

// activateRowsLocked starts the source of a stream, or of a table that is kept in memory.
func (e *Engine) activateRowsLocked(s *stream, props map[string]any) error {
	e.mu.AssertHeld()
	use, o, twins, err := e.rowsUseLocked(s, props)
	if err != nil {
		return err
	}
	if use.Attach != nil {
		err = e.startSharedLocked(s, use, feedKey(use.Hub, s, &o, props), o)
	} else {
		err = e.startOwnLocked(s, use, o)
	}
	if err == nil && s.feed.twins == nil { // else another stream's, and its decoders' notes
		s.feed.twins = twins
	}
	return err
}

// feedOptionsLocked makes the options of the feed for s, and those of its decoder of twins,
// which is nil if it has another one.
func (e *Engine) feedOptionsLocked(s *stream, given map[string]any, use source.Use) (ingest.Options, *twin.Options, error) {
	e.mu.AssertRHeld()
	d := &s.def.Options
	o := ingest.Options{
		Format: d.Format, Schema: s.fields(), Strict: d.StrictValidation, Delimiter: d.Delimiter,
		TimestampFormat: d.TimestampFormat, Location: e.mu.zone,
	}
	if d.Format == "protobuf" {
		if s.message == nil {
			_, err := e.messageOf(s.def)
			return o, nil, err
		}
		o.Message = s.message.NewReader()
		o.Strict = o.Strict && s.def.Fields != nil // the message says itself what is missing
	}
	faults := feedTable(&o.UseInt64).Read(given)
	if use.Feed != nil {
		use.Feed(&o)
	}
	twins, isTwin, err := twin.ParseProps(given, e.models.Load)
	faults.Join(err)
	if err := faults.Err(); err != nil {
		return o, nil, err
	}
	o.EnsureDefaults()
	if isTwin {
		if o.Format != "json" {
			return o, nil, fmt.Errorf("format %q: twins come as json", o.Format)
		}
		o.NewDecoder = twin.New(twins, o)
		return o, &twins, o.Validate()
	}
	return o, nil, o.Validate()
}

// feedTable is the properties of every source beside those of its type.
func feedTable(ints *bool) props.Table {
	return props.Table{
		props.Flag(ints, "useInt64ForWholeNumber", "takes whole numbers as bigint instead of float"),
		props.Text(new(string), "connectionSelector", "the named connection whose settings are used"),
		props.Text(new(string), "decompression", "how payloads are compressed").Ignored("payloads are taken as they come"),
		props.Whole(new(1024), "bufferLength", 0, math.MaxInt32, "rows that wait for rules").Ignored("sources wait for the rules instead"),
	}
}

// feedKey is equal for streams that can share a feed of one connection.
func feedKey(hub string, s *stream, o *ingest.Options, given map[string]any) string {
	twins, _ := props.Get(given, "kubeedgeModelFile")
	form, _ := props.Get(given, "kubeedgeFormat")
	strict, _ := props.Get(given, "kubeedgeModelStrict")
	schema, err := json.Marshal(o.Schema)
	if err != nil {
		schema = []byte(s.name)
	}
	return fmt.Sprintf("%s\x00%s\x00%s\x00%v\x00%s\x00%s\x00%v\x00%v\x00%v\x00%v\x00%p", hub, o.Format, schema, o.Strict, o.Delimiter,
		o.TimestampFormat, o.UseInt64, twins, form, strict, s.message)
}

func (e *Engine) newFeedLocked(key string, o ingest.Options) (*sharedFeed, error) {
	e.mu.AssertHeld()
	o.OnBad = e.exec.Bad
	o.OnPanic = func(text string, stack []byte) { e.panics.Note(e.log, "a message is given up", text, stack) }
	f, err := ingest.NewFeed(e.inbox, o)
	if err != nil {
		return nil, err
	}
	fd := &sharedFeed{key: key, Feed: f, specs: map[string]vec.ColumnSpec{}, refs: map[string]int{}, exec: run.NewFeed(f)}
	e.mu.feeds[key] = fd
	e.mu.fresh = append(e.mu.fresh, fd.exec)
	return fd, nil
}

// attached is a stream on a connection that serves others too.
type attached struct{ source.Attachment }

func (a attached) stop() { a.Close() }

func (a attached) status() source.Status { return a.Status() }

// startSharedLocked has a connection deliver to s. Streams that it serves alike share
// a feed, which key finds.
func (e *Engine) startSharedLocked(s *stream, use source.Use, key string, o ingest.Options) error {
	e.mu.AssertHeld()
	f := e.mu.feeds[key]
	if f == nil {
		var err error
		if f, err = e.newFeedLocked(key, o); err != nil {
			return err
		}
	}
	a, err := use.Attach(f.Feed, s.num)
	if err != nil {
		if f.streams == 0 {
			delete(e.mu.feeds, key)
		}
		return err
	}
	f.streams++
	s.feed, s.source = f, attached{a}
	return nil
}

// runner is a source with a goroutine of its own.
type runner struct {
	source.Source
	cancel context.CancelFunc
	done   chan struct{}
	feed   *ingest.Feed
	broken atomic.Pointer[string] // the text of the panic that ended it
}

func (r *runner) stop() {
	r.cancel()
	r.feed.Close()
	<-r.done
}

func (r *runner) status() source.Status {
	st := r.Status()
	if text := r.broken.Load(); text != nil {
		st.State, st.LastError = source.Failed, *text
	}
	return st
}

// run reads until ctx ends. A panic is an error of the source.
func (r *runner) run(e *Engine, ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			e.NotePanic("a source is given up", v)
			text := fmt.Sprintf("stopped by a fault of weir: %v", v)
			r.broken.Store(&text)
			err = errors.New(text)
		}
	}()
	return r.Run(ctx)
}

// startOwnLocked starts a source that only s has.
func (e *Engine) startOwnLocked(s *stream, use source.Use, o ingest.Options) error {
	e.mu.AssertHeld()
	f, err := e.newFeedLocked(fmt.Sprintf("%s %s %d", s.typ(), s.name, e.feedSeq.Add(1)), o)
	if err != nil {
		return err
	}
	src, err := use.Open(source.Target{Feed: ingest.Guarded{Feed: f.Feed}, Route: f.Route([]uint32{s.num})})
	if err != nil {
		delete(e.mu.feeds, f.key)
		return err
	}
	ctx, cancel := context.WithCancel(e.ctx)
	r := &runner{Source: src, cancel: cancel, done: make(chan struct{}), feed: f.Feed}
	f.streams = 1
	s.feed, s.source = f, r
	e.wg.Go(func() {
		defer close(r.done)
		if err := r.run(e, ctx); err != nil {
			e.log.Warn("source ended", "stream", s.name, "err", err)
		}
		if r.Status().State == source.EOF {
			e.wg.Go(func() { e.ended(s, r) })
		}
	})
	return nil
}

// deactivateLocked stops the source of s; what it delivered is still run.
func (e *Engine) deactivateLocked(s *stream) {
	e.mu.AssertHeld()
	if s.feed == nil {
		return
	}
	s.source.stop()
	if r, ok := s.source.(*runner); ok {
		e.lost.Merge(r.Status().Lost)
	}
	f := s.feed
	b := s.builder
	s.builder = nil
	e.useLocked(s)
	s.builder = b
	if f.streams--; f.streams == 0 {
		f.Close()
		f.exec.End()
		f.replan = false // what it has is run with the columns that its rules read
		delete(e.mu.feeds, f.key)
		e.mu.gone = sum(e.mu.gone, f.Stats())
	}
	s.feed, s.source, s.cols, s.ended = nil, nil, nil, false
	e.exec.Mark()
}
